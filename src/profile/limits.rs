//! What a device can bear: how much in one request, how fast, and where never.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};

use super::register::Table;
use crate::model::time::Period;

/// What a device can bear. **Source**: the profile's sources and quirks.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Most registers in one request. **Source**: 125 in the Modbus application protocol, less where noted.
    pub max_words: u16,
    /// Most unwanted registers read along to save a request. 0 reads nothing that wasn't asked for.
    pub max_gap: u16,
    /// Wait between a new connection and its first request; 0 for none.
    pub connect_delay: Period,
    /// Shortest wait between an answer and the next request; 0 for none.
    pub request_pause: Period,
    /// Whether the device answers only requests for a single value.
    pub one_point_per_request: bool,
    /// Whether requests to a table must begin at address 0.
    pub start_at_zero: bool,
    /// Ranges that no request may touch.
    pub forbidden: Vec<Forbidden>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_words: 125,
            max_gap: 0,
            connect_delay: Period::from_ms(0),
            request_pause: Period::from_ms(0),
            one_point_per_request: false,
            start_at_zero: false,
            forbidden: Vec::new(),
        }
    }
}

/// Addresses of one table that no request may touch, written `"input 100-120"` or `"holding 31"`, on the wire, both
/// ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forbidden {
    /// Which table.
    pub table: Table,
    /// First address.
    pub first: u16,
    /// Last address, not below the first.
    pub last: u16,
}

impl Forbidden {
    /// Says whether a read of `length` registers or bits from `address` on touches the range.
    pub fn touches(self, table: Table, address: u16, length: u16) -> bool {
        let end = u32::from(address) + u32::from(length);
        table == self.table && u32::from(self.first) < end && address <= self.last
    }
}

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}-{}", self.table, self.first, self.last)
    }
}

impl FromStr for Forbidden {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || format!("\"{text}\" is no range of addresses: write \"input 100-120\" or \"holding 31\"");
        let (table, range) = text.split_once(' ').ok_or_else(refused)?;
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let number = |text: &str| text.trim().parse::<u16>().map_err(|_| refused());
        let (first, last) = (number(first)?, number(last)?);
        if last < first {
            return Err(refused());
        }
        Ok(Self { table: table.parse()?, first, last })
    }
}

impl<'de> Deserialize<'de> for Forbidden {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::{Forbidden, Limits, Table};
    use crate::model::time::Period;

    #[test]
    fn a_range_is_read_and_shown_with_both_ends() {
        let range: Forbidden = "input 100-120".parse().unwrap();
        assert_eq!(range, Forbidden { table: Table::Input, first: 100, last: 120 });
        assert_eq!(range.to_string(), "input 100-120");
        assert_eq!("holding 31".parse(), Ok(Forbidden { table: Table::Holding, first: 31, last: 31 }));
        for wrong in ["100-120", "input", "input 120-100", "input 1-70000", "register 1-2", "input -1"] {
            assert!(wrong.parse::<Forbidden>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_read_touches_a_range_from_either_side_or_across_it() {
        let range: Forbidden = "input 100-120".parse().unwrap();
        let table = [(98, 2, false), (98, 3, true), (110, 1, true), (90, 60, true), (120, 1, true), (121, 4, false)];
        for (address, length, touches) in table {
            assert_eq!(range.touches(Table::Input, address, length), touches, "{address} {length}");
        }
        assert!(!range.touches(Table::Holding, 100, 1));
        let top: Forbidden = "holding 65535".parse().unwrap();
        assert!(top.touches(Table::Holding, 65_534, 2));
    }

    #[test]
    fn what_a_profile_leaves_out_is_the_protocols_own() {
        let text = "max_words = 50\nconnect_delay = \"1s\"\nforbidden = [\"holding 31-48\"]";
        let limits: Limits = toml::from_str(text).unwrap();
        let expected = Limits {
            max_words: 50,
            connect_delay: Period::from_ms(1000),
            forbidden: vec!["holding 31-48".parse().unwrap()],
            ..Limits::default()
        };
        assert_eq!(limits, expected);
        assert!(toml::from_str::<Limits>("max_word = 50").unwrap_err().to_string().contains("max_word"));
    }
}
