//! How the commissioning commands reach a device and a person: one gentle connection, and questions with answers.
//!
//! The commands work beside a plant that runs. A [`Bus`] sends one request at a time, keeps a pause between them, and
//! reconnects where a device closed an idle connection. It reads, and can do nothing else.

use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use tokio::time::Instant;

use crate::sources::modbus::device::Device;
use crate::sources::modbus::link::{Identity, Link, LinkError};
use crate::sources::modbus::plan::{Answer, Request};
use crate::sources::modbus::sunspec::{BASES, Common, End, Model, Walk};
use crate::sources::modbus::transport::{Security, Transport};

/// Time that a device gets to see that a connection is gone.
const RELEASE: Duration = Duration::from_secs(1);

/// Whom a `tls://` connection trusts, and as whom it presents itself.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Certificates {
    /// TLS: authority that signed the device's certificate
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// TLS: certificate chain that is shown to the device
    #[arg(long, value_name = "FILE", requires = "key_file")]
    cert_file: Option<PathBuf>,
    /// TLS: private key of --cert-file
    #[arg(long, value_name = "FILE", requires = "cert_file")]
    key_file: Option<PathBuf>,
    /// TLS: name that the device's certificate carries, where it isn't the URL's host
    #[arg(long, value_name = "NAME")]
    server_name: Option<String>,
}

impl Certificates {
    pub(super) fn security(&self) -> Security {
        Security {
            ca_file: self.ca_file.clone(),
            cert_file: self.cert_file.clone(),
            key_file: self.key_file.clone(),
            server_name: self.server_name.clone(),
        }
    }

    /// Returns the keys of a source that say the same, as lines of TOML.
    pub(super) fn toml(&self) -> Vec<String> {
        let files = [("ca_file", &self.ca_file), ("cert_file", &self.cert_file), ("key_file", &self.key_file)];
        let files = files.into_iter().filter_map(|(key, file)| Some((key, file.as_ref()?.display().to_string())));
        let name = self.server_name.clone().map(|name| ("server_name", name));
        files.chain(name).map(|(key, text)| format!("{key} = {}", quoted(&text))).collect()
    }
}

/// Writes a text as TOML does.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// One connection that is asked one thing at a time.
pub(super) struct Bus {
    link: Link,
    limit: Duration,
    pause: Duration,
    connect_delay: Duration,
    free_at: Option<Instant>,
    /// Whether there has been a connection: then a refused one may only come too soon after it.
    was_open: bool,
}

impl Bus {
    /// Returns a bus that isn't connected yet. `limit` bounds each connection and each answer; `pause` is kept between
    /// an answer and the next request.
    pub(super) fn new(transport: Transport, security: Security, limit: Duration, pause: Duration) -> Self {
        Self {
            link: Link::new(transport, security),
            limit,
            pause,
            connect_delay: Duration::ZERO,
            free_at: None,
            was_open: false,
        }
    }

    /// Treats a device as its profile and its source ask: with their pauses, and off the addresses it can't bear.
    pub(super) fn spare(&mut self, device: &Device) {
        self.link.heed(device.unit, &device.limits);
        self.pause = self.pause.max(device.manners.request_pause);
        self.connect_delay = device.manners.connect_delay;
    }

    /// Opens the connection, where there is none. A device that serves one connection may need a moment to see that
    /// the last one is gone: it gets one, once.
    pub(super) async fn open(&mut self) -> Result<(), LinkError> {
        if self.link.is_connected() {
            return Ok(());
        }
        let mut outcome = self.link.connect(self.limit).await;
        if self.was_open && matches!(outcome, Err(LinkError::Connect(_))) {
            tokio::time::sleep(RELEASE).await;
            outcome = self.link.connect(self.limit).await;
        }
        if outcome.is_ok() {
            self.was_open = true;
            tokio::time::sleep(self.connect_delay).await;
        }
        outcome
    }

    /// Closes the connection; the next request opens another.
    pub(super) fn close(&mut self) {
        self.link.close();
    }

    /// Reads once; again over a new connection where an idle one turns out to have been closed.
    pub(super) async fn read(&mut self, unit: u8, request: Request) -> Result<Answer, LinkError> {
        self.turn().await?;
        let mut outcome = self.link.read(unit, request, self.limit).await;
        if self.was_idle(&outcome) {
            self.open().await?;
            outcome = self.link.read(unit, request, self.limit).await;
        }
        self.free_at = Some(Instant::now() + self.pause);
        outcome
    }

    /// Reads registers.
    pub(super) async fn words(&mut self, unit: u8, request: Request) -> Result<Vec<u16>, LinkError> {
        match self.read(unit, request).await? {
            Answer::Words(words) => Ok(words),
            Answer::Bits(_) => Err(LinkError::Lost("bits in place of registers".to_owned())),
        }
    }

    /// Asks who made the device (function 43/14).
    pub(super) async fn identify(&mut self, unit: u8) -> Result<Identity, LinkError> {
        self.turn().await?;
        let outcome = self.link.identify(unit, self.limit).await;
        self.free_at = Some(Instant::now() + self.pause);
        outcome
    }

    /// Walks the SunSpec models of a unit; `None` where it has none. What was found before a fault stays.
    pub(super) async fn sunspec(&mut self, unit: u8) -> Option<SunSpec> {
        for base in BASES {
            let mut walk = Walk::new(base);
            let mut fault = None;
            while let Some(request) = walk.next() {
                match self.words(unit, request).await {
                    Ok(words) => walk.answer(&words),
                    Err(error) => {
                        fault = Some(error.to_string());
                        break;
                    }
                }
            }
            if walk.is_marked() {
                let odd = fault.or_else(|| walk.end().filter(|end| **end != End::Complete).map(ToString::to_string));
                let models = walk.models().to_vec();
                return Some(SunSpec { base, common: self.common(unit, &models).await, models, odd });
            }
        }
        None
    }

    async fn common(&mut self, unit: u8, models: &[Model]) -> Option<Common> {
        let request = models.first()?.texts()?;
        Common::parse(&self.words(unit, request).await.ok()?)
    }

    async fn turn(&mut self) -> Result<(), LinkError> {
        if let Some(free_at) = self.free_at {
            tokio::time::sleep_until(free_at).await;
        }
        self.open().await
    }

    fn was_idle<T>(&self, outcome: &Result<T, LinkError>) -> bool {
        matches!(outcome, Err(LinkError::Lost(_))) && self.link.has_answered()
    }
}

/// The SunSpec side of a unit.
pub(super) struct SunSpec {
    /// Where "SunS" stands.
    pub(super) base: u16,
    /// In the order of the device.
    pub(super) models: Vec<Model>,
    /// Who made it.
    pub(super) common: Option<Common>,
    /// Why the list may not be complete.
    pub(super) odd: Option<String>,
}

/// Runs a command that talks to devices, one after the other.
pub(super) fn block_on<T>(command: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("runtime")?;
    runtime.block_on(command)
}

/// Says on standard error why the arguments can't be meant; returns the exit code for that.
pub(super) fn misused(reason: &str) -> anyhow::Result<std::process::ExitCode> {
    writeln!(std::io::stderr(), "parkgate: {reason}").context("standard error")?;
    Ok(std::process::ExitCode::from(2))
}

/// Prints one object as a line of JSON.
pub(super) fn print_json(line: &impl serde::Serialize) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{}", serde_json::to_string(line)?).context("standard output")
}

/// Asks a question on standard error and returns the line that is answered, trimmed; `None` at the end of input.
pub(super) fn ask(question: &str) -> anyhow::Result<Option<String>> {
    let mut shown = std::io::stderr().lock();
    write!(shown, "{question} ").and_then(|()| shown.flush()).context("standard error")?;
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line).context("standard input")?;
    Ok((read > 0).then(|| line.trim().to_owned()))
}

/// Says whether a person sits in front of standard input.
pub(super) fn is_attended() -> bool {
    std::io::stdin().is_terminal()
}
