//! What the API answers and what pages hold, under `docs/record.schema.json`.

use serde_json::{Value, json};

use super::super::testing::{edge, get, hub};
use super::{DAY, figures};

/// Returns a validator of one definition of the schema.
fn validator(definition: &str) -> jsonschema::Validator {
    let schema: Value = serde_json::from_str(include_str!("../../../docs/record.schema.json")).unwrap();
    let part = json!({
        "$schema": schema["$schema"],
        "$defs": schema["$defs"],
        "$ref": format!("#/$defs/{definition}"),
    });
    jsonschema::options().should_validate_formats(true).build(&part).unwrap()
}

fn assert_valid(validator: &jsonschema::Validator, value: &Value) {
    let faults: Vec<String> =
        validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(faults.is_empty(), "{}\n{value}", faults.join("\n"));
}

#[tokio::test]
async fn every_figure_of_box_and_hub_keeps_to_the_schema() {
    let figure = validator("figure");
    let (edge, hub) = (edge(None), hub().delivered().await);

    for (api, scopes) in [
        (&edge.api, ["site:tt-main", "asset:tt-main/press-1"].as_slice()),
        (&hub.api, &["site:tt-main", "park:tan-thuan", "province:ho-chi-minh"]),
    ] {
        for scope in scopes {
            for grain in ["15min", "hour", "day"] {
                let found = figures(&get(api, &format!("/api/v1/values?scope={scope}&grain={grain}&{DAY}")).await);
                assert!(!found.is_empty(), "{scope} {grain}");
                found.iter().for_each(|value| assert_valid(&figure, value));
            }
        }
    }
}

#[tokio::test]
async fn a_figure_that_lacks_or_breaks_a_part_is_refused_by_the_schema() {
    let figure = validator("figure");
    let edge = edge(None);
    let uri = format!("/api/v1/values?scope=site:tt-main&kpi=scope_2&grain=hour&{DAY}");
    let right = figures(&get(&edge.api, &uri).await).swap_remove(0);
    assert_valid(&figure, &right);
    for (pointer, value) in [
        ("/value/reason", json!("no_data")),
        ("/value/value", Value::Null),
        ("/value/coverage", json!(1.5)),
        ("/value/flags", json!(["fine"])),
        ("/value/tag", json!("m.kwh")),
        ("/value/factors/0/version", json!("1")),
        ("/window/start", json!("yesterday")),
        ("/status", json!("final")),
        ("/revision", json!(0)),
        ("/sites_expected", json!(-1)),
        ("/facts/electricity_micro_kwh", json!(0.5)),
    ] {
        let mut broken = right.clone();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        broken.pointer_mut(parent).unwrap()[key] = value.clone();
        assert!(!figure.is_valid(&broken), "{pointer} = {value} passes");
    }
    for field in ["unit", "status", "window", "value", "revision", "closed", "facts", "product_unit"] {
        let mut broken = right.clone();
        broken.as_object_mut().unwrap().remove(field);
        assert!(!figure.is_valid(&broken), "a figure without {field} passes");
    }
}

#[test]
fn every_record_of_a_signed_page_keeps_to_the_schema_and_can_hold_no_tag() {
    let record = validator("page_record");
    let mut seen = 0;
    for page in hub().pages {
        let page: Value = serde_json::from_slice(&page.bytes).unwrap();
        for value in records(&page) {
            seen += 1;
            assert_valid(&record, value);
            let mut broken = value.clone();
            broken["tag"] = json!("mill.kwh");
            assert!(!record.is_valid(&broken));
            broken = value.clone();
            broken["kpis"][0]["note"] = json!("free text");
            assert!(!record.is_valid(&broken));
        }
    }
    assert!(seen > 0, "no page holds a record");
}

/// Returns the records of a page, wherever its form keeps them.
fn records(page: &Value) -> Vec<&Value> {
    match page {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, value)| match (name.as_str(), value) {
                ("records", Value::Array(records)) => records.iter().collect(),
                _ => records(value),
            })
            .collect(),
        _ => Vec::new(),
    }
}
