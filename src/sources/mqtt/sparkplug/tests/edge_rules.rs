//! What edge nodes must do, and how the host meets those that don't.

use super::super::payload::{Metric, Value};
use super::kit::{
    DOUBLE, HOLD_MS, INT32, REORDER_MS, Rig, START, STATE, STRING, TEMPERATURE, TOTAL, UINT64, UPTIME, aliased, encode,
    metric, named, node_birth, press_birth, session, stale, topics, values,
};
use crate::model::sample::Quality;

fn at(timestamp: i64, metric: Metric) -> Metric {
    Metric { timestamp: Some(timestamp.unsigned_abs()), ..metric }
}

#[test]
fn births_give_the_values_that_stand_when_they_are_sent() {
    let mut rig = Rig::new();
    let samples = rig.birth();
    let expected = [(UPTIME, Some(1.0)), (TOTAL, Some(500.0)), (STATE, Some(0.0)), (TEMPERATURE, Some(20.0))];
    assert_eq!(values(&samples), expected);
    assert!(samples.iter().all(|sample| (sample.measured_at.0, sample.quality) == (START, Quality::Good)));
    assert!(rig.host.is_whole() && rig.host.notes().is_empty());
}

#[test]
fn tck_id_topics_nbirth_bdseq_matching_a_death_of_an_older_session_is_ignored() {
    let mut rig = Rig::born();
    for older in [6, 0, 200] {
        let turn = rig.death(older);
        assert_eq!((turn.samples.len(), turn.counted), (0, vec!["deaths_of_an_older_session"]), "{older}");
    }
    assert_eq!(rig.host.online(), 1);
    // One that began after ours has ended ours; some edge nodes number their farewell so.
    assert_eq!(rig.death(8).samples.len(), 4);
}

#[test]
fn tck_id_topics_nbirth_bdseq_increment_wraps_from_255_to_0() {
    let mut rig = Rig::new();
    rig.say("NBIRTH/edge 1", &node_birth(0));
    assert_eq!(rig.death(255).counted, ["deaths_of_an_older_session"]);
    assert_eq!(rig.death(0).counted, ["deaths"]);
}

#[test]
fn tck_id_operational_behavior_data_commands_rebirth_action_3_an_unchanged_bdseq_is_no_replay() {
    let mut rig = Rig::born();
    rig.pass(5_000);
    let samples = rig.birth();
    assert_eq!(samples.len(), 4);
    assert!(samples.iter().all(|sample| sample.measured_at.0 == START + 5_000), "a birth says what stands now");
}

#[test]
fn tck_id_topics_ndeath_seq_does_not_count() {
    let mut rig = Rig::born();
    rig.death(6);
    let turn = rig.say("NDATA/edge 1", &[aliased(0, Value::Long(2))]);
    assert_eq!((turn.samples.len(), rig.host.due_ms()), (1, None));
}

#[test]
fn tck_id_payloads_sequence_num_incrementing_is_shared_by_node_and_devices_and_wraps() {
    let mut rig = Rig::born();
    for round in 0..600_u64 {
        let turn = match round % 2 {
            0 => rig.say("NDATA/edge 1", &[aliased(0, Value::Long(round))]),
            _ => rig.say("DDATA/edge 1/oven", &[aliased(3, Value::Double(1.0))]),
        };
        assert_eq!((turn.samples.len(), turn.counted.len(), turn.send.len()), (1, 0, 0), "{round}");
    }
}

#[test]
fn tck_id_payloads_ddeath_seq_number_counts() {
    let mut rig = Rig::born();
    rig.say("DDEATH/edge 1/oven", &[]);
    assert_eq!(rig.say("NDATA/edge 1", &[aliased(0, Value::Long(2))]).samples.len(), 1);
}

#[test]
fn tck_id_payloads_sequence_num_always_included_a_message_without_is_taken_and_counted() {
    let mut rig = Rig::born();
    for seq in [None, Some(256), Some(u64::MAX)] {
        let turn = rig.say_as("NDATA/edge 1", &[aliased(0, Value::Long(2))], seq);
        assert_eq!((turn.samples.len(), turn.counted), (1, vec!["without_sequence_number"]));
    }
}

#[test]
fn tck_id_topics_nbirth_seq_num_other_than_0_is_taken_and_counted() {
    let mut rig = Rig::new();
    let turn = rig.say_as("NBIRTH/edge 1", &node_birth(7), Some(41));
    assert!(turn.counted.contains(&"birth_not_numbered_0"));
    rig.seq = 42;
    assert_eq!(rig.say("NDATA/edge 1", &[aliased(0, Value::Long(2))]).samples.len(), 1);
}

#[test]
fn tck_id_payloads_ndata_order_data_before_the_birth_is_dropped_and_a_rebirth_asked_for() {
    let mut rig = Rig::new();
    rig.pass(5_000);
    let mut rig = Rig { host: rig.host, now: rig.now, seq: 9 };
    rig.pass(10_000);
    let turn = rig.say("NDATA/edge 1", &[named("Uptime", Value::Long(3))]);
    assert_eq!((turn.samples.len(), topics(&turn)), (0, vec!["spBv1.0/plant-1/NCMD/edge 1"]));
}

#[test]
fn tck_id_payloads_ddata_order_data_of_a_device_without_birth_ask_for_a_rebirth() {
    let mut rig = Rig::new();
    rig.say("NBIRTH/edge 1", &node_birth(7));
    let turn = rig.say("DDATA/edge 1/press 1", &[named("Counters/Total", Value::Long(3))]);
    assert_eq!((turn.samples.len(), topics(&turn).len(), turn.counted.contains(&"before_birth")), (0, 1, true));
}

#[test]
fn tck_id_payloads_dbirth_order_a_device_is_not_born_before_its_edge_node() {
    let mut rig = Rig::new();
    rig.now.io_ms += 20_000;
    let turn = rig.say("DBIRTH/edge 1/press 1", &press_birth());
    assert_eq!((turn.samples.len(), topics(&turn).len()), (0, 1));
}

#[test]
fn tck_id_payloads_alias_data_cmd_requirement_an_unknown_alias_is_dropped_and_never_guessed() {
    let mut rig = Rig::born();
    let turn = rig.say("DDATA/edge 1/press 1", &[aliased(77, Value::Long(9)), aliased(1, Value::Long(501))]);
    assert_eq!(values(&turn.samples), [(TOTAL, Some(501.0))]);
    assert_eq!((turn.counted.contains(&"unknown_alias"), topics(&turn).len()), (true, 1));
    // The alias of another device's metric is as unknown.
    let turn = rig.say("DDATA/edge 1/oven", &[aliased(1, Value::Long(9))]);
    assert_eq!((turn.samples.len(), turn.counted.contains(&"unknown_alias")), (0, true));
}

#[test]
fn tck_id_payloads_alias_uniqueness_an_alias_of_two_metrics_stands_for_neither() {
    let mut rig = Rig::born();
    let turn = rig.say("DBIRTH/edge 1/oven", &[metric("Temp", 1, DOUBLE, Value::Double(20.0))]);
    assert!(turn.counted.contains(&"alias_of_two_metrics"));
    for (device, requests) in [("oven", 1), ("press 1", 0)] {
        let turn = rig.say(&format!("DDATA/edge 1/{device}"), &[aliased(1, Value::Long(9))]);
        assert_eq!((turn.samples.len(), turn.send.len()), (0, requests), "{device}");
    }
    // By name both are known.
    assert_eq!(rig.say("DDATA/edge 1/oven", &[named("Temp", Value::Double(2.0))]).samples.len(), 1);
}

#[test]
fn tck_id_payloads_alias_uniqueness_is_per_edge_node() {
    let mut other = super::kit::point(9, None, "Uptime", crate::model::tag::TagKind::Gauge);
    other.place.node = "edge 2".to_owned();
    let first = super::kit::point(UPTIME, None, "Uptime", crate::model::tag::TagKind::Gauge);
    let mut rig = Rig::of(super::super::host::Rules::default(), vec![first, other]);
    rig.say_as("NBIRTH/edge 1", &node_birth(7), Some(0));
    rig.say_as("NBIRTH/edge 2", &node_birth(7), Some(0));
    let one = rig.say_as("NDATA/edge 1", &[aliased(0, Value::Long(2))], Some(1));
    let two = rig.say_as("NDATA/edge 2", &[aliased(0, Value::Long(3))], Some(1));
    assert_eq!((values(&one.samples), values(&two.samples)), (vec![(UPTIME, Some(2.0))], vec![(9, Some(3.0))]));
}

#[test]
fn tck_id_topics_nbirth_metric_reqs_a_name_that_no_birth_gave_asks_for_a_rebirth() {
    let mut rig = Rig::born();
    let turn = rig.say("NDATA/edge 1", &[named("Surprise", Value::Long(9))]);
    assert_eq!((turn.counted.contains(&"unknown_name"), topics(&turn).len()), (true, 1));
}

#[test]
fn tck_id_case_sensitivity_metric_names_that_differ_by_case_are_different_metrics() {
    let mut rig = Rig::new();
    let births = [session(7), metric("UPTIME", 0, UINT64, Value::Long(9)), metric("Uptime", 1, UINT64, Value::Long(1))];
    assert_eq!(values(&rig.say("NBIRTH/edge 1", &births).samples), [(UPTIME, Some(1.0))]);
}

#[test]
fn tck_id_case_sensitivity_sparkplug_ids_that_differ_by_case_are_different_edge_nodes() {
    let mut rig = Rig::born();
    let turn = rig.say_as("NBIRTH/Edge 1", &node_birth(1), Some(0));
    assert_eq!((turn.samples.len(), turn.counted), (0, vec!["unmapped"]));
    assert!(rig.host.notes().contains("without a declared point: plant-1/Edge 1"));
}

#[test]
fn tck_id_payloads_name_birth_data_requirement_without_its_own_time_a_metric_has_its_messages() {
    let mut rig = Rig::born();
    rig.pass(60_000);
    let own = at(START + 7, aliased(0, Value::Long(2)));
    let payload = encode(&[own, aliased(0, Value::Long(3))], Some((START + 9).unsigned_abs()), Some(rig.seq));
    let turn = rig.deliver("NDATA/edge 1", &payload);
    assert_eq!(turn.samples.iter().map(|sample| sample.measured_at.0 - START).collect::<Vec<_>>(), [7, 9]);
    let payload = encode(&[aliased(0, Value::Long(4))], None, Some(rig.seq + 1));
    assert_eq!(rig.deliver("NDATA/edge 1", &payload).samples[0].measured_at.0, START + 60_000, "else its arrival");
}

#[test]
fn tck_id_payloads_timestamp_in_utc_an_impossible_one_makes_no_sample() {
    let mut rig = Rig::born();
    let wrong = Metric { timestamp: Some(u64::MAX), ..aliased(0, Value::Long(2)) };
    let turn = rig.say("NDATA/edge 1", &[wrong]);
    assert_eq!((turn.samples.len(), turn.counted), (0, vec!["metrics_with_impossible_time"]));
}

#[test]
fn tck_id_payloads_metric_datatype_not_req_it_comes_from_the_birth_and_repairs_the_sign() {
    let mut rig = Rig::new();
    rig.say("NBIRTH/edge 1", &[session(7), metric("Uptime", 0, INT32, Value::Int(1))]);
    let turn = rig.say("NDATA/edge 1", &[aliased(0, Value::Int(0xffff_fff0))]);
    assert_eq!(values(&turn.samples), [(UPTIME, Some(-16.0))]);
    let turn = rig.say("NDATA/edge 1", &[metric("Uptime", 0, UINT64, Value::Long(5))]);
    assert_eq!((turn.samples.len(), turn.counted), (0, vec!["datatype_unlike_birth"]));
}

#[test]
fn tck_id_payloads_metric_datatype_req_a_birth_without_it_gives_no_value() {
    let mut rig = Rig::new();
    let bare = Metric { datatype: None, ..metric("Uptime", 0, 0, Value::Long(1)) };
    let turn = rig.say("NBIRTH/edge 1", &[session(7), bare]);
    assert_eq!((turn.samples.len(), turn.counted.contains(&"metrics_without_datatype")), (0, true));
    let turn = rig.say("NDATA/edge 1", &[aliased(0, Value::Long(1))]);
    assert_eq!((turn.samples.len(), turn.send.len()), (0, 0));
}

#[test]
fn tck_id_operational_behavior_data_publish_nbirth_order_every_value_is_kept_in_its_order() {
    let mut rig = Rig::born();
    let metrics = [1, 2, 3].map(|ms| at(START + ms, aliased(0, Value::Long(ms.unsigned_abs()))));
    let turn = rig.say("NDATA/edge 1", &metrics);
    assert_eq!(values(&turn.samples), [(UPTIME, Some(1.0)), (UPTIME, Some(2.0)), (UPTIME, Some(3.0))]);
}

#[test]
fn tck_id_operational_behavior_data_publish_nbirth_values_null_is_not_zero() {
    let mut rig = Rig::born();
    let null = Metric { is_null: Some(true), value: None, ..aliased(0, Value::Long(0)) };
    let turn = rig.say("NDATA/edge 1", &[null]);
    assert_eq!((turn.samples[0].value, turn.samples[0].quality), (None, Quality::DeclaredBad));
}

#[test]
fn tck_id_topics_nbirth_rebirth_metric_may_be_missing_and_so_may_bdseq() {
    let mut rig = Rig::new();
    let turn = rig.say("NBIRTH/edge 1", &[metric("Uptime", 0, UINT64, Value::Long(1))]);
    assert_eq!((turn.samples.len(), turn.counted.contains(&"birth_without_bdseq")), (1, true));
    assert_eq!(rig.death(3).samples.len(), 4, "no number of ours speaks against it");
}

#[test]
fn tck_id_intro_edge_node_id_uniqueness_two_clients_of_one_id_are_counted_and_not_merged() {
    let mut rig = Rig::born();
    rig.seq = 0;
    let turn = rig.say("NBIRTH/edge 1", &node_birth(99));
    assert!(turn.counted.contains(&"birth_over_a_living_session"));
    let turn = rig.say("DDATA/edge 1/press 1", &[aliased(1, Value::Long(501))]);
    assert_eq!(turn.samples, [], "the aliases of the other one count no more");
}

#[test]
fn tck_id_operational_behavior_device_ddeath_a_device_that_comes_back_counts_again() {
    let mut rig = Rig::born();
    rig.say("DDEATH/edge 1/press 1", &[]);
    rig.pass(1_000);
    let turn = rig.say("DBIRTH/edge 1/press 1", &press_birth());
    assert_eq!(values(&turn.samples), [(TOTAL, Some(500.0)), (STATE, Some(0.0))]);
}

#[test]
fn a_birth_comes_after_the_death_whatever_the_clocks_say() {
    let mut rig = Rig::born();
    rig.pass(60_000);
    let died = stale(&rig.death(7).samples)[0].1;
    // The edge node's clock is 30 s behind, and its metric changed an hour ago.
    rig.seq = 1;
    let unchanged = at(START - 3_600_000, metric("Uptime", 0, UINT64, Value::Long(1)));
    let payload = encode(&[session(8), unchanged], Some((START + 30_000).unsigned_abs()), Some(0));
    let turn = rig.deliver("NBIRTH/edge 1", &payload);
    assert!(turn.samples[0].measured_at.0 > died, "else it would stay stale for ever");
}

#[test]
fn an_edge_node_whose_clock_is_ahead_goes_stale_after_its_last_value() {
    let mut rig = Rig::born();
    rig.say("NDATA/edge 1", &[at(START + 5_000, aliased(0, Value::Long(2)))]);
    let marks = stale(&rig.death(7).samples);
    assert!(marks.contains(&(UPTIME, START + 5_001)), "{marks:?}");
}

#[test]
fn a_point_that_a_new_birth_does_not_declare_has_no_value_any_more() {
    let mut rig = Rig::born();
    let turn = rig.say("DBIRTH/edge 1/press 1", &press_birth()[..1]);
    assert_eq!(stale(&turn.samples), [(STATE, START + 1)]);
}

#[test]
fn a_device_that_is_not_born_again_with_its_node_goes_stale_with_its_hold() {
    let mut rig = Rig::born();
    rig.pass(1_000);
    rig.seq = 0;
    rig.say("NBIRTH/edge 1", &node_birth(7));
    let hold = HOLD_MS.unsigned_abs();
    assert_eq!(rig.pass(hold - 1).samples, []);
    let end = START + 1_000 + HOLD_MS;
    assert_eq!(stale(&rig.pass(1).samples), [(TOTAL, end), (STATE, end), (TEMPERATURE, end)]);
}

#[test]
fn after_a_lost_connection_what_is_not_heard_of_goes_stale_with_its_hold() {
    let mut rig = Rig::born();
    rig.pass(1_000);
    rig.host.lost(rig.now);
    let lost_at = rig.now.plant.0;
    rig.pass(10_000);
    rig.host.connecting(rig.now);
    rig.host.subscribed(rig.now);
    // The numbering goes on where it stood: nothing was missed, but the aliases are not sure.
    let turn =
        rig.say("DDATA/edge 1/press 1", &[aliased(1, Value::Long(501)), named("State", Value::Text(b"run".into()))]);
    let qualities: Vec<Quality> = turn.samples.iter().map(|sample| sample.quality).collect();
    assert_eq!(qualities, [Quality::Uncertain, Quality::Good]);
    let marks = stale(&rig.pass(HOLD_MS.unsigned_abs()).samples);
    assert_eq!(marks, [(UPTIME, lost_at + HOLD_MS), (TEMPERATURE, lost_at + HOLD_MS)]);
}

#[test]
fn after_a_lost_connection_another_numbering_is_another_session_and_its_aliases_are_unknown() {
    let mut rig = Rig::born();
    rig.host.lost(rig.now);
    rig.host.connecting(rig.now);
    rig.host.subscribed(rig.now);
    rig.seq += 3;
    let turn = rig.say("DDATA/edge 1/press 1", &[aliased(1, Value::Long(501))]);
    assert_eq!((turn.samples.len(), turn.counted.contains(&"session_lost")), (0, true));
    assert_eq!(topics(&rig.pass(5_000)), ["spBv1.0/plant-1/NCMD/edge 1"]);
    assert_eq!(rig.birth().len(), 4);
    assert!(rig.host.is_whole());
}

#[test]
fn a_process_that_starts_knows_nothing_and_says_so_after_the_hold() {
    let mut rig = Rig::new();
    let end = START + HOLD_MS;
    let marks = stale(&rig.pass(HOLD_MS.unsigned_abs()).samples);
    assert_eq!(marks, [(UPTIME, end), (TOTAL, end), (STATE, end), (TEMPERATURE, end)]);
}

#[test]
fn what_is_named_by_alias_is_doubtful_after_a_gap_until_the_next_birth() {
    let mut rig = Rig::born();
    rig.seq += 1;
    rig.say("NDATA/edge 1", &[]);
    rig.pass(REORDER_MS);
    let turn = rig.say("NDATA/edge 1", &[aliased(0, Value::Long(2))]);
    assert_eq!(turn.samples[0].quality, Quality::Uncertain);
    rig.birth();
    let turn = rig.say("NDATA/edge 1", &[aliased(0, Value::Long(2))]);
    assert_eq!(turn.samples[0].quality, Quality::Good);
}

#[test]
fn a_retained_message_is_no_news_of_an_edge_node() {
    let mut rig = Rig::new();
    let bytes = encode(&node_birth(7), Some(START.unsigned_abs()), Some(0));
    let turn = rig.host.message("spBv1.0/plant-1/NBIRTH/edge 1", &bytes, true, rig.now);
    assert_eq!((turn.samples.len(), turn.counted), (0, vec!["retained"]));
}

#[test]
fn data_said_after_a_rebirth_come_after_its_birth_whatever_the_clocks_say() {
    let mut rig = Rig::born();
    rig.pass(60_000);
    let died = stale(&rig.death(7).samples)[0].1;
    // The edge node's clock is 5 s behind; it is back after 1 s, and its metric changes 3 s later.
    rig.pass(1_000);
    let born = encode(&node_birth(8), Some((died - 4_000).unsigned_abs()), Some(0));
    let born = rig.deliver("NBIRTH/edge 1", &born).samples[0].measured_at.0;
    assert_eq!(born, died + 1);
    rig.pass(3_000);
    let changed = [-1_000, -1_000, 9_000].map(|ms| at(died + ms, aliased(0, Value::Long(2))));
    let history = Metric { is_historical: Some(true), ..at(died - 2_000, aliased(0, Value::Long(2))) };
    let metrics = [&changed[..], &[history]].concat();
    let samples = rig.deliver("NDATA/edge 1", &encode(&metrics, None, Some(1))).samples;
    let times: Vec<i64> = samples.iter().map(|sample| sample.measured_at.0 - born).collect();
    assert_eq!(times, [1, 2, 8_999, -2_001]);
}

#[test]
fn a_clock_that_was_far_ahead_and_is_put_right_holds_no_data_back() {
    let mut rig = Rig::born();
    rig.say("NDATA/edge 1", &[at(START + 86_400_000, aliased(0, Value::Long(2)))]);
    rig.death(7);
    rig.birth();
    rig.pass(1_000);
    let turn = rig.say("NDATA/edge 1", &[at(START + 1_000, aliased(0, Value::Long(3)))]);
    assert_eq!(turn.samples[0].measured_at.0, START + 1_000);
}

#[test]
fn what_waits_behind_a_gap_is_doubtful_too_where_a_loss_or_a_death_ends_the_wait() {
    for is_death in [false, true] {
        let mut rig = Rig::born();
        rig.seq += 1;
        assert_eq!(rig.say("NDATA/edge 1", &[aliased(0, Value::Long(2))]).samples, []);
        let turn = if is_death { rig.death(7) } else { rig.host.lost(rig.now) };
        assert_eq!((values(&turn.samples)[0], turn.samples[0].quality), ((UPTIME, Some(2.0)), Quality::Uncertain));
        assert!(turn.counted.contains(&"gaps"), "{:?}", turn.counted);
    }
    let turn = Rig::born().death(7);
    assert!(!turn.counted.contains(&"gaps"), "{:?}", turn.counted);
}

#[test]
fn another_message_under_a_number_that_waits_already_is_counted_by_its_own_name() {
    let mut rig = Rig::born();
    let seq = Some(rig.seq + 1);
    let mut say = |value| rig.say_as("NDATA/edge 1", &[aliased(0, Value::Long(value))], seq).counted;
    assert_eq!([say(2), say(3), say(2)], [["out_of_order"], ["two_under_one_number"], ["sent_again"]]);
    assert_eq!(values(&rig.pass(REORDER_MS).samples), [(UPTIME, Some(2.0))]);
}

#[test]
fn aliases_given_anew_by_one_device_after_another_are_all_known_after_the_last_birth() {
    let mut rig = Rig::born();
    // The press takes alias 3 while the oven still holds it; then the oven takes another.
    let press =
        [metric("Counters/Total", 3, UINT64, Value::Long(500)), metric("State", 2, STRING, Value::Text(b"run".into()))];
    assert!(rig.say("DBIRTH/edge 1/press 1", &press).counted.contains(&"alias_of_two_metrics"));
    let turn = rig.say("DDATA/edge 1/press 1", &[aliased(3, Value::Long(501))]);
    assert_eq!((turn.samples.len(), topics(&turn)), (0, vec!["spBv1.0/plant-1/NCMD/edge 1"]));
    rig.say("DBIRTH/edge 1/oven", &[metric("Temp", 4, DOUBLE, Value::Double(20.0))]);
    let press = rig.say("DDATA/edge 1/press 1", &[aliased(3, Value::Long(502)), aliased(1, Value::Long(9))]);
    assert_eq!(values(&press.samples), [(TOTAL, Some(502.0))]);
    let oven = rig.say("DDATA/edge 1/oven", &[aliased(4, Value::Double(21.0)), aliased(3, Value::Double(9.0))]);
    assert_eq!(values(&oven.samples), [(TEMPERATURE, Some(21.0))]);
}
