//! How measures merge, as bits: what nearly all of them do is asked once for sixty-four of them.

use super::{MEASURES, Measure, Merge, WORDS};

/// The set bits of a word, lowest first, each as a word of its own.
pub(super) struct Bits(pub(super) u64);

impl Iterator for Bits {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let lowest = self.0 & self.0.wrapping_neg();
        self.0 ^= lowest;
        (lowest != 0).then_some(lowest)
    }
}

/// How every measure merges in one direction.
pub(super) struct Rules {
    of: fn(Measure) -> Merge,
    /// By code: the measure is a sum.
    pub(super) sum: [u64; WORDS],
    /// By code: the measure doesn't merge.
    pub(super) never: [u64; WORDS],
}

pub(super) static OVER_TIME: Rules =
    Rules { of: Measure::over_time, sum: words_of(true, Merge::Sum), never: words_of(true, Merge::Never) };

pub(super) static OVER_ASSETS: Rules =
    Rules { of: Measure::over_assets, sum: words_of(false, Merge::Sum), never: words_of(false, Merge::Never) };

impl Rules {
    pub(super) fn join(&self, measure: Measure, a: i128, b: i128) -> i128 {
        match (self.of)(measure) {
            Merge::Sum => a.saturating_add(b),
            Merge::Max => a.max(b),
            Merge::Min => a.min(b),
            Merge::Never => a,
        }
    }

    pub(super) fn has_never(&self, measure: Measure) -> bool {
        (self.of)(measure) == Merge::Never
    }
}

/// Returns by code which measures merge in a way, over time or over assets.
const fn words_of(over_time: bool, wanted: Merge) -> [u64; WORDS] {
    let mut words = [0; WORDS];
    let mut code = 0;
    while code < MEASURES {
        let measure = Measure::ALL[code];
        let rule = if over_time { measure.over_time() } else { measure.over_assets() };
        if rule as u8 == wanted as u8 {
            words[code / 64] |= 1 << (code % 64);
        }
        code += 1;
    }
    words
}
