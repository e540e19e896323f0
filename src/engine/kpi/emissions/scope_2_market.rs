//! Scope 2 emissions, market-based.

use super::{MICRO_KWH_PER_MWH, UG_PER_T, grid_electricity, steam};
use crate::engine::kpi::ratio;
use crate::engine::kpi::{Family, KpiContext, KpiDefinition, Outcome};
use crate::model::fact::{Facts, Measure};
use crate::model::record::{Flag, KpiId};
use crate::model::time::Grain;

pub(in crate::engine::kpi) static DEFINITION: KpiDefinition = KpiDefinition {
    id: KpiId::of("scope_2_market"),
    name_en: "Scope 2 emissions, market-based",
    name_vi: "Phát thải gián tiếp (phạm vi 2, theo thị trường)",
    family: Family::Emissions,
    definition_en: "Greenhouse gases of the electricity drawn from the grid: what contracts cover by their own factors, the rest by the residual mix, or the grid's factor where no mix is published; and of purchased steam.",
    definition_vi: "Khí nhà kính từ điện lấy từ lưới: phần có hợp đồng theo hệ số của hợp đồng, phần còn lại theo hệ số hỗn hợp dư, hoặc hệ số lưới điện nếu chưa công bố; và từ hơi mua ngoài.",
    formula: "contracted emissions + (kWh drawn − kWh contracted) / 1000 × residual mix or grid factor + steam",
    unit: "t",
    measures: &[
        Measure::Electricity,
        Measure::ElectricityImport,
        Measure::ElectricitySubstituted,
        Measure::ElectricityExcluded,
        Measure::ElectricityObserved,
        Measure::ElectricityExpected,
        Measure::ElectricityContracted,
        Measure::ContractedCo2e,
        Measure::SteamCo2e,
        Measure::FactorMissing,
    ],
    standard: "GHG Protocol Scope 2 Guidance, market-based, chapter 6",
    finest_grain: Grain::FiveMinutes,
    method: 1,
    no_value_en: "electricity was not measured, no grid factor was published for the year, or a factor of steam is missing",
    no_value_vi: "không đo điện, năm đó chưa công bố hệ số phát thải lưới điện, hoặc thiếu hệ số phát thải của hơi",
    compute,
};

fn compute(facts: &Facts, context: &KpiContext) -> Outcome {
    let drawn = match grid_electricity(facts) {
        Ok(drawn) => drawn,
        Err(reason) => return Outcome::from(Err(reason)),
    };
    let steam = match steam(facts) {
        Ok(steam) => steam,
        Err(reason) => return Outcome::from(Err(reason)),
    };
    let (contracted, emitted) = (facts.amount(Measure::ElectricityContracted), facts.amount(Measure::ContractedCo2e));
    let covered = contracted.min(drawn);
    // What is covered beyond what was drawn covers nothing, and its emissions are not this site's.
    let of_contracts = if contracted == 0 { 0.0 } else { ratio(emitted, UG_PER_T) * ratio(covered, contracted) };
    let mut flags: Vec<Flag> = (contracted > drawn).then_some(Flag::ContractsAboveImport).into_iter().collect();
    let rest = drawn - covered;
    if rest == 0 {
        return Outcome { value: Ok(of_contracts + steam), flags, factors: Vec::new() };
    }
    match context.residual_mix.clone().map_or_else(|| context.grid.clone(), Ok) {
        Ok(choice) => {
            flags.extend(choice.provisional.then_some(Flag::Provisional));
            let value = of_contracts + steam + ratio(rest, MICRO_KWH_PER_MWH) * choice.tco2e_per_mwh;
            Outcome { value: Ok(value), flags, factors: vec![choice.factor] }
        }
        Err(reason) => Outcome::from(Err(reason)),
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::kpi::testing::{context, day, near};
    use crate::engine::kpi::{GridChoice, evaluate, find};
    use crate::model::fact::{Facts, Measure};
    use crate::model::record::{Flag, Reason};
    use crate::model::time::Grain;

    const MWH: i128 = 1_000_000_000;

    fn facts(drawn: i128, contracted: i128, kg: i128) -> Vec<(Measure, i128)> {
        vec![
            (Measure::Electricity, drawn * MWH),
            (Measure::ElectricityObserved, 1),
            (Measure::ElectricityContracted, contracted * MWH),
            (Measure::ContractedCo2e, kg * 1_000_000_000),
        ]
    }

    #[test]
    fn the_rest_that_no_contract_covers_takes_the_grid_factor() {
        let value = day("scope_2_market", &facts(1_000, 400, 20_000));
        near(&value, 20.0 + 600.0 * 0.6592);
        assert_eq!(value.factors[0].id, "vn_grid_2023");
        near(&day("scope_2_market", &facts(1_000, 0, 0)), 659.2);
    }

    #[test]
    fn certificates_beyond_what_was_drawn_cover_nothing_and_say_so() {
        let mut volume = facts(1_000, 2_000, 20_000);
        assert_eq!(
            day("scope_2_market", &volume).flags,
            [Flag::ContractsAboveImport],
            "a meter counts what is covered"
        );
        volume.push((Measure::ElectricityContractedDeclared, 2_000 * MWH));
        let value = day("scope_2_market", &volume);
        near(&value, 10.0);
        assert_eq!((value.flags, value.factors.len()), (vec![Flag::ContractsAboveImport, Flag::Declared], 0));
    }

    #[test]
    fn a_published_residual_mix_goes_before_the_grid_factor() {
        let mut context = context();
        context.residual_mix = context.grid.clone().ok().map(|grid| GridChoice { tco2e_per_mwh: 0.7, ..grid });
        let measured: Facts = facts(1_000, 400, 0).into_iter().collect();
        near(&evaluate(find("scope_2_market").unwrap(), &measured, Grain::Month, &context), 420.0);
    }

    #[test]
    fn a_site_that_contracts_cover_needs_no_grid_factor() {
        let mut context = context();
        context.grid = Err(Reason::NoPublishedFactor);
        let compute = |pairs: Vec<(Measure, i128)>| {
            let facts: Facts = pairs.into_iter().collect();
            evaluate(find("scope_2_market").unwrap(), &facts, Grain::Month, &context)
        };
        near(&compute(facts(1_000, 1_000, 5_000)), 5.0);
        assert_eq!(compute(facts(1_000, 999, 0)).reason, Some(Reason::NoPublishedFactor));
    }
}
