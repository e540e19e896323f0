//! The rules of the house: which room may import which, what pure code may never call, and what the tree looks like.
//!
//! Each rule is one entry in [`RULES`] with its reason and with an example that it must refuse, so that no rule
//! can become one that never fails. Rules see code without comments, strings and test modules, unless they say
//! that they look at the text as it stands.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test fails loudly")]

use std::collections::BTreeSet;

#[path = "architecture/code.rs"]
mod code;
#[path = "architecture/readme.rs"]
mod readme;
#[path = "architecture/sparkplug.rs"]
mod sparkplug;

use code::{File, outside, root, tree, words_of};
use readme::{commands, wrong_commands};

/// One rule. `broken` returns a line for each place where a file breaks it.
struct Rule {
    name: &'static str,
    reason: &'static str,
    broken: fn(&File) -> Vec<String>,
    /// (path, text) of a file that must be refused.
    refused: &'static [(&'static str, &'static str)],
    /// (path, text) of a file that must pass, close to the border.
    accepted: &'static [(&'static str, &'static str)],
}

const RULES: &[Rule] = &[
    Rule {
        name: "imports",
        reason: "data flows one way through the rooms; a room that sees more than its neighbours can't be tested alone",
        broken: forbidden_imports,
        refused: &[
            ("src/model/x.rs", "use crate::engine::Engine;"),
            ("src/engine/x.rs", "use crate::{model::id::SiteId, store::Store};"),
            ("src/sources/mqtt/x.rs", "use super::super::super::sinks::platform;"),
            ("src/sinks/x.rs", "fn f() { crate::sources::modbus::run(); }"),
            ("src/hub/x.rs", "use crate::engine::{kpi, plant::Plant};"),
            ("src/config/x.rs", "use crate::sources::modbus::link::Link;"),
            ("src/unheard_of/x.rs", "fn f() {}"),
        ],
        accepted: &[
            ("src/hub/x.rs", "use crate::engine::{kpi::{self, KpiContext}, calendar::Calendar};"),
            ("src/config/x.rs", "use crate::sources::modbus::config::ModbusSource;"),
            ("src/model/x.rs", "// use crate::engine::Engine;\nuse super::id::SiteId;"),
            ("src/engine/x.rs", "#[cfg(test)]\nmod tests { use crate::store::Store; }"),
        ],
    },
    Rule {
        name: "purity",
        reason: "the same journal must give the same bytes: pure code takes time as an argument and does no I/O",
        broken: impure_words,
        refused: &[
            ("src/engine/x.rs", "use tokio::sync::mpsc;"),
            ("src/ledger/x.rs", "async fn f() {}"),
            ("src/wire/x.rs", "use std::fs;"),
            ("src/profile/x.rs", "fn f() { std::net::TcpStream::connect(\"\"); }"),
            ("src/model/x.rs", "fn f() { let now = std::time::SystemTime::now(); }"),
            ("src/engine/x.rs", "fn f() { tracing::warn!(\"late\"); }"),
            ("src/engine/x.rs", "use std::collections::{BTreeMap, HashMap};"),
            ("src/engine/x.rs", "fn f() { let now = jiff::Timestamp::now(); }"),
            ("src/engine/x.rs", "fn f() -> f64 { fastrand::f64() }"),
            ("src/sources/modbus/plan.rs", "async fn f() {}"),
            ("src/hub/rollup.rs", "use std::time::Instant;"),
        ],
        accepted: &[
            ("src/engine/x.rs", "/// Never `tokio`, never `async`.\nfn f() -> &'static str { \"tracing\" }"),
            ("src/sources/modbus/link/mod.rs", "async fn f() {}"),
            ("src/simulator/plant.rs", "fn f(random: &mut fastrand::Rng) -> f64 { random.f64() }"),
            ("src/engine/x.rs", "#[cfg(test)]\nmod tests { use std::fs; }"),
        ],
    },
    Rule {
        name: "only link speaks Modbus",
        reason: "a request type without write functions is only a promise if nobody goes around it",
        broken: |file| outside(file, &["tokio_modbus"], &["src/sources/modbus/link/", "src/simulator/"]),
        refused: &[("src/roles/read.rs", "use tokio_modbus::prelude::*;")],
        accepted: &[("src/sources/modbus/link/mod.rs", "use tokio_modbus::Request;")],
    },
    Rule {
        name: "no Modbus write",
        reason: "it cannot write to a device",
        broken: modbus_writes,
        refused: &[
            ("src/sources/modbus/link/mod.rs", "fn f(c: &mut C) { c.write_single_register(1, 2); }"),
            ("src/sources/modbus/link/mod.rs", "fn f() { Request::WriteMultipleCoils(1, x); }"),
            ("src/sources/modbus/link/mod.rs", "fn f() { Request::Custom(6, x); }"),
        ],
        accepted: &[("src/sources/modbus/link/mod.rs", "fn f() { Request::ReadHoldingRegisters(1, 2); }")],
    },
    Rule {
        name: "sources publish nothing but what a host says of itself",
        reason: "a plant's broker is read; only the Sparkplug host states itself there, through link",
        broken: |file| {
            let calls = [".publish(", ".try_publish(", ".publish_bytes("];
            // There it takes a type that can say a host's state and a rebirth request, and nothing else.
            let reads_plant = file.path.starts_with("src/sources/") && file.path != "src/sources/mqtt/link.rs";
            calls.into_iter().filter(|call| reads_plant && file.code().contains(call)).map(str::to_owned).collect()
        },
        refused: &[
            ("src/sources/mqtt/subscribe.rs", "fn f(c: Client) { c.publish(\"t\", q, false, \"x\"); }"),
            ("src/sources/mqtt/sparkplug/host.rs", "fn f(c: Client) { c.try_publish(\"t\", q, false, \"x\"); }"),
        ],
        accepted: &[
            ("src/simulator/line.rs", "fn f(c: Client) { c.publish(\"t\", q, false, \"x\"); }"),
            ("src/sources/mqtt/link.rs", "fn f(publish: Publish) { read(publish.topic) }"),
        ],
    },
    Rule {
        name: "SQL stays in the stores",
        reason: "one writer decides what is durable together",
        broken: |file| outside(file, &["rusqlite"], &["src/store/", "src/hub/"]),
        refused: &[("src/api/values.rs", "use rusqlite::Connection;")],
        accepted: &[("src/store/schema.rs", "use rusqlite::Connection;")],
    },
    Rule {
        name: "anyhow only where a person reads the error",
        reason: "inside a room an error variant is a decision: retry, drop the connection, refuse the configuration, stop",
        broken: |file| outside(file, &["anyhow"], &["src/roles/", "src/runtime/tasks.rs", "src/main.rs"]),
        refused: &[("src/store/mod.rs", "fn f() -> anyhow::Result<()> { Ok(()) }")],
        accepted: &[("src/roles/run.rs", "use anyhow::Context;")],
    },
    Rule {
        name: "no unwrap outside tests",
        reason: "bad data is a value, not a panic; a proven invariant says why in `expect`",
        broken: |file| words_of(file, &["unwrap", "unwrap_unchecked", "todo", "unimplemented"]),
        refused: &[
            ("src/store/mod.rs", "fn f(x: Option<u8>) -> u8 { x.unwrap() }"),
            ("src/store/mod.rs", "fn f() { todo!() }"),
        ],
        accepted: &[
            ("src/store/mod.rs", "fn f(x: Option<u8>) -> u8 { x.unwrap_or(0) }"),
            ("src/store/mod.rs", "#[cfg(test)]\nmod tests { fn f(x: Option<u8>) { x.unwrap(); } }"),
        ],
    },
    Rule {
        name: "terminal output belongs to the roles",
        reason: "a room that prints can't be used in another process",
        broken: |file| outside(file, &["println", "eprintln", "print", "eprint", "stdout"], &["src/roles/"]),
        refused: &[("src/store/mod.rs", "fn f() { println!(\"x\"); }")],
        accepted: &[("src/roles/check.rs", "fn f() { let out = std::io::stdout(); }")],
    },
    Rule {
        name: "no lints switched off wholesale",
        reason: "a missing document or an unused result is found where it arises or never",
        broken: |file| {
            if file.path == "src/lib.rs" {
                return Vec::new();
            }
            file.code()
                .lines()
                .filter(|line| line.trim_start().starts_with("#![allow"))
                .map(|line| line.trim().to_owned())
                .collect()
        },
        refused: &[("src/store/mod.rs", "#![allow(missing_docs)]")],
        accepted: &[("src/store/mod.rs", "#[expect(clippy::float_cmp, reason = \"1.0 is exact\")]\nfn f() {}")],
    },
    Rule {
        name: "every file says what it is",
        reason: "the reader arrives at 3 a.m. in the middle of the house",
        broken: missing_module_doc,
        refused: &[("src/store/chunk.rs", "use std::fmt;\n"), ("src/store/mod.rs", "//! The store.\npub mod chunk;\n")],
        accepted: &[
            ("src/store/chunk.rs", "//! Chunks.\n"),
            (
                "src/store/mod.rs",
                "//! The store.\n//!\n//! Commits come in, rows go out.\n//! It never reads a clock.\n",
            ),
        ],
    },
    Rule {
        name: "files stay readable",
        reason: "one idea a file; beyond 700 lines it is two",
        broken: |file| {
            let lines = file.text.lines().count();
            if lines > 700 { vec![format!("{lines} lines, limit 700")] } else { Vec::new() }
        },
        refused: &[("src/store/mod.rs", SEVEN_HUNDRED_AND_ONE_LINES)],
        accepted: &[("src/store/mod.rs", "//! Short.\n")],
    },
    Rule {
        name: "no room without an idea",
        reason: "a folder is a noun of the domain",
        broken: |file| {
            let nameless = ["util", "utils", "common", "helpers", "base", "misc"];
            file.module().into_iter().filter(|name| nameless.contains(&name.as_str())).collect()
        },
        refused: &[("src/store/util.rs", "//! Things.\n"), ("src/common/mod.rs", "//! Things.\n")],
        accepted: &[("src/store/cursor.rs", "//! Cursors.\n")],
    },
];

const SEVEN_HUNDRED_AND_ONE_LINES: &str = {
    const BYTES: [u8; 701] = [b'\n'; 701];
    match std::str::from_utf8(&BYTES) {
        Ok(text) => text,
        Err(_) => "",
    }
};

/// Who may import whom: a room, the paths it may name, and why that is enough.
const IMPORTS: &[(&str, &[&str], &str)] = &[
    ("model", &[], "the nouns every room shares know none of the rooms"),
    ("profile", &["model"], "a device type is data"),
    ("reference", &["model"], "dated data, looked up by id and date"),
    ("ledger", &["model"], "pages are bytes made of records"),
    ("wire", &["model"], "formats between processes"),
    ("engine", &["model", "reference"], "samples become facts, windows and records; factors come from the reference"),
    ("store", &["model", "ledger"], "keeps samples, facts, records and pages; knows nothing of how they arise"),
    (
        "pipeline",
        &["model", "engine", "ledger", "store", "runtime"],
        "the one loop: engine, pages, commit, acknowledge",
    ),
    ("sources", &["model", "profile", "runtime"], "a source makes samples and never sees where they go"),
    (
        "sinks",
        &["model", "ledger", "wire", "store", "runtime"],
        "a sink is a cursor over the log and never sees a source",
    ),
    (
        "hub",
        &["model", "ledger", "wire", "reference", "engine::kpi", "engine::calendar", "runtime"],
        "the authority recomputes ratios from merged facts, and measures nothing",
    ),
    (
        "api",
        &[
            "model",
            "wire",
            "store",
            "hub",
            "engine::bill",
            "engine::calendar",
            "engine::context",
            "engine::context_of",
            "engine::declared",
            "engine::kpi",
            "engine::plant",
            "engine::pollutant",
            "engine::tariff",
            "reference",
            "runtime",
        ],
        "answers from what is stored, by the engine's pure functions; an open window of a box needs its plant and factors",
    ),
    (
        "dashboard",
        &[
            "model",
            "wire",
            "store",
            "hub",
            "engine::bill",
            "engine::calendar",
            "engine::kpi",
            "engine::plant",
            "engine::pollutant",
            "reference",
            "runtime",
            "api",
        ],
        "shows what the API answers",
    ),
    ("simulator", &["model", "runtime"], "a plant knows nothing of who measures it"),
    ("runtime", &["model"], "clock, tasks, health and logs serve every room"),
    (
        "config",
        &[
            "model",
            "profile",
            "reference",
            "engine",
            "runtime::secret",
            "sources::modbus::config",
            "sources::mqtt::config",
            "sinks::platform::config",
            "sinks::influxdb::config",
            "sinks::mqtt::config",
            "sinks::files::config",
            "store::config",
            "api::config",
            "hub::config",
        ],
        "composes what each room says of itself, and builds the plant",
    ),
];

/// Rooms that do arithmetic only.
const PURE_ROOMS: &[&str] = &["model", "profile", "reference", "ledger", "wire", "engine"];
/// Files that do arithmetic only, wherever they stand.
const PURE_FILES: &[&str] = &[
    "plan",
    "decode",
    "payload",
    "sparkplug",
    "line",
    "rollup",
    "plant",
    "encode",
    "faults",
    "transport",
    "plausible",
    "fingerprint",
    "sunspec",
    "taglist",
    "kepware",
    "diagnosis",
    "ratios",
    "wiring",
    "checks",
    "thin",
];
/// Words that no pure code says.
const IMPURE_WORDS: &[&str] = &[
    "tokio",
    "async",
    "await",
    "SystemTime",
    "Instant",
    "tracing",
    "HashMap",
    "HashSet",
    "thread",
    "reqwest",
    "rumqttc",
    "rusqlite",
    "getrandom",
    "TcpStream",
    "UdpSocket",
];
/// Paths that no pure code names.
const IMPURE_PATHS: &[&str] = &[
    "std::net",
    "std::fs",
    "std::env",
    "std::process",
    "std::thread",
    "::now(",
    // Chance comes from a generator that the caller has seeded.
    "fastrand::f64(",
    "fastrand::u32(",
    "fastrand::u64(",
    "fastrand::usize(",
    "fastrand::bool(",
    "Rng::new(",
];

/// Everything in the Modbus crate that changes a device, and the variant that could carry any function code.
const MODBUS_WRITES: &[&str] = &[
    "write_single_coil",
    "write_single_register",
    "write_multiple_coils",
    "write_multiple_registers",
    "masked_write_register",
    "read_write_multiple_registers",
    "WriteSingleCoil",
    "WriteSingleRegister",
    "WriteMultipleCoils",
    "WriteMultipleRegisters",
    "MaskWriteRegister",
    "ReadWriteMultipleRegisters",
    "Writer",
    "Custom",
];

#[test]
fn the_tree_keeps_every_rule() {
    let files = tree("src");
    assert!(files.len() > 40, "only {} files found: the walk is broken", files.len());
    let mut broken = Vec::new();
    for rule in RULES {
        for file in &files {
            for place in (rule.broken)(file) {
                broken.push(format!("{}: {place}\n    rule: {} ({})", file.path, rule.name, rule.reason));
            }
        }
    }
    assert!(broken.is_empty(), "{} places break a rule:\n{}", broken.len(), broken.join("\n"));
}

#[test]
fn tests_are_documented_and_readable_too() {
    let rules = RULES.iter().filter(|rule| ["every file says what it is", "files stay readable"].contains(&rule.name));
    let files = tree("tests");
    let broken: Vec<String> = rules
        .flat_map(|rule| files.iter().map(move |file| (file, (rule.broken)(file))))
        .filter(|(_, places)| !places.is_empty())
        .map(|(file, places)| format!("{}: {places:?}", file.path))
        .collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_rule_refuses_its_bad_examples_and_accepts_the_good_ones() {
    for rule in RULES {
        assert!(!rule.refused.is_empty() && !rule.accepted.is_empty(), "{} has no example", rule.name);
        for (path, text) in rule.refused {
            assert!(
                !(rule.broken)(&File::new(path, text)).is_empty(),
                "rule \"{}\" lets pass: {path}: {text}",
                rule.name
            );
        }
        for (path, text) in rule.accepted {
            let broken = (rule.broken)(&File::new(path, text));
            assert!(broken.is_empty(), "rule \"{}\" refuses {path}: {text}: {broken:?}", rule.name);
        }
    }
}

#[test]
fn every_room_has_an_entry_in_the_table_and_every_entry_a_room() {
    let listed: BTreeSet<String> = IMPORTS.iter().map(|(room, ..)| (*room).to_owned()).collect();
    let mut built: BTreeSet<String> = tree("src").iter().filter_map(|file| file.module().first().cloned()).collect();
    built.remove("roles");
    assert_eq!(listed, built, "rooms in tests/architecture.rs against rooms in src (roles may import everything)");
}

#[test]
fn at_most_three_integration_test_binaries_exist() {
    // Each one links the whole program again, which is what two cores suffer from.
    let binaries: BTreeSet<String> = std::fs::read_dir(root().join("tests"))
        .unwrap()
        .filter_map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_stem()?.to_str()?.to_owned();
            (path.extension().is_some_and(|e| e == "rs") || path.join("main.rs").is_file()).then_some(name)
        })
        .collect();
    assert_eq!(binaries, ["architecture", "services", "trip"].map(str::to_owned).into());
}

#[test]
fn the_readme_names_commands_and_options_that_exist_and_leaves_none_out() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let mut wrong = wrong_commands(&readme);
    wrong.extend(
        commands()
            .into_iter()
            .filter(|name| !["parkgate", "--"].iter().any(|program| readme.contains(&format!("{program} {name}"))))
            .map(|name| format!("`parkgate {name}` is not in README.md")),
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_name_in_the_list_of_metrics_is_reported_somewhere() {
    let text = std::fs::read_to_string(root().join("docs/metrics.md")).unwrap();
    let list = text.split("| name | of | what |").nth(1).unwrap().split("\n\n").next().unwrap();
    let cells = list.lines().skip(2).filter_map(|row| row.split('|').nth(1));
    let names: Vec<&str> = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    assert!(names.len() > 10, "{names:?}");
    let tree = tree("src");
    let unheard_of: Vec<&str> =
        names.into_iter().filter(|name| !tree.iter().any(|file| file.text.contains(&format!("\"{name}\"")))).collect();
    assert_eq!(unheard_of, [""; 0]);
}

#[test]
fn a_command_or_option_that_does_not_exist_is_found_in_a_readme() {
    assert_eq!(wrong_commands("```sh\nparkgate fly --high\n```\n"), ["`parkgate fly --high`: no such command"]);
    assert_eq!(
        wrong_commands("```sh\n$ parkgate check --no-such-option\n```\n"),
        ["`parkgate check --no-such-option`: no option --no-such-option"]
    );
    assert_eq!(
        wrong_commands("```sh\nparkgate meter mend -c gateway.toml\n```\n"),
        ["`parkgate meter mend -c gateway.toml`: no such command of parkgate meter"]
    );
    assert_eq!(
        wrong_commands("```sh\nparkgate egress --sink hepza\nparkgate egress mend\n```\n"),
        ["`parkgate egress mend`: no such command of parkgate egress"]
    );
    assert_eq!(
        wrong_commands("```sh\nparkgate meter list \\\n  --no-such-option\n```\n"),
        ["`parkgate meter list    --no-such-option`: no option --no-such-option"]
    );
    assert_eq!(
        wrong_commands("```sh\ncargo run --release -- fly\n```\n"),
        ["`cargo run --release -- fly`: no such command"]
    );
    assert!(wrong_commands("Words about `parkgate fly` outside of a block.\n").is_empty());
}

#[test]
fn code_is_told_from_comments_strings_and_tests() {
    let file = File::new(
        "src/x.rs",
        "//! tokio\nlet s = \"tokio \\\" tokio\"; let r = r#\"tokio \" tokio\"#; /* tokio /* tokio */ tokio */ let c = '\"'; let l: &'static str = x;\n#[cfg(test)]\nmod tests { fn f() { tokio(); } }\nfn after() { kept(); }\n",
    );
    assert!(words_of(&file, &["tokio"]).is_empty(), "{}", file.code());
    assert_eq!(words_of(&file, &["kept", "static"]), ["line 2 names `static`", "line 5 names `kept`"]);
}

#[test]
fn a_file_that_is_compiled_for_tests_only_is_known_by_its_declaration() {
    let declared = |text: &str| File::new("src/a/mod.rs", text).test_modules();
    assert_eq!(declared("mod b;\n#[cfg(test)]\npub(crate) mod c;\n#[cfg(test)]\nmod d { mod e; }"), [["a", "c"]]);
}

#[test]
fn paths_are_found_in_use_trees_and_through_super() {
    let paths = |path: &str, text: &str| File::new(path, text).paths();
    assert_eq!(paths("src/a/b.rs", "use crate::{m::{x, y::{self, Z}}, n};"), ["m::x", "m::y", "m::y::Z", "n"]);
    assert_eq!(paths("src/a/b.rs", "use super::c::D; fn f() { super::super::e::g(); }"), ["a::c::D", "e::g"]);
    assert_eq!(paths("src/a/mod.rs", "use super::{b, c as d};"), ["b", "c"]);
    assert_eq!(paths("src/a/mod.rs", "fn f() -> crate::m::T<crate::n::U> {}"), ["m::T", "n::U"]);
}

fn forbidden_imports(file: &File) -> Vec<String> {
    let module = file.module();
    let Some(room) = module.first() else { return Vec::new() };
    if room == "roles" {
        return Vec::new();
    }
    let Some((_, allowed, why)) = IMPORTS.iter().find(|(name, ..)| name == room) else {
        return vec![format!("room {room} has no entry in the table of imports")];
    };
    let may = |path: &str| {
        path.split("::").next() == Some(room)
            || allowed
                .iter()
                .any(|prefix| path == *prefix || path.strip_prefix(prefix).is_some_and(|rest| rest.starts_with("::")))
    };
    file.paths()
        .into_iter()
        .filter(|path| !may(path))
        .map(|path| format!("imports {path}; {room} may import {allowed:?}: {why}"))
        .collect()
}

fn impure_words(file: &File) -> Vec<String> {
    let module = file.module();
    let pure = module.first().is_some_and(|room| PURE_ROOMS.contains(&room.as_str()))
        || module.last().is_some_and(|name| {
            PURE_FILES.contains(&name.as_str()) && module.first().is_some_and(|room| room != "roles")
        });
    if !pure {
        return Vec::new();
    }
    let mut found = words_of(file, IMPURE_WORDS);
    found.extend(IMPURE_PATHS.iter().filter(|path| file.code().contains(**path)).map(|path| format!("names `{path}`")));
    found
}

fn modbus_writes(file: &File) -> Vec<String> {
    if file.path.starts_with("src/sources/modbus/") { words_of(file, MODBUS_WRITES) } else { Vec::new() }
}

fn missing_module_doc(file: &File) -> Vec<String> {
    let documented = file.text.lines().take_while(|line| line.starts_with("//!")).filter(|line| line.len() > 4).count();
    let module = file.module();
    let is_room = file.path.ends_with("/mod.rs") && module.len() == 1;
    let least = if is_room { 3 } else { 1 };
    if documented >= least {
        Vec::new()
    } else {
        vec![format!("{documented} lines of module documentation, expected {least} or more")]
    }
}
