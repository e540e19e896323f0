//! Points as configuration writes them: what each gives, and what is refused.

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
fn a_misspelt_key_is_refused() {
    let text = "[[source]]\nname = \"m\"\nurl = \"tcp://meter\"\npoint = [{ name = \"p\", adress = 0 }]";
    assert!(toml::from_str::<File>(text).unwrap_err().to_string().contains("adress"));
}
