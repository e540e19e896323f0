//! Pages of a running box, checked by a JOSE library of another language.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::harness::{Mosquitto, eventually, program};
use crate::plant::{EdgeBox, Hub, Neighbours, PlantTime, StoredPage, pages};

/// What the library says of each page.
fn judged(jwk: &Value, presented: &[(Vec<u8>, String)]) -> Vec<String> {
    let mut python = Command::new(program("PARKGATE_TEST_PYTHON", "python3"))
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/services/verify_pages.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python starts");
    let mut stdin = python.stdin.take().unwrap();
    for (page, jws) in presented {
        writeln!(stdin, "{}", json!({ "jwk": jwk, "page": STANDARD.encode(page), "jws": jws })).unwrap();
    }
    drop(stdin);
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "joserfc is installed by tests/run");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
#[ignore = "needs mosquitto and joserfc; run by tests/run"]
fn a_jose_library_of_another_language_believes_each_page_and_no_altered_one() {
    let (broker, mut hub) = (Mosquitto::start(), Hub::start());
    let mut edge = EdgeBox::new(&Neighbours {
        modbus: None,
        mqtt: broker.port,
        hub: hub.port,
        influx: None,
        copies: None,
        grain: "minute",
    });
    edge.start(PlantTime::start());
    eventually("the hub to hold three pages", Duration::from_secs(60), || {
        (pages(&hub.database()).len() >= 3).then_some(())
    });
    assert_eq!(edge.stop(), Some(0), "{}", edge.log());
    hub.stop();

    let held: Vec<StoredPage> = pages(&hub.database());
    let first: Value = serde_json::from_slice(&held[0].bytes).unwrap();
    let jwk = &first["key"];
    let as_held: Vec<(Vec<u8>, String)> = held.iter().map(|page| (page.bytes.clone(), page.jws.clone())).collect();
    assert_eq!(judged(jwk, &as_held), vec!["ok"; held.len()]);

    let altered: Vec<(Vec<u8>, String)> = held
        .iter()
        .map(|page| {
            let mut bytes = page.bytes.clone();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            (bytes, page.jws.clone())
        })
        .collect();
    assert_eq!(judged(jwk, &altered), vec!["BadSignatureError"; held.len()]);
    let exchanged = [(held[0].bytes.clone(), held[1].jws.clone())];
    assert_eq!(judged(jwk, &exchanged), ["BadSignatureError"]);
}
