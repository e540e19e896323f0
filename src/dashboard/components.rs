//! The health board as rows of a table.

use jiff::tz::TimeZone;

use super::cell::Tile;
use super::format;
use super::language::Language;
use super::words;
use crate::model::time::Timestamp;
use crate::runtime::health::{Component, Health, Status};

/// One component.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// Its name, without the prefix of its kind.
    pub(super) name: String,
    /// How it is, in words.
    pub(super) status: &'static str,
    /// The class of that.
    pub(super) class: &'static str,
    /// What is the matter.
    pub(super) detail: String,
    /// Since when; `None` where it never said.
    pub(super) since: Option<String>,
    /// What it counted.
    pub(super) counts: Vec<Tile>,
}

/// How the whole is, in one sentence.
#[derive(Debug, Clone, Copy)]
pub(super) struct Summary {
    /// The sentence.
    pub(super) words: &'static str,
    /// Its class.
    pub(super) class: &'static str,
}

impl Summary {
    /// Returns the worst state of the board in words.
    pub(super) fn of(health: &Health, language: Language) -> Self {
        let (t, worst) = (language.texts(), health.worst());
        let words = match worst {
            Status::Ok => t.all_well,
            Status::Degraded => t.degraded,
            Status::Failed => t.failed,
        };
        Self { words, class: words::status_class(worst) }
    }
}

impl Row {
    /// Returns a component as a row.
    pub(super) fn of(name: &str, component: &Component, zone: &TimeZone, language: Language) -> Self {
        let count = |(name, value): (&&'static str, &u64)| Tile::new(words::count(name, language), value, language);
        let since = component.since;
        Self {
            name: name.to_owned(),
            status: words::status(component.status, language),
            class: words::status_class(component.status),
            detail: component.detail.clone(),
            since: (since != Timestamp::default()).then(|| format::instant(since, zone, language)),
            counts: component.counts.iter().map(count).collect(),
        }
    }
}
