//! Records: the KPIs of one asset in one closed window, with the facts and the provenance they rest on.

use std::borrow::Cow;
use std::fmt;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::fact::Facts;
use super::id::{AssetId, Digest, SiteId};
use super::time::{Grain, Timestamp, Window};
use super::unit::ProductUnit;

/// Name of a KPI in the catalogue, like `oee`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KpiId(pub Cow<'static, str>);

impl KpiId {
    /// Returns the id of a catalogue entry.
    pub const fn of(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KpiId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Place of an asset in the ISA-95 equipment hierarchy. Order: widest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// The whole factory.
    Site,
    /// An area of it.
    Area,
    /// A production line.
    Line,
    /// A machine.
    Unit,
}

impl Level {
    /// Returns the name used in configuration and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Site => "site",
            Self::Area => "area",
            Self::Line => "line",
            Self::Unit => "unit",
        }
    }
}

/// Why there is no value. The code goes out; the words are the reader's language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Nothing was measured in the window.
    NoData,
    /// The asset has no input that could feed the KPI.
    NoInput,
    /// The produced quantity is 0.
    NoProduction,
    /// The actual production time is 0.
    NoProductionTime,
    /// No planned busy time was observed.
    NoBusyTime,
    /// No planned run time per unit is declared.
    NoPlannedRunTime,
    /// No energy was used.
    NoEnergy,
    /// No factor was published for the year.
    NoPublishedFactor,
    /// The window is finer than the KPI's finest grain.
    BelowFinestGrain,
    /// The KPI's facts can't be merged for this scope.
    NotMergeable,
    /// The factory doesn't share it.
    NotShared,
    /// Fewer values were valid than the rule asks for.
    TooFewValid,
    /// What was measured could not be brought to the conditions that the limit is for.
    NotCorrectable,
    /// No limit held in all of the window.
    NoLimit,
    /// The equipment neither produced, nor was it set up or delayed, as far as the KPI asks.
    NoOperatingTime,
    /// No failure occurred, so there is no mean over failures.
    NoFailure,
    /// No maintenance was observed.
    NoMaintenance,
    /// No order ran.
    NoOrder,
    /// Nothing was planned.
    NoPlan,
    /// Nothing was inspected.
    NoInspection,
    /// No material was consumed.
    NoMaterial,
    /// Nobody attended.
    NoPersonnel,
    /// There was no wastewater, neither leaving nor used again.
    NoWastewater,
    /// Nothing is declared and approved for the window.
    NotDeclared,
}

impl Reason {
    /// Returns the code used in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoData => "no_data",
            Self::NoInput => "no_input",
            Self::NoProduction => "no_production",
            Self::NoProductionTime => "no_production_time",
            Self::NoBusyTime => "no_busy_time",
            Self::NoPlannedRunTime => "no_planned_run_time",
            Self::NoEnergy => "no_energy",
            Self::NoPublishedFactor => "no_published_factor",
            Self::BelowFinestGrain => "below_finest_grain",
            Self::NotMergeable => "not_mergeable",
            Self::NotShared => "not_shared",
            Self::TooFewValid => "too_few_valid",
            Self::NotCorrectable => "not_correctable",
            Self::NoLimit => "no_limit",
            Self::NoOperatingTime => "no_operating_time",
            Self::NoFailure => "no_failure",
            Self::NoMaintenance => "no_maintenance",
            Self::NoOrder => "no_order",
            Self::NoPlan => "no_plan",
            Self::NoInspection => "no_inspection",
            Self::NoMaterial => "no_material",
            Self::NoPersonnel => "no_personnel",
            Self::NoWastewater => "no_wastewater",
            Self::NotDeclared => "not_declared",
        }
    }
}

/// What a reader must know beside a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flag {
    /// Effectiveness above 100 %: the planned run time per unit is too generous.
    EffectivenessAbove100,
    /// Rests on a factor of another year; an official one will revise it.
    Provisional,
    /// No calendar is declared; every hour counts as planned operation time.
    CalendarAssumed,
    /// Contains amounts that were spread over a gap.
    Substituted,
    /// Growth that no such device can show was left out.
    Excluded,
    /// No direct emissions are declared, so only scope 2 is in it.
    Scope1NotDeclared,
    /// The window has not closed; the value will still change.
    WindowOpen,
    /// Oxygen in the stack was above 18 % while the value was corrected by it: air probably leaks in.
    OxygenHigh,
    /// The produced quantity is not the sum of good, scrap and rework, each counted by itself.
    QuantitiesDisagree,
    /// Contracts cover more electricity than was drawn from the grid; the surplus covers nothing.
    ContractsAboveImport,
    /// A medium has no meter at the asset: its figure is the sum of what the assets below have.
    Summed,
    /// What meters below the boundary count is more than what the boundary counts.
    NegativeRemainder,
    /// Contains quantities that people declared and nobody measured.
    Declared,
    /// A source that nothing measures has no approved declaration for the window: what it emits is not in the value.
    SourceNotDeclared,
}

/// Which reference entry a value rests on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FactorRef {
    /// Id of the entry, like `vn_grid_2023`.
    pub id: String,
    /// Digest of the reference file it was read from: the immutable version.
    pub version: Digest,
    /// The year it was published for.
    pub year: i16,
}

/// One KPI computed from one set of facts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KpiValue {
    /// Which KPI.
    pub kpi: KpiId,
    /// Version of the formula.
    pub method: u16,
    /// The value, in the catalogue's unit; `None` exactly where `reason` is given.
    pub value: Option<f64>,
    /// Why there is no value.
    pub reason: Option<Reason>,
    /// Share of the window that was really measured, 0 to 1; `None` where nothing was to be measured.
    pub coverage: Option<f64>,
    /// What the amounts in it are; `None` where there are none, and in records of before shares were told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shares: Option<Shares>,
    /// What a reader must know beside the value, ascending.
    pub flags: Vec<Flag>,
    /// The reference entries it rests on, ascending.
    pub factors: Vec<FactorRef>,
}

/// What the amounts in a figure are: of the input of which the smallest share was measured. Each is 0 to 1; `measured`,
/// `substituted` and `declared` together are 1, unless all that was seen was excluded.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shares {
    /// Was read.
    pub measured: f64,
    /// Grew over a gap and was spread over it.
    pub substituted: f64,
    /// Was declared by people and not measured.
    pub declared: f64,
    /// Was seen and left out as impossible, or as time of calibration or fault: a share of all that was seen.
    pub excluded: f64,
}

impl Shares {
    /// All of it was measured.
    pub const MEASURED: Self = Self { measured: 1.0, substituted: 0.0, declared: 0.0, excluded: 0.0 };
}

/// The calendar by which a window was planned. The names are the factory's own words and stay on the box.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalendarRef {
    /// What the configuration calls it.
    pub name: String,
    /// Digest of all that it says.
    pub version: Digest,
    /// Of a shift: the civil date on which it starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub production_day: Option<Date>,
    /// Of a shift: its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shift: Option<String>,
}

/// Whether the box's clock could be trusted while the window was measured: the worst of its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClockState {
    /// The operating system reports a synchronised clock.
    Synchronised,
    /// It reports an unsynchronised one.
    Unsynchronised,
    /// It doesn't say.
    #[default]
    Unknown,
    /// Plant time is simulated.
    Simulated,
}

impl ClockState {
    /// Every state, in the order of their codes.
    const ALL: [Self; 4] = [Self::Synchronised, Self::Unsynchronised, Self::Unknown, Self::Simulated];

    /// Returns the stable code stored in databases.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// Returns the state of a stored code.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }

    /// Returns the one of two that can be trusted less; simulated time least of all.
    #[must_use]
    pub fn worse(self, other: Self) -> Self {
        let rank = |state| match state {
            Self::Synchronised => 0,
            Self::Unknown => 1,
            Self::Unsynchronised => 2,
            Self::Simulated => 3,
        };
        if rank(other) > rank(self) { other } else { self }
    }
}

/// The records of one asset in one closed window: every KPI, over the same facts.
///
/// Its identity is (site, asset, grain, start, revision). Nothing published is rewritten; late or corrected data
/// makes the next revision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WindowRecord {
    /// The factory.
    pub site: SiteId,
    /// What the figures are about.
    pub asset: AssetId,
    /// Its place in the hierarchy.
    pub level: Level,
    /// How long the window is.
    pub grain: Grain,
    /// The window.
    pub window: Window,
    /// 1 for the first closing.
    pub revision: u32,
    /// The merged facts.
    pub facts: Facts,
    /// What quantities are counted in.
    pub product_unit: ProductUnit,
    /// Every KPI that can be asked of this asset, in catalogue order.
    pub kpis: Vec<KpiValue>,
    /// Digest of the configuration that made it.
    pub config: Digest,
    /// The clock while it was measured.
    pub clock: ClockState,
    /// The asset's calendar; `None` in records of before calendars were named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calendar: Option<CalendarRef>,
    /// Digest over the lineage that stays on the box: tags, facts, configuration.
    pub inputs_digest: Digest,
}

impl WindowRecord {
    /// Returns the order in which records are logged, printed and paged.
    pub fn sort_key(&self) -> (Timestamp, Grain, &AssetId, u32) {
        (self.window.start, self.grain, &self.asset, self.revision)
    }
}
