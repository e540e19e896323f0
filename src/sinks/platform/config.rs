//! What configuration says of a platform: `[[sink]] type = "platform"`.

use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;

use crate::model::id::StreamName;
use crate::model::problem::Problems;
use crate::model::record::{KpiId, Level};
use crate::model::share::SharePolicy;
use crate::model::time::{Grain, Period};
use crate::runtime::secret::Secret;
use crate::sinks::http::{check_timeout, check_url};

/// An authority's platform.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlatformSink {
    /// Name of the sink and of its stream.
    pub name: Spanned<StreamName>,
    /// `https://host[:port][/path]`; `http` only where the network in between is trusted.
    pub url: Spanned<String>,
    /// What may leave.
    pub share: SharePolicyConfig,
    /// Bearer token, where the platform wants one.
    pub token: Option<Secret>,
    /// Longest wait for one answer; 30 s where not given.
    pub timeout: Option<Spanned<Period>>,
    /// Trust anchor in PEM, where the platform's certificate isn't signed by a public authority.
    pub ca_file: Option<PathBuf>,
    /// Epoch of the stream; an operator raises it to resolve a fork. 1 where not given.
    pub epoch: Option<Spanned<u32>>,
}

/// What one destination may see; nothing else leaves.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SharePolicyConfig {
    /// The KPIs; each takes its facts with it.
    pub kpis: Spanned<Vec<Spanned<String>>>,
    /// The finest level of the hierarchy; `site` where not given.
    pub level: Option<Level>,
    /// The one grain that goes out; `day` where not given.
    pub grain: Option<Spanned<Grain>>,
}

impl SharePolicyConfig {
    /// Returns the policy: KPIs ascending, each once; site level and day where nothing else is said.
    pub fn policy(&self) -> SharePolicy {
        let mut kpis: Vec<KpiId> = self.kpis.get_ref().iter().map(|kpi| KpiId(kpi.get_ref().clone().into())).collect();
        kpis.sort();
        kpis.dedup();
        SharePolicy {
            kpis,
            level: self.level.unwrap_or(Level::Site),
            grain: self.grain.as_ref().map_or(Grain::Day, |grain| *grain.get_ref()),
        }
    }
}

impl PlatformSink {
    /// Returns the stream's epoch.
    pub fn epoch(&self) -> u32 {
        self.epoch.as_ref().map_or(1, |epoch| *epoch.get_ref())
    }

    /// Says what is wrong with this sink by itself. Whether the KPIs exist is for who knows the catalogue.
    pub fn check(&self, problems: &mut Problems) {
        let name = self.name.get_ref();
        check_url(name, &self.url, problems);
        check_timeout(name, self.timeout.as_ref(), problems);
        if self.share.kpis.get_ref().is_empty() {
            problems.error(
                self.share.kpis.span(),
                format!("sink \"{name}\" shares no KPI"),
                "name the KPIs that may leave, like kpis = [\"oee\", \"electricity\"], or remove the sink",
            );
        }
        if let Some(epoch) = self.epoch.as_ref().filter(|epoch| *epoch.get_ref() == 0) {
            problems.error(epoch.span(), format!("sink \"{name}\": epoch 0"), "epochs are numbered from 1");
        }
    }
}
