//! MQTT 3.1.1 by hand, in processes of their own: publishers that send as fast as the broker takes it, and a
//! subscriber that only counts.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::json;

use crate::process::answer;

/// Topics of one publisher.
pub const TOPICS: usize = 100;
/// Messages of quality of service 1 that one publisher has under way.
const WINDOW: u64 = 500;
/// Messages written at once.
const BURST: u64 = BURST_LENGTH as u64;
const BURST_LENGTH: usize = 50;

#[derive(clap::Args)]
pub struct Args {
    #[arg(long)]
    port: u16,
    #[arg(long)]
    qos: u8,
    #[arg(long)]
    client: usize,
    /// Messages a second; 0 for as many as the broker takes.
    #[arg(long)]
    rate: u64,
}

#[derive(clap::Args)]
pub struct SubscriberArgs {
    #[arg(long)]
    port: u16,
    #[arg(long)]
    qos: u8,
}

pub fn run(args: &Args) {
    let count = Arc::new(AtomicU64::new(0));
    let told = Arc::clone(&count);
    let (port, qos, client, rate) = (args.port, args.qos, args.client, args.rate);
    std::thread::spawn(move || publish(port, qos, client, rate, &told));
    answer(|| json!({ "sent": count.load(Ordering::Relaxed) }), |_| {});
}

fn publish(port: u16, qos: u8, client: usize, rate: u64, count: &AtomicU64) {
    let mut stream = connect(port, &format!("publisher-{client}"));
    println!("ready");
    let begun = Instant::now();
    let mut under_way = 0;
    for number in (0_u64..).step_by(BURST_LENGTH) {
        let mut burst = Vec::new();
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        for number in number..number + BURST {
            let topic = usize::try_from(number).unwrap() % TOPICS;
            let payload = format!("{{\"ts\":{at},\"v\":{:.1},\"seq\":{number}}}", number as f64 / 10.0);
            message(&mut burst, &format!("load/c{client}/p{topic:02}"), payload.as_bytes(), qos, number);
        }
        stream.write_all(&burst).unwrap();
        count.fetch_add(BURST, Ordering::Relaxed);
        if qos == 1 {
            under_way += BURST;
            while under_way > WINDOW {
                let mut acknowledgements = [0; 4 * BURST_LENGTH];
                stream.read_exact(&mut acknowledgements).unwrap();
                under_way -= BURST;
            }
        }
        if let Some(due) = (number * 1_000_000).checked_div(rate) {
            std::thread::sleep(Duration::from_micros(due).saturating_sub(begun.elapsed()));
        }
    }
}

pub fn run_subscriber(args: &SubscriberArgs) {
    let count = Arc::new(AtomicU64::new(0));
    let told = Arc::clone(&count);
    let (port, qos) = (args.port, args.qos);
    std::thread::spawn(move || count_messages(port, qos, &told));
    answer(|| json!({ "received": count.load(Ordering::Relaxed) }), |_| {});
}

fn count_messages(port: u16, qos: u8, count: &AtomicU64) {
    let mut stream = connect(port, "counting");
    let mut subscribe = vec![0x82, 0, 0, 1];
    text(&mut subscribe, "load/#");
    subscribe.push(qos);
    subscribe[1] = u8::try_from(subscribe.len() - 2).unwrap();
    stream.write_all(&subscribe).unwrap();
    println!("ready");
    let (mut held, mut chunk) = (Vec::new(), vec![0; 1 << 16]);
    loop {
        let read = stream.read(&mut chunk).unwrap();
        assert!(read > 0, "the broker closed the connection");
        held.extend_from_slice(&chunk[..read]);
        let (mut done, mut acknowledgements) = (0, Vec::new());
        while let Some((header, body)) = packet(&held[done..]) {
            let packet = &held[done + header..done + header + body];
            if held[done] >> 4 == 3 {
                count.fetch_add(1, Ordering::Relaxed);
                if held[done] & 0x06 != 0 {
                    let topic = usize::from(u16::from_be_bytes([packet[0], packet[1]]));
                    acknowledgements.extend_from_slice(&[0x40, 2, packet[2 + topic], packet[3 + topic]]);
                }
            }
            done += header + body;
        }
        held.drain(..done);
        stream.write_all(&acknowledgements).unwrap();
    }
}

/// Returns the lengths of header and body of the first whole packet.
fn packet(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut body = 0;
    for (at, byte) in bytes.iter().enumerate().skip(1).take(4) {
        body |= usize::from(byte & 0x7f) << (7 * (at - 1));
        if byte & 0x80 == 0 {
            return (bytes.len() > at + body).then_some((at + 1, body));
        }
    }
    None
}

fn connect(port: u16, client: &str) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut connect = vec![0x10, 0];
    text(&mut connect, "MQTT");
    connect.extend_from_slice(&[4, 2, 0, 0]);
    text(&mut connect, client);
    connect[1] = u8::try_from(connect.len() - 2).unwrap();
    stream.write_all(&connect).unwrap();
    let mut accepted = [0; 4];
    stream.read_exact(&mut accepted).unwrap();
    assert_eq!(accepted, [0x20, 2, 0, 0], "the broker refuses");
    stream
}

fn text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend_from_slice(&u16::try_from(text.len()).unwrap().to_be_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

fn message(bytes: &mut Vec<u8>, topic: &str, payload: &[u8], qos: u8, number: u64) {
    let length = 2 + topic.len() + 2 * usize::from(qos) + payload.len();
    bytes.extend_from_slice(&[0x30 | qos << 1, u8::try_from(length).unwrap()]);
    text(bytes, topic);
    if qos > 0 {
        bytes.extend_from_slice(&u16::try_from(number % 65_535 + 1).unwrap().to_be_bytes());
    }
    bytes.extend_from_slice(payload);
}
