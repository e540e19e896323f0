//! What one destination may see: a policy with the facts that its KPIs reveal, and how one share compares with another.
//!
//! A share that lets out what another one keeps is wider, and needs the factory's word before a page is cut after it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::page::{Page, canonical, hash};
use super::stream::{MeasuresOf, reveals};
use crate::model::fact::Measure;
use crate::model::id::Digest;
use crate::model::record::{KpiId, Level};
use crate::model::share::SharePolicy;
use crate::model::time::Grain;

/// What one destination may see, as a policy page states it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Share {
    /// What may leave.
    pub policy: SharePolicy,
    /// The measures that go out with each KPI, by name, in the order of the measures' codes.
    pub reveals: BTreeMap<String, Vec<String>>,
}

/// What a share lets out that another one keeps.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Beyond {
    /// KPIs that would newly leave.
    pub kpis: Vec<KpiId>,
    /// The level that goes out, where it is finer: before, then.
    pub level: Option<(Level, Level)>,
    /// The grain that goes out, where it tells more: before, then.
    pub grain: Option<(Grain, Grain)>,
    /// Facts that would newly leave, by name.
    pub facts: Vec<String>,
}

impl Share {
    /// Returns the share of a policy.
    pub fn of(policy: &SharePolicy, measures_of: MeasuresOf) -> Self {
        Self { policy: policy.clone(), reveals: reveals(policy, measures_of) }
    }

    /// Returns the share that a policy page states; `None` of another page.
    pub fn stated(page: &Page) -> Option<Self> {
        page.policy.as_ref().map(|policy| Self { policy: policy.clone(), reveals: page.reveals.clone() })
    }

    /// Returns what keeps all of this share inside.
    pub fn kept_whole(&self) -> Self {
        Self { policy: SharePolicy { kpis: Vec::new(), ..self.policy.clone() }, reveals: BTreeMap::new() }
    }

    /// Returns its digest: SHA-256 of its canonical JSON.
    pub fn digest(&self) -> Digest {
        hash(&canonical(self))
    }

    /// Returns the measures that go out, in the order of their codes.
    pub fn measures(&self) -> Vec<Measure> {
        let facts = self.facts();
        Measure::ALL.iter().copied().filter(|measure| facts.contains(measure.as_str())).collect()
    }

    fn facts(&self) -> BTreeSet<&str> {
        self.reveals.values().flatten().map(String::as_str).collect()
    }

    /// Returns what this share lets out that `agreed` keeps.
    pub fn beyond(&self, agreed: &Self) -> Beyond {
        let (asked, held) = (&self.policy, &agreed.policy);
        let known = agreed.facts();
        Beyond {
            kpis: asked.kpis.iter().filter(|kpi| !held.kpis.contains(kpi)).cloned().collect(),
            // Levels are ordered widest first.
            level: (asked.level > held.level).then_some((held.level, asked.level)),
            grain: (!merges_into(held.grain, asked.grain)).then_some((held.grain, asked.grain)),
            facts: self.facts().difference(&known).map(|fact| (*fact).to_owned()).collect(),
        }
    }

    /// Returns what both this share and `agreed` let out.
    ///
    /// Where neither grain can be merged from the other, that is nothing.
    pub fn common(&self, agreed: &Self) -> Self {
        let (asked, held) = (&self.policy, &agreed.policy);
        let grain = if merges_into(held.grain, asked.grain) { asked.grain } else { held.grain };
        let is_common = merges_into(held.grain, asked.grain) || merges_into(asked.grain, held.grain);
        let kpis = asked.kpis.iter().filter(|kpi| is_common && held.kpis.contains(kpi)).cloned().collect();
        let policy = SharePolicy { kpis, level: asked.level.min(held.level), grain };
        let known = agreed.facts();
        let reveals = policy.kpis.iter().filter_map(|kpi| {
            let facts = self.reveals.get(kpi.as_str())?;
            Some((kpi.to_string(), facts.iter().filter(|fact| known.contains(fact.as_str())).cloned().collect()))
        });
        Self { reveals: reveals.collect(), policy }
    }
}

impl Beyond {
    /// Says whether there is nothing.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// In words, for logs and the health board.
impl fmt::Display for Beyond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |what: &str, names: Vec<&str>| match names.is_empty() {
            true => None,
            false => Some(format!("{what} {}", names.join(", "))),
        };
        let parts = [
            list("KPI", self.kpis.iter().map(KpiId::as_str).collect()),
            self.level.map(|(held, asked)| format!("level {} instead of {}", asked.as_str(), held.as_str())),
            self.grain.map(|(held, asked)| format!("grain {asked} instead of {held}")),
            list("facts", self.facts.iter().map(String::as_str).collect()),
        ];
        f.write_str(&parts.into_iter().flatten().collect::<Vec<_>>().join("; "))
    }
}

/// Says whether every window of `coarse` is made of whole windows of `fine`, so that it tells nothing more. Of a shift
/// only minutes are sure to be parts, and it is sure to be a part of nothing.
fn merges_into(fine: Grain, coarse: Grain) -> bool {
    fine == coarse || fine == Grain::Minute || (fine != Grain::Shift && coarse != Grain::Shift && fine < coarse)
}

#[cfg(test)]
mod tests {
    use super::{Grain, KpiId, Level, Share, SharePolicy};
    use crate::ledger::fixture::measures_of;

    fn share(kpis: &[&'static str], level: Level, grain: Grain) -> Share {
        let kpis = kpis.iter().copied().map(KpiId::of).collect();
        Share::of(&SharePolicy { kpis, level, grain }, measures_of)
    }

    fn agreed() -> Share {
        share(&["electricity"], Level::Line, Grain::Hour)
    }

    /// Asserts what would newly leave, and that what is common is within both.
    fn check(asked: &Share, beyond: &str, common: &Share) {
        assert_eq!(asked.beyond(&agreed()).to_string(), beyond);
        assert_eq!(asked.beyond(&agreed()).is_nothing(), beyond.is_empty());
        let found = asked.common(&agreed());
        assert_eq!(&found, common, "{beyond}");
        assert!(found.beyond(&agreed()).is_nothing(), "{:?}", found.beyond(&agreed()));
        let more = found.beyond(asked);
        assert!(found.policy.kpis.is_empty() || more.is_nothing(), "{more:?}");
    }

    #[test]
    fn the_same_or_a_narrower_share_lets_nothing_more_out() {
        for same_or_less in [
            agreed(),
            share(&[], Level::Line, Grain::Hour),
            share(&["electricity"], Level::Site, Grain::Hour),
            share(&["electricity"], Level::Area, Grain::Day),
            share(&["electricity"], Level::Line, Grain::Year),
        ] {
            check(&same_or_less, "", &same_or_less);
        }
    }

    #[test]
    fn a_wider_share_is_told_by_what_would_newly_leave_and_leaves_as_it_was() {
        check(&share(&["electricity", "oee"], Level::Line, Grain::Hour), "KPI oee; facts apt_ms", &agreed());
        check(&share(&["electricity"], Level::Unit, Grain::Hour), "level unit instead of line", &agreed());
        check(&share(&["electricity"], Level::Line, Grain::QuarterHour), "grain 15min instead of hour", &agreed());
        check(&share(&["electricity"], Level::Line, Grain::Minute), "grain minute instead of hour", &agreed());
    }

    #[test]
    fn a_share_that_is_wider_here_and_narrower_there_leaves_what_both_let_out() {
        check(
            &share(&["carbon_intensity", "electricity"], Level::Site, Grain::QuarterHour),
            "KPI carbon_intensity; grain 15min instead of hour; facts pq_micro",
            &share(&["electricity"], Level::Site, Grain::Hour),
        );
        check(&share(&["oee"], Level::Line, Grain::Day), "KPI oee; facts apt_ms", &share(&[], Level::Line, Grain::Day));
    }

    #[test]
    fn between_a_shift_and_an_hour_or_day_nothing_is_common() {
        check(
            &share(&["electricity"], Level::Line, Grain::Shift),
            "grain shift instead of hour",
            &share(&[], Level::Line, Grain::Hour),
        );
        let shift = share(&["electricity"], Level::Site, Grain::Shift);
        let day = share(&["electricity"], Level::Site, Grain::Day);
        assert!(!day.beyond(&shift).is_nothing() && day.common(&shift).policy.kpis.is_empty());
        let minute = share(&["electricity"], Level::Site, Grain::Minute);
        assert!(shift.beyond(&minute).is_nothing(), "a shift begins and ends with a minute");
    }

    #[test]
    fn a_kpi_that_comes_to_rest_on_more_facts_is_wider_and_one_that_rests_on_fewer_is_not() {
        let mut more = agreed();
        more.reveals.get_mut("electricity").unwrap().push("apt_ms".to_owned());
        check(&more, "facts apt_ms", &agreed());
        let mut less = agreed();
        less.reveals.get_mut("electricity").unwrap().pop();
        check(&less, "", &less);
        assert_ne!(less.digest(), agreed().digest());
        // A fact that another agreed KPI reveals leaves already.
        let both = share(&["carbon_intensity", "electricity"], Level::Site, Grain::Day);
        let mut moved = both.clone();
        moved.reveals.get_mut("electricity").unwrap().push("pq_micro".to_owned());
        assert!(moved.beyond(&both).is_nothing());
    }
}
