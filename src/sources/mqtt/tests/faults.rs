//! A broker that drops acknowledgements, forgets, floods, refuses and kicks: nothing that was acknowledged is lost,
//! and nothing is taken twice.

use rumqttc::v5::mqttbytes::QoS;

use super::broker::FaultyBroker;
use super::{Bench, Duration, Status, values};

const TOTAL: &str = "floor/press-1/total";

fn total(number: i128) -> String {
    format!(r#"{{"v":{number},"ts":{}}}"#, 1_790_000_000_000_i128 + number)
}

fn publish_totals(broker: &FaultyBroker, range: std::ops::Range<i128>) {
    for number in range {
        broker.publish(TOTAL, total(number), QoS::AtLeastOnce, false);
    }
}

/// Receives and commits until `count` samples are there; never is more acknowledged than committed.
async fn commit(bench: &mut Bench, broker: &FaultyBroker, count: usize, committed_before: usize) -> Vec<i128> {
    let mut taken = Vec::new();
    while taken.len() < count {
        let (samples, delivery) = bench.receive(1).await;
        let acknowledged = broker.state().acknowledged.len();
        assert!(acknowledged <= committed_before + taken.len(), "{acknowledged} acknowledged before the commit");
        taken.extend(values(&samples));
        bench.committed.send_replace(delivery);
    }
    taken
}

#[tokio::test]
async fn acknowledgements_that_get_lost_make_nothing_count_twice() {
    let broker = FaultyBroker::start().await;
    broker.state().drop_acknowledgements = 50;
    let mut bench = Bench::start(broker.address, 5);
    publish_totals(&broker, 0..200);
    assert_eq!(commit(&mut bench, &broker, 200, 0).await, (0..200).collect::<Vec<_>>());
    bench.until("200 acknowledgements on their way", |bench| bench.counted("acknowledged") == 200).await;
    bench.until("those that arrive", |_| broker.state().acknowledged.len() == 150).await;
    broker.cut();
    bench.until("the rest", |_| broker.state().acknowledged.len() == 200).await;
    assert_eq!(bench.counted("sent_again"), 50);
    assert!(bench.inbox.try_recv().is_err(), "what came again gave no sample");
    bench.stop().await;
}

#[tokio::test]
async fn whatever_is_cut_and_lost_every_message_is_taken_once_and_in_order() {
    for seed in 0..12 {
        let mut random = fastrand::Rng::with_seed(seed);
        let broker = FaultyBroker::start().await;
        let mut bench = Bench::with(broker.address, "receive_maximum = 20", 64);
        let mut taken: Vec<i128> = Vec::new();
        for round in 0..3_i128 {
            {
                let state = &mut *broker.state();
                state.drop_acknowledgements = random.usize(0..10);
                state.cut_after = random.bool().then(|| random.usize(1..60));
            }
            publish_totals(&broker, round * 60..round * 60 + 60);
            let committed = taken.len();
            // Lost acknowledgements may close the window, and then a connection has to end to open it.
            let missing = usize::try_from(round * 60 + 60).unwrap() - committed;
            let due = if broker.state().drop_acknowledgements == 0 { missing } else { missing.min(10) };
            taken.extend(commit(&mut bench, &broker, due, committed).await);
            broker.cut();
            let missing = usize::try_from(round * 60 + 60).unwrap() - taken.len();
            broker.state().drop_acknowledgements = 0;
            let committed = taken.len();
            taken.extend(commit(&mut bench, &broker, missing, committed).await);
        }
        assert_eq!(taken, (0..180).collect::<Vec<_>>(), "seed {seed}");
        broker.cut();
        bench.until("every acknowledgement", |_| broker.state().acknowledged.len() == 180).await;
        assert!(bench.inbox.try_recv().is_err(), "seed {seed}");
        assert!(broker.state().under_way_max <= 20);
        bench.stop().await;
    }
}

#[tokio::test]
async fn a_broker_that_lost_the_session_starts_its_packet_ids_anew_and_nothing_fresh_is_mistaken() {
    let broker = FaultyBroker::start().await;
    let mut bench = Bench::start(broker.address, 5);
    publish_totals(&broker, 0..5);
    let (samples, delivery) = bench.receive(5).await;
    assert_eq!(values(&samples).len(), 5);
    // The broker forgets five messages that it never got an acknowledgement for; they are taken all the same.
    broker.state().forget_session = true;
    broker.cut();
    bench.until("the new session", |bench| bench.counted("sessions_lost") == 2).await;
    bench.committed.send_replace(delivery);
    publish_totals(&broker, 5..10);
    assert_eq!(commit(&mut bench, &broker, 5, 0).await, [5, 6, 7, 8, 9]);
    bench.until("their acknowledgement", |_| broker.state().acknowledged.len() == 5).await;
    assert_eq!(bench.counted("sent_again"), 0);
    bench.stop().await;
}

#[tokio::test]
async fn a_broker_that_throws_us_out_at_once_is_left_alone_longer_each_time() {
    let broker = FaultyBroker::start().await;
    broker.state().storm = 3;
    let started = tokio::time::Instant::now();
    let mut bench = Bench::start(broker.address, 5);
    publish_totals(&broker, 0..3);
    assert_eq!(commit(&mut bench, &broker, 3, 0).await, [0, 1, 2]);
    // Half of 50, 100 and 200 ms at least.
    assert!(started.elapsed() >= Duration::from_millis(175), "{:?}", started.elapsed());
    bench.until("the counts", |bench| bench.counted("connections") == 4).await;
    assert_eq!(bench.counted("connections_lost"), 3);
    bench.stop().await;
}

#[tokio::test]
async fn ten_thousand_retained_messages_at_the_start_pass_the_window() {
    let broker = FaultyBroker::start().await;
    for device in 0..10_000_i128 {
        let topic = if device % 10 == 0 { TOTAL.to_owned() } else { format!("floor/other-{device}/total") };
        broker.publish(&topic, total(device), QoS::AtLeastOnce, true);
    }
    let mut bench = Bench::start(broker.address, 5);
    let mut taken = 0;
    while taken < 1_000 {
        let (samples, delivery) = bench.receive(1).await;
        taken += samples.len();
        bench.committed.send_replace(delivery);
    }
    bench.until("every acknowledgement", |_| broker.state().acknowledged.len() == 10_000).await;
    assert!(broker.state().under_way_max <= 1_000);
    bench.until("the counts", |bench| bench.counted("unmapped") == 9_000).await;
    bench.stop().await;
}

#[tokio::test]
async fn while_the_pipeline_stands_still_a_flood_is_held_back_and_not_gathered() {
    const MESSAGES: i128 = 40_000;
    let broker = FaultyBroker::start().await;
    let mut bench = Bench::with(broker.address, "", 1);
    let padding = "x".repeat(1_000);
    for number in 0..MESSAGES {
        let payload = format!(r#"{{"pad":"{padding}","v":{number},"ts":{}}}"#, 1_790_000_000_000_i128 + number);
        broker.publish(TOTAL, payload, QoS::AtMostOnce, false);
    }
    // Full once nothing more is read for a while.
    let mut read = 0;
    loop {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let now = bench.counted("messages");
        if now == read && now > 0 {
            break;
        }
        read = now;
    }
    // What is gathered, one batch in the queue, and what was read together.
    assert!(read <= 10_000 + 10_000 + 100, "{read} messages were read");
    assert!(broker.sent() < 40_000, "the broker is held back");
    let mut taken = 0;
    while taken < 40_000 {
        taken += bench.receive(1).await.0.len();
    }
    assert_eq!(taken, 40_000);
    bench.stop().await;
}

#[tokio::test]
async fn a_refused_subscription_is_a_failure_that_names_it_and_ends_with_the_refusal() {
    let broker = FaultyBroker::start().await;
    broker.state().refuse_subscriptions = true;
    let mut bench = Bench::start(broker.address, 5);
    bench.until("the subscription", |bench| bench.counted("connections") == 1).await;
    bench.until("the failure", |bench| bench.status() == Status::Failed).await;
    let detail = bench.health.snapshot()["source.floor"].detail.clone();
    assert_eq!(detail, "the broker refuses the subscription to floor/+/+");
    broker.state().refuse_subscriptions = false;
    broker.cut();
    publish_totals(&broker, 0..1);
    assert_eq!(commit(&mut bench, &broker, 1, 0).await, [0]);
    bench.until("the recovery", |bench| bench.status() == Status::Ok).await;
    bench.stop().await;
}

#[tokio::test]
async fn a_flood_of_poison_neither_stalls_good_messages_nor_takes_the_window() {
    let broker = FaultyBroker::start().await;
    let mut bench = Bench::with(broker.address, "receive_maximum = 10", 64);
    for number in 0..50_i128 {
        for poison in ["\u{1}", "{\"v\":[],\"ts\":1}", "{\"v\":1}", "{\"v\":1,\"ts\":\"soon\"}"] {
            for _ in 0..15 {
                broker.publish(TOTAL, poison, QoS::AtLeastOnce, false);
            }
        }
        broker.publish(TOTAL, total(number), QoS::AtLeastOnce, false);
    }
    let mut taken = Vec::new();
    while taken.len() < 50 {
        let (samples, delivery) = bench.receive(1).await;
        taken.extend(values(&samples));
        bench.committed.send_replace(delivery);
    }
    assert_eq!(taken, (0..50).collect::<Vec<_>>());
    bench.until("every acknowledgement", |_| broker.state().acknowledged.len() == 50 * 61).await;
    bench.until("the counts", |bench| bench.counted("acknowledged") == 50 * 61).await;
    for what in ["refused_not_json", "refused_not_scalar", "refused_missing", "refused_not_an_instant"] {
        assert_eq!(bench.counted(what), 750, "{what}");
    }
    let component = bench.health.snapshot()["source.floor"].clone();
    assert_eq!((component.status, component.notes.len()), (Status::Ok, 16));
    assert!(component.notes[0].contains(r#""soon" is no instant"#), "{}", component.notes[0]);
    bench.stop().await;
}

#[tokio::test]
async fn a_message_of_900_kib_arrives_whole() {
    let broker = FaultyBroker::start().await;
    let mut bench = Bench::start(broker.address, 5);
    let padding = "x".repeat(900 * 1024);
    broker.publish(TOTAL, format!(r#"{{"pad":"{padding}","v":7,"ts":1790000000000}}"#), QoS::AtLeastOnce, false);
    assert_eq!(commit(&mut bench, &broker, 1, 0).await, [7]);
    bench.stop().await;
}
