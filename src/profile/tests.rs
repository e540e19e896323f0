//! The page about profiles says what there is.

use std::collections::BTreeSet;

use super::library::{Library, Profile};

fn page() -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/profiles.md");
    std::fs::read_to_string(path).unwrap()
}

fn row(profile: &Profile) -> String {
    let is_certain = profile.conflicts.is_empty() && profile.cautions.is_empty();
    let check = if is_certain { "" } else { "to check" };
    let (name, vendor, model) = (&profile.name, &profile.vendor, &profile.model);
    let (founded, points) = (profile.confidence.as_str().replace('_', " "), profile.registers.len());
    format!("| `{name}` | {vendor} | {model} | {points} | {founded} | {check} |\n")
}

#[test]
fn the_page_lists_every_profile() {
    let head = "| profile | vendor | device | points | founded on | |\n|---|---|---|---|---|---|\n";
    let list = head.to_owned() + &Library::builtin().iter().map(row).collect::<String>();
    let page = page();
    let (_, found) = page.split_once("## The list\n").unwrap();
    assert!(found.trim_end().ends_with(list.trim_end()), "docs/profiles.md must end with:\n{list}");
}

#[test]
fn the_names_of_points_are_one_vocabulary_and_each_is_used() {
    let page = page();
    let (_, table) = page.split_once("## Names of points\n").unwrap();
    let (table, _) = table.split_once("## The list\n").unwrap();
    let cells = table.lines().filter_map(|line| line.strip_prefix("| `")?.split('|').next());
    let words: BTreeSet<&str> = cells.flat_map(|cell| cell.split('`')).filter(|word| word.len() > 2).collect();
    let library = Library::builtin();
    let used: BTreeSet<&str> =
        library.iter().flat_map(|profile| &profile.registers).map(|register| register.point.as_str()).collect();
    assert_eq!(words, used);
}
