//! What the hub can say of gateways, sites and parks: connected or not, up to which page, with which key.

use serde::Serialize;

use super::directory::Directory;
use super::heard::StatusRow;
use super::read::{GatewayRow, Snapshot, StreamRow};
use super::store::StoreError;
use crate::model::id::{AssetId, Digest, GatewayId, ParkId, ProvinceId, SiteId, StreamName};
use crate::model::share::SharePolicy;
use crate::model::time::{Grain, MINUTE_MS, Timestamp};

/// What a page may take from the end of its window to the hub beside the window's own length. **Unit**: ms.
const DELIVERY_MS: i64 = 10 * MINUTE_MS;

/// One gateway of the directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GatewayState {
    /// Its id.
    pub gateway: GatewayId,
    /// The site it stands in.
    pub site: SiteId,
    /// Whether it was heard of lately: a status while it holds and ten minutes more; where it sends none, a page within
    /// two of its shared windows and ten minutes.
    pub connected: bool,
    /// When its first authentic page came; `null` before.
    pub first_seen: Option<Timestamp>,
    /// When something last came of it, page or status: of a gateway that is not connected, since when.
    pub last_seen: Option<Timestamp>,
    /// What it last said of itself; `None` where it never did.
    pub status: Option<StatusRow>,
    /// Thumbprint of the key its pages must be signed with; `null` until its first page.
    pub key_thumbprint: Option<String>,
    /// Its streams, ascending by name; of each the last epoch.
    pub streams: Vec<StreamState>,
}

/// One stream of a gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StreamState {
    /// Its name.
    pub stream: StreamName,
    /// Its last epoch.
    pub epoch: u32,
    /// The last page held.
    pub accepted_through: u64,
    /// Its hash.
    pub head_hash: Digest,
    /// What contradicted the chain; `null` while it is whole.
    pub forked: Option<String>,
    /// What the factory shares on it.
    pub policy: Option<SharePolicy>,
}

/// One site of the directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SiteState {
    /// Its id.
    pub site: SiteId,
    /// Its name.
    pub name: String,
    /// Its park.
    pub park: ParkId,
    /// Registration number of its enterprise.
    pub enterprise: String,
    /// The assets it has reported, ascending.
    pub assets: Vec<AssetId>,
}

/// One park of the directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ParkState {
    /// Its id.
    pub park: ParkId,
    /// Its name.
    pub name: String,
    /// Its province.
    pub province: ProvinceId,
    /// Its sites, ascending.
    pub sites: Vec<SiteId>,
}

/// Returns the gateways of the directory as of `now`, ascending.
///
/// # Errors
/// [`StoreError`].
pub fn gateways(store: &Snapshot<'_>, directory: &Directory, now: Timestamp) -> Result<Vec<GatewayState>, StoreError> {
    let (rows, streams) = (store.gateways()?, store.streams()?);
    let state = |(id, known): (&GatewayId, &super::directory::KnownGateway)| {
        let status = store.status(id)?;
        let row = rows.iter().find(|row| row.gateway == *id);
        let own: Vec<&StreamRow> = last_epochs(&streams).into_iter().filter(|stream| stream.gateway == *id).collect();
        let declared = known.key.as_ref().map(|key| key.kid().to_owned());
        let heard = status.as_ref().map(|status| status.received_at);
        Ok(GatewayState {
            gateway: id.clone(),
            site: known.site.clone(),
            connected: row.is_some_and(|row| is_connected(row, status.as_ref(), &own, now)),
            first_seen: row.map(|row| row.first_seen),
            last_seen: row.map(|row| row.last_seen).max(heard),
            status,
            key_thumbprint: match row.filter(|row| row.has_handed_over) {
                Some(row) => Some(row.kid.clone()),
                None => declared.or_else(|| row.map(|row| row.kid.clone())),
            },
            streams: own.into_iter().map(stream_state).collect(),
        })
    };
    directory.gateways.iter().map(state).collect()
}

/// Returns the sites of the directory, ascending.
///
/// # Errors
/// [`StoreError`].
pub fn sites(store: &Snapshot<'_>, directory: &Directory) -> Result<Vec<SiteState>, StoreError> {
    let state = |(id, site): (&SiteId, &super::directory::Site)| {
        Ok(SiteState {
            site: id.clone(),
            name: site.name.clone(),
            park: site.park.clone(),
            enterprise: site.enterprise.clone(),
            assets: store.assets(id)?,
        })
    };
    directory.sites.iter().map(state).collect()
}

/// Returns the parks of the directory, ascending.
pub fn parks(directory: &Directory) -> Vec<ParkState> {
    let state = |(id, park): (&ParkId, &super::directory::Park)| ParkState {
        park: id.clone(),
        name: park.name.clone(),
        province: park.province.clone(),
        sites: directory.sites_of_park(id),
    };
    directory.parks.iter().map(state).collect()
}

/// Returns of each stream the row of its last epoch; a later epoch settles what stopped an earlier one. `streams` ascend by
/// gateway, name and epoch.
pub(super) fn last_epochs(streams: &[StreamRow]) -> Vec<&StreamRow> {
    let is_last = |(position, stream): &(usize, &StreamRow)| {
        let next = streams.get(position + 1);
        next.is_none_or(|next| (&next.gateway, &next.stream) != (&stream.gateway, &stream.stream))
    };
    streams.iter().enumerate().filter(is_last).map(|(_, stream)| stream).collect()
}

fn is_connected(row: &GatewayRow, status: Option<&StatusRow>, streams: &[&StreamRow], now: Timestamp) -> bool {
    if let Some(StatusRow { status, received_at }) = status {
        let holds_until = *received_at + i64::from(status.next_within_s) * 1_000 + DELIVERY_MS;
        // Pages that come long after the last status are from a box that doesn't send any more of them.
        if now <= holds_until || row.last_seen <= holds_until {
            return now <= holds_until;
        }
    }
    let finest = streams.iter().filter_map(|stream| stream.policy.as_ref()).map(|policy| policy.grain).min();
    let patience_ms = finest.map_or(0, |grain| 2 * nominal_ms(grain)) + DELIVERY_MS;
    now.ms_since(row.last_seen) <= patience_ms
}

/// Returns how far apart pages of a grain come, at most.
const fn nominal_ms(grain: Grain) -> i64 {
    let minutes = match grain {
        Grain::Minute => 1,
        Grain::FiveMinutes => 5,
        Grain::QuarterHour => 15,
        Grain::HalfHour => 30,
        Grain::Hour => 60,
        // A factory with one shift a day closes one a day.
        Grain::Shift | Grain::Day => 24 * 60,
        Grain::Month => 31 * 24 * 60,
        Grain::Year => 366 * 24 * 60,
    };
    minutes * MINUTE_MS
}

fn stream_state(stream: &StreamRow) -> StreamState {
    StreamState {
        stream: stream.stream.clone(),
        epoch: stream.epoch,
        accepted_through: stream.head_seq,
        head_hash: stream.head_hash,
        forked: stream.fork.clone(),
        policy: stream.policy.clone(),
    }
}
