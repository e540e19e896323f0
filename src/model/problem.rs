//! Configuration problems, collected by every room and shown at once.

use std::ops::Range;

/// How serious a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The configuration is refused.
    Error,
    /// It works, but probably not as meant.
    Warning,
}

/// One problem in a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// How serious.
    pub severity: Severity,
    /// Where in the file, in bytes; `None` where the matter has no place of its own.
    pub span: Option<Range<usize>>,
    /// What is wrong: names the thing, the value and the limit; lower-case, no full stop.
    pub message: String,
    /// What to write instead; empty where nothing can be proposed.
    pub help: String,
}

/// The problems found so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// Adds an error.
    pub fn error(
        &mut self,
        span: impl Into<Option<Range<usize>>>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.push(Severity::Error, span.into(), message.into(), help.into());
    }

    /// Adds a warning.
    pub fn warning(
        &mut self,
        span: impl Into<Option<Range<usize>>>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.push(Severity::Warning, span.into(), message.into(), help.into());
    }

    /// Says whether the configuration must be refused.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|problem| problem.severity == Severity::Error)
    }

    fn push(&mut self, severity: Severity, span: Option<Range<usize>>, message: String, help: String) {
        self.0.push(Problem { severity, span, message, help });
    }
}
