//! Corrections: from what an analyser says to a concentration at the conditions that limits are for.
//!
//! Reference conditions are 25 °C, 101.325 kPa and dry gas (QCVN 19), and the reference oxygen where the limit has one.
//! Levels are corrected as they are measured, not their means: the correction by oxygen isn't linear, so the mean of
//! corrected values is not the corrected mean. A signal that is missing gives no value, never an uncorrected one.

use super::channel::{Basis, Channel};

/// Oxygen of dry air, by which concentrations are corrected. **Unit**: percent of volume. **Source**: QCVN
/// 19:2024/BTNMT, C × (20.9 − O₂ref) ÷ (20.9 − O₂).
const AIR_OXYGEN: f64 = 20.9;

/// Oxygen above which air probably leaks in: the correction multiplies by more than 4.8 then, at 7 % reference.
/// **Unit**: percent of volume.
const OXYGEN_HIGH: f64 = 18.0;

/// Volume of one mole of an ideal gas at 25 °C and 101.325 kPa. **Unit**: L/mol.
const MOLAR_VOLUME: f64 = 24.465;

/// 0 °C. **Unit**: K.
const ICE_KELVIN: f64 = 273.15;

/// 25 °C. **Unit**: K.
const REFERENCE_KELVIN: f64 = 298.15;

/// 760 mmHg. **Unit**: kPa.
const REFERENCE_KPA: f64 = 101.325;

/// What the tags of a channel say at one instant. **Unit**: 10⁻⁶ of each tag's; `None` where nothing usable holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::engine) struct Signals {
    pub(in crate::engine) oxygen: Option<i128>,
    pub(in crate::engine) temperature: Option<i128>,
    pub(in crate::engine) pressure: Option<i128>,
    pub(in crate::engine) moisture: Option<i128>,
    /// **Unit**: 10⁻⁶ m³/h.
    pub(in crate::engine) flow: Option<i128>,
}

/// The value can't be corrected: a signal is missing or is none that a gas can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) struct Uncorrectable;

/// A corrected value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) struct Corrected {
    /// At reference oxygen: what is compared with limits. **Unit**: 10⁻⁶ of the channel's.
    pub(in crate::engine) value_micro: i128,
    /// Oxygen was so high that air probably leaked in.
    pub(in crate::engine) is_oxygen_high: bool,
    /// What the flow carries away an hour; `None` where the flow isn't known. The concentration isn't corrected by
    /// oxygen there, since the flow isn't either.
    pub(in crate::engine) carried: Option<Carried>,
}

/// What a flow carries away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) struct Carried {
    /// **Unit**: 10⁻⁶ of the channel's.
    pub(in crate::engine) concentration_micro: i128,
    /// **Unit**: 10⁻⁶ m³/h, of a stack dry at 25 °C and 101.325 kPa.
    pub(in crate::engine) flow_micro: i128,
}

/// Brings a value to the conditions that limits are for.
///
/// # Errors
/// [`Uncorrectable`] where a signal that the channel needs is missing, and where oxygen is 20.9 % or more.
pub(in crate::engine) fn corrected(
    channel: &Channel,
    value_micro: i128,
    signals: Signals,
) -> Result<Corrected, Uncorrectable> {
    let dry = if channel.is_wet { dry_share(signals.moisture)? } else { 1.0 };
    let mut factor = match channel.basis {
        Basis::Normal => 1.0,
        Basis::Actual => expansion(signals)?,
        Basis::Volume => mass_of_volume(channel).ok_or(Uncorrectable)?,
    };
    factor /= dry;
    let concentration_micro = scaled(value_micro, factor);
    let mut is_oxygen_high = false;
    if let Some(reference) = channel.reference_oxygen_micro {
        let oxygen = percent(signals.oxygen)? / dry;
        if oxygen >= AIR_OXYGEN {
            return Err(Uncorrectable);
        }
        is_oxygen_high = oxygen > OXYGEN_HIGH;
        factor *= (AIR_OXYGEN - decimal(reference.into())) / (AIR_OXYGEN - oxygen);
    }
    let flow = normal_flow(channel, signals);
    let carried = flow.map(|flow_micro| Carried { concentration_micro, flow_micro });
    Ok(Corrected { value_micro: scaled(value_micro, factor), is_oxygen_high, carried })
}

/// Returns the flow at normal conditions; `None` where it isn't known. **Unit**: 10⁻⁶ m³/h.
fn normal_flow(channel: &Channel, signals: Signals) -> Option<i128> {
    let flow = signals.flow.filter(|flow| *flow >= 0)?;
    if !channel.flow_is_actual {
        return Some(flow);
    }
    Some(scaled(flow, dry_share(signals.moisture).ok()? / expansion(signals).ok()?))
}

/// Returns how much more volume the gas takes than at 25 °C and 101.325 kPa.
fn expansion(signals: Signals) -> Result<f64, Uncorrectable> {
    let kelvin = decimal(signals.temperature.ok_or(Uncorrectable)?) + ICE_KELVIN;
    let kpa = decimal(signals.pressure.ok_or(Uncorrectable)?);
    if kelvin > 0.0 && kpa > 0.0 { Ok(kelvin / REFERENCE_KELVIN * (REFERENCE_KPA / kpa)) } else { Err(Uncorrectable) }
}

/// Returns the share of the gas that isn't water vapour.
fn dry_share(moisture: Option<i128>) -> Result<f64, Uncorrectable> {
    let moisture = percent(moisture)?;
    if moisture < 100.0 { Ok((100.0 - moisture) / 100.0) } else { Err(Uncorrectable) }
}

/// Returns mg/Nm³ for one part per million of volume.
#[expect(clippy::cast_precision_loss, reason = "a molar mass has six digits")]
fn mass_of_volume(channel: &Channel) -> Option<f64> {
    channel.parameter.molar_mass_mg().map(|mg| mg as f64 / 1000.0 / MOLAR_VOLUME)
}

/// Returns a share of volume; below 0 is a drifting zero and taken as 0.
fn percent(micro: Option<i128>) -> Result<f64, Uncorrectable> {
    micro.map(|micro| decimal(micro).max(0.0)).ok_or(Uncorrectable)
}

#[expect(clippy::cast_precision_loss, reason = "a measured value has far fewer digits")]
fn decimal(micro: i128) -> f64 {
    micro as f64 / 1e6
}

/// Returns a value times a factor, to the nearest integer, ties to even; exact where nothing is corrected.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::float_cmp,
    reason = "a measured value has far fewer digits; 1.0 is exact; a cast saturates"
)]
fn scaled(micro: i128, factor: f64) -> i128 {
    if factor == 1.0 { micro } else { (micro as f64 * factor).round_ties_even() as i128 }
}

#[cfg(test)]
mod tests {
    use super::{Basis, Channel, Signals, Uncorrectable, corrected};
    use crate::engine::pollutant::channel::testing::channel;
    use crate::model::pollutant::Parameter;

    fn micro(value: f64) -> i128 {
        (value * 1e6).round() as i128
    }

    fn value(channel: &Channel, measured: f64, signals: Signals) -> Result<f64, Uncorrectable> {
        corrected(channel, micro(measured), signals).map(|corrected| corrected.value_micro as f64 / 1e6)
    }

    #[test]
    fn s3_oxygen_is_corrected_to_7_percent_and_undefined_at_20_9() {
        let boiler = Channel { reference_oxygen_micro: Some(7_000_000), ..channel(Parameter::SulphurDioxide) };
        let at =
            |measured, oxygen| value(&boiler, measured, Signals { oxygen: Some(micro(oxygen)), ..Signals::default() });
        for (measured, expected) in
            [(112.0, 707.636_364), (201.0, 1_269.954_545), (219.0, 1_383.681_818), (129.0, 815.045_455)]
        {
            assert_eq!(at(measured, 18.7), Ok(expected), "{measured}");
        }
        assert_eq!(at(112.0, 20.9), Err(Uncorrectable));
        assert_eq!(value(&boiler, 112.0, Signals::default()), Err(Uncorrectable), "no oxygen, no value");
        let is_high = |oxygen| {
            let signals = Signals { oxygen: Some(micro(oxygen)), ..Signals::default() };
            corrected(&boiler, 1, signals).map(|corrected| corrected.is_oxygen_high)
        };
        assert_eq!((is_high(18.0), is_high(18.1)), (Ok(false), Ok(true)));
    }

    #[test]
    fn parts_per_million_become_milligrams_by_the_molar_mass() {
        for (parameter, expected) in [
            (Parameter::SulphurDioxide, 261.859_8),
            (Parameter::NitrogenOxides, 188.048_2),
            (Parameter::CarbonMonoxide, 114.490_1),
        ] {
            let found =
                value(&Channel { basis: Basis::Volume, ..channel(parameter) }, 100.0, Signals::default()).unwrap();
            assert!((found - expected).abs() < 1e-4, "{}: {found}", parameter.as_str());
        }
    }

    #[test]
    fn a_wet_value_at_stack_conditions_is_brought_to_25_degrees_101_kpa_and_dry_gas() {
        let stack = Channel { basis: Basis::Actual, is_wet: true, ..channel(Parameter::Dust) };
        let signals = Signals {
            temperature: Some(micro(150.0)),
            pressure: Some(micro(100.0)),
            moisture: Some(micro(12.0)),
            ..Signals::default()
        };
        // 50 × 423.15/298.15 × 101.325/100 ÷ 0.88
        let found = value(&stack, 50.0, signals).unwrap();
        assert!((found - 81.707_79).abs() < 1e-4, "{found}");
        for missing in [
            Signals { temperature: None, ..signals },
            Signals { pressure: None, ..signals },
            Signals { moisture: None, ..signals },
            Signals { moisture: Some(micro(100.0)), ..signals },
            Signals { pressure: Some(0), ..signals },
        ] {
            assert_eq!(value(&stack, 50.0, missing), Err(Uncorrectable), "{missing:?}");
        }
    }

    #[test]
    fn a_flow_at_stack_conditions_carries_as_much_as_its_dry_normal_volume_and_no_oxygen_correction() {
        let stack =
            Channel { flow_is_actual: true, reference_oxygen_micro: Some(7_000_000), ..channel(Parameter::Dust) };
        let signals = Signals {
            oxygen: Some(micro(11.0)),
            temperature: Some(micro(150.0)),
            pressure: Some(micro(101.325)),
            moisture: Some(micro(10.0)),
            flow: Some(micro(1000.0)),
        };
        let found = corrected(&stack, micro(50.0), signals).unwrap();
        let carried = found.carried.unwrap();
        assert_eq!(carried.concentration_micro, micro(50.0));
        // 1000 × 298.15/423.15 × 0.9
        assert!((carried.flow_micro - 634_136_831).abs() <= 1, "{}", carried.flow_micro);
        assert_eq!(corrected(&stack, 1, Signals { moisture: None, ..signals }).unwrap().carried, None);
    }
}
