//! What a host must do.

use prost::Message;

use super::super::config::SparkplugConfig;
use super::super::host::{Host, Now, Rules};
use super::super::payload::{self, Metric, Value};
use super::kit::{HOLD_MS, REORDER_MS, Rig, START, STATE, TEMPERATURE, TOTAL, UPTIME, aliased, stale, topics, values};
use crate::model::problem::Problems;
use crate::model::time::Timestamp;
use crate::sources::mqtt::config::MqttSource;

const REBIRTH_TOPIC: &str = "spBv1.0/plant-1/NCMD/edge 1";

fn source(sparkplug: &str) -> MqttSource {
    toml::from_str(&format!(
        r#"
        name = "line"
        url = "mqtt://127.0.0.1"
        topic = [{{ filter = "spBv1.0/plant-1/#", format = "sparkplug_b" }}]
        point = [{{ name = "e.total", metric = "Counters/Total" }}]
        sparkplug = {{ {sparkplug} }}
        "#
    ))
    .unwrap()
}

fn problems_of(sparkplug: &str) -> Vec<String> {
    let mut problems = Problems::default();
    source(sparkplug).check(&mut problems);
    problems.0.into_iter().map(|problem| problem.message).collect()
}

fn rules(sparkplug: &str) -> Rules {
    source(sparkplug).sparkplug.unwrap().into_inner().rules()
}

#[test]
fn tck_id_operational_behavior_host_reordering_param_is_a_key_and_0_takes_a_gap_at_once() {
    assert_eq!(rules("reorder = \"5s\"").reorder_ms, 5_000);
    assert_eq!(SparkplugConfig::default().rules().reorder_ms, 2_000);
    assert!(problems_of("reorder = \"2min\"")[0].contains("longer than 1 min"));
    let mut rig = Rig::with(Rules { rebirth: true, reorder_ms: 0, ..Rules::default() });
    rig.birth();
    rig.seq += 1;
    let turn = rig.say("DDATA/edge 1/press 1", &[aliased(1, Value::Long(501))]);
    assert_eq!((topics(&turn), values(&turn.samples)), (vec![REBIRTH_TOPIC], vec![(TOTAL, Some(501.0))]));
}

#[test]
fn tck_id_operational_behavior_host_reordering_start_waits_for_the_missing_message_and_loses_nothing() {
    let mut rig = Rig::born();
    rig.seq += 1;
    let turn = rig.say("DDATA/edge 1/press 1", &[aliased(1, Value::Long(503))]);
    assert_eq!((topics(&turn).len(), turn.samples.len()), (0, 0));
    assert_eq!(rig.host.due_ms(), Some(rig.now.io_ms + REORDER_MS));
    let turn = rig.pass(REORDER_MS - 1);
    assert_eq!((topics(&turn).len(), turn.samples.len()), (0, 0));
    assert_eq!(values(&rig.pass(1).samples), [(TOTAL, Some(503.0))]);
}

#[test]
fn tck_id_operational_behavior_host_reordering_rebirth_is_asked_exactly_once() {
    let mut rig = Rig::born();
    rig.seq += 1;
    rig.say("DDATA/edge 1/press 1", &[aliased(1, Value::Long(503))]);
    assert_eq!(topics(&rig.pass(REORDER_MS)), [REBIRTH_TOPIC]);
    for total in 504..520 {
        let turn = rig.say("DDATA/edge 1/press 1", &[aliased(1, Value::Long(total))]);
        assert_eq!((topics(&turn).len(), turn.samples.len()), (0, 1));
        assert_eq!(rig.pass(100).send, []);
    }
    rig.birth();
    assert_eq!(rig.pass(60_000).send, []);
}

#[test]
fn tck_id_operational_behavior_host_reordering_success_takes_both_in_the_order_of_their_numbers() {
    let mut rig = Rig::born();
    let [second, third] = [rig.seq, rig.seq + 1];
    rig.say_as("DDATA/edge 1/press 1", &[aliased(1, Value::Long(503))], Some(third));
    let turn = rig.say_as("NDATA/edge 1", &[aliased(0, Value::Long(2))], Some(second));
    assert_eq!(values(&turn.samples), [(UPTIME, Some(2.0)), (TOTAL, Some(503.0))]);
    assert_eq!((topics(&turn).len(), rig.host.due_ms()), (0, None));
    let turn = rig.pass(10 * REORDER_MS);
    assert_eq!((turn.send.len(), turn.counted.len()), (0, 0));
}

#[test]
fn tck_id_operational_behavior_edge_node_termination_host_action_ndeath_node_offline_at_once() {
    let mut rig = Rig::born();
    assert_eq!(rig.host.online(), 1);
    rig.death(7);
    assert_eq!(rig.host.online(), 0);
    assert!(rig.host.notes().contains("not online: plant-1/edge 1"), "{}", rig.host.notes());
    // Nothing is taken from it until its next birth.
    let turn = rig.say("NDATA/edge 1", &[aliased(0, Value::Long(2))]);
    assert_eq!(turn.samples, []);
}

#[test]
fn tck_id_operational_behavior_edge_node_termination_host_action_ndeath_node_tags_stale_at_host_time() {
    let mut rig = Rig::born();
    rig.pass(1_000);
    let marks = stale(&rig.death(7).samples);
    assert!(marks.contains(&(UPTIME, START + 1_000)), "{marks:?}");
}

#[test]
fn tck_id_operational_behavior_edge_node_termination_host_action_ndeath_devices_offline_with_their_node() {
    let mut rig = Rig::born();
    rig.death(7);
    rig.seq = 0;
    // The edge node is back, its devices are not.
    rig.say("NBIRTH/edge 1", &super::kit::node_birth(8));
    let turn = rig.say("DDATA/edge 1/press 1", &[aliased(1, Value::Long(501))]);
    assert_eq!((turn.samples.len(), turn.counted.contains(&"before_birth")), (0, true));
}

#[test]
fn tck_id_operational_behavior_edge_node_termination_host_action_ndeath_devices_tags_stale_at_host_time() {
    let mut rig = Rig::born();
    rig.pass(1_000);
    let at = START + 1_000;
    let turn = rig.death(7);
    assert_eq!(stale(&turn.samples), [(UPTIME, at), (TOTAL, at), (STATE, at), (TEMPERATURE, at)]);
    assert!(turn.samples.iter().all(|sample| sample.value.is_none()));
    assert_eq!(rig.death(7).samples, [], "said once");
}

#[test]
fn tck_id_operational_behavior_edge_node_termination_host_action_ddeath_devices_offline_and_no_other() {
    let mut rig = Rig::born();
    rig.say("DDEATH/edge 1/press 1", &[]);
    assert_eq!(rig.host.online(), 1);
    let turn = rig.say("DDATA/edge 1/press 1", &[aliased(1, Value::Long(501))]);
    assert_eq!((turn.samples.len(), turn.counted.contains(&"before_birth")), (0, true));
    let turn = rig.say("DDATA/edge 1/oven", &[aliased(3, Value::Double(21.0))]);
    assert_eq!(values(&turn.samples), [(TEMPERATURE, Some(21.0))]);
}

#[test]
fn tck_id_operational_behavior_edge_node_termination_host_action_ddeath_devices_tags_stale_at_the_time_of_the_payload()
{
    let mut rig = Rig::born();
    rig.pass(10_000);
    let payload = super::kit::encode(&[], Some((START + 4_000).unsigned_abs()), Some(rig.seq));
    let turn = rig.deliver("DDEATH/edge 1/press 1", &payload);
    assert_eq!(stale(&turn.samples), [(TOTAL, START + 4_000), (STATE, START + 4_000)]);
    assert_eq!(turn.samples.len(), 2);
}

#[test]
fn tck_id_operational_behavior_host_application_host_id_is_a_legal_topic_level() {
    for bad in ["a/b", "a+", "#", ""] {
        assert!(problems_of(&format!("host_id = \"{bad}\""))[0].contains("can't be a Sparkplug host id"), "{bad}");
    }
    assert_eq!(problems_of("host_id = \"Park 1\""), [""; 0]);
}

#[test]
fn tck_id_operational_behavior_host_application_connect_birth_payload_carries_the_time_of_the_will() {
    let mut host = Host::new(rules("host_id = \"park\""), Vec::new(), Timestamp(START));
    let will = host.connecting(Now { plant: Timestamp(START + 5), io_ms: 5 }).unwrap();
    let turn = host.subscribed(Now { plant: Timestamp(START + 900), io_ms: 900 });
    assert_eq!(will.payload(), &format!("{{\"online\":false,\"timestamp\":{}}}", START + 5));
    assert_eq!(turn.send[0].payload(), &format!("{{\"online\":true,\"timestamp\":{}}}", START + 5));
}

#[test]
fn tck_id_message_flow_hid_sparkplug_state_message_delivered_is_put_right_with_the_same_time() {
    let mut rig = Rig::new();
    let offline = format!("{{\"online\":false,\"timestamp\":{}}}", START + 99);
    let turn = rig.host.message("spBv1.0/STATE/park", &offline.clone().into(), true, rig.now);
    assert_eq!(topics(&turn), ["spBv1.0/STATE/park"]);
    assert_eq!(turn.send[0].payload(), &format!("{{\"online\":true,\"timestamp\":{START}}}"));
    // Of another host it is none of our business, and of a text that is no state nothing is concluded.
    for (topic, text) in [("spBv1.0/STATE/other", offline.as_str()), ("spBv1.0/STATE/park", "OFFLINE")] {
        assert_eq!(rig.host.message(topic, &text.to_owned().into(), false, rig.now).send, []);
    }
}

#[test]
fn tck_id_operational_behavior_host_application_multi_server_timestamp_belongs_to_one_broker() {
    let now = |ms: i64| Now { plant: Timestamp(START + ms), io_ms: ms.unsigned_abs() };
    let [mut one, mut two] = [0, 1].map(|_| Host::new(rules("host_id = \"park\""), Vec::new(), Timestamp(START)));
    one.connecting(now(1));
    two.connecting(now(2));
    assert_eq!(one.subscribed(now(3)).send[0].payload(), &format!("{{\"online\":true,\"timestamp\":{}}}", START + 1));
    assert_eq!(two.subscribed(now(3)).send[0].payload(), &format!("{{\"online\":true,\"timestamp\":{}}}", START + 2));
}

#[test]
fn tck_id_operational_behavior_host_application_death_payload_says_offline_now() {
    let mut rig = Rig::new();
    rig.pass(70);
    let death = rig.host.stopping(rig.now).unwrap();
    assert_eq!(death.payload(), &format!("{{\"online\":false,\"timestamp\":{}}}", START + 70));
    assert_eq!((death.topic(), death.qos(), death.is_retained()), ("spBv1.0/STATE/park", 1, true));
    assert_eq!(rig.host.stopping(rig.now), None, "said once");
}

#[test]
fn tck_id_components_ph_state_is_shown_only_under_an_id_that_the_factory_gave() {
    let shows = |rules: Rules| Rig::with(rules).host.own_state_topic();
    assert_eq!(shows(rules("host_id = \"park\"")).as_deref(), Some("spBv1.0/STATE/park"));
    assert_eq!(shows(rules("host_id = \"park\", primary = false")), None);
    assert_eq!(shows(SparkplugConfig::default().rules()), None);
    assert!(problems_of("primary = true")[0].contains("shows its state under an id"));
}

/// The rebirth request that a gap brings about.
fn request() -> (super::super::outgoing::Outgoing, payload::Payload, Metric) {
    let mut rig = Rig::born();
    rig.seq += 1;
    rig.say("NDATA/edge 1", &[]);
    let mut turn = rig.pass(REORDER_MS);
    assert_eq!(turn.send.len(), 1);
    let message = turn.send.remove(0);
    let payload = payload::decode(message.payload().clone()).unwrap();
    assert_eq!(payload.metrics.len(), 1);
    let metric = Metric::decode(payload.metrics[0].clone()).unwrap();
    (message, payload, metric)
}

#[test]
fn tck_id_operational_behavior_data_commands_ncmd_rebirth_verb_is_ncmd() {
    assert_eq!(request().0.topic(), REBIRTH_TOPIC);
}

#[test]
fn tck_id_operational_behavior_data_commands_ncmd_rebirth_name_is_exact() {
    assert_eq!(request().2.own_name(), Some("Node Control/Rebirth"));
}

#[test]
fn tck_id_operational_behavior_data_commands_ncmd_rebirth_value_is_true_with_its_datatype() {
    let metric = request().2;
    assert_eq!((metric.value, metric.datatype), (Some(Value::Boolean(true)), Some(11)));
}

#[test]
fn tck_id_payloads_ncmd_seq_is_absent() {
    assert_eq!(request().1.seq, None);
}

#[test]
fn tck_id_payloads_dcmd_seq_is_absent_because_no_device_is_ever_commanded() {
    let mut rig = Rig::born();
    rig.seq += 3;
    let mut published = rig.say("DDATA/edge 1/press 1", &[aliased(999, Value::Long(1))]).send;
    published.extend(rig.pass(HOLD_MS.unsigned_abs()).send);
    assert!(published.iter().all(|message| !message.topic().contains("/DCMD/")), "{published:?}");
    assert!(!published.is_empty());
}

#[test]
fn tck_id_payloads_ncmd_qos_is_0() {
    assert_eq!(request().0.qos(), 0);
}

#[test]
fn tck_id_payloads_ncmd_retain_is_false() {
    assert!(!request().0.is_retained());
}

#[test]
fn tck_id_payloads_ncmd_timestamp_is_when_it_was_sent() {
    assert_eq!(request().1.timestamp, Some((START + REORDER_MS.cast_signed()).unsigned_abs()));
}

#[test]
fn nobody_is_asked_where_the_factory_did_not_switch_it_on_and_the_gap_is_said() {
    let mut rig = Rig::with(Rules { reorder_ms: REORDER_MS, ..Rules::default() });
    rig.birth();
    rig.seq += 1;
    rig.say("NDATA/edge 1", &[]);
    let turn = rig.pass(REORDER_MS);
    assert_eq!((turn.send.len(), turn.counted), (0, vec!["gaps", "rebirth_wanted"]));
    assert!(!rig.host.is_whole());
    let notes = rig.host.notes();
    assert!(notes.contains("messages were missed: plant-1/edge 1; asking for births is switched off"), "{notes}");
    assert_eq!(rig.pass(3_600_000).send, []);
}

#[test]
fn who_gives_no_births_by_itself_is_asked_once_after_the_host_came() {
    let mut rig = Rig::new();
    assert_eq!(rig.pass(4_999).send, []);
    assert_eq!(topics(&rig.pass(1)), [REBIRTH_TOPIC]);
    assert_eq!(rig.pass(3_600_000).send, [], "it is not heard of");
    let mut rig = Rig::born();
    assert_eq!(rig.pass(3_600_000).send, []);
}
