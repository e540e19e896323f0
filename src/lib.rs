//! parkgate stands between the machines of an industrial park and the authority that runs the park: from a register
//! to a signed KPI record. This page is the map.
//!
//! # The trip of one register
//!
//! ```text
//! sources/modbus  plan asks, link reads words, decode makes samples
//!      |  SampleBatch          sources/mqtt: a message becomes the same samples
//! pipeline        the one loop, which calls
//!   engine        samples -> facts per asset and minute -> windows -> records
//!   ledger        records a share policy lets out -> the next signed page of each stream
//!      |  Commit
//! store           ONE transaction: samples, facts, records, pages; only then is the source acknowledged
//!      |  rows after a cursor
//! sinks           platform: pages to the hub    influxdb: records as points
//!      |  PUT page
//! hub             verifies, keeps each page once, rolls facts up site -> park -> province
//! ```
//!
//! On the box and on the hub, [`api`] answers from what is stored and [`dashboard`] shows what [`api`] answers.
//!
//! # The rooms
//!
//! | room | what happens there | may import |
//! |---|---|---|
//! | [`model`] | the nouns: ids, time, numbers, samples, facts, records, share policies | nothing of ours |
//! | [`profile`] | device types as data | `model` |
//! | [`mod@reference`] | dated factors and holidays, looked up by id and date | `model` |
//! | [`ledger`] | pages: canonical bytes, chain, signature, verification | `model` |
//! | [`wire`] | formats between processes | `model` |
//! | [`engine`] | samples to facts to records; calendar, KPIs | `model`, `reference` |
//! | [`store`] | the embedded database of a box | `model`, `ledger` |
//! | [`pipeline`] | the one loop | `model`, `engine`, `ledger`, `store`, `runtime` |
//! | [`sources`] | in: Modbus, MQTT | `model`, `profile`, `runtime` |
//! | [`sinks`] | out: the authority's platform, InfluxDB 2 | `model`, `ledger`, `wire`, `store`, `runtime` |
//! | [`hub`] | the authority's side | `model`, `ledger`, `wire`, `reference`, `engine::{kpi, calendar}`, `runtime` |
//! | [`api`], [`dashboard`] | HTTP: figures and pages | also `store`, `hub`, and `dashboard` may use `api` |
//! | [`simulator`] | a plant that lies on command | `model`, `runtime` |
//! | [`config`] | one file in, every problem out | the rooms' own `config` modules |
//! | [`runtime`] | clock, supervised tasks, health, secrets, logs | `model` |
//! | [`roles`] | wiring | everything |
//!
//! `model`, `profile`, `reference`, `ledger`, `wire` and `engine` are pure, and so are files named `plan`, `decode`,
//! `payload`, `line`, `rollup`, `plant` or `encode` elsewhere: no clock, no I/O, no task, no log, no unordered map.
//! `tests/architecture.rs` holds both, each rule with its reason.
//!
//! # Ten promises
//!
//! 1. **Facts merge, ratios come last.** A KPI is a function of merged facts; a percentage is never averaged.
//! 2. **The engine is pure.** Time comes in as an argument; the same journal gives the same bytes.
//! 3. **A number carries where it came from**: coverage, method, factors, revision, clock. A missing value is `null`
//!    with a reason, never 0; time without data never becomes downtime.
//! 4. **One transaction** makes samples, facts, records and pages durable together. A source is acknowledged after it.
//! 5. **The record log is the outbox.** Each destination is a cursor over it. What goes to an authority goes as
//!    numbered, chained, signed pages, so that a gap, an edit or another order shows.
//! 6. **Late data makes the next revision.** Nothing published is rewritten.
//! 7. **Nothing is written to a device.** The only folder that speaks Modbus can't say a writing function code.
//!    Over MQTT a source publishes its own Sparkplug state and, where the factory switched it on, a rebirth request.
//! 8. **Failure stays small**: a register, then a request, then a device, then a link.
//! 9. **Everything has a limit.** Reaching one is a stated policy, is counted, and shows in `/api/v1/health`; so does
//!    every guarantee that is lost.
//! 10. **What a regulator can change is data**: dated, sourced, versioned, in `config/reference/`.
//!
//! # Two clocks
//!
//! Plant time ([`runtime::clock`]) drives polls, event time and windows, and can be scaled. Time-outs, keep-alives,
//! back-off and the commit interval are real time (`tokio::time`) and never scaled.
//!
//! # Adding something
//!
//! A KPI, a device profile, a sink, a route or a page is one file and one entry in a visible list. If it takes more,
//! mend the room first.
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::float_cmp,
        clippy::cast_possible_truncation,
        clippy::disallowed_methods,
        reason = "a test fails loudly, compares exact figures and starts what it watches"
    )
)]

pub mod api;
pub mod config;
pub mod dashboard;
pub mod engine;
pub mod hub;
pub mod ledger;
pub mod model;
pub mod pipeline;
pub mod profile;
pub mod reference;
pub mod roles;
pub mod runtime;
pub mod simulator;
pub mod sinks;
pub mod sources;
pub mod store;
pub mod wire;
