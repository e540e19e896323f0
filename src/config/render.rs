//! Shows problems to people and to programs.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde::Serialize;

use super::secrets;
use crate::model::problem::{Problem, Problems, Severity};

/// A place in a file, both counted from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The character in it.
    pub column: usize,
}

/// Returns the place of a byte offset; an offset beyond the end is the end.
pub fn place(text: &str, offset: usize) -> Place {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    Place { line: 1 + before.matches('\n').count(), column: 1 + before[line_start..].chars().count() }
}

/// Renders problems as a person reads them: path, line and column, the line itself, and what to write instead.
///
/// Lines are shown as they stand in `text`, secrets masked. Order: as given.
pub fn render(problems: &Problems, path: &str, text: &str, color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let masked = secrets::mask(text);
    problems.0.iter().map(|problem| renderer.render(&[group(problem, path, &masked)]) + "\n\n").collect()
}

fn group<'a>(problem: &'a Problem, path: &'a str, text: &'a str) -> Group<'a> {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let group = level.primary_title(problem.message.as_str());
    let span = problem.span.clone().filter(|span| span.end <= text.len() && *span != (0..0));
    let group = match span {
        Some(span) => {
            let snippet = Snippet::source(text).path(path).annotation(AnnotationKind::Primary.span(span));
            group.element(snippet)
        }
        None => group.element(annotate_snippets::Origin::path(path)),
    };
    if problem.help.is_empty() { group } else { group.element(Level::HELP.message(problem.help.as_str())) }
}

/// One problem as a line of JSON.
#[derive(Debug, Serialize)]
struct Line<'a> {
    file: &'a str,
    line: Option<usize>,
    column: Option<usize>,
    severity: &'a str,
    message: &'a str,
    help: &'a str,
}

/// Renders problems as JSON lines: file, line, column, severity, message, help. Line and column are `null` where the
/// matter has no place of its own.
pub fn render_json(problems: &Problems, path: &str, text: &str) -> String {
    problems.0.iter().map(|problem| json_line(problem, path, text) + "\n").collect()
}

fn json_line(problem: &Problem, path: &str, text: &str) -> String {
    let place = problem.span.as_ref().map(|span| place(text, span.start));
    let severity = match problem.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let line = Line {
        file: path,
        line: place.map(|place| place.line),
        column: place.map(|place| place.column),
        severity,
        message: &problem.message,
        help: &problem.help,
    };
    serde_json::to_string(&line).expect("texts and numbers always serialise")
}
