//! What is refused of `[[emission]]`, `[[contract]]` and `[factors]`, and where.

use super::refused;

#[test]
fn a_source_or_contract_that_cant_be_is_refused_at_its_place() {
    for (said, message) in [
        (
            r#"[[emission]]
id = §"boiler""#,
            r#"emission "boiler" says neither what it burns nor what leaks"#,
        ),
        (
            r#"[[emission]]
id = §"boiler"
category = "mobile""#,
            r#"emission "boiler" is mobile and lacks fuel"#,
        ),
        (
            r#"[[emission]]
id = §"boiler"
category = "process""#,
            r#"emission "boiler" is process and lacks factor"#,
        ),
        (
            r#"[[emission]]
id = §"boiler"
category = "steam""#,
            r#"emission "boiler" is steam and lacks factor, or steam and the supplier's fuel"#,
        ),
        (
            r#"[[emission]]
id = "boiler"
fuel = §"natural_gaz""#,
            r#"fuel "natural_gaz" is unknown"#,
        ),
        (
            r#"[[emission]]
id = "boiler"
refrigerant = §"r_411a""#,
            r#"refrigerant "r_411a" is unknown"#,
        ),
        (
            r#"[[emission]]
id = "boiler"
asset = §"sight"
refrigerant = "r_410a""#,
            r#"there is no asset "sight""#,
        ),
        (
            r#"[[emission]]
id = "boiler"
fuel = "natural_gas"
quantity = §"m.gaz""#,
            r#"no source has a tag "m.gaz""#,
        ),
        (
            r#"[[emission]]
id = "boiler"
fuel = "natural_gas"
quantity = §"m.temperature""#,
            r#"`quantity` of emission "boiler" is a tag of kind gauge in Cel; no quantity comes of it"#,
        ),
        (
            r#"[[emission]]
id = "boiler"
fuel = "natural_gas"
quantity = §"m.gas""#,
            r#"emission "boiler" is measured by volume and has no density"#,
        ),
        (
            r#"[[emission]]
id = "boiler"
fuel = "natural_gas"
quantity = "m.gas"
density = §{ value = 0.0, unit = "kg/m3", source = "s" }"#,
            r#"emission "boiler" has a value of 0"#,
        ),
        (
            r#"[[emission]]
id = "boiler"
fuel = "natural_gas"
quantity = "m.gas"
density = { value = 0.72, unit = §"g/L", source = "s" }"#,
            r#""g/L" is no unit of this value"#,
        ),
        (
            r#"[[emission]]
id = "boiler"
refrigerant = "r_410a"
quantity = §"m.gas""#,
            r#"emission "boiler" leaks by mass"#,
        ),
        (
            r#"[[emission]]
id = "boiler"
category = "process"
quantity = §"m.gas"
factor = [{ value = 0.5, unit = "tCO2e/t", document = "d", valid_from = 2026-01-01 }]"#,
            r#"no factor of emission "boiler" counts what its meter counts"#,
        ),
        (
            r#"[[emission]]
id = "boiler"
category = "steam"
quantity = §"m.coal"
factor = [{ value = 0.3, unit = "kgCO2e/kg", document = "d", valid_from = 2026-01-01 }]"#,
            r#"emission "boiler" is steam and names a meter"#,
        ),
        (
            r#"[[emission]]
id = "boiler"
category = "steam"
fuel = "natural_gas"
steam = §{ enthalpy_kj_per_kg = 2748.0, efficiency = 85.0, source = "s" }"#,
            r#"emission "boiler": steam of 2748 kJ/kg at an efficiency of 85"#,
        ),
        (
            r#"[[emission]]
id = "boiler"
fuel = "natural_gas"
factor = [§{ gas = "co2", value = -1.0, unit = "kg/TJ", document = "d", approval = "a", valid_from = 2026-01-01 }]"#,
            r#"emission "boiler" has a factor of -1"#,
        ),
        (
            r#"[[emission]]
id = "boiler"
fuel = "natural_gas"
factor = [§{ gas = "co2", value = 1.0, unit = "kg/TJ", document = "d", approval = "a", valid_from = 2026-02-01, valid_to = 2026-01-01 }]"#,
            r#"a factor of emission "boiler" ends before it begins"#,
        ),
        (
            r#"[[emission]]
id = "boiler"
fuel = "natural_gas"
factor = [§{ value = 1.0, unit = "kg/TJ", document = "d", approval = "a", valid_from = 2026-01-01 }]"#,
            r#"a factor of emission "boiler" names no gas"#,
        ),
        (
            r#"[[emission]]
id = "boiler"
fuel = "natural_gas"
factor = [§{ gas = "co2", value = 1.0, unit = "kg/TJ", document = "d", valid_from = 2026-01-01 }]"#,
            r#"a factor of emission "boiler" has no approval"#,
        ),
        (
            r#"[[emission]]
id = "boiler"
fuel = "natural_gas"
factor = [{ gas = "co2", value = 1.0, unit = §"t/TJ", document = "d", approval = "a", valid_from = 2026-01-01 }]"#,
            r#""t/TJ" is no unit of a factor here"#,
        ),
        (
            r#"[[emission]]
id = "boiler"
category = "process"
factor = [§{ gas = "co2", value = 0.5, unit = "tCO2e/t", document = "d", valid_from = 2026-01-01 }]"#,
            r#"a factor of emission "boiler" names a gas"#,
        ),
        (
            r#"[[emission]]
id = "boiler"
refrigerant = "r_410a"
[[emission]]
id = §"boiler"
refrigerant = "r_410a""#,
            r#"emission "boiler" is declared twice"#,
        ),
        (
            r#"[[emission]]
id = "boiler"
fuel = "natural_gas"
§fule = "x""#,
            r#"unknown key `fule` in emission "boiler""#,
        ),
        (
            r#"[[contract]]
id = "ppa"
document = "HD 1"
valid_from = 2026-01-01
volume_mwh = 10.0
factor_t_per_mwh = 0.0
valid_to = §2025-12-31"#,
            r#"contract "ppa" ends before it begins"#,
        ),
        (
            r#"[[contract]]
id = "ppa"
document = "HD 1"
valid_from = 2026-01-01
volume_mwh = 10.0
factor_t_per_mwh = §659.2
valid_to = 2026-12-31"#,
            r#"contract "ppa" emits 659.2 tCO2e/MWh"#,
        ),
        (
            r#"[[contract]]
id = "ppa"
document = "HD 1"
valid_from = 2026-01-01
volume_mwh = §-1.0
factor_t_per_mwh = 0.0
valid_to = 2026-12-31"#,
            r#"contract "ppa" covers -1 MWh"#,
        ),
        (
            r#"[[contract]]
id = §"ppa"
document = "HD 1"
valid_from = 2026-01-01
factor_t_per_mwh = 0.0
valid_to = 2026-12-31"#,
            r#"contract "ppa" has none of quantity and volume_mwh"#,
        ),
        (
            r#"[[contract]]
id = "ppa"
document = "HD 1"
valid_from = 2026-01-01
volume_mwh = 1.0
factor_t_per_mwh = 0.0
valid_to = 2026-12-31
[[contract]]
id = §"ppa"
document = "HD 2"
valid_from = 2027-01-01
volume_mwh = 1.0
factor_t_per_mwh = 0.0
valid_to = 2027-12-31"#,
            r#"contract "ppa" is declared twice"#,
        ),
        (
            r#"[[contract]]
id = §"ppa"
document = "HD 1"
valid_from = 2026-01-01
quantity = "m.kwh"
volume_mwh = 1.0
factor_t_per_mwh = 0.0
valid_to = 2026-12-31"#,
            r#"contract "ppa" has both of quantity and volume_mwh"#,
        ),
        (
            r#"[[contract]]
id = "ppa"
document = "HD 1"
valid_from = 2026-01-01
quantity = §"m.gas"
factor_t_per_mwh = 0.0
valid_to = 2026-12-31"#,
            r#"`quantity` of contract "ppa" is a tag in m3, no energy"#,
        ),
    ] {
        refused(said, message);
    }
}

#[test]
fn factors_that_cant_be_are_refused_at_their_place() {
    for (said, message) in [
        (
            r#"[factors]
grid_factor = { missing = §"zero" }"#,
            r#"`missing` of [factors] is "zero", which is not known"#,
        ),
        (
            r#"[factors]
gwp = §"ar7""#,
            r#"`gwp` of [factors] is "ar7", which is not known"#,
        ),
        (
            r#"[factors]
gwp = "ar5"
gwp_changes = [{ set = "ar6", valid_from = §"2027-03-01" }]"#,
            r#"the set of warming potentials changes on 2027-03-01, within a reporting year"#,
        ),
        (
            r#"[factors]
gwp = "ar4"
gwp_changes = [{ set = "ar5", valid_from = "2027-01-01" }, { set = "ar6", valid_from = §"2026-01-01" }]"#,
            r#"2026-01-01 doesn't come after the change before it"#,
        ),
        (
            r#"[factors]
§file = "x.toml""#,
            r#"unknown key `file` in [factors]"#,
        ),
    ] {
        refused(said, message);
    }
}
