//! What a README says of the command line, held against the command line.

use std::collections::BTreeSet;
use std::process::Command;

/// Lines in a text's code blocks that call `parkgate` in a way the command line doesn't know.
pub(crate) fn wrong_commands(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    // A command that goes on in the next line is one call.
    let text = text.replace("\\\n", " ");
    for line in text.split("```").skip(1).step_by(2).flat_map(str::lines) {
        let line = line.trim().trim_start_matches("$ ");
        let call = line.strip_prefix("parkgate ").or_else(|| line.strip_prefix("cargo run --release -- "));
        let Some(call) = call.map(|call| call.split(" #").next().unwrap_or(call).trim()) else { continue };
        let name = call.split_whitespace().next().unwrap_or_default();
        if name.starts_with('-') {
            continue;
        }
        if !commands().contains(name) {
            wrong.push(format!("`{line}`: no such command"));
            continue;
        }
        let mut help = help_of(&[name]);
        let inner = commands_in(&help);
        let action = call.split_whitespace().nth(1).unwrap_or_default();
        // A command that has others below it may also do something of its own.
        let is_own =
            help.contains(&format!("parkgate {name} [OPTIONS]\n")) && (action.is_empty() || action.starts_with('-'));
        if !inner.is_empty() && !is_own {
            if !inner.contains(action) {
                wrong.push(format!("`{line}`: no such command of parkgate {name}"));
                continue;
            }
            help = help_of(&[name, action]);
        }
        for option in call.split_whitespace().filter(|word| word.starts_with('-')) {
            let option = option.split('=').next().unwrap_or(option);
            if !help.split(|c: char| c.is_whitespace() || c == ',' || c == '=' || c == '[').any(|word| word == option) {
                wrong.push(format!("`{line}`: no option {option}"));
            }
        }
    }
    wrong
}

/// The commands that `parkgate --help` lists.
pub(crate) fn commands() -> BTreeSet<String> {
    commands_in(&help_of(&[]))
}

/// The commands that a help text lists; none where it lists none.
fn commands_in(help: &str) -> BTreeSet<String> {
    help.split("Commands:")
        .nth(1)
        .and_then(|rest| rest.split("\n\n").next())
        .unwrap_or_default()
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

fn help_of(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_parkgate")).args(arguments).arg("--help").output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}
