//! What is refused of `[[meter]]`, `[tariff]` and `[[baseline]]`, and where.

use super::refused;

#[test]
fn a_meter_that_cant_be_is_refused_at_its_place() {
    for (said, message) in [
        (
            r#"[[meter]]
id = §"hall"
medium = "electricity"
parent = "site""#,
            r#"meter "hall" is made of nothing"#,
        ),
        (
            r#"[[meter]]
id = "hall"
medium = "electricity"
parent = "site"
plus = [§"m.kwhh"]"#,
            r#"no source has a tag "m.kwhh""#,
        ),
        (
            r#"[[meter]]
id = "hall"
medium = "electricity"
parent = "site"
plus = [§"m.water"]"#,
            r#"meter "hall" is a tag of kind counter in m3; no amount follows from it"#,
        ),
        (
            r#"[[meter]]
id = "hall"
medium = "electricity"
parent = "site"
plus = [§"mill"]"#,
            r#"there is no meter "mill""#,
        ),
        (
            r#"[[meter]]
id = "hall"
medium = "electricity"
parent = "site"
minus = [§"m.kwh2"]"#,
            r#"meter "hall" only takes away: its amount would be negative"#,
        ),
        (
            r#"[[meter]]
id = §"hall"
medium = "electricity"
parent = "site"
plus = ["m.kwh"]
of = "m.kwh2"
share = 0.5"#,
            r#"meter "hall" is both a sum and a share"#,
        ),
        (
            r#"[[meter]]
id = "hall"
medium = "electricity"
parent = "site"
of = §"m.kwh2""#,
            r#"meter "hall" is of "m.kwh2" and has no share"#,
        ),
        (
            r#"[[meter]]
id = "hall"
medium = "electricity"
parent = "site"
share = §0.5"#,
            r#"meter "hall" has a share of nothing"#,
        ),
        (
            r#"[[meter]]
id = "hall"
medium = "electricity"
parent = "site"
of = "m.kwh2"
share = §1.5"#,
            r#"`share` of meter "hall": 1.5 is no share"#,
        ),
        (
            r#"[[meter]]
id = "hall"
medium = "electricity"
parent = "site"
of = "m.kwh2"
share = §"most""#,
            r#"`share` of meter "hall": "most" is no share"#,
        ),
        (
            r#"[[meter]]
id = "hall"
medium = "electricity"
parent = "site"
plus = ["m.kwh", §"m.kwh"]"#,
            r#"meter "hall" takes "m.kwh" twice"#,
        ),
        (
            r#"[[meter]]
id = "hall"
medium = "electricity"
parent = §"sight"
plus = ["m.kwh2"]"#,
            r#"parent "sight" of meter "hall" is neither an asset nor a meter"#,
        ),
        (
            r#"[[meter]]
id = §"press-1"
medium = "electricity"
parent = "site"
plus = ["m.kwh2"]"#,
            r#"another meter or an asset is called "press-1" too"#,
        ),
        (
            r#"[[meter]]
id = "hall"
medium = §"electrcity"
plus = ["m.kwh2"]"#,
            r#"`medium` of meter "hall" is "electrcity", which is not known"#,
        ),
        (
            r#"[[meter]]
id = "hall"
medium = "electricity"
parent = "site"
plus = ["m.kwh2"]
[[meter]]
id = "tap"
medium = "water"
parent = §"hall"
plus = ["m.water"]"#,
            r#"meter "tap" of water stands below meter "hall" of electricity"#,
        ),
        (
            r#"[[meter]]
id = §"one"
medium = "electricity"
parent = "site"
plus = ["two"]
[[meter]]
id = "two"
medium = "electricity"
plus = ["one"]"#,
            r#"meters are made of each other in a circle: one of two of one"#,
        ),
        (
            r#"[[meter]]
id = "one"
medium = "electricity"
parent = §"two"
plus = ["m.kwh"]
[[meter]]
id = "two"
medium = "electricity"
parent = "one"
plus = ["m.kwh2"]"#,
            r#"meters stand below each other in a circle: one below two below one"#,
        ),
        (
            r#"[[meter]]
id = "hall"
medium = "electricity"
parent = "site"
of = "m.kwh2"
share = 0.7
[[meter]]
id = "yard"
medium = "electricity"
parent = "site"
of = "m.kwh2"
share = §0.4"#,
            r#"the shares of "m.kwh2" come to more than the whole"#,
        ),
        (
            r#"[[meter]]
id = "hall"
medium = "electricity"
parent = "site"
of = "m.kwh2"
share = "rest"
[[meter]]
id = "yard"
medium = "electricity"
parent = "site"
of = "m.kwh2"
share = §"rest""#,
            r#"two meters have the rest of "m.kwh2""#,
        ),
        (
            r#"[[meter]]
id = "hall"
medium = "electricity"
parent = "site"
plus = ["m.kwh2"]
§colour = "red""#,
            r#"unknown key `colour` in meter "hall""#,
        ),
    ] {
        refused(said, message);
    }
}

#[test]
fn a_tariff_that_cant_be_is_refused_at_its_place() {
    for (said, message) in [
        (
            r#"[tariff]
voltage = §"21kV""#,
            r#"there are no prices for the voltage "21kV""#,
        ),
        (
            r#"[tariff]
voltage = "22-110kV"
schedule = §"vn_tou_2015""#,
            r#"there is no tariff schedule "vn_tou_2015""#,
        ),
        (
            r#"[tariff]
voltage = "22-110kV"
§shedule = "vn_tou_2014""#,
            r#"unknown key `shedule` in [tariff]"#,
        ),
        (
            r#"§[tariff]
schedule = "vn_tou_2014""#,
            r#"[tariff] has no `voltage`"#,
        ),
        (
            r#"[tariff]
voltage = "22-110kV"
holidays_as_sunday = §"yes""#,
            r#"`holidays_as_sunday` of [tariff] is the text "yes", expected true or false"#,
        ),
    ] {
        refused(said, message);
    }
}

#[test]
fn a_baseline_that_cant_be_is_refused_at_its_place() {
    for (said, message) in [
        (
            r#"[[baseline]]
asset = §"sight"
valid_from = "2026-01-01"
constant = 10.0
per = "day""#,
            r#"asset "sight" of a baseline is not declared"#,
        ),
        (
            r#"[[baseline]]
asset = §"press-1"
valid_from = "2026-01-01"
constant = 10.0
per = "day""#,
            r#"asset "press-1" has a baseline and no electricity to compare with it"#,
        ),
        (
            r#"[[baseline]]
asset = "site"
valid_from = "2026-01-01"
constant = 10.0
per = "day"
produced = §2.0"#,
            r#"the baseline of "site" is driven by its parts, and it counts none"#,
        ),
        (
            r#"[[baseline]]
asset = "site"
valid_from = "2026-01-01"
constant = 10.0
per = §"hour""#,
            r#"the constant of a baseline is for each "hour""#,
        ),
        (
            r#"[[baseline]]
asset = "site"
valid_from = "2026-01-01"
constant = §inf
per = "day""#,
            r#"inf is no coefficient"#,
        ),
        (
            r#"[[baseline]]
asset = "site"
valid_from = "2026-01-01"
constant = 10.0
per = "day"
driver = [{ tag = "m.water", coefficient = §nan }]"#,
            r#"NaN is no coefficient"#,
        ),
        (
            r#"[[baseline]]
asset = "site"
valid_from = "2026-01-01"
constant = 10.0
per = "day"
driver = [{ tag = §"m.watr", coefficient = 1.0 }]"#,
            r#"no source has a tag "m.watr""#,
        ),
        (
            r#"[[baseline]]
asset = "site"
valid_from = "2026-01-01"
constant = 10.0
per = "day"
driver = [{ tag = §"m.temperature", coefficient = 1.0 }]"#,
            r#"driver "m.temperature" is a tag of kind gauge in Cel; no amount follows from it"#,
        ),
        (
            r#"[[baseline]]
asset = "site"
valid_from = "2026-01-01"
constant = 10.0
per = "day"
driver = [{ tag = §"m.water", coefficient = 1.0, above = 24.0 }]"#,
            r#"driver "m.water" is a tag of kind counter in m3; it has no degree days"#,
        ),
        (
            r#"[[baseline]]
asset = "site"
valid_from = "2026-01-01"
constant = 10.0
per = "day"
driver = [{ tag = "m.temperature", coefficient = 1.0, above = §240.0 }]"#,
            r#"240 °C is no base of degree days"#,
        ),
        (
            r#"[[baseline]]
asset = "site"
valid_from = "2026-01-01"
constant = 10.0
per = "day"
driver = [{ tag = "m.temperature", coefficient = 1.0, below = 18.0, above = §24.0 }]"#,
            r#"driver "m.temperature" counts degree days below one temperature and above another"#,
        ),
        (
            r#"[[baseline]]
asset = "site"
valid_from = "2026-01-01"
constant = 10.0
per = "day"
[[baseline]]
asset = "site"
valid_from = §"2026-01-01"
constant = 11.0
per = "day""#,
            r#"asset "site" has two baselines from 2026-01-01"#,
        ),
    ] {
        refused(said, message);
    }
}

#[test]
fn a_share_that_is_none_is_said_to_be_none() {
    for (share, message) in [("1.5", "1.5 is no share"), ("0", "0 is no share"), ("\"most\"", "\"most\" is no share")] {
        let meter = "[[meter]]\nid = \"hall\"\nmedium = \"electricity\"\nparent = \"site\"\nof = \"m.kwh2\"\nshare = §";
        let (found, at) = super::problems_of(&format!("{meter}{share}"));
        let here = found.iter().find(|(line, column, _)| (*line, *column) == at);
        assert!(here.is_some_and(|(_, _, said)| said.contains(message)), "{message}: {found:?}");
    }
}
