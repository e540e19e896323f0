//! Addresses as people write them, and the one on the wire that they mean.
//!
//! A manual's number counts from 1 and its first digit names the table ("40101"); the wire counts from 0. Which of
//! the two is meant is never guessed: quotes mean a manual's number, a bare number means the wire, unless the source
//! says that its manual calls the first register 1.

use std::fmt::{self, Display};

use serde::{Deserialize, Deserializer};

use crate::profile::register::Table;

/// An address as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A wire address from 0.
    Number(i64),
    /// "40101" or "0x64".
    Text(String),
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Address;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an address: \"40101\", \"0x64\" or a number from 0")
            }
            fn visit_i64<E>(self, value: i64) -> Result<Address, E> {
                Ok(Address::Number(value))
            }
            fn visit_str<E>(self, text: &str) -> Result<Address, E> {
                Ok(Address::Text(text.to_owned()))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl Address {
    /// Returns the table and the wire address that are meant where plain numbers count from 0.
    ///
    /// # Errors
    /// What is wrong and what to write instead.
    pub fn locate(&self, table: Option<Table>) -> Result<(Table, u16), (String, String)> {
        self.locate_from(0, table)
    }

    /// Returns the table and the wire address that are meant where the first register is called `base`. One like
    /// "40101" counts from 1 whatever the base.
    ///
    /// # Errors
    /// What is wrong and what to write instead.
    pub fn locate_from(&self, base: u8, table: Option<Table>) -> Result<(Table, u16), (String, String)> {
        match self {
            Self::Number(number) => plain(*number, base, number, table),
            Self::Text(text) => match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
                Some(hex) => match u16::from_str_radix(hex, 16) {
                    Ok(number) => plain(i64::from(number), base, text, table),
                    Err(_) => {
                        Err((format!("\"{text}\" is no address up to 0xFFFF"), "write \"0x64\", for instance".into()))
                    }
                },
                None => numbered(text, table),
            },
        }
    }
}

fn plain(number: i64, base: u8, shown: impl Display, table: Option<Table>) -> Result<(Table, u16), (String, String)> {
    let base = i64::from(base);
    let Some(address) = number.checked_sub(base).and_then(|address| u16::try_from(address).ok()) else {
        let help = "wire addresses count from 0; write a manual's number as \"40101\", in quotes";
        return Err((format!("address {shown} is outside {base} to {}", 65_535 + base), help.into()));
    };
    let Some(table) = table else {
        let help = match number {
            30_001..=39_999 | 40_001..=49_999 => {
                format!("write \"{number}\" in quotes for a manual's register number, or add table = \"holding\"")
            }
            _ => "add table = \"holding\" (or input, coil, discrete), or write a manual's number as \"40101\"".into(),
        };
        return Err((format!("address {shown} doesn't say which table"), help));
    };
    Ok((table, address))
}

/// Reads a manual's number: the first digit names the table, the rest counts from 1.
/// **Source**: the convention of Modbus manuals, five digits up to 9999 registers, six up to 65536.
fn numbered(text: &str, table: Option<Table>) -> Result<(Table, u16), (String, String)> {
    let help =
        "write \"40101\" for holding register 101, or the wire address 100 without quotes and table = \"holding\"";
    let refused = || (format!("address \"{text}\" is no register number"), help.to_owned());
    if !matches!(text.len(), 5 | 6) || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(refused());
    }
    let (digit, number) = text.split_at(1);
    let named = match digit {
        "0" => Table::Coil,
        "1" => Table::Discrete,
        "3" => Table::Input,
        "4" => Table::Holding,
        _ => return Err(refused()),
    };
    let number: u32 = number.parse().map_err(|_| refused())?;
    let address = number.checked_sub(1).and_then(|address| u16::try_from(address).ok()).ok_or_else(refused)?;
    match table {
        Some(table) if table != named => {
            let message = format!("address \"{text}\" is of the {named} table, not of {table}");
            Err((message, format!("leave table out, or write the wire address {address} without quotes")))
        }
        _ => Ok((named, address)),
    }
}

#[cfg(test)]
mod tests {
    use super::{Address, Table};

    #[test]
    fn quotes_mean_a_manuals_number_and_a_bare_number_means_the_wire() {
        let text = |text: &str| Address::Text(text.to_owned());
        let table = [
            (text("40101"), None, (Table::Holding, 100)),
            (text("40001"), Some(Table::Holding), (Table::Holding, 0)),
            (text("30001"), None, (Table::Input, 0)),
            (text("10001"), None, (Table::Discrete, 0)),
            (text("00001"), None, (Table::Coil, 0)),
            (text("465536"), None, (Table::Holding, 65_535)),
            (text("0x64"), Some(Table::Input), (Table::Input, 100)),
            (Address::Number(100), Some(Table::Holding), (Table::Holding, 100)),
            (Address::Number(65_535), Some(Table::Coil), (Table::Coil, 65_535)),
        ];
        for (address, table, expected) in table {
            assert_eq!(address.locate(table), Ok(expected), "{address:?} {table:?}");
        }
    }

    #[test]
    fn a_base_of_1_moves_plain_numbers_and_no_manuals_number() {
        let at = |address: Address| address.locate_from(1, Some(Table::Holding));
        let table = [(1, 0), (3060, 3059), (65_536, 65_535)];
        for (written, wire) in table {
            assert_eq!(at(Address::Number(written)), Ok((Table::Holding, wire)));
        }
        assert_eq!(at(Address::Text("0x10".into())), Ok((Table::Holding, 15)));
        assert_eq!(at(Address::Text("40101".into())), Ok((Table::Holding, 100)));
        for outside in [0, 65_537, i64::MIN] {
            assert!(at(Address::Number(outside)).unwrap_err().0.contains("outside 1 to 65536"), "{outside}");
        }
    }

    #[test]
    fn what_could_mean_two_registers_is_refused_with_a_proposal() {
        let table = [
            (Address::Text("40101".into()), Some(Table::Input), "is of the holding table, not of input"),
            (Address::Text("40000".into()), None, "is no register number"),
            (Address::Text("50001".into()), None, "is no register number"),
            (Address::Text("465537".into()), None, "is no register number"),
            (Address::Text("100".into()), Some(Table::Holding), "is no register number"),
            (Address::Text("0x10000".into()), Some(Table::Holding), "is no address up to 0xFFFF"),
            (Address::Text("0x64".into()), None, "doesn't say which table"),
            (Address::Number(40_101), None, "doesn't say which table"),
            (Address::Number(-1), Some(Table::Holding), "is outside 0 to 65535"),
            (Address::Number(65_536), Some(Table::Holding), "is outside 0 to 65535"),
        ];
        for (address, table, expected) in table {
            let (message, help) = address.locate(table).unwrap_err();
            assert!(message.contains(expected) && !help.is_empty(), "{address:?}: {message}");
        }
    }
}
