//! Facts: mergeable measures of one asset over one span of time.
//!
//! Every measure is an integer, so that any order and grouping of merges gives the same bytes. A ratio is
//! computed from merged facts, never merged itself.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::id::AssetId;
use super::time::Timestamp;

/// How two facts of one measure become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merge {
    /// Added.
    Sum,
    /// The larger one.
    Max,
    /// Not at all: the merged figure has no such measure.
    Never,
}

macro_rules! measures {
    ($($(#[$doc:meta])* $name:ident = $key:literal, over_time $time:ident, over_assets $assets:ident;)*) => {
        /// What a fact measures. The position is its stable code in databases; append only.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Measure { $($(#[$doc])* $name,)* }

        impl Measure {
            /// Every measure, in the order of their codes.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Returns the name used in JSON, unit last.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $key,)* }
            }

            /// Returns how facts of successive spans merge.
            pub const fn over_time(self) -> Merge {
                match self { $(Self::$name => Merge::$time,)* }
            }

            /// Returns how facts of different assets over the same span merge.
            pub const fn over_assets(self) -> Merge {
                match self { $(Self::$name => Merge::$assets,)* }
            }
        }
    };
}

measures! {
    /// Actual production time. **Unit**: ms. **Source**: ISO 22400-2.
    Apt = "apt_ms", over_time Sum, over_assets Sum;
    /// Actual unit setup time. **Unit**: ms. **Source**: ISO 22400-2.
    Aust = "aust_ms", over_time Sum, over_assets Sum;
    /// Actual unit delay time. **Unit**: ms. **Source**: ISO 22400-2.
    Adet = "adet_ms", over_time Sum, over_assets Sum;
    /// Actual unit down time. **Unit**: ms. **Source**: ISO 22400-2.
    Adot = "adot_ms", over_time Sum, over_assets Sum;
    /// Planned down time: planned operation time outside PBT. **Unit**: ms.
    PlannedDown = "planned_down_ms", over_time Sum, over_assets Sum;
    /// Planned operation time of which no state is known; never downtime. **Unit**: ms.
    NoData = "no_data_ms", over_time Sum, over_assets Sum;
    /// Produced quantity. **Unit**: 10⁻⁶ of the product unit. Unlike product units never merge.
    ProducedQuantity = "pq_micro", over_time Sum, over_assets Sum;
    /// Good quantity. **Unit**: 10⁻⁶ of the product unit.
    GoodQuantity = "gq_micro", over_time Sum, over_assets Sum;
    /// Scrap quantity. **Unit**: 10⁻⁶ of the product unit.
    ScrapQuantity = "sq_micro", over_time Sum, over_assets Sum;
    /// Rework quantity. **Unit**: 10⁻⁶ of the product unit.
    ReworkQuantity = "rq_micro", over_time Sum, over_assets Sum;
    /// Planned run time per unit × produced quantity. **Unit**: ns.
    PruPq = "pru_pq_ns", over_time Sum, over_assets Sum;
    /// Planned run time per unit × good quantity. **Unit**: ns.
    PruGq = "pru_gq_ns", over_time Sum, over_assets Sum;
    /// Time over which parts were really counted. **Unit**: ms.
    PartsObserved = "parts_observed_ms", over_time Sum, over_assets Sum;
    /// Time over which parts should have been counted. **Unit**: ms.
    PartsExpected = "parts_expected_ms", over_time Sum, over_assets Sum;
    /// Net electricity: boundary imports and generation less exports. **Unit**: 10⁻⁶ kWh.
    Electricity = "electricity_micro_kwh", over_time Sum, over_assets Sum;
    /// The part of it that was spread over a gap. **Unit**: 10⁻⁶ kWh.
    ElectricitySubstituted = "electricity_substituted_micro_kwh", over_time Sum, over_assets Sum;
    /// Growth that was excluded as impossible; not part of it. **Unit**: 10⁻⁶ kWh.
    ElectricityExcluded = "electricity_excluded_micro_kwh", over_time Sum, over_assets Sum;
    /// Reactive energy. **Unit**: 10⁻⁶ kvarh.
    ReactiveEnergy = "reactive_micro_kvarh", over_time Sum, over_assets Sum;
    /// Time over which every boundary meter was really read. **Unit**: ms.
    ElectricityObserved = "electricity_observed_ms", over_time Sum, over_assets Sum;
    /// Time over which they should have been. **Unit**: ms.
    ElectricityExpected = "electricity_expected_ms", over_time Sum, over_assets Sum;
    /// Largest electricity of a whole half-hour block. **Unit**: 10⁻⁶ kWh. Of several assets the blocks must be
    /// summed before the maximum is taken, so this measure doesn't merge over assets.
    HalfHourPeak = "half_hour_peak_micro_kwh", over_time Max, over_assets Never;
    /// Time over which every reactive meter was really read. **Unit**: ms.
    ReactiveObserved = "reactive_observed_ms", over_time Sum, over_assets Sum;
    /// Time over which they should have been. **Unit**: ms.
    ReactiveExpected = "reactive_expected_ms", over_time Sum, over_assets Sum;
}

/// Number of measures.
pub const MEASURES: usize = Measure::ALL.len();

/// Integers above this magnitude are strings in signed and API JSON. **Source**: RFC 8785 (I-JSON numbers).
pub const JSON_INTEGER_MAX: i128 = (1 << 53) - 1;

/// The measures of one asset over one span. An absent measure is not 0: nothing was there to measure it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    values: [Option<i128>; MEASURES],
}

impl Facts {
    /// Returns a measure, `None` where it is absent.
    pub const fn get(&self, measure: Measure) -> Option<i128> {
        self.values[measure as usize]
    }

    /// Returns a measure, 0 where it is absent: for sums in which absence adds nothing.
    pub fn amount(&self, measure: Measure) -> i128 {
        self.get(measure).unwrap_or(0)
    }

    /// Sets a measure.
    pub const fn set(&mut self, measure: Measure, value: i128) {
        self.values[measure as usize] = Some(value);
    }

    /// Removes a measure.
    pub const fn remove(&mut self, measure: Measure) {
        self.values[measure as usize] = None;
    }

    /// Adds to a measure; an absent one starts at 0. Saturates at the limits of i128, which no plant reaches.
    pub fn add(&mut self, measure: Measure, amount: i128) {
        let slot = &mut self.values[measure as usize];
        *slot = Some(slot.unwrap_or(0).saturating_add(amount));
    }

    /// Says whether no measure is present.
    pub fn is_empty(&self) -> bool {
        self.values.iter().all(Option::is_none)
    }

    /// Returns the present measures in the order of their codes.
    pub fn iter(&self) -> impl Iterator<Item = (Measure, i128)> + '_ {
        Measure::ALL.iter().zip(&self.values).filter_map(|(measure, value)| value.map(|value| (*measure, value)))
    }

    /// Merges the facts of another span of the same asset.
    pub fn merge_over_time(&mut self, other: &Self) {
        self.merge(other, Measure::over_time);
    }

    /// Adds a correction of the same span: every measure, a maximum too, since the correction says by how much it grew.
    pub fn correct(&mut self, correction: &Self) {
        correction.iter().for_each(|(measure, amount)| self.add(measure, amount));
    }

    /// Merges the facts of another asset over the same span. A measure that doesn't merge over assets is removed.
    pub fn merge_over_assets(&mut self, other: &Self) {
        self.merge(other, Measure::over_assets);
    }

    fn merge(&mut self, other: &Self, rule: impl Fn(Measure) -> Merge) {
        for measure in Measure::ALL {
            let slot = &mut self.values[*measure as usize];
            let incoming = other.values[*measure as usize];
            *slot = match (rule(*measure), *slot, incoming) {
                (Merge::Never, _, _) => None,
                (_, present, None) | (_, None, present) => present,
                (Merge::Sum, Some(a), Some(b)) => Some(a.saturating_add(b)),
                (Merge::Max, Some(a), Some(b)) => Some(a.max(b)),
            };
        }
    }

    /// Returns only the measures in `kept`: what a share policy lets out.
    pub fn only(&self, kept: &[Measure]) -> Self {
        let mut facts = Self::default();
        self.iter()
            .filter(|(measure, _)| kept.contains(measure))
            .for_each(|(measure, value)| facts.set(measure, value));
        facts
    }

    /// Returns the compact form for the store: pairs of code and value, postcard-encoded.
    pub fn to_bytes(&self) -> Vec<u8> {
        let pairs: Vec<(u8, i128)> = self.iter().map(|(measure, value)| (measure as u8, value)).collect();
        postcard::to_stdvec(&pairs).expect("a vector of integers always encodes")
    }

    /// Reads the compact form; `None` where it is damaged or names an unknown measure.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let pairs: Vec<(u8, i128)> = postcard::from_bytes(bytes).ok()?;
        let mut facts = Self::default();
        for (code, value) in pairs {
            facts.set(*Measure::ALL.get(usize::from(code))?, value);
        }
        Some(facts)
    }
}

/// The facts of one asset over one UTC minute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FactRow {
    /// Whose.
    pub asset: AssetId,
    /// Start of the minute.
    pub minute: Timestamp,
    /// What was measured; in a correction: what is to be added.
    pub facts: Facts,
}

impl FromIterator<(Measure, i128)> for Facts {
    fn from_iter<I: IntoIterator<Item = (Measure, i128)>>(pairs: I) -> Self {
        let mut facts = Self::default();
        pairs.into_iter().for_each(|(measure, value)| facts.set(measure, value));
        facts
    }
}

/// In JSON a map from name to integer, or to a decimal string where the integer exceeds 2⁵³−1; in binary form
/// the pairs of the compact form.
impl Serialize for Facts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return self
                .iter()
                .map(|(measure, value)| (measure as u8, value))
                .collect::<Vec<_>>()
                .serialize(serializer);
        }
        let mut map = serializer.serialize_map(Some(self.iter().count()))?;
        for (measure, value) in self.iter() {
            match i64::try_from(value).ok().filter(|_| value.abs() <= JSON_INTEGER_MAX) {
                Some(small) => map.serialize_entry(measure.as_str(), &small)?,
                None => map.serialize_entry(measure.as_str(), &value.to_string())?,
            }
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Facts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return deserializer.deserialize_map(FactsVisitor);
        }
        let pairs = Vec::<(u8, i128)>::deserialize(deserializer)?;
        pairs
            .into_iter()
            .map(|(code, value)| Measure::ALL.get(usize::from(code)).map(|measure| (*measure, value)))
            .collect::<Option<Self>>()
            .ok_or_else(|| serde::de::Error::custom("unknown measure code"))
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum JsonInteger {
    Number(i64),
    Text(String),
}

struct FactsVisitor;

impl<'de> Visitor<'de> for FactsVisitor {
    type Value = Facts;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map from measure to integer")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Facts, A::Error> {
        use serde::de::Error;
        let mut facts = Facts::default();
        while let Some((name, value)) = map.next_entry::<String, JsonInteger>()? {
            let measure = Measure::ALL
                .iter()
                .find(|measure| measure.as_str() == name)
                .ok_or_else(|| A::Error::custom(format!("unknown measure \"{name}\"")))?;
            let value = match value {
                JsonInteger::Number(value) => i128::from(value),
                JsonInteger::Text(text) => text
                    .parse()
                    .map_err(|_| A::Error::custom(format!("measure \"{name}\": \"{text}\" is no integer")))?,
            };
            facts.set(*measure, value);
        }
        Ok(facts)
    }
}

#[cfg(test)]
mod tests {
    use super::{Facts, Measure};

    fn facts(pairs: &[(Measure, i128)]) -> Facts {
        pairs.iter().copied().collect()
    }

    #[test]
    fn an_absent_measure_is_not_zero() {
        let mut merged = facts(&[(Measure::Apt, 5)]);
        merged.merge_over_time(&facts(&[(Measure::Adet, 2)]));
        assert_eq!(merged.get(Measure::Apt), Some(5));
        assert_eq!(merged.get(Measure::Electricity), None);
    }

    #[test]
    fn the_half_hour_peak_is_a_maximum_over_time_and_nothing_over_assets() {
        let mut over_time = facts(&[(Measure::HalfHourPeak, 5)]);
        over_time.merge_over_time(&facts(&[(Measure::HalfHourPeak, 7)]));
        assert_eq!(over_time.get(Measure::HalfHourPeak), Some(7));
        over_time.merge_over_assets(&facts(&[(Measure::HalfHourPeak, 1)]));
        assert_eq!(over_time.get(Measure::HalfHourPeak), None);
    }

    #[test]
    fn a_correction_adds_to_a_maximum_as_well() {
        let mut stored = facts(&[(Measure::HalfHourPeak, 50), (Measure::Electricity, 5)]);
        stored.correct(&facts(&[(Measure::HalfHourPeak, 8)]));
        assert_eq!(stored, facts(&[(Measure::HalfHourPeak, 58), (Measure::Electricity, 5)]));
    }

    #[test]
    fn integers_beyond_2_to_the_53_are_strings_in_json_and_come_back() {
        let big = facts(&[(Measure::Apt, 9_007_199_254_740_991), (Measure::PruPq, 9_007_199_254_740_992)]);
        let json = serde_json::to_string(&big).unwrap();
        assert_eq!(json, r#"{"apt_ms":9007199254740991,"pru_pq_ns":"9007199254740992"}"#);
        assert_eq!(serde_json::from_str::<Facts>(&json).unwrap(), big);
        assert_eq!(Facts::from_bytes(&big.to_bytes()), Some(big));
    }
}
