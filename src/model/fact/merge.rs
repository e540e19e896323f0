//! Two spans, or two assets, become one: each measure as it declares.

use super::rules::{Bits, OVER_ASSETS, OVER_TIME, Rules};
use super::{Facts, Measure};

impl Facts {
    /// Merges the facts of another span of the same asset.
    pub fn merge_over_time(&mut self, other: &Self) {
        self.merge(other, &OVER_TIME);
    }

    /// Adds a correction of the same span: every measure, a maximum too, since the correction says by how much it grew.
    pub fn correct(&mut self, correction: &Self) {
        correction.iter().for_each(|(measure, amount)| self.add(measure, amount));
    }

    /// Merges the facts of another asset over the same span. A measure that doesn't merge over assets is removed.
    pub fn merge_over_assets(&mut self, other: &Self) {
        self.merge(other, &OVER_ASSETS);
    }

    fn merge(&mut self, other: &Self, rules: &Rules) {
        let is_new = |(mine, theirs): (&u64, &u64)| theirs & !mine != 0;
        if self.present.iter().zip(&other.present).any(is_new) {
            // Once for a window: from then on it has whatever its minutes have.
            for (measure, more) in other.iter() {
                let merged = self.get(measure).map_or(more, |value| rules.join(measure, value, more));
                self.set(measure, merged);
            }
        } else {
            self.merge_known(other, rules);
        }
        if self.present.iter().zip(&rules.never).any(|(present, never)| present & never != 0) {
            let never: Vec<Measure> =
                self.iter().map(|(measure, _)| measure).filter(|measure| rules.has_never(*measure)).collect();
            never.into_iter().for_each(|measure| self.remove(measure));
        }
    }

    /// Merges facts that have no measure which isn't present here. Between two measures that are no sums, or that the
    /// others lack, both lists are alike, and are added as one run.
    fn merge_known(&mut self, other: &Self, rules: &Rules) {
        // Of each list: how far it is merged. `before` counts what is present in earlier words.
        let (mut mine, mut theirs, mut before) = (0, 0, 0);
        for (word, present) in self.present.into_iter().enumerate() {
            for bit in Bits(present & !(rules.sum[word] & other.present[word])) {
                let place = before + (present & (bit - 1)).count_ones() as usize;
                let run = place - mine;
                add_each(&mut self.values[mine..place], &other.values[theirs..theirs + run]);
                theirs += run;
                if other.present[word] & bit != 0 {
                    if let Some(measure) = Measure::ALL.get(word * 64 + bit.trailing_zeros() as usize) {
                        self.values[place] = rules.join(*measure, self.values[place], other.values[theirs]);
                    }
                    theirs += 1;
                }
                mine = place + 1;
            }
            before += present.count_ones() as usize;
        }
        add_each(&mut self.values[mine..], &other.values[theirs..]);
    }
}

fn add_each(sums: &mut [i128], more: &[i128]) {
    sums.iter_mut().zip(more).for_each(|(sum, more)| *sum = sum.saturating_add(*more));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Strategy, prop_assert_eq, proptest};

    use super::{Facts, Measure};
    use crate::model::fact::Merge;

    /// Facts with any measures, of which some don't merge at all.
    fn any_facts() -> impl Strategy<Value = Facts> {
        let one = (0..Measure::ALL.len(), -5..1_000_i128);
        let pairs = proptest::collection::vec(one, 0..60);
        pairs.prop_map(|pairs| pairs.into_iter().map(|(at, value)| (Measure::ALL[at], value)).collect())
    }

    proptest! {
        /// Runs of sums come to what every measure comes to by itself.
        #[test]
        fn facts_merge_measure_by_measure_whatever_both_have(mine in any_facts(), theirs in any_facts(), is_alike: bool) {
            let mut theirs = theirs;
            if is_alike {
                // A minute of a window that has all it has, and perhaps more.
                theirs = theirs.iter().filter(|(measure, _)| mine.get(*measure).is_some()).collect();
            }
            let mut merged = mine.clone();
            merged.merge_over_time(&theirs);
            for measure in Measure::ALL.iter().copied() {
                let expected = match (mine.get(measure), theirs.get(measure)) {
                    (one, None) | (None, one) => one,
                    (Some(a), Some(b)) => Some(match measure.over_time() {
                        Merge::Sum => a + b,
                        Merge::Max => a.max(b),
                        Merge::Min => a.min(b),
                        Merge::Never => a,
                    }),
                };
                let expected = expected.filter(|_| measure.over_time() != Merge::Never);
                prop_assert_eq!(merged.get(measure), expected, "{:?}", measure);
            }
        }
    }
}
