//! Words to the number a device holds, and that number to a value: bit arithmetic, one function a rule.

use super::Raw;
use crate::model::number::Number;
use crate::profile::register::{RegisterType, Sentinel, WordOrder};

/// Puts up to four words together, the most significant byte first.
#[inline]
pub(super) fn assemble(words: &[u16], order: WordOrder) -> u64 {
    let append = |bits: u64, word: &u16| {
        let word = if order.bytes_swapped() { word.swap_bytes() } else { *word };
        bits << 16 | u64::from(word)
    };
    if order.low_word_first() {
        words.iter().rev().fold(0, append)
    } else if order.is_of_64_bits() {
        order.positions().iter().filter_map(|position| words.get(*position)).fold(0, append)
    } else {
        words.iter().fold(0, append)
    }
}

/// Keeps the byte of an 8-bit type and all bits of any other.
#[inline]
pub(super) const fn select(bits: u64, register_type: RegisterType) -> u64 {
    match register_type {
        RegisterType::Int8h | RegisterType::Uint8h => bits >> 8 & 0xff,
        RegisterType::Int8l | RegisterType::Uint8l => bits & 0xff,
        _ => bits,
    }
}

/// Reads the bits by type; `None` for a digit that is none, and for a text.
#[expect(clippy::cast_possible_truncation, reason = "the bits were selected to the type's width")]
#[inline]
pub(super) fn interpret(bits: u64, register_type: RegisterType, bit: u8) -> Option<Raw> {
    Some(match register_type {
        RegisterType::Bit => Raw::Integer(i128::from(bits >> (bit & 15) & 1)),
        RegisterType::Float16 => Raw::Float(half(bits as u16)),
        RegisterType::Float32 => Raw::Float(f64::from(f32::from_bits(bits as u32))),
        RegisterType::Float64 => Raw::Float(f64::from_bits(bits)),
        RegisterType::Bcd16 | RegisterType::Bcd32 | RegisterType::Bcd48 | RegisterType::Bcd64 => {
            Raw::Integer(decimal(bits)?)
        }
        RegisterType::Mod10x32 | RegisterType::Mod10x48 | RegisterType::Mod10x64 => Raw::Integer(base_10000(bits)?),
        RegisterType::SignMagnitude16 => Raw::Integer(signed_amount(bits, 1 << 15)),
        RegisterType::SignMagnitude32 => Raw::Integer(signed_amount(bits, 1 << 31)),
        RegisterType::Text => return None,
        signed if signed.is_signed() => {
            let unused = 64 - signed.bits();
            Raw::Integer(i128::from((bits << unused).cast_signed() >> unused))
        }
        _ => Raw::Integer(i128::from(bits)),
    })
}

/// Reads binary16. **Source**: IEEE 754-2019, 3.4: 1 sign, 5 exponent (bias 15), 10 fraction bits.
#[inline]
pub(super) fn half(bits: u16) -> f64 {
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

/// Reads up to four digits to base 10000, one a word. A negative number has negative digits only.
fn base_10000(bits: u64) -> Option<i128> {
    let digits = [48, 32, 16, 0].map(|shift| i128::from(word_at(bits, shift).cast_signed()));
    let has_sign = |sign: i128| digits.iter().any(|digit| digit.signum() == sign);
    let is_sound = digits.iter().all(|digit| digit.abs() < 10_000) && !(has_sign(1) && has_sign(-1));
    is_sound.then(|| digits.iter().fold(0, |value, digit| value * 10_000 + digit))
}

#[expect(clippy::cast_possible_truncation, reason = "the word is what is wanted")]
const fn word_at(bits: u64, shift: u32) -> u16 {
    (bits >> shift) as u16
}

/// Reads an amount whose highest bit, `sign`, says that it is negative.
fn signed_amount(bits: u64, sign: u64) -> i128 {
    let amount = i128::from(bits & !sign);
    if bits & sign == 0 { amount } else { -amount }
}

#[expect(clippy::float_cmp, reason = "a mark is one exact value")]
#[inline]
pub(super) fn is_sentinel(sentinel: Sentinel, bits: u64, raw: Option<Raw>, register_type: RegisterType) -> bool {
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
#[inline]
pub(super) fn scale(raw: Raw, scale: f64, offset: f64) -> Option<Number> {
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
#[inline]
fn multiply(value: f64, scale: f64) -> f64 {
    let divisor = (1.0 / scale).round();
    if divisor.abs() > 1.0 && divisor.abs() <= EXACT_MAX && 1.0 / divisor == scale {
        value / divisor
    } else {
        value * scale
    }
}

/// Exponents that a scale factor may have. **Source**: SunSpec information model specification, `sunssf`.
const EXPONENTS: std::ops::RangeInclusive<i16> = -10..=10;

/// Returns `scale` × 10^`exponent`; `None` for an exponent that no device means.
pub(super) fn scale_by_power(scale: f64, exponent: i16) -> Option<f64> {
    let power = 10f64.powi(i32::from(exponent).abs());
    EXPONENTS.contains(&exponent).then(|| if exponent < 0 { scale / power } else { scale * power })
}
