//! What crosses a network is authenticated: mqtts and https with a factory's own certificate authority.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::harness::{Process, Publisher, eventually, free_port, get_json, parkgate, program};

/// How long a state may take to show.
const SHOWS: Duration = Duration::from_secs(30);

/// Answers every PUT with 503 over TLS: enough to show that a page crossed.
const HTTPS_SERVER: &str = r#"
import http.server, ssl, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_PUT(self):
        self.rfile.read(int(self.headers['content-length']))
        self.send_response(503)
        self.send_header('content-length', '0')
        self.end_headers()
server = http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain('server.pem', 'server.key')
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"#;

#[test]
#[ignore = "needs mosquitto, openssl and python; run by tests/run"]
fn a_box_reads_mqtts_and_sends_over_https_where_it_knows_the_authority_and_nowhere_else() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    certificates(place);
    let plain = free_port();
    let (_broker, mqtts) = Process::serve("mosquitto", place, |port| mosquitto(place, port, plain));
    std::fs::write(place.join("https.py"), HTTPS_SERVER).unwrap();
    let (_receiver, https) = Process::serve("https", place, |port| {
        let mut command = Command::new(program("PARKGATE_TEST_PYTHON", "python3"));
        command.arg("https.py").arg(port.to_string());
        command
    });
    let publisher = Publisher::connect(plain, "meter");

    let (_known, http) = start_box(place, "known", mqtts, https, "authority.pem");
    eventually("the source reads", SHOWS, || is(&component(http, "source.floor"), "ok"));
    publisher.publish("floor/meter/energy", r#"{"v": 5, "ts": "2026-10-05T07:00:00+07:00"}"#);
    eventually("the message is read", SHOWS, || {
        (component(http, "source.floor")["counts"]["messages"] == 1).then_some(())
    });
    eventually("the platform has answered", SHOWS, || {
        component(http, "sink.hepza")["detail"].as_str().filter(|detail| detail.contains("503")).map(drop)
    });

    let (_stranger, http) = start_box(place, "stranger", mqtts, https, "stranger.pem");
    eventually("the broker is not trusted", SHOWS, || {
        let source = component(http, "source.floor");
        (source["status"] == "degraded" && source["counts"]["connections"].as_u64().unwrap_or(0) == 0).then_some(())
    });
    eventually("the platform is not trusted", SHOWS, || {
        let sink = component(http, "sink.hepza");
        let told = sink["detail"].as_str().unwrap_or_default();
        (sink["counts"]["failed_attempts"].as_u64() > Some(0) && !told.contains("503")).then_some(())
    });
}

#[test]
#[ignore = "needs mosquitto and openssl; run by tests/run"]
fn a_broker_that_asks_for_a_certificate_lets_in_the_box_that_has_one() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    certificates(place);
    let plain = free_port();
    let (_broker, mqtts) = Process::serve("mosquitto", place, |port| {
        let command = mosquitto(place, port, plain);
        let more = "cafile authority.pem\nrequire_certificate true\n";
        let text = std::fs::read_to_string(place.join("mosquitto.conf")).unwrap();
        std::fs::write(place.join("mosquitto.conf"), text + more).unwrap();
        command
    });
    let publisher = Publisher::connect(plain, "meter");
    let keys = "cert_file = \"client.pem\"\nkey_file = \"client.key\"\nversion = 311";
    let (_known, http) = start_box_with(place, "known", mqtts, 1, "authority.pem", keys);
    eventually("the source reads", SHOWS, || is(&component(http, "source.floor"), "ok"));
    publisher.publish("floor/meter/energy", r#"{"v": 5, "ts": "2026-10-05T07:00:00+07:00"}"#);
    eventually("the message is read", SHOWS, || {
        (component(http, "source.floor")["counts"]["messages"] == 1).then_some(())
    });
    let (_unknown, http) = start_box_with(place, "unknown", mqtts, 1, "authority.pem", "");
    eventually("the broker refuses", SHOWS, || {
        let source = component(http, "source.floor");
        let tried = source["counts"]["failed_attempts"].as_u64().unwrap_or(0) > 0;
        (source["status"] == "degraded" && tried && source["counts"]["messages"].is_null()).then_some(())
    });
}

/// Makes an authority, a server's certificate from it, and an authority that has nothing to do with it.
pub(crate) fn certificates(place: &Path) {
    let authority = |name: &str| {
        format!(
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN={name} \
             -addext basicConstraints=critical,CA:TRUE -keyout {name}.key -out {name}.pem"
        )
    };
    std::fs::write(place.join("names"), "subjectAltName=DNS:localhost\n").unwrap();
    for command in [
        authority("authority"),
        authority("stranger"),
        "openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost -keyout server.key \
         -out server.csr"
            .to_owned(),
        "openssl x509 -req -in server.csr -CA authority.pem -CAkey authority.key -CAcreateserial -days 2 -extfile names \
         -out server.pem"
            .to_owned(),
        "openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=box -keyout client.key \
         -out client.csr"
            .to_owned(),
        "openssl x509 -req -in client.csr -CA authority.pem -CAkey authority.key -CAcreateserial -days 2 -extfile names \
         -out client.pem"
            .to_owned(),
    ] {
        let words: Vec<&str> = command.split_whitespace().collect();
        let made = Command::new(words[0]).args(&words[1..]).current_dir(place).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }
}

fn mosquitto(place: &Path, port: u16, plain: u16) -> Command {
    let text = format!(
        "per_listener_settings false\nallow_anonymous true\nuser root\nlog_dest stderr\nlistener {plain} 127.0.0.1\n\
         listener {port} 127.0.0.1\ncertfile server.pem\nkeyfile server.key\n"
    );
    std::fs::write(place.join("mosquitto.conf"), text).unwrap();
    let mut command = Command::new(program("PARKGATE_TEST_MOSQUITTO", "mosquitto"));
    command.args(["-c", "mosquitto.conf"]);
    command
}

fn start_box(place: &Path, id: &str, mqtts: u16, https: u16, authority: &str) -> (Process, u16) {
    start_box_with(place, id, mqtts, https, authority, "")
}

/// Starts a box whose source has further keys.
fn start_box_with(place: &Path, id: &str, mqtts: u16, https: u16, authority: &str, keys: &str) -> (Process, u16) {
    Process::serve(id, place, |port| {
        let text = format!(
            r#"
            [gateway]
            id = "{id}"
            enterprise = "9900000016"
            park = "tan-thuan"
            site = "site"
            data_dir = "{id}-data"
            [http]
            listen = "127.0.0.1:{port}"
            [[source]]
            type = "mqtt"
            name = "floor"
            url = "mqtts://localhost:{mqtts}"
            ca_file = "{authority}"
            {keys}
            topic = [{{ filter = "floor/{{device}}/{{point}}", format = "json", value = "$.v", time = "$.ts" }}]
            point = [{{ name = "meter.energy", kind = "counter", unit = "kWh" }}]
            [[asset]]
            id = "site"
            boundary = {{ electricity = ["floor.meter.energy"] }}
            [[sink]]
            type = "platform"
            name = "hepza"
            url = "https://localhost:{https}"
            ca_file = "{authority}"
            share = {{ kpis = ["electricity"], level = "site", grain = "day" }}
            "#
        );
        let name = format!("{id}.toml");
        std::fs::write(place.join(&name), text).unwrap();
        let mut command = parkgate();
        command.args(["run", "-c", &name]);
        command
    })
}

fn component(http: u16, name: &str) -> Value {
    get_json(&format!("http://127.0.0.1:{http}/api/v1/health"))["components"][name].clone()
}

fn is(component: &Value, status: &str) -> Option<()> {
    (component["status"] == status).then_some(())
}
