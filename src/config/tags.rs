//! The tags a configuration declares, to be looked up by what refers to them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_spanned::Spanned;

use super::spelling;
use crate::model::id::TagName;
use crate::model::problem::Problems;
use crate::model::tag::{Meaning, TagSpec};

/// Meanings of one decoding that are looked through, at most.
const LIKE_MAX: usize = 16;

/// Every tag that could be read.
#[derive(Debug, Default)]
pub(super) struct Tags {
    specs: BTreeMap<TagName, TagSpec>,
    /// The meanings so far, by decoding.
    meanings: BTreeMap<String, Vec<Arc<Meaning>>>,
    /// Sources of which a part couldn't be read, so that a tag of theirs may exist all the same.
    unsure: BTreeSet<String>,
    /// The name of a source couldn't be read, so that any tag may exist.
    is_unsure: bool,
}

impl Tags {
    /// Adds the tags of a source.
    pub(super) fn add(&mut self, specs: Vec<TagSpec>) {
        for mut spec in specs {
            self.share(&mut spec);
            self.specs.insert(spec.name.clone(), spec);
        }
    }

    /// Lets a tag share its meaning with an earlier one of the same.
    fn share(&mut self, spec: &mut TagSpec) {
        if !self.meanings.contains_key(&spec.decoding) {
            self.meanings.insert(spec.decoding.clone(), Vec::new());
        }
        let Some(like) = self.meanings.get_mut(&spec.decoding) else { return };
        match like.iter().find(|meaning| **meaning == spec.meaning) {
            Some(meaning) => spec.meaning = Arc::clone(meaning),
            None if like.len() < LIKE_MAX => like.push(Arc::clone(&spec.meaning)),
            None => {}
        }
    }

    /// Remembers that part of a source couldn't be read; `None` where even its name couldn't.
    pub(super) fn doubt(&mut self, source: Option<&str>) {
        match source {
            Some(name) => _ = self.unsure.insert(name.to_owned()),
            None => self.is_unsure = true,
        }
    }

    /// Returns the tag of a name; reports one that nothing declares, unless that can't be known.
    pub(super) fn find(&self, name: &Spanned<TagName>, problems: &mut Problems) -> Option<&TagSpec> {
        let text = name.get_ref().as_str();
        let found = self.specs.get(name.get_ref());
        let source = text.split('.').next().unwrap_or_default();
        if found.is_none() && !self.is_unsure && !self.unsure.contains(source) {
            problems.error(name.span(), format!("no source has a tag \"{text}\""), self.propose(text, source));
        }
        found
    }

    fn propose(&self, text: &str, source: &str) -> String {
        let all = || self.specs.keys().map(TagName::as_str);
        if let Some(near) = spelling::nearest(text, all()) {
            return format!("did you mean \"{near}\"?");
        }
        let own: Vec<&str> = all().filter(|name| name.split('.').next() == Some(source)).collect();
        if own.is_empty() {
            let sources: BTreeSet<&str> = all().filter_map(|name| name.split('.').next()).collect();
            let sources: Vec<&str> = sources.into_iter().collect();
            return format!("a tag starts with the name of a source: {}", sources.join(", "));
        }
        spelling::propose(text, &own, "\"")
    }

    /// Returns every tag, sorted by name.
    pub(super) fn into_specs(self) -> Vec<TagSpec> {
        self.specs.into_values().collect()
    }
}
