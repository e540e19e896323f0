//! Greenhouse gases by source, factor and day, against figures calculated by hand.

use super::choice::Own;
use super::emission::{Category, Emission, Measured, Raised, Said, gwp_of};
use super::{Quantity, add, add_steam};
use crate::engine::kpi::grid::MissingFactor;
use crate::model::fact::{Facts, Measure};
use crate::model::id::{Digest, EmissionId};
use crate::model::record::FactorRef;
use crate::model::time::{Timestamp, Window};
use crate::reference::Reference;
use crate::reference::fuel::{Gas, List, Sector};
use crate::reference::gwp::GwpSet;

const ANY: &str = "2026-03-02T05:00:00Z";

fn at(text: &str) -> Window {
    let start: Timestamp = text.parse().unwrap();
    Window { start, end: start + 60_000 }
}

fn burning(fuel: &str) -> Said {
    Said {
        id: EmissionId::new("boiler").unwrap(),
        category: Category::Stationary,
        quantity: None,
        fuel: Some(fuel.to_owned()),
        sector: Sector::Manufacturing,
        list: None,
        density: None,
        calorific: None,
        calorific_volume: None,
        approved: Vec::new(),
        rates: Vec::new(),
        refrigerant: None,
        steam: None,
        missing: MissingFactor::Null,
    }
}

fn own(value: f64, from: &str, to: Option<&str>) -> Own {
    let factor = FactorRef { id: format!("own_{from}"), version: Digest::ZERO, year: 0 };
    Own { value, valid_from: from.parse().unwrap(), valid_to: to.map(|day| day.parse().unwrap()), factor }
}

fn resolve(said: &Said, set: GwpSet) -> Emission {
    let zone = jiff::tz::TimeZone::get("Asia/Ho_Chi_Minh").unwrap();
    Emission::resolve(said, &Reference::builtin(), &zone, &[(2000, set)])
}

/// What a quantity makes. **Unit** of `base_units`: kg, m³ or kWh.
fn made(said: &Said, set: GwpSet, minute: &str, measured: Measured, base_units: i128) -> Facts {
    let mut facts = Facts::default();
    let quantity = Quantity { amount: base_units * 1_000_000, ..Quantity::default() };
    add(&resolve(said, set), at(minute), measured, quantity, &mut facts);
    facts
}

fn tonnes(facts: &Facts, measure: Measure) -> f64 {
    crate::engine::kpi::ratio(facts.amount(measure), 1_000_000_000_000)
}

fn near(found: f64, expected: f64) {
    assert!((found - expected).abs() <= 1e-9 * expected.abs(), "{found} is not {expected}");
}

#[test]
fn g1_ten_tonnes_of_diesel_by_every_set() {
    for (set, total) in [(GwpSet::Ar4, 31.972_134), (GwpSet::Ar5, 31.967_49), (GwpSet::Ar6, 31.971_876)] {
        let facts = made(&burning("diesel"), set, ANY, Measured::Mass, 10_000);
        near(tonnes(&facts, Measure::StationaryCo2e), total);
        near(tonnes(&facts, Measure::Co2Fossil), 31.863);
        assert_eq!(facts.get(Measure::FuelEnergy), Some(430_000_000), "0.43 TJ");
        assert_eq!(facts.get(Measure::FuelToe), Some(10_200_000_000), "1.02 TOE a tonne by the ministry's table");
        assert_eq!((facts.get(Measure::FactorMissing), facts.get(Measure::MobileCo2e)), (None, None));
    }
}

#[test]
fn g3_a_terajoule_of_natural_gas() {
    let gas = burning("natural_gas");
    // 1 TJ is 10⁶/3.6 kWh; nine of them are a whole number.
    let facts = made(&gas, GwpSet::Ar5, ANY, Measured::Energy, 2_500_000);
    near(tonnes(&facts, Measure::StationaryCo2e), 9.0 * 56.1545);
}

#[test]
fn g5_wood_by_the_column_that_is_declared() {
    for (sector, scope_1) in [(Sector::Manufacturing, 1.482), (Sector::Commercial, 7.3788)] {
        let facts = made(&Said { sector, ..burning("wood") }, GwpSet::Ar5, ANY, Measured::Mass, 50_000);
        near(tonnes(&facts, Measure::StationaryCo2e), scope_1);
        near(tonnes(&facts, Measure::Co2Biogenic), 87.36);
        assert_eq!(facts.get(Measure::Co2Fossil), None);
    }
}

#[test]
fn g7_a_top_up_of_r_410a_by_every_set() {
    let leak = Said { category: Category::Fugitive, refrigerant: Some("r_410a".to_owned()), fuel: None, ..burning("") };
    for (set, total) in [(GwpSet::Ar4, 20.875), (GwpSet::Ar5, 19.235), (GwpSet::Ar6, 22.555)] {
        near(tonnes(&made(&leak, set, ANY, Measured::Mass, 10), Measure::FugitiveCo2e), total);
    }
}

#[test]
fn a_volume_takes_the_sites_density_or_a_calorific_value_by_volume() {
    let by_density = Said { density: Some(own(840.0, "2000-01-01", None)), ..burning("diesel") };
    let facts = made(&by_density, GwpSet::Ar5, ANY, Measured::Volume, 10);
    near(tonnes(&facts, Measure::StationaryCo2e), 31.967_49 * 0.84);
    assert_eq!(facts.get(Measure::FuelToe), Some(8_800_000_000), "0.88 TOE per 1000 L by the ministry's table");
    let by_volume = Said { calorific_volume: Some(own(36.0, "2000-01-01", None)), ..burning("natural_gas") };
    let facts = made(&by_volume, GwpSet::Ar5, ANY, Measured::Volume, 1_000);
    near(tonnes(&facts, Measure::StationaryCo2e), 0.036 * 56.1545);
}

#[test]
fn a_volume_without_a_density_is_counted_as_lacking_a_factor() {
    let facts = made(&burning("diesel"), GwpSet::Ar5, ANY, Measured::Volume, 10);
    assert_eq!(facts.get(Measure::FactorMissing), Some(60_000));
    assert_eq!(facts.get(Measure::StationaryCo2e), Some(0));
}

#[test]
fn an_approved_factor_goes_before_the_national_list_and_that_before_the_ipcc_gas_by_gas() {
    let approved = vec![(Gas::Co2, own(70_000.0, "2026-01-01", Some("2026-12-31")))];
    let said = Said { approved, ..burning("anthracite") };
    let reference = Reference::builtin();
    let chosen = |said: &Said, gas, day: &str| {
        said.fuel_factor(&reference, gas, day.parse().unwrap()).map(|found| (found.value, found.factor.id))
    };
    let id = |value: f64, id: &str| Some((value, id.to_owned()));
    assert_eq!(chosen(&said, Gas::Co2, "2026-06-01"), id(70_000.0, "own_2026-01-01"));
    assert_eq!(chosen(&said, Gas::Co2, "2027-01-01"), id(98_300.0, "anthracite_manufacturing_co2_ipcc_2006"));
    assert_eq!(chosen(&said, Gas::Ch4, "2026-06-01"), id(10.0, "anthracite_manufacturing_ch4_ipcc_2006"));
    let power = Said { sector: Sector::EnergyIndustries, ..said.clone() };
    assert_eq!(chosen(&power, Gas::Ch4, "2026-06-01"), id(1.0, "anthracite_energy_industries_ch4_vn_2626"));
    let diesel = burning("diesel");
    assert_eq!(chosen(&diesel, Gas::Ch4, "2022-10-09"), id(3.0, "diesel_manufacturing_ch4_ipcc_2006"));
    assert_eq!(chosen(&diesel, Gas::Ch4, "2022-10-10"), id(3.0, "diesel_manufacturing_ch4_vn_2626"));
    let only = Said { list: Some(List::Vn2626), ..burning("anthracite") };
    assert_eq!(chosen(&only, Gas::Ch4, "2026-06-01"), None, "the national list has no such column");
}

#[test]
fn a_factor_counts_from_midnight_of_its_day_at_the_site() {
    let rates = vec![(Measured::Mass, own(0.5, "2026-01-01", Some("2026-01-31")))];
    let process = Said { category: Category::Process, rates, fuel: None, ..burning("") };
    for (minute, mass, missing) in [
        ("2025-12-31T16:59:00Z", 0, Some(60_000)),
        ("2025-12-31T17:00:00Z", 500_000_000, None),
        ("2026-01-31T16:59:00Z", 500_000_000, None),
        ("2026-01-31T17:00:00Z", 0, Some(60_000)),
    ] {
        let facts = made(&process, GwpSet::Ar5, minute, Measured::Mass, 1);
        assert_eq!(
            (facts.amount(Measure::ProcessCo2e), facts.get(Measure::FactorMissing)),
            (mass, missing),
            "{minute}"
        );
    }
    // By explicit choice the last one counts on, and says so.
    let latest = resolve(&Said { missing: MissingFactor::Latest, ..process }, GwpSet::Ar5);
    let period = latest.at(at("2026-06-01T00:00:00Z").start).unwrap();
    assert!(period.provisional && period.by[Measured::Mass as usize].is_some());
}

#[test]
fn steam_takes_a_declared_factor_or_the_enthalpy_over_the_efficiency() {
    let raised = Some(Raised { enthalpy: 2_800.0, efficiency: 0.8 });
    let steam = Said { category: Category::Steam, steam: raised, ..burning("anthracite") };
    let mut facts = Facts::default();
    add_steam(&resolve(&steam, GwpSet::Ar5), at(ANY), 1_000_000, &mut facts);
    // 3,500 MJ × (98,300 + 10 × 28 + 1.5 × 265) kg/TJ
    near(tonnes(&facts, Measure::SteamCo2e), 3_500.0 * 98_977.5e-9);
    assert_eq!(facts.get(Measure::Co2Fossil), None, "the supplier's fuel is not this site's");
    let rates = vec![(Measured::Mass, own(0.2, "2026-01-01", None))];
    let mut facts = Facts::default();
    add_steam(&resolve(&Said { rates, ..steam }, GwpSet::Ar5), at(ANY), 1_000_000, &mut facts);
    near(tonnes(&facts, Measure::SteamCo2e), 0.2);
}

#[test]
fn a_set_of_potentials_holds_for_whole_years() {
    let declared = [(2000, GwpSet::Ar4), (2026, GwpSet::Ar5), (2028, GwpSet::Ar6)];
    for (year, set) in
        [(1999, GwpSet::Ar4), (2025, GwpSet::Ar4), (2026, GwpSet::Ar5), (2027, GwpSet::Ar5), (2030, GwpSet::Ar6)]
    {
        assert_eq!(gwp_of(&declared, year), set, "{year}");
    }
    assert_eq!(gwp_of(&[], 2026), GwpSet::Ar5);
    let zone = jiff::tz::TimeZone::get("Asia/Ho_Chi_Minh").unwrap();
    let emission = Emission::resolve(&burning("diesel"), &Reference::builtin(), &zone, &declared);
    let at_year = |minute: &str| {
        let mut facts = Facts::default();
        let quantity = Quantity { amount: 10_000_000_000, ..Quantity::default() };
        add(&emission, at(minute), Measured::Mass, quantity, &mut facts);
        tonnes(&facts, Measure::StationaryCo2e)
    };
    near(at_year("2025-12-31T16:59:00Z"), 31.972_134);
    near(at_year("2025-12-31T17:00:00Z"), 31.967_49);
}

#[test]
fn minutes_add_up_to_the_whole_within_a_microgram_a_minute() {
    let emission = resolve(&burning("diesel"), GwpSet::Ar5);
    let mut sum = Facts::default();
    for minute in 0..1_000_i128 {
        let quantity = Quantity { amount: 10_000_000 + minute * 7, ..Quantity::default() };
        add(&emission, at(ANY), Measured::Mass, quantity, &mut sum);
    }
    let amount: i128 = (0..1_000).map(|minute| 10_000_000 + minute * 7).sum();
    let mut whole = Facts::default();
    add(&emission, at(ANY), Measured::Mass, Quantity { amount, ..Quantity::default() }, &mut whole);
    assert!((sum.amount(Measure::StationaryCo2e) - whole.amount(Measure::StationaryCo2e)).abs() < 1_000);
}
