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
        /// Three registers, twelve decimal digits.
        Bcd48 = "bcd48",
        /// Four registers, sixteen decimal digits.
        Bcd64 = "bcd64",
        /// Two registers, each a digit to base 10000; a negative value has none above 0. **Source**: INT32-M10K of
        /// Schneider's ION and PowerLogic meters.
        Mod10x32 = "mod10_32",
        /// Three such digits.
        Mod10x48 = "mod10_48",
        /// Four such digits.
        Mod10x64 = "mod10_64",
        /// One register, the sign in its highest bit and the amount in the others.
        SignMagnitude16 = "signmag16",
        /// Two registers, likewise.
        SignMagnitude32 = "signmag32",
        /// Two characters a register.
        Text = "string",
    }
);

impl RegisterType {
    /// Returns how many registers a value takes; a bit of a bit table takes one bit, a text at least one register.
    pub const fn words(self) -> u16 {
        match self {
            Self::Int32 | Self::Uint32 | Self::Float32 | Self::Bcd32 | Self::Mod10x32 | Self::SignMagnitude32 => 2,
            Self::Bcd48 | Self::Mod10x48 => 3,
            Self::Int64 | Self::Uint64 | Self::Float64 | Self::Bcd64 | Self::Mod10x64 => 4,
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

    /// Returns the orders in which a value of the type may arrive, each once: those that differ for its width.
    pub const fn orders(self) -> &'static [WordOrder] {
        match (self.words(), self.bits()) {
            (_, 1 | 8) => &[WordOrder::Abcd],
            (1, _) => &[WordOrder::Abcd, WordOrder::Badc],
            (2 | 3, _) => &[WordOrder::Abcd, WordOrder::Cdab, WordOrder::Badc, WordOrder::Dcba],
            _ => WordOrder::ALL,
        }
    }

    /// Says whether a value of the type can arrive in `order`. For a single register any order of 32 bits says whether
    /// its bytes are swapped; the order of words within a text is never changed.
    pub const fn accepts(self, order: WordOrder) -> bool {
        match self {
            Self::Text => !order.low_word_first() && !order.is_of_64_bits(),
            _ => !order.is_of_64_bits() || self.words() == 4,
        }
    }

    /// Says whether the value is a whole number without sign, of which single bits can be told.
    pub const fn has_bits(self) -> bool {
        matches!(self, Self::Uint8h | Self::Uint8l | Self::Uint16 | Self::Uint32 | Self::Uint64)
    }

    /// Says whether the value is floating-point on the wire.
    pub const fn is_float(self) -> bool {
        matches!(self, Self::Float16 | Self::Float32 | Self::Float64)
    }

    /// Says whether the value is two's complement.
    pub const fn is_signed(self) -> bool {
        matches!(self, Self::Int8h | Self::Int8l | Self::Int16 | Self::Int32 | Self::Int64)
    }

    /// Returns the raw value at which an counter of this width starts again at 0; `None` for binary signed and
    /// floating-point types, whose behaviour at the end of their range is the device's own.
    pub const fn modulus(self) -> Option<f64> {
        match self {
            Self::Uint8h | Self::Uint8l => Some(256.0),
            Self::Uint16 => Some(65_536.0),
            Self::Uint32 => Some(4_294_967_296.0),
            Self::Uint64 => Some(18_446_744_073_709_551_616.0),
            Self::Bcd16 => Some(1e4),
            Self::Bcd32 | Self::Mod10x32 => Some(1e8),
            Self::Bcd48 | Self::Mod10x48 => Some(1e12),
            Self::Bcd64 | Self::Mod10x64 => Some(1e16),
            _ => None,
        }
    }
}

/// In which order the bytes of a value arrive, A being the most significant.
///
/// The first four are named after a 32-bit value. One-register values know only whether their two bytes are swapped
/// (BADC, DCBA); over three and four words the first four mean the same, all words in order or all reversed. The last
/// four exist for 64 bits alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WordOrder {
    /// Big-endian, high word first: what the Modbus specification says.
    Abcd,
    /// Low word first, bytes of a word in order.
    Cdab,
    /// High word first, bytes of a word swapped.
    Badc,
    /// Little-endian.
    Dcba,
    /// High double word first, low word first within it.
    Cdabghef,
    /// Low double word first, high word first within it.
    Efghabcd,
    /// As [`WordOrder::Cdabghef`], bytes of a word swapped.
    Dcbahgfe,
    /// As [`WordOrder::Efghabcd`], bytes of a word swapped.
    Fehgbadc,
}

/// Every order with its name and the other names it goes by: over 64 bits, and by digits instead of letters.
/// **Source** of the digits: settings of Neuron's Modbus driver and many manuals.
const ORDERS: [(WordOrder, &[&str]); 8] = [
    (WordOrder::Abcd, &["ABCD", "ABCDEFGH", "1234", "12345678"]),
    (WordOrder::Cdab, &["CDAB", "GHEFCDAB", "3412", "78563412"]),
    (WordOrder::Badc, &["BADC", "BADCFEHG", "2143", "21436587"]),
    (WordOrder::Dcba, &["DCBA", "HGFEDCBA", "4321", "87654321"]),
    (WordOrder::Cdabghef, &["CDABGHEF", "34127856"]),
    (WordOrder::Efghabcd, &["EFGHABCD", "56781234"]),
    (WordOrder::Dcbahgfe, &["DCBAHGFE", "43218765"]),
    (WordOrder::Fehgbadc, &["FEHGBADC", "65872143"]),
];

impl WordOrder {
    /// Every value, in the order of the documentation.
    pub const ALL: &'static [Self] = &[
        Self::Abcd,
        Self::Cdab,
        Self::Badc,
        Self::Dcba,
        Self::Cdabghef,
        Self::Efghabcd,
        Self::Dcbahgfe,
        Self::Fehgbadc,
    ];

    /// Returns the name used in profiles and JSON.
    pub const fn as_str(self) -> &'static str {
        ORDERS[self as usize].1[0]
    }

    /// Says whether the least significant word comes first and the most significant last.
    pub const fn low_word_first(self) -> bool {
        matches!(self, Self::Cdab | Self::Dcba)
    }

    /// Says whether the two bytes of each word are swapped.
    pub const fn bytes_swapped(self) -> bool {
        matches!(self, Self::Badc | Self::Dcba | Self::Dcbahgfe | Self::Fehgbadc)
    }

    /// Says whether the order exists for 64-bit values alone.
    pub const fn is_of_64_bits(self) -> bool {
        self as usize >= Self::Cdabghef as usize
    }

    /// Returns where the words of a 64-bit value arrive, the most significant first.
    pub const fn positions(self) -> [usize; 4] {
        match self {
            Self::Abcd | Self::Badc => [0, 1, 2, 3],
            Self::Cdab | Self::Dcba => [3, 2, 1, 0],
            Self::Cdabghef | Self::Dcbahgfe => [1, 0, 3, 2],
            Self::Efghabcd | Self::Fehgbadc => [2, 3, 0, 1],
        }
    }
}

impl fmt::Display for WordOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for WordOrder {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = |names: &[&str]| names.iter().any(|name| name.eq_ignore_ascii_case(text));
        ORDERS.iter().find(|(_, names)| known(names)).map(|(order, _)| *order).ok_or_else(|| {
            let names = ORDERS.iter().map(|(_, names)| names.join(" = ")).collect::<Vec<_>>().join(", ");
            format!("\"{text}\" is no word order: expected one of {names}")
        })
    }
}

impl Serialize for WordOrder {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for WordOrder {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Some neighbouring bits of a register or of a longer value, written `"4-7"` or `"3"`: 0 is the least significant,
/// both ends belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BitField {
    /// Lowest bit.
    pub first: u8,
    /// Highest bit, not below the first and at most 63.
    pub last: u8,
}

impl BitField {
    /// Returns the bits of `whole` as a number of their own.
    pub fn of(self, whole: i128) -> i128 {
        let count = u32::from(self.last.saturating_sub(self.first)) + 1;
        whole >> self.first.min(63) & ((1 << count.min(64)) - 1)
    }
}

impl fmt::Display for BitField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

impl FromStr for BitField {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || format!("\"{text}\" are no bits: write the lowest and the highest, like \"4-7\"");
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let number = |text: &str| text.trim().parse::<u8>().ok().filter(|bit| *bit < 64).ok_or_else(refused);
        let (first, last) = (number(first)?, number(last)?);
        if last < first { Err(refused()) } else { Ok(Self { first, last }) }
    }
}

impl<'de> Deserialize<'de> for BitField {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Reads registers as text of at most `characters`, two a register, high byte first unless `bytes_swapped`. It ends at
/// the first NUL; spaces around it are no part of it. `None` where a byte is no printable ASCII, or no text is left.
pub fn text_of(words: &[u16], bytes_swapped: bool, characters: usize) -> Option<String> {
    let bytes = words.iter().flat_map(|word| if bytes_swapped { word.to_le_bytes() } else { word.to_be_bytes() });
    let text: String = bytes.take(characters).take_while(|byte| *byte != 0).map(char::from).collect();
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
    use super::{BitField, ORDERS, RegisterType, WordOrder, text_of};

    #[test]
    fn bits_are_written_with_both_ends_and_read_as_a_number_of_their_own() {
        let table =
            [("4-7", 0xABCD, 0xC), ("0", 0xABCD, 1), ("15", 0x8000, 1), ("0-63", u64::MAX.into(), u64::MAX.into())];
        for (text, whole, expected) in table {
            assert_eq!(text.parse::<BitField>().unwrap().of(whole), expected, "{text}");
        }
        for wrong in ["", "7-4", "4..7", "64", "4-", "-1", "a"] {
            assert!(wrong.parse::<BitField>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_order_goes_by_letters_and_by_digits() {
        for (position, (order, names)) in ORDERS.iter().enumerate() {
            assert_eq!((WordOrder::ALL[position], *order as usize), (*order, position), "its name stands at its place");
            for name in *names {
                assert_eq!(name.parse(), Ok(*order));
                // A name says which byte arrives when; the positions say it of words.
                let letters: Vec<u8> = name.bytes().map(|b| b - if b < b'A' { b'1' } else { b'A' }).collect();
                let words: Vec<usize> = letters.chunks(2).map(|pair| usize::from(pair[0].min(pair[1]) / 2)).collect();
                let expected: Vec<usize> = (0..words.len())
                    .map(|significance| words.iter().position(|word| *word == significance).unwrap())
                    .collect();
                if words.len() == 4 {
                    assert_eq!(order.positions().to_vec(), expected, "{name}");
                } else {
                    assert_eq!(order.low_word_first(), expected == [1, 0], "{name}");
                }
                assert_eq!(order.bytes_swapped(), letters[0] > letters[1], "{name}");
            }
        }
        assert_eq!("cdab".parse(), Ok(WordOrder::Cdab));
        assert!("BACD".parse::<WordOrder>().unwrap_err().contains("CDAB = GHEFCDAB = 3412"));
    }

    #[test]
    fn each_type_has_the_orders_that_differ_for_its_width() {
        let count = |register_type: RegisterType| register_type.orders().len();
        assert_eq!([RegisterType::Uint8l, RegisterType::Int16, RegisterType::Float32].map(count), [1, 2, 4]);
        assert_eq!([RegisterType::Mod10x48, RegisterType::Float64].map(count), [4, 8]);
        for register_type in RegisterType::ALL {
            assert!(register_type.orders().iter().all(|order| register_type.accepts(*order)), "{register_type}");
        }
        assert!(!RegisterType::Uint32.accepts(WordOrder::Efghabcd) && !RegisterType::Text.accepts(WordOrder::Cdab));
    }

    #[test]
    fn a_text_ends_at_its_first_nul_and_is_printable() {
        assert_eq!(text_of(&[0x5375, 0x6E53], false, 4).as_deref(), Some("SunS"));
        assert_eq!(text_of(&[0x7553, 0x536E], true, 3).as_deref(), Some("Sun"));
        assert_eq!(text_of(&[0x2041, 0x4200, 0x4343], false, usize::MAX).as_deref(), Some("AB"));
        for none in [&[0x2020, 0x2020][..], &[0, 0x4142], &[], &[0xFFFF], &[0x4107], &[0x41C3]] {
            assert_eq!(text_of(none, false, usize::MAX), None, "{none:04x?}");
        }
    }
}
