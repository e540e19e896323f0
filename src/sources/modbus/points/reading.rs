//! One `point` table of a configuration, part by part: each part is read, or is a problem with its place.

mod layout;

use std::collections::BTreeMap;
use std::ops::Range;
use std::str::FromStr;

use serde_spanned::Spanned;

use super::{ResolvedPoint, hold_default_ms, parse_integer, ratio};
use crate::model::id::TagName;
use crate::model::problem::Problems;
use crate::model::state::MachineState;
use crate::model::tag::TagKind;
use crate::model::unit::Unit;
use crate::profile::library::Profile;
use crate::profile::register::{RegisterType, Sentinel, Table, WordOrder};
use crate::sources::modbus::address::Address;
use crate::sources::modbus::config::{ModbusSource, Point, written};
use crate::sources::modbus::decode::Decoding;

/// One `point` table while it is read.
pub(super) struct Reading<'a> {
    pub(super) source: &'a ModbusSource,
    /// The source's profile and what its addresses count from.
    pub(super) profile: Option<(&'a Profile, u16)>,
    pub(super) point: &'a Point,
    pub(super) at: Range<usize>,
    pub(super) problems: &'a mut Problems,
}

impl Reading<'_> {
    /// Reads all parts before giving up, so that every problem of the point is named.
    pub(super) fn resolve(mut self) -> Option<ResolvedPoint> {
        let name = self.name();
        let place = self.place();
        let table = place.map(|(table, _)| table);
        let register_type = self.register_type(table);
        let order = self.order(register_type);
        let bit = self.bit(table, register_type);
        let unit = self.unit();
        let states = self.states(register_type);
        let (scale, offset) =
            (self.factor("scale", &self.point.scale, 1.0), self.factor("offset", &self.point.offset, 0.0));
        let scale = self.signed(scale, register_type);
        let sentinels = register_type.and_then(|register_type| self.sentinels(register_type));
        let ratio = unit.map_or(1.0, |unit| ratio(self.source, unit));
        let kind = self.kind(register_type, scale.map(|scale| scale * ratio));
        let hold_ms = self.hold_ms();
        let (span, layout) = self.layout(place, register_type)?;
        let decoding = Decoding {
            register_type: register_type?,
            order: order?,
            bit: bit?,
            scale: scale? * ratio,
            offset: offset? * ratio,
            sentinels: sentinels?,
            states: states?,
            layout,
        };
        Some(ResolvedPoint { name: name?, span, decoding, kind: kind?, unit: unit?, hold_ms: hold_ms? })
    }

    fn error(&mut self, at: Range<usize>, message: impl Into<String>, help: impl Into<String>) {
        self.problems.error(at, message, help);
    }

    fn name(&mut self) -> Option<TagName> {
        let written = &self.point.name;
        match TagName::new(&format!("{}.{}", self.source.name.get_ref(), written.get_ref())) {
            Ok(name) => Some(name),
            Err(_) => {
                let message = format!("\"{}\" is no point name", written.get_ref());
                self.error(written.span(), message, "use 1 to 64 of A-Z, a-z, 0-9, _ and -");
                None
            }
        }
    }

    /// Parses one of a list of names; its own message lists them.
    fn named<T: FromStr<Err = String> + Copy>(&mut self, written: Option<&Spanned<String>>, default: T) -> Option<T> {
        let Some(written) = written else { return Some(default) };
        match written.get_ref().parse() {
            Ok(value) => Some(value),
            Err(reason) => {
                let (message, help) = reason.split_once(": ").unwrap_or((&reason, ""));
                self.error(written.span(), message, help);
                None
            }
        }
    }

    fn place(&mut self) -> Option<(Table, u16)> {
        let table = match &self.point.table {
            None => None,
            Some(_) => Some(self.named(self.point.table.as_ref(), Table::Holding)?),
        };
        self.locate(&self.point.address, table)
    }

    fn locate(&mut self, address: &Spanned<Address>, table: Option<Table>) -> Option<(Table, u16)> {
        match address.get_ref().locate_from(self.source.address_base(), table) {
            Ok(place) => Some(place),
            Err((message, help)) => {
                self.error(address.span(), message, help);
                None
            }
        }
    }

    fn order(&mut self, register_type: Option<RegisterType>) -> Option<WordOrder> {
        let order = self.named(self.point.order.as_ref(), WordOrder::Abcd)?;
        match (register_type, &self.point.order) {
            (Some(register_type), Some(written)) if !register_type.accepts(order) => {
                let known = register_type.orders().iter().map(|order| order.as_str()).collect::<Vec<_>>().join(", ");
                let message = format!("a {register_type} can't arrive in the order {}", written.get_ref());
                self.error(written.span(), message, format!("write one of {known}"));
                None
            }
            _ => Some(order),
        }
    }

    fn register_type(&mut self, table: Option<Table>) -> Option<RegisterType> {
        let bits = table.is_some_and(Table::is_bits);
        let Some(written) = &self.point.register_type else {
            if bits {
                return Some(RegisterType::Bit);
            }
            let message = format!("point \"{}\" has no type", self.point.name.get_ref());
            self.error(self.at.clone(), message, "add type = \"uint16\", or what the device's manual says");
            return None;
        };
        let register_type = self.named(Some(written), RegisterType::Uint16)?;
        if bits && register_type != RegisterType::Bit {
            let message = format!("type {register_type} can't be read from a table of bits");
            self.error(written.span(), message, "write type = \"bit\" or leave it out");
            return None;
        }
        Some(register_type)
    }

    fn bit(&mut self, table: Option<Table>, register_type: Option<RegisterType>) -> Option<u8> {
        let in_register = register_type == Some(RegisterType::Bit) && !table.is_some_and(Table::is_bits);
        match (&self.point.bit, in_register) {
            (None, false) => Some(0),
            (None, true) => {
                self.error(self.at.clone(), "type bit of a register needs to know which bit", "add bit = 0 to 15");
                None
            }
            (Some(bit), false) => {
                self.error(bit.span(), "bit has a meaning only for type \"bit\" of a register", "leave it out");
                None
            }
            (Some(bit), true) => match u8::try_from(*bit.get_ref()) {
                Ok(value @ 0..=15) => Some(value),
                _ => {
                    let message = format!("bit {} is outside 0 to 15", bit.get_ref());
                    self.error(bit.span(), message, "0 is the least significant bit of the register");
                    None
                }
            },
        }
    }

    fn unit(&mut self) -> Option<Unit> {
        let Some(written) = &self.point.unit else { return Some(Unit::One) };
        let found = Unit::ALL.into_iter().find(|unit| unit.as_str() == written.get_ref());
        if found.is_none() {
            let known = Unit::ALL.map(Unit::as_str).join(", ");
            let message = format!("unit \"{}\" is not known", written.get_ref());
            self.error(written.span(), message, format!("write one of {known}, and a scale that leads to it"));
        }
        found
    }

    fn states(&mut self, register_type: Option<RegisterType>) -> Option<BTreeMap<i128, MachineState>> {
        let mut states = BTreeMap::new();
        let mut sound = true;
        let is_text = register_type == Some(RegisterType::Text);
        for (raw, name) in &self.point.states {
            match (parse_integer(raw), MachineState::from_name(name.get_ref())) {
                (_, Some(_)) if is_text => {}
                (Some(raw), Some(state)) => {
                    states.insert(raw, state);
                }
                (None, _) if !is_text => {
                    let message = format!("\"{raw}\" of states is no whole number");
                    self.error(name.span(), message, "write the number the device sends, like 1 = \"producing\"");
                    sound = false;
                }
                _ => {
                    let known = MachineState::ALL.map(MachineState::as_str).join(", ");
                    let message = format!("\"{}\" is no machine state", name.get_ref());
                    self.error(name.span(), message, format!("write one of {known}"));
                    sound = false;
                }
            }
        }
        if !states.is_empty() && register_type.is_some_and(RegisterType::is_float) {
            self.error(self.at.clone(), "states need a whole-number type", "write type = \"uint16\", for instance");
            sound = false;
        }
        sound.then_some(states)
    }

    fn factor(&mut self, key: &str, written: &Option<Spanned<f64>>, default: f64) -> Option<f64> {
        let Some(written) = written else { return Some(default) };
        let value = *written.get_ref();
        if !self.point.states.is_empty() {
            self.error(written.span(), format!("{key} has no meaning beside states"), "leave it out");
        } else if !value.is_finite() || (key == "scale" && value == 0.0) {
            self.error(written.span(), format!("{key} {value} makes no value"), "write a finite number other than 0");
        } else {
            return Some(value);
        }
        None
    }

    /// Turns the sign of the scale where the point says so.
    fn signed(&mut self, scale: Option<f64>, register_type: Option<RegisterType>) -> Option<f64> {
        let Some(invert) = &self.point.invert else { return scale };
        if !self.point.states.is_empty() || matches!(register_type, Some(RegisterType::Bit | RegisterType::Text)) {
            self.error(invert.span(), "invert has a meaning only for a number", "leave it out");
            return None;
        }
        scale.map(|scale| if *invert.get_ref() { -scale } else { scale })
    }

    fn sentinels(&mut self, register_type: RegisterType) -> Option<Vec<Sentinel>> {
        let width = if register_type == RegisterType::Bit { 16 } else { register_type.bits() };
        let mut sound = true;
        for sentinel in &self.point.sentinel {
            if let Sentinel::Bits(bits) = sentinel.get_ref()
                && width < 64
                && bits >> width != 0
            {
                let message = format!("sentinel {bits:#x} is wider than {register_type}");
                self.error(sentinel.span(), message, format!("write at most {} hexadecimal digits", width / 4));
                sound = false;
            }
        }
        sound.then(|| self.point.sentinel.iter().map(|sentinel| *sentinel.get_ref()).collect())
    }

    fn kind(&mut self, register_type: Option<RegisterType>, scale: Option<f64>) -> Option<TagKind> {
        let has_states = !self.point.states.is_empty();
        let written = self.point.kind.as_ref().map(|kind| (kind.get_ref().as_str(), kind.span()));
        let (kind, at) = written.unwrap_or((if has_states { "state" } else { "gauge" }, self.at.clone()));
        let kind = match kind {
            "gauge" => TagKind::Gauge,
            "counter" => TagKind::Counter {
                modulus: self
                    .positive("modulus", &self.point.modulus)
                    .or_else(|| self.modulus_by_width(register_type, scale)),
                max_per_second: self.positive("max_per_second", &self.point.max_per_second),
            },
            "interval" => TagKind::Interval { period_ms: self.interval_ms(&at)? },
            "state" => TagKind::State,
            other => {
                let help = "write gauge, counter, interval or state";
                self.error(at, format!("kind \"{other}\" is not known"), help);
                return None;
            }
        };
        self.fits(kind, has_states, &at).then_some(kind)
    }

    /// Returns where the counter starts again by the width of what is read; nothing where a factor scales it too.
    fn modulus_by_width(&self, register_type: Option<RegisterType>, scale: Option<f64>) -> Option<f64> {
        let bits = self.point.bits.as_ref().and_then(|bits| bits.get_ref().0.clone().ok());
        let by_width = match bits {
            Some(field) => Some(2f64.powi(i32::from(field.last) - i32::from(field.first) + 1)),
            None => register_type?.modulus().filter(|_| self.point.scale_factor.is_none()),
        };
        Some(by_width? * scale?.abs())
    }

    /// Says whether nothing stands in the point that its kind can't use.
    fn fits(&mut self, kind: TagKind, has_states: bool, at: &Range<usize>) -> bool {
        let is_counter = matches!(kind, TagKind::Counter { .. });
        let is_interval = matches!(kind, TagKind::Interval { .. });
        let point = self.point;
        let mut sound = true;
        let mut refuse = |misplaced: bool, span: Range<usize>, key: &str, owner: &str| {
            if misplaced {
                let message = format!("{key} has no meaning for kind \"{}\"", kind.as_str());
                self.problems.error(span, message, format!("leave it out, or write kind = \"{owner}\""));
                sound = false;
            }
        };
        refuse(has_states && kind != TagKind::State, at.clone(), "states", "state");
        for (key, value) in [("modulus", &point.modulus), ("max_per_second", &point.max_per_second)] {
            refuse(value.is_some() && !is_counter, value.as_ref().map_or(0..0, Spanned::span), key, "counter");
        }
        let period = point.period.as_ref();
        refuse(period.is_some() && !is_interval, period.map_or(0..0, Spanned::span), "period", "interval");
        if kind == TagKind::State && !has_states {
            self.error(at.clone(), "kind \"state\" needs states", "add states = { 0 = \"idle\", 1 = \"producing\" }");
            sound = false;
        }
        sound
    }

    fn positive(&mut self, key: &str, written: &Option<Spanned<f64>>) -> Option<f64> {
        let written = written.as_ref()?;
        let value = *written.get_ref();
        if value.is_finite() && value > 0.0 {
            return Some(value);
        }
        self.error(written.span(), format!("{key} {value} is not above 0"), "write a number in the point's unit");
        None
    }

    fn interval_ms(&mut self, at: &Range<usize>) -> Option<i64> {
        match written(self.point.period.as_ref()) {
            Some(period) if period.as_ms() > 0 => Some(period.as_ms()),
            _ => {
                let message = "kind \"interval\" needs the period that each amount is about";
                self.error(at.clone(), message, "add period = \"15min\", or what the device is set to");
                None
            }
        }
    }

    fn hold_ms(&mut self) -> Option<i64> {
        let Some(hold) = &self.point.hold else { return Some(hold_default_ms(self.source.every_ms())) };
        match &hold.get_ref().0 {
            Ok(length) if length.as_ms() >= self.source.every_ms() => Some(length.as_ms()),
            Ok(length) => {
                let message = format!("hold of {} ms is shorter than the poll period", length.as_ms());
                self.error(hold.span(), message, "leave it out for 2.5 periods, or write a longer one");
                None
            }
            Err(reason) => {
                self.error(hold.span(), format!("hold: {reason}"), "write hold = \"5s\"");
                None
            }
        }
    }
}
