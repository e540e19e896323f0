//! Every record of every golden case under `docs/record.schema.json`, by a validator that is not ours.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use super::golden;

pub(crate) fn schema() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/record.schema.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn validator() -> jsonschema::Validator {
    jsonschema::options().should_validate_formats(true).build(&schema()).unwrap()
}

/// Returns where a record breaks the schema; nothing where it keeps to it.
fn faults(validator: &jsonschema::Validator, record: &Value) -> Vec<String> {
    validator.iter_errors(record).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

fn records() -> Vec<&'static Value> {
    let records: Vec<&Value> = golden::all_outputs().iter().flat_map(|(_, lines)| lines).collect();
    assert!(records.len() > 1_000, "{} records prove little", records.len());
    records
}

#[test]
fn schema_holds_every_record_of_every_golden_case() {
    let validator = validator();
    for (case, lines) in golden::all_outputs() {
        for record in lines {
            let faults = faults(&validator, record);
            assert!(faults.is_empty(), "{}: {}\n{record}", case.display(), faults.join("\n"));
        }
    }
}

/// A schema is only tried where there are records with and without each part.
#[test]
fn schema_is_tried_by_records_with_and_without_each_part() {
    let records = records();
    for part in ["value", "reason", "coverage", "shares", "production_day", "shift"] {
        for is_null in [true, false] {
            assert!(records.iter().any(|record| record[part].is_null() == is_null), "{part}, null: {is_null}");
        }
    }
    for part in ["flags", "factors"] {
        for is_empty in [true, false] {
            let tries = |record: &&&Value| record[part].as_array().unwrap().is_empty() == is_empty;
            assert!(records.iter().any(|record| tries(&record)), "{part}, empty: {is_empty}");
        }
    }
    let grains: BTreeSet<&str> = records.iter().filter_map(|record| record["grain"].as_str()).collect();
    for grain in ["hour", "shift", "day", "month"] {
        assert!(grains.contains(grain), "{grain}: {grains:?}");
    }
    assert!(records.iter().any(|record| record["revision"].as_u64() > Some(1)), "no revision");
}

#[test]
fn schema_refuses_a_record_that_lacks_or_breaks_any_part() {
    let validator = validator();
    let records = records();
    let find = |wanted: &dyn Fn(&Value) -> bool| (*records.iter().find(|record| wanted(record)).unwrap()).clone();
    let valued = find(&|record| {
        record["value"].is_number()
            && record["grain"] == "hour"
            && !record["shares"].is_null()
            && !record["factors"].as_array().unwrap().is_empty()
    });
    let missing = find(&|record| record["value"].is_null());
    let shift = find(&|record| record["grain"] == "shift");

    for field in valued.as_object().unwrap().keys() {
        let mut record = valued.clone();
        record.as_object_mut().unwrap().remove(field);
        assert!(!validator.is_valid(&record), "a record without {field} passes");
    }
    let digest_too_short = "0".repeat(63);
    for (record, pointer, value) in [
        (&missing, "/reason", Value::Null),
        (&missing, "/reason", json!("because")),
        (&missing, "/value", json!(0)),
        (&valued, "/value", Value::Null),
        (&valued, "/value", json!("12.5")),
        (&valued, "/reason", json!("no_data")),
        (&valued, "/unit", json!("")),
        (&valued, "/unit", Value::Null),
        (&valued, "/coverage", json!(1.01)),
        (&valued, "/coverage", json!(-0.1)),
        (&valued, "/shares/measured", json!(2)),
        (&valued, "/shares/guessed", json!(0)),
        (&valued, "/flags", json!(["substituted", "substituted"])),
        (&valued, "/flags", json!(["looks_fine"])),
        (&valued, "/factors/0/version", json!(digest_too_short)),
        (&valued, "/factors/0/grade", json!("good")),
        (&valued, "/factors/0/id", json!("")),
        (&valued, "/method", json!(0)),
        (&valued, "/revision", json!(0)),
        (&valued, "/revision", json!(1.5)),
        (&valued, "/grain", json!("week")),
        (&valued, "/level", json!("galaxy")),
        (&valued, "/clock", json!("about noon")),
        (&valued, "/site", json!("Not An Id")),
        (&valued, "/start", json!("2026-03-02T06:00:00Z")),
        (&valued, "/start", json!("2026-03-02T06:00:00.000+07:00")),
        (&valued, "/end", json!("2026-13-02T06:00:00.000Z")),
        (&valued, "/facts/apt_ms", json!(1.5)),
        (&valued, "/facts/Apt", json!(1)),
        (&valued, "/config", json!("abc")),
        (&valued, "/inputs_digest", Value::Null),
        (&valued, "/calendar", json!({"name": "ca"})),
        (&valued, "/production_day", json!("2026-03-02")),
        (&valued, "/shift", json!("ca-1")),
        (&shift, "/production_day", Value::Null),
        (&shift, "/production_day", json!("2026-02-30")),
        (&valued, "/tag", json!("press.total")),
    ] {
        let mut broken = record.clone();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        broken.pointer_mut(parent).unwrap()[key] = value.clone();
        assert!(!validator.is_valid(&broken), "{pointer} = {value} passes");
        assert!(validator.is_valid(record), "the record itself is wrong: {record}");
    }
}
