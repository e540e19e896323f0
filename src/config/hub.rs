//! `hub.toml`: the configuration of the park authority's hub.

use sha2::Digest as _;

use super::document::Document;
use super::finish;
use crate::api::config::HttpConfig;
use crate::hub::config::{GatewayConfig, HubSection, ParkConfig, SiteConfig, check_directory};
use crate::model::id::Digest;
use crate::model::problem::Problems;

/// The sections of the file.
const SECTIONS: &[&str] = &["hub", "http", "park", "site", "gateway"];

/// The configuration of a hub, without an error.
#[derive(Debug, Clone)]
pub struct Hub {
    /// Name of the file it was read from, as given.
    pub file: String,
    /// The hub itself.
    pub hub: HubSection,
    /// Where API and pages listen.
    pub http: HttpConfig,
    /// The parks it answers for.
    pub parks: Vec<ParkConfig>,
    /// The factories in them.
    pub sites: Vec<SiteConfig>,
    /// The boxes that may contribute.
    pub gateways: Vec<GatewayConfig>,
    /// SHA-256 of the text.
    pub digest: Digest,
    /// The text.
    pub text: String,
}

/// Reads the configuration of a hub. `file` is its name, kept for messages.
///
/// Returns no configuration where there is an error; warnings may come with one.
pub fn load_hub(file: &str, text: &str) -> (Option<Hub>, Problems) {
    let mut problems = Problems::default();
    let hub = read(file, text, &mut problems);
    let problems = finish(text, problems);
    (hub.filter(|_| !problems.has_errors()), problems)
}

fn read(file: &str, text: &str, problems: &mut Problems) -> Option<Hub> {
    let document = Document::parse(text, SECTIONS, problems);
    let hub = document.section::<HubSection>("hub", problems).value;
    let http = document.optional_section::<HttpConfig>("http", problems);
    let parks = document.entries::<ParkConfig>("park", problems);
    let sites = document.entries::<SiteConfig>("site", problems);
    let gateways = document.entries::<GatewayConfig>("gateway", problems);
    if document.is_damaged() {
        document.drop_follow_ups(problems);
        return None;
    }
    hub.iter().for_each(|hub| hub.check(problems));
    http.iter().filter_map(|http| http.value.as_ref()).for_each(|http| http.check(problems));
    // A reference may be to an entry that couldn't be read.
    let is_complete = parks.iter().all(|park| park.value.is_some())
        && sites.iter().all(|site| site.value.is_some())
        && gateways.iter().all(|gateway| gateway.value.is_some());
    let parks: Vec<ParkConfig> = parks.into_iter().filter_map(|park| park.value).collect();
    let sites: Vec<SiteConfig> = sites.into_iter().filter_map(|site| site.value).collect();
    let gateways: Vec<GatewayConfig> = gateways.into_iter().filter_map(|gateway| gateway.value).collect();
    if is_complete {
        check_directory(&parks, &sites, &gateways, problems);
    } else {
        gateways.iter().for_each(|gateway| gateway.check(problems));
    }
    Some(Hub {
        file: file.to_owned(),
        hub: hub?,
        http: http.map_or_else(|| Some(HttpConfig::default()), |http| http.value)?,
        parks,
        sites,
        gateways,
        digest: Digest(sha2::Sha256::digest(text).into()),
        text: text.to_owned(),
    })
}
