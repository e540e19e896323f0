//! Meters that a person says were swapped: the old one's last growth and the new one's first, and nothing between.
//!
//! A swap can be told before the new meter's first reading or after it. Its time may lie somewhat off the break in the
//! readings, because people's clocks do.

use super::{Booking, Counter, Limits, Line, Reading, Seam, Share, Step, Suspect, ToldSwap};
use crate::model::swap::SwapOutcome;
use crate::model::time::{MINUTE_MS, Timestamp};

/// How far the time that a person gives for a swap may lie off the break in the readings. **Unit**: ms.
const TOLD_OFF_MS: i64 = 60 * MINUTE_MS;

impl Counter {
    /// Takes a told swap: at once where the new meter was read already, else it waits for its first reading.
    pub(in crate::engine) fn tell(&mut self, limits: &Limits, swap: ToldSwap, steps: &mut Vec<Step>) {
        let Some(line) = self.line else { return self.wait(swap) };
        if let Some(suspect) = self.suspect.filter(|suspect| fit(line.last, suspect.first, swap) == Fit::Holds) {
            return self.replace_suspect(limits, line, suspect, swap, steps);
        }
        let fits: Vec<Fit> = self.seams.iter().map(|seam| fit(seam.from, seam.to, swap)).collect();
        let off = |place: &usize| off_ms(swap.at, self.seams[*place].from.at, self.seams[*place].to.at);
        let best = (0..fits.len()).filter(|place| fits[*place] == Fit::Holds).min_by_key(off);
        if let Some(seam) = best.and_then(|place| self.seams.remove(place)) {
            return self.mend(limits, seam, swap, steps);
        }
        if swap.at > line.last.at {
            return self.wait(swap);
        }
        let is_recent = line.last.at.ms_since(swap.at) <= TOLD_OFF_MS;
        let is_contradicted = fits.contains(&Fit::Contradicts) || swap.old_final < line.last.value;
        match (is_recent, is_contradicted) {
            (true, false) => self.wait(swap),
            (_, true) => steps.push(Step::Swapped(swap.id, SwapOutcome::Contradicted)),
            (false, false) => steps.push(Step::Swapped(swap.id, SwapOutcome::NoBreak)),
        }
    }

    /// Lets a waiting swap explain the break that was just found.
    pub(super) fn explain(&mut self, limits: &Limits, steps: &mut Vec<Step>) {
        let Some(seam) = self.seams.back().copied() else { return };
        let found = self.swaps.iter().position(|swap| fit(seam.from, seam.to, *swap) == Fit::Holds);
        if let Some(place) = found {
            self.seams.pop_back();
            let swap = self.swaps.remove(place);
            self.mend(limits, seam, swap, steps);
        }
    }

    fn wait(&mut self, swap: ToldSwap) {
        self.swaps.push(swap);
        self.swaps.sort_by_key(|swap| (swap.at, swap.id));
    }

    /// What is suspected is the new meter: the line goes on from its first reading.
    fn replace_suspect(
        &mut self,
        limits: &Limits,
        line: Line,
        suspect: Suspect,
        swap: ToldSwap,
        steps: &mut Vec<Step>,
    ) {
        self.suspect = None;
        self.mend(limits, Seam { from: line.last, to: suspect.first, booked: None }, swap, steps);
        self.settle(suspect);
    }

    /// Books anew what lies between two readings of different meters.
    fn mend(&mut self, limits: &Limits, seam: Seam, swap: ToldSwap, steps: &mut Vec<Step>) {
        let Seam { from, to, booked } = seam;
        if let Some(booking) = booked {
            steps.push(Step::Book(Booking { amount: -booking.amount, ..booking }));
        }
        let at = swap.at.clamp(from.at, to.at);
        self.bridge(limits, from, Reading { at, value: swap.old_final }, steps);
        self.bridge(limits, Reading { at, value: swap.new_initial }, to, steps);
        self.left = None;
        steps.push(Step::Swapped(swap.id, SwapOutcome::Applied));
    }

    /// Books the growth between two readings of one meter, of which one was told.
    fn bridge(&self, limits: &Limits, from: Reading, to: Reading, steps: &mut Vec<Step>) {
        let amount = to.value - from.value;
        if amount <= 0 {
            return;
        }
        let is_beyond =
            limits.max_per_second.is_some_and(|limit| amount * 1_000 > limit * i128::from(to.at.ms_since(from.at)));
        let is_gap = to.at.ms_since(from.at) > limits.hold_ms;
        let share = match (is_beyond, is_gap) {
            (true, _) => Share::Excluded,
            (false, true) => Share::Substituted,
            (false, false) => Share::Counted,
        };
        steps.push(Step::Book(Booking { from: from.at, to: to.at, amount, share }));
    }

    /// Lets the waiting swaps that a reading passes take over, so that it is the new meter's.
    pub(super) fn take_over(&mut self, limits: &Limits, reading: Reading, steps: &mut Vec<Step>) {
        while let Some(swap) = self.swaps.first().copied().filter(|swap| swap.at <= reading.at) {
            let old = self.line.map(|line| line.last).or(self.predecessor);
            let is_still_old = old.is_some_and(|old| is_still_old(old, reading, swap));
            if is_still_old && reading.at.ms_since(swap.at) <= TOLD_OFF_MS {
                return;
            }
            self.swaps.remove(0);
            if is_still_old {
                steps.push(Step::Swapped(swap.id, SwapOutcome::NoBreak));
                continue;
            }
            if old.is_some_and(|old| swap.old_final < old.value) {
                steps.push(Step::Swapped(swap.id, SwapOutcome::Contradicted));
                continue;
            }
            let at = old.map_or(swap.at, |old| swap.at.max(old.at));
            if let Some(old) = old {
                self.bridge(limits, old, Reading { at, value: swap.old_final }, steps);
            }
            (self.suspect, self.left, self.predecessor) = (None, None, None);
            self.line = Some(Line::at(Reading { at, value: swap.new_initial }));
            steps.push(Step::Swapped(swap.id, SwapOutcome::Applied));
        }
    }
}

/// How a swap and two neighbouring readings go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fit {
    /// The second one may be the new meter's.
    Holds,
    /// There is a break at that time, but not one of such meters.
    Contradicts,
    /// The swap was at another time, or both readings are the old meter's.
    Elsewhere,
}

fn fit(from: Reading, to: Reading, swap: ToldSwap) -> Fit {
    if off_ms(swap.at, from.at, to.at) > TOLD_OFF_MS || is_still_old(from, to, swap) {
        Fit::Elsewhere
    } else if swap.old_final >= from.value && to.value >= swap.new_initial {
        Fit::Holds
    } else {
        Fit::Contradicts
    }
}

/// A reading between the old meter's last one and its final one is still the old meter's: the person's clock may be
/// ahead of ours. Not where the new meter starts in that range.
fn is_still_old(old: Reading, reading: Reading, swap: ToldSwap) -> bool {
    let range = old.value..=swap.old_final;
    range.contains(&reading.value) && !range.contains(&swap.new_initial)
}

/// Returns how far an instant lies outside `[from, to]`. **Unit**: ms.
fn off_ms(at: Timestamp, from: Timestamp, to: Timestamp) -> i64 {
    from.ms_since(at).max(at.ms_since(to)).max(0)
}
