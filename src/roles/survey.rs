//! `parkgate survey`: commissions one device before anybody relies on it.
//!
//! It reads every point, compares with what a person reads on the device's display, names a missing transformer ratio,
//! a reversed or swapped current, writes the `[[source]]` section, and keeps reading, time and person in a log. It
//! changes nothing in the device; a ratio that it finds is written only where a person agreed.

mod display;
mod record;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};

use self::display::{Reading, Readings};
use self::record::{Entry, Section};
use super::reach::{Bus, Certificates, SunSpec, ask, block_on, misused, print_json};
use super::single::{PointValue, Single};
use super::{load, section};
use crate::config::{self, Gateway};
use crate::model::time::Period;
use crate::profile::Library;
use crate::runtime::clock::Clock;
use crate::sources::modbus::diagnosis::{Finding, Transformer, diagnose, proposed};
use crate::sources::modbus::transport::Transport;

/// Wait between an answer and the next request: the plant's own master comes first.
const PAUSE: Duration = Duration::from_millis(50);
/// Name of the commissioning log.
const LOG: &str = "commissioning.jsonl";

/// Arguments of `parkgate survey`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the device is: tcp://host:port, tls://…, rtu+tcp://… or rtu:///dev/…?baud=9600&parity=even
    #[arg(required_unless_present = "source", conflicts_with = "source")]
    url: Option<String>,
    /// Commission this source of --config in place of a new one: nothing is written but the log
    #[arg(long, conflicts_with_all = ["profile", "sunspec", "ct_ratio", "pt_ratio", "append", "accept"])]
    source: Option<String>,
    /// The configuration that holds --source [default: gateway.toml], or the profile of --profile [default: --append]
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Unit identifier, 0 to 255
    #[arg(long, default_value_t = 1)]
    unit: u8,
    /// Device profile
    #[arg(long, required_unless_present_any = ["sunspec", "source"])]
    profile: Option<String>,
    /// Find the profile, or the place of its model, by walking the device's SunSpec models
    #[arg(long)]
    sunspec: bool,
    /// Name of the source: the first part of its tags
    #[arg(long, default_value = "meter-main")]
    name: String,
    /// Current transformer ratio, primary ÷ secondary
    #[arg(long)]
    ct_ratio: Option<f64>,
    /// Voltage transformer ratio, primary ÷ secondary
    #[arg(long)]
    pt_ratio: Option<f64>,
    /// Poll period of the source
    #[arg(long, default_value = "1s")]
    every: Period,
    /// Longest wait for the connection and for an answer
    #[arg(long, default_value = "1s")]
    timeout: Period,
    /// What the display shows, like active_energy_import=12345.6 (energy in kWh, power in kW unless a unit is written
    /// behind it). May be repeated; without it the values are asked for
    #[arg(long, value_name = "POINT=VALUE")]
    display: Vec<Reading>,
    /// Ask for nothing and compare with no display
    #[arg(long, conflicts_with = "display")]
    no_display: bool,
    /// Take over the transformer ratios that are found, without asking
    #[arg(long)]
    accept: bool,
    /// Who read the display
    #[arg(long)]
    person: Option<String>,
    /// The device's serial number, for the log
    #[arg(long)]
    serial: Option<String>,
    /// Add the section to this configuration in place of printing it, if it is still accepted then
    #[arg(long, value_name = "FILE")]
    append: Option<PathBuf>,
    /// Commissioning log [default: commissioning.jsonl in the data_dir of --append or --source's configuration, else in
    /// the current directory]
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// Print the log's entry in place of a report
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    certificates: Certificates,
}

impl Args {
    /// Says whether a person is asked.
    const fn asks(&self) -> bool {
        self.display.is_empty() && !self.no_display
    }
}

/// Runs the role. Exit code 0 where nothing is wrong with the device, 1 where something is left to be done.
///
/// # Errors
/// The device can't be read; the section or the log can't be written.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if let Some(source) = &args.source {
        let config = args.config.as_deref().unwrap_or_else(|| Path::new("gateway.toml"));
        let Some(gateway) = load::gateway(config)? else { return Ok(load::refused()) };
        return match configured(args, &gateway, source) {
            Ok(survey) => {
                let place = survey.place();
                let bus = survey.single.bus(PAUSE);
                block_on(survey.commission(bus)).with_context(|| place)
            }
            Err(reason) => misused(&reason),
        };
    }
    let config = args.config.as_deref().or(args.append.as_deref());
    let Some(profiles) = load::known_profiles(config, args.profile.as_deref())? else { return Ok(load::refused()) };
    let transport = match Transport::parse(args.url.as_deref().unwrap_or_default()) {
        Ok(transport) => transport,
        Err(reason) => return misused(&reason),
    };
    let limit = Duration::from_millis(u64::try_from(args.timeout.as_ms()).unwrap_or(1000).max(1));
    let mut bus = Bus::new(transport, args.certificates.security(), limit, PAUSE);
    let place = || format!("unit {} at {}", args.unit, args.url.as_deref().unwrap_or_default());
    let survey = async {
        match prepare(args, &mut bus, profiles).await? {
            Ok(survey) => {
                bus.spare(&survey.single.device);
                survey.commission(bus).await
            }
            Err(reason) => misused(&reason),
        }
    };
    block_on(survey).with_context(place)
}

/// A device while it is commissioned.
struct Survey<'a> {
    args: &'a Args,
    section: Section,
    single: Single,
    profiles: Library,
    /// Where the log stands, if the arguments don't say.
    log: PathBuf,
    values: Vec<PointValue>,
    findings: Vec<Finding>,
}

/// Takes a source as it is configured.
fn configured<'a>(args: &'a Args, gateway: &Gateway, name: &str) -> Result<Survey<'a>, String> {
    let single = Single::of_gateway(gateway, name)?;
    let section = Section {
        name: name.to_owned(),
        url: single.transport.url(),
        unit: single.device.unit,
        profile: single.profile.clone(),
        model_address: None,
        ct_ratio: single.ratios.0,
        pt_ratio: single.ratios.1,
        every: Period::from_ms(single.device.every_ms),
        timeout: args.timeout,
        certificates: Vec::new(),
    };
    let profiles = gateway.profiles.clone();
    let log = args.log.clone().unwrap_or_else(|| gateway.gateway.data_dir.get_ref().join(LOG));
    Ok(Survey { args, section, single, profiles, log, values: Vec::new(), findings: Vec::new() })
}

/// Finds the profile and the place of its model; the reason says what to write instead.
async fn prepare<'a>(args: &'a Args, bus: &mut Bus, profiles: Library) -> anyhow::Result<Result<Survey<'a>, String>> {
    let wants_model = |name: &String| profiles.get(name).is_some_and(|profile| profile.sunspec_model.is_some());
    let (mut profile, mut model_address) = (args.profile.clone(), None);
    if args.sunspec || args.profile.as_ref().is_some_and(wants_model) {
        bus.open().await?;
        let Some(found) = bus.sunspec(args.unit).await else {
            bail!("no SunSpec models at 40000, 50000 or 0");
        };
        if !args.json {
            show_models(&found)?;
        }
        match choose(&found, args.profile.as_deref(), &profiles) {
            Ok((name, address)) => (profile, model_address) = (Some(name), Some(address)),
            Err(reason) => return Ok(Err(reason)),
        }
    }
    let section = Section {
        name: args.name.clone(),
        url: args.url.clone().unwrap_or_default(),
        unit: args.unit,
        profile: profile.unwrap_or_default(),
        model_address,
        ct_ratio: args.ct_ratio,
        pt_ratio: args.pt_ratio,
        every: args.every,
        timeout: args.timeout,
        certificates: args.certificates.toml(),
    };
    let log = log_file(args)?;
    let single = Single::of_section(&section.toml(), &profiles);
    Ok(single.map(|single| Survey { args, section, single, profiles, log, values: Vec::new(), findings: Vec::new() }))
}

fn show_models(found: &SunSpec) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if let Some(common) = &found.common {
        writeln!(out, "SunSpec: {} {}, serial number {}", common.manufacturer, common.model, common.serial)?;
    }
    for model in &found.models {
        writeln!(out, "SunSpec model {} at {}, {} registers: {}", model.id, model.address, model.length, model.name())?;
    }
    if let Some(odd) = &found.odd {
        writeln!(out, "SunSpec list: {odd}")?;
    }
    Ok(())
}

/// Chooses the profile whose model the device lists: the one that was named, or the only one.
fn choose(found: &SunSpec, named: Option<&str>, library: &Library) -> Result<(String, u16), String> {
    let fitting: Vec<(&str, u16)> = library
        .iter()
        .filter(|profile| named.is_none_or(|name| profile.name == name))
        .filter_map(|profile| {
            let model = found.models.iter().find(|model| Some(model.id) == profile.sunspec_model)?;
            Some((profile.name.as_str(), model.address))
        })
        .collect();
    let listed: Vec<String> = found.models.iter().map(|model| model.id.to_string()).collect();
    match (fitting.as_slice(), named) {
        ([(name, address)], _) => Ok(((*name).to_owned(), *address)),
        ([], Some(name)) => {
            Err(format!("profile {name} needs a SunSpec model that the device doesn't list: {}", listed.join(", ")))
        }
        ([], None) => Err(format!("no profile is for one of the device's SunSpec models {}", listed.join(", "))),
        (several, _) => {
            let names: Vec<&str> = several.iter().map(|(name, _)| *name).collect();
            Err(format!("the device fits several profiles: say --profile with one of {}", names.join(", ")))
        }
    }
}

impl Survey<'_> {
    fn place(&self) -> String {
        format!("unit {} at {}", self.section.unit, self.section.url)
    }

    async fn commission(mut self, mut bus: Bus) -> anyhow::Result<ExitCode> {
        self.read(&mut bus).await?;
        // A person takes time; a device that serves one connection serves somebody else meanwhile.
        bus.close();
        let shown = self.shown()?;
        self.compare(&mut bus, &shown).await?;
        bus.close();
        self.finish(&shown)
    }

    /// Reads every point. At least one must have a value: else there is nothing to commission.
    async fn read(&mut self, bus: &mut Bus) -> anyhow::Result<()> {
        self.values = self.single.read(bus).await?;
        if self.values.iter().all(|point| point.value.is_err()) {
            let reason = self.values.first().and_then(|point| point.value.as_ref().err()).cloned();
            bail!("no point of {} could be read: {}", self.section.profile, reason.unwrap_or_default());
        }
        Ok(())
    }

    /// Prints what was read, and gathers what the display shows.
    fn shown(&self) -> anyhow::Result<Readings> {
        if !self.args.json {
            let mut out = std::io::stdout().lock();
            for point in &self.values {
                match &point.value {
                    Ok(value) => writeln!(out, "{:<28} {} {}", point.name, value.as_f64(), point.unit.as_str())?,
                    Err(reason) => writeln!(out, "{:<28} no value: {reason}", point.name)?,
                }
            }
            for warning in &self.single.warnings {
                writeln!(out, "note: {warning}")?;
            }
        }
        let given = Readings::new(&self.args.display);
        if self.args.asks() { given.ask(&self.values) } else { Ok(given) }
    }

    /// Compares with the display. A ratio that a person agrees to is applied, and everything is read again with it.
    async fn compare(&mut self, bus: &mut Bus, shown: &Readings) -> anyhow::Result<()> {
        self.findings = self.diagnosed(shown);
        let applied = (self.section.ct_ratio, self.section.pt_ratio);
        for (transformer, ratio) in [(Transformer::Current, applied.0), (Transformer::Voltage, applied.1)] {
            let Some(found) = proposed(&self.findings, transformer, ratio.unwrap_or(1.0)) else { continue };
            if self.agrees(transformer, found)? {
                self.section.set(transformer, found);
            }
        }
        if (self.section.ct_ratio, self.section.pt_ratio) == applied {
            return Ok(());
        }
        self.single = Single::of_section(&self.section.toml(), &self.profiles).map_err(anyhow::Error::msg)?;
        self.read(bus).await?;
        self.findings = self.diagnosed(shown);
        Ok(())
    }

    fn diagnosed(&self, shown: &Readings) -> Vec<Finding> {
        let applied = (self.section.ct_ratio.unwrap_or(1.0), self.section.pt_ratio.unwrap_or(1.0));
        diagnose(&display::in_base_units(&self.values), &shown.in_base_units(), applied)
    }

    fn agrees(&self, transformer: Transformer, ratio: f64) -> anyhow::Result<bool> {
        if self.args.source.is_some() {
            // What is configured is changed by who configured it.
            return Ok(false);
        }
        if self.args.accept || !self.args.asks() {
            return Ok(self.args.accept);
        }
        let sentence = self.findings.iter().find(|finding| finding.is_fault()).map(ToString::to_string);
        writeln!(std::io::stderr(), "{}", sentence.unwrap_or_default()).context("standard error")?;
        let answer = ask(&format!("Write {} = {ratio}? [y/N]", transformer.key()))?;
        Ok(answer.is_some_and(|answer| matches!(answer.to_lowercase().as_str(), "y" | "yes")))
    }

    /// Writes section and log, and says what was found.
    fn finish(&self, shown: &Readings) -> anyhow::Result<ExitCode> {
        let person = match &self.args.person {
            Some(person) => Some(person.clone()),
            None if self.args.asks() => ask("Who read the display?")?.filter(|person| !person.is_empty()),
            None => None,
        };
        let is_faulty = self.findings.iter().any(Finding::is_fault);
        let entry = Entry {
            at: Clock::system().now(),
            person,
            serial: self.args.serial.clone(),
            section: &self.section,
            values: &self.values,
            shown,
            findings: &self.findings,
        };
        if !self.args.json {
            let mut out = std::io::stdout().lock();
            for finding in &self.findings {
                writeln!(out, "{} {finding}", if finding.is_fault() { "!" } else { "=" })?;
            }
            if shown.is_empty() {
                writeln!(out, "! nothing was compared with the display")?;
            }
        }
        let text = entry.comment() + &self.section.toml();
        match &self.args.append {
            Some(path) => section::append(path, &text)?,
            None if self.args.json || self.args.source.is_some() => {}
            None => write!(std::io::stdout(), "\n{text}").context("standard output")?,
        }
        let log = &self.log;
        record::append(log, &entry).with_context(|| format!("can't write the commissioning log {}", log.display()))?;
        writeln!(std::io::stderr(), "logged in {}", log.display()).context("standard error")?;
        if self.args.json {
            print_json(&entry)?;
        }
        Ok(if is_faulty { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

/// Finds where the log stands: where the arguments say, beside the store of the box, else here.
fn log_file(args: &Args) -> anyhow::Result<PathBuf> {
    if let Some(path) = &args.log {
        return Ok(path.clone());
    }
    let Some(path) = &args.append else { return Ok(PathBuf::from(LOG)) };
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).with_context(|| format!("can't read configuration {name}"))?;
    let (gateway, _) =
        config::load_gateway_from(&name, &text, load::profiles(path, &text), &load::references(path, &text));
    let gateway = gateway.with_context(|| format!("{name} is refused: `parkgate check` says why"))?;
    Ok(gateway.gateway.data_dir.get_ref().join(LOG))
}

#[cfg(test)]
mod tests {
    use super::choose;
    use crate::profile::Library;
    use crate::roles::reach::SunSpec;
    use crate::sources::modbus::sunspec::Model;

    fn library() -> Library {
        let profile = |name: &str, model: &str| {
            format!(
                "name = \"{name}\"\nvendor = \"V\"\nmodel = \"M\"\nconfidence = \"one_source\"\nsources = [\"constructed\"]\n{model}\n\
                 [[register]]\npoint = \"p\"\naddress = 2\ntable = \"holding\"\ntype = \"uint16\"\nunit = \"V\"\n\
                 [[example]]\npoint = \"p\"\nwords = [0]\norigin = \"constructed\"\n"
            )
        };
        let inverter = profile("inverter", "sunspec_model = 103");
        let meter = profile("meter", "sunspec_model = 203");
        let plain = profile("plain", "");
        Library::parse(&[("inverter", &inverter), ("meter", &meter), ("plain", &plain)]).unwrap()
    }

    #[test]
    fn the_profile_whose_model_the_device_lists_is_chosen_with_its_address() {
        let found = |ids: &[u16]| SunSpec {
            base: 40_000,
            models: (40_002..)
                .step_by(100)
                .zip(ids)
                .map(|(address, id)| Model { id: *id, address, length: 98 })
                .collect(),
            common: None,
            odd: None,
        };
        let library = library();
        assert_eq!(choose(&found(&[1, 203]), None, &library), Ok(("meter".to_owned(), 40_102)));
        assert_eq!(choose(&found(&[1, 103, 203]), Some("meter"), &library), Ok(("meter".to_owned(), 40_202)));
        assert!(choose(&found(&[1, 103, 203]), None, &library).unwrap_err().contains("--profile"));
        assert!(choose(&found(&[1]), None, &library).unwrap_err().contains("no profile"));
        assert!(choose(&found(&[1, 103]), Some("meter"), &library).unwrap_err().contains("doesn't list"));
    }
}
