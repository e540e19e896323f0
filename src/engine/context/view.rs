//! What an asset was told, as it held within a span of time.

use super::PERSONNEL_MS_MAX;
use super::history::{History, OrderSpan, Slot};
use crate::engine::plant::{Plant, Product};
use crate::model::context::{Context, Counted};
use crate::model::state::MachineState;
use crate::model::time::{Timestamp, Window};

/// What one asset was told.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct View<'a> {
    history: &'a History,
    plant: &'a Plant,
    asset: usize,
}

/// A part of a span in which one product ran, or none that was told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::engine) struct Slice<'a> {
    pub(in crate::engine) window: Window,
    pub(in crate::engine) product: Option<&'a Product>,
}

impl<'a> View<'a> {
    pub(super) const fn new(history: &'a History, plant: &'a Plant, asset: usize) -> Self {
        Self { history, plant, asset }
    }

    /// Cuts a span where the product changes. A product that the configuration no longer has is none.
    pub(in crate::engine) fn products(&self, window: Window) -> Vec<Slice<'a>> {
        let levels = self.levels(Slot::Product, window);
        let slice = |(window, _, what): (Window, Timestamp, Option<&'a Context>)| {
            let product = match what {
                Some(Context::Product { product: Some(id) }) => self.plant.product(id),
                _ => None,
            };
            Slice { window, product }
        };
        levels.into_iter().map(slice).collect()
    }

    /// Returns planned run time per unit of what runs at an instant: the product's on this asset, or where no product
    /// is told the asset's own. **Unit**: ns.
    pub(in crate::engine) fn run_time_ns(&self, product: Option<&Product>, at: Timestamp) -> Option<i64> {
        match product {
            Some(product) => product.run_time_ns(self.asset, at),
            None => self.plant.assets[self.asset].planned_run_time_per_unit_ns,
        }
    }

    /// Returns the told stops within a span, ascending, each as the state that its reason stands for.
    pub(in crate::engine) fn stops(&self, window: Window) -> Vec<(Timestamp, Timestamp, MachineState)> {
        let stop = |(part, since, what): (Window, Timestamp, Option<&Context>)| {
            let Some(Context::Stop { reason: Some(reason) }) = what else { return None };
            let end = part.end.min(since + super::LASTING_MS_MAX);
            let state = self.plant.stop_reasons.get(reason)?;
            (part.start < end).then_some((part.start, end, *state))
        };
        self.levels(Slot::Stop, window).into_iter().filter_map(stop).collect()
    }

    /// Returns attendance and work of people within a span. **Unit**: ms, of all people together.
    pub(in crate::engine) fn personnel_ms(&self, window: Window) -> (i128, i128) {
        let mut sum = (0, 0);
        for (part, since, what) in self.levels(Slot::Personnel, window) {
            let Some(Context::Personnel { present, working }) = what else { continue };
            let end = part.end.min(since + PERSONNEL_MS_MAX);
            let ms = i128::from(end.ms_since(part.start).max(0));
            sum.0 += i128::from(*present) * ms;
            sum.1 += i128::from(*working) * ms;
        }
        sum
    }

    /// Returns the orders that ran within a span, each with its part of it.
    pub(in crate::engine) fn orders(self, window: Window) -> impl Iterator<Item = Window> + use<'a> {
        let part =
            move |order: &OrderSpan| Window { start: order.from.max(window.start), end: order.to.min(window.end) };
        self.history.orders().iter().map(part).filter(|part| part.start < part.end)
    }

    /// Returns what was planned within a span: by a plan where one covers any of it, else by orders.
    /// **Unit**: 10⁻⁶ of the product unit.
    pub(in crate::engine) fn planned_quantity(&self, window: Window) -> i128 {
        let by_plan = self.plans(window, |plan| match plan {
            Context::Plan { quantity_micro, .. } => *quantity_micro,
            _ => None,
        });
        let by_orders = || {
            let planned = self.history.orders().iter().filter_map(|order| Some((order.from, order.planned?)));
            planned.map(|(from, (micro, until))| spread(micro, Window { start: from, end: until }, window)).sum()
        };
        by_plan.unwrap_or_else(by_orders)
    }

    /// Returns the scrap that plans expect within a span; `None` where no plan covers any of it.
    /// **Unit**: 10⁻⁶ of the product unit.
    pub(in crate::engine) fn planned_scrap(&self, window: Window) -> Option<i128> {
        self.plans(window, |plan| match plan {
            Context::Plan { scrap_micro, .. } => *scrap_micro,
            _ => None,
        })
    }

    fn plans(&self, window: Window, micro: impl Fn(&Context) -> Option<i64>) -> Option<i128> {
        let events = self.history.events_in(Slot::Plan, window.start - super::LASTING_MS_MAX, window.end);
        let part = |(at, what): (Timestamp, &Context)| {
            let Context::Plan { until, .. } = what else { return None };
            let whole = Window { start: at, end: *until };
            (window.start < whole.end).then_some(spread(micro(what)?, whole, window))
        };
        events.filter_map(part).reduce(|a, b| a + b)
    }

    /// Returns the quantity that was told for a span. **Unit**: 10⁻⁶ of the product unit.
    pub(in crate::engine) fn counted(&self, of: Counted, window: Window) -> i128 {
        let at_once = self.history.events_in(Slot::Counted(of), window.start, window.end);
        let at_once =
            at_once.map(|(_, what)| if let Context::Quantity { micro, .. } = what { i128::from(*micro) } else { 0 });
        let over = self.history.events_in(Slot::Spread(of), window.start, window.end + super::LASTING_MS_MAX);
        let over = over.map(|(at, what)| match what {
            Context::Quantity { micro, from: Some(from), .. } => {
                spread(*micro, Window { start: *from, end: at }, window)
            }
            _ => 0,
        });
        at_once.chain(over).sum()
    }

    /// Cuts a span where a level changes: its parts, since when each stands, and what was told; `None` before anything
    /// was.
    fn levels(&self, slot: Slot, window: Window) -> Vec<(Window, Timestamp, Option<&'a Context>)> {
        let history = self.history;
        let before = history.level_at(slot, window.start);
        let (since, what) = before.map_or((window.start, None), |(since, what)| (since, Some(what)));
        let mut parts = vec![(window, since, what)];
        for (at, what) in history.events_in(slot, window.start + 1, window.end) {
            match parts.last_mut() {
                // Of several of one instant the last counts.
                Some((last, since, held)) if last.start == at && *since == at => *held = Some(what),
                Some((last, ..)) => {
                    last.end = at;
                    parts.push((Window { start: at, end: window.end }, at, Some(what)));
                }
                None => {}
            }
        }
        parts
    }
}

/// Returns what of an amount that comes evenly over `whole` falls into `part`, rounded down at each end so that parts
/// sum to the whole.
fn spread(micro: i64, whole: Window, part: Window) -> i128 {
    let length = i128::from(whole.length_ms()).max(1);
    let by = |at: Timestamp| {
        let passed = i128::from(at.clamp(whole.start, whole.end.max(whole.start)).ms_since(whole.start));
        (i128::from(micro) * passed).div_euclid(length)
    };
    by(part.end) - by(part.start)
}
