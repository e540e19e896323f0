//! Text files onto servers that we did not write: OpenSSH and vsftpd, across outages, cut connections and changed keys.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use parkgate::model::fact::{FactRow, Facts, Measure};
use parkgate::model::id::{AssetId, Digest};
use parkgate::model::pollutant::Parameter;
use parkgate::model::time::{MINUTE_MS, Timestamp};
use parkgate::runtime::clock::Clock;
use parkgate::runtime::health::{Health, Status};
use parkgate::sinks::files::config::FilesSink;
use parkgate::sinks::files::{encode, run};
use parkgate::store::{Commit, Exchange, Outcome, Store};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::fault_proxy::{FaultProxy, Mode};
use crate::harness::{Process, eventually, program};

const WAIT: Duration = Duration::from_secs(60);
/// Files that wait at the beginning.
const CYCLES: i64 = 40;
/// The name of the sink's one station, in health and in the log of exchanges.
const SINK: &str = "donre.NUO001";

fn noon() -> Timestamp {
    "2026-01-01T12:00:00+07:00".parse().unwrap()
}

/// A store with [`CYCLES`] whole cycles, and the sink that sends their files.
struct Sink {
    store: Store,
    health: Health,
    token: CancellationToken,
    running: JoinHandle<()>,
    _wake: watch::Sender<u64>,
}

impl Sink {
    /// Starts a sink whose `[sink.server]` is this table.
    fn start(server: &str) -> Self {
        let text = format!(
            "name = \"donre\"\nprovince = \"HN\"\nfacility = \"ABCD\"\naccepted = \"letter 12, 2026-01-01\"\n\
             server = {{ timeout = \"3s\", {server} }}\nstation = [{{ name = \"NUO001\", channels = [{{ id = \"cod\" }}] }}]"
        );
        let config: FilesSink = toml::from_str(&text).unwrap();
        let stations = config.stations(|id| Parameter::from_name(id.as_str()));
        let mut store = Store::open_in_memory(&[], Digest::ZERO, "").unwrap();
        let minutes: Vec<FactRow> = (0..CYCLES * 5).map(minute).collect();
        store.commit(&Commit { facts: &minutes, ..Commit::default() }).unwrap();
        // The sink has worked until noon.
        store.cursors().unwrap().set(SINK, encode::number_at(noon()) - 1).unwrap();
        let (wake, token, health) = (watch::Sender::new(0), CancellationToken::new(), Health::default());
        let clock = Clock::scaled(noon() + 24 * 60 * MINUTE_MS, 1.0);
        let cursors = Arc::new(Mutex::new(store.cursors().unwrap()));
        let sink =
            run(config, stations, store.reader(), cursors, wake.subscribe(), clock, health.clone(), token.clone());
        Self { store, health, token, running: tokio::spawn(sink), _wake: wake }
    }

    fn status(&self) -> (Status, String) {
        self.health
            .snapshot()
            .get(&format!("sink.{SINK}"))
            .map_or((Status::Ok, String::new()), |component| (component.status, component.detail.clone()))
    }

    /// Waits until a person is needed; returns why.
    fn until_failed(&self) -> String {
        eventually("a failed sink", WAIT, || {
            let (status, detail) = self.status();
            (status == Status::Failed).then_some(detail)
        })
    }

    fn until_delivered(&self) {
        let (reader, through) = (self.store.reader(), encode::number_at(noon()) - 1 + CYCLES as u64);
        eventually("every file", WAIT, || (reader.cursor(SINK).unwrap() == through).then_some(()));
        // The cycles after them are over, and their minutes still to come.
        let waiting = encode::number_at(noon() + 24 * 60 * MINUTE_MS) - through - 1;
        eventually("the backlog", WAIT, || {
            let counts = self.health.snapshot().remove(&format!("sink.{SINK}"))?.counts;
            (counts.get("backlog_files") == Some(&waiting) && counts["backlog_seconds"] > 70_000).then_some(())
        });
    }

    /// Ends the sink and returns what it wrote down.
    async fn stop(self) -> Vec<Exchange> {
        self.token.cancel();
        tokio::time::timeout(WAIT, self.running).await.unwrap().unwrap();
        let exchanges = self.store.reader().exchanges(Some(SINK), 0, 1000).unwrap();
        exchanges.into_iter().map(|(_, exchange)| exchange).collect()
    }
}

/// One minute after noon in which the cycle's number was measured.
fn minute(number: i64) -> FactRow {
    let (ms, value) = (i128::from(MINUTE_MS), i128::from(number / 5 + 1));
    let facts: Facts =
        [(Measure::ChannelExpected, ms), (Measure::ValidTime, ms), (Measure::ValueTime, value * 1_000_000 * ms)]
            .into_iter()
            .collect();
    FactRow { asset: AssetId::new("cod").unwrap(), minute: noon() + number * MINUTE_MS, facts }
}

/// What the server must hold in the end.
fn expected() -> BTreeMap<String, String> {
    let file = |number: i64| {
        let at = format!("20260101{:02}{:02}00", 12 + (number * 5) / 60, (number * 5) % 60);
        let text = format!("COD\t{number}.00\tmg/L\t{at}\t00\r\n");
        (format!("NUO001/2026/01/01/HN_ABCD_NUO001_{at}.txt"), text)
    };
    (1..=CYCLES).map(file).collect()
}

/// Every file below a directory, hidden ones too.
pub(crate) fn tree(root: &Path) -> BTreeMap<String, String> {
    let (mut files, mut open) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                // Renamed between the look at the folder and the look into it.
                files.extend(std::fs::read_to_string(&path).ok().map(|text| (name, text)));
            }
        }
    }
    files
}

/// What stands under a final name is whole, and a file comes only after those before it.
fn assert_whole_and_in_order(root: &Path) -> usize {
    let expected = expected();
    let held: BTreeMap<String, String> = tree(root).into_iter().filter(|(name, _)| !name.ends_with(".part")).collect();
    assert!(held.iter().eq(expected.iter().take(held.len())), "{held:?}");
    held.len()
}

/// Lets the server keep silent, then the link break off in the middle, at another place each time, then lets the sink go on.
fn break_and_mend(sink: &Sink, proxy: &FaultProxy, root: &Path, after_bytes: &[usize]) {
    let failures = || {
        let board = sink.health.snapshot();
        board.get(&format!("sink.{SINK}")).and_then(|sink| sink.counts.get("failed_attempts").copied()).unwrap_or(0)
    };
    eventually("a server that isn't there", WAIT, || (sink.status().0 == Status::Degraded).then_some(()));
    let cuts = after_bytes.iter().map(|bytes| Mode::CutAfter(*bytes));
    for mode in [Mode::Stall].into_iter().chain(cuts) {
        let before = failures();
        proxy.set(mode);
        eventually("an attempt that fails", WAIT, || (failures() > before).then_some(()));
        assert_whole_and_in_order(root);
    }
    let before = assert_whole_and_in_order(root);
    assert!(before < CYCLES as usize, "the cuts fell into the work");
    proxy.set(Mode::Pass);
    sink.until_delivered();
}

/// Every file is acknowledged once, in order, with the place it went to, and failures are written down too.
fn check_exchanges(exchanges: &[Exchange], place: &str) {
    let acknowledged = exchanges.iter().filter(|it| it.outcome == Outcome::Acknowledged);
    let names: Vec<String> = acknowledged.filter_map(|it| it.name.clone()).collect();
    assert_eq!(names, expected().into_keys().collect::<Vec<_>>());
    assert!(exchanges.iter().all(|it| it.destination == place), "{exchanges:?}");
    assert!(exchanges.iter().any(|it| it.outcome == Outcome::Failed));
}

/// An OpenSSH server of our own: ordinary process, own keys, own folder.
pub(crate) struct Sshd {
    /// Where it listens, on loopback.
    pub(crate) port: u16,
    process: Process,
    directory: TempDir,
}

impl Sshd {
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path();
        for key in ["host", "other-host", "user", "other-user"] {
            make_key(place, key);
        }
        std::fs::copy(place.join("user.pub"), place.join("authorized")).unwrap();
        std::fs::create_dir(place.join("home")).unwrap();
        if is_root() {
            // Compiled into sshd, which wants it where it can change users; Debian makes it when the service starts.
            std::fs::create_dir_all("/run/sshd").unwrap();
        }
        let (process, port) = Process::serve("sshd", place, |port| Self::command(place, port, "host"));
        Self { port, process, directory }
    }

    /// Stops it and starts it on the same port with another host key.
    fn restart_as(&mut self, host_key: &str) {
        self.process.kill();
        let mut command = Self::command(self.directory.path(), self.port, host_key);
        self.process = Process::start("sshd", &mut command, self.directory.path());
        assert!(self.process.accepts(self.port), "sshd does not start again:\n{}", self.process.log());
    }

    fn command(place: &Path, port: u16, host_key: &str) -> Command {
        let here = place.display();
        let text = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {here}/{host_key}\nPidFile none\nAuthorizedKeysFile {here}/authorized\n\
             StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n\
             MaxStartups 100\nSubsystem sftp internal-sftp -d {here}/home\n"
        );
        std::fs::write(place.join("sshd_config"), text).unwrap();
        let mut command = Command::new(program("PARKGATE_TEST_SSHD", "/usr/sbin/sshd"));
        command.args(["-D", "-e", "-f"]).arg(place.join("sshd_config"));
        command
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.directory.path().join("home")
    }

    fn fingerprint(&self, key: &str) -> String {
        let path = self.directory.path().join(format!("{key}.pub"));
        let said = Command::new("ssh-keygen").arg("-lf").arg(path).output().unwrap();
        String::from_utf8(said.stdout).unwrap().split_whitespace().nth(1).unwrap().to_owned()
    }

    /// A server's table for the sink.
    pub(crate) fn table(&self, port: u16, user_key: &str, host_key: &str) -> String {
        format!(
            "url = \"sftp://127.0.0.1:{port}\", username = {:?}, private_key = {{ file = {:?} }}, host_key = {:?}",
            said("id", "-un"),
            self.directory.path().join(user_key),
            self.fingerprint(host_key)
        )
    }
}

fn make_key(place: &Path, name: &str) {
    let made =
        Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", name]).current_dir(place).status();
    assert!(made.unwrap().success());
}

fn is_root() -> bool {
    said("id", "-u") == "0"
}

fn said(command: &str, argument: &str) -> String {
    let output = Command::new(command).arg(argument).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs openssh-server; run by tests/run"]
async fn openssh_gets_every_file_once_and_in_order_whatever_cuts_the_link() {
    let server = Sshd::start();
    let proxy = FaultProxy::start(server.port);
    proxy.set(Mode::Cut);
    let sink = Sink::start(&server.table(proxy.port, "user", "host"));
    // Into the key exchange, the login, the first files, and further ones.
    break_and_mend(&sink, &proxy, &server.home(), &[600, 1800, 2600, 3200, 4000, 5000]);
    assert_eq!(tree(&server.home()), expected(), "each file once, whole, and no other");
    eventually("a sink that is well", WAIT, || (sink.status().0 == Status::Ok).then_some(()));
    check_exchanges(&sink.stop().await, &format!("127.0.0.1:{}", proxy.port));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs openssh-server; run by tests/run"]
async fn a_file_that_openssh_has_already_is_replaced_by_itself() {
    let server = Sshd::start();
    for _ in 0..2 {
        // The second sink knows nothing of the first one's files, as after a crash before the cursor moved.
        let sink = Sink::start(&server.table(server.port, "user", "host"));
        sink.until_delivered();
        assert_eq!(tree(&server.home()), expected());
        sink.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs openssh-server; run by tests/run"]
async fn a_host_key_that_changed_gets_nothing_and_a_person_is_told_both() {
    let mut server = Sshd::start();
    server.restart_as("other-host");
    let sink = Sink::start(&server.table(server.port, "user", "host"));
    let told = sink.until_failed();
    for part in [server.fingerprint("host"), server.fingerprint("other-host"), "Ask the department".to_owned()] {
        assert!(told.contains(&part), "{told}");
    }
    assert_eq!(tree(&server.home()), BTreeMap::new());
    server.restart_as("host");
    sink.until_delivered();
    assert_eq!(tree(&server.home()), expected());
    sink.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs openssh-server; run by tests/run"]
async fn a_login_that_openssh_refuses_needs_a_person() {
    let server = Sshd::start();
    let sink = Sink::start(&server.table(server.port, "other-user", "host"));
    let told = sink.until_failed();
    assert!(told.contains("refuses user") && told.contains("with this private key"), "{told}");
    let exchanges = sink.stop().await;
    assert!(exchanges.iter().all(|it| it.outcome == Outcome::Failed && it.answer == told), "{exchanges:?}");
}

/// A vsftpd of our own that lets "anonymous" in with one password, over TLS alone.
struct Vsftpd {
    port: u16,
    _process: Process,
    directory: TempDir,
}

impl Vsftpd {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path();
        crate::tls::certificates(place);
        std::fs::write(place.join("passwords"), "s3cret\n").unwrap();
        std::fs::create_dir(place.join("empty")).unwrap();
        std::fs::create_dir_all(place.join("root/upload")).unwrap();
        let (process, port) = Process::serve("vsftpd", place, |port| {
            std::fs::write(place.join("vsftpd.conf"), Self::configuration(place, port)).unwrap();
            let mut command = Command::new(program("PARKGATE_TEST_VSFTPD", "/usr/sbin/vsftpd"));
            command.arg(place.join("vsftpd.conf"));
            command
        });
        Self { port, _process: process, directory }
    }

    /// The list of passwords of its anonymous user is the one that needs neither PAM nor users of the machine. That a
    /// file's TLS session goes on with the control connection's is vsftpd's default.
    fn configuration(place: &Path, port: u16) -> String {
        // Below the ports that tests hand out: a listener here must not pass for another test's server.
        let (here, passive) = (place.display(), 12_000 + fastrand::u16(0..7_900));
        format!(
            "listen=YES\nlisten_address=127.0.0.1\nlisten_port={port}\nbackground=NO\nrun_as_launching_user=YES\n\
             seccomp_sandbox=NO\nisolate=NO\nisolate_network=NO\nsecure_chroot_dir={here}/empty\n\
             anonymous_enable=YES\nlocal_enable=NO\nsecure_email_list_enable=YES\nemail_password_file={here}/passwords\n\
             anon_root={here}/root\nwrite_enable=YES\nanon_upload_enable=YES\nanon_mkdir_write_enable=YES\n\
             anon_other_write_enable=YES\nanon_world_readable_only=NO\nftp_username={}\n\
             ssl_enable=YES\nallow_anon_ssl=YES\nforce_anon_logins_ssl=YES\nforce_anon_data_ssl=YES\n\
             rsa_cert_file={here}/server.pem\nrsa_private_key_file={here}/server.key\n\
             pasv_min_port={passive}\npasv_max_port={}\n",
            said("id", "-un"),
            passive + 30
        )
    }

    fn upload(&self) -> PathBuf {
        self.directory.path().join("root/upload")
    }

    /// A server's table for the sink.
    fn table(&self, port: u16, password: &str, authority: &str) -> String {
        let place = self.directory.path();
        std::fs::write(place.join("password"), password).unwrap();
        format!(
            "url = \"ftps://localhost:{port}/~/upload\", username = \"anonymous\", password = {{ file = {:?} }}, ca_file = {:?}",
            place.join("password"),
            place.join(authority)
        )
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs vsftpd and openssl; run by tests/run"]
async fn vsftpd_gets_every_file_once_and_in_order_whatever_cuts_the_link() {
    let server = Vsftpd::start();
    let proxy = FaultProxy::start(server.port);
    proxy.set(Mode::Cut);
    let sink = Sink::start(&server.table(proxy.port, "s3cret", "authority.pem"));
    // Into the greeting, TLS, the login, the first files, and further ones.
    break_and_mend(&sink, &proxy, &server.upload(), &[20, 500, 1900, 2600, 3500, 4500]);
    assert_eq!(tree(&server.upload()), expected(), "each file once, whole, and no other");
    eventually("a sink that is well", WAIT, || (sink.status().0 == Status::Ok).then_some(()));
    check_exchanges(&sink.stop().await, &format!("localhost:{}", proxy.port));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs vsftpd and openssl; run by tests/run"]
async fn a_file_that_vsftpd_has_already_is_replaced_by_itself() {
    let server = Vsftpd::start();
    for _ in 0..2 {
        let sink = Sink::start(&server.table(server.port, "s3cret", "authority.pem"));
        sink.until_delivered();
        assert_eq!(tree(&server.upload()), expected());
        sink.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs vsftpd and openssl; run by tests/run"]
async fn a_password_that_vsftpd_refuses_needs_a_person_and_a_strange_certificate_gets_nothing() {
    let server = Vsftpd::start();
    let sink = Sink::start(&server.table(server.port, "wr0ng", "authority.pem"));
    let told = sink.until_failed();
    assert!(told.contains("refuses user \"anonymous\" with this password"), "{told}");
    assert!(!told.contains("wr0ng"), "{told}");
    sink.stop().await;
    let sink = Sink::start(&server.table(server.port, "s3cret", "stranger.pem"));
    let told = eventually("a sink that trusts nobody", WAIT, || {
        let (status, detail) = sink.status();
        (status == Status::Degraded).then_some(detail)
    });
    assert!(told.contains("TLS"), "{told}");
    sink.stop().await;
    assert_eq!(tree(&server.upload()), BTreeMap::new());
}
