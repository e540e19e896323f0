//! The box under load: the real binary with a configuration made here.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::devices::{PORT, address};
use crate::process::Process;

/// Registers that a device is asked for: 99 values, the first of 32 bits, in one request.
pub const REGISTERS: u16 = 100;
/// Values of one poll.
pub const VALUES: u64 = 99;

/// What is configured.
#[derive(Clone)]
pub struct Setup {
    pub devices: usize,
    /// Registers that each is asked for; one value less.
    pub registers: u16,
    pub every_ms: u64,
    /// Whether every raw value goes to the destination, and not only records.
    pub raw_values: bool,
    pub gzip: bool,
    pub destination: Option<String>,
}

/// A running box in a directory of its own.
pub struct Gateway {
    pub process: Process,
    address: String,
    directory: tempfile::TempDir,
}

/// What the packaged service sets.
fn environment() -> impl Iterator<Item = (&'static str, &'static str)> {
    let unit = include_str!("../../packaging/parkgate.service");
    unit.lines().filter_map(|line| line.strip_prefix("Environment=")?.split_once('='))
}

impl Gateway {
    /// Starts a box that polls devices: each is an asset with a counter and a power, and has 97 values more.
    pub fn modbus(setup: &Setup) -> Self {
        Self::modbus_with(setup, "", &[])
    }

    /// The same with further sections and arguments of `run`.
    pub fn modbus_with(setup: &Setup, sections: &str, arguments: &[&str]) -> Self {
        let mut text = profile(setup.registers);
        for device in 0..setup.devices {
            let (host, every) = (address(device), setup.every_ms);
            write!(
                text,
                "[[source]]\ntype = \"modbus\"\nname = \"d{device:05}\"\nurl = \"tcp://{host}:{PORT}\"\n\
                 profile = \"load\"\nevery = \"{every}ms\"\n\
                 [[asset]]\nid = \"a{device:05}\"\nparent = \"site\"\ntotal = \"d{device:05}.seq\"\n\
                 boundary = {{ electricity = [\"d{device:05}.power\"] }}\n"
            )
            .unwrap();
        }
        text.push_str("[[asset]]\nid = \"site\"\nlevel = \"site\"\nsum_children = [\"electricity\"]\n");
        Self::start_with(&(text + &sink(setup) + sections), arguments)
    }

    /// Starts a box with these sections, and what every box has.
    pub fn start(sections: &str) -> Self {
        Self::start_with(sections, &[])
    }

    fn start_with(sections: &str, arguments: &[&str]) -> Self {
        // Where the build is: /tmp may be memory, and then nothing is durable.
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let config = directory.path().join("gateway.toml");
        let text = format!(
            "[gateway]\nid = \"load\"\nenterprise = \"9900000016\"\npark = \"park\"\nsite = \"load\"\n\
             data_dir = \"{}\"\n[http]\nlisten = \"127.0.0.1:0\"\n{sections}",
            directory.path().join("data").display()
        );
        std::fs::write(&config, text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_parkgate"));
        command.envs(environment());
        let log = std::fs::File::create(directory.path().join("log")).unwrap();
        let (process, ready) =
            Process::start(command.args(["run", "-c"]).arg(&config).args(arguments).stderr(Stdio::from(log)));
        let address = ready.rsplit_once("http://").map(|(_, address)| address.to_owned());
        let log = || std::fs::read_to_string(directory.path().join("log")).unwrap_or_default();
        let address = address.unwrap_or_else(|| panic!("the box doesn't start: {ready}\n{}", log()));
        Self { process, address, directory }
    }

    /// Returns the counts of each component on its health board.
    pub fn health(&self) -> Health {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET /api/v1/health HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.address).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (_, text) = answer.split_once("\r\n\r\n").unwrap();
        Health(serde_json::from_str::<Value>(text).unwrap())
    }

    /// Returns of each page by its number when it was cut, plant time, and its size. **Unit**: ms, bytes.
    pub fn pages(&self) -> BTreeMap<u64, (i64, u64)> {
        let connection = rusqlite::Connection::open(self.directory.path().join("data/parkgate.db")).unwrap();
        connection.busy_timeout(Duration::from_secs(5)).unwrap();
        let mut statement = connection.prepare("SELECT seq, created_at, length(bytes) FROM pages").unwrap();
        let rows = statement.query_map([], |row| {
            Ok((row.get::<_, i64>(0)?.unsigned_abs(), (row.get(1)?, row.get::<_, i64>(2)?.unsigned_abs())))
        });
        rows.unwrap().map(Result::unwrap).collect()
    }

    /// Waits until the components hold what is asked for.
    pub fn wait_for(&self, what: &str, limit: Duration, holds: impl Fn(&Health) -> bool) {
        let begun = Instant::now();
        while !holds(&self.health()) {
            assert!(begun.elapsed() < limit, "never: {what}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// Returns the size of the store and of its log of pending pages. **Unit**: MB.
    pub fn stored_mb(&self) -> f64 {
        let size = |name: &str| {
            let path: &Path = self.directory.path();
            std::fs::metadata(path.join("data").join(name)).map_or(0.0, |file| file.len() as f64)
        };
        (size("parkgate.db") + size("parkgate.db-wal")) / 1e6
    }
}

/// A health board.
pub struct Health(Value);

impl Health {
    fn components(&self) -> &Value {
        &self.0["components"]
    }

    /// Returns the plant's time of the report. **Unit**: ms.
    pub fn at_ms(&self) -> i64 {
        self.0["at"].as_str().unwrap().parse::<parkgate::model::time::Timestamp>().unwrap().0
    }

    /// Sums a count over the components whose name starts so.
    pub fn sum(&self, prefix: &str, count: &str) -> u64 {
        let components = self.components().as_object().unwrap().iter().filter(|(name, _)| name.starts_with(prefix));
        components.map(|(_, component)| number(&component["counts"][count])).sum()
    }

    /// Returns a count of one component.
    pub fn count(&self, name: &str, count: &str) -> u64 {
        number(&self.components()[name]["counts"][count])
    }

    /// Returns how many components whose name starts so are well.
    pub fn well(&self, prefix: &str) -> usize {
        let components = self.components().as_object().unwrap().iter().filter(|(name, _)| name.starts_with(prefix));
        components.filter(|(_, component)| component["status"] == "ok").count()
    }

    /// Returns status and detail of one component.
    pub fn state(&self, name: &str) -> String {
        let component = &self.components()[name];
        format!("{} {}", component["status"], component["detail"])
    }
}

/// The API writes counts beyond 2⁵³ as text.
fn number(value: &Value) -> u64 {
    value.as_u64().or_else(|| value.as_str()?.parse().ok()).unwrap_or(0)
}

/// Returns the section of a hub that gets every asset's records of each minute.
pub fn platform(url: &str) -> String {
    format!(
        "[records]\ngrains = [\"minute\"]\n[[sink]]\ntype = \"platform\"\nname = \"hub\"\nurl = \"{url}\"\n\
         share = {{ kpis = [\"electricity\"], level = \"unit\", grain = \"minute\" }}\n"
    )
}

/// Returns the section of a history that gets every raw value and nothing else.
pub fn samples(url: &str) -> String {
    format!(
        "[[sink]]\ntype = \"influxdb2\"\nname = \"history\"\nurl = \"{url}\"\norg = \"o\"\nbucket = \"b\"\n\
         send = [\"samples\"]\ngzip = false\n"
    )
}

fn sink(setup: &Setup) -> String {
    let Some(url) = &setup.destination else { return String::new() };
    let send = if setup.raw_values { "\"records\", \"samples\"" } else { "\"records\"" };
    let gzip = setup.gzip;
    format!(
        "[[sink]]\ntype = \"influxdb2\"\nname = \"load\"\nurl = \"{url}\"\norg = \"o\"\nbucket = \"b\"\n\
         send = [{send}]\ngzip = {gzip}\n"
    )
}

/// The map of the devices.
fn profile(registers: u16) -> String {
    let mut text = "[[profile]]\nname = \"load\"\nvendor = \"none\"\nmodel = \"none\"\nconfidence = \"one_source\"\n\
                    sources = [\"benches/load/devices.rs\"]\n"
        .to_owned();
    let mut register = |point: &str, address: u16, kind: &str, more: &str| {
        write!(
            text,
            "[[profile.register]]\npoint = \"{point}\"\naddress = {address}\ntable = \"holding\"\n\
             type = \"{kind}\"\n{more}\n"
        )
        .unwrap();
    };
    register("seq", 0, "uint32", "unit = \"1\"\nkind = \"counter\"");
    register("power", 2, "uint16", "unit = \"W\"");
    for address in 3..registers {
        register(&format!("r{address:02}"), address, "uint16", "unit = \"1\"");
    }
    text
}
