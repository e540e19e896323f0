//! From what a source's configuration says to points that can be read: profile registers and `point` tables alike.
//!
//! In: one [`ModbusSource`] and the profiles. Out: [`ResolvedPoint`]s, and a problem for every value that can't be
//! meant. A point with a problem is left out, so that whoever goes on in spite of it never reads a wrong register.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::str::FromStr;

use serde_spanned::Spanned;

use super::config::{ModbusSource, Point, written};
use super::decode::Decoding;
use super::plan::Span;
use crate::model::id::TagName;
use crate::model::problem::Problems;
use crate::model::state::MachineState;
use crate::model::tag::{SourceIndex, TagKind, TagSpec};
use crate::model::unit::{Dimension, Unit};
use crate::profile::Library;
use crate::profile::library::{Confidence, Profile, ProfileKind, Register};
use crate::profile::register::{RegisterType, Sentinel, Table, WordOrder};

/// One point that can be read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ResolvedPoint {
    /// Its tag.
    pub(super) name: TagName,
    /// Where it stands.
    pub(super) span: Span,
    /// How its words become a value.
    pub(super) decoding: Decoding,
    /// How its values turn into amounts.
    pub(super) kind: TagKind,
    /// Unit of its values.
    pub(super) unit: Unit,
    /// How long a value holds.
    pub(super) hold_ms: i64,
}

impl ResolvedPoint {
    /// Returns everything that decides what a stored value of the tag means.
    fn meaning(&self) -> String {
        let Decoding { register_type, order, bit, scale, offset, .. } = &self.decoding;
        let (table, kind, order) = (self.span.table.as_str(), register_type.as_str(), order.as_str());
        format!("{table} {} {kind} {order} bit {bit} x {scale} + {offset}", self.span.address)
    }

    /// Returns the tag as the plant knows it. A poll is never late: its lateness is 0.
    pub(super) fn tag(&self, source: SourceIndex) -> TagSpec {
        TagSpec {
            name: self.name.clone(),
            source,
            kind: self.kind,
            unit: self.unit,
            decoding: self.meaning(),
            hold_ms: self.hold_ms,
            lateness_ms: 0,
            states: self.decoding.states.iter().map(|(raw, state)| (raw.to_string(), *state)).collect(),
        }
    }
}

/// Resolves every point of a source, the profile's first; names every problem.
pub(super) fn resolve(source: &ModbusSource, profiles: &Library, problems: &mut Problems) -> Vec<ResolvedPoint> {
    let mut points = profile(source, profiles, problems).map_or_else(Vec::new, |profile| {
        profile.registers.iter().filter_map(|register| from_profile(source, register)).collect()
    });
    let mut names: BTreeSet<TagName> = points.iter().map(|point: &ResolvedPoint| point.name.clone()).collect();
    for point in &source.point {
        let Some(resolved) = (Reading { source, point: point.get_ref(), at: point.span(), problems }).resolve() else {
            continue;
        };
        if names.insert(resolved.name.clone()) {
            points.push(resolved);
        } else {
            let message = format!("point \"{}\" stands twice", resolved.name);
            let at = point.get_ref().name.span();
            problems.error(at, message, "give each point of a source a name of its own; the profile's names are taken");
        }
    }
    points
}

/// Finds the profile by name and passes on what its sources disagree about.
fn profile<'a>(source: &ModbusSource, profiles: &'a Library, problems: &mut Problems) -> Option<&'a Profile> {
    let name = source.profile.as_ref()?;
    let Some(profile) = profiles.get(name.get_ref()) else {
        let known = profiles.iter().map(|profile| profile.name.as_str()).collect::<Vec<_>>().join(", ");
        let message = format!("profile \"{}\" is not known", name.get_ref());
        problems.error(name.span(), message, format!("write one of {known}, or list the registers as point"));
        return None;
    };
    if profile.confidence == Confidence::SourcesConflict {
        let message = format!("sources disagree about {}: {}", profile.name, profile.conflicts.join("; "));
        problems.warning(name.span(), message, "compare each value with the device's display before relying on it");
    }
    Some(profile)
}

/// Returns the transformer ratio that a value of `unit` is measured behind: currents behind the current transformer,
/// voltages behind the voltage transformer, power and energy behind both.
fn ratio(source: &ModbusSource, unit: Unit) -> f64 {
    let value = |ratio: &Option<Spanned<f64>>| ratio.as_ref().map_or(1.0, |ratio| *ratio.get_ref());
    let (current, voltage) = (value(&source.ct_ratio), value(&source.pt_ratio));
    match (unit, unit.dimension()) {
        (Unit::Ampere, _) => current,
        (Unit::Volt, _) => voltage,
        (
            _,
            Dimension::ActiveEnergy | Dimension::ReactiveEnergy | Dimension::ActivePower | Dimension::ReactivePower,
        ) => current * voltage,
        _ => 1.0,
    }
}

/// Returns 2.5 poll periods: one missed poll is no gap, two are.
const fn hold_default_ms(every_ms: i64) -> i64 {
    every_ms * 5 / 2
}

fn from_profile(source: &ModbusSource, register: &Register) -> Option<ResolvedPoint> {
    let ratio = ratio(source, register.unit);
    let scale = register.scale * ratio;
    let kind = match register.kind {
        ProfileKind::Gauge => TagKind::Gauge,
        ProfileKind::Counter => TagKind::Counter {
            modulus: register.register_type.modulus().map(|modulus| modulus * scale),
            max_per_second: register.max_per_second.map(|max| max * ratio),
        },
    };
    Some(ResolvedPoint {
        name: TagName::new(&format!("{}.{}", source.name.get_ref(), register.point)).ok()?,
        span: Span { table: register.table, address: register.address, length: register.register_type.words() },
        decoding: Decoding {
            scale,
            sentinels: register.sentinels.clone(),
            ..Decoding::plain(register.register_type, register.order)
        },
        kind,
        unit: register.unit,
        hold_ms: hold_default_ms(source.every_ms()),
    })
}

/// One `point` table while it is read.
struct Reading<'a> {
    source: &'a ModbusSource,
    point: &'a Point,
    at: Range<usize>,
    problems: &'a mut Problems,
}

impl Reading<'_> {
    /// Reads all parts before giving up, so that every problem of the point is named.
    fn resolve(&mut self) -> Option<ResolvedPoint> {
        let name = self.name();
        let place = self.place();
        let register_type = self.register_type(place.map(|(table, _)| table));
        let order = self.named(self.point.order.as_ref(), WordOrder::Abcd);
        let bit = self.bit(place.map(|(table, _)| table), register_type);
        let unit = self.unit();
        let states = self.states(register_type);
        let (scale, offset) =
            (self.factor("scale", &self.point.scale, 1.0), self.factor("offset", &self.point.offset, 0.0));
        let sentinels = register_type.and_then(|register_type| self.sentinels(register_type));
        let ratio = unit.map_or(1.0, |unit| ratio(self.source, unit));
        let kind = self.kind(register_type, scale.map(|scale| scale * ratio));
        let hold_ms = self.hold_ms();
        let span = self.span(place?, register_type?)?;
        let decoding = Decoding {
            register_type: register_type?,
            order: order?,
            bit: bit?,
            scale: scale? * ratio,
            offset: offset? * ratio,
            sentinels: sentinels?,
            states: states?,
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
        match self.point.address.get_ref().locate(table) {
            Ok(place) => Some(place),
            Err((message, help)) => {
                self.error(self.point.address.span(), message, help);
                None
            }
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
        for (raw, name) in &self.point.states {
            match (parse_integer(raw), MachineState::from_name(name.get_ref())) {
                (Some(raw), Some(state)) => {
                    states.insert(raw, state);
                }
                (None, _) => {
                    let message = format!("\"{raw}\" of states is no whole number");
                    self.error(name.span(), message, "write the number the device sends, like 1 = \"producing\"");
                    sound = false;
                }
                (_, None) => {
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
                    .or_else(|| Some(register_type?.modulus()? * scale?.abs())),
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

    fn span(&mut self, (table, address): (Table, u16), register_type: RegisterType) -> Option<Span> {
        let length = if table.is_bits() { 1 } else { register_type.words() };
        if u32::from(address) + u32::from(length) > 65_536 {
            let message = format!("{register_type} at address {address} ends beyond 65535");
            self.error(self.point.address.span(), message, "write the address of its first register");
            return None;
        }
        Some(Span { table, address, length })
    }
}

/// Parses a decimal or 0x-hexadecimal integer.
fn parse_integer(text: &str) -> Option<i128> {
    match text.strip_prefix("0x") {
        Some(hex) => i128::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::{ModbusSource, Problems, ResolvedPoint, SourceIndex, Span, TagKind, Unit, resolve};
    use crate::model::problem::Severity;
    use crate::profile::Library;
    use crate::profile::register::{RegisterType, Table};
    use crate::sources::modbus::decode::Decoding;

    #[derive(Debug, serde::Deserialize)]
    struct File {
        source: Vec<ModbusSource>,
    }

    fn source(text: &str) -> ModbusSource {
        let text = format!("[[source]]\nname = \"m\"\nurl = \"tcp://meter\"\n{text}");
        toml::from_str::<File>(&text).unwrap().source.remove(0)
    }

    fn points(text: &str) -> Vec<ResolvedPoint> {
        let mut problems = Problems::default();
        let source = source(text);
        source.check(&mut problems);
        let points = resolve(&source, &Library::builtin(), &mut problems);
        assert_eq!(problems, Problems::default(), "{text}");
        points
    }

    fn point(text: &str) -> ResolvedPoint {
        points(&format!("point = [{{ name = \"p\", {text} }}]")).remove(0)
    }

    const HOLDING: &str = r#"address = 0, table = "holding""#;

    #[test]
    fn a_profile_gives_its_points_with_the_transformers_multiplied_in() {
        let points = points("profile = \"eastron_sdm630\"\nct_ratio = 40\npt_ratio = 10.0");
        let find = |name: &str| points.iter().find(|point| point.name.as_str() == name).unwrap();
        let scales = ["active_energy_import", "active_power", "current_l1", "voltage_l1", "frequency", "power_factor"]
            .map(|name| find(&format!("m.{name}")).decoding.scale);
        assert_eq!(scales, [400.0, 400.0, 40.0, 10.0, 1.0, 1.0]);
        let energy = find("m.active_energy_import");
        assert_eq!(energy.span, Span { table: Table::Input, address: 72, length: 2 });
        assert_eq!((energy.unit, energy.hold_ms), (Unit::KilowattHour, 2500));
        assert_eq!(energy.kind, TagKind::Counter { modulus: None, max_per_second: None });
    }

    #[test]
    fn a_counter_starts_again_where_its_width_and_scale_say() {
        let modulus = |text: &str| match point(&format!("{HOLDING}, kind = \"counter\", {text}")).kind {
            TagKind::Counter { modulus, .. } => modulus,
            other => panic!("{other:?}"),
        };
        assert_eq!(modulus("type = \"uint16\""), Some(65_536.0));
        assert_eq!(modulus("type = \"uint32\", scale = 0.5"), Some(2_147_483_648.0));
        assert_eq!(modulus("type = \"bcd32\""), Some(1e8));
        assert_eq!(modulus("type = \"int32\""), None, "what a signed counter does at its end is the device's own");
        assert_eq!(modulus("type = \"float32\""), None);
        assert_eq!(modulus("type = \"uint32\", modulus = 1000000.0"), Some(1e6));
    }

    #[test]
    fn an_offset_is_behind_the_transformer_too() {
        let points = points(
            r#"ct_ratio = 40
            point = [{ name = "p", address = 0, table = "holding", type = "uint16", scale = 0.5, offset = -1, unit = "A" }]"#,
        );
        let plain = Decoding::plain(RegisterType::Uint16, crate::profile::register::WordOrder::Abcd);
        assert_eq!(points[0].decoding, Decoding { scale: 20.0, offset: -40.0, ..plain });
    }

    #[test]
    fn defaults_hold_for_two_and_a_half_periods() {
        assert_eq!(points("every = \"500ms\"\npoint = [{ name = \"p\", address = \"10001\" }]")[0].hold_ms, 1250);
        assert_eq!(point(&format!("{HOLDING}, type = \"int16\", hold = \"1min\"")).hold_ms, 60_000);
    }

    #[test]
    fn states_make_a_state_tag_with_canonical_numbers() {
        let point = point(&format!(r#"{HOLDING}, type = "uint16", states = {{ 0x10 = "fault", 0 = "idle" }}"#));
        assert_eq!(point.kind, TagKind::State);
        let tag = point.tag(SourceIndex(3));
        assert_eq!(tag.states.keys().collect::<Vec<_>>(), ["0", "16"]);
        assert_eq!((tag.source, tag.lateness_ms), (SourceIndex(3), 0));
    }

    /// Each wrong text, the part of it that the problem must point at, and a part of the message.
    #[test]
    fn every_wrong_value_is_a_problem_with_its_place_and_a_proposal() {
        let table: &[(&str, &str, &str)] = &[
            (r#"url = "tcp://:502""#, "\"tcp://:502\"", "has no host"),
            (r#"url = "tcp://meter:0""#, "\"tcp://meter:0\"", "has no port"),
            (r#"url = "rtu:///dev/ttyS0""#, "\"rtu:///dev/ttyS0\"", "rtu:// is not known"),
            ("unit = 256", "256", "outside 0 to 255"),
            (r#"every = "1 week""#, "\"1 week\"", "not a length of time"),
            (r#"every = "1ms""#, "\"1ms\"", "outside 10 to"),
            (r#"timeout = "5min""#, "\"5min\"", "outside 10 to 60000 ms"),
            ("ct_ratio = -40", "-40", "not above 0"),
            ("max_words = 126", "126", "outside 4 to 125"),
            (r#"profile = "eastron""#, "\"eastron\"", "is not known"),
            (r#"name = "a b""#, "\"a b\"", "is no point name"),
            (r#"address = "50001""#, "\"50001\"", "no register number"),
            (r#"table = "register""#, "\"register\"", "is no Modbus table"),
            (r#"type = "real""#, "\"real\"", "is no register type"),
            (r#"order = "BACD""#, "\"BACD\"", "is no word order"),
            (r#"sentinel = [], unit = "kwh""#, "\"kwh\"", "unit \"kwh\" is not known"),
            (r#"kind = "total""#, "\"total\"", "kind \"total\" is not known"),
            ("scale = 0.0", "0.0", "makes no value"),
            ("offset = inf", "inf", "makes no value"),
            ("bit = 3", "3", "only for type \"bit\""),
            (r#"sentinel = ["0x12345"]"#, "\"0x12345\"", "wider than uint16"),
            (r#"states = { a = "idle" }"#, "\"idle\"", "no whole number"),
            (r#"states = { 0 = "off" }"#, "\"off\"", "no machine state"),
            (r#"states = { 0 = "idle" }, scale = 2.0"#, "2.0", "no meaning beside states"),
            ("max_per_second = 3.0", "3.0", "no meaning for kind \"gauge\""),
            (r#"period = "15min""#, "\"15min\"", "no meaning for kind \"gauge\""),
            (r#"kind = "interval""#, "\"interval\"", "needs the period"),
            (r#"kind = "state""#, "\"state\"", "needs states"),
            (r#"kind = "counter", modulus = 0.0"#, "0.0", "modulus 0 is not above 0"),
            (r#"hold = "10ms""#, "\"10ms\"", "shorter than the poll period"),
        ];
        for (wrong, place, message) in table {
            let is_of_source = ["url", "unit =", "every", "timeout", "ct_", "max_words", "profile"]
                .iter()
                .any(|key| wrong.starts_with(key));
            let text = if is_of_source { of_source(wrong) } else { of_point(wrong) };
            let source =
                toml::from_str::<File>(&text).unwrap_or_else(|error| panic!("{wrong}: {error}")).source.remove(0);
            let mut problems = Problems::default();
            source.check(&mut problems);
            resolve(&source, &Library::builtin(), &mut problems);
            let [problem] = problems.0.as_slice() else { panic!("{wrong}: {:?}", problems.0) };
            assert!(problem.message.contains(message), "{wrong}: {}", problem.message);
            assert_eq!(&text[problem.span.clone().unwrap()], *place, "{wrong}: {}", problem.message);
            assert!(!problem.help.is_empty(), "{wrong}: no help");
        }
    }

    fn of_source(wrong: &str) -> String {
        let url = if wrong.starts_with("url") { "" } else { "url = \"tcp://meter\"" };
        let point = r#"point = [{ name = "p", address = 0, table = "holding", type = "uint16" }]"#;
        format!("[[source]]\nname = \"m\"\n{url}\n{wrong}\n{point}\n")
    }

    /// A point that is right but for `wrong`, which stands in place of the key it sets.
    fn of_point(wrong: &str) -> String {
        let sets = |key: &str| wrong.starts_with(&format!("{key} ="));
        let mut keys = vec![wrong];
        keys.extend((!sets("name")).then_some(r#"name = "p""#));
        keys.extend((!sets("address")).then_some("address = 0"));
        keys.extend((!sets("address") && !sets("table")).then_some(r#"table = "holding""#));
        keys.extend((!sets("type")).then_some(r#"type = "uint16""#));
        format!("[[source]]\nname = \"m\"\nurl = \"tcp://meter\"\npoint = [{{ {} }}]\n", keys.join(", "))
    }

    #[test]
    fn every_problem_of_a_source_is_named_at_once() {
        let source = source(
            r#"unit = -1
            profile = "none"
            point = [
              { name = "a", address = 70000, table = "holding", type = "uint16", order = "XY" },
              { name = "b", address = 65535, table = "holding", type = "uint32" },
              { name = "c", address = 1, table = "coil", type = "uint16", bit = 1 },
              { name = "d", address = 1, table = "coil" },
              { name = "d", address = 2, table = "coil" },
              { name = "e", address = 3, table = "holding" },
            ]"#,
        );
        let mut problems = Problems::default();
        source.check(&mut problems);
        let tags = source.tags(SourceIndex(0), &Library::builtin(), &mut problems);
        let messages: Vec<&str> = problems.0.iter().map(|problem| problem.message.as_str()).collect();
        assert_eq!(messages.len(), 9, "{messages:#?}");
        assert_eq!(tags.len(), 1, "only what can be read has a tag");
    }

    #[test]
    fn a_profile_whose_sources_disagree_warns_the_installer() {
        let source = source("profile = \"lovato_dmg610\"");
        let mut problems = Problems::default();
        resolve(&source, &Library::builtin(), &mut problems);
        assert_eq!(problems.0.len(), 1);
        assert_eq!(problems.0[0].severity, Severity::Warning);
        assert!(problems.0[0].message.contains("0.1 kWh"));
    }

    #[test]
    fn a_misspelt_key_is_refused() {
        let text = "[[source]]\nname = \"m\"\nurl = \"tcp://meter\"\npoint = [{ name = \"p\", adress = 0 }]";
        assert!(toml::from_str::<File>(text).unwrap_err().to_string().contains("adress"));
    }
}
