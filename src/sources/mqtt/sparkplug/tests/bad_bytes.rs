//! Whatever arrives: nothing panics, nothing vanishes uncounted, and the host goes on.

use bytes::Bytes;
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use proptest::{collection, prop_assert, prop_assert_eq};

use super::super::payload::Value;
use super::kit::{Rig, UPTIME, aliased, encode, node_birth, press_birth, values};

const TOPICS: &[&str] = &[
    "NBIRTH/edge 1",
    "NDEATH/edge 1",
    "NDATA/edge 1",
    "DBIRTH/edge 1/press 1",
    "DDATA/edge 1/press 1",
    "DDEATH/edge 1/press 1",
    "NCMD/edge 1",
    "NDATA/nobody",
];

/// Valid payloads, some of their bytes changed, cut or doubled, and any bytes at all.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let valid = prop_oneof![
        Just(encode(&node_birth(7), Some(1), Some(0)).to_vec()),
        Just(encode(&press_birth(), None, Some(1)).to_vec()),
        Just(encode(&[aliased(1, Value::Long(9)), aliased(9, Value::Float(f32::NAN))], Some(u64::MAX), None).to_vec()),
    ];
    let mutated = (valid, collection::vec((any::<usize>(), any::<u8>()), 0..6), any::<usize>()).prop_map(
        |(mut bytes, changes, cut)| {
            for (position, byte) in changes {
                let length = bytes.len();
                bytes[position % length] = byte;
            }
            bytes.truncate(bytes.len() - cut % 4);
            bytes
        },
    );
    prop_oneof![3 => mutated, 1 => collection::vec(any::<u8>(), 0..80)]
}

proptest! {
    #[test]
    fn no_message_makes_the_host_panic_and_a_birth_brings_it_back(
        messages in collection::vec((0..TOPICS.len(), bytes(), 0_u64..4_000), 1..40)
    ) {
        let mut rig = Rig::born();
        for (topic, bytes, pause) in messages {
            rig.deliver(TOPICS[topic], &Bytes::from(bytes));
            rig.pass(pause);
        }
        prop_assert_eq!(rig.birth().len(), 4);
        prop_assert!(rig.host.is_whole());
        let turn = rig.say("NDATA/edge 1", &[aliased(0, Value::Long(2))]);
        prop_assert_eq!(values(&turn.samples), [(UPTIME, Some(2.0))]);
        prop_assert!(turn.send.is_empty());
    }

    #[test]
    fn bytes_that_are_no_payload_are_counted_and_shown(bytes in collection::vec(any::<u8>(), 1..80)) {
        let mut rig = Rig::born();
        let turn = rig.deliver("NDATA/edge 1", &Bytes::from(bytes));
        if turn.counted.contains(&"refused_not_sparkplug") {
            prop_assert!(rig.host.notes().contains("could not be read"), "{}", rig.host.notes());
            prop_assert!(rig.host.notes().len() < 2_000);
        }
        prop_assert!(!turn.samples.is_empty() || !turn.counted.is_empty() || rig.seq > 0);
    }

    #[test]
    fn no_topic_makes_the_host_panic(topic in ".{0,60}") {
        let mut rig = Rig::born();
        rig.host.message(&topic, &Bytes::new(), false, rig.now);
    }
}

#[test]
fn devices_without_end_are_counted_and_shown_and_cost_the_declared_ones_nothing() {
    let mut rig = Rig::born();
    let mut turn = rig.say("NDATA/edge 1", &[]);
    for number in 0..2_000 {
        turn = rig.say(&format!("DBIRTH/edge 1/d{number}"), &[]);
    }
    assert_eq!(turn.counted, ["device_births", "devices_beyond_limit"]);
    assert!(rig.host.notes().contains("declare more than is kept: plant-1/edge 1"), "{}", rig.host.notes());
    let turn = rig.say("DDATA/edge 1/d1999", &[aliased(50, Value::Long(1))]);
    assert_eq!((turn.counted, turn.send.len()), (vec!["data_of_devices_beyond_limit"], 0));
    assert_eq!(values(&rig.say("DBIRTH/edge 1/press 1", &press_birth()).samples).len(), 2);
}
