//! Electricity, gas and steam.
//!
//! One file a KPI, one line here and one in the catalogue.

pub(super) mod comprehensive_energy;
pub(super) mod electricity;
pub(super) mod electricity_cost;
pub(super) mod electricity_export;
pub(super) mod electricity_generation;
pub(super) mod electricity_import;
pub(super) mod electricity_normal;
pub(super) mod electricity_off_peak;
pub(super) mod electricity_peak;
pub(super) mod electricity_unmetered;
pub(super) mod energy_saving;
pub(super) mod enpi_ratio;
pub(super) mod gas;
pub(super) mod gas_unmetered;
pub(super) mod load_factor;
pub(super) mod peak_demand;
pub(super) mod peak_demand_15min;
pub(super) mod peak_demand_sliding;
pub(super) mod power_factor;
pub(super) mod reactive_surcharge;
pub(super) mod renewable_share;
pub(super) mod specific_energy;
pub(super) mod steam;
pub(super) mod steam_unmetered;
