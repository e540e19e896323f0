//! Proposals for misspelt words.

/// Most words that a proposal lists where none is near.
const LISTED_MAX: usize = 24;

/// Proposes the nearest known word, or lists them. `quote` stands around each word.
pub(super) fn propose(found: &str, known: &[&str], quote: &str) -> String {
    let quoted = |word: &str| format!("{quote}{word}{quote}");
    match nearest(found, known.iter().copied()) {
        Some(word) => format!("did you mean {}?", quoted(word)),
        None if known.is_empty() => "remove it: nothing can stand here".to_owned(),
        None => {
            let mut sorted = known.to_vec();
            sorted.sort_unstable();
            sorted.dedup();
            let listed: Vec<String> = sorted.iter().take(LISTED_MAX).map(|word| quoted(word)).collect();
            let more = if sorted.len() > LISTED_MAX { ", …" } else { "" };
            format!("write one of {}{more}", listed.join(", "))
        }
    }
}

/// Returns the known word with the fewest changed letters, if that is few enough to be a slip.
pub(super) fn nearest<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (found.chars().count() / 3).clamp(1, 4);
    let scored = known.into_iter().map(|word| (distance(found, word), word));
    scored.filter(|(changes, _)| *changes <= limit).min().map(|(_, word)| word)
}

/// Counts the insertions, deletions, replacements and swaps of neighbours between two words, case aside.
fn distance(a: &str, b: &str) -> usize {
    let [a, b] = [a, b].map(|word| word.to_lowercase().chars().collect::<Vec<char>>());
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(before_last[j - 2] + 1);
            }
            row.push(least);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest, propose};

    #[test]
    fn a_slip_is_found_and_another_word_is_not() {
        for (found, expected) in
            [("timezon", Some("timezone")), ("Unit", Some("unit")), ("nmae", Some("name")), ("colour", None)]
        {
            assert_eq!(nearest(found, ["name", "timezone", "unit", "url"]), expected, "{found}");
        }
        assert_eq!(distance("nmae", "name"), 1);
        assert_eq!(distance("", "ab"), 2);
    }

    #[test]
    fn without_a_near_word_the_known_ones_are_listed_in_order() {
        assert_eq!(propose("colour", &["url", "name"], "`"), "write one of `name`, `url`");
        assert_eq!(propose("nam", &["url", "name"], "\""), "did you mean \"name\"?");
    }
}
