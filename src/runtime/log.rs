//! Log output: text on a terminal, JSON lines for a collector.

use tracing_subscriber::EnvFilter;

/// Starts logging to standard error. `PARKGATE_LOG` holds a filter like `parkgate=debug`; default `info`.
/// A second call in one process changes nothing.
pub fn start(json: bool) {
    start_with(json, "warn,parkgate=info");
}

/// As [`start`], with another filter where `PARKGATE_LOG` says nothing.
pub fn start_with(json: bool, filter: &str) {
    let filter = EnvFilter::try_from_env("PARKGATE_LOG").unwrap_or_else(|_| EnvFilter::new(filter));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Fails only where a subscriber is set already.
    let _ = if json { builder.json().try_init() } else { builder.with_target(false).try_init() };
}
