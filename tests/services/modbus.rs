//! `parkgate read` against a Modbus server that others wrote.

use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::harness::ModbusServer;

fn read(server: &ModbusServer, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_parkgate"))
        .arg("read")
        .arg(format!("tcp://127.0.0.1:{}", server.port))
        .args(arguments)
        .output()
        .unwrap()
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
