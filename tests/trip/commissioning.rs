//! The commissioning commands through the binary, against a device written for this file: it shares no code with the
//! client, keeps what it is asked, and misbehaves on command.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use parkgate::profile::Library;
use serde_json::Value;

/// One request as it arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Asked {
    unit: u8,
    function: u8,
    address: u16,
    count: u16,
}

/// What the device answers.
enum Reply {
    Words(Vec<u16>),
    Exception(u8),
    /// Vendor, product code and revision (function 43/14).
    Identity([&'static str; 3]),
}

/// A Modbus TCP device on loopback.
struct Device {
    port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Device {
    fn start(behaviour: impl Fn(Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (record, behaviour) = (Arc::clone(&asked), Arc::new(behaviour));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (record, behaviour) = (Arc::clone(&record), Arc::clone(&behaviour));
                std::thread::spawn(move || serve(stream.unwrap(), &record, behaviour.as_ref()));
            }
        });
        Self { port, asked }
    }

    fn url(&self) -> String {
        format!("tcp://127.0.0.1:{}", self.port)
    }

    /// Returns every request so far, and proves that none could change anything.
    fn asked(&self) -> Vec<Asked> {
        let asked = self.asked.lock().unwrap().clone();
        assert!(asked.iter().all(|asked| [1, 2, 3, 4, 43].contains(&asked.function)), "{asked:?}");
        asked
    }
}

fn serve(mut stream: TcpStream, record: &Mutex<Vec<Asked>>, behaviour: &dyn Fn(Asked) -> Reply) {
    let mut header = [0; 7];
    while stream.read_exact(&mut header).is_ok() {
        let mut pdu = vec![0; usize::from(u16::from_be_bytes([header[4], header[5]])) - 1];
        stream.read_exact(&mut pdu).unwrap();
        let word = |at: usize| if pdu.len() > at + 1 { u16::from_be_bytes([pdu[at], pdu[at + 1]]) } else { 0 };
        let asked = Asked { unit: header[6], function: pdu[0], address: word(1), count: word(3) };
        record.lock().unwrap().push(asked);
        let answer = match behaviour(asked) {
            Reply::Exception(code) => vec![asked.function | 0x80, code],
            Reply::Words(words) => {
                let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
                [vec![asked.function, bytes.len() as u8], bytes].concat()
            }
            Reply::Identity(objects) => {
                let mut answer = vec![43, 14, 1, 1, 0, 0, 3];
                for (id, text) in (0..).zip(objects) {
                    answer.extend([id, text.len() as u8]);
                    answer.extend(text.as_bytes());
                }
                answer
            }
        };
        header[4..6].copy_from_slice(&(answer.len() as u16 + 1).to_be_bytes());
        if stream.write_all(&[&header[..], &answer].concat()).is_err() {
            return;
        }
    }
}

/// Registers of an Eastron SDM630: 229.01 V, 50.02 Hz, 1234.5 kWh and so on, behind a transformer of 200/5 A that the
/// meter doesn't know of.
fn meter_registers() -> BTreeMap<u16, u16> {
    let library = Library::builtin();
    let mut registers = BTreeMap::new();
    for register in &library.get("eastron_sdm630").unwrap().registers {
        let point = register.point.as_str();
        let value: f32 = match point {
            _ if point.starts_with("voltage_l1_l") || point.starts_with("voltage_l2_l") => 396.6,
            _ if point.starts_with("voltage") => 229.01,
            _ if point.starts_with("current") => 3.5,
            _ if point.starts_with("power_factor") => 0.93,
            _ if point.starts_with("frequency") => 50.02,
            "active_energy_import" => 1234.5,
            _ if point.starts_with("active_power_l") => 745.4,
            "active_power" => 2236.2,
            _ => 12.25,
        };
        registers.insert(register.address, (value.to_bits() >> 16) as u16);
        registers.insert(register.address + 1, value.to_bits() as u16);
    }
    registers
}

/// Answers unit 1 from input registers; gaps read as 0, as in most meters.
fn meter() -> impl Fn(Asked) -> Reply + Send + Sync + 'static {
    let registers = meter_registers();
    move |asked| match (asked.unit, asked.function) {
        (1, 4) if asked.address < 400 => {
            let word = |address| registers.get(&address).copied().unwrap_or(0);
            Reply::Words((asked.address..asked.address + asked.count).map(word).collect())
        }
        (1, 3 | 4) => Reply::Exception(2),
        (1, _) => Reply::Exception(1),
        _ => Reply::Exception(11),
    }
}

fn parkgate(arguments: &[&str]) -> Output {
    with_input(arguments, "")
}

fn with_input(arguments: &[&str], input: &str) -> Output {
    let directory = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_parkgate"))
        .args(arguments)
        .current_dir(&directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn objects(output: &Output) -> Vec<Value> {
    let lines = String::from_utf8(output.stdout.clone()).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

#[test]
fn read_marks_the_plausible_reading_and_shows_its_request() {
    let device = Device::start(meter());
    let output = parkgate(&["read", &device.url(), "--table", "input", "--address", "0"]);
    let shown = text(&output);
    assert_eq!(output.status.code(), Some(0), "{shown}");
    assert!(shown.contains("request 01 04 0000 0004"), "{shown}");
    let best = shown.lines().nth(2).unwrap();
    assert!(best.starts_with("float32   ABCD") && best.contains("229.00999"), "{shown}");
    assert!(best.ends_with("likely: voltage (V)"), "{best}");
    let range = text(&parkgate(&["read", &device.url(), "--table", "input", "--address", "0x46", "--count", "2"]));
    assert!(range.contains("   70 (0x0046)") && range.contains("likely: frequency (Hz)"), "{range}");
}

#[test]
fn a_device_that_shifts_long_answers_is_found_by_comparing() {
    let honest = Device::start(meter());
    let compared = |device: &Device| parkgate(&["read", &device.url(), "--profile", "eastron_sdm630", "--json"]);
    let output = compared(&honest);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(objects(&output).iter().all(|point| point["verdict"] == "same"), "{}", text(&output));

    let inner = meter();
    let liar = Device::start(move |asked| match inner(asked) {
        Reply::Words(mut words) if asked.count > 2 => {
            words.rotate_left(2);
            Reply::Words(words)
        }
        other => other,
    });
    let output = compared(&liar);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(objects(&output).iter().any(|point| point["verdict"] == "differs"), "{}", text(&output));
    assert!(!liar.asked().is_empty());
}

#[test]
fn scan_asks_before_its_first_frame() {
    let device = Device::start(meter());
    let output = parkgate(&["scan", &device.url()]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(text(&output).contains("--yes"), "{}", text(&output));
    assert_eq!(device.asked(), []);
}

#[test]
fn scan_finds_the_units_and_never_claims_more_than_it_knows() {
    let device = Device::start(meter());
    let arguments = ["scan", &device.url(), "--yes", "--json", "--units", "1-3", "--rate", "1000"];
    let output = parkgate(&arguments);
    let found = objects(&output);
    assert_eq!((output.status.code(), found.len()), (Some(0), 1), "{}", text(&output));
    assert_eq!((&found[0]["unit"], &found[0]["vendor"]), (&1.into(), &Value::Null));
    let candidates = found[0]["candidates"].as_array().unwrap();
    let meant = candidates.iter().find(|candidate| candidate["profile"] == "eastron_sdm630");
    let meant = meant.unwrap_or_else(|| panic!("{found:?}"));
    assert!(meant["evidence"].as_str().unwrap().contains("eastron_sdm630"), "{meant}");
    assert!(device.asked().len() < 400, "{} requests", device.asked().len());
}

#[test]
fn scan_shows_what_a_device_says_of_itself() {
    let device = Device::start(|asked| match asked.function {
        43 => Reply::Identity(["Acme", "X1", "1.2"]),
        _ => Reply::Exception(2),
    });
    let output = parkgate(&["scan", &format!("127.0.0.1:{}", device.port), "--yes", "--rate", "1000"]);
    let shown = text(&output);
    assert_eq!(output.status.code(), Some(0), "{shown}");
    assert!(shown.contains("says it is: Acme X1 1.2") && shown.contains("fits no profile"), "{shown}");
    assert!(shown.contains("ignores the unit identifier"), "{shown}");
}

#[test]
fn scan_says_that_nobody_is_there() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let output = parkgate(&["scan", &format!("tcp://127.0.0.1:{port}"), "--yes", "--json"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert_eq!(objects(&output)[0]["unit"], Value::Null);
    assert!(objects(&output)[0]["reason"].as_str().unwrap().contains("no connection"), "{}", text(&output));
}

const GATEWAY: &str = r#"
[gateway]
id = "tt-0042"
enterprise = "9900000016"
park = "tan-thuan"
site = "tt-main"
data_dir = "DATA"

[[source]]
type = "modbus"
name = "press-1"
url = "tcp://127.0.0.1:1"
point = [{ name = "e", address = "40001", type = "uint32", kind = "counter", unit = "kWh" }]

[[asset]]
id = "site"
boundary = { electricity = ["press-1.e"] }
"#;

#[test]
fn survey_names_the_missing_transformer_and_leaves_a_section_and_a_record() {
    let device = Device::start(meter());
    let directory = tempfile::tempdir().unwrap();
    let (data, config) = (directory.path().join("data"), directory.path().join("gateway.toml"));
    std::fs::write(&config, GATEWAY.replace("DATA", data.to_str().unwrap())).unwrap();
    let url = device.url();
    let survey = |more: &[&str]| {
        let display = ["--display", "active_energy_import=49380", "--display", "current_l1=140"];
        let common = ["survey", &url, "--profile", "eastron_sdm630", "--person", "An"];
        parkgate(&[&common[..], &display, more].concat())
    };
    let log = directory.path().join("log.jsonl");
    let output = survey(&["--log", log.to_str().unwrap()]);
    let shown = text(&output);
    assert_eq!(output.status.code(), Some(1), "{shown}");
    assert!(shown.contains("ct_ratio = 40 is missing (a transformer of 200/5 A)"), "{shown}");
    assert!(shown.contains("\nprofile = \"eastron_sdm630\"\n") && !shown.contains("\nct_ratio ="), "{shown}");

    let output = survey(&["--accept", "--append", config.to_str().unwrap(), "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let entry = &objects(&output)[0];
    assert_eq!((&entry["person"], &entry["ct_ratio"]), (&"An".into(), &40.0.into()));
    let section = std::fs::read_to_string(&config).unwrap();
    assert!(section.contains("# commissioned ") && section.contains("\nct_ratio = 40.0\n"), "{section}");
    let checked = parkgate(&["check", "-c", config.to_str().unwrap()]);
    assert_eq!(checked.status.code(), Some(0), "{}", text(&checked));
    let kept = std::fs::read_to_string(data.join("commissioning.jsonl")).unwrap();
    let kept: Vec<Value> = kept.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(kept.as_slice(), std::slice::from_ref(entry));
    // The same name once more: refused, and nothing changes.
    let output = survey(&["--accept", "--append", config.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert_eq!(std::fs::read_to_string(&config).unwrap(), section);
    assert!(!device.asked().is_empty());
}

#[test]
fn survey_asks_for_the_display_and_writes_a_ratio_only_when_told_to() {
    let device = Device::start(meter());
    let url = device.url();
    let arguments = ["survey", &url, "--profile", "eastron_sdm630"];
    let answers = |answer: &str| format!("49380\n.\n{answer}\nAn\n");
    let agreed = text(&with_input(&arguments, &answers("y")));
    assert!(agreed.contains("\nct_ratio = 40.0\n") && agreed.contains("by An"), "{agreed}");
    let refused = with_input(&arguments, &answers("n"));
    assert_eq!(refused.status.code(), Some(1));
    assert!(!text(&refused).contains("\nct_ratio ="), "{}", text(&refused));
}

#[test]
fn survey_finds_a_reversed_transformer_of_a_configured_source_without_a_display() {
    // V, A and W of three phases as int16; the second one counts backwards.
    let words: [i16; 9] = [230, 231, 229, 10, 11, 9, 2185, -2414, 1958];
    let device = Device::start(move |asked| {
        let (from, to) = (usize::from(asked.address), usize::from(asked.address + asked.count));
        match (asked.function, words.get(from..to)) {
            (3, Some(words)) => Reply::Words(words.iter().map(|word| *word as u16).collect()),
            _ => Reply::Exception(2),
        }
    });
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let config = directory.path().join("gateway.toml");
    let quantities = [("voltage", "V"), ("current", "A"), ("active_power", "W")];
    let points: Vec<String> = quantities
        .iter()
        .flat_map(|(name, unit)| (1..4).map(move |phase| (format!("{name}_l{phase}"), unit)))
        .enumerate()
        .map(|(address, (name, unit))| {
            format!(r#"{{ name = "{name}", address = {address}, table = "holding", type = "int16", unit = "{unit}" }}"#)
        })
        .collect();
    let section = format!(
        "\n[[source]]\ntype = \"modbus\"\nname = \"feeder\"\nurl = \"{}\"\npoint = [{}]\n",
        device.url(),
        points.join(", ")
    );
    std::fs::write(&config, GATEWAY.replace("DATA", data.to_str().unwrap()) + &section).unwrap();
    let output = parkgate(&["survey", "--source", "feeder", "-c", config.to_str().unwrap(), "--no-display", "--json"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    let findings = &objects(&output)[0]["findings"];
    assert_eq!((&findings[0]["kind"], findings.as_array().unwrap().len()), (&"reversed_ct".into(), 1), "{findings}");
    assert!(findings[0]["text"].as_str().unwrap().contains("L2"), "{findings}");
    assert!(data.join("commissioning.jsonl").is_file());
}

/// Words of a SunSpec device: common model, then the models, each filled with 7.
fn sunspec_registers(models: &[(u16, u16)]) -> BTreeMap<u16, u16> {
    let mut words = vec![0x5375, 0x6e53];
    for (id, length) in models {
        words.extend([*id, *length]);
        words.extend(vec![0x4141; usize::from(*length)]);
    }
    words.extend([0xffff, 0]);
    (40_000..).zip(words).collect()
}

#[test]
fn scan_walks_the_models_of_a_sunspec_device() {
    let registers = sunspec_registers(&[(1, 66), (103, 50), (203, 105)]);
    let device = Device::start(move |asked| {
        let words: Option<Vec<u16>> =
            (asked.address..asked.address.saturating_add(asked.count)).map(|at| registers.get(&at).copied()).collect();
        match (asked.function, words) {
            (3, Some(words)) => Reply::Words(words),
            _ => Reply::Exception(2),
        }
    });
    let output = parkgate(&["scan", &device.url(), "--yes", "--json", "--units", "1", "--rate", "1000"]);
    let found = &objects(&output)[0];
    let models: Vec<(u64, u64)> = found["sunspec"]["models"]
        .as_array()
        .unwrap_or_else(|| panic!("{}", text(&output)))
        .iter()
        .map(|model| (model["id"].as_u64().unwrap(), model["address"].as_u64().unwrap()))
        .collect();
    assert_eq!(models, [(1, 40_002), (103, 40_070), (203, 40_122)]);
}

#[test]
fn import_prints_a_section_that_check_accepts_and_names_what_it_cannot_take() {
    let directory = tempfile::tempdir().unwrap();
    let (list, config) = (directory.path().join("tags.csv"), directory.path().join("gateway.toml"));
    let header = "Tag Name,Address,Data Type,Respect Data Type,Client Access,Scan Rate,Scaling,Raw Low,Raw High,\
        Scaled Low,Scaled High,Scaled Data Type,Clamp Low,Clamp High,Eng Units,Description,Negate Value";
    let rows = [
        r#""Energy",400101,Float,1,RO,1000,,,,,,,,,"kWh","","#,
        r#""Serial",400200.10H,String,1,RO,1000,,,,,,,,,,"","#,
        r#""Speed",300005,Word,1,RO,1000,Linear,0,1000,0,100,Float,0,0,,"","#,
    ];
    std::fs::write(&list, format!("{header}\r\n{}\r\n", rows.join("\r\n"))).unwrap();
    std::fs::write(&config, GATEWAY.replace("DATA", "/tmp/none")).unwrap();
    let (list, config) = (list.to_str().unwrap(), config.to_str().unwrap());
    let output = parkgate(&["import", list, "--name", "line-1", "--append", config]);
    let shown = text(&output);
    assert_eq!(output.status.code(), Some(1), "{shown}");
    assert!(shown.contains("tags.csv:3: \"Serial\" was not taken:") && shown.contains("2 of 3 rows taken"), "{shown}");
    let checked = text(&parkgate(&["check", "-c", config]));
    assert!(checked.contains("source line-1: modbus") && checked.contains("2 tags"), "{checked}");
    let rows = objects(&parkgate(&["import", list, "--json"]));
    assert_eq!(rows.len(), 3);
    assert_eq!((&rows[1]["line"], &rows[1]["point"]), (&3.into(), &Value::Null));
}
