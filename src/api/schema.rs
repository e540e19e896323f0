//! The JSON bodies as the OpenAPI document describes them.
//!
//! Types of `wire` and `model` know nothing of OpenAPI; these mirror them. A test holds them to what is really sent.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{IntoResponses, ToSchema};

use crate::wire::problem::MEDIA_TYPE;

/// One error. **Source**: RFC 9457.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes wire::problem::Problem")]
pub(super) struct Problem {
    /// What kind of error.
    #[schema(example = "urn:parkgate:problem:bad-request")]
    r#type: String,
    /// The kind in words.
    title: String,
    /// The HTTP status.
    #[schema(example = 400)]
    status: u16,
    /// What is the matter in this case.
    #[schema(required = false)]
    detail: String,
    /// Of a fork or gap: the last page the hub holds without a gap; 0 for none.
    #[schema(required = false)]
    accepted_through: u64,
    /// Of a fork or gap: the SHA-256 of that page; all zero for none.
    #[schema(required = false)]
    head_hash: String,
}

/// A half-open span of time.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes model::time::Window")]
pub(super) struct Window {
    /// First instant inside.
    #[schema(format = DateTime)]
    start: String,
    /// First instant after.
    #[schema(format = DateTime)]
    end: String,
}

/// A KPI with its value, or the reason why there is none.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes model::record::KpiValue")]
pub(super) struct KpiValue {
    /// Which KPI.
    #[schema(example = "oee")]
    kpi: String,
    /// Version of the formula.
    method: u16,
    /// The value in the catalogue's unit; null exactly where a reason is given.
    #[schema(required = true)]
    value: Option<f64>,
    /// Why there is no value.
    #[schema(required = true)]
    reason: Option<Reason>,
    /// Share of the window that was really measured, 0 to 1; null where nothing was to be measured.
    #[schema(required = true)]
    coverage: Option<f64>,
    /// What the amounts in it are; absent where there are none.
    #[schema(required = false)]
    shares: Shares,
    /// What a reader must know beside the value.
    flags: Vec<Flag>,
    /// The reference entries it rests on.
    factors: Vec<FactorRef>,
}

/// What the amounts in a figure are, of the input of which the smallest share was measured.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes model::record::Shares")]
pub(super) struct Shares {
    /// Was read.
    measured: f64,
    /// Grew over a gap and was spread over it.
    substituted: f64,
    /// Was declared by people and not measured.
    declared: f64,
    /// Was seen and left out: a share of all that was seen.
    excluded: f64,
}

/// What is declared. Fields that a kind doesn't have are left out.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes engine::declared::form::Form")]
pub(super) struct DeclarationForm {
    /// `fuel`, `refrigerant`, `process`, `steam`, `contract`, `waste` or `electricity_bill`.
    kind: String,
    /// The asset; the site where it is left out.
    asset: Option<String>,
    /// A month, a year, a day, two days that are both in it, or two instants.
    #[schema(example = "2026-09-26/2026-10-25")]
    period: String,
    /// A decimal number above 0, exact to six places.
    #[schema(example = "12.5")]
    quantity: String,
    /// `kg`, `t`, `L`, `m3`, `kWh`, `MWh`, `MJ` or `GJ`.
    unit: String,
    /// The paper it rests on.
    document: String,
    /// The declaration in whose place it stands once approved.
    replaces: Option<i64>,
    /// Of fuel: its id.
    fuel: Option<String>,
    /// Of fuel: `stationary` or `mobile`.
    combustion: Option<String>,
    /// Of refrigerant: its id.
    gas: Option<String>,
    /// Of process: what goes in.
    input: Option<String>,
    /// Of process and steam: id of the source whose factor it takes.
    factor: Option<String>,
    /// Of contract: kg CO₂e per kWh.
    kg_per_kwh: Option<String>,
    /// Of contract: contract or certificate.
    instrument: Option<String>,
    /// Of waste: `recycled`, `hazardous`, `landfilled` or `other`.
    stream: Option<String>,
    /// Of electricity_bill: peak hours.
    peak_kwh: Option<String>,
    /// Of electricity_bill: normal hours.
    normal_kwh: Option<String>,
    /// Of electricity_bill: off-peak hours.
    off_peak_kwh: Option<String>,
    /// Of electricity_bill: reactive energy.
    reactive_kvarh: Option<String>,
    /// Of electricity_bill: what is charged, before VAT.
    amount_vnd: Option<String>,
}

/// Why there is no value.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes model::record::Reason")]
pub(super) enum Reason {
    NoData,
    NoInput,
    NoProduction,
    NoProductionTime,
    NoBusyTime,
    NoPlannedRunTime,
    NoEnergy,
    NoPublishedFactor,
    BelowFinestGrain,
    NotMergeable,
    NotShared,
    TooFewValid,
    NotCorrectable,
    NoLimit,
    NoOperatingTime,
    NoFailure,
    NoMaintenance,
    NoOrder,
    NoPlan,
    NoInspection,
    NoMaterial,
    NoPersonnel,
    NoWastewater,
    NotDeclared,
}

/// What a reader must know beside a value.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes model::record::Flag")]
pub(super) enum Flag {
    #[schema(rename = "effectiveness_above100")]
    EffectivenessAbove100,
    Provisional,
    CalendarAssumed,
    Substituted,
    Excluded,
    #[schema(rename = "scope1_not_declared")]
    Scope1NotDeclared,
    WindowOpen,
    OxygenHigh,
    QuantitiesDisagree,
    ContractsAboveImport,
    Summed,
    NegativeRemainder,
    Declared,
    SourceNotDeclared,
}

/// A reference entry.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes model::record::FactorRef")]
pub(super) struct FactorRef {
    /// Its id.
    #[schema(example = "vn_grid_2023")]
    id: String,
    /// SHA-256 of the reference file it was read from.
    version: String,
    /// The year it was published for.
    year: i16,
}

/// Measures by name, unit last. Integers; decimal strings beyond 2⁵³−1.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes model::fact::Facts")]
pub(super) struct Facts(BTreeMap<String, Integer>);

/// An integer; a decimal string where its magnitude exceeds 2⁵³−1.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes integers in JSON")]
pub(super) enum Integer {
    Number(i64),
    Text(String),
}

/// One KPI of one scope in one window.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes wire::figure::Figure")]
pub(super) struct Figure {
    /// The window.
    window: Window,
    /// The KPI with its value, coverage, flags and factors, or the reason why there is no value.
    value: KpiValue,
    /// Revision of the record it rests on; null where it was computed on read or rests on several records.
    #[schema(required = true)]
    revision: Option<u32>,
    /// Whether every window it rests on is closed.
    closed: bool,
    /// The merged facts it was computed from, as far as the reader may see them.
    facts: Facts,
    /// What quantities are counted in; null where unlike units met and quantities were dropped.
    #[schema(required = true, example = "piece")]
    product_unit: Option<String>,
    /// Factories whose facts are in it.
    sites_reporting: u32,
    /// Factories that should be in it.
    sites_expected: u32,
    /// On the hub, where the figure rests on one record: what the factory's box said.
    #[schema(required = false)]
    reported: KpiValue,
}

/// What one destination may see. Nothing else leaves.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes model::share::SharePolicy")]
pub(super) struct SharePolicy {
    /// The KPIs, ascending; each carries its facts at the shared level.
    #[schema(example = json!(["electricity", "oee"]))]
    kpis: Vec<String>,
    /// The finest level that goes out; wider ones go out too.
    #[schema(example = "site")]
    level: String,
    /// The one grain that goes out.
    #[schema(example = "day")]
    grain: String,
}

/// One event of production context. Which keys it has depends on its kind.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes model::context::document::ContextDocument")]
pub(super) struct ContextEvent {
    /// What its sender calls it; told again under the same id it counts once.
    id: Option<String>,
    /// Of which asset.
    #[schema(example = "press-1")]
    asset: String,
    /// When, RFC 3339.
    #[schema(example = "2026-10-05T10:17:23.456+07:00")]
    at: String,
    /// `product`, `order_start`, `order_end`, `plan`, `stop_start`, `stop_end`, `personnel`, `withdrawn`, or what a
    /// quantity counts: `produced`, `good`, `scrap`, `rework`, `inspected`, `first_pass`, `consumed`,
    /// `integrated_good`, `production_loss`, `storage_loss`, `other_loss`.
    #[schema(example = "product")]
    kind: String,
    /// Of `product`; none ends the one before.
    product: Option<String>,
    /// Of `order_start` and `order_end`.
    order: Option<String>,
    /// Counted quantity; planned one of `plan` and `order_start`. In the asset's product unit.
    quantity: Option<f64>,
    /// Of `plan`: planned scrap.
    scrap: Option<f64>,
    /// Of a quantity: it came evenly from then to `at`.
    from: Option<String>,
    /// End of a `plan`; planned end of an order.
    until: Option<String>,
    /// Of `stop_start`, `scrap` and `rework`: a code, never free text.
    reason: Option<String>,
    /// Of `personnel`: people who attend.
    present: Option<u32>,
    /// Of `personnel`: those of them who work on the asset.
    working: Option<u32>,
}

/// A page in canonical JSON (RFC 8785), exactly as it was signed; the project's documentation describes its fields.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the part of ledger::page::Page that the path repeats")]
pub(super) struct SignedPage {
    /// The gateway that signed it.
    gateway: String,
    /// The stream.
    stream: String,
    /// The stream's epoch.
    epoch: u32,
    /// Its number.
    seq: u64,
    /// SHA-256 of the page before it; all zero for the first.
    prev: String,
}

/// What a gateway says of itself. It holds no name of a source, a tag or an asset.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes wire::status::GatewayStatus")]
pub(super) struct GatewayStatus {
    /// 1.
    form: u32,
    /// Who says it.
    gateway: String,
    /// When.
    #[schema(format = DateTime)]
    at: String,
    /// Version of the program.
    version: String,
    /// The next one comes within so long. Unit: s.
    next_within_s: u32,
    /// The components by kind, ascending: `source`, `sink`, `store`, `clock`, `gateway`.
    components: Vec<super::status::KindBody>,
    /// What this authority hasn't got yet.
    backlog: BacklogStatus,
}

/// What waits for an authority.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes wire::status::BacklogStatus")]
pub(super) struct BacklogStatus {
    /// Pages after the last acknowledged one.
    pages: u64,
    /// Their size. Unit: bytes.
    bytes: u64,
    /// How long the oldest has waited. Unit: s.
    seconds: u64,
}

/// The hub's receipt for a page. The same page sent again gets the receipt it got first.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes wire::receipt::Receipt")]
pub(super) struct Receipt {
    /// Whose stream.
    gateway: String,
    /// Which stream.
    stream: String,
    /// Its epoch.
    epoch: u32,
    /// The page this receipt is for.
    seq: u64,
    /// Its SHA-256.
    hash: String,
    /// The last page the hub holds without a gap. The sender's cursor follows it.
    accepted_through: u64,
    /// SHA-256 of that page.
    head_hash: String,
    /// Records the hub keeps but can't use.
    rejected: Vec<Rejected>,
    /// When the page came first.
    #[schema(format = DateTime)]
    received_at: String,
}

/// A record the hub can't use.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes wire::receipt::Rejected")]
pub(super) struct Rejected {
    /// Position in the page's records, from 0.
    index: u32,
    /// Why.
    reason: String,
}

/// The errors that every resource may answer.
pub(super) struct Refusals;

impl IntoResponses for Refusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems(&[
            ("400", "A parameter is missing, misspelt or out of range."),
            ("401", "The server asks for a token, and none or another one was sent."),
            ("403", "The request names a host that isn't this machine, and no token is configured."),
            ("404", "There is no such thing."),
            ("413", "The body is larger than the server takes."),
            ("500", "The server failed."),
            (
                "503",
                "Too many requests are under way, the time limit passed, or the store can't be read; come back after Retry-After.",
            ),
        ])
    }
}

/// Returns responses whose body is a problem.
pub(super) fn problems(statuses: &[(&str, &str)]) -> BTreeMap<String, RefOr<Response>> {
    let problem = Ref::from_schema_name("Problem");
    let response = |words: &str| {
        let content = ContentBuilder::new().schema(Some(problem.clone())).build();
        ResponseBuilder::new().description(words).content(MEDIA_TYPE, content).build().into()
    };
    statuses.iter().map(|(status, words)| ((*status).to_owned(), response(words))).collect()
}
