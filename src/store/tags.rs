//! Lasting numbers for what a configuration calls by position: configurations and tags.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Statement, params};

use super::chunk::ChunkRow;
use super::error::StoreError;
use super::thin::thin;
use crate::model::id::Digest;
use crate::model::tag::{Meaning, SourceIndex, TagIndex, TagKind, TagSpec, Thinning};

/// The stored ids of the open configuration and its tags.
#[derive(Debug)]
pub(super) struct TagIds {
    config: i64,
    by_index: Vec<u32>,
    by_id: BTreeMap<u32, (TagIndex, SourceIndex)>,
    thinned: BTreeMap<u32, (TagKind, Thinning)>,
}

impl TagIds {
    /// Finds the row of each tag; a tag that is new, or has a meaning that it never had, gets its next version.
    pub(super) fn remember(connection: &Connection, config: i64, tags: &[TagSpec]) -> Result<Self, StoreError> {
        let mut by_index = Vec::with_capacity(tags.len());
        let mut by_id = BTreeMap::new();
        let mut thinned = BTreeMap::new();
        let mut memory = Memory::new(connection)?;
        for (index, tag) in (0..).zip(tags) {
            let id = memory.remember(tag)?;
            by_index.push(id);
            by_id.insert(id, (TagIndex(index), tag.source));
            if let Some(thinning) = tag.thinning {
                thinned.insert(id, (tag.kind, thinning));
            }
        }
        Ok(Self { config, by_index, by_id, thinned })
    }

    /// Returns the stored id of the open configuration.
    pub(super) const fn config(&self) -> i64 {
        self.config
    }

    /// Returns how many tags it has.
    pub(super) const fn len(&self) -> usize {
        self.by_index.len()
    }

    /// Says whether the history of any tag is thinned.
    pub(super) fn is_any_thinned(&self) -> bool {
        !self.thinned.is_empty()
    }

    /// Leaves out what a tag's configuration doesn't keep. The first `known` rows are history already.
    pub(super) fn thin(&self, id: u32, rows: &mut [ChunkRow], known: usize) {
        if let Some((kind, thinning)) = self.thinned.get(&id) {
            thin(rows, known, *kind, *thinning);
        }
    }

    /// Returns the stored ids by the tag's position.
    pub(super) fn ids(&self) -> &[u32] {
        &self.by_index
    }

    /// Returns the open configuration's position of a stored tag, and the source that delivers it.
    pub(super) fn index(&self, id: u32) -> Option<(TagIndex, SourceIndex)> {
        self.by_id.get(&id).copied()
    }
}

/// Returns the id of a configuration, kept once for each digest.
pub(super) fn remember_configuration(connection: &Connection, digest: Digest, text: &str) -> Result<i64, StoreError> {
    connection.execute(
        "INSERT INTO configurations (digest, text) VALUES (?1, ?2) ON CONFLICT (digest) DO NOTHING",
        params![digest.0, text],
    )?;
    let id = connection.query_row("SELECT id FROM configurations WHERE digest = ?1", [digest.0], |row| row.get(0))?;
    Ok(id)
}

/// The rows of tags, while many are looked for.
struct Memory<'c> {
    find: Statement<'c>,
    add: Statement<'c>,
    /// The meaning of the last tag, and its text.
    last: Option<(Arc<Meaning>, String)>,
}

impl<'c> Memory<'c> {
    fn new(connection: &'c Connection) -> Result<Self, StoreError> {
        Ok(Self {
            find: connection.prepare("SELECT id FROM tags WHERE name = ?1 AND spec = ?2")?,
            add: connection.prepare(
                "INSERT INTO tags (name, version, spec)
                 SELECT ?1, coalesce(max(version), 0) + 1, ?2 FROM tags WHERE name = ?1 RETURNING id",
            )?,
            last: None,
        })
    }

    /// Returns the row of a tag with its meaning; where there is none, adds one with the tag's next version.
    fn remember(&mut self, tag: &TagSpec) -> Result<u32, StoreError> {
        if self.last.as_ref().is_none_or(|(meaning, _)| !Arc::ptr_eq(meaning, &tag.meaning)) {
            // How long a value holds, or who delivers it, doesn't change what a stored value means.
            let text = serde_json::json!({
                "kind": tag.kind, "unit": tag.unit, "decoding": tag.decoding, "states": tag.states
            });
            self.last = Some((Arc::clone(&tag.meaning), text.to_string()));
        }
        let meaning = self.last.as_ref().map_or("", |(_, text)| text);
        let known: Option<u32> = self.find.query_row([tag.name.as_str(), meaning], |row| row.get(0)).optional()?;
        match known {
            Some(id) => Ok(id),
            None => Ok(self.add.query_row([tag.name.as_str(), meaning], |row| row.get(0))?),
        }
    }
}
