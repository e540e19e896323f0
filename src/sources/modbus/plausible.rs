//! Which reading of unknown words is probably meant.
//!
//! In: a value and the type it was read as. Out: a [`Judgement`] with a score and what the value could be. The wrong
//! type or order rarely makes a number that a machine could have measured: most bit patterns are floating-point
//! numbers far too small or too large, and a low word read as the high one makes an integer of hundreds of millions.
//! Nothing here is certain; the caller says "plausible", and a person compares with the display.

use std::cmp::Reverse;

use crate::model::number::Number;
use crate::profile::register::{RegisterType, WordOrder};

/// What a value could be. **Source** of the ranges: low-voltage networks of 100 to 480 V and 50 or 60 Hz, and the
/// largest totals that meters show.
const MEANINGS: &[Meaning] = &[
    Meaning { name: "voltage (V)", worth: 20, range: (80.0, 500.0), factors: &[1.0, 0.1, 0.01] },
    Meaning { name: "frequency (Hz)", worth: 20, range: (45.0, 65.0), factors: &[1.0, 0.1, 0.01] },
    Meaning { name: "power factor", worth: 6, range: (0.05, 1.0), factors: &[1.0, 0.001, 0.01] },
];

/// Smallest and largest magnitude that a measurement in any usual unit has.
const MEASURED: (f64, f64) = (1e-3, 1e9);
/// Beyond these no measurement in any unit is known: a denormal number, or a total that no meter reaches.
const IMAGINABLE: (f64, f64) = (1e-6, 1e12);

/// One kind of quantity and the values it takes.
struct Meaning {
    name: &'static str,
    /// What a value in the range counts: the wider the range, the more wrong readings fall into it by chance.
    worth: u8,
    range: (f64, f64),
    /// Scales under which integers hold it.
    factors: &'static [f64],
}

/// How plausible one reading of words is.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// 0 impossible or empty, 100 as good as it gets. Only the order of scores has a meaning.
    pub score: u8,
    /// What the value could be, the best guess first; empty where none of the known ranges holds.
    pub could_be: Vec<String>,
}

/// A word for a score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// Nothing speaks for it.
    Unlikely,
    /// It may be meant.
    Possible,
    /// Few wrong readings look like this.
    Likely,
}

impl Mark {
    /// Returns the word shown to a person.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unlikely => "unlikely",
            Self::Possible => "possible",
            Self::Likely => "likely",
        }
    }
}

impl Judgement {
    const NONE: Self = Self { score: 0, could_be: Vec::new() };

    /// Returns the word for the score.
    pub const fn mark(&self) -> Mark {
        match self.score {
            60.. => Mark::Likely,
            25..=59 => Mark::Possible,
            _ => Mark::Unlikely,
        }
    }
}

/// Judges a value that words gave when read as `register_type` in `order`. `is_scaled` says that the caller knew a
/// scale: then the value is taken as it stands, and no scale is guessed.
pub fn judge(register_type: RegisterType, order: WordOrder, value: &Number, is_scaled: bool) -> Judgement {
    let value = value.as_f64();
    if value == 0.0 || !value.is_finite() {
        // 0 reads as 0 in every type: it says nothing about any of them.
        return Judgement::NONE;
    }
    let could_be = meanings(register_type, value, is_scaled);
    let base = if register_type.is_float() { of_float(register_type, value) } else { of_integer(register_type, value) };
    if base == 0 {
        return Judgement::NONE;
    }
    let base = base + if base >= 50 && is_round(register_type, value) { 3 } else { 0 };
    let known = could_be.iter().map(|(factor, meaning)| credit(*factor, meaning.worth)).max().unwrap_or(0);
    // Swapped bytes are rare, half-swapped words rarer, and a low word first is less common than the
    // specification's order.
    let rarity =
        u8::from(order.bytes_swapped()) * 7 + u8::from(order.low_word_first()) + u8::from(order.is_of_64_bits()) * 8;
    let shown = |(factor, meaning): (f64, &Meaning)| {
        let name = meaning.name;
        if factor < 1.0 { format!("{name} with scale {factor}") } else { name.to_owned() }
    };
    Judgement { score: (base + known).saturating_sub(rarity), could_be: could_be.into_iter().map(shown).collect() }
}

/// Says whether a float has few decimal digits, as a value that a device rounded, or a person set, has: the bits of a
/// wrong reading nearly always need eight or nine.
fn is_round(register_type: RegisterType, value: f64) -> bool {
    #[expect(clippy::cast_possible_truncation, reason = "the value came from a float32")]
    let shown = match register_type {
        RegisterType::Float32 => (value as f32).to_string(),
        RegisterType::Float64 => value.to_string(),
        _ => return false,
    };
    let digits: String = shown.chars().filter(char::is_ascii_digit).collect();
    digits.trim_matches('0').len() <= 6
}

/// Returns what a guess counts: the smaller its scale, the more integers fall into its range by chance.
fn credit(factor: f64, worth: u8) -> u8 {
    match factor {
        1.0 => worth,
        0.1 => 12,
        _ => 4,
    }
}

/// Orders judged readings: the most plausible first, else in the order they came.
pub fn rank<T>(readings: &mut [(Judgement, T)]) {
    readings.sort_by_key(|(judgement, _)| Reverse(judgement.score));
}

/// A wrong float is far off: of the 254 exponents of binary32 about 40 lie in the range of measurements.
fn of_float(register_type: RegisterType, value: f64) -> u8 {
    let magnitude = value.abs();
    if magnitude < IMAGINABLE.0 || magnitude > IMAGINABLE.1 {
        return 0;
    }
    if magnitude < MEASURED.0 || magnitude > MEASURED.1 {
        return 8;
    }
    match register_type {
        // Nearly every pattern of 16 bits is a small number.
        RegisterType::Float16 => 12,
        RegisterType::Float32 => 68,
        // Two neighbouring float32 of 2 to 32 read as a plausible float64, but not the other way round.
        _ => 58,
    }
}

/// A wrong integer of several words is large: its low word stands where the high one belongs.
fn of_integer(register_type: RegisterType, value: f64) -> u8 {
    let magnitude = value.abs();
    if magnitude > IMAGINABLE.1 {
        return 0;
    }
    // A negative reading of an unsigned value has the same bits; totals and voltages are more common than deficits.
    let sign = if value < 0.0 { 8 } else { u8::from(register_type.is_signed()) };
    let base = match register_type {
        RegisterType::Int16 | RegisterType::Uint16 => 25,
        RegisterType::Int32 | RegisterType::Uint32 if magnitude < 65_536.0 => 50,
        RegisterType::Int32 | RegisterType::Uint32 if magnitude < MEASURED.1 => 20,
        RegisterType::Int32 | RegisterType::Uint32 => 4,
        RegisterType::Int64 | RegisterType::Uint64 if magnitude < 65_536.0 => 50,
        RegisterType::Int64 | RegisterType::Uint64 if magnitude < MEASURED.1 => 46,
        RegisterType::Int64 | RegisterType::Uint64 => 15,
        // Decimal digits and the like are rare; single bytes and bits always hold something.
        _ if register_type.bits() >= 16 => 10,
        _ => 2,
    };
    base - sign.min(base)
}

/// Returns what a value could be, with the scale that it takes; a guess that needs none first.
fn meanings(register_type: RegisterType, value: f64, is_scaled: bool) -> Vec<(f64, &'static Meaning)> {
    if register_type.bits() < 16 {
        return Vec::new();
    }
    let mut found = Vec::new();
    for meaning in MEANINGS {
        let as_it_stands = is_scaled || register_type.is_float();
        let factors = if as_it_stands { &meaning.factors[..1] } else { meaning.factors };
        let within = |factor: &&f64| {
            let magnitude = if meaning.range.1 > 1.0 { value * **factor } else { (value * **factor).abs() };
            // A whole number from 1 to 1 is no power factor.
            let is_whole = !register_type.is_float() && **factor >= 1.0 && meaning.range.1 <= 1.0 && !is_scaled;
            !is_whole && magnitude >= meaning.range.0 && magnitude <= meaning.range.1
        };
        if let Some(factor) = factors.iter().find(within) {
            found.push((*factor, meaning));
        }
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    found
}

#[cfg(test)]
mod tests {
    use super::{Judgement, Mark, judge, rank};
    use crate::model::number::Number;
    use crate::profile::register::{RegisterType, WordOrder};
    use crate::sources::modbus::decode::Decoding;

    /// Every type and order of `words`, the most plausible first.
    fn ranked(words: &[u16]) -> Vec<(Judgement, (RegisterType, WordOrder, Number))> {
        let mut readings = Vec::new();
        for register_type in RegisterType::ALL {
            for order in register_type.orders() {
                if let Ok(value) = Decoding::plain(*register_type, *order).words(words) {
                    readings.push((judge(*register_type, *order, &value, false), (*register_type, *order, value)));
                }
            }
        }
        rank(&mut readings);
        readings
    }

    fn words_of(value: f64, order: WordOrder) -> Vec<u16> {
        let bits = (value as f32).to_bits();
        let mut words = vec![(bits >> 16) as u16, bits as u16];
        if order.low_word_first() {
            words.reverse();
        }
        if order.bytes_swapped() {
            words.iter_mut().for_each(|word| *word = word.swap_bytes());
        }
        words
    }

    #[test]
    fn a_float_is_found_in_whichever_order_it_arrives() {
        for value in [229.0, 229.01, 49.98, 0.87, -0.93, 5.02, 125_733.5, 1.0, 400.0, 12.5e6, -1530.25] {
            for order in &WordOrder::ALL[..4] {
                let ranked = ranked(&words_of(value, *order));
                let is_meant = |(_, (kind, found, _)): &(Judgement, (RegisterType, WordOrder, Number))| {
                    (*kind, *found) == (RegisterType::Float32, *order)
                };
                let place = ranked.iter().position(is_meant).unwrap();
                let shown = format!("{value} in {order}: {place} of {:?}", &ranked[..3]);
                // Of swapped bytes other orders may look as good by chance.
                assert!(place <= 2 * usize::from(order.bytes_swapped()), "{shown}");
                assert_eq!(ranked[place].0.mark(), Mark::Likely, "{shown}");
            }
        }
    }

    #[test]
    fn the_229_volts_that_read_as_2_4e_41_in_the_other_order_are_ranked_right() {
        let ranked = ranked(&[0x4365, 0]);
        assert_eq!(ranked[0].1, (RegisterType::Float32, WordOrder::Abcd, Number::Float(229.0)));
        assert_eq!(ranked[0].0.could_be, ["voltage (V)"]);
        let swapped = ranked
            .iter()
            .find(|(_, (kind, order, _))| (*kind, *order) == (RegisterType::Float32, WordOrder::Cdab))
            .unwrap();
        assert!(swapped.1.2.as_f64() > 2.3e-41 && swapped.1.2.as_f64() < 2.5e-41);
        assert_eq!((swapped.0.score, swapped.0.mark()), (0, Mark::Unlikely));
    }

    #[test]
    fn a_word_of_its_own_is_told_from_a_part_of_a_longer_value() {
        type Expected = (RegisterType, WordOrder, Mark);
        let table: &[(&[u16], Expected)] = &[
            // 2301: a voltage in tenths, alone or in 32 bits.
            (&[2301, 2298, 2305, 5001], (RegisterType::Uint16, WordOrder::Abcd, Mark::Possible)),
            (&[0, 2301, 0, 2298], (RegisterType::Uint32, WordOrder::Abcd, Mark::Likely)),
            (&[0, 61_234, 0, 0], (RegisterType::Uint32, WordOrder::Abcd, Mark::Possible)),
            // An energy total in 64 bits.
            (&[0, 0, 0x0012, 0xd687], (RegisterType::Uint64, WordOrder::Abcd, Mark::Possible)),
            (&[4998], (RegisterType::Uint16, WordOrder::Abcd, Mark::Possible)),
        ];
        for (words, expected) in table {
            let (best, (register_type, order, _)) = ranked(words).remove(0);
            assert_eq!(&(register_type, order, best.mark()), expected, "{words:?}: {best:?}");
        }
    }

    #[test]
    fn what_no_machine_measures_is_never_plausible() {
        let float = |value: f64| judge(RegisterType::Float32, WordOrder::Abcd, &Number::Float(value), false).mark();
        for value in [0.0, 2.4e-41, -1e-9, 3e15, -4.7e30] {
            assert_eq!(float(value), Mark::Unlikely, "{value}");
        }
        let integer = judge(RegisterType::Uint64, WordOrder::Abcd, &Number::Integer(1 << 62), false);
        assert_eq!(integer, Judgement::NONE);
    }

    #[test]
    fn a_known_scale_is_not_guessed_again() {
        let judged =
            |value, is_scaled| judge(RegisterType::Uint16, WordOrder::Abcd, &Number::Float(value), is_scaled).could_be;
        assert_eq!(judged(230.1, true), ["voltage (V)"]);
        assert_eq!(judged(2301.0, true), Vec::<String>::new());
        assert_eq!(judged(2301.0, false), ["voltage (V) with scale 0.1"]);
        assert_eq!(judged(4998.0, false), ["voltage (V) with scale 0.1", "frequency (Hz) with scale 0.01"]);
    }
}
