//! What happens on a line between questions: the pause that frames need, draining after doubt, and other masters.
//!
//! In: bytes that nobody asked for. Out: silence, or why nothing may be sent. Nothing is ever sent here.

use std::io;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::Instant;

use super::LinkError;
use super::open::Port;
use super::owed::{Owed, Shape};
use super::wire::{Heard, Listen, Tap, Wire};
use crate::sources::modbus::transport;

/// How long a serial line is listened to after it was opened, before anything is sent.
pub(super) const LISTEN_FIRST: Duration = Duration::from_secs(2);
/// Silence after which nothing of an earlier answer can follow: the operating system and USB adapters hold bytes
/// back for up to some 20 ms.
const SILENCE_MIN: Duration = Duration::from_millis(50);
/// A line that isn't silent for [`SILENCE_MIN`] within this can't be used.
const NOISE_MAX: Duration = Duration::from_secs(2);
/// Shortest pause between an answer and the next question. **Source**: Modbus over serial line V1.02, 2.5.1.1, for
/// speeds above 19,200 bit/s.
const PAUSE_MIN: Duration = Duration::from_micros(1750);
/// The same through a serial server, whose line has a speed we don't know: what 9,600 bit/s needs.
const PAUSE_OVER_TCP: Duration = Duration::from_millis(4);
/// Bytes of the shortest frame; fewer are noise. **Source**: the same, 2.3.
pub(super) const FRAME_LEN_MIN: usize = 4;
/// Bytes of noise before a late answer: what a transceiver makes of a line that nobody drives.
const GLITCH_MAX: usize = 2;
/// Bytes of an exception: unit, function, code and check.
pub(super) const EXCEPTION_LEN: usize = 5;
/// Time-outs in a row without a single byte after which a TCP connection to a serial server counts as dead: it may
/// have lost its power without a word.
const DEAD_AFTER: u32 = 2;

/// An open line.
pub(super) struct Line {
    wire: Wire,
    is_serial: bool,
    /// Pause between frames.
    pause: Duration,
    /// What must be waited for before the next question.
    doubt: Option<Doubt>,
    /// Time-outs in a row without a byte.
    silences: u32,
}

/// Why a line isn't used at once.
#[derive(Debug, Clone, Copy)]
struct Doubt {
    /// An answer may come until then.
    until: Instant,
    /// Bytes of it that haven't come yet.
    len: usize,
    /// The unit whose answer it is, where it had begun: what follows then begins with anything.
    begun: Option<u8>,
}

impl Doubt {
    /// Nothing in particular is expected.
    fn any() -> Self {
        Self { until: Instant::now(), len: 0, begun: None }
    }

    /// Returns the unit whose answer goes on with so many bytes.
    fn continued(&self, bytes: usize) -> Option<u8> {
        self.begun.filter(|_| bytes <= self.len)
    }
}

impl Line {
    pub(super) fn serial(port: Port, settings: transport::Line) -> Self {
        let character = Duration::from_secs(1) * settings.bits_per_character() / settings.baud;
        Self::new(Wire::new(port), true, (character * 7 / 2).max(PAUSE_MIN))
    }

    pub(super) fn through_tcp(stream: TcpStream) -> Self {
        Self::new(Wire::new(stream), false, PAUSE_OVER_TCP)
    }

    fn new(wire: Wire, is_serial: bool, pause: Duration) -> Self {
        // A serial server may hand over what came before; a drain costs little.
        Self { wire, is_serial, pause, doubt: Some(Doubt::any()), silences: 0 }
    }

    pub(super) fn tap(&self) -> Tap {
        self.wire.tap()
    }

    /// Begins a question.
    pub(super) fn begin(&self) {
        self.wire.begin();
    }

    /// Books an answer of `len` bytes. Returns how many bytes more came.
    pub(super) fn answered(&mut self, len: usize) -> usize {
        self.silences = 0;
        let excess = self.wire.received().saturating_sub(len);
        if excess > 0 {
            self.doubt = Some(Doubt::any());
        }
        excess
    }

    /// Something else came than the answer of that shape: the line is drained before it is used again.
    pub(super) fn mistaken(&mut self, unit: u8, shape: Shape) {
        self.doubt = Some(self.rest_of(unit, shape, Instant::now()));
    }

    /// Books a time-out: the answer gets as long again before anything else is asked. Returns whether the line can
    /// still be used.
    pub(super) fn timed_out(&mut self, limit: Duration, unit: u8, shape: Shape) -> bool {
        self.doubt = Some(self.rest_of(unit, shape, Instant::now() + limit));
        self.silences = if self.wire.received() == 0 { self.silences + 1 } else { 0 };
        self.is_serial || self.silences < DEAD_AFTER
    }

    fn rest_of(&self, unit: u8, shape: Shape, until: Instant) -> Doubt {
        let received = self.wire.received();
        let len = shape.frame_len_max().saturating_sub(received);
        Doubt { until, len, begun: (received > 0).then_some(unit) }
    }

    /// Listens as a guest before the first question.
    pub(super) async fn listen_first(&self, owed: &Owed) -> Result<(), LinkError> {
        let now = Instant::now();
        let heard = self.listen(LISTEN_FIRST, now, 0, now + LISTEN_FIRST + NOISE_MAX).await?;
        let is_foreign = heard.count >= FRAME_LEN_MIN && explained_by(&heard, owed).is_none();
        if is_foreign { Err(foreign(&heard)) } else { Ok(()) }
    }

    /// Waits until the line is silent: for the pause that frames need, or where it is in doubt until nothing owed can
    /// follow. Bytes that nobody asked for cast doubt on every unit.
    pub(super) async fn drain(&mut self, owed: &mut Owed) -> Result<(), LinkError> {
        let now = Instant::now();
        let deadline = |until: Instant| until.max(now) + NOISE_MAX;
        let first = match self.doubt {
            None => self.listen(self.pause, now, 0, deadline(now)).await?,
            Some(Doubt { until, len, .. }) => self.listen(self.silence(), until, len, deadline(until)).await?,
        };
        if first.count == 0 && first.is_silent {
            self.doubt = None;
            return Ok(());
        }
        let heard = if self.doubt.is_none() {
            let now = Instant::now();
            let rest = self.listen(self.silence(), now, 0, now + NOISE_MAX).await?;
            let begins = [first.first, rest.first].concat();
            Heard { count: first.count + rest.count, first: begins, is_silent: rest.is_silent }
        } else {
            first
        };
        let continued = self.doubt.and_then(|doubt| doubt.continued(heard.count));
        match continued.or_else(|| explained_by(&heard, owed)) {
            Some(unit) => owed.heard_late(unit),
            None if self.is_serial && heard.count >= FRAME_LEN_MIN => return Err(foreign(&heard)),
            None => owed.distrust_all(),
        }
        if !heard.is_silent {
            return Err(LinkError::Lost(format!("the line is never silent: {} bytes in {NOISE_MAX:?}", heard.count)));
        }
        self.doubt = None;
        Ok(())
    }

    fn silence(&self) -> Duration {
        self.pause.max(SILENCE_MIN)
    }

    async fn listen(
        &self,
        silence: Duration,
        not_before: Instant,
        enough: usize,
        deadline: Instant,
    ) -> Result<Heard, LinkError> {
        let lost = |error: io::Error| LinkError::Lost(error.to_string());
        self.wire.listen(Listen { silence, not_before, enough, deadline }).await.map_err(lost)
    }
}

/// Returns the unit whose late answers the bytes can be, with at most [`GLITCH_MAX`] bytes of noise before them. After
/// noise the whole head of an owed answer is looked for: a unit's number alone stands in any frame.
fn explained_by(heard: &Heard, owed: &Owed) -> Option<u8> {
    (0..=GLITCH_MAX).find_map(|noise| {
        let head = heard.first.get(noise..)?;
        let unit = *head.first()?;
        let is_head = noise == 0 || owed.begins(head);
        (is_head && owed.explains(unit, heard.count - noise)).then_some(unit)
    })
}

fn foreign(heard: &Heard) -> LinkError {
    let first = heard.first.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(" ");
    LinkError::Foreign(format!("{} bytes heard while nothing was asked, first {first}", heard.count))
}
