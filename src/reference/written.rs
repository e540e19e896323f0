//! Dates as people write them: TOML has its own, `2026-01-01` without quotes, and data files quote them.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

/// Returns a text with every date in quotes; line by line it stays what it is. One that is no TOML comes back as it is:
/// whoever reads it next says where.
pub(super) fn with_quoted_dates(text: &str) -> String {
    let mut dates = Vec::new();
    if let Ok(table) = DeTable::parse(text) {
        for (_, value) in table.get_ref() {
            collect(value.get_ref(), value.span(), &mut dates);
        }
    }
    dates.sort_by_key(|date: &Range<usize>| date.start);
    let mut quoted = text.to_owned();
    for date in dates.into_iter().rev() {
        quoted.insert(date.end, '"');
        quoted.insert(date.start, '"');
    }
    quoted
}

fn collect(value: &DeValue<'_>, span: Range<usize>, dates: &mut Vec<Range<usize>>) {
    match value {
        DeValue::Datetime(_) => dates.push(span),
        DeValue::Array(items) => items.iter().for_each(|item| collect(item.get_ref(), item.span(), dates)),
        DeValue::Table(entries) => entries.iter().for_each(|(_, item)| collect(item.get_ref(), item.span(), dates)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::with_quoted_dates;

    #[test]
    fn dates_get_quotes_and_nothing_else_changes() {
        for (written, quoted) in [
            ("[[a]]\nfrom = 2026-01-01 # a day\nx = 1", "[[a]]\nfrom = \"2026-01-01\" # a day\nx = 1"),
            (
                "a = [{ d = 2026-01-01 }, { d = \"2026-01-02\" }]",
                "a = [{ d = \"2026-01-01\" }, { d = \"2026-01-02\" }]",
            ),
            ("a = \"on 2026-01-01\"", "a = \"on 2026-01-01\""),
            ("a = 2026-01-", "a = 2026-01-"),
        ] {
            assert_eq!(with_quoted_dates(written), quoted);
        }
    }
}
