//! Points as configuration writes them: what each gives, and what is refused.

use std::collections::BTreeMap;

use super::{ModbusSource, Problems, ResolvedPoint, SourceIndex, Span, TagKind, Unit, resolve};
use crate::model::number::Number;
use crate::model::problem::Severity;
use crate::model::state::MachineState;
use crate::profile::Library;
use crate::profile::library::Profile;
use crate::profile::register::{RegisterType, Table};
use crate::sources::modbus::decode::{Decoding, Layout};

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

/// A source of a built-in profile, placed where it needs a place.
fn source_of(profile: &Profile) -> ModbusSource {
    let place = profile.sunspec_model.map_or("", |_| "model_address = 40069\n");
    source(&format!("profile = \"{}\"\n{place}", profile.name))
}

#[test]
fn the_worked_words_of_every_profile_decode_to_their_values() {
    let library = Library::builtin();
    for profile in library.iter() {
        let points = resolve(&source_of(profile), &library, &mut Problems::default());
        assert_eq!(points.len(), profile.registers.len(), "{}", profile.name);
        for example in &profile.examples {
            let point = points.iter().find(|point| point.name.as_str() == format!("m.{}", example.point)).unwrap();
            let place = format!("{} {} {:04X?}", profile.name, example.point, example.words);
            assert_eq!(usize::from(point.span.length), example.words.len(), "{place}");
            // A state is looked up by its raw number, which is what the example gives.
            let decoding = Decoding { states: BTreeMap::new(), ..point.decoding.clone() };
            let found = decoding.words(&example.words).map(|value| value.as_f64());
            match example.value {
                Some(value) => {
                    let found = found.unwrap_or_else(|reason| panic!("{place}: {reason}"));
                    assert!((found - value).abs() <= value.abs() * 1e-7, "{place}: {found}");
                }
                None => assert!(found.is_err(), "{place}: {found:?}"),
            }
        }
    }
}

#[test]
fn a_profile_of_a_sunspec_model_stands_where_the_source_says() {
    let points = points("profile = \"sunspec_203\"\nmodel_address = 40069");
    let find = |name: &str| points.iter().find(|point| point.name.as_str() == name).unwrap();
    let energy = find("m.active_energy_import");
    assert_eq!((energy.span.address, energy.span.length), (40_069 + 46, 9));
    assert_eq!(energy.decoding.layout, Layout::Factored { value: 0, factor: 8 });
    assert_eq!(energy.kind, TagKind::Counter { modulus: None, max_per_second: None });
    let refused = |text: &str| {
        let mut problems = Problems::default();
        let source = source(text);
        assert!(resolve(&source, &Library::builtin(), &mut problems).is_empty());
        let [problem] = problems.0.as_slice() else { panic!("{:?}", problems.0) };
        format!("{}: {}", problem.message, problem.help)
    };
    let unplaced = refused("profile = \"sunspec_203\"");
    assert!(unplaced.contains("counts from where its SunSpec model stands") && unplaced.contains("which holds 203"));
    assert!(refused("profile = \"sunspec_203\"\nmodel_address = 65530").contains("leaves no room for model 203"));
    assert!(refused("profile = \"sunspec_203\"\nmodel_address = -1").contains("leaves no room"));
}

#[test]
fn a_rated_device_bounds_the_growth_of_its_energy() {
    let text = r#"
        name = "rated"
        vendor = "V"
        model = "M"
        confidence = "one_source"
        sources = ["a"]
        rated = { voltage_v = 230, current_a = 100, phases = 3 }
        register = [
          { point = "energy", table = "holding", address = 0, type = "uint32", scale = 0.01, unit = "kWh", kind = "counter" },
          { point = "reactive", table = "holding", address = 2, type = "bcd32", unit = "varh", kind = "counter", max_per_second = 2.0 },
          { point = "volume", table = "holding", address = 4, type = "uint32", unit = "m3", kind = "counter", modulus = 1000000.0 },
          { point = "state", table = "holding", address = 6, type = "uint16", bits = "0-3", unit = "1", kind = "state", states = { 3 = "producing" } },
        ]
        example = []"#;
    let library = Library::parse(&[("rated", text)]).unwrap();
    let points = resolve(&source("profile = \"rated\"\nct_ratio = 10"), &library, &mut Problems::default());
    let bounds = |index: usize| match points[index].kind {
        TagKind::Counter { modulus, max_per_second } => (modulus, max_per_second),
        other => panic!("{other:?}"),
    };
    let (modulus, growth) = bounds(0);
    assert_eq!(modulus, Some(429_496_729.6), "2^32 x 0.01 kWh x 10");
    let growth = growth.unwrap();
    assert!((growth - 0.23).abs() < 1e-12, "230 V x 100 A x 3 x 10 and a fifth more, in kWh a second: {growth}");
    assert_eq!(bounds(1), (Some(1e9), Some(20.0)));
    assert_eq!(bounds(2), (Some(1e6), None));
    assert_eq!(points[3].kind, TagKind::State);
    assert_eq!(points[3].decoding.words(&[0xfff3]), Ok(Number::Integer(MachineState::Producing.code())));
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
fn a_value_and_its_factor_are_read_at_once_wherever_the_factor_stands() {
    let layout = |text: &str| {
        let point = point(&format!("{text}, type = \"int16\""));
        (point.span.address, point.span.length, point.decoding.layout)
    };
    let behind = layout(r#"address = 84, table = "holding", scale_factor = 91"#);
    assert_eq!(behind, (84, 8, Layout::Factored { value: 0, factor: 7 }));
    let before = layout(r#"address = "40085", scale_factor = "40080""#);
    assert_eq!(before, (79, 6, Layout::Factored { value: 5, factor: 0 }));
    let named = points(
        r#"point = [
          { name = "power", address = 84, table = "holding", type = "int16", scale_factor = "power_factor_of_ten" },
          { name = "power_factor_of_ten", address = 85, table = "holding", type = "int16" },
        ]"#,
    );
    assert_eq!((named[0].span.address, named[0].span.length), (84, 2));
    let counter = point(&format!("{HOLDING}, type = \"uint32\", kind = \"counter\", scale_factor = 2"));
    let unbounded = TagKind::Counter { modulus: None, max_per_second: None };
    assert_eq!(counter.kind, unbounded, "its width says nothing about a value that a factor scales");
}

#[test]
fn the_last_register_can_be_read_and_a_factor_at_the_other_end_can_not() {
    let last = point(r#"address = 65535, table = "holding", type = "uint16""#);
    assert_eq!((last.span.address, last.span.length), (65_535, 1));
    let beside = point(r#"address = 65534, table = "holding", type = "int16", scale_factor = 65535"#);
    assert_eq!((beside.span.address, beside.span.length), (65_534, 2));
    for far in ["address = 65535, scale_factor = 0", "address = 0, scale_factor = 65535"] {
        let mut problems = Problems::default();
        let source = source(&format!("point = [{{ name = \"p\", table = \"holding\", type = \"int16\", {far} }}]"));
        assert!(resolve(&source, &Library::builtin(), &mut problems).is_empty(), "{far}");
        assert!(problems.0[0].message.contains("registers are read at once"), "{:?}", problems.0);
    }
}

#[test]
fn a_text_and_some_bits_give_what_their_keys_say() {
    let text = point(&format!(r#"{HOLDING}, type = "string", characters = 7, states = {{ RUN = "producing" }}"#));
    assert_eq!((text.kind, text.span.length), (TagKind::State, 4));
    assert_eq!(text.tag(SourceIndex(0)).states.keys().collect::<Vec<_>>(), ["RUN"]);
    let bits = point(&format!(r#"{HOLDING}, type = "uint16", bits = "4-7", kind = "counter""#));
    assert_eq!(bits.kind, TagKind::Counter { modulus: Some(16.0), max_per_second: None });
    let inverted = point(&format!(r#"{HOLDING}, type = "int16", scale = 0.1, offset = 2.0, invert = true"#));
    assert_eq!((inverted.decoding.scale, inverted.decoding.offset), (-0.1, 2.0));
    for (wrong, message) in [
        (r#"type = "string""#, "a string needs its length"),
        (r#"type = "string", length = 126"#, "length 126 is outside 1 to 125"),
        (r#"type = "string", length = 2, characters = 5"#, "5 characters don't fit in 2 registers"),
        (r#"type = "string", length = 2"#, "a text is no number that could be recorded"),
    ] {
        let mut problems = Problems::default();
        let source = source(&format!("point = [{{ name = \"p\", {HOLDING}, {wrong} }}]"));
        assert!(resolve(&source, &Library::builtin(), &mut problems).is_empty());
        let messages: Vec<&str> = problems.0.iter().map(|problem| problem.message.as_str()).collect();
        assert_eq!(messages, [message], "{wrong}");
    }
}

#[test]
fn plain_addresses_count_from_the_base_and_the_wire_address_is_shown() {
    let text = r#"address_base = 1
        point = [
          { name = "power", address = 3060, table = "holding", type = "float32", scale = 1000.0 },
          { name = "total", address = "40103", type = "uint32", order = "3412", bits = "0-23" },
          { name = "door", address = "10004" },
        ]"#;
    let places: Vec<String> = source(text)
        .places(&Library::builtin())
        .iter()
        .map(|place| {
            format!("{} {} {}+{}: {}", place.tag, place.span.table, place.span.address, place.span.length, place.form)
        })
        .collect();
    let expected = [
        "m.power holding 3059+2: float32 ABCD, x 1000",
        "m.total holding 102+2: uint32 CDAB, bits 0-23",
        "m.door discrete 3+1: bit",
    ];
    assert_eq!(places, expected);
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
        (r#"url = "http://meter""#, "\"http://meter\"", "http"),
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
        (r#"bits = "7-4""#, "\"7-4\"", "\"7-4\" are no bits"),
        (r#"bits = "12-16""#, "\"12-16\"", "reach beyond uint16"),
        (r#"type = "float32", bits = "0-3""#, "\"0-3\"", "of an unsigned whole number alone"),
        ("length = 2", "2", "only for type \"string\""),
        ("characters = 4", "4", "only for type \"string\""),
        (r#"order = "34127856""#, "\"34127856\"", "a uint16 can't arrive in the order 34127856"),
        ("address_base = 2", "2", "neither 0 nor 1"),
        ("model_address = 40069", "40069", "only for the profile of a SunSpec model"),
        (r#"scale_factor = "nobody""#, "\"nobody\"", "\"nobody\" is no int16 point"),
        (r#"scale_factor = "30005""#, "\"30005\"", "is of the input table, not of holding"),
        ("scale_factor = 125", "125", "126 registers are read at once"),
        (r#"states = { 0 = "idle" }, invert = true"#, "true", "only for a number"),
        (r#"states = { 0 = "idle" }, scale_factor = 3"#, "3", "only for a number"),
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
        let is_of_source =
            ["url", "unit =", "every", "timeout", "ct_", "max_words", "profile", "address_base", "model_address"]
                .iter()
                .any(|key| wrong.starts_with(key));
        let text = if is_of_source { of_source(wrong) } else { of_point(wrong) };
        let source = toml::from_str::<File>(&text).unwrap_or_else(|error| panic!("{wrong}: {error}")).source.remove(0);
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
fn a_profile_that_rests_on_a_guess_or_a_setting_warns_the_installer() {
    let source = source("profile = \"tuf_2000m\"");
    let mut problems = Problems::default();
    resolve(&source, &Library::builtin(), &mut problems);
    assert_eq!(problems.0.len(), 1);
    assert_eq!(problems.0[0].severity, Severity::Warning);
    assert!(problems.0[0].message.contains("registers 1437 and 1438"));
}

#[test]
fn a_misspelt_key_is_refused() {
    let text = "[[source]]\nname = \"m\"\nurl = \"tcp://meter\"\npoint = [{ name = \"p\", adress = 0 }]";
    assert!(toml::from_str::<File>(text).unwrap_err().to_string().contains("adress"));
}
