//! What gateways say of themselves: how the box is, beside and ahead of its pages.
//!
//! In: a signed status. Out: the latest of each gateway. It changes no figure and no chain.

use rusqlite::{OptionalExtension, params};
use serde::Serialize;

use super::directory::Directory;
use super::ingest::Refusal;
use super::keys;
use super::read::{Snapshot, damaged};
use super::store::{HubStore, Ingest, StoreError};
use crate::ledger::jws;
use crate::ledger::key::{Jwk, VerifyingKey};
use crate::model::id::GatewayId;
use crate::model::time::Timestamp;
use crate::wire::status::{FORM, GatewayStatus};

/// Most components kinds that a status may list; each kind stands there once.
const KINDS_MAX: usize = 16;

/// A status as it came.
#[derive(Debug, Clone, Copy)]
pub struct Word<'a> {
    /// Gateway of the path.
    pub gateway: &'a GatewayId,
    /// The bearer token, where one was sent.
    pub token: Option<&'a str>,
    /// The detached signature.
    pub jws: &'a str,
    /// The body.
    pub bytes: &'a [u8],
}

/// The latest status of a gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatusRow {
    /// What it said.
    pub status: GatewayStatus,
    /// When it came, by the hub's clock.
    pub received_at: Timestamp,
}

/// Takes a status. `now` is the hub's clock. Returns whether it is news: one that is older than what is held changes
/// nothing.
///
/// # Errors
/// [`Refusal`]. A gateway whose key isn't known yet is refused: its first page brings it.
pub fn hear(store: &mut HubStore, directory: &Directory, word: &Word<'_>, now: Timestamp) -> Result<bool, Refusal> {
    let known = directory.gateways.get(word.gateway).ok_or_else(|| Refusal::UnknownGateway(word.gateway.clone()))?;
    if !known.admits(word.token) {
        return Err(Refusal::Token(word.gateway.clone()));
    }
    let forbidden = |detail: String| Refusal::Signature { gateway: word.gateway.clone(), detail };
    let transaction = store.begin()?;
    let base = match (&known.key, transaction.pinned_key(word.gateway)?) {
        (Some(declared), _) => declared.clone(),
        (None, Some(pinned)) => {
            VerifyingKey::from_jwk(&Jwk::from_x(&pinned)).map_err(|error| forbidden(error.to_string()))?
        }
        (None, None) => return Err(forbidden("its key isn't known; its first page brings it".to_owned())),
    };
    let kid = jws::kid(word.jws).map_err(|fault| forbidden(fault.to_string()))?;
    let hand_overs = transaction.hand_overs(word.gateway)?;
    let announced = keys::announced(&hand_overs, &kid).map_err(|fault| forbidden(fault.to_string()))?;
    let key = announced.unwrap_or(base);
    jws::verify(word.bytes, word.jws, &key).map_err(|fault| forbidden(fault.to_string()))?;
    let status: GatewayStatus =
        serde_json::from_slice(word.bytes).map_err(|error| Refusal::Malformed(format!("it is no status: {error}")))?;
    if status.form != FORM {
        return Err(Refusal::Malformed(format!("status of form {}, this hub reads form {FORM}", status.form)));
    }
    if status.gateway != *word.gateway {
        let detail = format!("path names gateway {}, body is of {}", word.gateway, status.gateway);
        return Err(Refusal::Malformed(detail));
    }
    let ascend = status.components.windows(2).all(|pair| pair[0].kind < pair[1].kind);
    if !ascend || status.components.len() > KINDS_MAX {
        return Err(Refusal::Malformed("its components are not listed once by kind, ascending".to_owned()));
    }
    let is_news = transaction.keep_status(word, status.at, now)?;
    transaction.commit()?;
    Ok(is_news)
}

impl Ingest<'_> {
    /// Keeps a status unless a later one is held.
    fn keep_status(&self, word: &Word<'_>, at: Timestamp, now: Timestamp) -> Result<bool, StoreError> {
        let sql = "INSERT INTO status (gateway, at, received_at, jws, bytes) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (gateway) DO UPDATE SET at = ?2, received_at = ?3, jws = ?4, bytes = ?5 WHERE at < ?2";
        let kept =
            self.transaction().execute(sql, params![word.gateway.as_str(), at.0, now.0, word.jws, word.bytes])?;
        Ok(kept > 0)
    }
}

impl Snapshot<'_> {
    /// Returns the latest status of a gateway; `None` before its first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn status(&self, gateway: &GatewayId) -> Result<Option<StatusRow>, StoreError> {
        let sql = "SELECT bytes, received_at FROM status WHERE gateway = ?1";
        let row = self
            .connection()
            .query_row(sql, [gateway.as_str()], |row| Ok((row.get::<_, Vec<u8>>(0)?, Timestamp(row.get(1)?))));
        let Some((bytes, received_at)) = row.optional()? else { return Ok(None) };
        let status = serde_json::from_slice(&bytes).map_err(|_| damaged("status.bytes", gateway.as_str()))?;
        Ok(Some(StatusRow { status, received_at }))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::testing::{TestBox, TestHub, at};
    use super::{FORM, GatewayStatus, Refusal, Word, hear, jws};
    use crate::model::id::GatewayId;
    use crate::wire::status::{BacklogStatus, ComponentKind, KindStatus};

    pub(in super::super) fn status(gateway: &str, said_at: &str) -> GatewayStatus {
        GatewayStatus {
            form: FORM,
            gateway: GatewayId::new(gateway).unwrap(),
            at: at(said_at),
            version: "0.1.0".to_owned(),
            next_within_s: 900,
            components: vec![KindStatus {
                kind: ComponentKind::Source,
                ok: 2,
                degraded: 0,
                failed: 1,
                troubled_since: Some(at("2026-10-05T00:00:00Z")),
            }],
            backlog: BacklogStatus::default(),
        }
    }

    /// Signs as `signer` and tells it under `gateway`'s path.
    fn tell(hub: &mut TestHub, gateway: &str, signer: &TestBox, bytes: &[u8]) -> Result<bool, Refusal> {
        let (gateway, jws) = (GatewayId::new(gateway).unwrap(), jws::sign(bytes, &signer.key()));
        let word = Word { gateway: &gateway, token: Some("s3cret"), jws: &jws, bytes };
        hear(&mut hub.store, &hub.known, &word, hub.now)
    }

    fn held(hub: &TestHub) -> Option<super::StatusRow> {
        let reader = super::super::read::Reader::new(hub.store.path());
        reader.ask(|store| store.status(&GatewayId::new("steel").unwrap())).unwrap()
    }

    #[test]
    fn the_latest_status_of_a_gateway_counts_and_an_older_one_that_comes_again_changes_nothing() {
        let mut hub = TestHub::new();
        let mut steel = TestBox::new("steel", 1);
        hub.deliver(&steel.policy_page()).unwrap();
        assert_eq!(held(&hub), None);
        let words = ["2026-10-05T00:10:00Z", "2026-10-05T00:20:00Z"].map(|at| status("steel", at));
        let bytes = words.each_ref().map(|status| serde_json::to_vec(status).unwrap());
        for (bytes, is_news) in [(&bytes[0], true), (&bytes[1], true), (&bytes[0], false), (&bytes[1], false)] {
            assert_eq!(tell(&mut hub, "steel", &steel, bytes).unwrap(), is_news);
        }
        let row = held(&hub).unwrap();
        assert_eq!((row.status, row.received_at), (words[1].clone(), hub.now));
    }

    #[test]
    fn what_is_not_signed_by_the_gateway_or_is_no_status_is_refused() {
        let mut hub = TestHub::new();
        let (mut steel, stranger) = (TestBox::new("steel", 1), TestBox::new("steel", 2));
        let good = serde_json::to_vec(&status("steel", "2026-10-05T00:10:00Z")).unwrap();
        let refused = tell(&mut hub, "steel", &steel, &good).unwrap_err().to_string();
        assert!(refused.contains("first page"), "{refused}");
        hub.deliver(&steel.policy_page()).unwrap();
        assert!(matches!(tell(&mut hub, "steel", &stranger, &good), Err(Refusal::Signature { .. })));
        assert!(matches!(tell(&mut hub, "nobody", &steel, &good), Err(Refusal::UnknownGateway(_))));
        let of_another = serde_json::to_vec(&status("garment", "2026-10-05T00:10:00Z")).unwrap();
        let later_form = GatewayStatus { form: 2, ..status("steel", "2026-10-05T00:10:00Z") };
        let one = status("steel", "2026-10-05T00:10:00Z").components[0];
        let twice = GatewayStatus { components: vec![one, one], ..status("steel", "2026-10-05T00:10:00Z") };
        for bytes in [
            of_another,
            serde_json::to_vec(&later_form).unwrap(),
            serde_json::to_vec(&twice).unwrap(),
            b"{}".to_vec(),
            b"not json".to_vec(),
        ] {
            let refusal = tell(&mut hub, "steel", &steel, &bytes).unwrap_err();
            assert!(matches!(refusal, Refusal::Malformed(_)), "{refusal}");
        }
        let gateway = GatewayId::new("electronics").unwrap();
        let word = Word { gateway: &gateway, token: None, jws: "", bytes: &good };
        assert!(matches!(hear(&mut hub.store, &hub.known, &word, hub.now), Err(Refusal::Token(_))));
        assert_eq!(held(&hub), None);
    }
}
