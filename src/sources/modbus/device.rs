//! What the poll loop reads: devices of one endpoint, each with its points resolved to tags.

use crate::model::tag::{SourceIndex, TagSpec};
use crate::profile::Library;

use super::config::ModbusSource;

/// One host and port, and the devices behind it.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

/// Groups sources by host and port, in the order of their first source. `tags` is the plant's list, sorted by name:
/// a sample's `TagIndex` is a position in it. Points whose tag isn't in the list are left out.
pub fn endpoints(_sources: &[(SourceIndex, ModbusSource)], _profiles: &Library, _tags: &[TagSpec]) -> Vec<Endpoint> {
    Vec::new()
}
