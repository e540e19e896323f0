//! Where a point's value lies within the words that are read for it: text, bits of a number, a value with its factor.

use std::collections::BTreeMap;

use serde_spanned::Spanned;

use super::Reading;
use crate::model::state::MachineState;
use crate::profile::register::{BitField, RegisterType, Table};
use crate::sources::modbus::address::Address;
use crate::sources::modbus::decode::Layout;
use crate::sources::modbus::plan::{Span, WORDS_MAX};
use crate::sources::modbus::points::{cover, factored};

impl Reading<'_> {
    /// Returns what is read for the point and where its value lies in it.
    pub(super) fn layout(
        &mut self,
        place: Option<(Table, u16)>,
        register_type: Option<RegisterType>,
    ) -> Option<(Span, Layout)> {
        let words = register_type.and_then(|register_type| self.words(register_type));
        let bits = register_type.and_then(|register_type| self.bits(register_type));
        let factor = match (&self.point.scale_factor, place, register_type) {
            (Some(written), Some((table, _)), Some(register_type)) => {
                Some(self.scale_factor(written, table, register_type)?)
            }
            _ => None,
        };
        let ((table, address), words) = (place?, words?);
        let layout = match (register_type?, factor, bits?) {
            (RegisterType::Text, ..) => self.text()?,
            (_, Some(factor), _) => factored(address, factor),
            (_, None, Some(field)) => Layout::Bits(field),
            (_, None, None) => Layout::Whole,
        };
        let length = if table.is_bits() { 1 } else { words };
        if u32::from(address) + u32::from(length) > 65_536 {
            let message = format!("{} at address {address} ends beyond 65535", register_type?);
            self.error(self.point.address.span(), message, "write the address of its first register");
            return None;
        }
        let span = cover(table, 0, (address, length), factor);
        self.fits_in_a_request(span).then_some((span, layout))
    }

    /// Returns how many registers the value takes.
    fn words(&mut self, register_type: RegisterType) -> Option<u16> {
        let point = self.point;
        if register_type != RegisterType::Text {
            for (key, written) in [("length", &point.length), ("characters", &point.characters)] {
                if let Some(written) = written {
                    let message = format!("{key} has a meaning only for type \"string\"");
                    self.error(written.span(), message, "leave it out: the type says how long the value is");
                    return None;
                }
            }
            return Some(register_type.words());
        }
        let characters = self.counted("characters", point.characters.as_ref(), 2 * WORDS_MAX)?;
        let length = self.counted("length", point.length.as_ref(), WORDS_MAX)?;
        match (length, characters, &point.length) {
            (None, None, _) => {
                self.error(self.at.clone(), "a string needs its length", "add length = 8, counted in registers");
                None
            }
            (None, Some(characters), _) => Some(characters.div_ceil(2)),
            (Some(length), Some(characters), Some(written)) if characters > 2 * length => {
                let message = format!("{characters} characters don't fit in {length} registers");
                self.error(written.span(), message, "a register holds two characters");
                None
            }
            (Some(length), ..) => Some(length),
        }
    }

    /// Returns a count from 1 to `max` where one is written; `None` where it can't be meant.
    fn counted(&mut self, key: &str, written: Option<&Spanned<i64>>, max: u16) -> Option<Option<u16>> {
        let Some(written) = written else { return Some(None) };
        match u16::try_from(*written.get_ref()) {
            Ok(count) if (1..=max).contains(&count) => Some(Some(count)),
            _ => {
                let message = format!("{key} {} is outside 1 to {max}", written.get_ref());
                self.error(written.span(), message, "one request carries at most 125 registers");
                None
            }
        }
    }

    fn bits(&mut self, register_type: RegisterType) -> Option<Option<BitField>> {
        let Some(written) = &self.point.bits else { return Some(None) };
        let (message, help) = match &written.get_ref().0 {
            Err(reason) => {
                let (message, help) = reason.split_once(": ").unwrap_or((reason, "write \"4-7\""));
                (message.to_owned(), help.to_owned())
            }
            Ok(_) if !register_type.has_bits() || self.point.scale_factor.is_some() => {
                let message = "bits can be told of an unsigned whole number alone".to_owned();
                (message, "write type = \"uint16\", for instance, and no scale_factor".to_owned())
            }
            Ok(field) if u32::from(field.last) >= register_type.bits() => {
                let highest = register_type.bits() - 1;
                (format!("bits {field} reach beyond {register_type}"), format!("its highest bit is {highest}"))
            }
            Ok(field) => return Some(Some(*field)),
        };
        self.error(written.span(), message, help);
        None
    }

    /// Returns the address of the exponent, which stands in the same table as the value.
    fn scale_factor(&mut self, written: &Spanned<Address>, table: Table, register_type: RegisterType) -> Option<u16> {
        let is_number = !matches!(register_type, RegisterType::Bit | RegisterType::Text);
        if !is_number || !self.point.states.is_empty() {
            self.error(written.span(), "scale_factor has a meaning only for a number", "leave it out");
            return None;
        }
        match written.get_ref() {
            Address::Text(name) if !name.starts_with(|c: char| c.is_ascii_digit()) => {
                let found = self.factor_of_source(name).or_else(|| self.factor_of_profile(name));
                if found.is_none_or(|(of, _)| of != table) {
                    let message = format!("\"{name}\" is no int16 point of this source's {table} table");
                    self.error(written.span(), message, "write the name of the point that holds it, or its address");
                    return None;
                }
                found.map(|(_, address)| address)
            }
            _ => self.locate(written, Some(table)).map(|(_, address)| address),
        }
    }

    fn factor_of_source(&self, name: &str) -> Option<(Table, u16)> {
        let point = self.source.point.iter().map(Spanned::get_ref).find(|point| point.name.get_ref() == name)?;
        let is_exponent = point.register_type.as_ref().is_some_and(|written| written.get_ref() == "int16");
        let table = point.table.as_ref().and_then(|table| table.get_ref().parse().ok());
        point.address.get_ref().locate_from(self.source.address_base(), table).ok().filter(|_| is_exponent)
    }

    fn factor_of_profile(&self, name: &str) -> Option<(Table, u16)> {
        let (profile, base) = self.profile?;
        let register = profile.registers.iter().find(|register| register.point == name)?;
        let is_exponent = register.register_type == RegisterType::Int16;
        is_exponent.then(|| (register.table, base.saturating_add(register.address)))
    }

    fn text(&mut self) -> Option<Layout> {
        if self.point.states.is_empty() {
            let help = "add states = { \"RUN\" = \"producing\" }, or look at it with parkgate read";
            self.error(self.at.clone(), "a text is no number that could be recorded", help);
            return None;
        }
        let state = |name: &Spanned<String>| MachineState::from_name(name.get_ref());
        let states = self.point.states.iter().filter_map(|(text, name)| Some((text.clone(), state(name)?)));
        let states: BTreeMap<String, MachineState> = states.collect();
        let characters = self.point.characters.as_ref().and_then(|count| u16::try_from(*count.get_ref()).ok());
        Some(Layout::Text { characters, states })
    }

    /// A value and its factor come in one answer or not at all.
    fn fits_in_a_request(&mut self, span: Span) -> bool {
        let own = self.source.max_words.as_ref().and_then(|limit| u16::try_from(*limit.get_ref()).ok());
        let of_profile = self.profile.map(|(profile, _)| profile.limits.max_words);
        let max = own.or(of_profile).unwrap_or(WORDS_MAX);
        if span.length <= max {
            return true;
        }
        let message = format!("{} registers are read at once for the point, the device answers {max}", span.length);
        let help = match self.point.scale_factor {
            Some(_) => "a factor further away may change between two reads: write it as scale if it is constant",
            None => "write a shorter length, or a larger max_words if the device can bear it",
        };
        let at = self.point.scale_factor.as_ref().map_or_else(|| self.at.clone(), Spanned::span);
        self.error(at, message, help);
        false
    }
}
