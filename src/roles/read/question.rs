//! What `parkgate read` asks: its arguments, checked against each other, and the one request they make.

use std::time::Duration;

use super::super::reach::Bus;
use super::{Args, transport};
use crate::profile::register::{RegisterType, Table, WordOrder};
use crate::sources::modbus::address::Address;
use crate::sources::modbus::decode::Decoding;
use crate::sources::modbus::link::LinkError;
use crate::sources::modbus::plan::{Answer, Request};
use crate::sources::modbus::transport::{Security, Transport};

/// What is asked.
pub(super) struct Question {
    pub(super) transport: Transport,
    security: Security,
    pub(super) unit: u8,
    pub(super) table: Table,
    pub(super) address: u16,
    /// How the answer is read: one way where a type was given, else all of them.
    pub(super) readings: Vec<Decoding>,
    pub(super) is_typed: bool,
    /// Whether the person knows a scale: then none is guessed.
    pub(super) is_scaled: bool,
    /// Registers or bits of a range.
    pub(super) count: Option<u16>,
    /// Registers of a string.
    length: Option<u16>,
    timeout: Duration,
}

impl Question {
    pub(super) fn new(args: &Args) -> Result<Self, String> {
        let transport = transport(args)?;
        let address = args.address.as_deref().unwrap_or_default();
        let (table, address) = place(address, args.table)?;
        let scale = args.scale.unwrap_or(1.0);
        if !scale.is_finite() || scale == 0.0 || !args.offset.is_finite() {
            return Err("--scale must be a finite number other than 0, --offset a finite number".to_owned());
        }
        let question = Self {
            transport,
            security: args.certificates.security(),
            unit: args.unit,
            table,
            address,
            readings: readings(args, table)?,
            is_typed: args.register_type.is_some() || args.bit.is_some() || table.is_bits(),
            is_scaled: args.scale.is_some(),
            count: args.count,
            length: args.length,
            timeout: Duration::from_millis(u64::try_from(args.timeout.as_ms()).unwrap_or(0).max(1)),
        };
        let words = question.words_max();
        if question.is_typed && question.request(words.max(args.count.unwrap_or(0))).is_none() {
            return Err(format!("what is asked from address {address} on ends beyond 65535"));
        }
        if question.is_typed && args.count.is_some_and(|count| count < words) {
            return Err(format!("--count is less than the {words} registers of one value"));
        }
        Ok(question)
    }

    fn words_max(&self) -> u16 {
        if self.table.is_bits() { 1 } else { self.readings.iter().map(|way| self.words(way)).max().unwrap_or(1) }
    }

    /// Returns how many registers one value takes, or bits of a bit table.
    pub(super) fn words(&self, decoding: &Decoding) -> u16 {
        match decoding.register_type {
            RegisterType::Text => self.length.unwrap_or(1),
            other => other.words(),
        }
    }

    fn request(&self, count: u16) -> Option<Request> {
        Request::new(self.table, self.address, count)
    }

    /// Asks for the range, or for as many words as the type needs; without either for four, and for fewer where the
    /// device refuses.
    pub(super) async fn ask(&self) -> Result<(Request, Answer), LinkError> {
        let mut bus = Bus::new(self.transport.clone(), self.security.clone(), self.timeout, Duration::ZERO);
        let counts = match self.count {
            Some(count) => vec![count],
            None if self.is_typed => vec![self.words_max()],
            None => vec![4, 2, 1],
        };
        let mut outcome = Err(LinkError::Connect("not asked".to_owned()));
        for request in counts.into_iter().filter_map(|count| self.request(count)) {
            outcome = bus.read(self.unit, request).await.map(|answer| (request, answer));
            if !matches!(outcome, Err(LinkError::Exception(2 | 3))) {
                break;
            }
        }
        outcome
    }
}

/// Finds table and wire address. A bare number is a wire address where `--table` is given or where it is no
/// manual's number.
fn place(address: &str, table: Option<Table>) -> Result<(Table, u16), String> {
    let shown = |(message, _): (String, String)| {
        format!(
            "--{message}: write 40101 for holding register 101, or its wire address as --table holding --address 100"
        )
    };
    let text = || Address::Text(address.to_owned());
    match (address.parse::<i64>(), table) {
        (Ok(number), Some(table)) => Address::Number(number).locate(Some(table)).map_err(shown),
        (Ok(number), None) if address.len() < 5 => Address::Number(number).locate(Some(Table::Holding)).map_err(shown),
        (Ok(_), None) => text().locate(None).map_err(shown),
        (Err(_), table) => text().locate(table.or(Some(Table::Holding))).map_err(shown),
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
    if given == Some(RegisterType::Text) && args.length.is_none() {
        return Err("--type string needs --length, its number of registers".to_owned());
    }
    if args.length.is_some() && given != Some(RegisterType::Text) {
        return Err("--length has a meaning only for --type string".to_owned());
    }
    if let (Some(given), Some(order)) = (given, args.order)
        && !given.accepts(order)
    {
        return Err(format!("a value of type {given} can't arrive in order {order}"));
    }
    Ok(ways(args, table, given))
}

fn ways(args: &Args, table: Table, given: Option<RegisterType>) -> Vec<Decoding> {
    let decoding = |register_type, order, bit| Decoding {
        bit,
        scale: args.scale.unwrap_or(1.0),
        offset: args.offset,
        sentinels: args.sentinel.clone(),
        ..Decoding::plain(register_type, order)
    };
    let all = || RegisterType::ALL.iter().copied().filter(|kind| args.order.is_none_or(|order| kind.accepts(order)));
    let types = given.map_or_else(|| all().collect(), |given| vec![given]);
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
            "--address 40001 --type string",
            "--address 40001 --type uint16 --length 3",
            "--address 40001 --type uint32 --count 1",
            "--address 40001 --count 126",
            "--address 40001 --type uint16 --order EFGHABCD",
            "--table holding --address 65530 --count 10 --type uint16",
            "--table holding",
            "--address 40001 --profile abb_b23",
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
