//! What people tell a running box from its command line: declarations by two persons, and production context.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::text;

const CONFIGURATION: &str = r#"
[gateway]
id         = "tt-0042"
enterprise = "9900000016"
park       = "golden"
site       = "tt-main"
timezone   = "Asia/Ho_Chi_Minh"
data_dir   = "data"

[http]
listen = "127.0.0.1:0"

# Nobody listens there: what is told needs no source.
[[source]]
type  = "mqtt"
name  = "m"
url   = "mqtt://127.0.0.1:1"
topic = [{ filter = "m/{point}", format = "json", value = "$.v", time = "$.ts" }]
point = [
  { name = "state", kind = "state", states = { "1" = "producing" } },
  { name = "kwh", kind = "counter", unit = "kWh" },
]

[[asset]]
id       = "site"
boundary = { electricity = ["m.kwh"] }

[[asset]]
id     = "press-1"
parent = "site"
state  = "m.state"
takes_context = ["stop"]

[[stop_reason]]
code      = "no-material"
counts_as = "delay"

[calendar]
shifts = [{ name = "ca-1", from = "06:00", to = "14:00" }]
"#;

/// A box that runs, and the address of its API.
struct RunningBox {
    child: Child,
    address: String,
}

impl RunningBox {
    /// Starts a box in `directory` and waits until it says where its API is.
    fn start(directory: &Path) -> Self {
        Self::start_with(directory, CONFIGURATION)
    }

    fn start_with(directory: &Path, configuration: &str) -> Self {
        std::fs::write(directory.join("gateway.toml"), configuration).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_parkgate"))
            .arg("run")
            .env("TOLD_TOKEN", "s3cret")
            .current_dir(directory)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = lines.map_while(Result::ok).find_map(|line| line.split_once("http://").map(|at| at.1.to_owned()));
        Self { child, address: address.expect("a box says where its API is") }
    }

    fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask(&format!("GET {path}"), &[], "");
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// Tells an event as a document; returns the status and the answer.
    fn tell(&self, headers: &[&str], event: &str) -> (u16, Value) {
        self.ask("POST /api/v1/context", &[["Content-Type: application/json"].as_slice(), headers].concat(), event)
    }

    fn ask(&self, request: &str, headers: &[&str], body: &str) -> (u16, Value) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let host = format!("Host: {}", self.address);
        let own =
            if headers.iter().any(|header| header.starts_with("Host:")) { Vec::new() } else { vec![host.as_str()] };
        let lines = [own.as_slice(), headers].concat().join("\r\n");
        let length = body.len();
        write!(stream, "{request} HTTP/1.1\r\n{lines}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap_or_else(|error| panic!("{request}: {error}: {answer}")))
    }
}

impl Drop for RunningBox {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn parkgate(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_parkgate")).args(arguments).current_dir(directory).output().unwrap()
}

/// Asserts that a command succeeds and returns what it prints.
fn says(directory: &Path, arguments: &[&str]) -> String {
    let output = parkgate(directory, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// Asserts that a command is refused with these words.
fn refused(directory: &Path, arguments: &[&str], words: &str) {
    let output = parkgate(directory, arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", text(&output.stdout));
    let said = text(&output.stderr);
    assert!(said.contains(words), "{arguments:?}: {said}");
}

const WASTE: [&str; 10] = [
    "declare",
    "add",
    "--person",
    "Lê An",
    "kind=waste",
    "stream=recycled",
    "period=2026-09",
    "quantity=12.5",
    "unit=t",
    "document=BB-1",
];

#[test]
fn told_declarations_need_a_second_person_and_no_name_leaves_the_box() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    std::fs::write(at.join("gateway.toml"), CONFIGURATION).unwrap();
    refused(at, &WASTE, "the store in data");
    let running = RunningBox::start(at);

    assert!(says(at, &WASTE).starts_with("declaration 1 is written down; it counts once a second person runs"));
    refused(at, &WASTE, "the same is declared already, as 1");
    // Upper case, spaces and the two ways in which Unicode writes ê make no second person.
    for one_person in [" lê  AN", "Le\u{302} An"] {
        refused(at, &["declare", "approve", "1", "--person", one_person], "was entered by the same person");
    }
    refused(at, &["declare", "approve", "9", "--person", "Bình"], "there is no declaration 9");
    assert!(
        says(at, &["declare", "approve", "1", "--person", "Bình"]).contains("declaration 1 is approved: it counts")
    );
    refused(at, &["declare", "approve", "1", "--person", "Chi"], "declaration 1 is approved already");
    refused(
        at,
        &["declare", "add", "--person", "Lê An", "kind=waste", "period=2026-19", "quantity=-2", "unit=kWh"],
        "period \"2026-19\" is none of",
    );

    let listed: Value = serde_json::from_str(&says(at, &["declare", "list", "--json"])).unwrap();
    let said = |field: &str| listed[field].as_str().unwrap().to_owned();
    assert_eq!(
        (said("entered_by"), said("approved_by"), said("standing")),
        ("Lê An".into(), "Bình".into(), "approved".into())
    );
    assert_eq!(said("start"), "2026-08-31T17:00:00.000Z", "a month of the site");
    let answered = running.get("/api/v1/declarations");
    assert_eq!(answered["declarations"][0]["standing"], "approved");
    for name in ["Lê An", "Bình"] {
        assert!(!answered.to_string().contains(name), "{answered}");
    }

    assert!(says(at, &["declare", "withdraw", "1", "--person", "Chi"]).contains("no longer counts"));
    refused(at, &["declare", "withdraw", "1", "--person", "Chi"], "declaration 1 is withdrawn already");
    refused(at, &["declare", "compare", "1"], "declaration 1 is no electricity bill");
}

#[test]
fn told_bills_of_a_time_without_measurement_are_not_called_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let running = RunningBox::start(at);
    let bill = ["kind=electricity_bill", "period=2026-09", "quantity=90", "unit=kWh", "document=HD-1"];
    says(at, &[["declare", "add", "--person", "An"].as_slice(), &bill].concat());
    let compared: Value = serde_json::from_str(&says(at, &["declare", "compare", "1", "--json"])).unwrap();
    assert_eq!((&compared["verdict"], &compared["billed_kwh"]), (&"not_measured".into(), &"90".into()), "{compared}");
    assert_eq!(running.get("/api/v1/declarations/1/comparison"), compared, "one answer, wherever it is asked");
}

#[test]
fn told_context_of_a_file_counts_once_and_what_cant_be_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let running = RunningBox::start(at);
    let lines = "id,asset,at,kind,reason\n\
                 e1,press-1,2026-10-05T08:30:00+07:00,stop_start,no-material\n\
                 e2,press-1,2026-10-05T08:40:00+07:00,stop_end,\n\
                 e3,press-1,2026-10-05T08:50:00+07:00,stop_start,lunch\n\
                 e4,press-9,2026-10-05T08:50:00+07:00,stop_end,\n";
    std::fs::write(at.join("told.csv"), lines).unwrap();
    for counts in ["2 told, 0 told before, 2 left out", "0 told, 2 told before, 2 left out"] {
        let output = parkgate(at, &["context", "import", "told.csv"]);
        assert_eq!(output.status.code(), Some(1), "what is left out shows in the exit code");
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert!((out.clone() + &err).contains(counts), "{out}{err}");
        assert!(err.contains("told.csv:4: left out: stop reason \"lunch\""), "{err}");
        assert!(err.contains("told.csv:5: left out: asset \"press-9\""), "{err}");
    }

    let listed = says(at, &["context", "list"]);
    assert_eq!(listed.lines().count(), 3, "{listed}");
    std::fs::write(at.join("again.csv"), &listed).unwrap();
    let again = says(at, &["context", "import", "again.csv"]);
    assert!(again.contains("0 told, 2 told before, 0 left out"), "{again}");
    let events = running.get("/api/v1/context")["events"].as_array().unwrap().clone();
    let kinds: Vec<&str> = events.iter().filter_map(|event| event["event"]["kind"].as_str()).collect();
    assert_eq!(kinds, ["stop_start", "stop_end"]);
    assert_eq!(events[0]["event"]["at"], "2026-10-05T01:30:00.000Z");
}

const STOP: &str = r#"{"id": "e1", "asset": "press-1", "at": "2026-10-05T08:30:00+07:00", "kind": "stop_start", "reason": "no-material"}"#;

#[test]
fn told_context_of_the_api_counts_once_and_what_cant_be_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let running = RunningBox::start(directory.path());
    assert_eq!(running.tell(&[], STOP).0, 201);
    let (status, again) = running.tell(&[], STOP);
    assert_eq!((status, &again["statement"]), (200, &1.into()), "told again it counts once");
    for (event, status, words) in [
        (STOP.replace("08:30", "08:31"), 409, "statement 1 has the same id and says something else"),
        (STOP.replace("press-1", "press-9").replace("e1", "e2"), 422, "press-9"),
        (STOP.replace("no-material", "lunch").replace("e1", "e2"), 422, "lunch"),
        (STOP.replace("stop_start", "product").replace("reason", "product").replace("e1", "e2"), 422, "product"),
        (STOP.replace("stop_start", "stopped").replace("e1", "e2"), 400, "stopped"),
        (STOP.replace("kind", "sort").replace("e1", "e2"), 400, "sort"),
        (STOP.replace("+07:00", "").replace("e1", "e2"), 400, "2026-10-05T08:30:00"),
        ("{".to_owned(), 400, "EOF"),
    ] {
        let (answered, problem) = running.tell(&[], &event);
        assert_eq!(answered, status, "{event}: {problem}");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(words)), "{event}: {problem}");
    }
    let (status, problem) = running.ask("POST /api/v1/context", &["Content-Type: text/plain"], STOP);
    assert_eq!(status, 400, "a form of another page may not tell: {problem}");

    let end = STOP.replace("e1", "e2").replace("08:30", "08:40").replace("stop_start", "stop_end");
    assert_eq!(running.tell(&[], &end.replace(r#", "reason": "no-material""#, "")).0, 201);
    let numbers = |path: &str| -> Vec<i64> {
        let listed = running.get(path)["events"].as_array().unwrap().clone();
        listed.iter().filter_map(|event| event["statement"].as_i64()).collect()
    };
    assert_eq!(numbers("/api/v1/context"), [1, 2]);
    assert_eq!(numbers("/api/v1/context?after=1"), [2]);
    assert_eq!(numbers("/api/v1/context?asset=site"), [0_i64; 0]);
    assert_eq!(says(directory.path(), &["context", "list"]).lines().count(), 3, "the command line lists the same");
}

#[test]
fn told_context_needs_the_token_and_without_one_a_request_of_this_machine() {
    let directory = tempfile::tempdir().unwrap();
    let open = RunningBox::start(directory.path());
    let (status, problem) = open.tell(&["Host: evil.example"], STOP);
    assert_eq!(status, 403, "{problem}");
    drop(open);
    let guarded = CONFIGURATION.replace("[http]\n", "[http]\ntoken = { env = \"TOLD_TOKEN\" }\n");
    let guarded = RunningBox::start_with(directory.path(), &guarded);
    for (authorization, status) in
        [("X-None: 1", 401), ("Authorization: Bearer guess", 401), ("Authorization: Bearer s3cret", 201)]
    {
        let (answered, body) = guarded.tell(&[authorization], STOP);
        assert_eq!(answered, status, "{authorization}: {body}");
        assert!(!body.to_string().contains("s3cret"));
    }
}
