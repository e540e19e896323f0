//! What a gateway says of itself to its authority: how the box is, never what its plant does.
//!
//! No field can hold the name of a source, a tag or an asset: components are counted by kind.

use serde::{Deserialize, Serialize};

use crate::model::id::GatewayId;
use crate::model::time::Timestamp;

/// The form that is written, and the only one that is read.
pub const FORM: u32 = 1;

/// A gateway's status, signed as a page is and sent ahead of pages that wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayStatus {
    /// [`FORM`].
    pub form: u32,
    /// Who says it.
    pub gateway: GatewayId,
    /// When, plant time. A receiver keeps the latest.
    pub at: Timestamp,
    /// Version of the program.
    pub version: String,
    /// The next one comes within so long. **Unit**: s.
    pub next_within_s: u32,
    /// The components by kind, ascending, each kind once; kinds without any are absent.
    pub components: Vec<KindStatus>,
    /// What this authority hasn't got yet.
    pub backlog: BacklogStatus,
}

/// How the components of one kind are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct KindStatus {
    /// Which kind.
    pub kind: ComponentKind,
    /// How many do what they promise.
    pub ok: u32,
    /// How many don't at the moment and recover by themselves.
    pub degraded: u32,
    /// How many lost a guarantee or need a person.
    pub failed: u32,
    /// Since when the first of those that aren't well is so, plant time; `null` while all are well.
    pub troubled_since: Option<Timestamp>,
}

/// What waits for an authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BacklogStatus {
    /// Pages after the last acknowledged one.
    pub pages: u64,
    /// Their size. **Unit**: bytes.
    pub bytes: u64,
    /// How long the oldest has waited. **Unit**: s, plant time.
    pub seconds: u64,
}

/// What a component is, as far as an authority is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ComponentKind {
    /// Where samples come from.
    Source,
    /// Where something goes to, but for the authority's own.
    Sink,
    /// Disk and database.
    Store,
    /// The clock and its synchronisation.
    Clock,
    /// The program's own parts.
    Gateway,
}

impl ComponentKind {
    /// Returns the kind of a component of the health board: what its name begins with.
    pub fn of(component: &str) -> Self {
        match component.split('.').next().unwrap_or_default() {
            "source" => Self::Source,
            "sink" => Self::Sink,
            "store" => Self::Store,
            "clock" => Self::Clock,
            _ => Self::Gateway,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BacklogStatus, ComponentKind, FORM, GatewayId, GatewayStatus, KindStatus, Timestamp};

    #[test]
    fn json_form_is_frozen() {
        let status = GatewayStatus {
            form: FORM,
            gateway: GatewayId::new("tt-0042").unwrap(),
            at: Timestamp(1_790_000_000_000),
            version: "0.1.0".to_owned(),
            next_within_s: 900,
            components: vec![KindStatus {
                kind: ComponentKind::Source,
                ok: 3,
                degraded: 1,
                failed: 0,
                troubled_since: Some(Timestamp(1_789_999_000_000)),
            }],
            backlog: BacklogStatus { pages: 2, bytes: 900, seconds: 60 },
        };
        let json = concat!(
            r#"{"form":1,"gateway":"tt-0042","at":"2026-09-21T14:13:20.000Z","version":"0.1.0","next_within_s":900,"#,
            r#""components":[{"kind":"source","ok":3,"degraded":1,"failed":0,"#,
            r#""troubled_since":"2026-09-21T13:56:40.000Z"}],"backlog":{"pages":2,"bytes":900,"seconds":60}}"#
        );
        assert_eq!(serde_json::to_string(&status).unwrap(), json);
        assert_eq!(serde_json::from_str::<GatewayStatus>(json).unwrap(), status);
    }

    #[test]
    fn a_component_is_known_by_what_its_name_begins_with() {
        for (name, kind) in [
            ("source.meter-main", ComponentKind::Source),
            ("sink.history.samples", ComponentKind::Sink),
            ("store.room", ComponentKind::Store),
            ("clock", ComponentKind::Clock),
            ("pipeline", ComponentKind::Gateway),
            ("stores", ComponentKind::Gateway),
        ] {
            assert_eq!(ComponentKind::of(name), kind, "{name}");
        }
    }
}
