//! The catalogue as it is published, and that every entry of it is shown at work by a golden case.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::schema::schema;
use super::{golden, text};

fn parkgate(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_parkgate")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

fn catalogue() -> Vec<Value> {
    parkgate(&["kpi", "list", "--json"]).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn the_published_catalogue_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/kpis.md");
    let made = parkgate(&["kpi", "docs"]);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let published = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(published == made, "docs/kpis.md is not what `parkgate kpi docs` prints: run this test with UPDATE=1");
}

#[test]
fn every_kpi_is_published_in_both_languages() {
    for kpi in catalogue() {
        let id = kpi["id"].as_str().unwrap();
        for field in ["name", "definition", "no_value"] {
            let (vi, en) = (kpi[format!("{field}_vi")].as_str().unwrap(), kpi[format!("{field}_en")].as_str().unwrap());
            assert!(!vi.is_empty() && !en.is_empty() && vi != en, "{id}: {field}");
        }
        // A name may be an abbreviation that both languages use; what it says never is.
        let definition = kpi["definition_vi"].as_str().unwrap();
        assert!(definition.chars().any(|letter| !letter.is_ascii() && letter.is_alphabetic()), "{id}: {definition}");
        let shown = parkgate(&["kpi", "show", id, "--lang", "vi"]);
        assert!(shown.contains(definition) && shown.contains(kpi["formula"].as_str().unwrap()), "{shown}");
        assert!(!kpi["measures"].as_array().unwrap().is_empty(), "{id}");
    }
}

#[test]
fn the_list_has_every_kpi_under_its_family() {
    let (listed, vietnamese) = (parkgate(&["kpi", "list"]), parkgate(&["kpi", "list", "--lang", "vi"]));
    for kpi in catalogue() {
        assert!(listed.contains(kpi["name_en"].as_str().unwrap()), "{listed}");
        assert!(vietnamese.contains(kpi["name_vi"].as_str().unwrap()), "{vietnamese}");
    }
    let unknown = Command::new(env!("CARGO_BIN_EXE_parkgate")).args(["kpi", "show", "oe"]).output().unwrap();
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("\"oe\" is not in the catalogue"));
}

#[test]
fn every_kpi_has_a_value_in_a_golden_case() {
    let lines = golden::all_outputs().iter().flat_map(|(_, lines)| lines);
    let shown: BTreeSet<&str> =
        lines.filter(|line| !line["value"].is_null()).filter_map(|line| line["kpi"].as_str()).collect();
    let catalogue = catalogue();
    let ids = catalogue.iter().filter_map(|kpi| kpi["id"].as_str());
    let missing: Vec<&str> = ids.filter(|id| !shown.contains(id)).collect();
    assert!(missing.is_empty(), "no golden case gives a value of {}", missing.join(", "));
}

#[test]
fn reference_entries_are_listed_shown_and_compared() {
    let entries: Vec<Value> =
        parkgate(&["reference", "list", "--json"]).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for entry in &entries {
        for field in ["kind", "id", "source", "grade", "version", "file"] {
            assert!(entry[field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {entry}");
        }
        assert!(!entry["values"].as_object().unwrap().is_empty(), "{entry}");
    }
    let ids: BTreeSet<(&str, &str)> =
        entries.iter().map(|entry| (entry["kind"].as_str().unwrap(), entry["id"].as_str().unwrap())).collect();
    assert_eq!(ids.len(), entries.len(), "an id names one entry of its kind");
    let shown = parkgate(&["reference", "show", "vn_grid_2023"]);
    for words in ["0.6592 tCO2e/MWh", "valid from: 2023-01-01", "source: ", "version: ", "vn_grid_factors.toml"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    assert_eq!(parkgate(&["reference", "diff", "builtin", "builtin"]), "");
}

#[test]
fn a_changed_reference_file_is_another_version_and_its_changes_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/reference/vn_grid_factors.toml");
    let (old, new) = (file.to_str().unwrap(), directory.path().join("new.toml"));
    let text = std::fs::read_to_string(&file).unwrap();
    let added = "\n[[grid_factor]]\nid = \"vn_grid_2031\"\nyear = 2031\nvalue = 0.5\nunit = \"tCO2e/MWh\"\nsource = \"s\"\ngrade = \"official\"\n";
    std::fs::write(&new, text.replace("0.6592", "0.6593") + added).unwrap();
    let lines = parkgate(&["reference", "diff", old, new.to_str().unwrap(), "--json"]);
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let changes: Vec<_> =
        lines.iter().map(|line| (line["change"].as_str().unwrap(), line["id"].as_str().unwrap())).collect();
    assert_eq!(changes, [("changed", "vn_grid_2023"), ("added", "vn_grid_2031")]);
    assert_eq!(lines[0]["old"]["values"]["value"]["value"], 0.6592);
    assert_eq!(lines[0]["new"]["values"]["value"]["value"], 0.6593);
    assert_ne!(lines[0]["old"]["version"], lines[0]["new"]["version"]);
}

#[test]
fn the_schema_of_records_names_every_field_that_a_record_has() {
    let schema = schema();
    let known: BTreeSet<&str> = schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
    let required: BTreeSet<&str> = schema["required"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(known, required);
    for (case, lines) in golden::all_outputs() {
        for line in lines {
            let fields: BTreeSet<&str> = line.as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(fields, known, "{}", case.display());
            assert_eq!(line["value"].is_null(), !line["reason"].is_null(), "{line}");
        }
    }
}

#[test]
fn the_schema_of_records_knows_every_reason_and_every_flag() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/model/record.rs");
    let source = std::fs::read_to_string(path).unwrap();
    for (name, part) in [("Reason", "reason"), ("Flag", "flag")] {
        let (_, body) = source.split_once(&format!("pub enum {name} {{")).unwrap();
        let (body, _) = body.split_once("\n}").unwrap();
        let variants = body.lines().filter_map(|line| line.trim().strip_suffix(',')).filter(|line| !line.contains(' '));
        let codes: Vec<Value> = variants.map(|variant| Value::from(snake_case(variant))).collect();
        assert!(codes.len() > 5, "{name}: {codes:?}");
        assert_eq!(schema()["$defs"][part]["enum"], Value::Array(codes), "{name}");
    }
}

/// Returns a variant's name as serde writes it.
fn snake_case(name: &str) -> String {
    let mut code = String::new();
    for (position, letter) in name.char_indices() {
        if letter.is_ascii_uppercase() && position > 0 {
            code.push('_');
        }
        code.push(letter.to_ascii_lowercase());
    }
    code
}
