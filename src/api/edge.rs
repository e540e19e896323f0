//! The box's own figures: from minute facts and records of its store.
//!
//! A window that has a record is answered with the record, facts and values; any other is computed from its minute
//! facts by the functions that made the records.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::gateways::{GatewayBody, StreamBody};
use super::health::JsonInteger;
use super::origins::{Origin, Tag};
use super::problem::Outcome;
use super::scopes::{ScopeBody, ScopeKind};
use crate::engine::context_of;
use crate::engine::kpi::{self, KpiContext, KpiDefinition};
use crate::engine::plant::{Asset, Plant};
use crate::model::fact::Facts;
use crate::model::id::{AssetId, GatewayId};
use crate::model::record::{Flag, KpiId, KpiValue, Level, Reason, WindowRecord};
use crate::model::tag::{TagIndex, TagSpec};
use crate::model::time::{Grain, MINUTE_MS, Timestamp, Window};
use crate::store::{Reader, StoreError};
use crate::wire::figure::{Figure, Query, Scope};
use crate::wire::problem::Problem;

/// Minutes of facts read at a time: bounds the memory of a window of months.
const READ_MS: i64 = 1_440 * MINUTE_MS;

/// A box.
#[derive(Debug)]
pub struct Edge {
    /// Its id.
    pub gateway: GatewayId,
    /// RFC 7638 thumbprint of the key it signs with.
    pub key_thumbprint: String,
    /// The plant it measures.
    pub plant: Arc<Plant>,
    /// What it has measured.
    pub reader: Reader,
}

impl Edge {
    /// Returns the figures of a query: by window, then KPI in the order asked for. `now` is plant time.
    ///
    /// # Errors
    /// 404 for a scope that is not of this box, 503 where the store can't be read.
    pub fn figures(&self, query: &Query, now: Timestamp) -> Outcome<Vec<Figure>> {
        let asset = self.asset(&query.scope)?;
        self.figures_of(asset, query, now).map_err(|error| super::store_problem(&error))
    }

    /// Returns what figures can be asked for: the site first, each asset after its parent.
    pub fn scopes(&self) -> Vec<ScopeBody> {
        let scope = |asset: &Asset| ScopeBody {
            scope: self.scope(asset),
            kind: match asset.level {
                Level::Site => ScopeKind::Site,
                Level::Area => ScopeKind::Area,
                Level::Line => ScopeKind::Line,
                Level::Unit => ScopeKind::Unit,
            },
            name: asset.name.clone(),
            parent: asset.parent.and_then(|parent| self.plant.assets.get(parent)).map(|parent| self.scope(parent)),
            product_unit: Some(asset.product_unit.as_str()),
        };
        self.plant.assets.iter().map(scope).collect()
    }

    /// Returns the tags that feed a scope: the asset's own, and those of everything below it.
    ///
    /// # Errors
    /// 404 for a scope that is not of this box.
    pub fn origins(&self, scope: &Scope) -> Outcome<Vec<Origin>> {
        let asset = self.asset(scope)?;
        let assets = &self.plant.assets;
        let is_part = |of: &&Asset| {
            std::iter::successors(Some(*of), |of| of.parent.and_then(|parent| assets.get(parent)))
                .any(|of| of.id == asset.id)
        };
        let tags: BTreeSet<TagIndex> = assets.iter().filter(is_part).flat_map(Asset::inputs).collect();
        let named = tags.into_iter().filter_map(|tag| self.plant.tags.get(tag.as_usize()));
        let origin = |tag: &TagSpec| Origin::Tag(Tag { gateway: self.gateway.clone(), tag: tag.name.clone() });
        Ok(named.map(origin).collect())
    }

    /// Returns this box as a gateway, with what it has cut and what was delivered.
    ///
    /// # Errors
    /// 503 where the store can't be read.
    pub fn gateway(&self) -> Outcome<GatewayBody> {
        let streams = self.streams().map_err(|error| super::store_problem(&error))?;
        Ok(GatewayBody {
            gateway: self.gateway.clone(),
            site: self.plant.site.clone(),
            connected: true,
            first_seen: None,
            last_seen: None,
            key_thumbprint: Some(self.key_thumbprint.clone()),
            status: None,
            streams,
        })
    }

    /// Returns the scope of an asset; the site itself is a site, not an asset.
    pub fn scope(&self, asset: &Asset) -> Scope {
        let site = self.plant.site.clone();
        match asset.level {
            Level::Site => Scope::Site(site),
            _ => Scope::Asset(site, asset.id.clone()),
        }
    }

    fn streams(&self) -> Result<Vec<StreamBody>, StoreError> {
        let heads = self.reader.heads()?;
        heads
            .into_iter()
            .map(|(stream, head)| {
                let delivered = Some(JsonInteger(self.reader.cursor(stream.as_str())?));
                let last_page = JsonInteger(head.seq);
                Ok(StreamBody { stream, epoch: head.epoch, last_page, head_hash: head.hash, delivered, forked: None })
            })
            .collect()
    }

    fn asset(&self, scope: &Scope) -> Outcome<&Asset> {
        let assets = &self.plant.assets;
        let found = match scope {
            Scope::Site(site) if *site == self.plant.site => assets.first(),
            Scope::Asset(site, id) if *site == self.plant.site => assets.iter().find(|asset| asset.id == *id),
            _ => None,
        };
        let unknown = || {
            Problem::not_found(format!(
                "{scope} is not of this box, which measures site {}; /api/v1/scopes lists what can be asked for",
                self.plant.site
            ))
        };
        found.ok_or_else(|| unknown().into())
    }

    fn figures_of(&self, asset: &Asset, query: &Query, now: Timestamp) -> Result<Vec<Figure>, StoreError> {
        let windows = self.plant.site_calendar().windows(query.grain, query.from, query.to);
        let (Some(first), Some(last)) = (windows.first(), windows.last()) else { return Ok(Vec::new()) };
        let records = self.reader.records(&asset.id, query.grain, first.start, last.end)?;
        let records: BTreeMap<Window, WindowRecord> =
            records.into_iter().map(|record| (record.window, record)).collect();
        let measured_until = self.measured_until(&asset.id)?;
        let inputs = self.inputs(&asset.id)?;
        let mut figures = Vec::with_capacity(windows.len() * query.kpis.len());
        for window in windows {
            let answer = match records.get(&window) {
                Some(record) => Answer { record: Some(record), facts: Cow::Borrowed(&record.facts), closed: true },
                None => {
                    let begun = window.start < now;
                    let facts = if begun { self.merge(&asset.id, window)? } else { Facts::default() };
                    let closed = measured_until.is_some_and(|until| until >= window.end);
                    Answer { record: None, facts: Cow::Owned(facts), closed }
                }
            };
            let context = self.context(asset, window, &answer.facts);
            figures.extend(query.kpis.iter().filter_map(|id| {
                let definition = kpi::find(id.as_str())?;
                Some(answer.figure(definition, asset, query.grain, window, &context, inputs.as_ref()))
            }));
        }
        Ok(figures)
    }

    /// Merges the minute facts of a window.
    fn merge(&self, asset: &AssetId, window: Window) -> Result<Facts, StoreError> {
        let mut sum = Facts::default();
        let mut from = window.start;
        while from < window.end {
            let to = (from + READ_MS).min(window.end);
            self.reader.facts(asset, from, to)?.iter().for_each(|(_, facts)| sum.merge_over_time(facts));
            from = to;
        }
        Ok(sum)
    }

    /// Returns up to where the asset's minutes are closed, by its own watermark; of an asset that has no facts, the box's
    /// newest. `None` before the first.
    fn measured_until(&self, asset: &AssetId) -> Result<Option<Timestamp>, StoreError> {
        let mut newest = self.reader.latest_minute(asset)?;
        if newest.is_none() {
            for other in &self.plant.assets {
                newest = newest.max(self.reader.latest_minute(&other.id)?);
            }
        }
        Ok(newest.map(|minute| minute + MINUTE_MS))
    }

    /// Returns the measures an asset has, each 0: what tells an asset without an input from one that was not measured.
    /// `None` where it was never measured.
    fn inputs(&self, asset: &AssetId) -> Result<Option<Facts>, StoreError> {
        let Some(minute) = self.reader.latest_minute(asset)? else { return Ok(None) };
        let latest = self.reader.facts(asset, minute, minute + MINUTE_MS)?;
        Ok(latest.first().map(|(_, facts)| facts.iter().map(|(measure, _)| (measure, 0)).collect()))
    }

    /// Returns what KPIs of an asset's window need beside facts.
    fn context(&self, asset: &Asset, window: Window, facts: &Facts) -> KpiContext {
        let plant = &self.plant;
        let position = plant.assets.iter().position(|known| known.id == asset.id).unwrap_or_default();
        context_of(plant, position, window, facts)
    }
}

/// What a window is answered from.
struct Answer<'a> {
    /// The record, where there is one.
    record: Option<&'a WindowRecord>,
    facts: Cow<'a, Facts>,
    closed: bool,
}

impl Answer<'_> {
    fn figure(
        &self,
        definition: &KpiDefinition,
        asset: &Asset,
        grain: Grain,
        window: Window,
        context: &KpiContext,
        inputs: Option<&Facts>,
    ) -> Figure {
        let value = match self.record {
            Some(record) => of_record(record, definition, grain, context),
            None if self.facts.is_empty() => not_measured(definition, grain, context, inputs),
            None => of_one_asset(kpi::evaluate(definition, &self.facts, grain, context)),
        };
        Figure {
            window,
            value: if self.closed { value } else { with_flag(value, Flag::WindowOpen) },
            revision: self.record.map(|record| record.revision),
            closed: self.closed,
            facts: self.facts.only(definition.reveals()),
            product_unit: Some(asset.product_unit),
            sites_reporting: u32::from(!self.facts.is_empty()),
            sites_expected: 1,
            reported: None,
        }
    }
}

/// Returns the record's own value; a record leaves out what its asset never has, which its facts say again.
fn of_record(record: &WindowRecord, definition: &KpiDefinition, grain: Grain, context: &KpiContext) -> KpiValue {
    let is_asked = |value: &&KpiValue| value.kpi == definition.id;
    let own = record.kpis.iter().find(is_asked).cloned();
    own.unwrap_or_else(|| kpi::evaluate(definition, &record.facts, grain, context))
}

/// One asset's facts always merge over time. What they lack, as a half-hour block that isn't complete, is not measured.
fn of_one_asset(mut value: KpiValue) -> KpiValue {
    if value.reason == Some(Reason::NotMergeable) {
        value.reason = Some(Reason::NoData);
    }
    value
}

/// Returns the value of a window in which nothing was measured: `no_data`, unless the asset could never have it.
fn not_measured(definition: &KpiDefinition, grain: Grain, context: &KpiContext, inputs: Option<&Facts>) -> KpiValue {
    let empty = Facts::default();
    let value = kpi::evaluate(definition, inputs.unwrap_or(&empty), grain, context);
    let reason = match value.reason {
        Some(Reason::BelowFinestGrain) => Reason::BelowFinestGrain,
        Some(Reason::NoInput) if inputs.is_some() => Reason::NoInput,
        _ => Reason::NoData,
    };
    KpiValue {
        kpi: KpiId::clone(&definition.id),
        method: definition.method,
        value: None,
        reason: Some(reason),
        coverage: matches!(reason, Reason::NoData).then_some(0.0),
        shares: None,
        flags: Vec::new(),
        factors: Vec::new(),
    }
}

fn with_flag(mut value: KpiValue, flag: Flag) -> KpiValue {
    value.flags.push(flag);
    value.flags.sort_unstable();
    value.flags.dedup();
    value
}
