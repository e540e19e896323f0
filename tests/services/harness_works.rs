//! The harness itself: each service answers, and dies with its test.

use std::time::Duration;

use crate::fault_proxy::{FaultProxy, Mode};
use crate::harness::{ModbusServer, Mosquitto, Publisher, VictoriaMetrics, eventually, http, try_http};

#[test]
#[ignore = "needs mosquitto; run by tests/run"]
fn mosquitto_keeps_its_messages_over_a_restart() {
    let mut broker = Mosquitto::start();
    Publisher::connect(broker.port, "before").publish("a/b", "1");
    broker.restart();
    Publisher::connect(broker.port, "after").publish("a/b", "2");
}

#[test]
#[ignore = "needs victoria-metrics; run by tests/run"]
fn victoria_metrics_returns_what_was_written_in_line_protocol() {
    let victoria = VictoriaMetrics::start();
    let url = format!("http://127.0.0.1:{}/api/v2/write?precision=ms", victoria.port);
    let (status, body) = http("POST", &url, Some(("text/plain", b"m,site=a value=2.5 1767225600000")));
    assert_eq!(status, 204, "{body}");
    let series = victoria.export("m_value");
    assert_eq!(series[0]["values"], serde_json::json!([2.5]));
    assert_eq!(series[0]["timestamps"], serde_json::json!([1_767_225_600_000_i64]));
}

#[test]
#[ignore = "needs pymodbus; run by tests/run"]
fn pymodbus_says_what_it_was_asked() {
    let mut server = ModbusServer::start();
    server.set_u32("holding", 10, 70_000);
    assert!(server.requests().is_empty());
}

#[test]
fn the_proxy_spoils_connections_as_it_is_told() {
    let (_server, served) = static_server();
    let proxy = FaultProxy::start(served);
    let url = format!("http://127.0.0.1:{}/", proxy.port);
    assert_eq!(try_http("GET", &url, None), Some((200, "whole answer".to_owned())));
    proxy.set(Mode::Answer("503 Service Unavailable", &["retry-after: 1"]));
    assert_eq!(try_http("GET", &url, None), Some((503, String::new())));
    proxy.set(Mode::Cut);
    assert_eq!(try_http("GET", &url, None), None);
    proxy.set(Mode::CloseHalfway);
    assert_eq!(try_http("GET", &url, None), None);
    proxy.set(Mode::Stall);
    let before = proxy.connections();
    std::thread::scope(|scope| {
        let stalled = scope.spawn(|| try_http("GET", &url, None));
        eventually("the stalled connection", Duration::from_secs(5), || (proxy.connections() > before).then_some(()));
        proxy.set(Mode::Pass);
        assert_eq!(stalled.join().unwrap(), None);
    });
    assert_eq!(http("GET", &url, None).0, 200);
}

/// A server that answers everything with the same words, for the length of the test process.
fn static_server() -> (std::thread::JoinHandle<()>, u16) {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let handle = std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 12\r\nconnection: close\r\n\r\nwhole answer");
        }
    });
    (handle, port)
}
