//! Display against registers: which transformer, unit or scale explains their ratios.

use super::{Finding, SAME, Transformer, Values, is_near};

/// Largest deviation from a usual ratio.
const NEAR: f64 = 0.02;
/// Usual primaries of current transformers. **Unit**: A. **Source**: IEC 61869-2, 5.201 and its decimal multiples.
const PRIMARIES: &[f64] = &[
    5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0, 60.0, 75.0, 80.0, 100.0, 120.0, 125.0, 150.0, 160.0, 200.0, 250.0,
    300.0, 400.0, 500.0, 600.0, 750.0, 800.0, 1000.0, 1200.0, 1250.0, 1500.0, 1600.0, 2000.0, 2500.0, 3000.0, 4000.0,
    5000.0, 6000.0,
];
/// Usual voltage transformers of medium voltage: primary and secondary. **Unit**: V.
const VOLTAGE_TRANSFORMERS: &[(f64, f64)] = &[
    (3300.0, 110.0),
    (6000.0, 100.0),
    (6600.0, 110.0),
    (10_000.0, 100.0),
    (11_000.0, 110.0),
    (15_000.0, 100.0),
    (20_000.0, 100.0),
    (22_000.0, 110.0),
    (22_000.0, 100.0),
    (33_000.0, 110.0),
    (35_000.0, 100.0),
    (35_000.0, 110.0),
];

/// What the transformers between line and quantity are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Behind {
    Current,
    Voltage,
    Both,
    Nothing,
}

fn behind(quantity: &str) -> Behind {
    let is = |prefix: &str| quantity.starts_with(prefix);
    if is("current") {
        Behind::Current
    } else if is("voltage") {
        Behind::Voltage
    } else if is("power_factor") || is("frequency") {
        Behind::Nothing
    } else if quantity.contains("energy") || quantity.contains("power") {
        Behind::Both
    } else {
        Behind::Nothing
    }
}

/// Compares each quantity of the display with its register; what differs is explained first.
pub(super) fn compare(read: &Values, display: &Values, applied: (f64, f64)) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut off: Vec<(&str, f64)> = Vec::new();
    for (quantity, shown) in display {
        let Some(value) = read.get(quantity) else {
            findings.push(Finding::NotRead { quantity: quantity.clone() });
            continue;
        };
        // A display that shows 0 where the register holds a little agrees; a ratio says nothing there.
        if is_near(*value, *shown, SAME) || (value - shown).abs() < 1e-9 {
            let deviation = if *value == 0.0 { 0.0 } else { shown / value - 1.0 };
            findings.push(Finding::Agrees { quantity: quantity.clone(), deviation });
        } else if *value == 0.0 || *shown == 0.0 {
            findings.push(Finding::Differs { quantity: quantity.clone(), read: *value, display: *shown });
        } else {
            off.push((quantity, shown / value));
        }
    }
    let agreeing: Vec<String> = findings
        .iter()
        .filter_map(|finding| match finding {
            Finding::Agrees { quantity, .. } => Some(quantity.clone()),
            _ => None,
        })
        .collect();
    findings.splice(0..0, explain(&off, &agreeing, read, display, applied));
    findings
}

/// Explains ratios by one current and one voltage transformer, as far as they go.
fn explain(
    off: &[(&str, f64)],
    agreeing: &[String],
    read: &Values,
    display: &Values,
    applied: (f64, f64),
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let agrees = |of: Behind| agreeing.iter().any(|quantity| behind(quantity) == of);
    let first = |of: Behind| off.iter().find(|(quantity, _)| behind(quantity) == of).map(|(_, ratio)| *ratio);
    // A display of currents (or voltages) that agrees rules that transformer out.
    let voltage =
        if agrees(Behind::Voltage) { None } else { first(Behind::Voltage).filter(|r| is_voltage(*r, applied.1)) };
    let current = if agrees(Behind::Current) {
        None
    } else {
        let from_both =
            first(Behind::Both).filter(|_| !agrees(Behind::Both)).map(|ratio| ratio / voltage.unwrap_or(1.0));
        let is_known = first(Behind::Current).is_some();
        first(Behind::Current)
            .or(from_both)
            // A power of ten that only energy or power shows may as well be a unit.
            .filter(|ratio| is_current(*ratio, applied.0) && (is_known || power_of_ten(*ratio).is_none()))
    };
    let mut explained: Vec<&str> = Vec::new();
    for (transformer, ratio, of) in
        [(Transformer::Current, current, Behind::Current), (Transformer::Voltage, voltage, Behind::Voltage)]
    {
        let Some(ratio) = ratio else { continue };
        let total = current.unwrap_or(1.0) * voltage.unwrap_or(1.0);
        let says = |(quantity, found): &&(&str, f64)| {
            (behind(quantity) == of && is_near(*found, ratio, NEAR))
                || (behind(quantity) == Behind::Both && is_near(*found, total, NEAR))
        };
        let quantities: Vec<&str> = off.iter().filter(says).map(|(quantity, _)| *quantity).collect();
        if quantities.is_empty() {
            continue;
        }
        explained.extend(&quantities);
        let quantities = quantities.into_iter().map(str::to_owned).collect();
        findings.push(finding_of(transformer, ratio, quantities));
    }
    for (quantity, ratio) in off.iter().filter(|(quantity, _)| !explained.contains(quantity)) {
        findings.push(unexplained(quantity, *ratio, agrees(Behind::Current), read, display));
    }
    findings
}

fn finding_of(transformer: Transformer, ratio: f64, quantities: Vec<String>) -> Finding {
    if ratio < 1.0 {
        return Finding::RatioTwice { quantities, transformer, ratio: tidy(1.0 / ratio) };
    }
    let (ratio, usual) = match transformer {
        Transformer::Current => usual_current(ratio),
        Transformer::Voltage => usual_voltage(ratio),
    }
    .unwrap_or((ratio, String::new()));
    Finding::MissingRatio { quantities, transformer, ratio, usual }
}

fn unexplained(quantity: &str, ratio: f64, is_current_right: bool, read: &Values, display: &Values) -> Finding {
    let quantity = quantity.to_owned();
    match power_of_ten(ratio) {
        Some(factor) => {
            let transformer = usual_current(factor)
                .filter(|_| !is_current_right && behind(&quantity) == Behind::Both)
                .map_or_else(String::new, |(_, usual)| usual);
            Finding::UnitError { quantity, factor, or_transformer: transformer }
        }
        None => {
            let value = |values: &Values| values.get(&quantity).copied().unwrap_or(0.0);
            Finding::Differs { read: value(read), display: value(display), quantity }
        }
    }
}

/// A usual current transformer, or the ratio that is applied already the other way round.
fn is_current(ratio: f64, applied: f64) -> bool {
    usual_current(ratio).is_some() || (applied > 1.0 && is_near(1.0 / ratio, applied, NEAR))
}

fn is_voltage(ratio: f64, applied: f64) -> bool {
    usual_voltage(ratio).is_some() || (applied > 1.0 && is_near(1.0 / ratio, applied, NEAR))
}

/// Finds the usual transformer nearest to a ratio: with a secondary of 5 A first, which is the more common one.
fn usual_current(ratio: f64) -> Option<(f64, String)> {
    for secondary in [5.0, 1.0] {
        let distance = |primary: &&f64| (*primary / secondary / ratio - 1.0).abs();
        let nearest = PRIMARIES
            .iter()
            .filter(|primary| **primary / secondary > 1.0)
            .min_by(|a, b| distance(a).total_cmp(&distance(b)));
        if let Some(primary) = nearest.filter(|primary| distance(primary) <= NEAR) {
            return Some((primary / secondary, format!("{primary}/{secondary} A")));
        }
    }
    None
}

fn usual_voltage(ratio: f64) -> Option<(f64, String)> {
    let distance = |(primary, secondary): &&(f64, f64)| (primary / secondary / ratio - 1.0).abs();
    let nearest = VOLTAGE_TRANSFORMERS.iter().min_by(|a, b| distance(a).total_cmp(&distance(b)))?;
    (distance(&nearest) <= NEAR).then(|| (nearest.0 / nearest.1, format!("{}/{} V", nearest.0, nearest.1)))
}

/// Returns the power of ten that a ratio is; never 1.
fn power_of_ten(ratio: f64) -> Option<f64> {
    const POWERS: [f64; 10] = [1e-6, 1e-4, 1e-3, 1e-2, 0.1, 10.0, 100.0, 1e3, 1e4, 1e6];
    POWERS.into_iter().find(|power| is_near(ratio, *power, NEAR))
}

/// Rounds to three significant decimals, so that a proposal has no digits that a display couldn't give.
pub(super) fn tidy(ratio: f64) -> f64 {
    (ratio * 1000.0).round() / 1000.0
}
