//! Channels of stacks and outfalls: what of a span was valid, and what the flow carried away meanwhile.
//!
//! A span is cut where one of the channel's tags says something else; within a part all of them stand still, so that
//! each part is corrected by the signals of its own time.

use super::Scope;
use crate::engine::pollutant::{Carried, Channel, Signals, corrected};
use crate::engine::series::Level;
use crate::model::fact::{Facts, Measure};
use crate::model::number::MICRO_INTEGER;
use crate::model::sample::Quality;
use crate::model::tag::TagIndex;
use crate::model::time::{Timestamp, Window};
use crate::model::unit::ProductUnit;

/// **Unit**: ms.
const HOUR_MS: i128 = 3_600_000;

/// What a channel says over one part of a span.
enum Said {
    /// Nothing: no sample holds.
    Nothing,
    Calibrating,
    Fault,
    Value(i128),
}

/// Adds what a channel measured.
pub(super) fn add(scope: &Scope<'_>, facts: &mut Facts) {
    let Some(channel) = scope.asset.channel.as_deref() else { return };
    let window = scope.span.window;
    let times = [Measure::ValidTime, Measure::CalibrationTime, Measure::ChannelFaultTime, Measure::UncorrectableTime];
    times.into_iter().chain([Measure::ValueTime]).for_each(|measure| facts.set(measure, 0));
    facts.set(Measure::ChannelExpected, i128::from(window.length_ms()));
    if channel.reference_oxygen_micro.is_some() {
        facts.set(Measure::OxygenHighTime, 0);
    }
    let mut load = Load::default();
    let tracks = Tracks::of(scope, channel, window);
    for part in tracks.parts(window) {
        add_part(channel, &tracks, part, &mut load, facts);
    }
    if channel.flow.is_some() && channel.parameter.is_carried() {
        load.book(channel.parameter.unit(), facts);
    }
}

fn add_part(channel: &Channel, tracks: &Tracks<'_>, part: Window, load: &mut Load, facts: &mut Facts) {
    let ms = i128::from(part.length_ms());
    let value = match tracks.said(channel, part.start) {
        Said::Nothing => return,
        Said::Calibrating => return facts.add(Measure::CalibrationTime, ms),
        Said::Fault => return facts.add(Measure::ChannelFaultTime, ms),
        Said::Value(value) => value,
    };
    let Ok(corrected) = corrected(channel, value, tracks.signals(channel, part.start)) else {
        return facts.add(Measure::UncorrectableTime, ms);
    };
    facts.add(Measure::ValidTime, ms);
    facts.add(Measure::ValueTime, corrected.value_micro * ms);
    if corrected.is_oxygen_high {
        facts.add(Measure::OxygenHighTime, ms);
    }
    if let Some(carried) = corrected.carried {
        load.add(carried, ms);
    }
}

/// What the flow carried away within a span, before it is rounded.
#[derive(Default)]
struct Load {
    /// **Unit**: 10⁻¹² of the channel's unit × m³/h × ms.
    mass: i128,
    /// **Unit**: 10⁻⁶ m³/h × ms.
    volume: i128,
    ms: i128,
}

impl Load {
    fn add(&mut self, Carried { concentration_micro, flow_micro }: Carried, ms: i128) {
        self.mass += concentration_micro * flow_micro * ms;
        self.volume += flow_micro * ms;
        self.ms += ms;
    }

    /// Rounds once for the span: what it comes to depends on nothing before it.
    fn book(&self, unit: ProductUnit, facts: &mut Facts) {
        // mg/L is g/m³: 10⁻¹² g is 10⁻⁶ µg; 10⁻¹² mg is 10⁻⁹ µg.
        let parts = if unit == ProductUnit::MilligramPerLitre { MICRO_INTEGER } else { MICRO_INTEGER * 1_000 };
        facts.set(Measure::PollutantLoad, round(self.mass, parts * HOUR_MS));
        facts.set(Measure::PollutantVolume, round(self.volume, HOUR_MS));
        facts.set(Measure::LoadTime, self.ms);
    }
}

/// Returns `amount ÷ divisor` as the nearest integer, ties to the even one.
fn round(amount: i128, divisor: i128) -> i128 {
    let (quotient, rest) = (amount.div_euclid(divisor), amount.rem_euclid(divisor));
    quotient + i128::from(rest * 2 > divisor || (rest * 2 == divisor && quotient % 2 != 0))
}

/// What the tags of a channel say over a span.
struct Tracks<'a> {
    by_tag: Vec<(TagIndex, &'a [Level])>,
    /// A flow that a meter of volume counts runs evenly over the minute. **Unit**: 10⁻⁶ m³/h.
    metered_flow: Option<i128>,
}

impl<'a> Tracks<'a> {
    fn of(scope: &Scope<'a>, channel: &Channel, window: Window) -> Self {
        let levels = |tag: TagIndex| scope.contribution(tag).map_or(&[][..], |minute| minute.levels.as_slice());
        let metered = channel.flow.and_then(|flow| scope.contribution(flow)).filter(|minute| {
            minute.levels.is_empty() && minute.observed_ms == window.length_ms() && window.length_ms() > 0
        });
        let by_hour = |amount: i128| round(amount * HOUR_MS, i128::from(window.length_ms()));
        Self {
            by_tag: channel.inputs().map(|tag| (tag, levels(tag))).collect(),
            metered_flow: metered.map(|minute| by_hour(minute.amount)),
        }
    }

    /// Cuts the span so that no tag changes within a part.
    fn parts(&self, window: Window) -> impl Iterator<Item = Window> + use<> {
        let levels = self.by_tag.iter().flat_map(|(_, levels)| levels.iter());
        let mut cuts: Vec<Timestamp> = levels
            .flat_map(|level| [level.from, level.to])
            .filter(|cut| window.start < *cut && *cut < window.end)
            .chain([window.start, window.end])
            .collect();
        cuts.sort_unstable();
        cuts.dedup();
        (1..cuts.len()).map(move |end| Window { start: cuts[end - 1], end: cuts[end] })
    }

    /// Returns what a tag says at an instant; `None` where nothing holds.
    fn at(&self, tag: TagIndex, at: Timestamp) -> Option<Result<i128, Quality>> {
        let (_, levels) = self.by_tag.iter().find(|(of, _)| *of == tag)?;
        let next = levels.partition_point(|level| level.from <= at);
        levels[..next].last().filter(|level| at < level.to).map(|level| level.said)
    }

    fn value(&self, tag: Option<TagIndex>, at: Timestamp) -> Option<i128> {
        self.at(tag?, at)?.ok()
    }

    /// The status outweighs the value; of a value that can't be used the quality says why.
    fn said(&self, channel: &Channel, at: Timestamp) -> Said {
        if let Some(status) = channel.status {
            match self.at(status, at) {
                None => return Said::Nothing,
                Some(Ok(0)) => {}
                Some(Ok(MICRO_INTEGER)) => return Said::Calibrating,
                Some(_) => return Said::Fault,
            }
        }
        match self.at(channel.value, at) {
            None | Some(Err(Quality::Stale)) => Said::Nothing,
            Some(Err(Quality::Calibrating)) => Said::Calibrating,
            Some(Err(_)) => Said::Fault,
            Some(Ok(value)) => Said::Value(value),
        }
    }

    fn signals(&self, channel: &Channel, at: Timestamp) -> Signals {
        Signals {
            oxygen: self.value(channel.oxygen, at),
            temperature: self.value(channel.temperature, at),
            pressure: self.value(channel.pressure, at),
            moisture: self.value(channel.moisture, at),
            flow: self.value(channel.flow, at).or(self.metered_flow),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::{Level, Measure, Quality, Timestamp, Window};
    use crate::engine::assemble::{Contributions, Span, assemble};
    use crate::engine::calendar::Calendar;
    use crate::engine::plant::{Asset, Plant};
    use crate::engine::pollutant::{Channel, testing::channel};
    use crate::engine::series::TagMinute;
    use crate::model::fact::Facts;
    use crate::model::id::{AssetId, Digest, SiteId};
    use crate::model::pollutant::Parameter;
    use crate::model::record::Level as Place;
    use crate::model::tag::TagIndex;

    /// A level in seconds of the minute.
    fn level(from: i64, to: i64, said: Result<i128, Quality>) -> Level {
        let said = said.map(|value| value * 1_000_000);
        Level { from: Timestamp(from * 1_000), to: Timestamp(to * 1_000), said }
    }

    fn whole(value: i128) -> Vec<Level> {
        vec![level(0, 60, Ok(value))]
    }

    /// Returns the first minute's facts of an asset that is alone in its plant.
    fn facts_of(asset: Asset, tags: Contributions<'_>) -> Facts {
        let site = SiteId::new("site").unwrap();
        let plant = Plant::new(site, Calendar::round_the_clock(TimeZone::UTC), Digest::ZERO);
        let plant = Plant { assets: vec![asset], ..plant };
        let window = Window { start: Timestamp(0), end: Timestamp(60_000) };
        assemble(&plant, &[Vec::new()], Span { window, planned: &[] }, tags).remove(0)
    }

    /// Returns a minute's facts of a channel whose tags, by position, say these levels.
    fn minute(channel: Channel, tags: Vec<Vec<Level>>) -> Facts {
        let id = AssetId::new("stack-1-so2").unwrap();
        let asset = Asset { channel: Some(Box::new(channel)), ..Asset::new(id, None, Place::Unit) };
        let places: Vec<u32> = (0..).take(tags.len()).collect();
        let minutes: Vec<Option<TagMinute>> =
            tags.into_iter().map(|levels| Some(TagMinute { levels, ..TagMinute::default() })).collect();
        let tags = Contributions { places: &places, minutes: &minutes, ..Contributions::NONE };
        facts_of(asset, tags)
    }

    fn amounts<const N: usize>(facts: &Facts, measures: [Measure; N]) -> [i128; N] {
        measures.map(|measure| facts.amount(measure))
    }

    #[test]
    fn calibration_faults_and_silence_enter_no_mean_and_are_told_apart() {
        let levels = vec![
            level(0, 10, Ok(8)),
            level(10, 20, Err(Quality::Calibrating)),
            level(20, 25, Err(Quality::DeviceFault)),
            level(25, 30, Err(Quality::Sentinel)),
            level(40, 60, Ok(2)),
        ];
        let facts = minute(channel(Parameter::Cod), vec![levels]);
        let times = [Measure::ValidTime, Measure::CalibrationTime, Measure::ChannelFaultTime, Measure::ChannelExpected];
        assert_eq!(amounts(&facts, times), [30_000, 10_000, 10_000, 60_000]);
        assert_eq!(facts.amount(Measure::ValueTime), (8 * 10_000 + 2 * 20_000) * 1_000_000);
    }

    #[test]
    fn a_status_tag_outweighs_the_value_and_its_silence_is_no_measuring() {
        let status = vec![level(0, 10, Ok(0)), level(10, 30, Ok(1)), level(30, 40, Ok(2)), level(40, 45, Ok(7))];
        let with_status = Channel { status: Some(TagIndex(1)), ..channel(Parameter::Cod) };
        let facts = minute(with_status, vec![whole(5), status]);
        let times = [Measure::ValidTime, Measure::CalibrationTime, Measure::ChannelFaultTime];
        assert_eq!(amounts(&facts, times), [10_000, 20_000, 15_000]);
    }

    #[test]
    fn each_part_of_a_minute_is_corrected_by_the_oxygen_of_its_own_time_and_none_means_no_value() {
        let boiler = Channel {
            oxygen: Some(TagIndex(1)),
            reference_oxygen_micro: Some(7_000_000),
            ..channel(Parameter::SulphurDioxide)
        };
        let oxygen = vec![level(0, 20, Ok(7)), level(20, 40, Ok(19))];
        let facts = minute(boiler, vec![whole(100), oxygen]);
        let times = [Measure::ValidTime, Measure::UncorrectableTime, Measure::OxygenHighTime];
        assert_eq!(amounts(&facts, times), [40_000, 20_000, 20_000]);
        // 100 × 13.9/13.9, then 100 × 13.9/1.9
        let expected = 100_000_000 * 20_000 + 731_578_947 * 20_000;
        assert_eq!(facts.amount(Measure::ValueTime), expected);
    }

    #[test]
    fn w1_and_s1_are_the_loads_of_a_day_and_of_an_hour() {
        let with_flow = |parameter| Channel { flow: Some(TagIndex(1)), ..channel(parameter) };
        let flow = |m3_per_h: f64| {
            let micro = (m3_per_h * 1e6).round() as i128;
            vec![Level { said: Ok(micro), ..level(0, 60, Ok(0)) }]
        };
        let cod = minute(with_flow(Parameter::Cod), vec![whole(62), flow(1_850.0 / 24.0)]);
        let so2 = minute(with_flow(Parameter::SulphurDioxide), vec![whole(85), flow(45_000.0)]);
        let kg = |facts: &Facts, minutes: f64| facts.amount(Measure::PollutantLoad) as f64 * minutes / 1e9;
        assert!((kg(&cod, 1_440.0) - 114.7).abs() < 1e-5, "W1: {} kg/d", kg(&cod, 1_440.0));
        assert_eq!(kg(&so2, 60.0), 3.825, "S1");
        assert_eq!(amounts(&so2, [Measure::LoadTime, Measure::PollutantVolume]), [60_000, 750_000_000]);
    }

    #[test]
    fn a_meter_of_volume_is_a_flow_where_it_was_read_and_no_load_is_made_up_where_it_was_not() {
        let of = |observed_ms| {
            let id = AssetId::new("outfall-cod").unwrap();
            let with_flow = Channel { flow: Some(TagIndex(1)), ..channel(Parameter::Cod) };
            let asset = Asset { channel: Some(Box::new(with_flow)), ..Asset::new(id, None, Place::Unit) };
            let value = TagMinute { levels: whole(100), ..TagMinute::default() };
            let volume = TagMinute { amount: 2_000_000, observed_ms, ..TagMinute::default() };
            let tags = Contributions { places: &[0, 1], minutes: &[Some(value), Some(volume)], ..Contributions::NONE };
            let facts = facts_of(asset, tags);
            amounts(&facts, [Measure::PollutantLoad, Measure::PollutantVolume, Measure::LoadTime])
        };
        // 100 g/m³ × 2 m³
        assert_eq!(of(60_000), [200_000_000, 2_000_000, 60_000]);
        assert_eq!(of(0), [0, 0, 0]);
    }
}
