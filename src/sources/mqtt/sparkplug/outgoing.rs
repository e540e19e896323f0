//! All that a host publishes: its own state, and a rebirth request.
//!
//! In: a host id and an instant, or an edge node. Out: topic, payload, quality of service and retain flag. The fields are
//! private and there are two constructors, so that nothing else can be published to a plant's broker.

use bytes::Bytes;
use prost::Message;

use super::payload::{Metric, Payload, Value};
use super::topic::{EdgeId, NAMESPACE};
use crate::model::time::Timestamp;

/// Name of the metric that asks an edge node for its births.
const REBIRTH: &str = "Node Control/Rebirth";
/// Code of the datatype Boolean. Some edge nodes read a command only where it stands.
const BOOLEAN: u32 = 11;

/// A message of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sources::mqtt) struct Outgoing {
    topic: String,
    payload: Bytes,
    qos: u8,
    is_retained: bool,
}

/// Returns the topic on which a host shows its state.
pub(in crate::sources::mqtt) fn state_topic(host: &str) -> String {
    format!("{NAMESPACE}/STATE/{host}")
}

impl Outgoing {
    /// Says that the host is there, or not any more, as of `at`.
    pub(super) fn state(host: &str, is_online: bool, at: Timestamp) -> Self {
        let payload = format!("{{\"online\":{is_online},\"timestamp\":{}}}", at.0.max(0));
        Self { topic: state_topic(host), payload: Bytes::from(payload), qos: 1, is_retained: true }
    }

    /// Asks an edge node for its births.
    pub(super) fn rebirth(edge: &EdgeId, at: Timestamp) -> Self {
        let metric = Metric {
            name: Some(REBIRTH.as_bytes().to_vec()),
            timestamp: Some(at.0.max(0).unsigned_abs()),
            datatype: Some(BOOLEAN),
            value: Some(Value::Boolean(true)),
            ..Metric::default()
        };
        // A command has no seq.
        let payload =
            Payload { timestamp: metric.timestamp, metrics: vec![Bytes::from(metric.encode_to_vec())], seq: None };
        Self {
            topic: format!("{NAMESPACE}/{}/NCMD/{}", edge.group, edge.node),
            payload: Bytes::from(payload.encode_to_vec()),
            qos: 0,
            is_retained: false,
        }
    }

    /// Returns the topic.
    pub(in crate::sources::mqtt) fn topic(&self) -> &str {
        &self.topic
    }

    /// Returns the payload.
    pub(in crate::sources::mqtt) fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// Returns the quality of service: 1 for a state, 0 for a request.
    pub(in crate::sources::mqtt) fn qos(&self) -> u8 {
        self.qos
    }

    /// Says whether the broker keeps it for who comes later.
    pub(in crate::sources::mqtt) fn is_retained(&self) -> bool {
        self.is_retained
    }
}
