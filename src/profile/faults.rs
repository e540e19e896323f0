//! What a profile can't mean: checked for the built-in ones by a test and for a user's own before it is used.

use std::collections::BTreeSet;

use super::identity::Identity;
use super::library::{Profile, ProfileKind, Register};
use super::register::RegisterType;
use crate::model::id::TagName;

impl Profile {
    /// Returns everything in which the profile contradicts itself or the protocol; empty where it can be used.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut points = BTreeSet::new();
        for register in &self.registers {
            if TagName::new(&format!("source.{}", register.point)).is_err() {
                faults.push(format!("\"{}\" can't be a point: use A-Z, a-z, 0-9, _ and -", register.point));
            }
            if !points.insert(register.point.as_str()) {
                faults.push(format!("point \"{}\" stands twice", register.point));
            }
            faults.extend(self.register_faults(register).map(|fault| format!("point \"{}\": {fault}", register.point)));
        }
        for example in self.examples.iter().filter(|example| !points.contains(example.point.as_str())) {
            faults.push(format!("an example is of \"{}\", which is no point", example.point));
        }
        if !(4..=125).contains(&self.limits.max_words) {
            faults.push(format!("max_words {} is outside 4 to 125", self.limits.max_words));
        }
        if let Some(rated) = self.rated
            && !(rated.energy_per_second().is_finite() && rated.energy_per_second() > 0.0)
        {
            faults.push("rated needs a voltage, a current and a number of phases above 0".to_owned());
        }
        faults.extend(identity_fault(&self.identity));
        faults
    }

    fn register_faults(&self, register: &Register) -> impl Iterator<Item = String> {
        let kind = register.register_type;
        let (first, end) = register.extent();
        let length = end - first;
        let max = u32::from(self.limits.max_words);
        let is_state = register.kind == ProfileKind::State;
        let has_whole_states = register.states.keys().all(|raw| raw.parse::<i64>().is_ok());
        let bits = register.bits.filter(|field| {
            !kind.has_bits() || u32::from(field.last) >= kind.bits() || register.scale_factor.is_some()
        });
        let length_u16 = u16::try_from(length).unwrap_or(u16::MAX);
        let first_u16 = u16::try_from(first).unwrap_or(u16::MAX);
        let mut touched = self.limits.forbidden.iter().filter(|f| f.touches(register.table, first_u16, length_u16));
        let is_positive = |value: Option<f64>| value.is_none_or(|value| value.is_finite() && value > 0.0);
        [
            (end > 65_536).then(|| "it ends beyond address 65535".to_owned()),
            (length > max).then(|| format!("{length} registers are read at once for it, the device answers {max}")),
            touched.next().map(|forbidden| format!("it stands in {forbidden}, which no request may touch")),
            (kind == RegisterType::Text).then(|| "a text is no number: identity can name it".to_owned()),
            (!kind.accepts(register.order)).then(|| format!("a {kind} can't arrive in the order {}", register.order)),
            (!(register.scale.is_finite() && register.scale != 0.0 && register.offset.is_finite()))
                .then(|| "scale and offset make no value".to_owned()),
            bits.map(|field| format!("bits {field} can't be told of a {kind}")),
            (is_state == register.states.is_empty() || !has_whole_states)
                .then(|| "states, by whole numbers, belong to kind \"state\" and are needed there".to_owned()),
            (!(is_positive(register.max_per_second) && is_positive(register.modulus)))
                .then(|| "max_per_second and modulus lie above 0".to_owned()),
        ]
        .into_iter()
        .flatten()
    }
}

fn identity_fault(identity: &Identity) -> Option<String> {
    let is_odd = |register: &&super::identity::IdentityRegister| {
        let is_text = register.text.is_some() && register.length.is_some();
        is_text != register.words.is_empty()
            || register.length() == 0
            || u32::from(register.address) + u32::from(register.length()) > 65_536
    };
    let odd = identity.registers.iter().find(is_odd)?;
    Some(format!("identity at {} {}: write words, or a text and its length", odd.table, odd.address))
}
