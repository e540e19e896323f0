//! What every destination shares: the cursor, the back-off, the health, and the checks of its address.

use toml::Spanned;

use crate::model::id::StreamName;
use crate::model::problem::Problems;
use crate::model::time::Period;

/// Longest wait for one answer where configuration says nothing. **Unit**: ms.
pub const TIMEOUT_MS: i64 = 30_000;

/// Refuses an address that is no http or https URL.
pub(super) fn check_url(sink: &StreamName, url: &Spanned<String>, problems: &mut Problems) {
    let valid = reqwest::Url::parse(url.get_ref())
        .is_ok_and(|parsed| matches!(parsed.scheme(), "http" | "https") && parsed.has_host());
    if !valid {
        problems.error(
            url.span(),
            format!("sink \"{sink}\": \"{}\" is not an http or https URL", url.get_ref()),
            "write it like https://hub.example.gov.vn",
        );
    }
}

/// Refuses a timeout outside 100 ms to 10 min.
pub(super) fn check_timeout(sink: &StreamName, timeout: Option<&Spanned<Period>>, problems: &mut Problems) {
    if let Some(timeout) = timeout.filter(|timeout| !(100..=600_000).contains(&timeout.get_ref().as_ms())) {
        problems.error(
            timeout.span(),
            format!("sink \"{sink}\": timeout of {} ms", timeout.get_ref().as_ms()),
            "choose 100ms to 10min",
        );
    }
}
