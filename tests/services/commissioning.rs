//! `parkgate scan` and `survey` against a Modbus server that others wrote.

use std::process::Output;

use serde_json::Value;

use crate::harness::{ModbusServer, parkgate};

/// Function codes that read: the four tables, and device identification, which the server doesn't count as a read.
const READS: [u8; 4] = [1, 2, 3, 4];

fn run(arguments: &[&str]) -> Output {
    parkgate().args(arguments).output().unwrap()
}

fn objects(output: &Output) -> Vec<Value> {
    assert!(!output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout.clone()).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Fills the input registers with what an Eastron SDM630 shows.
fn as_eastron(server: &mut ModbusServer) {
    let values: [(u16, f32); 7] =
        [(0, 231.4), (6, 3.5), (52, 753.0), (62, 0.93), (70, 50.02), (72, 1234.5), (342, 1250.25)];
    for (address, value) in values {
        let bits = value.to_bits();
        server.set("input", address, &[(bits >> 16) as u16, bits as u16]);
    }
}

#[test]
#[ignore = "needs pymodbus; run by tests/run"]
fn scan_identifies_a_server_by_its_name_and_its_values() {
    let mut server = ModbusServer::start();
    as_eastron(&mut server);
    let url = format!("tcp://127.0.0.1:{}", server.port);
    let output = run(&["scan", &url, "--yes", "--json", "--units", "1,7", "--rate", "1000"]);
    let found = objects(&output);
    assert_eq!(output.status.code(), Some(0));
    let units: Vec<&Value> = found.iter().map(|line| &line["unit"]).collect();
    assert_eq!(units, [1, 7], "the server answers every unit");
    assert_eq!((&found[0]["vendor"], &found[0]["product"]), (&"Pymodbus".into(), &"PM".into()));
    let candidates = found[0]["candidates"].as_array().unwrap();
    assert!(candidates.iter().any(|candidate| candidate["profile"] == "eastron_sdm630"), "{candidates:?}");
    assert!(candidates.iter().all(|candidate| candidate["match"] == false), "it says that it is none of them");
    let asked = server.requests();
    assert!(!asked.is_empty() && asked.iter().all(|(code, ..)| READS.contains(code)), "{asked:?}");
}

#[test]
#[ignore = "needs pymodbus; run by tests/run"]
fn survey_compares_a_server_with_what_its_display_would_show() {
    let mut server = ModbusServer::start();
    as_eastron(&mut server);
    let url = format!("tcp://127.0.0.1:{}", server.port);
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("commissioning.jsonl");
    let survey = |display: &str| {
        let energy = format!("active_energy_import={display}");
        let log = log.to_str().unwrap();
        run(&[
            "survey",
            &url,
            "--profile",
            "eastron_sdm630",
            "--display",
            &energy,
            "--person",
            "the integrator",
            "--json",
            "--log",
            log,
        ])
    };
    let right = survey("1234.5");
    assert_eq!(right.status.code(), Some(0), "{}", String::from_utf8_lossy(&right.stderr));
    assert_eq!(objects(&right)[0]["findings"][0]["kind"], "agrees");
    let behind_a_transformer = survey("74070");
    assert_eq!(behind_a_transformer.status.code(), Some(1));
    let finding = objects(&behind_a_transformer)[0]["findings"][0].clone();
    assert_eq!(finding["kind"], "missing_ct_ratio");
    assert!(finding["text"].as_str().unwrap().contains("300/5 A"), "{finding}");
    assert_eq!(std::fs::read_to_string(&log).unwrap().lines().count(), 2);
}

#[test]
#[ignore = "needs pymodbus; run by tests/run"]
fn comparing_on_a_line_never_touches_what_the_source_forbids() {
    let mut server = ModbusServer::start_over("rtu+tcp");
    server.set("holding", 30, &[7]);
    let directory = tempfile::tempdir().unwrap();
    let configuration = directory.path().join("gateway.toml");
    let text = format!(
        r#"
        [gateway]
        id = "tt-0042"
        enterprise = "9900000016"
        park = "tan-thuan"
        site = "tt-main"
        timezone = "Asia/Ho_Chi_Minh"
        data_dir = "{}"

        [[source]]
        type = "modbus"
        name = "oven"
        url = "{}"
        unit = 1
        forbidden = ["holding 31-48"]
        request_pause = "80ms"
        point = [{{ name = "level", address = 30, table = "holding", type = "uint16" }}]

        [[asset]]
        id = "site"
        level = "site"
        "#,
        directory.path().display(),
        server.url
    );
    std::fs::write(&configuration, text).unwrap();
    let output = run(&["read", "--compare", "oven", "-c", configuration.to_str().unwrap(), "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let asked = server.requests();
    let is_spared = |&(code, address, count): &(u8, u16, u16)| code != 3 || address + count <= 31 || address > 48;
    assert!(asked.len() > 2 && asked.iter().all(is_spared), "a fence and two reads: {asked:?}");
}
