//! Topics of the Sparkplug namespace.
//!
//! In: topics as they arrive, ids of a configuration. Out: what a topic names. A topic outside the namespace names nothing.

/// First level of every topic.
pub(in crate::sources::mqtt) const NAMESPACE: &str = "spBv1.0";

/// An edge node within one broker.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::sources::mqtt) struct EdgeId {
    /// Its group.
    pub group: String,
    /// Its own id, unique in the group.
    pub node: String,
}

impl std::fmt::Display for EdgeId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.group.escape_debug(), self.node.escape_debug())
    }
}

/// What a message says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// NBIRTH, DBIRTH: everything that is reported from here on.
    Birth,
    /// NDEATH, DDEATH: nothing is known any more.
    Death,
    /// NDATA, DDATA: what changed.
    Data,
    /// NCMD, DCMD: addressed to an edge node, not to a host.
    Command,
}

/// What a topic names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Topic<'a> {
    /// The state of a host application.
    State { host: &'a str },
    /// A message of an edge node, or of one of its devices.
    Edge { kind: Kind, group: &'a str, node: &'a str, device: Option<&'a str> },
}

/// Reads a topic; `None` where it is none of the namespace.
pub(super) fn parse(topic: &str) -> Option<Topic<'_>> {
    let mut levels = topic.split('/');
    let mut next = || levels.next().filter(|level| !level.is_empty());
    let (namespace, first, second) = (next()?, next()?, next()?);
    if namespace != NAMESPACE {
        return None;
    }
    if first == "STATE" {
        return next().is_none().then_some(Topic::State { host: second });
    }
    let (kind, of_device) = kind_of(second)?;
    let node = next()?;
    let device = if of_device { Some(next()?) } else { None };
    levels.next().is_none().then_some(Topic::Edge { kind, group: first, node, device })
}

fn kind_of(level: &str) -> Option<(Kind, bool)> {
    Some(match level {
        "NBIRTH" => (Kind::Birth, false),
        "NDEATH" => (Kind::Death, false),
        "NDATA" => (Kind::Data, false),
        "NCMD" => (Kind::Command, false),
        "DBIRTH" => (Kind::Birth, true),
        "DDEATH" => (Kind::Death, true),
        "DDATA" => (Kind::Data, true),
        "DCMD" => (Kind::Command, true),
        _ => return None,
    })
}

/// Returns every topic on which a host hears of an edge node, or of a device of it.
pub(super) fn heard_of(group: &str, node: &str, device: Option<&str>) -> Vec<String> {
    let of_node = ["NBIRTH", "NDATA", "NDEATH"].map(|kind| format!("{NAMESPACE}/{group}/{kind}/{node}"));
    let of_device =
        |device: &str| ["DBIRTH", "DDATA", "DDEATH"].map(|kind| format!("{NAMESPACE}/{group}/{kind}/{node}/{device}"));
    of_node.into_iter().chain(device.map(of_device).into_iter().flatten()).collect()
}

/// Says whether a text may be a group, edge node, device or host id. **Source**: tck-id-topic-structure-namespace-valid-*:
/// one topic level, UTF-8, without wildcards.
pub(super) fn is_legal_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= 1024 && !text.contains(['/', '+', '#']) && !text.chars().any(char::is_control)
}

/// Says whether a topic filter takes a topic.
pub(super) fn matches(filter: &str, topic: &str) -> bool {
    let mut parts = topic.split('/');
    for level in filter.split('/') {
        match (level, parts.next()) {
            ("#", _) => return true,
            ("+", Some(_)) => {}
            (text, Some(part)) if text == part => {}
            _ => return false,
        }
    }
    parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::{Kind, Topic, is_legal_id, matches, parse};

    #[test]
    fn a_topic_names_a_host_an_edge_node_or_a_device() {
        let edge = |kind, device| Some(Topic::Edge { kind, group: "g", node: "e 1", device });
        for (topic, expected) in [
            ("spBv1.0/STATE/scada", Some(Topic::State { host: "scada" })),
            ("spBv1.0/g/NBIRTH/e 1", edge(Kind::Birth, None)),
            ("spBv1.0/g/NDEATH/e 1", edge(Kind::Death, None)),
            ("spBv1.0/g/DDATA/e 1/d", edge(Kind::Data, Some("d"))),
            ("spBv1.0/g/DCMD/e 1/d", edge(Kind::Command, Some("d"))),
            ("spBv1.0/g/NBIRTH/e 1/d", None),
            ("spBv1.0/g/DBIRTH/e 1", None),
            ("spBv1.0/g/DBIRTH/e 1/", None),
            ("spBv1.0/g/DBIRTH/e 1/d/x", None),
            ("spBv1.0/g/STATE/x", None),
            ("spBv1.0/STATE/a/b", None),
            ("spAv1.0/g/NBIRTH/e", None),
            ("STATE/scada", None),
            ("", None),
        ] {
            assert_eq!(parse(topic), expected, "{topic}");
        }
    }

    #[test]
    fn filters_take_topics_level_by_level() {
        for (filter, topic, expected) in [
            ("spBv1.0/#", "spBv1.0/g/NBIRTH/e", true),
            ("spBv1.0/g/+/e/#", "spBv1.0/g/NBIRTH/e", true),
            ("spBv1.0/g/+/e/#", "spBv1.0/g/DDATA/e/d", true),
            ("spBv1.0/g/DDATA/e/+", "spBv1.0/g/NBIRTH/e", false),
            ("spBv1.0/g/+/e", "spBv1.0/g/DDATA/e/d", false),
        ] {
            assert_eq!(matches(filter, topic), expected, "{filter} {topic}");
        }
    }

    #[test]
    fn an_id_is_one_topic_level() {
        assert!(is_legal_id("Khu 1.press-1"));
        for bad in ["", "a/b", "a+", "#", "a\nb"] {
            assert!(!is_legal_id(bad), "{bad:?}");
        }
    }
}
