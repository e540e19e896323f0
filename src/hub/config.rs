//! The types of `hub.toml` that belong to the hub: what it keeps, and the parks, sites and gateways it answers for.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;

use crate::engine::kpi::grid::MissingFactor;
use crate::ledger::key::{Jwk, VerifyingKey};
use crate::model::enterprise::EnterpriseNumber;
use crate::model::id::{GatewayId, ParkId, ProvinceId, SiteId};
use crate::model::problem::Problems;
use crate::runtime::secret::Secret;

/// `[hub]`: the hub itself.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HubSection {
    /// Where `hub.db` lives. Created when missing.
    pub data_dir: Spanned<PathBuf>,
    /// Name of the authority, shown on pages.
    pub name: Spanned<String>,
    /// IANA time zone in which days, months and years of parks and provinces begin.
    pub timezone: Spanned<String>,
    /// What becomes of a year no grid factor was published for; default: no value.
    #[serde(default)]
    pub grid_factor: GridFactorSection,
}

/// `grid_factor = { missing = "null" | "latest" }`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GridFactorSection {
    /// What becomes of a year without a factor.
    #[serde(default)]
    pub missing: MissingFactor,
}

/// `[[park]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParkConfig {
    /// Its id.
    pub id: Spanned<ParkId>,
    /// Its name, shown on pages.
    pub name: String,
    /// The province it is rolled up into.
    pub province: Spanned<ProvinceId>,
}

/// `[[site]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteConfig {
    /// Its id.
    pub id: Spanned<SiteId>,
    /// The park it lies in.
    pub park: Spanned<ParkId>,
    /// The enterprise that runs it.
    pub enterprise: Spanned<EnterpriseNumber>,
    /// Its name, shown on pages.
    pub name: String,
    /// What it makes, in a word such as `garment`: equipment effectiveness is never rolled up over unlike ones.
    pub sector: Option<Spanned<String>>,
}

/// `[[gateway]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayConfig {
    /// Its id.
    pub id: Spanned<GatewayId>,
    /// The one site whose records it may contribute.
    pub site: Spanned<SiteId>,
    /// Its public key: `x` of the JWK, base64url. Where missing, the key of the first page is pinned and shown.
    pub key: Option<Spanned<String>>,
    /// What it must send as bearer token; where missing, pages are admitted by their signature alone.
    pub token: Option<Secret>,
}

impl GatewayConfig {
    /// Returns the declared public key; `None` where none is declared or it is malformed, which [`Self::check`] reports.
    pub fn public_key(&self) -> Option<VerifyingKey> {
        VerifyingKey::from_jwk(&Jwk::from_x(self.key.as_ref()?.get_ref())).ok()
    }

    /// Reports a malformed key.
    pub fn check(&self, problems: &mut Problems) {
        if let Some(key) = self.key.as_ref().filter(|_| self.public_key().is_none()) {
            problems.error(
                key.span(),
                format!("key \"{}\" of gateway {} is no Ed25519 public key", key.get_ref(), self.id.get_ref()),
                "write \"x\" of the gateway's JWK: 43 characters of base64url without padding",
            );
        }
    }
}

impl HubSection {
    /// Reports an unknown time zone and empty names.
    pub fn check(&self, problems: &mut Problems) {
        if jiff::tz::TimeZone::get(self.timezone.get_ref()).is_err() {
            problems.error(
                self.timezone.span(),
                format!("time zone \"{}\" is unknown", self.timezone.get_ref()),
                "write an IANA name, like \"Asia/Ho_Chi_Minh\"",
            );
        }
        if self.name.get_ref().trim().is_empty() {
            problems.error(self.name.span(), "the hub has no name", "write the authority's name; pages show it");
        }
        if self.data_dir.get_ref().as_os_str().is_empty() {
            problems.error(self.data_dir.span(), "data_dir is empty", "write a directory, like \"/var/lib/parkgate\"");
        }
    }
}

/// Reports what parks, sites and gateways say of each other: ids given twice, and references to nothing.
pub fn check_directory(
    parks: &[ParkConfig],
    sites: &[SiteConfig],
    gateways: &[GatewayConfig],
    problems: &mut Problems,
) {
    check_unique("park", parks.iter().map(|park| &park.id), problems);
    check_unique("site", sites.iter().map(|site| &site.id), problems);
    check_unique("gateway", gateways.iter().map(|gateway| &gateway.id), problems);
    for site in sites {
        if let Some(sector) = site.sector.as_ref().filter(|sector| sector.get_ref().trim().is_empty()) {
            let message = format!("site {} has an empty sector", site.id.get_ref());
            problems.error(sector.span(), message, "write what it makes in a word, like \"garment\", or remove it");
        }
        check_known("site", &site.id, "park", &site.park, parks.iter().map(|park| &park.id), problems);
    }
    for gateway in gateways {
        check_known("gateway", &gateway.id, "site", &gateway.site, sites.iter().map(|site| &site.id), problems);
        gateway.check(problems);
    }
    let mut owners = BTreeMap::new();
    for (key, gateway) in gateways.iter().filter_map(|gateway| Some((gateway.public_key()?, gateway))) {
        if let Some(first) = owners.insert(key.jwk(), &gateway.id) {
            problems.error(
                gateway.key.as_ref().map(Spanned::span),
                format!("gateway {} has the key of gateway {}", gateway.id.get_ref(), first.get_ref()),
                "each gateway makes its own key on its first start",
            );
        }
    }
}

fn check_unique<'a, I: Ord + Display + 'a>(
    what: &str,
    ids: impl Iterator<Item = &'a Spanned<I>>,
    problems: &mut Problems,
) {
    let mut seen = std::collections::BTreeSet::new();
    for id in ids {
        if !seen.insert(id.get_ref()) {
            problems.error(id.span(), format!("{what} {} is declared twice", id.get_ref()), "give each its own id");
        }
    }
}

fn check_known<'a, O: Display, I: Ord + Display + 'a>(
    owner_kind: &str,
    owner: &Spanned<O>,
    kind: &str,
    wanted: &Spanned<I>,
    known: impl Iterator<Item = &'a Spanned<I>>,
    problems: &mut Problems,
) {
    let known: Vec<&I> = known.map(Spanned::get_ref).collect();
    if known.contains(&wanted.get_ref()) {
        return;
    }
    let help = if known.is_empty() {
        format!("declare it with [[{kind}]]")
    } else {
        let names: Vec<String> = known.iter().map(ToString::to_string).collect();
        format!("declare it with [[{kind}]], or write one of: {}", names.join(", "))
    };
    let message = format!("{owner_kind} {} names {kind} {}, which is not declared", owner.get_ref(), wanted.get_ref());
    problems.error(wanted.span(), message, help);
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::{GatewayConfig, HubSection, MissingFactor, ParkConfig, Problems, SiteConfig, check_directory};

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        hub: HubSection,
        park: Vec<ParkConfig>,
        site: Vec<SiteConfig>,
        #[serde(default)]
        gateway: Vec<GatewayConfig>,
    }

    const GOOD: &str = r#"
        [hub]
        data_dir = "/tmp/hub"
        name = "Ban quản lý"
        timezone = "Asia/Ho_Chi_Minh"
        grid_factor = { missing = "latest" }
        [[park]]
        id = "tan-thuan"
        name = "Tân Thuận"
        province = "ho-chi-minh"
        [[site]]
        id = "steel"
        park = "tan-thuan"
        enterprise = "9900000016"
        name = "Thép"
        [[gateway]]
        id = "gw-1"
        site = "steel"
        key = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
        token = { env = "GW_1" }
    "#;

    fn messages(text: &str) -> Vec<String> {
        let file: File = toml::from_str(text).unwrap();
        let mut problems = Problems::default();
        file.hub.check(&mut problems);
        check_directory(&file.park, &file.site, &file.gateway, &mut problems);
        assert!(problems.0.iter().all(|problem| problem.span.is_some() && !problem.help.is_empty()));
        problems.0.into_iter().map(|problem| problem.message).collect()
    }

    #[test]
    fn a_complete_directory_has_no_problem() {
        assert_eq!(messages(GOOD), Vec::<String>::new());
        let file: File = toml::from_str(GOOD).unwrap();
        assert_eq!(file.hub.grid_factor.missing, MissingFactor::Latest);
        assert!(file.gateway[0].public_key().is_some());
    }

    #[test]
    fn every_loose_end_is_reported_at_once() {
        let text = GOOD
            .replace("Asia/Ho_Chi_Minh", "Asia/Saigoon")
            .replace("park = \"tan-thuan\"", "park = \"tan-tao\"")
            .replace("site = \"steel\"", "site = \"stell\"")
            .replace("11qYAYKx", "+++");
        let twice = format!("{text}\n[[park]]\nid = \"tan-thuan\"\nname = \"again\"\nprovince = \"ho-chi-minh\"\n");
        let found = messages(&twice);
        assert_eq!(
            found,
            [
                "time zone \"Asia/Saigoon\" is unknown",
                "park tan-thuan is declared twice",
                "site steel names park tan-tao, which is not declared",
                "gateway gw-1 names site stell, which is not declared",
                "key \"+++CrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\" of gateway gw-1 is no Ed25519 public key",
            ]
        );
    }

    #[test]
    fn a_misspelt_key_is_refused() {
        for text in [GOOD.replace("province =", "provinz ="), GOOD.replace("missing =", "mising =")] {
            assert!(toml::from_str::<File>(&text).is_err());
        }
    }
}
