//! `parkgate read` against a Modbus server that others wrote.

use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::harness::{ModbusServer, program};

fn read(server: &ModbusServer, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_parkgate")).arg("read").arg(&server.url).args(arguments).output().unwrap()
}

/// Runs a read that succeeds and returns its JSON lines.
fn lines(server: &ModbusServer, arguments: &[&str]) -> Vec<Value> {
    let output = read(server, &[arguments, &["--json"]].concat());
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn value(server: &ModbusServer, arguments: &[&str]) -> Value {
    lines(server, arguments)[0]["value"].clone()
}

#[test]
#[ignore = "needs pymodbus; run by tests/run"]
fn every_table_type_and_order_reads_what_pymodbus_holds() {
    let mut server = ModbusServer::start();
    server.set("holding", 0, &[0x42f6, 0xe979, 0xe979, 0x42f6]);
    server.set("holding", 10, &[0x0020, 0, 0, 1]);
    server.set("input", 0, &[0xfffe, 0x9876]);
    server.set("coil", 3, &[1]);
    server.set("discrete", 4, &[1]);
    let float = json!(f64::from(123.456_f32));
    let checks: [(&[&str], Value); 10] = [
        (&["--table", "holding", "--address", "0", "--type", "float32"], float.clone()),
        (&["--table", "holding", "--address", "0x2", "--type", "float32", "--order", "CDAB"], float.clone()),
        (&["--address", "40003", "--type", "float32", "--order", "CDAB"], float),
        (&["--address", "40011", "--type", "uint64"], json!(9_007_199_254_740_993_u64)),
        (&["--address", "30001", "--type", "int16", "--scale", "0.1", "--offset", "-40"], json!(-40.2)),
        (&["--address", "30002", "--type", "bcd16"], json!(9876)),
        (&["--address", "30001", "--bit", "1"], json!(1)),
        (&["--table", "coil", "--address", "3"], json!(1)),
        (&["--address", "10005"], json!(1)),
        (&["--address", "10004"], json!(0)),
    ];
    for (arguments, expected) in checks {
        assert_eq!(value(&server, arguments), expected, "{arguments:?}");
    }
    let codes: Vec<u8> = server.requests().iter().map(|(code, ..)| *code).collect();
    assert_eq!(codes, [3, 3, 3, 3, 4, 4, 4, 1, 2, 2]);
}

#[test]
#[ignore = "needs pymodbus; run by tests/run"]
fn a_mark_for_no_value_is_null_with_its_reason() {
    let mut server = ModbusServer::start();
    server.set("holding", 0, &[0x8000]);
    let line = lines(&server, &["--address", "40001", "--type", "int16", "--sentinel", "0x8000"]).remove(0);
    assert_eq!((&line["value"], &line["quality"]), (&Value::Null, &json!("sentinel")));
    assert!(line["reason"].as_str().unwrap().contains("0x8000"), "{line}");
    assert_eq!((&line["address"], &line["type"], &line["order"]), (&json!(0), &json!("int16"), &json!("ABCD")));
}

#[test]
#[ignore = "needs pymodbus; run by tests/run"]
fn without_a_type_every_type_and_order_is_shown() {
    let mut server = ModbusServer::start();
    server.set("input", 20, &[0xe979, 0x42f6, 0, 0]);
    let found = lines(&server, &["--table", "input", "--address", "20"]);
    let kinds: std::collections::BTreeSet<&str> = found.iter().map(|line| line["type"].as_str().unwrap()).collect();
    // All but a text, which these words don't spell.
    assert_eq!(kinds.len(), parkgate::profile::register::RegisterType::ALL.len() - 1, "{kinds:?}");
    let float = |line: &&Value| line["type"] == json!("float32");
    let orders: Vec<(&str, &Value)> =
        found.iter().filter(float).map(|line| (line["order"].as_str().unwrap(), &line["value"])).collect();
    assert_eq!(orders.len(), 4);
    assert_eq!(orders[1], ("CDAB", &json!(f64::from(123.456_f32))));
}

#[test]
#[ignore = "needs pymodbus; run by tests/run"]
fn failures_exit_1_and_wrong_usage_exits_2() {
    let mut server = ModbusServer::start();
    let arguments = ["--address", "40001", "--type", "uint16", "--json"];
    server.fail(2);
    let refused = read(&server, &arguments);
    assert_eq!(refused.status.code(), Some(1));
    let line: Value = serde_json::from_slice(&refused.stdout).unwrap();
    assert_eq!((&line["value"], &line["reason"]), (&Value::Null, &json!("exception 2: illegal data address")));
    server.fail(0);
    server.delay(std::time::Duration::from_secs(2));
    let silent = read(&server, &[&arguments[..], &["--timeout", "100ms"]].concat());
    assert_eq!(silent.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&silent.stderr).contains("no answer within 100ms"));
    for wrong in [["--address", "50001"], ["--address", "65536"], ["--type", "real"]] {
        assert_eq!(read(&server, &wrong).status.code(), Some(2), "{wrong:?}");
    }
}

/// Reads with the master that others wrote; returns the words or bits.
fn mbpoll(server: &ModbusServer, table: &str, address: u16, count: u16) -> Vec<u16> {
    let kind = match table {
        "coil" => "0",
        "discrete" => "1",
        "input" => "3",
        _ => "4",
    };
    let mut command = Command::new(program("PARKGATE_TEST_MBPOLL", "mbpoll"));
    command.args(["-1", "-q", "-0", "-a", "1", "-t", kind, "-o", "5"]);
    command.args(["-r", &address.to_string(), "-c", &count.to_string()]);
    match server.url.strip_prefix("rtu://") {
        Some(line) => command.args(["-m", "rtu", "-b", "9600", "-P", "none", line.split('?').next().unwrap()]),
        None => command.args(["-m", "tcp", "-p", &server.port.to_string(), "127.0.0.1"]),
    };
    let output = command.output().expect("mbpoll starts: tests/run installs it");
    let text = String::from_utf8(output.stdout).unwrap();
    let words: Vec<u16> = text
        .lines()
        .filter_map(|line| line.strip_prefix('[')?.split_once("]:")?.1.split_whitespace().next()?.parse().ok())
        .collect();
    assert_eq!(words.len(), usize::from(count), "{text}{}", String::from_utf8_lossy(&output.stderr));
    words
}

#[test]
#[ignore = "needs pymodbus and mbpoll; run by tests/run"]
fn over_tcp_and_on_a_serial_line_the_values_are_those_that_mbpoll_reads() {
    for kind in ["tcp", "rtu"] {
        let mut server = ModbusServer::start_over(kind);
        server.set("holding", 100, &[0x0123, 0x4567, 0x89ab, 0xcdef]);
        server.set("input", 7, &[0xffff, 0x8000, 0, 1]);
        server.set("coil", 20, &[1]);
        for (table, address) in [("holding", 100), ("input", 7)] {
            let words = mbpoll(&server, table, address, 4);
            let expected = words.iter().fold(0_u64, |all, word| all << 16 | u64::from(*word));
            assert_ne!(expected, 0);
            let found = value(&server, &["--table", table, "--address", &address.to_string(), "--type", "uint64"]);
            assert_eq!(found, json!(expected), "{kind} {table}");
        }
        for address in [20, 21] {
            let expected = mbpoll(&server, "coil", address, 1)[0];
            let found = value(&server, &["--table", "coil", "--address", &address.to_string()]);
            assert_eq!(found, json!(expected), "{kind} coil {address}");
        }
    }
}

#[test]
#[ignore = "needs pymodbus; run by tests/run"]
fn a_serial_server_is_read_through_tcp() {
    let mut server = ModbusServer::start_over("rtu+tcp");
    server.set("holding", 10, &[0x42f6, 0xe979]);
    let arguments = ["--table", "holding", "--address", "10", "--type", "float32"];
    assert_eq!(value(&server, &arguments), json!(f64::from(123.456_f32)));
    let asked = server.requests();
    assert_eq!(asked.last(), Some(&(3, 10, 2)));
    assert!(asked.iter().all(|(function, ..)| *function <= 4), "{asked:?}");
}

#[test]
#[ignore = "needs pymodbus and openssl; run by tests/run"]
fn over_tls_each_side_shows_its_certificate_and_a_stranger_is_refused() {
    let mut server = ModbusServer::start_over("tls");
    server.set("holding", 0, &[4711]);
    let file = |name: &str| server.directory().join(name).display().to_string();
    let (known, stranger) = (file("authority.pem"), file("stranger.pem"));
    let (certificate, key) = (file("client.pem"), file("client.key"));
    let question = ["--table", "holding", "--address", "0", "--type", "uint16", "--timeout", "10s", "--json"];
    let name = ["--server-name", "localhost"];
    let own = ["--cert-file", &certificate, "--key-file", &key];
    let answered = read(&server, &[&question[..], &["--ca-file", &known], &name, &own].concat());
    assert!(answered.status.success(), "{}", String::from_utf8_lossy(&answered.stderr));
    let line: Value = serde_json::from_slice(&answered.stdout).unwrap();
    assert_eq!(line["value"], json!(4711));
    for refused in [
        [&question[..], &["--ca-file", &stranger], &name, &own].concat(),
        [&question[..], &["--ca-file", &known], &name].concat(),
        [&question[..], &["--ca-file", &known, "--server-name", "elsewhere"], &own].concat(),
    ] {
        assert_eq!(read(&server, &refused).status.code(), Some(1), "{refused:?}");
    }
}
