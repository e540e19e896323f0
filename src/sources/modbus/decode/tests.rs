//! Every type in every order, against words written without the decoder; what is no number never becomes one.

use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, proptest};
use proptest::sample::select;

use super::raw::half;
use super::{
    BTreeMap, BitField, Decoding, Layout, MachineState, NoValue, Number, Raw, RegisterType, Sentinel, WordOrder,
    decode_text,
};

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
        Bcd16, Bcd32, Bcd64, Float16, Float32, Float64, Int8h, Int8l, Int16, Int32, Int64, Mod10x32, Mod10x48,
        Mod10x64, SignMagnitude16, SignMagnitude32, Uint8h, Uint8l, Uint16, Uint32, Uint64,
    };
    use WordOrder::{Abcd, Badc, Cdab, Cdabghef, Dcba, Dcbahgfe, Efghabcd, Fehgbadc};
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
        (Bcd64, Abcd, &[0x1234, 0x5678, 0x9012, 0x3456], integer(1_234_567_890_123_456)),
        (Mod10x32, Abcd, &[1234, 5678], integer(12_345_678)),
        (Mod10x48, Cdab, &[9012, 5678, 1234], integer(123_456_789_012)),
        (Mod10x64, Abcd, &[0, 0, 0xffff, 0xfffe], integer(-10_002)),
        (SignMagnitude16, Abcd, &[0x8005], integer(-5)),
        (SignMagnitude16, Abcd, &[0x8000], integer(0)),
        (SignMagnitude32, Cdab, &[0x0cb2, 0x8000], integer(-3250)),
        (Uint64, Cdabghef, &[0x0002, 0x0001, 0x0004, 0x0003], integer(0x0001_0002_0003_0004)),
        (Uint64, Efghabcd, &[0x0003, 0x0004, 0x0001, 0x0002], integer(0x0001_0002_0003_0004)),
        (Uint64, Dcbahgfe, &[0x0200, 0x0100, 0x0400, 0x0300], integer(0x0001_0002_0003_0004)),
        (Uint64, Fehgbadc, &[0x0300, 0x0400, 0x0100, 0x0200], integer(0x0001_0002_0003_0004)),
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
    let digits = |words: &[u16]| decode(RegisterType::Mod10x32, WordOrder::Abcd, words);
    assert_eq!(digits(&[0, 10_000]), Err(NoValue::NotDecimal(10_000)));
    assert_eq!(digits(&[1, 0xffff]), Err(NoValue::NotDecimal(0x1_ffff)), "digits of both signs");
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

fn text(registers: &str) -> Vec<u16> {
    registers.as_bytes().chunks(2).map(|pair| u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)])).collect()
}

#[test]
fn a_text_is_read_in_either_order_of_bytes_and_trimmed() {
    assert_eq!(decode_text(&text("  PM5320 \0\0\0"), WordOrder::Abcd, None).as_deref(), Ok("PM5320"));
    assert_eq!(decode_text(&text("MP3502"), WordOrder::Badc, None).as_deref(), Ok("PM5320"));
    assert_eq!(decode_text(&text("PM5320XY"), WordOrder::Abcd, Some(5)).as_deref(), Ok("PM532"));
    for none in [&[0xffff; 4][..], &[0; 4], &[]] {
        assert_eq!(decode_text(none, WordOrder::Abcd, None), Err(NoValue::NotText));
    }
}

#[test]
fn a_text_names_a_state_and_is_no_number_by_itself() {
    let states = BTreeMap::from([("RUN".to_owned(), MachineState::Producing)]);
    let plain = Decoding::plain(RegisterType::Text, WordOrder::Abcd);
    let decoding = Decoding { layout: Layout::Text { characters: None, states }, ..plain.clone() };
    assert_eq!(decoding.words(&text("RUN\0")), integer(MachineState::Producing.code()));
    assert_eq!(decoding.words(&text("STOP")), Err(NoValue::UnknownText));
    assert_eq!(decoding.words(&[0xffff; 2]), Err(NoValue::NotText));
    assert_eq!(plain.words(&text("RUN\0")), Err(NoValue::IsText));
}

#[test]
fn some_bits_of_a_value_are_a_number_of_their_own() {
    let bits = |register_type, field: &str| Decoding {
        layout: Layout::Bits(field.parse().unwrap()),
        ..Decoding::plain(register_type, WordOrder::Abcd)
    };
    assert_eq!(bits(RegisterType::Uint16, "4-7").words(&[0xabcd]), integer(0xc));
    assert_eq!(bits(RegisterType::Uint32, "12-19").words(&[0xabcd, 0x1234]), integer(0xd1));
    let marked = Decoding { sentinels: vec![Sentinel::Bits(0xffff)], scale: 0.5, ..bits(RegisterType::Uint16, "0-3") };
    assert_eq!(marked.words(&[0xffff]), Err(NoValue::Sentinel(0xffff)), "the mark is of the whole register");
    assert_eq!(marked.words(&[0xfff7]), float(3.5));
    let states = BTreeMap::from([(2, MachineState::Idle)]);
    let state = Decoding { states, ..bits(RegisterType::Uint16, "8-9") };
    assert_eq!(state.words(&[0x0200]), integer(MachineState::Idle.code()));
}

#[test]
fn a_value_is_scaled_by_the_factor_of_the_same_answer_or_has_none() {
    let layout = Layout::Factored { value: 0, factor: 3 };
    let power = Decoding { layout, ..Decoding::plain(RegisterType::Int16, WordOrder::Abcd) };
    let minus = |exponent: i16| exponent.cast_unsigned();
    assert_eq!(power.words(&[1234, 0, 0, 0]), integer(1234));
    assert_eq!(power.words(&[1234, 0, 0, 2]), integer(123_400), "whole stays exact");
    assert_eq!(power.words(&[2301, 0, 0, minus(-1)]), float(230.1));
    assert_eq!(power.words(&[1234, 0, 0, 0x8000]), Err(NoValue::NoScaleFactor));
    assert_eq!(power.words(&[1234, 0, 0, 11]), Err(NoValue::ScaleFactor(11)));
    assert_eq!(power.words(&[1234, 0, 0, minus(-11)]), Err(NoValue::ScaleFactor(-11)));
    assert_eq!(power.words(&[1234, 0, 0]), Err(NoValue::TooFewWords(3)), "without the factor there is no value");
    let marked = Decoding { sentinels: vec![Sentinel::Bits(0x8000)], ..power };
    assert_eq!(marked.words(&[0x8000, 0, 0, 1]), Err(NoValue::Sentinel(0x8000)));
    let before = Layout::Factored { value: 1, factor: 0 };
    let energy = Decoding { scale: 0.001, layout: before, ..Decoding::plain(RegisterType::Uint32, WordOrder::Abcd) };
    assert_eq!(energy.words(&[1, 0x0000, 12_345]), float(123.45), "Wh with a factor of ten to kWh");
}

#[test]
fn the_same_words_are_another_number_under_every_type_and_order() {
    for (register_type, order, expected) in [
        (RegisterType::Float32, WordOrder::Abcd, float(f64::from(230.2f32))),
        (RegisterType::Uint16, WordOrder::Badc, integer(0x6643)),
        (RegisterType::Uint64, WordOrder::Efghabcd, integer(0x4366_3333)),
        (RegisterType::Bcd32, WordOrder::Abcd, integer(43_663_333)),
    ] {
        let found = Decoding::plain(register_type, order).words(&[0x4366, 0x3333, 0, 0]);
        assert_eq!(found, expected, "{register_type} {order}");
    }
}

/// Words from network-order bytes, written without the decoder's shifts: each byte is put where the letters of the
/// order's name say that it arrives.
fn encode(bytes: &[u8], order: WordOrder) -> Vec<u16> {
    let of_64 = match order {
        WordOrder::Abcd => "ABCDEFGH",
        WordOrder::Cdab => "GHEFCDAB",
        WordOrder::Badc => "BADCFEHG",
        WordOrder::Dcba => "HGFEDCBA",
        other => other.as_str(),
    };
    let is_reversed = matches!(order, WordOrder::Cdab | WordOrder::Dcba);
    // Of a shorter value the letters that don't occur are left out; the most significant byte stays A.
    let skipped = if is_reversed { 8 - bytes.len() } else { 0 };
    let letters = of_64.bytes().skip(skipped).take(bytes.len());
    let arrived: Vec<u8> = letters.map(|letter| bytes[usize::from(letter - b'A')]).collect();
    arrived.chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect()
}

fn orders() -> impl Strategy<Value = WordOrder> {
    select(WordOrder::ALL)
}

/// Digits in groups of `digits`, each as a register of its own.
fn digits(value: u64, digits: usize, groups: usize, radix: u32) -> Vec<u8> {
    let text = format!("{value:0width$}", width = digits * groups);
    let group = |at: usize| u16::from_str_radix(&text[at * digits..(at + 1) * digits], radix).unwrap();
    (0..groups).flat_map(|at| group(at).to_be_bytes()).collect()
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
        for (register_type, bytes, expected) in checks.into_iter().filter(|(t, ..)| t.accepts(order)) {
            prop_assert_eq!(decode(register_type, order, &encode(bytes, order)), integer(expected));
        }
    }

    #[test]
    fn both_bytes_of_a_register_survive_the_wire(high in any::<u8>(), low in any::<u8>(), order in select(&WordOrder::ALL[..4])) {
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
        if RegisterType::Float32.accepts(order) {
            let found = decode(RegisterType::Float32, order, &encode(&single.to_be_bytes(), order));
            prop_assert_eq!(found, expect(f64::from(single)));
        }
    }

    #[test]
    fn decimal_digits_survive_the_wire(value in 0u64..10_000_000_000_000_000, order in orders()) {
        use RegisterType::{Bcd16, Bcd32, Bcd48, Bcd64};
        let types = [(Bcd16, 1), (Bcd32, 2), (Bcd48, 3), (Bcd64, 4)];
        for (register_type, words) in types.into_iter().filter(|(t, _)| t.accepts(order)) {
            let value = value % 10_000u64.pow(words as u32);
            let found = decode(register_type, order, &encode(&digits(value, 4, words, 16), order));
            prop_assert_eq!(found, integer(i128::from(value)));
        }
    }

    #[test]
    fn digits_to_base_10000_survive_the_wire_with_their_sign(
        value in 0u64..10_000_000_000_000_000, is_negative in any::<bool>(), order in orders()
    ) {
        let types = [(RegisterType::Mod10x32, 2), (RegisterType::Mod10x48, 3), (RegisterType::Mod10x64, 4)];
        for (register_type, words) in types.into_iter().filter(|(t, _)| t.accepts(order)) {
            let value = value % 10_000u64.pow(words as u32);
            let mut bytes = digits(value, 4, words, 10);
            if is_negative {
                for pair in bytes.chunks_mut(2) {
                    let digit = -i16::from_be_bytes([pair[0], pair[1]]);
                    pair.copy_from_slice(&digit.to_be_bytes());
                }
            }
            let expected = if is_negative { -i128::from(value) } else { i128::from(value) };
            prop_assert_eq!(decode(register_type, order, &encode(&bytes, order)), integer(expected));
        }
    }

    #[test]
    fn a_sign_beside_its_amount_survives_the_wire(amount in 0u32..1 << 31, is_negative in any::<bool>(), order in orders()) {
        let sign = |bit: u32| if is_negative { 1u32 << bit } else { 0 };
        let signed = |amount: u32| integer(if is_negative { -i128::from(amount) } else { i128::from(amount) });
        if RegisterType::SignMagnitude32.accepts(order) {
            let words = encode(&(amount | sign(31)).to_be_bytes(), order);
            prop_assert_eq!(decode(RegisterType::SignMagnitude32, order, &words), signed(amount));
            let amount = amount & 0x7fff;
            let words = encode(&((amount | sign(15)) as u16).to_be_bytes(), order);
            prop_assert_eq!(decode(RegisterType::SignMagnitude16, order, &words), signed(amount));
        }
    }

    #[test]
    fn a_text_survives_the_wire(text in "[!-~]([ -~]{0,30}[!-~])?", is_swapped in any::<bool>()) {
        let order = if is_swapped { WordOrder::Badc } else { WordOrder::Abcd };
        let mut bytes = text.clone().into_bytes();
        bytes.resize(bytes.len().next_multiple_of(2) + 4, 0);
        let words: Vec<u16> = bytes.chunks(2).flat_map(|pair| encode(pair, order)).collect();
        prop_assert_eq!(decode_text(&words, order, None), Ok(text));
    }

    #[test]
    fn bits_of_a_value_are_cut_as_division_would(value in any::<u64>(), first in 0u8..64, length in 0u8..64) {
        let last = first.saturating_add(length).min(63);
        let count = u32::from(last - first) + 1;
        let expected = i128::from(value) / 2i128.pow(u32::from(first)) % 2i128.pow(count);
        prop_assert_eq!(BitField { first, last }.of(i128::from(value)), expected);
    }

    #[test]
    fn a_scale_factor_multiplies_by_its_power_of_ten(value in any::<i16>(), exponent in -10i16..=10) {
        let layout = Layout::Factored { value: 0, factor: 1 };
        let decoding = Decoding { layout, ..Decoding::plain(RegisterType::Int16, WordOrder::Abcd) };
        let found = decoding.words(&[value.cast_unsigned(), exponent.cast_unsigned()]).unwrap().as_f64();
        let expected = format!("{value}e{exponent}").parse::<f64>().unwrap();
        prop_assert!((found - expected).abs() <= expected.abs() * 1e-15, "{found} {expected}");
    }

    #[test]
    fn a_half_keeps_order_and_sign(bits in 0u16..0x7c00) {
        // Positive halves are ordered as their bits are.
        prop_assert_eq!(half(bits) < half(bits + 1), true);
        prop_assert_eq!(half(bits | 0x8000), -half(bits));
    }

    #[test]
    fn no_words_whatever_give_a_value_that_is_not_finite(
        words in proptest::collection::vec(any::<u16>(), 0..8), order in orders(), scale in any::<f64>(),
        offset in any::<f64>(), (value, factor, first, last) in (0u16..8, 0u16..8, any::<u8>(), any::<u8>())
    ) {
        let layouts = [
            Layout::Whole,
            Layout::Factored { value, factor },
            Layout::Bits(BitField { first, last }),
            Layout::Text { characters: Some(value), states: BTreeMap::new() },
        ];
        for (register_type, layout) in RegisterType::ALL.iter().flat_map(|t| layouts.clone().map(|layout| (*t, layout))) {
            let decoding = Decoding { scale, offset, layout, bit: first, ..Decoding::plain(register_type, order) };
            match decoding.words(&words) {
                Ok(value) => prop_assert!(value.as_f64().is_finite()),
                Err(reason) => prop_assert!(!reason.to_string().is_empty()),
            }
        }
    }
}
