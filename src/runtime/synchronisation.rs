//! Whether the box's clock is kept synchronised, asked of whoever keeps it.
//!
//! In: systemd-timesyncd's mark in `/run`, and chronyd's answer to `tracking` on loopback. Out: a [`ClockState`] for
//! [`Clock::set_state`]. Neither is started, changed or needed: where none answers, the state is unknown and said so.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;

use super::clock::Clock;
use crate::model::record::ClockState;
use crate::model::time::Timestamp;

/// Real time between two questions: a clock that loses its source drifts by milliseconds in this time.
const EVERY: Duration = Duration::from_secs(30);
/// Longest wait for chronyd. It answers on loopback at once, or nobody listens.
const ANSWER_MAX: Duration = Duration::from_millis(500);
/// Age at which timesyncd's mark no longer counts. **Unit**: ms. It is touched at each poll, the slowest of which come
/// 2048 s apart (`PollIntervalMaxSec=`); after five missed ones the clock runs free.
const MARK_MS_MAX: i64 = 5 * 2_048_000;

/// Whom to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witnesses {
    /// The file that systemd-timesyncd touches at each synchronisation; its directory is there while it runs.
    pub timesync_mark: PathBuf,
    /// Where chronyd takes monitoring commands.
    pub chrony: SocketAddr,
}

impl Default for Witnesses {
    fn default() -> Self {
        Self {
            timesync_mark: PathBuf::from("/run/systemd/timesync/synchronized"),
            chrony: SocketAddr::from((Ipv4Addr::LOCALHOST, 323)),
        }
    }
}

impl Witnesses {
    /// Asks all; one that keeps the clock is enough, and only one that doesn't speaks against it.
    pub async fn ask(&self, now: Timestamp) -> ClockState {
        let mark = by_mark(&self.timesync_mark, now);
        if mark == Some(ClockState::Synchronised) {
            return ClockState::Synchronised;
        }
        let tracking = tokio::time::timeout(ANSWER_MAX, by_chrony(self.chrony)).await;
        tracking.ok().and_then(Result::ok).flatten().or(mark).unwrap_or(ClockState::Unknown)
    }
}

/// Keeps the clock's state true until `token` is cancelled.
pub async fn watch(clock: Clock, witnesses: Witnesses, token: CancellationToken) {
    loop {
        clock.set_state(witnesses.ask(clock.now()).await);
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = token.cancelled() => return,
        }
    }
}

/// Returns what timesyncd's mark says; `None` where timesyncd doesn't run.
fn by_mark(mark: &Path, now: Timestamp) -> Option<ClockState> {
    if !mark.parent().is_some_and(Path::is_dir) {
        return None;
    }
    let touched = std::fs::metadata(mark).and_then(|metadata| metadata.modified()).ok();
    let since_1970 = touched.and_then(|touched| touched.duration_since(std::time::UNIX_EPOCH).ok());
    let touched_ms = since_1970.and_then(|since| i64::try_from(since.as_millis()).ok());
    let is_fresh = touched_ms.is_some_and(|touched_ms| now.ms_since(Timestamp(touched_ms)) <= MARK_MS_MAX);
    Some(if is_fresh { ClockState::Synchronised } else { ClockState::Unsynchronised })
}

/// Returns what chronyd says; `None` where something else answers.
async fn by_chrony(at: SocketAddr) -> std::io::Result<Option<ClockState>> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    socket.connect(at).await?;
    let sequence = fastrand::u32(..);
    socket.send(&tracking_request(sequence)).await?;
    let mut answer = [0; 512];
    let length = socket.recv(&mut answer).await?;
    Ok(leap_status(&answer[..length], sequence).map(|leap| match leap {
        LEAP_UNSYNCHRONISED => ClockState::Unsynchronised,
        _ => ClockState::Synchronised,
    }))
}

/// Version of chronyd's command protocol, unchanged since 2015. **Source**: chrony, `candm.h`.
const PROTOCOL: u8 = 6;
/// A request, and an answer.
const REQUEST: u8 = 1;
const ANSWER: u8 = 2;
/// The command `tracking`, and the kind of its answer.
const TRACKING_COMMAND: u16 = 33;
const TRACKING_ANSWER: u16 = 5;
/// Bytes of its answer; a request is padded to it, so that nobody can be made to send more than was sent to it.
const TRACKING_BYTES: usize = 104;
/// Leap status of a clock that follows nobody.
const LEAP_UNSYNCHRONISED: u16 = 3;

fn tracking_request(sequence: u32) -> [u8; TRACKING_BYTES] {
    let mut request = [0; TRACKING_BYTES];
    (request[0], request[1]) = (PROTOCOL, REQUEST);
    request[4..6].copy_from_slice(&TRACKING_COMMAND.to_be_bytes());
    request[8..12].copy_from_slice(&sequence.to_be_bytes());
    request
}

/// Returns the leap status of an answer to `tracking`; `None` where it is none.
fn leap_status(answer: &[u8], sequence: u32) -> Option<u16> {
    let word = |at: usize| Some(u16::from_be_bytes([*answer.get(at)?, *answer.get(at + 1)?]));
    let is_ours = answer.get(..2)? == [PROTOCOL, ANSWER]
        && word(4)? == TRACKING_COMMAND
        && word(6)? == TRACKING_ANSWER
        && word(8)? == 0
        && answer.get(16..20)? == sequence.to_be_bytes();
    // After the header of 28 bytes: reference id, address, stratum.
    if is_ours { word(28 + 4 + 20 + 2) } else { None }
}

#[cfg(test)]
mod tests {
    use super::{Clock, ClockState, Timestamp, UdpSocket, Witnesses, leap_status, tracking_request};

    /// Plant time for a mark that was touched a moment ago.
    fn now() -> Timestamp {
        Clock::system().now()
    }

    /// Nobody listens where a socket was closed again.
    async fn nobody() -> Witnesses {
        let chrony = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        Witnesses { timesync_mark: "/nowhere/at/all".into(), chrony }
    }

    #[tokio::test]
    async fn where_nobody_keeps_the_clock_its_state_is_unknown() {
        assert_eq!(nobody().await.ask(now()).await, ClockState::Unknown);
    }

    #[tokio::test]
    async fn the_mark_of_timesyncd_counts_while_it_is_touched() {
        let directory = tempfile::tempdir().unwrap();
        let witnesses = Witnesses { timesync_mark: directory.path().join("synchronized"), ..nobody().await };
        assert_eq!(witnesses.ask(now()).await, ClockState::Unsynchronised, "it runs and has not come so far");
        std::fs::write(&witnesses.timesync_mark, "").unwrap();
        assert_eq!(witnesses.ask(now()).await, ClockState::Synchronised);
        assert_eq!(witnesses.ask(now() + 4 * 3_600_000).await, ClockState::Unsynchronised, "nobody touched it again");
    }

    #[tokio::test]
    async fn chronyd_is_believed_where_it_answers() {
        for (leap, expected) in
            [(0_u16, ClockState::Synchronised), (2, ClockState::Synchronised), (3, ClockState::Unsynchronised)]
        {
            let chrony = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let witnesses = Witnesses { chrony: chrony.local_addr().unwrap(), ..nobody().await };
            let answering = async {
                let mut request = [0; 512];
                let (length, from) = chrony.recv_from(&mut request).await.unwrap();
                assert_eq!((length, request[0], request[5]), (104, 6, 33));
                chrony.send_to(&answer(&request[8..12], leap), from).await.unwrap();
            };
            let (state, ()) = tokio::join!(witnesses.ask(now()), answering);
            assert_eq!(state, expected);
        }
    }

    /// An answer to `tracking` as chronyd 4 sends it.
    fn answer(sequence: &[u8], leap: u16) -> [u8; 104] {
        let mut answer = [0; 104];
        answer[..8].copy_from_slice(&[6, 2, 0, 0, 0, 33, 0, 5]);
        answer[16..20].copy_from_slice(sequence);
        answer[54..56].copy_from_slice(&leap.to_be_bytes());
        answer
    }

    #[test]
    fn what_is_no_answer_to_our_question_says_nothing() {
        let good = answer(&7_u32.to_be_bytes(), 3);
        assert_eq!(leap_status(&good, 7), Some(3));
        assert_eq!(leap_status(&good, 8), None, "another question's");
        assert_eq!(leap_status(&good[..55], 7), None, "cut");
        assert_eq!(leap_status(&tracking_request(7), 7), None, "our own question");
        assert_eq!(leap_status(&[], 7), None);
    }
}
