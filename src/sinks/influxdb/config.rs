//! What configuration says of an InfluxDB: `[[sink]] type = "influxdb"`.

use serde::Deserialize;
use toml::Spanned;

use crate::model::id::StreamName;
use crate::model::problem::Problems;
use crate::model::time::Period;
use crate::runtime::secret::Secret;
use crate::sinks::http::{check_timeout, check_url};

/// An InfluxDB 2, or what takes its write API.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InfluxSink {
    /// Name of the sink.
    pub name: Spanned<StreamName>,
    /// `http://host:port` or `https://…`.
    pub url: Spanned<String>,
    /// Organisation.
    pub org: Spanned<String>,
    /// Bucket.
    pub bucket: Spanned<String>,
    /// API token, where the server wants one.
    pub token: Option<Secret>,
    /// Longest wait for one answer; 30 s where not given.
    pub timeout: Option<Spanned<Period>>,
    /// What is sent; records where not given.
    pub send: Option<Spanned<Vec<Content>>>,
    /// Whether requests are compressed: less to carry, more to compute.
    #[serde(default)]
    pub gzip: bool,
}

/// What a sink sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// KPI records, measurement `kpi`.
    Records,
    /// Every raw value, measurement `sample`.
    Samples,
}

impl InfluxSink {
    /// Says whether it sends this.
    pub fn sends(&self, content: Content) -> bool {
        self.send.as_ref().map_or(content == Content::Records, |send| send.get_ref().contains(&content))
    }

    /// Says what is wrong with this sink by itself.
    pub fn check(&self, problems: &mut Problems) {
        let name = self.name.get_ref();
        check_url(name, &self.url, problems);
        check_timeout(name, self.timeout.as_ref(), problems);
        if let Some(send) = self.send.as_ref().filter(|send| send.get_ref().is_empty()) {
            problems.error(
                send.span(),
                format!("sink \"{name}\" sends nothing"),
                "write send = [\"records\", \"samples\"], or one of the two",
            );
        }
        for (what, text) in [("org", &self.org), ("bucket", &self.bucket)] {
            if text.get_ref().is_empty() {
                problems.error(text.span(), format!("sink \"{name}\": empty {what}"), format!("name the {what}"));
            }
        }
    }
}
