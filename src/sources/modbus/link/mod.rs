//! The connection to a Modbus endpoint: the only folder that touches the Modbus crate.
//!
//! In: a [`Request`], which can express a read and nothing else. Out: its answer, or why there is none. One
//! transaction at a time, each with a time limit. An answer is handed over only where it can't belong to anything
//! but what was asked:
//!
//! - over TCP and TLS each answer names its transaction. Where a question has no answer the connection is dropped,
//!   and its transaction number is not used again while the answer may still come: neither its data nor its exception
//!   can be taken for another's
//! - a line (serial, or RTU through a serial server) names none. After a time-out or a mistaken answer it is listened
//!   to until it is silent, and the unit must first answer a fence (`owed`) before its values are believed again
//!
//! On a serial line this is a guest: it listens before it speaks, and where another master talks it sends nothing.

mod bus;
mod codec;
mod identity;
mod numbered;
mod open;
mod owed;
#[cfg(test)]
pub(crate) mod tests;
mod wire;

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::{Instant, timeout};
use tokio_modbus::client::{Client, Context, rtu, tcp};
use tokio_modbus::slave::SlaveContext;
use tokio_modbus::{ExceptionCode, Response, Slave};

use bus::Line;
use codec::{answer, describe, encode, fits, frame_len, is_mistaken};
pub use identity::Identity;
use numbered::{Numbered, Numbers};
use owed::{Answered, Fence, Owed, Shape};

use super::plan::{Answer, Limits, Request};
use super::transport::{Security, Transport};
use crate::profile::register::Table;

/// Why a request has no answer. Each variant is another decision of the caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// The device answered that it won't: the connection stays, the request fails.
    #[error("exception {0}: {name}", name = exception_name(*.0))]
    Exception(u8),
    /// No answer in time: the connection was dropped; a line stays open and is drained before it is used again.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// The connection broke or its answer was none to the question: it was dropped; a line that still stands is
    /// drained before it is used again.
    #[error("connection lost: {0}")]
    Lost(String),
    /// There is no connection.
    #[error("no connection: {0}")]
    Connect(String),
    /// Another master talks on the serial line: nothing was sent, and the port is closed.
    #[error("another master is present on the line ({0}): nothing is sent; leave the line to one of the two")]
    Foreign(String),
}

/// Returns the name of an exception code. **Source**: Modbus application protocol V1.1b3, 7.
pub const fn exception_name(code: u8) -> &'static str {
    match code {
        1 => "illegal function",
        2 => "illegal data address",
        3 => "illegal data value",
        4 => "server device failure",
        5 => "acknowledge",
        6 => "server device busy",
        8 => "memory parity error",
        10 => "gateway path unavailable",
        11 => "gateway target device failed to respond",
        _ => "a code the protocol doesn't define",
    }
}

/// Fences that are tried before one read, as long as the unit answers them.
const FENCES_IN_A_ROW: usize = 3;

/// How long a line that was silent is taken to be silent still.
const PREPARED_MAX: Duration = Duration::from_millis(20);

/// One connection, opened and given up as its answers demand.
pub struct Link {
    transport: Transport,
    security: Security,
    context: Option<Context>,
    /// Present exactly where there is a connection without transaction ids.
    line: Option<Line>,
    /// Whether the present connection has answered yet.
    has_answered: bool,
    owed: Owed,
    /// Numbers of transactions without answer, oldest first. They outlive the connection: so do answers that a gateway
    /// keeps.
    unanswered: VecDeque<u16>,
    /// Number of the next transaction; it goes on over connections.
    transaction: u16,
    /// How many transactions there were on this connection, which is what the crate numbers them by.
    counted: u16,
    numbers: Numbers,
    /// What is being asked. Still there at the next call where the caller gave up waiting.
    asking: Option<(u8, Shape)>,
    /// What [`Link::prepare`] has just made sure of, and when.
    prepared: Option<(u8, Request, Instant)>,
    /// What each unit can bear.
    borne: Vec<(u8, Limits)>,
}

/// Transactions without answer that are remembered; the connection is dropped after each, so they are old soon.
const UNANSWERED_MAX: usize = 64;

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("transport", &self.transport).field("connected", &self.is_connected()).finish()
    }
}

impl Link {
    /// Returns a link that isn't connected yet. `security` matters to TLS alone.
    pub fn new(transport: Transport, security: Security) -> Self {
        Self {
            transport,
            security,
            context: None,
            line: None,
            has_answered: false,
            owed: Owed::new(),
            unanswered: VecDeque::new(),
            transaction: 0,
            counted: 0,
            numbers: Numbers::default(),
            asking: None,
            prepared: None,
            borne: Vec::new(),
        }
    }

    /// Keeps what the link asks on its own account off addresses that the unit can't bear, and within the registers it
    /// answers at once. Reads that the caller asks for are the caller's business.
    pub fn heed(&mut self, unit: u8, limits: &Limits) {
        self.borne.push((unit, limits.clone()));
    }

    /// Says whether there is a connection, as far as is known.
    pub const fn is_connected(&self) -> bool {
        self.context.is_some()
    }

    /// Says whether the connection that was used last had answered at least once: if it had, it was probably
    /// closed because it was idle, and a new one is worth an immediate try.
    pub const fn has_answered(&self) -> bool {
        self.has_answered
    }

    /// Closes the connection, if there is one.
    pub fn close(&mut self) {
        self.context = None;
        self.line = None;
        self.prepared = None;
    }

    /// Opens a new connection in place of the present one. `limit` counts for each step: connection, TLS. A serial
    /// line is then listened to for 2 s before anything is sent.
    ///
    /// # Errors
    /// [`LinkError::Connect`] or [`LinkError::Foreign`]; the caller waits before it tries again.
    pub async fn connect(&mut self, limit: Duration) -> Result<(), LinkError> {
        self.book_given_up();
        self.close();
        self.has_answered = false;
        self.counted = 0;
        match &self.transport {
            Transport::Tcp { host, port } => {
                let stream = open::tcp(host, *port, limit).await?;
                self.context = Some(tcp::attach(Numbered::new(stream, self.numbers.clone())));
            }
            Transport::Tls { host, port } => {
                let stream = open::tls(host, *port, &self.security, limit).await?;
                self.context = Some(tcp::attach(Numbered::new(stream, self.numbers.clone())));
            }
            Transport::RtuOverTcp { host, port } => {
                let line = Line::through_tcp(open::tcp(host, *port, limit).await?);
                self.take_line(line);
            }
            Transport::Serial { path, line } => {
                let line = Line::serial(open::serial(path, *line).await?, *line);
                line.listen_first(&self.owed).await?;
                self.take_line(line);
            }
        }
        Ok(())
    }

    fn take_line(&mut self, line: Line) {
        self.owed.distrust_all();
        self.context = Some(rtu::attach(line.tap()));
        self.line = Some(line);
    }

    /// Makes sure that the next answer of `unit` can only belong to `request`: drains a line that is in doubt and
    /// lets the unit answer a fence. [`Link::read`] does it where the caller didn't; a caller that takes the time of
    /// a read calls it first, so that waiting doesn't count as reading.
    ///
    /// Takes up to one `limit` to drain and one for each of 3 fences. Returns whether the unit was asked for anything.
    ///
    /// # Errors
    /// As [`Link::read`].
    pub async fn prepare(&mut self, unit: u8, request: Request, limit: Duration) -> Result<bool, LinkError> {
        self.book_given_up();
        let was_asked = self.line.is_some() && self.bring_in_step(unit, request, limit).await?;
        self.prepared = Some((unit, request, Instant::now()));
        Ok(was_asked)
    }

    async fn bring_in_step(&mut self, unit: u8, request: Request, limit: Duration) -> Result<bool, LinkError> {
        if unit == 0 {
            return Err(LinkError::Lost("unit 0 of a serial line is everybody, and nobody answers".to_owned()));
        }
        for attempt in 0..=FENCES_IN_A_ROW {
            self.drain().await?;
            let bears = |fence: &Request| bears(&self.borne, unit, *fence);
            let fence = match self.owed.fence(unit, request, bears) {
                Fence::InStep => return Ok(attempt > 0),
                Fence::Ask(fence) if attempt < FENCES_IN_A_ROW => fence,
                Fence::Ask(_) | Fence::Impossible => break,
            };
            match self.ask(unit, encode(fence), Shape::of(fence), limit).await {
                Ok(_) | Err(LinkError::Exception(_)) => {}
                // What came in its place was an owed answer: one less to come.
                Err(LinkError::Lost(_)) if self.line.is_some() => {}
                Err(error) => return Err(error),
            }
        }
        let reason = format!("unit {unit} can't be told to be in step: it answers, but not what it is asked");
        Err(LinkError::Lost(reason))
    }

    /// Asks `unit` and waits for its answer, which has exactly as many words or bits as were asked for.
    ///
    /// # Errors
    /// [`LinkError`]; [`Link::is_connected`] says whether there is still a connection. There is none when the
    /// returned future is dropped before it is done.
    pub async fn read(&mut self, unit: u8, request: Request, limit: Duration) -> Result<Answer, LinkError> {
        let is_prepared = self.prepared.take().is_some_and(|(asked, wanted, at)| {
            asked == unit && wanted == request && (self.line.is_none() || at.elapsed() < PREPARED_MAX)
        });
        if !is_prepared {
            self.prepare(unit, request, limit).await?;
            self.prepared = None;
        }
        let response = self.ask(unit, encode(request), Shape::of(request), limit).await?;
        answer(response, request).ok_or_else(|| LinkError::Lost("the answer changed its length".to_owned()))
    }

    /// Asks `unit` who made it (function 43/14, basic objects).
    ///
    /// # Errors
    /// As [`Link::read`]; most devices don't know the function and answer with exception 1.
    pub async fn identify(&mut self, unit: u8, limit: Duration) -> Result<Identity, LinkError> {
        if self.line.is_some()
            && let Some(request) = Request::new(Table::Holding, 0, 1)
        {
            self.prepare(unit, request, limit).await?;
        }
        let mut gathered = identity::Gathered::default();
        while let Some(object) = gathered.next() {
            self.prepared = None;
            let response = self.ask(unit, identity::request(object), Shape::of_identification(), limit).await?;
            gathered.add(&response).map_err(LinkError::Lost)?;
            self.drain().await?;
        }
        Ok(gathered.identity())
    }

    /// Gives the next transaction a number under which nothing is owed.
    fn number(&mut self) {
        while self.unanswered.contains(&self.transaction) {
            self.transaction = self.transaction.wrapping_add(1);
        }
        self.numbers.set(self.counted, self.transaction);
        self.counted = self.counted.wrapping_add(1);
    }

    /// One transaction. Whatever comes back has the shape of the answer, or is an exception.
    async fn ask(
        &mut self,
        unit: u8,
        question: tokio_modbus::Request<'static>,
        shape: Shape,
        limit: Duration,
    ) -> Result<Response, LinkError> {
        // Taken out for the time of the transaction: whatever happens meanwhile, it doesn't come back by itself.
        let Some(mut context) = self.context.take() else {
            return Err(LinkError::Connect("not opened".to_owned()));
        };
        match &self.line {
            Some(line) => line.begin(),
            None => self.number(),
        }
        self.asking = Some((unit, shape));
        context.set_slave(Slave(unit));
        let outcome = timeout(limit, context.call(question)).await;
        self.asking = None;
        let transaction = self.transaction;
        self.transaction = transaction.wrapping_add(1);
        match outcome {
            Err(_) => {
                self.owe(transaction, unit, shape);
                self.after_silence(limit, unit, shape);
                Err(LinkError::Timeout(limit))
            }
            Ok(Err(error)) => {
                if is_mistaken(&error) {
                    self.mistake(transaction, unit, shape);
                } else {
                    // What a connection breaks under may be answered all the same, on the next one.
                    self.owe(transaction, unit, shape);
                    self.line = None;
                }
                Err(LinkError::Lost(describe(error)))
            }
            Ok(Ok(response)) => self.check(context, transaction, unit, shape, response),
        }
    }

    /// Hands over what has come where it is the answer and nothing else.
    fn check(
        &mut self,
        context: Context,
        transaction: u16,
        unit: u8,
        shape: Shape,
        response: Result<Response, ExceptionCode>,
    ) -> Result<Response, LinkError> {
        let (fits, len) = match &response {
            Ok(response) => (fits(response, shape), frame_len(response)),
            Err(_) => (true, bus::EXCEPTION_LEN),
        };
        let excess = self.line.as_mut().map_or(0, |line| line.answered(len));
        if !fits || excess >= bus::FRAME_LEN_MIN {
            self.mistake(transaction, unit, shape);
            return Err(LinkError::Lost(if fits {
                format!("{excess} bytes came beside the answer")
            } else {
                "the answer has another length or kind than asked for".to_owned()
            }));
        }
        self.has_answered = true;
        self.context = Some(context);
        if self.line.is_some() {
            let answered = if response.is_ok() { Answered::Data } else { Answered::Refused };
            self.owed.answered(unit, shape, answered);
        }
        response.map_err(|exception| LinkError::Exception(exception.into()))
    }

    async fn drain(&mut self) -> Result<(), LinkError> {
        let Some(line) = &mut self.line else { return Ok(()) };
        let outcome = line.drain(&mut self.owed).await;
        if outcome.is_err() {
            self.close();
        }
        outcome
    }

    /// A question whose asker gave up waiting is owed an answer like any other.
    fn book_given_up(&mut self) {
        if let Some((unit, shape)) = self.asking.take() {
            self.owe(self.transaction, unit, shape);
            self.close();
        }
    }

    fn owe(&mut self, transaction: u16, unit: u8, shape: Shape) {
        if self.line.is_some() {
            self.owed.unanswered(unit, shape);
            return;
        }
        if self.unanswered.len() == UNANSWERED_MAX {
            self.unanswered.pop_front();
        }
        self.unanswered.push_back(transaction);
    }

    /// Something else came in place of the answer, which is still owed.
    fn mistake(&mut self, transaction: u16, unit: u8, shape: Shape) {
        self.owe(transaction, unit, shape);
        if let Some(line) = &mut self.line {
            self.owed.mistaken(unit, shape);
            line.mistaken(unit, shape);
            self.context = Some(rtu::attach(line.tap()));
        }
    }

    fn after_silence(&mut self, limit: Duration, unit: u8, shape: Shape) {
        let Some(line) = &mut self.line else { return };
        if line.timed_out(limit, unit, shape) {
            self.context = Some(rtu::attach(line.tap()));
        } else {
            self.line = None;
        }
    }
}

fn bears(borne: &[(u8, Limits)], unit: u8, request: Request) -> bool {
    borne.iter().filter(|(of, _)| *of == unit).all(|(_, limits)| {
        let is_short = request.table().is_bits() || request.count() <= limits.words_max;
        is_short && !limits.forbidden.iter().any(|stretch| stretch.is_touched_by(request))
    })
}
