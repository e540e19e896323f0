//! One row of Kepware's tag export as a point.
//!
//! **Source**: PTC, Kepware server help, "CSV Import and Export" (columns) and Modbus driver help, "Modbus Addressing"
//! and "Data Types Description" (address syntax, types): the first digit names the table, the rest counts from 1 and
//! may leave out zeros, `.n` is a bit from 0, `[…]` an array, `.nH` and `.nL` a text.

use super::{Defaults, RegisterType, Row, Table, Taken, WordOrder, number, point_name, quoted, unit_of};
use crate::model::unit::{Dimension, Unit};

/// What an address of the driver says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) table: Table,
    /// On the wire, from 0.
    pub(super) address: u16,
    pub(super) bit: Option<u8>,
}

/// Returns the row's scan rate in whole milliseconds within what a poll period may be.
pub(super) fn scan_rate_ms(row: &Row<'_>) -> Option<i64> {
    row.cell("scan rate").parse::<i64>().ok().filter(|rate| (10..=86_400_000).contains(rate))
}

/// Reads one row.
pub(super) fn point(row: &Row<'_>, defaults: &Defaults) -> Result<Taken, String> {
    let tag = row.cell("tag name");
    if row.cell("client access").eq_ignore_ascii_case("WO") {
        return Err("the tag is write-only: nothing is ever written to a device".to_owned());
    }
    let place = place(row.cell("address"))?;
    let register_type = register_type(row.cell("data type"), place)?;
    let name = point_name(tag)?;
    let mut notes = Vec::new();
    if name != tag {
        notes.push(format!("was \"{tag}\""));
    }
    let mut keys = vec![("name", quoted(&name)), ("address", place.address.to_string())];
    keys.push(("table", quoted(place.table.as_str())));
    if !place.table.is_bits() {
        keys.push(("type", quoted(register_type.as_str())));
    }
    if let Some(bit) = place.bit {
        keys.push(("bit", bit.to_string()));
    }
    if register_type.words() > 1 && defaults.kepware_order != WordOrder::Abcd {
        keys.push(("order", quoted(defaults.kepware_order.as_str())));
    }
    scaling(row, &mut keys, &mut notes)?;
    unit(row, &mut keys, &mut notes);
    Ok(Taken { line: row.line, name, keys, notes })
}

/// Reads an address of the Modbus driver.
pub(super) fn place(written: &str) -> Result<Place, String> {
    let refused = |reason: &str| format!("address \"{written}\" {reason}");
    if written.contains(['[', ']']) {
        return Err(refused("is an array: list each of its elements as a tag of its own"));
    }
    let (number, suffix) = match written.split_once('.') {
        Some((number, suffix)) => (number, Some(suffix)),
        None => (written, None),
    };
    if number.starts_with(['H', 'h']) {
        return Err(refused("is hexadecimal: write it in decimal, like 400001"));
    }
    let (digit, item) = (number.get(..1), number.get(1..).map(str::parse::<u32>));
    let table = match digit {
        Some("0") => Table::Coil,
        Some("1") => Table::Discrete,
        Some("3") => Table::Input,
        Some("4") => Table::Holding,
        _ => return Err(refused("begins with none of 0, 1, 3 and 4, which name the four tables")),
    };
    let Some(Ok(item)) = item else { return Err(refused("is no register number, like 400001")) };
    let address = item.checked_sub(1).and_then(|address| u16::try_from(address).ok());
    let Some(address) = address else { return Err(refused("is outside 1 to 65536 of its table")) };
    let bit = match suffix {
        None => None,
        Some(text) if text.ends_with(['H', 'L', 'h', 'l']) => {
            return Err(refused("is a text; a point holds a number"));
        }
        Some(_) if table.is_bits() => return Err(refused("names a bit of a table that holds bits")),
        Some(bit) => match bit.parse() {
            Ok(bit @ 0..=15) => Some(bit),
            _ => return Err(refused("names no bit from 0 to 15")),
        },
    };
    Ok(Place { table, address, bit })
}

/// Finds the type; the driver's own default where the list leaves it out.
fn register_type(written: &str, place: Place) -> Result<RegisterType, String> {
    let is_bit = place.table.is_bits() || place.bit.is_some();
    let lower = written.to_ascii_lowercase();
    if is_bit {
        return match lower.as_str() {
            "" | "default" | "boolean" => Ok(RegisterType::Bit),
            _ => Err(format!("data type \"{written}\" can't be read from one bit")),
        };
    }
    match lower.as_str() {
        "" | "default" | "word" => Ok(RegisterType::Uint16),
        "short" => Ok(RegisterType::Int16),
        "dword" => Ok(RegisterType::Uint32),
        "long" => Ok(RegisterType::Int32),
        "llong" | "longlong" => Ok(RegisterType::Int64),
        "qword" => Ok(RegisterType::Uint64),
        "float" => Ok(RegisterType::Float32),
        "double" => Ok(RegisterType::Float64),
        "bcd" => Ok(RegisterType::Bcd16),
        "lbcd" => Ok(RegisterType::Bcd32),
        "boolean" => Err("a Boolean of a register needs its bit: write the address like 400001.3".to_owned()),
        other if other.ends_with("array") => {
            Err(format!("data type \"{written}\" is an array: list each of its elements as a tag of its own"))
        }
        _ => Err(format!("data type \"{written}\" holds no number")),
    }
}

type Keys = Vec<(&'static str, String)>;

/// Turns a linear scaling into scale and offset.
#[expect(clippy::float_cmp, reason = "a scale of exactly 1, an offset of exactly 0 and equal ends are what is meant")]
fn scaling(row: &Row<'_>, keys: &mut Keys, notes: &mut Vec<String>) -> Result<(), String> {
    let is_set = |column: &str| matches!(row.cell(column).to_ascii_lowercase().as_str(), "1" | "true" | "yes");
    let (mut scale, mut offset) = match row.cell("scaling").to_ascii_lowercase().as_str() {
        "" | "none" => (1.0, 0.0),
        "linear" => {
            let value = |column: &str| {
                let written = row.cell(column);
                // Lists with semicolons write decimals with a comma.
                let parsed = written.replace(',', ".").parse::<f64>().ok().filter(|value| value.is_finite());
                parsed.ok_or_else(|| format!("linear scaling needs a number as {column}, found \"{written}\""))
            };
            let (raw_low, raw_high) = (value("raw low")?, value("raw high")?);
            let (low, high) = (value("scaled low")?, value("scaled high")?);
            if raw_low == raw_high || low == high {
                return Err("linear scaling maps a range without width".to_owned());
            }
            let scale = (high - low) / (raw_high - raw_low);
            (scale, low - raw_low * scale)
        }
        other => return Err(format!("{other} scaling is no scale and offset")),
    };
    if is_set("negate value") {
        (scale, offset) = (-scale, -offset);
    }
    let is_bit = keys.iter().any(|(key, value)| {
        *key == "bit" || (*key == "table" && (value.contains("coil") || value.contains("discrete")))
    });
    if is_bit && (scale != 1.0 || offset != 0.0) {
        notes.push("the bit's scaling was left out".to_owned());
        return Ok(());
    }
    if scale != 1.0 {
        keys.push(("scale", number("scale", &format!("{scale:?}"))?));
    }
    if offset != 0.0 {
        keys.push(("offset", number("offset", &format!("{offset:?}"))?));
    }
    if is_set("clamp low") || is_set("clamp high") {
        notes.push("values are not clamped: what a device answers is kept as it is".to_owned());
    }
    Ok(())
}

/// Takes over the unit; an energy or a volume is a total that grows.
fn unit(row: &Row<'_>, keys: &mut Keys, notes: &mut Vec<String>) {
    let written = row.cell("eng units");
    if written.is_empty() {
        return;
    }
    let Some(unit) = unit_of(written) else {
        notes.push(format!("unit \"{written}\" is not known; it is 1"));
        return;
    };
    if unit == Unit::One {
        return;
    }
    keys.push(("unit", quoted(unit.as_str())));
    if matches!(unit.dimension(), Dimension::ActiveEnergy | Dimension::ReactiveEnergy | Dimension::Volume) {
        keys.push(("kind", quoted("counter")));
        notes.push(format!("taken as a counter, since its unit is {}", unit.as_str()));
    }
}
