//! What configuration says of a platform: `[[sink]] type = "platform"`.

use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;

use super::template::TemplateConfig;
use crate::model::id::StreamName;
use crate::model::problem::Problems;
use crate::model::record::{KpiId, Level};
use crate::model::share::SharePolicy;
use crate::model::time::{Grain, Period};
use crate::runtime::secret::Secret;
use crate::sinks::access::{Means, OAuth2Config, ProxyConfig};
use crate::sinks::budget::{BudgetConfig, check_pace};

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
    /// Tokens that the box fetches itself, instead of `token`.
    pub oauth2: Option<OAuth2Config>,
    /// Proxy through which everything goes, tokens too.
    pub proxy: Option<ProxyConfig>,
    /// Longest wait for one answer; 30 s where not given.
    pub timeout: Option<Spanned<Period>>,
    /// Trust anchor in PEM, where the platform's certificate isn't signed by a public authority.
    pub ca_file: Option<PathBuf>,
    /// Client certificate in PEM, its chain after it, where the platform asks for one.
    pub cert_file: Option<Spanned<PathBuf>>,
    /// Private key of it in PEM.
    pub key_file: Option<Spanned<PathBuf>>,
    /// Whether pages are compressed on the way; their signature is over the bytes before. Yes where not given.
    #[serde(default = "yes")]
    pub gzip: bool,
    /// Whether the box tells how it is beside its pages: components by kind, without a name. Yes where not given.
    #[serde(default = "yes")]
    pub status: bool,
    /// What its pages may cost on a metered line; no limit where not given.
    pub data_budget: Option<Spanned<BudgetConfig>>,
    /// How many pages are sent in a minute at most, so that the end of an outage doesn't fill the line.
    pub pages_per_minute: Option<Spanned<u32>>,
    /// The JSON of a platform that doesn't speak the hub protocol; the hub protocol where not given.
    pub template: Option<TemplateConfig>,
    /// Epoch of the stream; an operator raises it to resolve a fork. 1 where not given.
    pub epoch: Option<Spanned<u32>>,
}

const fn yes() -> bool {
    true
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

    /// Returns how it is reached.
    pub(in crate::sinks) const fn means(&self) -> Means<'_> {
        Means {
            url: &self.url,
            token: self.token.as_ref(),
            oauth2: self.oauth2.as_ref(),
            proxy: self.proxy.as_ref(),
            ca_file: self.ca_file.as_ref(),
            cert_file: self.cert_file.as_ref(),
            key_file: self.key_file.as_ref(),
            timeout: self.timeout.as_ref(),
        }
    }

    /// Says what is wrong with this sink by itself. Whether the KPIs exist is for who knows the catalogue.
    pub fn check(&self, problems: &mut Problems) {
        let name = self.name.get_ref();
        self.means().check(name, problems);
        if let Some(template) = &self.template {
            template.check(name, problems);
        }
        check_pace(name, self.pages_per_minute.as_ref(), problems);
        if let Some(budget) = &self.data_budget {
            budget.get_ref().check(name, budget.span(), problems);
        }
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
