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
}

impl InfluxSink {
    /// Says what is wrong with this sink by itself.
    pub fn check(&self, problems: &mut Problems) {
        let name = self.name.get_ref();
        check_url(name, &self.url, problems);
        check_timeout(name, self.timeout.as_ref(), problems);
        for (what, text) in [("org", &self.org), ("bucket", &self.bucket)] {
            if text.get_ref().is_empty() {
                problems.error(text.span(), format!("sink \"{name}\": empty {what}"), format!("name the {what}"));
            }
        }
    }
}
