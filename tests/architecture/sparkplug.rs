//! Each rule that Sparkplug gives a receiving host has a test that bears its id, so that none can be forgotten.

use super::code::{File, root, tree};

/// The ids, one a line.
const REQUIREMENTS: &str = "tests/data/sparkplug/host_requirements.txt";

fn ids() -> Vec<String> {
    let text = std::fs::read_to_string(root().join(REQUIREMENTS)).unwrap();
    text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(str::to_owned).collect()
}

/// Names of the functions that a test attribute stands above.
fn tests_of(file: &File) -> Vec<String> {
    let (mut names, mut is_test) = (Vec::new(), false);
    for line in file.text.lines().map(str::trim) {
        let signature = line.strip_prefix("async ").unwrap_or(line);
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if let Some(rest) = signature.strip_prefix("fn ") {
            if std::mem::take(&mut is_test) {
                names.extend(rest.split('(').next().map(str::to_owned));
            }
        } else if !line.starts_with("#[") && !line.starts_with("//") {
            is_test = false;
        }
    }
    names
}

/// Returns the id that a test is named after: the longest, since some ids begin with others.
fn named_after<'a>(test: &str, ids: &'a [String]) -> Option<&'a str> {
    let begins = |id: &&String| test.strip_prefix(&id.replace('-', "_")).is_some_and(|rest| rest.starts_with('_'));
    ids.iter().filter(begins).max_by_key(|id| id.len()).map(String::as_str)
}

#[test]
fn each_rule_for_a_sparkplug_host_has_a_test_of_its_name() {
    let ids = ids();
    assert!(ids.len() >= 42, "{REQUIREMENTS} holds {} ids", ids.len());
    let tests: Vec<String> = tree("src/sources/mqtt").iter().flat_map(tests_of).collect();
    let named: Vec<&str> = tests.iter().filter_map(|test| named_after(test, &ids)).collect();
    let missing: Vec<&String> = ids.iter().filter(|id| !named.contains(&id.as_str())).collect();
    assert!(missing.is_empty(), "no test is named after {missing:#?}");
}

#[test]
fn only_a_test_with_the_whole_id_and_a_sentence_counts() {
    let ids = ["tck-id-a".to_owned(), "tck-id-a-b".to_owned()];
    for (test, expected) in [
        ("tck_id_a_is_so", Some("tck-id-a")),
        ("tck_id_a_b_is_so", Some("tck-id-a-b")),
        ("tck_id_a", None),
        ("a", None),
    ] {
        assert_eq!(named_after(test, &ids), expected, "{test}");
    }
    let file =
        File::new("x.rs", "#[test]\nfn tck_id_a_is() {}\nfn tck_id_b_is() {}\n#[tokio::test]\nasync fn c() {}\n");
    assert_eq!(tests_of(&file), ["tck_id_a_is", "c"]);
}
