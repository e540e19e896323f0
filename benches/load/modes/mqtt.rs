//! A broker at its own rate: a subscriber that only counts, and the box.

use std::fmt::Write as _;
use std::thread::sleep;
use std::time::Duration;

use crate::broker::{Broker, SETTINGS};
use crate::gateway::Gateway;
use crate::process::{Process, cpu_s, measure};
use crate::publisher::TOPICS;
use crate::report::{self, Row};

#[derive(clap::Args)]
pub struct Args {
    /// Publishers, each with topics of its own.
    #[arg(long, default_value_t = 4)]
    clients: usize,
    /// Messages a second of each publisher; 0 for as many as the broker takes.
    #[arg(long, default_value_t = 0)]
    rate: u64,
    /// What is measured. Unit: s.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Unacknowledged messages that the box asks for.
    #[arg(long, default_value_t = 1_000)]
    receive_maximum: u32,
}

pub fn run(args: &Args) {
    report::print_machine();
    println!("mosquitto with:\n{SETTINGS}");
    for qos in [0, 1] {
        let rows = [counting(args, qos), gateway(args, qos)];
        let title = format!("{} publishers × {TOPICS} topics, JSON, quality of service {qos}", args.clients);
        report::print(&title, "messages", &rows);
        let rate = |row: &Row| row.units as f64 / row.usage.seconds;
        println!("the box takes {:.3} of what the counting subscriber takes", rate(&rows[1]) / rate(&rows[0]));
    }
}

fn publishers(args: &Args, broker: &Broker, qos: u8) -> Vec<Process> {
    let start = |client: usize| {
        let [port, qos, client, rate] =
            [broker.port.to_string(), qos.to_string(), client.to_string(), args.rate.to_string()];
        let arguments = ["publisher", "--port", &port, "--qos", &qos, "--client", &client, "--rate", &rate];
        Process::role(&arguments).0
    };
    (0..args.clients).map(start).collect()
}

fn counting(args: &Args, qos: u8) -> Row {
    let broker = broker();
    let (port, level) = (broker.port.to_string(), qos.to_string());
    let (mut subscriber, _) = Process::role(&["subscriber", "--port", &port, "--qos", &level]);
    let _publishers = publishers(args, &broker, qos);
    sleep(Duration::from_secs(5));
    let (before, busy) = (received(&mut subscriber), cpu_s(broker.id()));
    let usage = measure(subscriber.id(), Duration::from_secs(args.seconds));
    let units = received(&mut subscriber) - before;
    let notes = format!("broker {:.2} cores", (cpu_s(broker.id()) - busy) / usage.seconds);
    Row { who: "counting subscriber".to_owned(), usage, units, notes }
}

fn gateway(args: &Args, qos: u8) -> Row {
    let broker = broker();
    let mut text = format!(
        "[[source]]\ntype = \"mqtt\"\nname = \"floor\"\nurl = \"mqtt://127.0.0.1:{}\"\nreceive_maximum = {}\n\
         topic = [{{ filter = \"load/{{device}}/{{point}}\", format = \"json\", value = \"$.v\", time = \"$.ts\", qos = {qos} }}]\n\
         point = [\n",
        broker.port, args.receive_maximum
    );
    for client in 0..args.clients {
        for topic in 0..TOPICS {
            writeln!(text, "{{ name = \"c{client}.p{topic:02}\" }},").unwrap();
        }
    }
    text.push_str("]\n[[asset]]\nid = \"site\"\nlevel = \"site\"\n");
    let gateway = Gateway::start(&text);
    gateway.wait_for("the subscription", Duration::from_secs(20), |health| health.well("source.floor") == 1);
    let _publishers = publishers(args, &broker, qos);
    sleep(Duration::from_secs(5));
    let (before, busy) = (gateway.health(), cpu_s(broker.id()));
    let usage = measure(gateway.process.id(), Duration::from_secs(args.seconds));
    let after = gateway.health();
    let units = after.count("pipeline", "samples") - before.count("pipeline", "samples");
    let notes = format!(
        "broker {:.2} cores, {} commits, store {:.0} MB",
        (cpu_s(broker.id()) - busy) / usage.seconds,
        after.count("pipeline", "commits") - before.count("pipeline", "commits"),
        gateway.stored_mb()
    );
    Row { who: "the box, stored durably".to_owned(), usage, units, notes }
}

fn broker() -> Broker {
    Broker::start().expect("mosquitto has to be installed")
}

fn received(subscriber: &mut Process) -> u64 {
    subscriber.counts()["received"].as_u64().unwrap()
}
