//! Words to values: type, order, bit, sentinel, scale and states.
//!
//! In: the registers (or the bit) of one point, as they arrived. Out: a number in the tag's unit, or the reason why
//! there is none. A mark for "no value", NaN and a digit that is none never become a number.

use std::collections::BTreeMap;
use std::fmt;

use crate::model::number::Number;
use crate::model::sample::Quality;
use crate::model::state::MachineState;
use crate::profile::register::{RegisterType, Sentinel, WordOrder};

/// How the words of one point become its value: value = raw × `scale` + `offset`.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoding {
    /// How the words are read.
    pub register_type: RegisterType,
    /// In which order they arrive.
    pub order: WordOrder,
    /// Which bit of the register a `bit` is, 0 the least significant.
    pub bit: u8,
    /// Factor, transformer ratio included.
    pub scale: f64,
    /// Added after scaling, transformer ratio included. **Unit**: the value's.
    pub offset: f64,
    /// Marks for "no value".
    pub sentinels: Vec<Sentinel>,
    /// Raw number → state, for a state tag; else empty.
    pub states: BTreeMap<i128, MachineState>,
}

impl Decoding {
    /// Reads `register_type` in `order` as it stands: no scale, no sentinels, no states.
    pub const fn plain(register_type: RegisterType, order: WordOrder) -> Self {
        Self { register_type, order, bit: 0, scale: 1.0, offset: 0.0, sentinels: Vec::new(), states: BTreeMap::new() }
    }
}

/// Why words hold no value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum NoValue {
    /// The device answered its mark for "no value"; the bits of that mark.
    Sentinel(u64),
    /// NaN or infinity, on the wire or after scaling.
    NotFinite,
    /// A decimal digit above 9; the bits.
    NotDecimal(u64),
    /// A number that the tag's `states` don't name.
    UnknownState(Raw),
    /// Fewer words than the type needs; how many there are.
    TooFewWords(usize),
}

impl NoValue {
    /// Returns the quality of a sample without value.
    pub const fn quality(self) -> Quality {
        match self {
            Self::Sentinel(_) => Quality::Sentinel,
            Self::NotFinite | Self::NotDecimal(_) | Self::TooFewWords(_) => Quality::NotANumber,
            Self::UnknownState(_) => Quality::UnknownState,
        }
    }
}

impl fmt::Display for NoValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sentinel(bits) => write!(f, "the device answers its mark for no value, {bits:#x}"),
            Self::NotFinite => f.write_str("not a finite number"),
            Self::NotDecimal(bits) => write!(f, "{bits:#x} holds a digit above 9"),
            Self::UnknownState(Raw::Integer(raw)) => write!(f, "no state is configured for {raw}"),
            Self::UnknownState(Raw::Float(raw)) => write!(f, "no state is configured for {raw}"),
            Self::TooFewWords(count) => write!(f, "{count} words are too few for the type"),
        }
    }
}

/// A value as the device holds it, before scale and offset.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Raw {
    /// Of an integer, decimal or bit type.
    Integer(i128),
    /// Of a floating-point type; may be NaN or infinite.
    Float(f64),
}

impl Decoding {
    /// Decodes the registers of one point, lowest address first.
    ///
    /// # Errors
    /// [`NoValue`] with the reason; the sample is kept without a value.
    pub fn words(&self, words: &[u16]) -> Result<Number, NoValue> {
        let needed = usize::from(self.register_type.words());
        let words = words.get(..needed).ok_or(NoValue::TooFewWords(words.len()))?;
        let bits = select(assemble(words, self.order), self.register_type);
        let raw = interpret(bits, self.register_type, self.bit);
        if self.sentinels.iter().any(|sentinel| is_sentinel(*sentinel, bits, raw, self.register_type)) {
            return Err(NoValue::Sentinel(bits));
        }
        self.value(raw.ok_or(NoValue::NotDecimal(bits))?)
    }

    /// Decodes one bit of a bit table.
    ///
    /// # Errors
    /// [`NoValue::UnknownState`] where states are configured and none is for it.
    pub fn bit(&self, bit: bool) -> Result<Number, NoValue> {
        self.value(Raw::Integer(i128::from(bit)))
    }

    fn value(&self, raw: Raw) -> Result<Number, NoValue> {
        if self.states.is_empty() {
            return scale(raw, self.scale, self.offset).ok_or(NoValue::NotFinite);
        }
        let state = match raw {
            Raw::Integer(raw) => self.states.get(&raw),
            Raw::Float(_) => None,
        };
        state.map(|state| Number::Integer(state.code())).ok_or(NoValue::UnknownState(raw))
    }
}

/// Puts up to four words together, the most significant byte first.
fn assemble(words: &[u16], order: WordOrder) -> u64 {
    let append = |bits: u64, word: &u16| {
        let word = if order.bytes_swapped() { word.swap_bytes() } else { *word };
        bits << 16 | u64::from(word)
    };
    if order.low_word_first() { words.iter().rev().fold(0, append) } else { words.iter().fold(0, append) }
}

/// Keeps the byte of an 8-bit type and all bits of any other.
const fn select(bits: u64, register_type: RegisterType) -> u64 {
    match register_type {
        RegisterType::Int8h | RegisterType::Uint8h => bits >> 8 & 0xff,
        RegisterType::Int8l | RegisterType::Uint8l => bits & 0xff,
        _ => bits,
    }
}

/// Reads the bits by type; `None` for a decimal digit above 9.
#[expect(clippy::cast_possible_truncation, reason = "the bits were selected to the type's width")]
fn interpret(bits: u64, register_type: RegisterType, bit: u8) -> Option<Raw> {
    Some(match register_type {
        RegisterType::Bit => Raw::Integer(i128::from(bits >> (bit & 15) & 1)),
        RegisterType::Float16 => Raw::Float(half(bits as u16)),
        RegisterType::Float32 => Raw::Float(f64::from(f32::from_bits(bits as u32))),
        RegisterType::Float64 => Raw::Float(f64::from_bits(bits)),
        RegisterType::Bcd16 | RegisterType::Bcd32 => Raw::Integer(decimal(bits)?),
        signed if signed.is_signed() => {
            let unused = 64 - signed.bits();
            Raw::Integer(i128::from((bits << unused).cast_signed() >> unused))
        }
        _ => Raw::Integer(i128::from(bits)),
    })
}

/// Reads binary16. **Source**: IEEE 754-2019, 3.4: 1 sign, 5 exponent (bias 15), 10 fraction bits.
fn half(bits: u16) -> f64 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let exponent = i32::from(bits >> 10 & 0x1f);
    let fraction = f64::from(bits & 0x3ff);
    sign * match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction > 0.0 => f64::NAN,
        31 => f64::INFINITY,
        _ => (1024.0 + fraction) * 2f64.powi(exponent - 25),
    }
}

/// Reads packed decimal digits.
fn decimal(bits: u64) -> Option<i128> {
    (0..16).rev().try_fold(0i128, |value, position| {
        let digit = bits >> (position * 4) & 0xf;
        (digit <= 9).then(|| value * 10 + i128::from(digit))
    })
}

#[expect(clippy::float_cmp, reason = "a mark is one exact value")]
fn is_sentinel(sentinel: Sentinel, bits: u64, raw: Option<Raw>, register_type: RegisterType) -> bool {
    match (sentinel, raw) {
        (Sentinel::Bits(mark), _) => mark == bits,
        (Sentinel::Integer(mark), Some(Raw::Integer(raw))) => {
            let pattern = register_type.is_signed() && u64::try_from(mark) == Ok(bits);
            i128::from(mark) == raw || pattern
        }
        (Sentinel::Integer(mark), Some(Raw::Float(raw))) => Number::Integer(i128::from(mark)).as_f64() == raw,
        (Sentinel::Float(mark), Some(Raw::Float(raw))) => mark == raw,
        (Sentinel::Float(mark), Some(Raw::Integer(raw))) => mark == Number::Integer(raw).as_f64(),
        (_, None) => false,
    }
}

/// Largest factor and offset that integers are multiplied with exactly: every whole f64 up to it is itself.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// Applies scale and offset. Integers stay exact where both are whole; `None` where the result is not finite.
#[expect(clippy::cast_possible_truncation, reason = "whole and bounded")]
fn scale(raw: Raw, scale: f64, offset: f64) -> Option<Number> {
    let whole = |value: f64| value.fract() == 0.0 && value.abs() <= EXACT_MAX;
    match raw {
        // 64 bits of raw times 53 bits of scale fit i128.
        Raw::Integer(raw) if whole(scale) && whole(offset) => {
            Some(Number::Integer(raw * scale as i128 + offset as i128))
        }
        Raw::Integer(raw) => Number::finite(multiply(Number::Integer(raw).as_f64(), scale) + offset),
        Raw::Float(raw) => Number::finite(multiply(raw, scale) + offset),
    }
}

/// Multiplies by `scale`; by 0.1, 0.01… divides instead, so that 2301 × 0.1 is 230.1 to the last digit.
#[expect(clippy::float_cmp, reason = "the division stands in only where its divisor is exactly the scale's inverse")]
fn multiply(value: f64, scale: f64) -> f64 {
    let divisor = (1.0 / scale).round();
    if divisor.abs() > 1.0 && divisor.abs() <= EXACT_MAX && 1.0 / divisor == scale {
        value / divisor
    } else {
        value * scale
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Just, Strategy, any, prop_assert_eq, prop_oneof, proptest};

    use super::{BTreeMap, Decoding, MachineState, NoValue, Number, Raw, RegisterType, Sentinel, WordOrder, half};

    fn decode(register_type: RegisterType, order: WordOrder, words: &[u16]) -> Result<Number, NoValue> {
        Decoding::plain(register_type, order).words(words)
    }

    const fn integer(value: i128) -> Result<Number, NoValue> {
        Ok(Number::Integer(value))
    }

    const fn float(value: f64) -> Result<Number, NoValue> {
        Ok(Number::Float(value))
    }

    /// Words worked by hand from the definitions: the number, its bytes in network order, and where each order puts them.
    #[test]
    fn worked_words_decode_to_their_values() {
        use RegisterType::{
            Bcd16, Bcd32, Float16, Float32, Float64, Int8h, Int8l, Int16, Int32, Int64, Uint8h, Uint8l, Uint16, Uint32,
            Uint64,
        };
        use WordOrder::{Abcd, Badc, Cdab, Dcba};
        type Worked = (RegisterType, WordOrder, &'static [u16], Result<Number, NoValue>);
        let table: &[Worked] = &[
            (Uint16, Abcd, &[0x1234], integer(0x1234)),
            (Uint16, Cdab, &[0x1234], integer(0x1234)),
            (Uint16, Badc, &[0x1234], integer(0x3412)),
            (Uint16, Dcba, &[0x1234], integer(0x3412)),
            (Int16, Abcd, &[0xffff], integer(-1)),
            (Int16, Abcd, &[0x8000], integer(-32_768)),
            (Int8h, Abcd, &[0x80ff], integer(-128)),
            (Int8l, Abcd, &[0x80ff], integer(-1)),
            (Uint8h, Abcd, &[0x80ff], integer(128)),
            (Uint8l, Abcd, &[0x80ff], integer(255)),
            (Uint8h, Badc, &[0x80ff], integer(255)),
            (Uint32, Abcd, &[0x1234, 0x5678], integer(0x1234_5678)),
            (Uint32, Cdab, &[0x5678, 0x1234], integer(0x1234_5678)),
            (Uint32, Badc, &[0x3412, 0x7856], integer(0x1234_5678)),
            (Uint32, Dcba, &[0x7856, 0x3412], integer(0x1234_5678)),
            (Int32, Abcd, &[0xffff, 0xfffe], integer(-2)),
            (Float32, Abcd, &[0x42f6, 0xe979], float(f64::from(123.456_f32))),
            (Float32, Cdab, &[0xe979, 0x42f6], float(f64::from(123.456_f32))),
            (Float32, Badc, &[0xf642, 0x79e9], float(f64::from(123.456_f32))),
            (Float32, Dcba, &[0x79e9, 0xf642], float(f64::from(123.456_f32))),
            (Uint64, Abcd, &[0xffff, 0xfffe, 0xfffd, 0xfffc], integer(0xffff_fffe_fffd_fffc)),
            (Uint64, Cdab, &[0xfffc, 0xfffd, 0xfffe, 0xffff], integer(0xffff_fffe_fffd_fffc)),
            (Uint64, Badc, &[0x0201, 0x0403, 0x0605, 0x0807], integer(0x0102_0304_0506_0708)),
            (Uint64, Dcba, &[0x0807, 0x0605, 0x0403, 0x0201], integer(0x0102_0304_0506_0708)),
            (Int64, Abcd, &[0x8000, 0, 0, 0], integer(i128::from(i64::MIN))),
            (Float64, Abcd, &[0x3ff8, 0, 0, 0], float(1.5)),
            (Float64, Dcba, &[0, 0, 0, 0xf83f], float(1.5)),
            (Float16, Abcd, &[0x3c00], float(1.0)),
            (Float16, Abcd, &[0xc000], float(-2.0)),
            (Float16, Abcd, &[0x7bff], float(65_504.0)),
            (Float16, Abcd, &[0x0001], float(2f64.powi(-24))),
            (Bcd16, Abcd, &[0x9876], integer(9876)),
            (Bcd32, Abcd, &[0x1234, 0x5678], integer(12_345_678)),
            (Bcd32, Cdab, &[0x5678, 0x1234], integer(12_345_678)),
        ];
        for (register_type, order, words, expected) in table {
            assert_eq!(decode(*register_type, *order, words), *expected, "{register_type} {order} {words:04x?}");
        }
    }

    #[test]
    fn what_is_no_number_has_no_value_and_says_why() {
        assert_eq!(decode(RegisterType::Float32, WordOrder::Abcd, &[0x7fc0, 0]), Err(NoValue::NotFinite));
        assert_eq!(decode(RegisterType::Float32, WordOrder::Abcd, &[0x7f80, 0]), Err(NoValue::NotFinite));
        assert_eq!(decode(RegisterType::Float16, WordOrder::Abcd, &[0x7e00]), Err(NoValue::NotFinite));
        assert_eq!(decode(RegisterType::Float64, WordOrder::Abcd, &[0xfff0, 0, 0, 0]), Err(NoValue::NotFinite));
        assert_eq!(decode(RegisterType::Bcd16, WordOrder::Abcd, &[0x12a4]), Err(NoValue::NotDecimal(0x12a4)));
        assert_eq!(decode(RegisterType::Float32, WordOrder::Abcd, &[0x42f6]), Err(NoValue::TooFewWords(1)));
    }

    #[test]
    fn a_sentinel_is_recognised_as_bits_and_as_a_number() {
        let table = [
            (RegisterType::Int16, Sentinel::Bits(0x8000), vec![0x8000], true),
            (RegisterType::Int16, Sentinel::Integer(0x8000), vec![0x8000], true),
            (RegisterType::Int16, Sentinel::Integer(-32_768), vec![0x8000], true),
            (RegisterType::Int16, Sentinel::Integer(-1), vec![0x7fff], false),
            (RegisterType::Uint16, Sentinel::Integer(-1), vec![0xffff], false),
            (RegisterType::Uint32, Sentinel::Bits(0xffff_ffff), vec![0xffff, 0xffff], true),
            (RegisterType::Uint64, Sentinel::Bits(u64::MAX), vec![0xffff; 4], true),
            (RegisterType::Uint64, Sentinel::Integer(-1), vec![0xffff; 4], false),
            (RegisterType::Float32, Sentinel::Float(-1.0), vec![0xbf80, 0], true),
            (RegisterType::Float32, Sentinel::Integer(-1), vec![0xbf80, 0], true),
            (RegisterType::Float32, Sentinel::Bits(0x7fc0_0000), vec![0x7fc0, 0], true),
            (RegisterType::Bcd16, Sentinel::Bits(0xffff), vec![0xffff], true),
            (RegisterType::Bit, Sentinel::Bits(0xffff), vec![0xffff], true),
        ];
        for (register_type, sentinel, words, marked) in table {
            let decoding =
                Decoding { sentinels: vec![sentinel], scale: 0.1, ..Decoding::plain(register_type, WordOrder::Abcd) };
            let found = matches!(decoding.words(&words), Err(NoValue::Sentinel(_)));
            assert_eq!(found, marked, "{register_type} {sentinel:?} {words:04x?}");
        }
    }

    #[test]
    fn integers_stay_exact_while_scale_and_offset_are_whole() {
        let plain = Decoding::plain(RegisterType::Uint64, WordOrder::Abcd);
        let words = [0x0020, 0, 0, 1];
        assert_eq!(plain.words(&words), integer(9_007_199_254_740_993));
        let tenfold = Decoding { scale: 10.0, offset: -3.0, ..plain };
        assert_eq!(tenfold.words(&words), integer(90_071_992_547_409_927));
    }

    #[test]
    fn decimal_scales_give_decimal_values() {
        let volts = Decoding { scale: 0.1, ..Decoding::plain(RegisterType::Uint16, WordOrder::Abcd) };
        assert_eq!(volts.words(&[2301]), float(230.1));
        let celsius = Decoding { scale: 0.01, offset: -40.0, ..volts };
        assert_eq!(celsius.words(&[4123]), float(41.23 - 40.0));
    }

    #[test]
    fn a_state_is_looked_up_by_its_raw_number() {
        let states = BTreeMap::from([(0, MachineState::Idle), (7, MachineState::Fault)]);
        let decoding = Decoding { states, ..Decoding::plain(RegisterType::Uint16, WordOrder::Abcd) };
        assert_eq!(decoding.words(&[7]), integer(MachineState::Fault.code()));
        assert_eq!(decoding.words(&[3]), Err(NoValue::UnknownState(Raw::Integer(3))));
        assert_eq!(decoding.bit(false), integer(MachineState::Idle.code()));
    }

    #[test]
    fn a_bit_is_taken_from_its_register() {
        for bit in 0..16 {
            let decoding = Decoding { bit, ..Decoding::plain(RegisterType::Bit, WordOrder::Abcd) };
            assert_eq!(decoding.words(&[1 << bit]), integer(1));
            assert_eq!(decoding.words(&[!(1 << bit)]), integer(0));
        }
    }

    /// Words from network-order bytes, written without the decoder's shifts: bytes are placed, never folded.
    fn encode(bytes: &[u8], order: WordOrder) -> Vec<u16> {
        let mut pairs: Vec<[u8; 2]> = bytes.chunks(2).map(|pair| [pair[0], pair[1]]).collect();
        if matches!(order, WordOrder::Badc | WordOrder::Dcba) {
            pairs.iter_mut().for_each(|pair| pair.reverse());
        }
        if matches!(order, WordOrder::Cdab | WordOrder::Dcba) {
            pairs.reverse();
        }
        pairs.into_iter().map(u16::from_be_bytes).collect()
    }

    fn orders() -> impl Strategy<Value = WordOrder> {
        prop_oneof![Just(WordOrder::Abcd), Just(WordOrder::Cdab), Just(WordOrder::Badc), Just(WordOrder::Dcba)]
    }

    proptest! {
        #[test]
        fn every_integer_survives_the_wire(value in any::<u64>(), order in orders()) {
            let checks: [(RegisterType, &[u8], i128); 6] = [
                (RegisterType::Uint64, &value.to_be_bytes(), i128::from(value)),
                (RegisterType::Int64, &value.to_be_bytes(), i128::from(value as i64)),
                (RegisterType::Uint32, &(value as u32).to_be_bytes(), i128::from(value as u32)),
                (RegisterType::Int32, &(value as i32).to_be_bytes(), i128::from(value as i32)),
                (RegisterType::Uint16, &(value as u16).to_be_bytes(), i128::from(value as u16)),
                (RegisterType::Int16, &(value as i16).to_be_bytes(), i128::from(value as i16)),
            ];
            for (register_type, bytes, expected) in checks {
                prop_assert_eq!(decode(register_type, order, &encode(bytes, order)), integer(expected));
            }
        }

        #[test]
        fn both_bytes_of_a_register_survive_the_wire(high in any::<u8>(), low in any::<u8>(), order in orders()) {
            let words = encode(&[high, low], order);
            prop_assert_eq!(decode(RegisterType::Uint8h, order, &words), integer(i128::from(high)));
            prop_assert_eq!(decode(RegisterType::Uint8l, order, &words), integer(i128::from(low)));
            prop_assert_eq!(decode(RegisterType::Int8h, order, &words), integer(i128::from(high as i8)));
            prop_assert_eq!(decode(RegisterType::Int8l, order, &words), integer(i128::from(low as i8)));
        }

        #[test]
        fn every_float_survives_the_wire_or_is_no_number(bits in any::<u64>(), order in orders()) {
            let double = f64::from_bits(bits);
            let single = f32::from_bits(bits as u32);
            let expect = |value: f64| if value.is_finite() { float(value) } else { Err(NoValue::NotFinite) };
            prop_assert_eq!(decode(RegisterType::Float64, order, &encode(&double.to_be_bytes(), order)), expect(double));
            let found = decode(RegisterType::Float32, order, &encode(&single.to_be_bytes(), order));
            prop_assert_eq!(found, expect(f64::from(single)));
        }

        #[test]
        fn decimal_digits_survive_the_wire(value in 0u32..100_000_000, order in orders()) {
            let text = format!("{value:08}");
            let bytes: Vec<u8> = (0..4).map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap()).collect();
            let found = decode(RegisterType::Bcd32, order, &encode(&bytes, order));
            prop_assert_eq!(found, integer(i128::from(value)));
            let found = decode(RegisterType::Bcd16, order, &encode(&bytes[2..], order));
            prop_assert_eq!(found, integer(i128::from(value % 10_000)));
        }

        #[test]
        fn a_half_keeps_order_and_sign(bits in 0u16..0x7c00) {
            // Positive halves are ordered as their bits are.
            prop_assert_eq!(half(bits) < half(bits + 1), true);
            prop_assert_eq!(half(bits | 0x8000), -half(bits));
        }

        #[test]
        fn no_words_whatever_give_a_value_that_is_not_finite(
            words in proptest::collection::vec(any::<u16>(), 4), order in orders(), scale in any::<f64>(), offset in any::<f64>()
        ) {
            for register_type in RegisterType::ALL {
                let decoding = Decoding { scale, offset, ..Decoding::plain(*register_type, order) };
                if let Ok(value) = decoding.words(&words) {
                    prop_assert_eq!(value.as_f64().is_finite(), true);
                }
            }
        }
    }
}
