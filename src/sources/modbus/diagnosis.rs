//! What is wrong with a meter, told from what it answers and what its display shows.
//!
//! In: values by quantity, from the registers and from the display. Out: [`Finding`]s in the order in which a person
//! should look at them. Only quantities that are there are used: a profile with one voltage gets fewer findings and
//! no wrong ones. Nothing here changes a value; a ratio that is found is proposed, and a person confirms it.

mod ratios;
mod wiring;

use std::collections::BTreeMap;
use std::fmt;

use self::ratios::{compare, tidy};
use self::wiring::{exchanged, missing_voltages, wiring};

/// Values in the units of the profile, by the quantity's name: `active_energy_import`, `voltage_l1`, `active_power`…
pub type Values = BTreeMap<String, f64>;

/// Largest deviation of a display from the register that counts as the same value. A display rounds, and currents
/// move while a person reads them.
const SAME: f64 = 0.02;

/// A transformer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transformer {
    /// Of the current: `ct_ratio`.
    Current,
    /// Of the voltage: `pt_ratio`.
    Voltage,
}

impl Transformer {
    /// Returns the key of the source's configuration.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Current => "ct_ratio",
            Self::Voltage => "pt_ratio",
        }
    }
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq)]
pub enum Finding {
    /// Display and register say the same.
    Agrees {
        /// Which quantity.
        quantity: String,
        /// display ÷ register − 1.
        deviation: f64,
    },
    /// The display shows a multiple of the registers, and a transformer explains it.
    MissingRatio {
        /// Quantities that say so.
        quantities: Vec<String>,
        /// Which transformer.
        transformer: Transformer,
        /// What the values still have to be multiplied with.
        ratio: f64,
        /// How such a transformer is called, like "200/5 A".
        usual: String,
    },
    /// The registers show a multiple of the display: the meter multiplies by itself already.
    RatioTwice {
        /// Quantities that say so.
        quantities: Vec<String>,
        /// Which transformer.
        transformer: Transformer,
        /// The ratio that is applied once too often.
        ratio: f64,
    },
    /// Display and register differ by a power of ten: another unit or scale.
    UnitError {
        /// Which quantity.
        quantity: String,
        /// display ÷ register.
        factor: f64,
        /// A transformer that would explain it as well; empty where another quantity rules it out.
        or_transformer: String,
    },
    /// Display and register differ, and no usual ratio explains it.
    Differs {
        /// Which quantity.
        quantity: String,
        /// What the register says.
        read: f64,
        /// What the display says.
        display: f64,
    },
    /// The display names a quantity that the profile doesn't have.
    NotRead {
        /// Which quantity.
        quantity: String,
    },
    /// One phase's register holds what the display shows for another.
    PhasesExchanged {
        /// Which quantity, without its phase.
        quantity: String,
        /// For each of L1, L2, L3: the phase whose display value it holds.
        shown_as: [u8; 3],
    },
    /// A phase counts backwards.
    ReversedCurrentTransformer {
        /// Phases, from 1.
        phases: Vec<u8>,
        /// What says so.
        evidence: String,
    },
    /// Voltage of one phase with the current of another.
    SwappedPhases {
        /// The two phases whose currents are exchanged, from 1; all three where they are rotated.
        phases: Vec<u8>,
        /// What says so.
        evidence: String,
    },
    /// A phase has no voltage while the others have.
    MissingVoltage {
        /// Which phase, from 1.
        phase: u8,
        /// **Unit**: V.
        value: f64,
    },
    /// Every phase, or the total, counts backwards: power flows out, or the meter is connected the other way round.
    FlowsOut,
}

/// Compares registers with the display and looks for wiring faults. `applied` are the ratios that the values were
/// already multiplied with: (`ct_ratio`, `pt_ratio`), 1 where there is none.
pub fn diagnose(read: &Values, display: &Values, applied: (f64, f64)) -> Vec<Finding> {
    let mut findings = compare(read, display, applied);
    findings.extend(exchanged(read, display));
    findings.extend(missing_voltages(read));
    findings.extend(wiring(read));
    findings
}

/// Returns the transformer ratio that findings propose in all for `transformer`; `None` where they propose none.
pub fn proposed(findings: &[Finding], transformer: Transformer, applied: f64) -> Option<f64> {
    findings.iter().find_map(|finding| match finding {
        Finding::MissingRatio { transformer: of, ratio, .. } if *of == transformer => Some(applied * ratio),
        Finding::RatioTwice { transformer: of, ratio, .. } if *of == transformer => Some(applied / ratio),
        _ => None,
    })
}

/// Says whether two values are the same within what a display rounds.
fn is_near(a: f64, b: f64, tolerance: f64) -> bool {
    (a - b).abs() <= tolerance * a.abs().max(b.abs())
}

impl Finding {
    /// Says whether a person has to do something about it.
    pub const fn is_fault(&self) -> bool {
        !matches!(self, Self::Agrees { .. })
    }

    /// Returns the kind as JSON names it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Agrees { .. } => "agrees",
            Self::MissingRatio { transformer: Transformer::Current, .. } => "missing_ct_ratio",
            Self::MissingRatio { transformer: Transformer::Voltage, .. } => "missing_pt_ratio",
            Self::RatioTwice { .. } => "ratio_applied_twice",
            Self::UnitError { .. } => "unit",
            Self::Differs { .. } => "differs",
            Self::NotRead { .. } => "not_read",
            Self::PhasesExchanged { .. } => "phases_exchanged",
            Self::ReversedCurrentTransformer { .. } => "reversed_ct",
            Self::SwappedPhases { .. } => "swapped_phases",
            Self::MissingVoltage { .. } => "missing_voltage",
            Self::FlowsOut => "flows_out",
        }
    }
}

fn listed(phases: &[u8]) -> String {
    phases.iter().map(|phase| format!("L{phase}")).collect::<Vec<_>>().join(" and ")
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agrees { quantity, deviation } => {
                write!(f, "{quantity}: display and register agree ({:+.2} %)", deviation * 100.0)
            }
            Self::MissingRatio { quantities, transformer, ratio, usual } => write!(
                f,
                "{}: the display shows {} times the registers: {} = {} is missing{}",
                quantities.join(", "),
                tidy(*ratio),
                transformer.key(),
                tidy(*ratio),
                if usual.is_empty() { String::new() } else { format!(" (a transformer of {usual})") }
            ),
            Self::RatioTwice { quantities, transformer, ratio } => write!(
                f,
                "{}: the registers show {} times the display: the meter multiplies by its {} itself already",
                quantities.join(", "),
                tidy(*ratio),
                transformer.key()
            ),
            Self::UnitError { quantity, factor, or_transformer } => {
                write!(f, "{quantity}: the display shows {factor} times the register: another unit or scale")?;
                if or_transformer.is_empty() {
                    Ok(())
                } else {
                    write!(f, ", or a current transformer of {or_transformer}")
                }
            }
            Self::Differs { quantity, read, display } => {
                write!(
                    f,
                    "{quantity}: the display shows {display}, the register holds {read}, and no usual ratio explains it"
                )
            }
            Self::NotRead { quantity } => {
                write!(f, "{quantity}: no value was read that the display could be compared with")
            }
            Self::PhasesExchanged { quantity, shown_as } => write!(
                f,
                "{quantity}: L1, L2, L3 of the registers are L{}, L{}, L{} of the display",
                shown_as[0], shown_as[1], shown_as[2]
            ),
            Self::ReversedCurrentTransformer { phases, evidence } => {
                write!(f, "current transformer of {} is reversed, or that phase feeds back: {evidence}", listed(phases))
            }
            Self::SwappedPhases { phases, evidence } => {
                write!(f, "currents of {} are swapped against their voltages: {evidence}", listed(phases))
            }
            Self::MissingVoltage { phase, value } => {
                write!(f, "L{phase} has {value} V: its fuse or its voltage tap is open")
            }
            Self::FlowsOut => {
                f.write_str("power counts backwards: the site feeds in, or the meter is connected the other way round")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Finding, Transformer, Values, diagnose, proposed};

    fn values(pairs: &[(&str, f64)]) -> Values {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
    }

    fn kinds(read: &[(&str, f64)], display: &[(&str, f64)]) -> Vec<&'static str> {
        diagnose(&values(read), &values(display), (1.0, 1.0)).iter().map(Finding::kind).collect()
    }

    fn three(quantity: &str, phases: [f64; 3]) -> Vec<(String, f64)> {
        (1..).zip(phases).map(|(number, value): (u8, f64)| (format!("{quantity}_l{number}"), value)).collect()
    }

    #[test]
    fn a_display_that_agrees_is_no_fault() {
        let findings = diagnose(
            &values(&[("active_energy_import", 12_345.67), ("current_l1", 0.0)]),
            &values(&[("active_energy_import", 12_345.6), ("current_l1", 0.0)]),
            (1.0, 1.0),
        );
        assert!(findings.iter().all(|finding| !finding.is_fault()), "{findings:?}");
        assert_eq!(findings.len(), 2);
    }

    #[test]
    fn a_missing_current_transformer_is_named_with_its_usual_ratio() {
        let table = [(40.0, "200/5 A"), (20.0, "100/5 A"), (800.0, "4000/5 A"), (30.0, "150/5 A"), (75.0, "75/1 A")];
        for (ratio, usual) in table {
            let ratio: f64 = ratio;
            // The display has fewer digits than the register.
            let shown = (12.4 * ratio).round();
            let findings = diagnose(
                &values(&[("active_energy_import", 1234.5), ("current_l1", 12.4), ("voltage_l1", 230.0)]),
                &values(&[("active_energy_import", 1234.5 * ratio), ("current_l1", shown), ("voltage_l1", 231.0)]),
                (1.0, 1.0),
            );
            let expected = Finding::MissingRatio {
                quantities: vec!["active_energy_import".to_owned(), "current_l1".to_owned()],
                transformer: Transformer::Current,
                ratio,
                usual: usual.to_owned(),
            };
            if ratio != 75.0 {
                assert_eq!(findings[0], expected);
            }
            assert_eq!(proposed(&findings, Transformer::Current, 1.0), Some(ratio));
            assert_eq!(proposed(&findings, Transformer::Voltage, 1.0), None);
        }
    }

    #[test]
    fn energy_alone_is_enough_for_a_ratio_that_is_no_power_of_ten() {
        let findings = diagnose(
            &values(&[("active_energy_import", 100.0)]),
            &values(&[("active_energy_import", 6000.0)]),
            (1.0, 1.0),
        );
        assert_eq!(proposed(&findings, Transformer::Current, 1.0), Some(60.0));
    }

    #[test]
    fn both_transformers_of_a_medium_voltage_meter_are_told_apart() {
        let read = [("active_energy_import", 500.0), ("current_l1", 2.5), ("voltage_l1", 63.5)];
        let display = [("active_energy_import", 500.0 * 40.0 * 200.0), ("current_l1", 100.0), ("voltage_l1", 12_700.0)];
        let findings = diagnose(&values(&read), &values(&display), (1.0, 1.0));
        assert_eq!(proposed(&findings, Transformer::Current, 1.0), Some(40.0));
        assert_eq!(proposed(&findings, Transformer::Voltage, 1.0), Some(200.0));
        assert_eq!(findings.len(), 2, "{findings:?}");
    }

    #[test]
    fn a_power_of_ten_is_a_unit_where_the_current_agrees_and_either_where_nothing_says() {
        let energy = ("active_energy_import", 1_234_500.0);
        let shown = ("active_energy_import", 1234.5);
        assert_eq!(kinds(&[energy], &[shown]), ["unit"]);
        let one_of_two = diagnose(&values(&[shown]), &values(&[energy]), (1.0, 1.0));
        let Finding::UnitError { factor, or_transformer, .. } = &one_of_two[0] else { panic!("{one_of_two:?}") };
        assert_eq!((*factor, or_transformer.as_str()), (1000.0, "5000/5 A"));
        let current = ("current_l1", 4.2);
        let sure = diagnose(&values(&[shown, current]), &values(&[energy, current]), (1.0, 1.0));
        let Finding::UnitError { or_transformer, .. } = &sure[0] else { panic!("{sure:?}") };
        assert_eq!(or_transformer, "");
        // The current shows the same ratio: it is the transformer.
        assert_eq!(
            kinds(&[("active_power", 5.0), current], &[("active_power", 500.0), ("current_l1", 420.0)]),
            ["missing_ct_ratio"]
        );
    }

    #[test]
    fn a_ratio_that_the_meter_applies_itself_is_applied_twice() {
        let read = values(&[("active_energy_import", 40_000.0), ("current_l1", 400.0)]);
        let display = values(&[("active_energy_import", 1000.0), ("current_l1", 10.0)]);
        let findings = diagnose(&read, &display, (40.0, 1.0));
        assert_eq!(findings[0].kind(), "ratio_applied_twice");
        assert_eq!(proposed(&findings, Transformer::Current, 40.0), Some(1.0));
    }

    #[test]
    fn what_no_ratio_explains_and_what_is_not_there_is_said() {
        let read = [("active_energy_import", 100.0), ("voltage_l1", 0.0)];
        let display = [("active_energy_import", 731.0), ("voltage_l1", 230.0), ("current_l1", 3.0)];
        assert_eq!(kinds(&read, &display), ["differs", "not_read", "differs"]);
    }

    #[test]
    fn wiring_faults_are_found_in_the_power_factors_of_the_phases() {
        type Case = ([f64; 3], &'static [&'static str], &'static [u8]);
        // cos 25.8° = 0.90; ± 120°: −0.83 and −0.07.
        let table: &[Case] = &[
            ([0.9, 0.9, 0.9], &[], &[]),
            ([0.95, 0.7, 0.85], &[], &[]),
            ([0.99, 0.98, -0.99], &["reversed_ct"], &[3]),
            ([-0.9, 0.88, 0.91], &["reversed_ct"], &[1]),
            ([-0.9, -0.88, 0.91], &["reversed_ct"], &[1, 2]),
            ([0.9, -0.83, -0.07], &["swapped_phases"], &[2, 3]),
            ([0.9, -0.07, -0.83], &["swapped_phases"], &[2, 3]),
            ([-0.83, -0.07, 0.9], &["swapped_phases"], &[1, 2]),
            ([-0.5, 1.0, -0.5], &["swapped_phases"], &[1, 3]),
            ([-0.9, -0.9, -0.9], &["flows_out"], &[]),
        ];
        for (factors, expected, named) in table {
            let read: Values = three("power_factor", *factors).into_iter().collect();
            let findings = diagnose(&read, &Values::new(), (1.0, 1.0));
            let found: Vec<&str> = findings.iter().map(Finding::kind).collect();
            assert_eq!(&found, expected, "{factors:?}: {findings:?}");
            if let [Finding::ReversedCurrentTransformer { phases, .. } | Finding::SwappedPhases { phases, .. }] =
                findings.as_slice()
            {
                assert_eq!(phases, named, "{factors:?}");
            }
        }
    }

    #[test]
    fn power_voltage_and_current_give_the_factors_where_the_meter_gives_none() {
        for unit in [1.0, 0.001] {
            let powers = [10.0, -9.7, 9.9].map(|amperes: f64| amperes * 230.0 * 0.9 * unit);
            let read: Values =
                [three("active_power", powers), three("voltage", [230.0; 3]), three("current", [10.0, 9.7, 9.9])]
                    .concat()
                    .into_iter()
                    .collect();
            let findings = diagnose(&read, &Values::new(), (1.0, 1.0));
            let [Finding::ReversedCurrentTransformer { phases, .. }] = findings.as_slice() else {
                panic!("{findings:?}")
            };
            assert_eq!(phases, &[2]);
        }
    }

    #[test]
    fn powers_alone_show_a_phase_of_another_sign() {
        let read: Values = three("active_power", [1200.0, 950.0, -700.0]).into_iter().collect();
        let findings = diagnose(&read, &Values::new(), (1.0, 1.0));
        assert_eq!(findings.iter().map(Finding::kind).collect::<Vec<_>>(), ["reversed_ct"]);
        let idle: Values = three("active_power", [1200.0, 950.0, -3.0]).into_iter().collect();
        assert!(diagnose(&idle, &Values::new(), (1.0, 1.0)).is_empty(), "noise around zero is no fault");
    }

    #[test]
    fn a_negative_total_is_named_where_the_phases_are_not_known() {
        assert_eq!(kinds(&[("active_power", -4.2)], &[]), ["flows_out"]);
        assert_eq!(kinds(&[("active_power", 4.2)], &[]), Vec::<&str>::new());
    }

    #[test]
    fn phases_that_stand_in_another_order_than_on_the_display_are_named() {
        let read: Values = three("current", [10.0, 20.0, 30.0]).into_iter().collect();
        let display: Values = three("current", [20.0, 10.0, 30.0]).into_iter().collect();
        let findings = diagnose(&read, &display, (1.0, 1.0));
        let expected = Finding::PhasesExchanged { quantity: "current".to_owned(), shown_as: [2, 1, 3] };
        assert!(findings.contains(&expected), "{findings:?}");
    }

    #[test]
    fn a_phase_without_voltage_is_named() {
        let read: Values = three("voltage", [230.0, 231.0, 4.0]).into_iter().collect();
        assert_eq!(diagnose(&read, &Values::new(), (1.0, 1.0)), [Finding::MissingVoltage { phase: 3, value: 4.0 }]);
    }

    #[test]
    fn every_finding_reads_as_a_sentence_that_names_what_to_do() {
        let read = values(&[("active_energy_import", 100.0)]);
        let display = values(&[("active_energy_import", 4000.0)]);
        let line = diagnose(&read, &display, (1.0, 1.0))[0].to_string();
        assert_eq!(
            line,
            "active_energy_import: the display shows 40 times the registers: ct_ratio = 40 is missing (a transformer of 200/5 A)"
        );
    }
}
