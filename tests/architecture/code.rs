//! Source files as the rules see them: without comments, literals and test modules, and the paths they name.

use std::path::Path;

/// One source file: its path from the root of the repository, and its text.
pub(crate) struct File {
    /// With `/` between its parts.
    pub(crate) path: String,
    /// As it stands.
    pub(crate) text: String,
    /// Compiled for tests only, as a whole.
    only_tests: bool,
}

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below a folder of the repository, by path.
pub(crate) fn tree(folder: &str) -> Vec<File> {
    let mut files = Vec::new();
    let mut open = vec![root().join(folder)];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
                files.push(File::new(&name, &std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let test_modules: Vec<Vec<String>> = files.iter().flat_map(File::test_modules).collect();
    for file in &mut files {
        let module = file.module();
        file.only_tests = test_modules.iter().any(|of| module.starts_with(of));
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// Places where a file outside `homes` (files, or folders that end in `/`) says one of `words`.
pub(crate) fn outside(file: &File, words: &[&str], homes: &[&str]) -> Vec<String> {
    let at_home = homes.iter().any(|home| file.path == *home || (home.ends_with('/') && file.path.starts_with(home)));
    if at_home { Vec::new() } else { words_of(file, words) }
}

/// Lines that say one of `words`, as whole words of the code.
pub(crate) fn words_of(file: &File, words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (number, line) in file.code().lines().enumerate() {
        for word in line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
            if words.contains(&word) {
                found.push(format!("line {} names `{word}`", number + 1));
            }
        }
    }
    found
}

impl File {
    /// A file that is not on disk.
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned(), only_tests: false }
    }

    /// The module path: `src/a/b.rs` and `src/a/b/mod.rs` are `[a, b]`; empty for `lib.rs` and `main.rs`.
    pub(crate) fn module(&self) -> Vec<String> {
        let inner = self.path.trim_start_matches("src/").trim_end_matches(".rs");
        let mut parts: Vec<String> = inner.split('/').map(str::to_owned).collect();
        if matches!(parts.last().map(String::as_str), Some("mod" | "lib" | "main")) {
            parts.pop();
        }
        parts
    }

    /// The code: comments, string and character literals and test modules are blanked, line breaks stay.
    pub(crate) fn code(&self) -> String {
        if self.only_tests {
            return String::new();
        }
        without_tests(&without_comments_and_literals(&self.text))
    }

    /// The modules in other files that this one declares for tests only, as module paths.
    pub(crate) fn test_modules(&self) -> Vec<Vec<String>> {
        let code = without_comments_and_literals(&self.text);
        let declared = code.split("#[cfg(test)]").skip(1).filter_map(|rest| {
            let item = rest.trim_start().trim_start_matches("pub(crate)").trim_start().strip_prefix("mod ")?;
            let (name, _) = item.split_once(';')?;
            name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_').then(|| name.to_owned())
        });
        declared.map(|name| [self.module(), vec![name]].concat()).collect()
    }

    /// Every path into this crate that the code names, from the crate's root.
    pub(crate) fn paths(&self) -> Vec<String> {
        let code = self.code();
        let mut found = Vec::new();
        let mut from = 0;
        while let Some((at, word)) = next_root(&code, from) {
            from = at + word.len();
            let mut base = self.module();
            let mut rest = &code[from..];
            if word == "crate" {
                base.clear();
            } else {
                base.pop();
                while let Some(more) = rest.strip_prefix("::super") {
                    base.pop();
                    rest = more;
                }
            }
            from = code.len() - rest.len();
            let Some(tail) = rest.strip_prefix("::") else { continue };
            let mut leaves = Vec::new();
            expand(tail, &base.join("::"), &mut leaves);
            found.extend(leaves);
        }
        found
    }
}

/// The next whole word `crate` or `super` at or after `from`.
fn next_root(code: &str, from: usize) -> Option<(usize, &'static str)> {
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let whole = |at: usize, word: &str| {
        (at == 0 || !is_word(code.as_bytes()[at - 1]))
            && code.as_bytes().get(at + word.len()).is_none_or(|b| !is_word(*b))
    };
    let find = |word: &'static str| {
        code[from..].match_indices(word).map(|(at, _)| from + at).find(|at| whole(*at, word)).map(|at| (at, word))
    };
    [find("crate"), find("super")].into_iter().flatten().min()
}

/// Expands one use tree or path that starts at `text` into the full paths of its leaves; returns what follows it.
fn expand<'a>(text: &'a str, base: &str, leaves: &mut Vec<String>) -> &'a str {
    let join = |name: &str| if base.is_empty() { name.to_owned() } else { format!("{base}::{name}") };
    let text = text.trim_start();
    if let Some(mut inner) = text.strip_prefix('{') {
        loop {
            inner = inner.trim_start();
            if let Some(rest) = inner.strip_prefix('}') {
                return rest;
            }
            inner = expand(inner, base, leaves).trim_start();
            if let Some(alias) = inner.strip_prefix("as ") {
                inner =
                    alias.trim_start().trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_').trim_start();
            }
            match inner.strip_prefix(',') {
                Some(rest) => inner = rest,
                None if inner.starts_with('}') => {}
                None => return inner,
            }
        }
    }
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    match rest.strip_prefix("::") {
        Some(deeper) if !deeper.starts_with('<') => expand(deeper, &join(name), leaves),
        _ if name == "self" || name.is_empty() => {
            leaves.push(base.to_owned());
            rest
        }
        _ => {
            leaves.push(join(name));
            rest
        }
    }
}

fn without_comments_and_literals(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < bytes.len() {
        let rest = &text[at..];
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if let Some(length) = raw_string(rest, at.checked_sub(1).map(|before| bytes[before])) {
            length
        } else if rest.starts_with('"') {
            quoted(rest, '"')
        } else if rest.starts_with('\'') && is_char_literal(rest) {
            quoted(rest, '\'')
        } else {
            0
        };
        if skipped > 0 {
            out.extend(rest[..skipped].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            at += skipped;
        } else {
            let c = rest.chars().next().unwrap_or(' ');
            out.push(c);
            at += c.len_utf8();
        }
    }
    out
}

fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

fn raw_string(rest: &str, before: Option<u8>) -> Option<usize> {
    if before.is_some_and(|b| (b.is_ascii_alphanumeric() && b != b'b') || b == b'_') {
        return None;
    }
    let marks = rest.strip_prefix('r')?;
    let hashes = marks.len() - marks.trim_start_matches('#').len();
    let body = marks[hashes..].strip_prefix('"')?;
    let close = format!("\"{}", "#".repeat(hashes));
    let end = body.find(&close).map_or(body.len(), |found| found + close.len());
    Some(1 + hashes + 1 + end)
}

fn quoted(rest: &str, mark: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == mark => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// A quote opens a character literal if the literal closes after one character or escape; else it is a lifetime.
fn is_char_literal(rest: &str) -> bool {
    let mut inner = rest.chars().skip(1);
    match inner.next() {
        Some('\\') => true,
        Some(_) => inner.next() == Some('\''),
        None => false,
    }
}

/// Blanks each item that follows `#[cfg(test)]`, to its closing brace or semicolon.
fn without_tests(code: &str) -> String {
    let mut out = code.to_owned();
    while let Some(at) = out.find("#[cfg(test)]") {
        let body = &out[at..];
        let open = body.find('{').unwrap_or(body.len());
        let end = match body.find(';') {
            Some(semicolon) if semicolon < open => semicolon + 1,
            _ => closing_brace(body, open),
        };
        let blank: String = body[..end].chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
        out.replace_range(at..at + end, &blank);
    }
    out
}

fn closing_brace(body: &str, open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, c) in body.char_indices().skip_while(|(at, _)| *at < open) {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => return at + 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    body.len()
}
