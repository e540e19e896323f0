//! What a person reads on a device's display.

use std::str::FromStr;

use serde::Serialize;

use super::super::reach::ask;
use super::super::single::PointValue;
use crate::model::unit::{Dimension, Unit};
use crate::sources::modbus::diagnosis::Values;

/// Quantities that are asked for, in this order, where the device has them: the total that is paid for first.
const ASKED: &[&str] = &[
    "active_energy_import",
    "active_energy_total",
    "voltage_l1",
    "voltage_l2",
    "voltage_l3",
    "current_l1",
    "current_l2",
    "current_l3",
    "active_power",
    "active_power_l1",
    "active_power_l2",
    "active_power_l3",
];

/// One value on the display, written `point=value` or `point=value unit`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Reading {
    pub(super) point: String,
    pub(super) value: f64,
    /// As written; the display's usual unit of the quantity where `None`.
    pub(super) unit: Option<Unit>,
}

impl FromStr for Reading {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || format!("\"{text}\" is no reading: write point=value, like active_energy_import=12345.6");
        let (point, rest) = text.split_once('=').ok_or_else(refused)?;
        let (value, unit) = amount(rest).map_err(|reason| format!("{}: {reason}", refused()))?;
        Ok(Self { point: point.trim().to_owned(), value, unit })
    }
}

/// Reads a number, with a unit behind it or without.
fn amount(text: &str) -> Result<(f64, Option<Unit>), String> {
    let text = text.trim();
    let end = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '+'))).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let value: f64 = number.parse().map_err(|_| format!("\"{text}\" is no number"))?;
    let unit = match unit.trim() {
        "" => None,
        written => Some(
            Unit::ALL
                .into_iter()
                .find(|unit| unit.as_str() == written)
                .ok_or_else(|| format!("unit \"{written}\" is not known"))?,
        ),
    };
    Ok((value, unit))
}

/// All readings of a display.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub(super) struct Readings(pub(super) Vec<Reading>);

impl Readings {
    pub(super) fn new(given: &[Reading]) -> Self {
        Self(given.to_vec())
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Asks for what the display shows, one quantity after the other. An empty line skips one, `.` or the end of input
    /// skips the rest.
    pub(super) fn ask(mut self, values: &[PointValue]) -> anyhow::Result<Self> {
        for name in ASKED {
            let Some(point) = values.iter().find(|point| point.name == *name && point.value.is_ok()) else { continue };
            loop {
                let question = format!("The display's {name} in {} (empty: skip, `.`: enough):", base(point.unit));
                let Some(line) = ask(&question)? else { return Ok(self) };
                if line == "." {
                    return Ok(self);
                }
                if line.is_empty() {
                    break;
                }
                match amount(&line) {
                    Ok((value, unit)) => {
                        self.0.push(Reading { point: (*name).to_owned(), value, unit });
                        break;
                    }
                    Err(reason) => std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("{reason}\n"))?,
                }
            }
        }
        Ok(self)
    }

    /// Returns the display's values in the same units as [`in_base_units`].
    pub(super) fn in_base_units(&self) -> Values {
        let value = |reading: &Reading| reading.value * reading.unit.map_or(1.0, Unit::base_factor);
        self.0.iter().map(|reading| (reading.point.clone(), value(reading))).collect()
    }
}

/// Returns the unit in which a display usually shows a quantity.
const fn base(unit: Unit) -> &'static str {
    match unit.dimension() {
        Dimension::ActiveEnergy => "kWh",
        Dimension::ReactiveEnergy => "kvarh",
        Dimension::ActivePower => "kW",
        Dimension::ReactivePower => "kvar",
        _ => unit.as_str(),
    }
}

/// Returns the values that were read, energies in kWh and powers in kW; points without a value are left out.
pub(super) fn in_base_units(values: &[PointValue]) -> Values {
    let known = |point: &PointValue| {
        let value = point.value.as_ref().ok()?.as_f64();
        Some((point.name.clone(), value * point.unit.base_factor()))
    };
    values.iter().filter_map(known).collect()
}

#[cfg(test)]
mod tests {
    use super::{Reading, Unit};

    #[test]
    fn a_reading_is_a_point_a_value_and_perhaps_a_unit() {
        let reading = |text: &str| text.parse::<Reading>();
        let of = |point: &str, value, unit| Ok(Reading { point: point.to_owned(), value, unit });
        assert_eq!(reading("active_energy_import=12345.6"), of("active_energy_import", 12_345.6, None));
        assert_eq!(
            reading("active_energy_import=12.5 MWh"),
            of("active_energy_import", 12.5, Some(Unit::MegawattHour))
        );
        assert_eq!(reading("power=-3kW"), of("power", -3.0, Some(Unit::Kilowatt)));
        for wrong in ["12345", "a=", "a=x", "a=1,5", "a=1 kwh"] {
            assert!(reading(wrong).is_err(), "{wrong}");
        }
    }
}
