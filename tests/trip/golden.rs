//! Golden cases: every folder of `tests/golden/` through `parkgate replay`, compared with what its records must say.
//!
//! A case is a folder named after what it shows:
//!
//! ```text
//! tests/golden/<case>/
//!   gateway.toml     a configuration that `parkgate check` accepts; a warning it gives stands in a comment of the
//!                    file: `# warning: there is no [calendar]` (the beginning is enough)
//!   samples.csv      time,tag,value[,quality] as `parkgate replay` reads it
//!   context.csv      optional, handed over as --context
//!   declared.csv     optional, handed over as --declared
//!   expected.jsonl   one JSON object a line: which record, and what it must say
//! ```
//!
//! A line of `expected.jsonl` names one line of replay's output by `asset`, `grain`, `start`, `kpi` and, where a window
//! has several revisions, `revision`. `start` is RFC 3339 with any offset. Every other key is what that line must say:
//!
//! ```text
//! # 320 of 420 min of planned busy time were production: a line that starts with # is for the reader.
//! {"asset": "press-1", "grain": "shift", "start": "2026-03-02T06:00:00+07:00", "kpi": "availability", "value": 0.7619047619047619}
//! ```
//!
//! - Numbers are compared to 1e-9 relative, integers and texts exactly, lists in order and in full.
//! - An object needs only the members that matter: `"facts": {"apt_ms": 19200000}`.
//! - `"factors": ["vn_grid_2023"]` compares the ids alone; written as objects it compares what the objects name.
//! - `"value": null` needs a `reason` beside it.
//! - `"absent": true` says that there is no such record, of an asset, a grain and a KPI that the case does have.
//!
//! Outputs that no line names are ignored. A line that names nothing, says nothing or names two outputs fails, so that
//! no line can pass without having been compared. `GOLDEN=<case> cargo test --test trip golden` runs one case.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};

use serde_json::{Map, Value};

use super::text;

/// Relative difference up to which two numbers are the same.
const TOLERANCE: f64 = 1e-9;

/// What names a line of output.
const IDENTITY: [&str; 5] = ["asset", "grain", "start", "kpi", "revision"];

/// Files that are handed to replay as options, where a case has them.
const OPTIONS: [(&str, &str); 2] = [("context.csv", "--context"), ("declared.csv", "--declared")];

#[test]
fn golden_every_case_says_what_it_must() {
    let only = std::env::var("GOLDEN").ok();
    let cases: Vec<PathBuf> =
        folders().into_iter().filter(|case| only.as_deref().is_none_or(|only| case.ends_with(only))).collect();
    assert!(!cases.is_empty(), "no case in tests/golden is named {only:?}");
    let mut wrong = each(&cases, |case| problems(case).err());
    wrong.retain(|(_, problem)| problem.is_some());
    let report: String = wrong.iter().fold(String::new(), |mut report, (case, problem)| {
        let _ = write!(report, "\n{}:\n{}", name(case), problem.as_deref().unwrap_or_default());
        report
    });
    assert!(wrong.is_empty(), "{} of {} golden cases are wrong:\n{report}", wrong.len(), cases.len());
}

/// Returns every case, sorted by name.
pub(crate) fn folders() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut folders: Vec<PathBuf> =
        std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

/// Runs `work` over every case on all cores; the results are in the order of the cases.
pub(crate) fn each<T: Send>(cases: &[PathBuf], work: impl Fn(&Path) -> T + Sync) -> Vec<(PathBuf, T)> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(BTreeMap::new());
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(cases.len());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = work(case);
                    done.lock().unwrap().insert(case.clone(), result);
                }
            });
        }
    });
    done.into_inner().unwrap().into_iter().collect()
}

/// Returns the lines of a case's replay.
pub(crate) fn outputs(case: &Path) -> Result<Vec<Value>, String> {
    let mut replay = Command::new(env!("CARGO_BIN_EXE_parkgate"));
    replay.arg("replay").arg(case.join("samples.csv")).arg("-c").arg(case.join("gateway.toml"));
    for (file, option) in OPTIONS {
        if case.join(file).exists() {
            replay.arg(option).arg(case.join(file));
        }
    }
    let output = replay.output().unwrap();
    if !output.status.success() {
        return Err(format!("  parkgate replay ended with {}:\n{}\n", output.status, text(&output.stderr)));
    }
    Ok(text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// Returns the lines of every case, sorted by name; they are replayed once for all tests that look at them.
///
/// # Panics
/// Where a case can't be replayed.
pub(crate) fn all_outputs() -> &'static [(PathBuf, Vec<Value>)] {
    static OUTPUTS: OnceLock<Vec<(PathBuf, Vec<Value>)>> = OnceLock::new();
    OUTPUTS.get_or_init(|| {
        let replayed = each(&folders(), outputs).into_iter();
        replayed
            .map(|(case, lines)| (case.clone(), lines.unwrap_or_else(|why| panic!("{}: {why}", name(&case)))))
            .collect()
    })
}

fn problems(case: &Path) -> Result<(), String> {
    let known = ["gateway.toml", "samples.csv", "expected.jsonl", "context.csv", "declared.csv"];
    let strange: Vec<String> = std::fs::read_dir(case)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|file| !known.contains(&file.as_str()) && !file.ends_with(".toml"))
        .collect();
    if !strange.is_empty() {
        return Err(format!("  files that nothing reads: {}\n", strange.join(", ")));
    }
    check(case)?;
    let outputs = outputs(case)?;
    let expected =
        std::fs::read_to_string(case.join("expected.jsonl")).map_err(|error| format!("  expected.jsonl: {error}\n"))?;
    let lines = expected.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    let mut wrong = String::new();
    let mut compared = 0;
    for (index, line) in lines {
        compared += 1;
        if let Err(problem) = compare(line, &outputs) {
            let _ = writeln!(wrong, "  expected.jsonl:{}: {problem}", index + 1);
        }
    }
    match (wrong.is_empty(), compared) {
        (true, 0) => Err("  expected.jsonl expects nothing\n".to_owned()),
        (true, _) => Ok(()),
        (false, _) => Err(wrong),
    }
}

/// Fails where the configuration is refused, or warned about without saying so itself.
fn check(case: &Path) -> Result<(), String> {
    let configuration = case.join("gateway.toml");
    let check =
        Command::new(env!("CARGO_BIN_EXE_parkgate")).args(["check", "-c"]).arg(&configuration).output().unwrap();
    let said = text(&check.stdout) + &text(&check.stderr);
    let configuration = std::fs::read_to_string(configuration).unwrap();
    let announced: Vec<&str> = configuration.lines().filter_map(|line| line.strip_prefix("# warning: ")).collect();
    let warnings: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("warning: ")).collect();
    let as_announced = |warning: &&str| announced.iter().any(|begins| warning.starts_with(begins));
    let never_given = announced.iter().find(|begins| !warnings.iter().any(|warning| warning.starts_with(**begins)));
    if !check.status.success() || !warnings.iter().all(as_announced) {
        return Err(format!("  parkgate check has something to say about gateway.toml:\n{said}\n"));
    }
    match never_given {
        Some(warning) => Err(format!("  parkgate check doesn't warn that {warning}\n")),
        None => Ok(()),
    }
}

/// Compares one line of `expected.jsonl` with the output.
fn compare(line: &str, outputs: &[Value]) -> Result<(), String> {
    let expected: Map<String, Value> = serde_json::from_str(line).map_err(|error| format!("not an object: {error}"))?;
    for key in ["asset", "grain", "start", "kpi"] {
        if !expected.get(key).is_some_and(Value::is_string) {
            return Err(format!("\"{key}\" is missing"));
        }
    }
    let says: BTreeMap<&str, &Value> =
        expected.iter().map(|(key, value)| (key.as_str(), value)).filter(|(key, _)| !IDENTITY.contains(key)).collect();
    let found: Vec<&Value> = outputs.iter().filter(|output| names(&expected, output, &IDENTITY)).collect();
    if says.get("absent") == Some(&&Value::Bool(true)) {
        return absent(&expected, &found, outputs);
    }
    match found.as_slice() {
        [] => Err(format!("no such record; the nearest is\n    {}", nearest(&expected, outputs))),
        [output] => {
            if says.is_empty() {
                return Err("says nothing about the record that it names".to_owned());
            }
            if says.get("value") == Some(&&Value::Null) && !says.contains_key("reason") {
                return Err("a value of null needs its reason beside it".to_owned());
            }
            let differences: Vec<String> =
                says.iter().filter_map(|(key, value)| difference(key, value, output)).collect();
            if differences.is_empty() {
                return Ok(());
            }
            Err(format!("{}\n    in {output}", differences.join("\n    and ")))
        }
        several => Err(format!("names {} records: say which \"revision\"", several.len())),
    }
}

/// Judges a line that says that there is no such record: what it names must exist elsewhere, or it says nothing.
fn absent(expected: &Map<String, Value>, found: &[&Value], outputs: &[Value]) -> Result<(), String> {
    if let Some(output) = found.first() {
        return Err(format!("there is such a record\n    {output}"));
    }
    match ["asset", "grain", "kpi"].into_iter().find(|key| !outputs.iter().any(|output| output[*key] == expected[*key]))
    {
        Some(key) => {
            Err(format!("no record of this case has \"{key}\": {}, so its absence says nothing", expected[key]))
        }
        None => Ok(()),
    }
}

/// Returns whether a line of output is the one that `expected` names by `keys`.
fn names(expected: &Map<String, Value>, output: &Value, keys: &[&str]) -> bool {
    keys.iter().all(|key| match expected.get(*key) {
        None => true,
        Some(start) if *key == "start" => instant(start).is_some() && instant(start) == instant(&output["start"]),
        Some(value) => output[*key] == *value,
    })
}

fn instant(value: &Value) -> Option<jiff::Timestamp> {
    value.as_str()?.parse().ok()
}

/// Returns the line of output that agrees with the most of what names the expected one, and what it disagrees about.
fn nearest(expected: &Map<String, Value>, outputs: &[Value]) -> String {
    let agreeing = |output: &Value| {
        let weights = [("kpi", 8), ("asset", 4), ("grain", 2), ("start", 2), ("revision", 1)];
        let agrees = |(key, weight): &(&str, usize)| if names(expected, output, &[key]) { *weight } else { 0 };
        weights.iter().map(agrees).sum::<usize>()
    };
    let Some(output) = outputs.iter().max_by_key(|output| agreeing(output)) else {
        return "nothing: replay printed no record".to_owned();
    };
    let other = IDENTITY.into_iter().filter(|key| !names(expected, output, &[key]));
    let other: Vec<String> = other.map(|key| format!("{key} {}", output[key])).collect();
    let have = |key: &str| -> BTreeSet<String> { outputs.iter().map(|output| output[key].to_string()).collect() };
    format!("that of {}\n    (KPIs there are: {})", other.join(", "), Vec::from_iter(have("kpi")).join(" "))
}

/// Returns how a line of output differs from what it must say under one key.
fn difference(key: &str, expected: &Value, output: &Value) -> Option<String> {
    let Some(found) = output.get(key) else {
        return Some(format!("\"{key}\" is no key of a record"));
    };
    let ids = |list: &[Value]| list.iter().map(|factor| factor["id"].clone()).collect::<Vec<_>>();
    let same = match (key, expected, found) {
        ("factors", Value::Array(names), Value::Array(found)) if names.iter().all(Value::is_string) => {
            *names == ids(found)
        }
        _ => is_same(expected, found),
    };
    (!same).then(|| format!("\"{key}\" must be {expected}, is {found}"))
}

fn is_same(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            expected.iter().all(|(key, value)| found.get(key).is_some_and(|found| is_same(value, found)))
        }
        (Value::Array(expected), Value::Array(found)) => {
            expected.len() == found.len()
                && expected.iter().zip(found).all(|(expected, found)| is_same(expected, found))
        }
        (Value::Number(expected), Value::Number(found)) => match (expected.as_i64(), found.as_i64()) {
            (Some(expected), Some(found)) => expected == found,
            _ => is_near(expected.as_f64().unwrap(), found.as_f64().unwrap()),
        },
        (expected, found) => expected == found,
    }
}

fn is_near(expected: f64, found: f64) -> bool {
    (expected - found).abs() <= TOLERANCE * expected.abs()
}

fn name(case: &Path) -> String {
    case.file_name().unwrap().to_string_lossy().into_owned()
}

/// A line that must not pass, and what is said about it.
#[test]
fn golden_no_line_passes_without_having_been_compared() {
    let outputs: Vec<Value> = [
        r#"{"asset":"a","grain":"day","start":"2026-01-01T00:00:00.000Z","kpi":"oee","revision":1,"value":0.5,"reason":null,"facts":{"apt_ms":7}}"#,
        r#"{"asset":"a","grain":"day","start":"2026-01-01T00:00:00.000Z","kpi":"oee","revision":2,"value":null,"reason":"no_data","facts":{}}"#,
    ]
    .map(|line| serde_json::from_str(line).unwrap())
    .to_vec();
    let line =
        |rest: &str| format!(r#"{{"asset":"a","grain":"day","start":"2026-01-01T07:00:00+07:00","kpi":"oee"{rest}}}"#);
    for (wrong, said) in [
        (line(""), "names 2 records"),
        (line(r#","revision":1"#), "says nothing"),
        (line(r#","revision":1,"valeu":0.5"#), "no key of a record"),
        (line(r#","revision":1,"value":0.500001"#), "must be 0.500001, is 0.5"),
        (line(r#","revision":1,"facts":{"apt_ms":8}"#), "\"facts\" must be"),
        (line(r#","revision":1,"facts":{"apt":7}"#), "\"facts\" must be"),
        (line(r#","revision":2,"value":null"#), "needs its reason"),
        (line(r#","revision":3,"value":1"#), "that of revision"),
        (line(r#","revision":1,"absent":true"#), "there is such a record"),
        (line("").replace("oee", "eoo").replace('}', r#","absent":true}"#), "its absence says nothing"),
        (line("").replace("\"a\"", "7"), "\"asset\" is missing"),
        ("[]".to_owned(), "not an object"),
    ] {
        let problem = compare(&wrong, &outputs).expect_err(&wrong);
        assert!(problem.contains(said), "{wrong}: {problem}");
    }
    for right in [
        r#","revision":1,"value":0.50000000001"#,
        r#","revision":1,"facts":{"apt_ms":7}"#,
        r#","revision":2,"value":null,"reason":"no_data""#,
        r#","revision":3,"absent":true"#,
    ] {
        assert_eq!(compare(&line(right), &outputs), Ok(()), "{right}");
    }
}
