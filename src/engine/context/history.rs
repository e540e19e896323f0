//! What one asset was told, by kind and instant.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::LASTING_MS_MAX;
use crate::model::context::{Context, ContextEvent, Counted};
use crate::model::id::{EventId, OrderId};
use crate::model::time::{Timestamp, Window};

/// Events kept of one asset, at most: one every two and a half minutes for the whole horizon. What comes beyond is
/// counted and kept in the store alone, where a replay with fewer finds it.
pub(super) const EVENTS_MAX: usize = 20_000;

/// What an event is told by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Key {
    /// Its sender's id.
    Id(EventId),
    /// Without one: its instant and what it is about.
    Of(Timestamp, Slot, Option<OrderId>),
}

/// What events are looked up by: kinds of which one replaces another, and quantities by what they count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Slot {
    Product,
    Order,
    Plan,
    Stop,
    Personnel,
    /// At an instant.
    Counted(Counted),
    /// Over a span that ends at the event's instant.
    Spread(Counted),
    Withdrawn,
}

impl Slot {
    const fn of(what: &Context) -> Self {
        match what {
            Context::Product { .. } => Self::Product,
            Context::OrderStart { .. } | Context::OrderEnd { .. } => Self::Order,
            Context::Plan { .. } => Self::Plan,
            Context::Stop { .. } => Self::Stop,
            Context::Personnel { .. } => Self::Personnel,
            Context::Quantity { of, from: None, .. } => Self::Counted(*of),
            Context::Quantity { of, from: Some(_), .. } => Self::Spread(*of),
            Context::Withdrawn => Self::Withdrawn,
        }
    }

    /// Says whether an event stands until the next one.
    const fn is_level(self) -> bool {
        matches!(self, Self::Product | Self::Stop | Self::Personnel)
    }
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// It counts; facts may differ in the span.
    Counts(Window),
    /// It counts instead of one that contradicts it.
    Instead(Window),
    /// One that contradicts it counts instead.
    Beaten,
    /// It was told before.
    Again,
    /// No room.
    Full,
}

/// Time in which an order ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OrderSpan {
    pub(super) from: Timestamp,
    /// Where it never ended: the longest that anything lasts.
    pub(super) to: Timestamp,
    /// It was told when it ended.
    pub(super) has_ended: bool,
    /// Planned quantity, and until when. **Unit**: 10⁻⁶ of the product unit.
    pub(super) planned: Option<(i64, Timestamp)>,
}

/// Everything one asset was told within the horizon.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(in crate::engine) struct History {
    events: BTreeMap<Key, (Timestamp, Context)>,
    /// The same by what it is looked up by. Of a level the last of an instant counts.
    #[serde(skip)]
    index: BTreeMap<(Slot, Timestamp), BTreeSet<(Context, Key)>>,
    /// Worked out of the orders' events, by start.
    #[serde(skip)]
    orders: Vec<OrderSpan>,
    /// Everything older is forgotten.
    forgotten_until: Timestamp,
}

impl History {
    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Returns the history as it was before a checkpoint left out what follows from the events.
    pub(super) fn restored(mut self) -> Self {
        for (key, (at, what)) in &self.events {
            self.index.entry((Slot::of(what), *at)).or_default().insert((what.clone(), key.clone()));
        }
        self.orders = self.order_spans();
        self
    }

    /// Takes an event. Under one key the larger content counts, whichever came first; a withdrawal is the largest.
    pub(super) fn take(&mut self, event: &ContextEvent, now: Timestamp) -> Taken {
        let slot = Slot::of(&event.what);
        let key = match (&event.id, &event.what) {
            (Some(id), _) => Key::Id(id.clone()),
            (None, Context::OrderStart { order, .. } | Context::OrderEnd { order }) => {
                Key::Of(event.at, slot, Some(order.clone()))
            }
            (None, _) => Key::Of(event.at, slot, None),
        };
        let held = self.events.get(&key).cloned();
        match &held {
            Some((at, what)) if (what, at) == (&event.what, &event.at) => return Taken::Again,
            Some((at, what)) if (what, at) > (&event.what, &event.at) => return Taken::Beaten,
            None if self.events.len() >= EVENTS_MAX => return Taken::Full,
            _ => {}
        }
        let mut span = None;
        if let Some((at, what)) = held {
            span = Some(self.span(at, &what, now));
            if let Some(entries) = self.index.get_mut(&(Slot::of(&what), at)) {
                entries.remove(&(what, key.clone()));
            }
            self.index.retain(|_, entries| !entries.is_empty());
            self.orders = self.order_spans();
        }
        self.events.insert(key.clone(), (event.at, event.what.clone()));
        self.index.entry((slot, event.at)).or_default().insert((event.what.clone(), key));
        if slot == Slot::Order {
            self.orders = self.order_spans();
        }
        let own = self.span(event.at, &event.what, now);
        match span {
            None => Taken::Counts(own),
            Some(held) => Taken::Instead(Window { start: own.start.min(held.start), end: own.end.max(held.end) }),
        }
    }

    /// Returns in which span an event of this content can change anything, as far as that is past.
    fn span(&self, at: Timestamp, what: &Context, now: Timestamp) -> Window {
        let slot = Slot::of(what);
        let (start, end) = match what {
            Context::Product { .. } | Context::Stop { .. } | Context::Personnel { .. } => {
                let next = self.events_in(slot, at + 1, now).next();
                (at, next.map_or(now, |(next, _)| next))
            }
            Context::OrderStart { .. } | Context::OrderEnd { .. } => (at, now),
            Context::Plan { until, .. } => (at, *until),
            Context::Quantity { from, .. } => (from.unwrap_or(at), at + 1),
            Context::Withdrawn => (at, at),
        };
        Window { start: start.max(self.forgotten_until), end: end.min(now + 1) }
    }

    /// Returns the events of a slot in `[from, to)`, ascending.
    pub(super) fn events_in(
        &self,
        slot: Slot,
        from: Timestamp,
        to: Timestamp,
    ) -> impl Iterator<Item = (Timestamp, &Context)> {
        let found = self.index.range((slot, from)..(slot, to.max(from)));
        found.flat_map(|((_, at), entries)| entries.iter().map(move |(what, _)| (*at, what)))
    }

    /// Returns what of a level stands at an instant, and since when.
    pub(super) fn level_at(&self, slot: Slot, at: Timestamp) -> Option<(Timestamp, &Context)> {
        let ((found, since), entries) = self.index.range(..=(slot, at)).next_back()?;
        let (what, _) = entries.last().filter(|_| *found == slot)?;
        Some((*since, what))
    }

    pub(super) fn orders(&self) -> &[OrderSpan] {
        &self.orders
    }

    /// Pairs starts with ends. A start of an order that runs and an end of one that doesn't say nothing new.
    fn order_spans(&self) -> Vec<OrderSpan> {
        let mut spans: Vec<OrderSpan> = Vec::new();
        let mut running: BTreeMap<&OrderId, usize> = BTreeMap::new();
        let mut planned: BTreeSet<&OrderId> = BTreeSet::new();
        for (at, what) in self.events_in(Slot::Order, Timestamp(i64::MIN), Timestamp(i64::MAX)) {
            match what {
                Context::OrderStart { order, planned_micro, planned_ms } => {
                    if running.get(order).is_some_and(|place| spans[*place].to > at) {
                        continue;
                    }
                    // An order that goes on is planned once.
                    let first = planned_micro.filter(|_| planned.insert(order));
                    let plan = first.map(|micro| (micro, at + planned_ms.unwrap_or(0).max(1)));
                    running.insert(order, spans.len());
                    spans.push(OrderSpan { from: at, to: at + LASTING_MS_MAX, has_ended: false, planned: plan });
                }
                Context::OrderEnd { order } => {
                    let open = running.remove(order).and_then(|place| spans.get_mut(place));
                    if let Some(span) = open.filter(|span| at <= span.to) {
                        (span.to, span.has_ended) = (at, true);
                    }
                }
                _ => {}
            }
        }
        spans
    }

    /// Returns the newest instant of which something is known; a plan may be of the future.
    pub(super) fn latest(&self) -> Option<Timestamp> {
        self.index.keys().filter(|(slot, _)| *slot != Slot::Plan).map(|(_, at)| *at).max()
    }

    /// Forgets what is older than anything computed, once an hour; of what stands until the next word the last stays,
    /// and so does a start without an end.
    pub(super) fn forget(&mut self, oldest: Timestamp) {
        const EVERY_MS: i64 = 3_600_000;
        if oldest < self.forgotten_until + EVERY_MS {
            return;
        }
        self.forgotten_until = oldest;
        let standing: BTreeSet<(Slot, Timestamp)> = [Slot::Product, Slot::Stop, Slot::Personnel]
            .into_iter()
            .filter_map(|slot| self.level_at(slot, oldest).map(|(at, _)| (slot, at)))
            .collect();
        let ends_before = |at: Timestamp, what: &Context| match what {
            Context::Plan { until, .. } => *until < oldest,
            Context::OrderStart { .. } => at + LASTING_MS_MAX < oldest,
            _ => at < oldest,
        };
        let is_kept = |at: Timestamp, what: &Context| {
            let slot = Slot::of(what);
            !ends_before(at, what) || (slot.is_level() && standing.contains(&(slot, at)))
        };
        let before = self.events.len();
        self.events.retain(|_, (at, what)| is_kept(*at, what));
        if self.events.len() != before {
            for ((_, at), entries) in &mut self.index {
                entries.retain(|(what, _)| is_kept(*at, what));
            }
            self.index.retain(|_, entries| !entries.is_empty());
            self.orders = self.order_spans();
        }
    }
}
