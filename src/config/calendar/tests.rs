//! Calendars: what is refused, each in its place, and what an accepted one means.

use jiff::civil::date;

use crate::config::{Gateway, load_gateway};
use crate::model::problem::Severity;
use crate::model::time::Grain;

const START: &str = r#"[gateway]
id         = "cal-1"
enterprise = "9900000016"
park       = "golden"
site       = "cal-site"
data_dir   = "target/cal"

[[source]]
type  = "modbus"
name  = "press"
url   = "tcp://127.0.0.1:502"
point = [{ name = "state", address = 0, table = "holding", type = "uint16", states = { 1 = "producing" } }]

[[asset]]
id = "site"

[[asset]]
id       = "line"
parent   = "site"
calendar = "two"

[[asset]]
id     = "press"
parent = "line"
state  = "press.state"

"#;

/// A calendar of each kind, without a fault.
const GOOD: &str = r#"[calendar]
holidays        = "vn"
add_holidays    = [{ date = "2026-10-10", source = "founding day, decision 7 of 2026-01-05" }]
remove_holidays = [{ date = "2026-11-24", source = "agreement with the union of 2026-10-01" }]
days_off        = ["sunday"]
working_days    = [{ date = "2026-10-11", shifts = ["ca-1"], source = "overtime plan 41" }]
shifts = [
  { name = "ca-1", from = "06:00", to = "14:00", breaks = [{ from = "10:00", to = "10:30", paid = true, machine_planned_down = true }] },
  { name = "ca-2", from = "14:00", to = "22:00", days = ["monday", "tuesday"] },
]

[[work_calendar]]
name   = "two"
shifts = [{ name = "D", from = "07:00", to = "19:00" }, { name = "N", from = "19:00", to = "07:00" }]
works_on_holidays = true
rotation = { from = "2026-01-05", teams = { A = ["D", "D", "off", "off"], B = ["N", "off", "D", "D"] } }

[[work_calendar.change]]
valid_from = "2026-07-01"
shifts     = [{ name = "day", from = "07:00", to = "15:00" }]
days_off   = ["saturday", "sunday"]
"#;

fn load(calendars: &str) -> (Option<Gateway>, Vec<String>) {
    let (gateway, problems) = load_gateway("gateway.toml", &format!("{START}{calendars}"));
    let errors = problems.0.into_iter().filter(|problem| problem.severity == Severity::Error);
    let with_place = errors.map(|problem| {
        assert!(problem.span.is_some_and(|span| span.start >= START.len() || span.start > 0), "{}", problem.message);
        problem.message
    });
    (gateway, with_place.collect())
}

#[test]
fn a_calendar_of_every_kind_is_accepted_and_shown_in_lines() {
    let (gateway, errors) = load(GOOD);
    assert_eq!(errors, Vec::<String>::new());
    let gateway = gateway.unwrap();
    let lines = gateway.calendar_lines().join("\n");
    for line in [
        "calendar site: of 1 asset",
        "  shift ca-1 06:00–14:00: machine planned 7 h 30 min, people paid 8 h 00 min; break 10:00–10:30 paid, machine \
         stands still",
        "  Monday, Tuesday: ca-1, ca-2",
        "  Wednesday, Thursday, Friday, Saturday: ca-1",
        "  Sunday: off",
        "  worked 2026-10-11: ca-1 (overtime plan 41)",
        "calendar two: of 2 assets",
        "  shift N 19:00–07:00 of the next day: machine planned 12 h 00 min, people paid 12 h 00 min",
        "  day 3 of 4 from 2026-01-05: D team B",
        "  from 2026-07-01 on:",
        "  shifts start on holidays too",
    ] {
        assert!(lines.contains(line), "{line} in\n{lines}");
    }
    assert!(lines.contains("04-27 (observed)") && lines.contains("10-10") && !lines.contains("holidays 2026: 11-24"));
}

#[test]
fn an_asset_has_the_calendar_of_what_it_stands_in() {
    let plant = load(GOOD).0.unwrap().plant();
    let name = |id: &str| {
        let position = plant.assets.iter().position(|asset| asset.id.as_str() == id).unwrap();
        plant.calendar_of(position).name().to_owned()
    };
    assert_eq!((name("site"), name("line"), name("press")), ("site".to_owned(), "two".to_owned(), "two".to_owned()));
    assert!(plant.grains.contains(&Grain::Shift));
}

#[test]
fn what_a_site_adds_and_removes_changes_its_holidays_and_an_added_day_is_worked() {
    let plant = load(GOOD).0.unwrap().plant();
    let calendar = plant.site_calendar();
    let worked = |year, month, day| -> Vec<&str> {
        calendar.worked(date(year, month, day)).iter().map(|shift| shift.name.as_str()).collect()
    };
    assert_eq!(worked(2026, 10, 10), [""; 0]);
    assert_eq!(worked(2026, 11, 24), ["ca-1", "ca-2"]);
    assert_eq!(worked(2026, 10, 11), ["ca-1"]);
    assert_eq!(worked(2026, 2, 17), [""; 0]);
}

/// Replaces a part of the good calendars; the first error must hold `words`.
fn refused(from: &str, to: &str, words: &str) {
    assert!(GOOD.contains(from), "{from}");
    let (gateway, errors) = load(&GOOD.replace(from, to));
    assert!(gateway.is_none(), "{to}");
    assert!(errors.iter().any(|error| error.contains(words)), "{words} in {errors:?}");
}

#[test]
fn every_contradiction_of_a_calendar_is_refused() {
    for (from, to, words) in [
        ("from = \"14:00\"", "from = \"13:00\"", "shift \"ca-2\" (13:00–22:00) overlaps shift \"ca-1\""),
        ("from = \"10:00\", to = \"10:30\"", "from = \"13:45\", to = \"14:15\"", "lies outside it"),
        ("from = \"10:00\", to = \"10:30\"", "from = \"10:30\", to = \"10:00\"", "lies outside it"),
        ("[\"N\", \"off\", \"D\", \"D\"]", "[\"N\", \"off\"]", "team \"B\" is undefined from day 3 on"),
        ("[\"N\", \"off\", \"D\", \"D\"]", "[\"D\", \"off\", \"D\", \"D\"]", "both work shift \"D\" on day 1"),
        (
            "[\"N\", \"off\", \"D\", \"D\"]",
            "[\"M\", \"off\", \"D\", \"D\"]",
            "shift \"M\" on day 1, which is not declared",
        ),
        ("name   = \"two\"", "name   = \"tow\"", "calendar \"two\" of asset \"line\" is not declared"),
        ("name   = \"two\"", "name   = \"site\"", "can't be called \"site\""),
        ("\"2026-10-10\"", "\"2026-02-17\"", "is a holiday of the set already: \"Lunar New Year\""),
        ("\"2026-11-24\"", "\"2026-11-25\"", "2026-11-25 is removed from the holidays and is none"),
        ("\"2026-10-11\", shifts", "\"2026-13-11\", shifts", "\"2026-13-11\" is not a date"),
        ("[\"ca-1\"]", "[\"ca-9\"]", "shift \"ca-9\" of working day 2026-10-11 is not declared"),
        ("source = \"overtime plan 41\"", "source = \" \"", "has an empty source"),
        ("holidays        = \"vn\"", "holidays = \"vm\"", "there is no set of holidays \"vm\""),
        ("days_off   = [\"saturday\", \"sunday\"]", "days_off = [\"caturday\"]", "caturday"),
        (
            "from = \"07:00\", to = \"15:00\"",
            "from = \"06:00\", to = \"15:00\"",
            "before shift \"N\" (19:00–07:00) of the day before has ended",
        ),
        ("shifts     = [{ name = \"day\", from = \"07:00\", to = \"15:00\" }]", "", "one of the two has no shifts"),
        (", paid = true", "", "`paid`"),
    ] {
        refused(from, to, words);
    }
}

#[test]
fn several_contradictions_are_reported_at_once() {
    let text = GOOD
        .replace("from = \"14:00\"", "from = \"13:00\"")
        .replace("[\"N\", \"off\", \"D\", \"D\"]", "[\"N\", \"off\"]")
        .replace("calendar = \"two\"", "calendar = \"three\"")
        .replace("\"2026-11-24\"", "\"2026-11-25\"");
    assert!(load(&text).1.len() >= 3);
}

#[test]
fn the_week_counts_when_shifts_of_different_days_meet() {
    let saturday = "{ name = \"sat\", from = \"06:00\", to = \"12:00\", days = [\"saturday\"] }";
    let night = |days: &str| {
        format!(
            "[calendar]\nshifts = [{{ name = \"night\", from = \"22:00\", to = \"07:00\", days = [{days}] }}, {saturday}]\n\
             [[work_calendar]]\nname = \"two\"\nshifts = [{{ name = \"D\", from = \"07:00\", to = \"19:00\" }}]\n"
        )
    };
    assert!(load(&night("\"friday\"")).1.iter().any(|error| error.contains("overlaps")));
    assert_eq!(load(&night("\"monday\", \"thursday\"")).1, Vec::<String>::new());
}
