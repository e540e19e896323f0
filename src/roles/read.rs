//! `parkgate read`: one register, read once over the same link and decoded by the same code as `parkgate run`.
//!
//! Without `--type` it shows the words as every type and order would read them, which is how a device without a
//! manual is understood. It reads and never writes, like everything here.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use serde::Serialize;

use crate::model::number::Number;
use crate::model::sample::Quality;
use crate::model::time::Period;
use crate::profile::register::{RegisterType, Sentinel, Table, WordOrder};
use crate::sources::modbus::address::Address;
use crate::sources::modbus::decode::Decoding;
use crate::sources::modbus::link::{Link, LinkError};
use crate::sources::modbus::plan::{Answer, Request};
use crate::sources::modbus::transport::{Security, Transport};

/// Arguments of `parkgate read`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the device is: tcp://host:port, tls://host:port, rtu+tcp://host:port or rtu:///dev/…?baud=9600&parity=even
    url: String,
    /// Unit identifier, 0 to 255
    #[arg(long, default_value_t = 1)]
    unit: u8,
    /// Table: coil, discrete, holding or input. With it, the address is the one on the wire, from 0
    #[arg(long)]
    table: Option<Table>,
    /// Address: a wire address (100 or 0x64), or without --table a manual's number (40101)
    #[arg(long)]
    address: String,
    /// Type: bit, int8h, int8l, uint8h, uint8l, int16, uint16, int32, uint32, int64, uint64, float16, float32, float64,
    /// bcd16 or bcd32. Without it every type and order is shown
    #[arg(long = "type")]
    register_type: Option<RegisterType>,
    /// Word order: ABCD, CDAB, BADC or DCBA
    #[arg(long)]
    order: Option<WordOrder>,
    /// value = raw × scale + offset
    #[arg(long, default_value_t = 1.0, allow_negative_numbers = true)]
    scale: f64,
    /// See --scale
    #[arg(long, default_value_t = 0.0, allow_negative_numbers = true)]
    offset: f64,
    /// Bit of a register, 0 the least significant
    #[arg(long, value_parser = clap::value_parser!(u8).range(0..16))]
    bit: Option<u8>,
    /// A mark for "no value": a bit pattern like 0x8000, or a number. May be repeated
    #[arg(long, allow_hyphen_values = true)]
    sentinel: Vec<Sentinel>,
    /// Longest wait for the connection and for the answer
    #[arg(long, default_value = "1s")]
    timeout: Period,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

/// Runs the role.
///
/// # Errors
/// What stopped it: no connection, no answer, an exception.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let question = match Question::new(args) {
        Ok(question) => question,
        Err(reason) => {
            writeln!(std::io::stderr(), "parkgate: {reason}").context("standard error")?;
            return Ok(ExitCode::from(2));
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("runtime")?;
    match runtime.block_on(question.ask()) {
        Ok(answer) => {
            question.print(&answer, args.json)?;
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            if args.json {
                print_json(&question.failed(&error))?;
            }
            Err(error).with_context(|| {
                format!("{} {}, unit {} at {}", question.table, question.address, question.unit, question.transport)
            })
        }
    }
}

/// What is asked, with its arguments checked against each other.
struct Question {
    transport: Transport,
    unit: u8,
    table: Table,
    address: u16,
    /// How the answer is read: one way where a type was given, else all of them.
    readings: Vec<Decoding>,
    is_typed: bool,
    timeout: Duration,
}

/// One way to read the words, as `--json` prints it.
#[derive(Debug, Serialize)]
struct Reading {
    address: u16,
    table: Table,
    unit: u8,
    #[serde(rename = "type")]
    register_type: Option<RegisterType>,
    order: Option<WordOrder>,
    bit: Option<u8>,
    value: Option<Value>,
    quality: Option<&'static str>,
    reason: Option<String>,
}

/// A number without the tag of its kind. Integers are exact.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Value {
    Integer(i128),
    Float(f64),
}

impl Question {
    fn new(args: &Args) -> Result<Self, String> {
        let transport = Transport::parse(&args.url)?;
        let (table, address) = place(args)?;
        if !args.scale.is_finite() || args.scale == 0.0 || !args.offset.is_finite() {
            return Err("--scale must be a finite number other than 0, --offset a finite number".to_owned());
        }
        let question = Self {
            transport,
            unit: args.unit,
            table,
            address,
            readings: readings(args, table)?,
            is_typed: args.register_type.is_some() || args.bit.is_some() || table.is_bits(),
            timeout: Duration::from_millis(u64::try_from(args.timeout.as_ms()).unwrap_or(0).max(1)),
        };
        if question.is_typed && question.request(question.words_max()).is_none() {
            return Err(format!("a value at address {address} ends beyond 65535"));
        }
        Ok(question)
    }

    fn words_max(&self) -> u16 {
        if self.table.is_bits() { 1 } else { self.readings.iter().map(words).max().unwrap_or(1) }
    }

    fn request(&self, count: u16) -> Option<Request> {
        Request::new(self.table, self.address, count)
    }

    /// Asks for as many words as the type needs; without a type for four, and for fewer where the device refuses.
    async fn ask(&self) -> Result<Answer, LinkError> {
        let mut link = Link::new(self.transport.clone(), Security::default());
        link.connect(self.timeout).await?;
        let counts = if self.is_typed { vec![self.words_max()] } else { vec![4, 2, 1] };
        let mut outcome = Err(LinkError::Connect("not asked".to_owned()));
        for request in counts.into_iter().filter_map(|count| self.request(count)) {
            outcome = link.read(self.unit, request, self.timeout).await;
            if !matches!(outcome, Err(LinkError::Exception(2 | 3))) {
                break;
            }
        }
        outcome
    }

    fn print(&self, answer: &Answer, json: bool) -> anyhow::Result<()> {
        let readings = self.readings.iter().filter_map(|decoding| self.reading(decoding, answer));
        if json {
            return readings.into_iter().try_for_each(|reading| print_json(&reading));
        }
        let mut out = std::io::stdout().lock();
        if let Answer::Words(words) = answer {
            let words = words.iter().map(|word| format!("{word:04X}")).collect::<Vec<_>>().join(" ");
            writeln!(out, "{} {}, unit {} at {}: {words}", self.table, self.address, self.unit, self.transport)?;
        }
        readings.into_iter().try_for_each(|reading| writeln!(out, "{}", reading.line()))?;
        Ok(())
    }

    /// Reads the answer one way; `None` where it has too few words for that.
    fn reading(&self, decoding: &Decoding, answer: &Answer) -> Option<Reading> {
        let decoded = match answer {
            Answer::Words(got) if got.len() < usize::from(words(decoding)) => return None,
            Answer::Words(got) => decoding.words(got),
            Answer::Bits(bits) => decoding.bit(*bits.first()?),
        };
        let (value, quality, reason) = match decoded {
            Ok(value) => (Some(value), Quality::Good, None),
            Err(reason) => (None, reason.quality(), Some(reason.to_string())),
        };
        Some(Reading {
            value: value.map(|value| match value {
                Number::Integer(value) => Value::Integer(value),
                Number::Float(value) => Value::Float(value),
            }),
            quality: Some(quality.as_str()),
            reason,
            ..self.described(decoding)
        })
    }

    /// The line of a read that failed.
    fn failed(&self, error: &LinkError) -> Reading {
        let described = match self.readings.as_slice() {
            [only] => self.described(only),
            _ => Reading { register_type: None, order: None, bit: None, ..self.described(&self.readings[0]) },
        };
        Reading { reason: Some(error.to_string()), ..described }
    }

    fn described(&self, decoding: &Decoding) -> Reading {
        let is_register = !self.table.is_bits();
        let is_bit = decoding.register_type == RegisterType::Bit;
        Reading {
            address: self.address,
            table: self.table,
            unit: self.unit,
            register_type: Some(decoding.register_type),
            order: is_register.then_some(decoding.order),
            bit: (is_register && is_bit).then_some(decoding.bit),
            value: None,
            quality: None,
            reason: None,
        }
    }
}

impl Reading {
    fn line(&self) -> String {
        let kind = match (self.register_type, self.bit) {
            (Some(kind), Some(bit)) => format!("{kind} {bit}"),
            (kind, _) => kind.map_or_else(String::new, |kind| kind.to_string()),
        };
        let value = match (&self.value, &self.reason) {
            (Some(Value::Integer(value)), _) => value.to_string(),
            (Some(Value::Float(value)), _) if *value != 0.0 && !(1e-6..1e16).contains(&value.abs()) => {
                format!("{value:e}")
            }
            (Some(Value::Float(value)), _) => value.to_string(),
            (None, reason) => format!("no value: {}", reason.as_deref().unwrap_or_default()),
        };
        format!("{kind:<8} {:<4} {value}", self.order.map_or("", WordOrder::as_str))
    }
}

fn print_json(reading: &Reading) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{}", serde_json::to_string(reading)?).context("standard output")
}

const fn words(decoding: &Decoding) -> u16 {
    decoding.register_type.words()
}

/// Finds table and wire address. A bare number is a wire address where `--table` is given or where it is no
/// manual's number.
fn place(args: &Args) -> Result<(Table, u16), String> {
    let shown = |(message, _): (String, String)| {
        format!(
            "--{message}: write 40101 for holding register 101, or its wire address as --table holding --address 100"
        )
    };
    match (args.address.parse::<i64>(), args.table) {
        (Ok(number), Some(table)) => Address::Number(number).locate(Some(table)).map_err(shown),
        (Ok(number), None) if args.address.len() < 5 => {
            Address::Number(number).locate(Some(Table::Holding)).map_err(shown)
        }
        (Ok(_), None) => Address::Text(args.address.clone()).locate(None).map_err(shown),
        (Err(_), table) => Address::Text(args.address.clone()).locate(table.or(Some(Table::Holding))).map_err(shown),
    }
}

/// Returns the ways to read the words: the one asked for, or every type in every order that differs for it.
fn readings(args: &Args, table: Table) -> Result<Vec<Decoding>, String> {
    let given = args.register_type.or_else(|| (args.bit.is_some() || table.is_bits()).then_some(RegisterType::Bit));
    if args.bit.is_some() && (table.is_bits() || given != Some(RegisterType::Bit)) {
        return Err("--bit has a meaning only for --type bit of a register".to_owned());
    }
    if table.is_bits() && (given != Some(RegisterType::Bit) || args.order.is_some() || !args.sentinel.is_empty()) {
        return Err(format!("the {table} table holds bits: leave out --type, --order and --sentinel"));
    }
    if given == Some(RegisterType::Bit) && !table.is_bits() && args.bit.is_none() {
        return Err("--type bit of a register needs --bit 0 to 15".to_owned());
    }
    Ok(ways(args, table, given))
}

fn ways(args: &Args, table: Table, given: Option<RegisterType>) -> Vec<Decoding> {
    let decoding = |register_type, order, bit| Decoding {
        bit,
        scale: args.scale,
        offset: args.offset,
        sentinels: args.sentinel.clone(),
        ..Decoding::plain(register_type, order)
    };
    let types = given.map_or_else(|| RegisterType::ALL.to_vec(), |given| vec![given]);
    let mut readings = Vec::new();
    for register_type in types {
        let orders = args.order.map_or_else(|| orders(register_type, given.is_some()).to_vec(), |order| vec![order]);
        let bits = if register_type == RegisterType::Bit { args.bit.map_or(0..16, |bit| bit..bit + 1) } else { 0..1 };
        let bits = if table.is_bits() { 0..1 } else { bits };
        for order in orders {
            readings.extend(bits.clone().map(|bit| decoding(register_type, order, bit)));
        }
    }
    readings
}

/// Returns the orders that make a difference; only the specification's own where one type was asked for.
const fn orders(register_type: RegisterType, is_given: bool) -> &'static [WordOrder] {
    if is_given { &[WordOrder::Abcd] } else { register_type.orders() }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{Args, Question, RegisterType, Table};

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn question(arguments: &str) -> Result<Question, String> {
        let words = ["read", "tcp://meter"].into_iter().chain(arguments.split(' '));
        Question::new(&Line::try_parse_from(words).map_err(|error| error.to_string())?.args)
    }

    #[test]
    fn an_address_is_a_wire_address_with_a_table_and_a_manuals_number_without() {
        let table = [
            ("--table holding --address 0", (Table::Holding, 0)),
            ("--table input --address 40101", (Table::Input, 40_101)),
            ("--address 40101", (Table::Holding, 100)),
            ("--address 30001", (Table::Input, 0)),
            ("--address 100", (Table::Holding, 100)),
            ("--address 0x64", (Table::Holding, 100)),
            ("--table coil --address 0x64", (Table::Coil, 100)),
            ("--address 00001", (Table::Coil, 0)),
        ];
        for (arguments, expected) in table {
            let question = question(arguments).map_err(|reason| format!("{arguments}: {reason}")).unwrap();
            assert_eq!((question.table, question.address), expected, "{arguments}");
        }
    }

    #[test]
    fn arguments_that_contradict_each_other_are_refused() {
        for wrong in [
            "--address 50001",
            "--table holding --address 65536",
            "--table holding --address 65535 --type uint32",
            "--table coil --address 0 --type uint16",
            "--table coil --address 0 --bit 3",
            "--address 40001 --type bit",
            "--address 40001 --type uint16 --bit 3",
            "--address 40001 --bit 16",
            "--address 40001 --type real",
            "--address 40001 --scale 0",
            "--address 40001 --unit 256",
        ] {
            assert!(question(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn without_a_type_each_type_is_read_in_each_order_that_differs() {
        let count = |arguments: &str, kind| {
            question(arguments).unwrap().readings.iter().filter(|reading| reading.register_type == kind).count()
        };
        let all = "--address 40001";
        assert_eq!(count(all, RegisterType::Bit), 16);
        assert_eq!(count(all, RegisterType::Uint8h), 1);
        assert_eq!(count(all, RegisterType::Int16), 2);
        assert_eq!(count(all, RegisterType::Float32), 4);
        assert_eq!(count("--address 40001 --order CDAB", RegisterType::Float32), 1);
        assert_eq!(question("--address 40001 --type float32").unwrap().readings.len(), 1);
        assert_eq!(question("--address 10001").unwrap().readings.len(), 1);
    }
}
