//! Keeps secrets out of configuration files, and out of what is said about them.
//!
//! A secret belongs in an environment variable or a file. Where one stands in the configuration all the same, it
//! is refused, and neither the message nor the line shown repeats it.

use std::ops::Range;

use serde_spanned::Spanned;
use toml::de::{DeTable, DeValue};

use super::spelling;
use crate::model::problem::Problems;

/// Keys whose value is a secret by reference.
const KEYS: &[&str] = &["token", "password", "client_secret", "private_key"];
/// What people also call such keys.
const LIKE_KEYS: &[&str] = &["token", "password", "passwd", "secret", "api_key", "apikey", "pass", "private_key"];
/// Shorter secrets are hidden only where they stand in quotes: a message full of stars helps nobody.
const SHORT_BYTES: usize = 4;

/// Reports secrets that stand in the file themselves, and takes them out.
pub(super) fn refuse_inline(table: &mut DeTable<'_>, problems: &mut Problems) {
    let mut inline = Vec::new();
    for (key, value) in table.iter_mut() {
        let name = key.get_ref();
        if KEYS.contains(&name.as_ref()) && !value.get_ref().is_table() {
            problems.error(
                value.span(),
                format!("`{name}` stands in the file itself; a secret may only be referred to"),
                format!(
                    "write {name} = {{ env = \"NAME\" }} or {name} = {{ file = \"/path\" }}, and change the secret"
                ),
            );
            inline.push(name.to_string());
        }
        match value.get_mut() {
            DeValue::Table(inner) => refuse_inline(inner, problems),
            DeValue::Array(items) => items.iter_mut().for_each(|item| {
                if let DeValue::Table(inner) = item.get_mut() {
                    refuse_inline(inner, problems);
                }
            }),
            _ => {}
        }
    }
    inline.iter().for_each(|name| drop(table.remove(name.as_str())));
}

/// A secret found in a file.
struct Found {
    /// Where its characters stand, without quotes.
    place: Range<usize>,
    /// What it is, unescaped.
    content: String,
}

/// Returns the file with every secret in it replaced by stars, each byte by one, so that places stay right.
pub(super) fn mask(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for place in find(text).into_iter().map(|found| found.place).chain(unparsed(text)) {
        for byte in bytes.get_mut(place).into_iter().flatten().filter(|byte| !matches!(**byte, b'\n' | b'\r')) {
            *byte = b'*';
        }
    }
    String::from_utf8(bytes).unwrap_or_default()
}

/// Replaces every secret of the file that a message repeats.
pub(super) fn hide(text: &str, problems: &mut Problems) {
    let found = find(text);
    for problem in &mut problems.0 {
        for words in [&mut problem.message, &mut problem.help] {
            for secret in found.iter().flat_map(|found| [found.content.as_str(), &text[found.place.clone()]]) {
                if secret.len() >= SHORT_BYTES {
                    *words = words.replace(secret, "***");
                } else if !secret.is_empty() {
                    *words = words.replace(&format!("\"{secret}\""), "\"***\"");
                    *words = words.replace(&format!(":{secret}@"), ":***@");
                }
            }
        }
    }
}

fn find(text: &str) -> Vec<Found> {
    let (root, _) = DeTable::parse_recoverable(text);
    let mut found = Vec::new();
    for (key, value) in root.get_ref() {
        find_below(text, key.get_ref(), value, false, &mut found);
    }
    found
}

fn find_below(text: &str, key: &str, value: &Spanned<DeValue<'_>>, is_inside: bool, found: &mut Vec<Found>) {
    let is_secret = is_inside || is_like_secret(key);
    match value.get_ref() {
        DeValue::Table(entries) => {
            for (key, value) in entries {
                // Below a reference the names of variables and files are no secrets.
                let is_reference = is_secret && matches!(key.get_ref().as_ref(), "env" | "file");
                find_below(text, key.get_ref(), value, is_secret && !is_reference, found);
            }
        }
        DeValue::Array(items) => items.iter().for_each(|item| find_below(text, key, item, is_inside, found)),
        DeValue::String(content) if is_secret => {
            let quotes =
                if text[value.span()].starts_with("\"\"\"") || text[value.span()].starts_with("'''") { 3 } else { 1 };
            let place = value.span().start + quotes..value.span().end.saturating_sub(quotes);
            if place.start <= place.end {
                found.push(Found { place, content: content.to_string() });
            }
        }
        DeValue::String(content) => found.extend(password_in_url(text, value.span(), content)),
        DeValue::Integer(_) | DeValue::Float(_) if is_secret => {
            found.push(Found { place: value.span(), content: text[value.span()].to_owned() });
        }
        _ => {}
    }
}

/// Finds the password of `scheme://user:password@host`.
fn password_in_url(text: &str, span: Range<usize>, content: &str) -> Option<Found> {
    let authority = content.split_once("://")?.1;
    let (user_info, _) = authority.split_once('@')?;
    let password = user_info.split_once(':')?.1;
    let start = span.start + text.get(span)?.find(&format!(":{password}@"))? + 1;
    (!password.is_empty()).then(|| Found { place: start..start + password.len(), content: password.to_owned() })
}

fn is_like_secret(key: &str) -> bool {
    spelling::nearest(key, LIKE_KEYS.iter().copied()).is_some()
        || ["password", "secret", "token"].iter().any(|part| key.to_lowercase().contains(part))
}

/// Finds what may be secrets on lines that can't be parsed: the rest of a line after such a key.
fn unparsed(text: &str) -> Vec<Range<usize>> {
    if DeTable::parse(text).is_ok() {
        return Vec::new();
    }
    let mut start = 0;
    let mut places = Vec::new();
    for line in text.split_inclusive('\n') {
        for (at, _) in line.match_indices('=') {
            let key = line[..at].trim_end().trim_end_matches(['"', '\'']);
            let key =
                key.rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-').next().unwrap_or_default();
            let rest = line[at + 1..].trim_start().trim_start_matches('{').trim_start();
            if !key.is_empty() && is_like_secret(key) && !rest.starts_with("env") && !rest.starts_with("file") {
                places.push(start + at + 1..start + line.len());
            }
        }
        start += line.len();
    }
    places
}

#[cfg(test)]
mod tests {
    use super::mask;

    #[test]
    fn secrets_are_masked_and_places_stay_right() {
        for (text, masked) in [
            ("token = \"mật-khẩu\"\nx = 1", "token = \"************\"\nx = 1"),
            ("pasword = 'abc'", "pasword = '***'"),
            ("a = { token = { env = \"NAME\" } }", "a = { token = { env = \"NAME\" } }"),
            ("a = { token = { value = \"abc\" } }", "a = { token = { value = \"***\" } }"),
            ("url = \"mqtt://me:hunter2@host\"", "url = \"mqtt://me:*******@host\""),
            ("token = abc\n[x", "token =****\n[x"),
            ("name = \"press-1\"", "name = \"press-1\""),
        ] {
            assert_eq!(mask(text), masked);
            assert_eq!(mask(text).len(), text.len());
        }
    }
}
