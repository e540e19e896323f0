//! `GET /api/v1/channels/{channel}/slots`: the five-minute values of one channel of a box.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::edge::Edge;
use super::extract::{Params, Segments};
use super::problem::Outcome;
use super::schema::{self, Refusals};
use super::values::{WINDOWS_MAX, instant, refuse};
use super::{Api, Backend};
use crate::model::fact::Facts;
use crate::model::id::AssetId;
use crate::model::slot::{SLOT_MS, slot};
use crate::model::time::{Grain, Timestamp, Window};
use crate::wire::problem::Problem;

/// Which time.
#[derive(Debug, Clone, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SlotsQuery {
    /// First instant asked for, RFC 3339.
    #[param(example = "2026-10-05T07:00:00+07:00")]
    from: String,
    /// First instant not asked for, RFC 3339; without it the present.
    #[param(example = "2026-10-05T08:00:00+07:00")]
    to: Option<String>,
}

/// The five-minute values of a channel.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Slots {
    /// The channel.
    #[schema(value_type = String, example = "boiler-1-so2")]
    channel: AssetId,
    /// What it measures.
    #[schema(example = "so2")]
    parameter: &'static str,
    /// The symbol under which it is transmitted.
    #[schema(example = "SO2")]
    symbol: &'static str,
    /// The unit of its values.
    #[schema(example = "mg/Nm3")]
    unit: &'static str,
    /// Every five minutes that are over, ascending.
    slots: Vec<SlotBody>,
}

/// One five-minute value.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SlotBody {
    /// Its five minutes.
    #[schema(value_type = schema::Window)]
    window: Window,
    /// The mean over the valid time; null where no time was valid.
    #[schema(required = true)]
    value: Option<f64>,
    /// `00` measuring, `01` calibrating, `02` device error, or silent: the worst that was present.
    #[schema(example = "00")]
    status: &'static str,
    /// Whether it enters the hourly mean.
    valid: bool,
}

/// Returns the five-minute values of a channel of this box that are over. At most 1,000 an answer.
#[utoipa::path(
    get,
    path = "/api/v1/channels/{channel}/slots",
    tag = "kpi",
    params(("channel" = String, Path, description = "Id of a channel", example = "boiler-1-so2"), SlotsQuery),
    responses((status = 200, body = Slots), Refusals)
)]
pub(super) async fn slots(
    State(api): State<Arc<Api>>,
    Segments(channel): Segments<String>,
    Params(asked): Params<SlotsQuery>,
) -> Outcome<Json<Slots>> {
    let now = api.clock.now();
    let from = instant("from", &asked.from)?;
    let to = asked.to.as_deref().map_or(Ok(now), |text| instant("to", text))?;
    if from >= to {
        return Err(refuse(format!("from {from} is not before to {to}")));
    }
    let longest_ms = SLOT_MS * i64::try_from(WINDOWS_MAX).unwrap_or(i64::MAX / SLOT_MS);
    if to.ms_since(from) > longest_ms {
        return Err(refuse(format!(
            "more than {WINDOWS_MAX} five-minute values are asked for: ask for a shorter span"
        )));
    }
    let slots = api.read(move |api| match &api.backend {
        Backend::Edge(edge) => of_channel(edge, &channel, from, to.min(now)),
        Backend::Hub(_) => Err(Problem::not_found("a hub has no five-minute values; ask the box").into()),
    });
    Ok(Json(slots.await?))
}

fn of_channel(edge: &Edge, id: &str, from: Timestamp, to: Timestamp) -> Outcome<Slots> {
    let found = edge
        .plant
        .assets
        .iter()
        .find_map(|asset| Some((asset, asset.channel.as_deref()?)).filter(|_| asset.id.as_str() == id));
    let Some((asset, channel)) = found else {
        return Err(Problem::not_found(format!("\"{id}\" is no channel of this box")).into());
    };
    let windows = edge.plant.site_calendar().windows(Grain::FiveMinutes, from, to);
    let (Some(first), Some(last)) = (windows.first(), windows.last()) else {
        return Ok(Slots::of(asset.id.clone(), channel, asset.product_unit.as_str(), Vec::new()));
    };
    let minutes = edge.reader.facts(&asset.id, first.start, last.end).map_err(|error| super::store_problem(&error))?;
    let body = |window: &Window| {
        let mut facts = Facts::default();
        let within = minutes.iter().filter(|(minute, _)| window.contains(*minute));
        within.for_each(|(_, minute)| facts.merge_over_time(minute));
        SlotBody::of(*window, &facts)
    };
    let bodies = windows.iter().filter(|window| window.end <= to).map(body).collect();
    Ok(Slots::of(asset.id.clone(), channel, asset.product_unit.as_str(), bodies))
}

impl Slots {
    fn of(id: AssetId, channel: &crate::engine::pollutant::Channel, unit: &'static str, slots: Vec<SlotBody>) -> Self {
        let parameter = channel.parameter;
        Self { channel: id, parameter: parameter.as_str(), symbol: parameter.symbol(), unit, slots }
    }
}

impl SlotBody {
    #[expect(clippy::cast_precision_loss, reason = "the figure that is shown")]
    fn of(window: Window, facts: &Facts) -> Self {
        let slot = slot(facts);
        let value = slot.mean_micro.map(|micro| micro as f64 / 1e6);
        Self { window, value, status: slot.status.code(), valid: slot.is_valid }
    }
}

#[cfg(test)]
mod tests {
    use super::{SlotBody, Window};
    use crate::model::fact::{Facts, Measure};
    use crate::model::time::Timestamp;

    #[test]
    fn a_slot_has_its_mean_and_the_worst_status_and_silence_is_an_error() {
        let window = Window { start: Timestamp(0), end: Timestamp(300_000) };
        let of = |pairs: &[(Measure, i128)]| {
            let facts: Facts = pairs.iter().copied().collect();
            let slot = SlotBody::of(window, &facts);
            (slot.value, slot.status, slot.valid)
        };
        let measured = [(Measure::ValueTime, 240_000 * 2_500_000), (Measure::ValidTime, 240_000)];
        assert_eq!(of(&measured), (Some(2.5), "00", true));
        assert_eq!(of(&[measured[0], measured[1], (Measure::CalibrationTime, 1)]), (Some(2.5), "01", false));
        assert_eq!(of(&[]), (None, "02", false));
    }
}
