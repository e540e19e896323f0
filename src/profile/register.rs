//! How a Modbus device numbers and packs its values: tables, types, word orders.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Defines an enum whose variants have one written name each, with parsing that lists the accepted names.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident, $what:literal { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// Every value, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Returns the name used in configuration, profiles and JSON.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text).ok_or_else(|| {
                    let names = Self::ALL.iter().map(|value| value.as_str()).collect::<Vec<_>>().join(", ");
                    format!("\"{text}\" is no {}: expected one of {names}", $what)
                })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

named!(
    /// One of the four address spaces of a Modbus device.
    Table, "Modbus table" {
        /// Bits that could be written: function code 1 reads them.
        Coil = "coil",
        /// Read-only bits: function code 2.
        Discrete = "discrete",
        /// Registers that could be written: function code 3 reads them.
        Holding = "holding",
        /// Read-only registers: function code 4.
        Input = "input",
    }
);

impl Table {
    /// Says whether the table holds single bits and not 16-bit registers.
    pub const fn is_bits(self) -> bool {
        matches!(self, Self::Coil | Self::Discrete)
    }
}

named!(
    /// How the words of a value are read.
    RegisterType, "register type" {
        /// One bit: of a bit table, or of a register with `bit`.
        Bit = "bit",
        /// The high byte, signed.
        Int8h = "int8h",
        /// The low byte, signed.
        Int8l = "int8l",
        /// The high byte.
        Uint8h = "uint8h",
        /// The low byte.
        Uint8l = "uint8l",
        /// One register, two's complement.
        Int16 = "int16",
        /// One register.
        Uint16 = "uint16",
        /// Two registers, two's complement.
        Int32 = "int32",
        /// Two registers.
        Uint32 = "uint32",
        /// Four registers, two's complement.
        Int64 = "int64",
        /// Four registers.
        Uint64 = "uint64",
        /// One register, IEEE 754 binary16.
        Float16 = "float16",
        /// Two registers, IEEE 754 binary32.
        Float32 = "float32",
        /// Four registers, IEEE 754 binary64.
        Float64 = "float64",
        /// One register, four decimal digits.
        Bcd16 = "bcd16",
        /// Two registers, eight decimal digits.
        Bcd32 = "bcd32",
    }
);

impl RegisterType {
    /// Returns how many registers a value takes; a bit of a bit table takes one bit.
    pub const fn words(self) -> u16 {
        match self {
            Self::Int32 | Self::Uint32 | Self::Float32 | Self::Bcd32 => 2,
            Self::Int64 | Self::Uint64 | Self::Float64 => 4,
            _ => 1,
        }
    }

    /// Returns how many bits of the words belong to the value.
    pub const fn bits(self) -> u32 {
        match self {
            Self::Bit => 1,
            Self::Int8h | Self::Int8l | Self::Uint8h | Self::Uint8l => 8,
            _ => self.words() as u32 * 16,
        }
    }

    /// Says whether the value is floating-point on the wire.
    pub const fn is_float(self) -> bool {
        matches!(self, Self::Float16 | Self::Float32 | Self::Float64)
    }

    /// Says whether the value is two's complement.
    pub const fn is_signed(self) -> bool {
        matches!(self, Self::Int8h | Self::Int8l | Self::Int16 | Self::Int32 | Self::Int64)
    }

    /// Returns the raw value at which an unsigned counter of this width starts again at 0; `None` for signed and
    /// floating-point types, whose behaviour at the end of their range is the device's own.
    pub const fn modulus(self) -> Option<f64> {
        match self {
            Self::Uint8h | Self::Uint8l => Some(256.0),
            Self::Uint16 => Some(65_536.0),
            Self::Uint32 => Some(4_294_967_296.0),
            Self::Uint64 => Some(18_446_744_073_709_551_616.0),
            Self::Bcd16 => Some(1e4),
            Self::Bcd32 => Some(1e8),
            _ => None,
        }
    }
}

named!(
    /// In which order the bytes of a value arrive, A being the most significant.
    ///
    /// The names are those of a 32-bit value. One-register values know only whether their two bytes are swapped
    /// (BADC, DCBA); 64-bit values follow the same idea over four words.
    WordOrder, "word order" {
        /// Big-endian, high word first: what the Modbus specification says.
        Abcd = "ABCD",
        /// Low word first, bytes of a word in order.
        Cdab = "CDAB",
        /// High word first, bytes of a word swapped.
        Badc = "BADC",
        /// Little-endian.
        Dcba = "DCBA",
    }
);

impl WordOrder {
    /// Says whether the least significant word comes first.
    pub const fn low_word_first(self) -> bool {
        matches!(self, Self::Cdab | Self::Dcba)
    }

    /// Says whether the two bytes of each word are swapped.
    pub const fn bytes_swapped(self) -> bool {
        matches!(self, Self::Badc | Self::Dcba)
    }
}

/// Reads registers as text, two characters each, high byte first unless `bytes_swapped`. It ends at the first NUL;
/// spaces around it are no part of it. `None` where a byte is no printable ASCII, or no text is left.
pub fn text_of(words: &[u16], bytes_swapped: bool) -> Option<String> {
    let bytes = words.iter().flat_map(|word| if bytes_swapped { word.to_le_bytes() } else { word.to_be_bytes() });
    let text: String = bytes.take_while(|byte| *byte != 0).map(char::from).collect();
    let is_printable = text.chars().all(|c| c.is_ascii_graphic() || c == ' ');
    let text = text.trim();
    (is_printable && !text.is_empty()).then(|| text.to_owned())
}

/// A mark a device sends instead of a value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sentinel {
    /// The bits of the value as its type reads them, written `"0x8000"`.
    Bits(u64),
    /// The raw integer before scale and offset. For a signed type a number beyond its range is its bit pattern, so
    /// that `32768` and `-32768` both name 0x8000.
    Integer(i64),
    /// The raw floating-point value before scale and offset.
    Float(f64),
}

impl FromStr for Sentinel {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || format!("\"{text}\" is no sentinel: expected a bit pattern like \"0x8000\" or a number");
        match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
            Some(hex) => u64::from_str_radix(hex, 16).map(Self::Bits).map_err(|_| refused()),
            None => match text.parse::<i64>() {
                Ok(value) => Ok(Self::Integer(value)),
                Err(_) => text.parse::<f64>().map(Self::Float).map_err(|_| refused()),
            },
        }
    }
}

impl<'de> Deserialize<'de> for Sentinel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Sentinel;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a bit pattern like \"0x8000\" or a number")
            }
            fn visit_i64<E>(self, value: i64) -> Result<Sentinel, E> {
                Ok(Sentinel::Integer(value))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Sentinel, E> {
                Ok(Sentinel::Float(value))
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Sentinel, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::text_of;

    #[test]
    fn a_text_ends_at_its_first_nul_and_is_printable() {
        assert_eq!(text_of(&[0x5375, 0x6E53], false).as_deref(), Some("SunS"));
        assert_eq!(text_of(&[0x7553, 0x536E], true).as_deref(), Some("SunS"));
        assert_eq!(text_of(&[0x2041, 0x4200, 0x4343], false).as_deref(), Some("AB"));
        for none in [&[0x2020, 0x2020][..], &[0, 0x4142], &[], &[0xFFFF], &[0x4107], &[0x41C3]] {
            assert_eq!(text_of(none, false), None, "{none:04x?}");
        }
    }
}
