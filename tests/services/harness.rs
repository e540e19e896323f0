//! What every service test stands on: processes that die with their test, free ports, waiting for events.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a service may take until it answers. Generous: a loaded machine is no failure.
const READY: Duration = Duration::from_secs(30);

/// A process that is killed, by its own id, when it goes out of scope.
pub(crate) struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command` in `directory`; standard output and error are appended to `<name>.log` there.
    pub(crate) fn start(name: &str, command: &mut Command, directory: &Path) -> Self {
        let log = directory.join(format!("{name}.log"));
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&log).unwrap();
        let child = command
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{name} can't be started ({error}): tests/run installs what these tests need")
            });
        Self { name: name.to_owned(), child, log }
    }

    /// Starts a server on a free port and waits until it accepts a connection there.
    pub(crate) fn serve(name: &str, directory: &Path, command: impl Fn(u16) -> Command) -> (Self, u16) {
        // Between finding a port and taking it, somebody else may have taken it.
        for _ in 0..3 {
            let port = free_port();
            let mut process = Self::start(name, &mut command(port), directory);
            if process.accepts(port) {
                return (process, port);
            }
        }
        panic!("{name} does not start:\n{}", std::fs::read_to_string(directory.join(format!("{name}.log"))).unwrap())
    }

    /// Waits until the process accepts a connection; `false` when it ended instead.
    pub(crate) fn accepts(&mut self, port: u16) -> bool {
        let until = Instant::now() + READY;
        while Instant::now() < until {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return true;
            }
            if !self.is_running() {
                return false;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("{} does not listen on port {port} after {READY:?}:\n{}", self.name, self.log())
    }

    /// Says whether it has not ended yet.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Kills it the hard way and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to end, as Ctrl-C does, and returns its exit code and how long it took; panics after 15 s.
    pub(crate) fn interrupt(&mut self) -> (Option<i32>, Duration) {
        let started = Instant::now();
        assert!(Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap().success());
        let status =
            eventually(&format!("{} to end", self.name), Duration::from_secs(15), || self.child.try_wait().unwrap());
        (status.code(), started.elapsed())
    }

    /// Everything it printed so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = self.log();
            let tail: Vec<&str> = log.lines().rev().take(30).collect();
            eprintln!("---- last lines of {}:", self.name);
            tail.iter().rev().for_each(|line| eprintln!("{line}"));
        }
    }
}

/// A port that nobody listens on and that this process hands out once.
///
/// It lies below the range from which the system takes ports for outgoing connections: there, a test that asks whether
/// somebody listens may end up connected to itself, and another test's connection may sit on the port.
pub(crate) fn free_port() -> u16 {
    static NEXT: OnceLock<AtomicU16> = OnceLock::new();
    let next = NEXT.get_or_init(|| AtomicU16::new(fastrand::u16(0..12_000)));
    (0..12_000)
        .map(|_| 20_000 + next.fetch_add(1, Ordering::SeqCst) % 12_000)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a port below 32,000 is free")
}

/// Asks again until there is an answer; panics, naming `what`, after `limit`.
pub(crate) fn eventually<T>(what: &str, limit: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + limit;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < until, "waited {limit:?} in vain for {what}");
        std::thread::sleep(Duration::from_millis(25));
    }
}

/// The `parkgate` binary under test.
pub(crate) fn parkgate() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_parkgate"));
    command.env("PARKGATE_LOG", "info").env_remove("NO_COLOR");
    command
}

/// A program that a test needs: what `tests/run` found, else its name for the search path.
pub(crate) fn program(variable: &str, name: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| name.to_owned())
}

/// Chromium's path.
pub(crate) fn chromium() -> String {
    program("PARKGATE_TEST_CHROMIUM", "chromium")
}

/// A Mosquitto broker with its own configuration and files.
pub(crate) struct Mosquitto {
    /// Where it listens, on loopback.
    pub(crate) port: u16,
    process: Process,
    directory: TempDir,
}

impl Mosquitto {
    /// Starts a broker that lets anybody in, keeps sessions over a restart, and never drops a queued message.
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (process, port) =
            Process::serve("mosquitto", directory.path(), |port| Self::command(directory.path(), port));
        Self { port, process, directory }
    }

    /// Stops the broker in the ordinary way and starts it again on the same port, with the sessions it kept.
    pub(crate) fn restart(&mut self) {
        self.stop();
        self.start_again();
    }

    /// Stops the broker in the ordinary way, so that it saves its sessions.
    pub(crate) fn stop(&mut self) {
        self.process.interrupt();
    }

    /// Starts the broker again on the same port.
    pub(crate) fn start_again(&mut self) {
        let mut command = Self::command(self.directory.path(), self.port);
        self.process = Process::start("mosquitto", &mut command, self.directory.path());
        assert!(self.process.accepts(self.port), "mosquitto does not start again:\n{}", self.process.log());
    }

    fn command(directory: &Path, port: u16) -> Command {
        let configuration = directory.join("mosquitto.conf");
        let place = directory.display();
        std::fs::write(
            &configuration,
            format!(
                "listener {port} 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location {place}/\n\
                 max_queued_messages 0\nlog_dest stderr\n"
            ),
        )
        .unwrap();
        // Run as root, it would change to a user that can't write here.
        std::fs::OpenOptions::new().append(true).open(&configuration).unwrap().write_all(b"user root\n").unwrap();
        let mut command = Command::new(program("PARKGATE_TEST_MOSQUITTO", "mosquitto"));
        command.arg("-c").arg(configuration);
        command
    }
}

/// A publisher that knows what the broker has taken over.
pub(crate) struct Publisher {
    client: rumqttc::Client,
    acknowledged: std::sync::mpsc::Receiver<()>,
}

impl Publisher {
    /// Connects to a broker on loopback.
    pub(crate) fn connect(port: u16, name: &str) -> Self {
        let mut options = rumqttc::MqttOptions::new(name, "127.0.0.1", port);
        options.set_keep_alive(Duration::from_secs(30)).set_inflight(100).set_max_packet_size(1 << 21, 1 << 21);
        let (client, mut connection) = rumqttc::Client::new(options, 1000);
        let (sender, acknowledged) = std::sync::mpsc::sync_channel(100_000);
        std::thread::spawn(move || {
            for event in connection.iter() {
                match event {
                    Ok(rumqttc::Event::Incoming(rumqttc::Packet::PubAck(_))) => {
                        if sender.send(()).is_err() {
                            return;
                        }
                    }
                    Ok(_) => {}
                    Err(rumqttc::ConnectionError::RequestsDone) => return,
                    Err(_) => std::thread::sleep(Duration::from_millis(100)),
                }
            }
        });
        Self { client, acknowledged }
    }

    /// Publishes with QoS 1 and returns when the broker has acknowledged it.
    pub(crate) fn publish(&self, topic: &str, payload: &str) {
        self.publish_all(&[(topic.to_owned(), payload.to_owned())]);
    }

    /// Publishes with QoS 1, in order, and returns when the broker has acknowledged all.
    pub(crate) fn publish_all(&self, messages: &[(String, String)]) {
        self.send(messages, false);
    }

    /// As [`Publisher::publish_all`]; the broker keeps the newest of each topic for whoever subscribes later.
    pub(crate) fn retain_all(&self, messages: &[(String, String)]) {
        self.send(messages, true);
    }

    fn send(&self, messages: &[(String, String)], retain: bool) {
        for (topic, payload) in messages {
            self.client.publish(topic, rumqttc::QoS::AtLeastOnce, retain, payload.as_bytes()).unwrap();
        }
        for _ in messages {
            self.acknowledged.recv_timeout(READY).expect("the broker acknowledges");
        }
    }
}

/// A pymodbus server whose registers the test sets.
pub(crate) struct ModbusServer {
    /// Where it listens, on loopback; 0 where it is a serial line.
    pub(crate) port: u16,
    /// The same as a source's `url`.
    pub(crate) url: String,
    child: Child,
    answers: BufReader<std::process::ChildStdout>,
    directory: TempDir,
}

impl ModbusServer {
    /// Starts a server whose 1,000 registers and bits of each table are 0, for every unit.
    pub(crate) fn start() -> Self {
        Self::start_over("tcp")
    }

    /// The same over tcp, tls, rtu+tcp, or rtu: a pseudo-terminal.
    pub(crate) fn start_over(kind: &str) -> Self {
        // Between finding a port and taking it, somebody else may have taken it.
        (0..3).find_map(|_| Self::try_start(kind)).expect("pymodbus starts: tests/run installs it")
    }

    /// Returns the directory of its certificates.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    fn try_start(kind: &str) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        if kind == "tls" {
            crate::tls::certificates(directory.path());
        }
        let script = directory.path().join("modbus_server.py");
        std::fs::write(&script, include_str!("modbus_server.py")).unwrap();
        let port = free_port();
        let mut child = Command::new(program("PARKGATE_TEST_PYTHON", "python3"))
            .arg(&script)
            .arg(kind)
            .arg(port.to_string())
            .current_dir(directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python starts");
        let answers = BufReader::new(child.stdout.take().unwrap());
        let url = format!("{kind}://127.0.0.1:{port}");
        let mut server = Self { port, url, child, answers, directory };
        if kind == "rtu" {
            let path = server.line();
            server.url = format!("rtu://{path}?baud=9600");
            server.port = 0;
            return (!path.is_empty()).then_some(server);
        }
        let until = Instant::now() + READY;
        while Instant::now() < until && server.child.try_wait().unwrap().is_none() {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Some(server);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        None
    }

    /// Sets registers or bits of a table: coil, discrete, holding or input.
    pub(crate) fn set(&mut self, table: &str, address: u16, words: &[u16]) {
        let words: Vec<String> = words.iter().map(u16::to_string).collect();
        assert_eq!(self.tell(&format!("set {table} {address} {}", words.join(" "))), "ok");
    }

    /// Sets a 32-bit value, high word first.
    pub(crate) fn set_u32(&mut self, table: &str, address: u16, value: u32) {
        self.set(table, address, &[(value >> 16) as u16, (value & 0xffff) as u16]);
    }

    /// Makes each answer wait.
    pub(crate) fn delay(&mut self, by: Duration) {
        assert_eq!(self.tell(&format!("delay {}", by.as_millis())), "ok");
    }

    /// Makes each answer an exception of this code; 0 ends it.
    pub(crate) fn fail(&mut self, code: u8) {
        assert_eq!(self.tell(&format!("fail {code}")), "ok");
    }

    /// What was asked so far: function code, address, count.
    pub(crate) fn requests(&mut self) -> Vec<(u8, u16, u16)> {
        serde_json::from_str(&self.tell("requests")).unwrap()
    }

    fn tell(&mut self, command: &str) -> String {
        writeln!(self.child.stdin.as_mut().unwrap(), "{command}").unwrap();
        self.line()
    }

    fn line(&mut self) -> String {
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        answer.trim_end().to_owned()
    }
}

impl Drop for ModbusServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A VictoriaMetrics that takes InfluxDB 2 writes and answers Prometheus queries.
pub(crate) struct VictoriaMetrics {
    /// Where it listens, on loopback.
    pub(crate) port: u16,
    _process: Process,
    _directory: TempDir,
}

impl VictoriaMetrics {
    /// Starts one with an empty store.
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (process, port) = Process::serve("victoria-metrics", directory.path(), |port| {
            let mut command = Command::new(program("PARKGATE_TEST_VICTORIA_METRICS", "victoria-metrics"));
            command
                .arg(format!("-httpListenAddr=127.0.0.1:{port}"))
                .arg(format!("-storageDataPath={}", directory.path().join("data").display()))
                .args(["-retentionPeriod=100y", "-search.latencyOffset=0s", "-memory.allowedBytes=100MB"]);
            command
        });
        Self { port, _process: process, _directory: directory }
    }

    /// Returns every stored sample of the series that match: labels, milliseconds, values.
    pub(crate) fn export(&self, matching: &str) -> Vec<serde_json::Value> {
        // Fresh rows become visible to queries after a flush.
        http("GET", &format!("http://127.0.0.1:{}/internal/force_flush", self.port), None);
        let (status, body) =
            http("GET", &format!("http://127.0.0.1:{}/api/v1/export?match[]={matching}", self.port), None);
        assert_eq!(status, 200, "{body}");
        body.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// One HTTP request; returns status and body. Panics where there is no answer at all.
pub(crate) fn http(method: &str, url: &str, body: Option<(&str, &[u8])>) -> (u16, String) {
    try_http(method, url, body).unwrap_or_else(|| panic!("{method} {url}: no answer"))
}

/// One HTTP request; `None` where nobody answers.
pub(crate) fn try_http(method: &str, url: &str, body: Option<(&str, &[u8])>) -> Option<(u16, String)> {
    // The client wants a provider even where it speaks plain HTTP; a second installation changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20)).build().unwrap();
        let mut request = client.request(method.parse().unwrap(), url);
        if let Some((content_type, bytes)) = body {
            request = request.header("content-type", content_type).body(bytes.to_vec());
        }
        let response = request.send().await.ok()?;
        let status = response.status().as_u16();
        Some((status, response.text().await.ok()?))
    })
}

/// A GET that must answer 200 with JSON.
pub(crate) fn get_json(url: &str) -> serde_json::Value {
    let (status, body) = http("GET", url, None);
    assert_eq!(status, 200, "{url}: {body}");
    serde_json::from_str(&body).unwrap_or_else(|error| panic!("{url}: {error}: {body}"))
}
