//! The whole trip through the binary, with no service: recorded samples in, records out.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::float_cmp,
    clippy::cast_possible_truncation,
    reason = "a test fails loudly and compares exact figures"
)]

use std::path::Path;
use std::process::{Command, Output};
use std::sync::OnceLock;

use parkgate::model::id::Digest;
use parkgate::model::time::Timestamp;
use parkgate::store::{Commit, Store};
use serde_json::Value;

#[path = "trip/catalogue.rs"]
mod catalogue;
#[path = "trip/commissioning.rs"]
mod commissioning;
#[path = "trip/golden.rs"]
mod golden;
#[path = "trip/schema.rs"]
mod schema;
#[path = "trip/told.rs"]
mod told;

/// Each month's energy by the intervals that end in it or at its last midnight. **Unit**: 10⁻⁶ kWh.
///
/// Worked out from `tests/data/steel/kwh.csv` in decimal arithmetic, outside of this program.
const MONTHS_MICRO_KWH: [i64; 12] = [
    126_238_290_000,
    91_497_340_000,
    80_230_410_000,
    78_769_800_000,
    79_059_280_000,
    65_404_640_000,
    81_674_410_000,
    68_559_430_000,
    57_883_070_000,
    84_665_650_000,
    86_217_610_000,
    59_436_780_000,
];

const QUARTER_HOUR_MS: i64 = 15 * 60_000;

#[test]
fn every_month_of_the_steel_works_is_exact() {
    let months: Vec<i64> = of_grain("month").iter().map(electricity).collect();
    assert_eq!(months, MONTHS_MICRO_KWH);
    let january = &of_grain("month")[0];
    assert_eq!(january["value"], 126_238.29);
    assert_eq!(january["start"], "2017-12-31T15:00:00.000Z", "January begins at midnight in Seoul");
}

#[test]
fn the_year_of_the_steel_works_is_exact() {
    let year = of_grain("year");
    assert_eq!(year.iter().map(electricity).collect::<Vec<_>>(), [959_636_710_000]);
    assert_eq!(year[0]["value"], 959_636.71);
}

#[test]
fn time_never_runs_backwards_and_no_window_is_left_out() {
    for (grain, windows) in [("hour", 8760), ("day", 365), ("month", 12), ("year", 1)] {
        let lines = of_grain(grain);
        assert_eq!(lines.len(), windows, "{grain}");
        for pair in lines.windows(2) {
            assert_eq!(pair[0]["end"], pair[1]["start"], "{grain}");
        }
        assert!(lines.iter().all(|line| line["revision"] == 1), "{grain}: a window was closed too early");
    }
}

#[test]
fn the_drop_out_is_marked_and_is_no_measurement() {
    // The interval that ends at midnight after 7 November 2018: every column is 0.
    let hours = of_grain("hour");
    let hour = *hours.iter().find(|line| line["start"] == "2018-11-07T14:00:00.000Z").unwrap();
    assert_eq!(observed_and_expected(hour), (3 * QUARTER_HOUR_MS, 4 * QUARTER_HOUR_MS));
    assert_eq!((&hour["value"], &hour["coverage"]), (&10.72.into(), &0.75.into()));
    let incomplete: Vec<&Value> = hours.iter().copied().filter(|line| line["coverage"] != 1.0).collect();
    assert_eq!(incomplete, [hour], "no other hour lacks a measurement");
    let days = of_grain("day");
    let day = days.iter().find(|line| line["start"] == "2018-11-06T15:00:00.000Z").unwrap();
    assert_eq!((electricity(day), observed_and_expected(day).0), (2_640_300_000, 95 * QUARTER_HOUR_MS));
}

#[test]
fn every_amount_is_counted_once_at_every_grain() {
    for grain in ["hour", "day", "month", "year"] {
        assert_eq!(of_grain(grain).iter().map(electricity).sum::<i64>(), 959_636_710_000, "{grain}");
    }
}

#[test]
fn the_same_recording_gives_the_same_bytes() {
    let directory = tempfile::tempdir().unwrap();
    let recording = first_lines(directory.path(), 500);
    let first = replay(&recording);
    assert!(first.status.success() && !first.stdout.is_empty(), "{}", text(&first.stderr));
    assert_eq!(first.stdout, replay(&recording).stdout);
}

#[test]
fn a_recording_in_any_order_gives_the_same_records() {
    let directory = tempfile::tempdir().unwrap();
    let recording = first_lines(directory.path(), 500);
    let lines = std::fs::read_to_string(&recording).unwrap();
    let (header, rows) = lines.split_once('\n').unwrap();
    let mut backwards: Vec<&str> = rows.lines().collect();
    backwards.reverse();
    let reversed = directory.path().join("reversed.csv");
    std::fs::write(&reversed, format!("{header}\n{}\n", backwards.join("\n"))).unwrap();
    assert_eq!(replay(&recording).stdout, replay(&reversed).stdout);
}

#[test]
fn a_line_that_cannot_be_read_is_reported_and_ends_with_code_1() {
    let directory = tempfile::tempdir().unwrap();
    let recording = directory.path().join("wrong.csv");
    std::fs::write(
        &recording,
        "time,tag,value,quality\n2018-01-01T00:15:00+09:00,mill.kwh,3.17,\n\
         2018-01-01T00:30:00+09:00,mill.gas,4,\nyesterday,mill.kwh,4,\n2018-01-01T00:45:00+09:00,mill.kwh,4,superb\n",
    )
    .unwrap();
    let output = replay(&recording);
    assert_eq!(output.status.code(), Some(1));
    let errors = text(&output.stderr);
    for named in ["mill.gas", "yesterday", "superb"] {
        assert!(errors.contains(named), "{named} is not named in:\n{errors}");
    }
    assert!(text(&output.stdout).contains("\"electricity_micro_kwh\":3170000"), "the good line still counts");
}

#[test]
fn a_journal_of_which_the_beginning_was_removed_is_replayed_from_there_and_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = Store::open(directory.path(), &[], Digest::ZERO, "").unwrap();
    for minute in 0..3 {
        store.commit(&Commit { now: Timestamp(minute * 60_000), ..Commit::default() }).unwrap();
    }
    store.compact().unwrap();
    drop(store);
    let replay = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_parkgate"));
        let output =
            command.args(["replay", "--journal"]).arg(directory.path()).arg("-c").arg(steel("gateway.toml")).output();
        output.map(|output| (output.status.code(), text(&output.stderr))).unwrap()
    };
    let (code, said) = replay();
    assert!(code == Some(0) && !said.contains("removed"), "{said}");
    let database = rusqlite::Connection::open(directory.path().join("parkgate.db")).unwrap();
    database.execute("INSERT INTO meta VALUES ('removed_through', 2)", []).unwrap();
    let (code, said) = replay();
    assert!(code == Some(0) && said.contains("begins with commit 3 of 1970-01-01T00:02:00.000Z"), "{said}");
}

#[test]
fn wrong_usage_and_a_refused_configuration_end_with_code_2() {
    let parkgate = || Command::new(env!("CARGO_BIN_EXE_parkgate"));
    assert_eq!(parkgate().arg("fly").output().unwrap().status.code(), Some(2));
    let directory = tempfile::tempdir().unwrap();
    let configuration = directory.path().join("gateway.toml");
    std::fs::write(&configuration, "[gateway]\nid = \"Not An Id\"\nenterprise = \"0104297035\"\nnaem = 1\n").unwrap();
    let output = parkgate().args(["check", "-c"]).arg(&configuration).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    let said = text(&output.stdout) + &text(&output.stderr);
    for problem in ["Not An Id", "check digit", "naem"] {
        assert!(said.contains(problem), "{problem} is not among the problems:\n{said}");
    }
}

#[test]
fn the_steel_configuration_passes_its_check() {
    let output =
        Command::new(env!("CARGO_BIN_EXE_parkgate")).args(["check", "-c"]).arg(steel("gateway.toml")).output().unwrap();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
}

/// The electricity lines of one grain, of the whole year's recording.
fn of_grain(grain: &str) -> Vec<&'static Value> {
    static LINES: OnceLock<Vec<Value>> = OnceLock::new();
    let lines = LINES.get_or_init(|| {
        let output = replay(&steel("kwh.csv"));
        assert!(output.status.success(), "{}", text(&output.stderr));
        let lines = text(&output.stdout);
        let mut lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        lines.retain(|line| line["kpi"] == "electricity");
        lines
    });
    lines.iter().filter(|line| line["grain"] == grain).collect()
}

fn electricity(line: &&Value) -> i64 {
    line["facts"]["electricity_micro_kwh"].as_i64().unwrap()
}

fn observed_and_expected(line: &Value) -> (i64, i64) {
    let facts = &line["facts"];
    (facts["electricity_observed_ms"].as_i64().unwrap(), facts["electricity_expected_ms"].as_i64().unwrap())
}

fn replay(recording: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_parkgate"))
        .arg("replay")
        .arg(recording)
        .arg("-c")
        .arg(steel("gateway.toml"))
        .output()
        .unwrap()
}

fn first_lines(directory: &Path, lines: usize) -> std::path::PathBuf {
    let whole = std::fs::read_to_string(steel("kwh.csv")).unwrap();
    let part: Vec<&str> = whole.lines().take(lines).collect();
    let path = directory.join("part.csv");
    std::fs::write(&path, part.join("\n") + "\n").unwrap();
    path
}

fn steel(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/steel").join(name)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
