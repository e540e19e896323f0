//! The directory: which parks, sites and gateways the hub answers for.
//!
//! Built once from `hub.toml`; nothing that arrives changes it.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest as _, Sha256};

use super::config::{GatewayConfig, ParkConfig, SiteConfig};
use crate::ledger::key::VerifyingKey;
use crate::model::id::{GatewayId, ParkId, ProvinceId, SiteId};
use crate::runtime::secret::SecretError;

/// A park.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Park {
    /// Its name, shown on pages.
    pub name: String,
    /// The province it is rolled up into.
    pub province: ProvinceId,
}

/// A factory site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// The park it lies in.
    pub park: ParkId,
    /// Registration number of the enterprise that runs it.
    pub enterprise: String,
    /// Its name, shown on pages.
    pub name: String,
    /// What it makes; `None` where the authority doesn't say.
    pub sector: Option<String>,
}

/// A gateway that may deliver.
#[derive(Debug, Clone)]
pub struct KnownGateway {
    /// The one site whose records it may contribute.
    pub site: SiteId,
    /// Its declared public key; `None`: the key of its first page is pinned.
    pub key: Option<VerifyingKey>,
    /// The bearer token it must send; `None`: its signature is enough.
    token: Option<SecretString>,
}

impl KnownGateway {
    /// Says whether `given` is the gateway's token. Takes as long whatever is wrong with it: both sides are hashed,
    /// and every byte of the digests is compared. Without a declared token anything is right.
    pub fn admits(&self, given: Option<&str>) -> bool {
        let Some(token) = &self.token else { return true };
        let wanted = Sha256::digest(token.expose_secret().as_bytes());
        let found = Sha256::digest(given.unwrap_or_default().as_bytes());
        wanted.iter().zip(found.iter()).fold(0, |different, (a, b)| different | (a ^ b)) == 0
    }
}

/// Parks, sites and gateways by id.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    /// Every park.
    pub parks: BTreeMap<ParkId, Park>,
    /// Every site.
    pub sites: BTreeMap<SiteId, Site>,
    /// Every gateway.
    pub gateways: BTreeMap<GatewayId, KnownGateway>,
}

impl Directory {
    /// Builds the directory and reads the tokens it refers to. References between entries were checked with the
    /// configuration.
    ///
    /// # Errors
    /// [`SecretError`] where a token can't be had; the hub refuses to start.
    pub fn build(parks: &[ParkConfig], sites: &[SiteConfig], gateways: &[GatewayConfig]) -> Result<Self, SecretError> {
        let park = |park: &ParkConfig| {
            let entry = Park { name: park.name.clone(), province: park.province.get_ref().clone() };
            (park.id.get_ref().clone(), entry)
        };
        let site = |site: &SiteConfig| {
            let enterprise = site.enterprise.get_ref().as_str().to_owned();
            let sector = site.sector.as_ref().map(|sector| sector.get_ref().trim().to_owned());
            let entry = Site { park: site.park.get_ref().clone(), enterprise, name: site.name.clone(), sector };
            (site.id.get_ref().clone(), entry)
        };
        let gateway = |gateway: &GatewayConfig| {
            let token = gateway.token.as_ref().map(|token| token.resolve()).transpose()?;
            let entry = KnownGateway { site: gateway.site.get_ref().clone(), key: gateway.public_key(), token };
            Ok((gateway.id.get_ref().clone(), entry))
        };
        Ok(Self {
            parks: parks.iter().map(park).collect(),
            sites: sites.iter().map(site).collect(),
            gateways: gateways.iter().map(gateway).collect::<Result<_, SecretError>>()?,
        })
    }

    /// Returns the sites of a park, ascending.
    pub fn sites_of_park(&self, park: &ParkId) -> Vec<SiteId> {
        self.sites.iter().filter(|(_, site)| site.park == *park).map(|(id, _)| id.clone()).collect()
    }

    /// Returns the sites of a province, ascending.
    pub fn sites_of_province(&self, province: &ProvinceId) -> Vec<SiteId> {
        let inside = |site: &Site| self.parks.get(&site.park).is_some_and(|park| park.province == *province);
        self.sites.iter().filter(|(_, site)| inside(site)).map(|(id, _)| id.clone()).collect()
    }
}
