//! Wiring faults, told from how the three phases relate to each other.

use super::{Finding, SAME, Values, is_near};

/// Share of the total below which a phase's power has no sign worth a word.
const SIGNIFICANT: f64 = 0.02;
/// Largest distance (root mean square, in units of power factor) at which three phases fit a wiring.
const FIT: f64 = 0.12;
/// How much better a wrong wiring must fit than the right one before it is named.
const MARGIN: f64 = 0.2;

fn phases(values: &Values, quantity: &str) -> Option<[f64; 3]> {
    let phase = |number: u8| values.get(&format!("{quantity}_l{number}")).copied();
    Some([phase(1)?, phase(2)?, phase(3)?])
}

/// Finds displays whose three phases are those of the registers in another order.
pub(super) fn exchanged(read: &Values, display: &Values) -> Vec<Finding> {
    const OTHERS: [[u8; 3]; 5] = [[2, 1, 3], [3, 2, 1], [1, 3, 2], [2, 3, 1], [3, 1, 2]];
    let mut findings = Vec::new();
    for quantity in ["voltage", "current", "active_power", "power_factor"] {
        let (Some(read), Some(display)) = (phases(read, quantity), phases(display, quantity)) else { continue };
        let fits = |order: [u8; 3]| {
            (0..3).all(|phase| is_near(read[phase], display[usize::from(order[phase]) - 1], SAME / 2.0))
        };
        if fits([1, 2, 3]) {
            continue;
        }
        let orders: Vec<[u8; 3]> = OTHERS.into_iter().filter(|order| fits(*order)).collect();
        // Two equal phases fit two orders: then nothing is sure.
        if let [order] = orders.as_slice() {
            findings.push(Finding::PhasesExchanged { quantity: quantity.to_owned(), shown_as: *order });
        }
    }
    findings
}

pub(super) fn missing_voltages(read: &Values) -> Vec<Finding> {
    let Some(voltages) = phases(read, "voltage") else { return Vec::new() };
    let highest = voltages.into_iter().fold(0.0, f64::max);
    let low = |(_, value): &(u8, f64)| highest > 0.0 && *value < highest * 0.5;
    (1..).zip(voltages).filter(low).map(|(phase, value)| Finding::MissingVoltage { phase, value }).collect()
}

/// Looks for reversed and swapped currents in the phases' power factors, or in their powers alone.
pub(super) fn wiring(read: &Values) -> Vec<Finding> {
    let powers = phases(read, "active_power");
    let factors = factors(read);
    if let Some(factors) = factors
        && let Some(finding) = fit(factors)
    {
        return vec![finding];
    }
    let Some(signed) = powers.or(factors) else { return backwards(read) };
    let total: f64 = signed.iter().map(|value| value.abs()).sum();
    let negative: Vec<u8> =
        (1..).zip(signed).filter(|(_, value)| *value < -total * SIGNIFICANT).map(|(phase, _)| phase).collect();
    let is_idle = |value: &f64| value.abs() <= total * SIGNIFICANT;
    match negative.len() {
        0 => Vec::new(),
        count if count + signed.iter().filter(|value| is_idle(value)).count() == 3 => vec![Finding::FlowsOut],
        _ => {
            let evidence = format!("{} of its own sign beside the other phases", join(&negative, &signed));
            vec![Finding::ReversedCurrentTransformer { phases: negative, evidence }]
        }
    }
}

/// Looks at the total alone, where the phases aren't known.
fn backwards(read: &Values) -> Vec<Finding> {
    let is_negative = read.get("active_power").is_some_and(|power| *power < 0.0);
    if is_negative { vec![Finding::FlowsOut] } else { Vec::new() }
}

fn join(phases: &[u8], values: &[f64; 3]) -> String {
    let shown = phases.iter().map(|phase| format!("L{phase} {:.3}", values[usize::from(*phase) - 1]));
    shown.collect::<Vec<_>>().join(", ")
}

/// Returns each phase's signed power factor: from power, voltage and current, else as the meter gives it.
fn factors(read: &Values) -> Option<[f64; 3]> {
    let computed = || {
        let (powers, voltages, currents) =
            (phases(read, "active_power")?, phases(read, "voltage")?, phases(read, "current")?);
        let apparent = [0, 1, 2].map(|phase| voltages[phase] * currents[phase]);
        if apparent.iter().any(|apparent| *apparent <= 0.0) {
            return None;
        }
        let factors = [0, 1, 2].map(|phase| powers[phase] / apparent[phase]);
        // Profiles give power in W or kW.
        let largest = factors.iter().fold(0.0f64, |largest, factor| largest.max(factor.abs()));
        let unit = if largest < 2e-3 { 1000.0 } else { 1.0 };
        let factors = factors.map(|factor| factor * unit);
        factors.iter().all(|factor| factor.abs() <= 1.1).then_some(factors)
    };
    computed().or_else(|| phases(read, "power_factor").filter(|factors| factors.iter().all(|f| f.abs() <= 1.01)))
}

/// A wiring: what each phase's current is turned by against its voltage, and whether it is reversed.
struct Wiring {
    turned: [f64; 3],
    phases: &'static [u8],
    kind: WiringKind,
}

#[derive(PartialEq)]
enum WiringKind {
    Right,
    Reversed,
    Swapped,
    Outwards,
}

/// **Unit**: degrees. A current of the following phase lags 120°, a reversed one stands 180° off.
const WIRINGS: &[Wiring] = &[
    Wiring { turned: [0.0, 0.0, 0.0], phases: &[], kind: WiringKind::Right },
    Wiring { turned: [180.0, 0.0, 0.0], phases: &[1], kind: WiringKind::Reversed },
    Wiring { turned: [0.0, 180.0, 0.0], phases: &[2], kind: WiringKind::Reversed },
    Wiring { turned: [0.0, 0.0, 180.0], phases: &[3], kind: WiringKind::Reversed },
    Wiring { turned: [180.0, 180.0, 0.0], phases: &[1, 2], kind: WiringKind::Reversed },
    Wiring { turned: [180.0, 0.0, 180.0], phases: &[1, 3], kind: WiringKind::Reversed },
    Wiring { turned: [0.0, 180.0, 180.0], phases: &[2, 3], kind: WiringKind::Reversed },
    Wiring { turned: [180.0, 180.0, 180.0], phases: &[], kind: WiringKind::Outwards },
    Wiring { turned: [120.0, -120.0, 0.0], phases: &[1, 2], kind: WiringKind::Swapped },
    Wiring { turned: [-120.0, 0.0, 120.0], phases: &[1, 3], kind: WiringKind::Swapped },
    Wiring { turned: [0.0, 120.0, -120.0], phases: &[2, 3], kind: WiringKind::Swapped },
];

/// Finds the wiring of a balanced load that explains three power factors; `None` where the right one does, or none.
fn fit(factors: [f64; 3]) -> Option<Finding> {
    let distance = |wiring: &Wiring| {
        // The load's own angle: from 60° capacitive to 60° inductive.
        (-60..=60i32)
            .map(|angle| {
                let squares: f64 = (0..3)
                    .map(|phase| (f64::from(angle) + wiring.turned[phase]).to_radians().cos() - factors[phase])
                    .map(|off| off * off)
                    .sum();
                (squares / 3.0).sqrt()
            })
            .fold(f64::INFINITY, f64::min)
    };
    let best = WIRINGS.iter().min_by(|a, b| distance(a).total_cmp(&distance(b)))?;
    if distance(best) > FIT || distance(&WIRINGS[0]) - distance(best) < MARGIN {
        return None;
    }
    let shown = join(&[1, 2, 3], &factors);
    let evidence = format!("power factors {shown}");
    match best.kind {
        WiringKind::Right => None,
        WiringKind::Outwards => Some(Finding::FlowsOut),
        WiringKind::Reversed => Some(Finding::ReversedCurrentTransformer { phases: best.phases.to_vec(), evidence }),
        WiringKind::Swapped => Some(Finding::SwappedPhases { phases: best.phases.to_vec(), evidence }),
    }
}
