//! `parkgate read`: registers, read once over the same link and decoded by the same code as `parkgate run`.
//!
//! Without `--type` it shows the words as every type and order would read them and marks what is plausible, which is
//! how a device without a manual is understood. With `--compare` or `--profile` it reads every point of a device both
//! merged into few requests and one by one, and lists what differs. It reads and never writes, like everything here.

mod compare;
mod question;
mod show;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;

use self::question::Question;
use super::load;
use super::reach::{Certificates, block_on, misused, print_json, quoted};
use super::single::Single;
use crate::model::time::Period;
use crate::profile::register::{RegisterType, Sentinel, Table, WordOrder};
use crate::sources::modbus::transport::Transport;

/// Arguments of `parkgate read`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the device is: tcp://host:port, tls://host:port, rtu+tcp://host:port or rtu:///dev/…?baud=9600&parity=even
    #[arg(required_unless_present = "compare", conflicts_with = "compare")]
    url: Option<String>,
    /// Unit identifier, 0 to 255
    #[arg(long, default_value_t = 1)]
    unit: u8,
    /// Table: coil, discrete, holding or input. With it, the address is the one on the wire, from 0
    #[arg(long)]
    table: Option<Table>,
    /// Address: a wire address (100 or 0x64), or without --table a manual's number (40101)
    #[arg(long, required_unless_present_any = ["compare", "profile"], conflicts_with_all = ["compare", "profile"])]
    address: Option<String>,
    /// Show a range of this many registers or bits: every value of --type, or without it the best readings of each
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=125))]
    count: Option<u16>,
    /// Type: bit, int8h, int8l, uint8h, uint8l, int16, uint16, int32, uint32, int64, uint64, float16, float32, float64,
    /// bcd16, bcd32, bcd64, mod10_32, mod10_48, mod10_64, signmag16, signmag32 or string. Without it every type and
    /// order is shown
    #[arg(long = "type")]
    register_type: Option<RegisterType>,
    /// Word order: ABCD, CDAB, BADC or DCBA; for 64 bits also CDABGHEF, EFGHABCD, DCBAHGFE or FEHGBADC
    #[arg(long)]
    order: Option<WordOrder>,
    /// value = raw × scale + offset
    #[arg(long, allow_negative_numbers = true)]
    scale: Option<f64>,
    /// See --scale
    #[arg(long, default_value_t = 0.0, allow_negative_numbers = true)]
    offset: f64,
    /// Bit of a register, 0 the least significant
    #[arg(long, value_parser = clap::value_parser!(u8).range(0..16))]
    bit: Option<u8>,
    /// Registers of a string
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=125))]
    length: Option<u16>,
    /// A mark for "no value": a bit pattern like 0x8000, or a number. May be repeated
    #[arg(long, allow_hyphen_values = true)]
    sentinel: Vec<Sentinel>,
    /// Read every point of this source of --config merged and one by one, and compare
    #[arg(long, value_name = "SOURCE")]
    compare: Option<String>,
    /// The configuration that holds the source of --compare [default: gateway.toml], or the profile of --profile
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Read every point of this device profile merged and one by one, and compare
    #[arg(long, conflicts_with = "compare")]
    profile: Option<String>,
    /// Where the profile's SunSpec model begins
    #[arg(long, requires = "profile")]
    model_address: Option<u16>,
    /// Longest wait for the connection and for the answer
    #[arg(long, default_value = "1s")]
    timeout: Period,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    certificates: Certificates,
}

/// Runs the role. Exit code 0 where everything was read and nothing differs, 1 where not, 2 for wrong usage.
///
/// # Errors
/// What stopped it: no connection, no answer, an exception.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if let Some(source) = &args.compare {
        let config = args.config.as_deref().unwrap_or_else(|| Path::new("gateway.toml"));
        let Some(gateway) = load::gateway(config)? else { return Ok(load::refused()) };
        return match Single::of_gateway(&gateway, source) {
            Ok(single) => block_on(compare::run(&single, args.json)),
            Err(reason) => misused(&reason),
        };
    }
    if let Some(profile) = &args.profile {
        let Some(profiles) = load::known_profiles(args.config.as_deref(), Some(profile))? else {
            return Ok(load::refused());
        };
        return match Single::of_section(&section(args, profile), &profiles) {
            Ok(single) => block_on(compare::run(&single, args.json)),
            Err(reason) => misused(&reason),
        };
    }
    match Question::new(args) {
        Ok(question) => ask(&question, args.json),
        Err(reason) => misused(&reason),
    }
}

fn ask(question: &Question, json: bool) -> anyhow::Result<ExitCode> {
    match block_on(async { Ok(question.ask().await) })? {
        Ok((request, answer)) => {
            show::print(question, request, &answer, json)?;
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            if json {
                print_json(&show::failed(question, &error))?;
            }
            Err(error).with_context(|| {
                format!("{} {}, unit {} at {}", question.table, question.address, question.unit, question.transport)
            })
        }
    }
}

/// Writes the source that a profile and the other arguments make.
fn section(args: &Args, profile: &str) -> String {
    let mut lines = vec![
        "[[source]]".to_owned(),
        "name = \"device\"".to_owned(),
        format!("url = {}", quoted(args.url.as_deref().unwrap_or_default())),
        format!("unit = {}", args.unit),
        format!("profile = {}", quoted(profile)),
        format!("timeout = \"{}ms\"", args.timeout.as_ms()),
    ];
    lines.extend(args.certificates.toml());
    lines.extend(args.model_address.map(|address| format!("model_address = {address}")));
    lines.join("\n")
}

/// Says how a device is reached.
///
/// # Errors
/// What is wrong with the URL.
fn transport(args: &Args) -> Result<Transport, String> {
    Transport::parse(args.url.as_deref().unwrap_or_default())
}
