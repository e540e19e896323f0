//! The connection to a Modbus endpoint: the only folder that touches the Modbus crate.
//!
//! In: a [`Request`], which can express a read and nothing else. Out: its answer, or why there is none. One
//! transaction at a time, each with a time limit. After a time-out or any fault but an exception answer the
//! connection is gone: a late answer can then never be taken for the answer to another request.

mod identity;

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_modbus::client::{Client, Context, tcp};
use tokio_modbus::slave::SlaveContext;
use tokio_modbus::{Error, ProtocolError, Slave};

use super::plan::{Answer, Request};
use super::transport::{Security, Transport};
use crate::profile::register::Table;

pub use identity::Identity;

/// Why a request has no answer. Each variant is another decision of the caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// The device answered that it won't: the connection stays, the request fails.
    #[error("exception {0}: {name}", name = exception_name(*.0))]
    Exception(u8),
    /// No answer in time: the connection was dropped.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// The connection broke or its answer was no Modbus: it was dropped.
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

/// One connection, opened and given up as its answers demand.
pub struct Link {
    transport: Transport,
    security: Security,
    context: Option<Context>,
    /// Whether the present connection has answered yet.
    has_answered: bool,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("transport", &self.transport).field("connected", &self.is_connected()).finish()
    }
}

impl Link {
    /// Returns a link that isn't connected yet.
    pub const fn new(transport: Transport, security: Security) -> Self {
        Self { transport, security, context: None, has_answered: false }
    }

    /// Closes the connection, if there is one.
    pub fn close(&mut self) {
        self.context = None;
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

    /// Opens a new connection in place of the present one.
    ///
    /// # Errors
    /// [`LinkError::Connect`]; the caller waits before it tries again.
    pub async fn connect(&mut self, limit: Duration) -> Result<(), LinkError> {
        self.context = None;
        self.has_answered = false;
        let Transport::Tcp { host, port } = &self.transport else {
            return Err(LinkError::Connect(format!("{} is not carried yet", self.transport)));
        };
        let Security { .. } = &self.security;
        let stream = match timeout(limit, TcpStream::connect((host.as_str(), *port))).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(LinkError::Connect(error.to_string())),
            Err(_) => return Err(LinkError::Connect(format!("not accepted within {limit:?}"))),
        };
        // Requests are small and wait for their answer; an old kernel that can't switch the delay off still works.
        let _ = stream.set_nodelay(true);
        self.context = Some(tcp::attach(stream));
        Ok(())
    }

    /// Asks `unit` and waits for its answer, which has exactly as many words or bits as were asked for.
    ///
    /// # Errors
    /// [`LinkError`]; after any but [`LinkError::Exception`] there is no connection. The same holds when the
    /// returned future is dropped before it is done.
    pub async fn read(&mut self, unit: u8, request: Request, limit: Duration) -> Result<Answer, LinkError> {
        // Taken out for the time of the transaction: whatever happens meanwhile, it doesn't come back by itself.
        let Some(mut context) = self.context.take() else {
            return Err(LinkError::Connect("not opened".to_owned()));
        };
        context.set_slave(Slave(unit));
        let response = match timeout(limit, context.call(encode(request))).await {
            Err(_) => return Err(LinkError::Timeout(limit)),
            Ok(Err(error)) => return Err(LinkError::Lost(describe(error))),
            Ok(Ok(response)) => response,
        };
        let answer = match response {
            Err(exception) => Err(LinkError::Exception(exception.into())),
            Ok(response) => Ok(answer(response, request)?),
        };
        self.has_answered = true;
        self.context = Some(context);
        answer
    }

    /// Asks `unit` who made it (function 43/14, basic objects).
    ///
    /// # Errors
    /// As [`Link::read`]; most devices don't know the function and answer with exception 1.
    pub async fn identify(&mut self, unit: u8, limit: Duration) -> Result<Identity, LinkError> {
        let mut gathered = identity::Gathered::default();
        while let Some(object) = gathered.next() {
            let Some(mut context) = self.context.take() else {
                return Err(LinkError::Connect("not opened".to_owned()));
            };
            context.set_slave(Slave(unit));
            let response = match timeout(limit, context.call(identity::request(object))).await {
                Err(_) => return Err(LinkError::Timeout(limit)),
                Ok(Err(error)) => return Err(LinkError::Lost(describe(error))),
                Ok(Ok(response)) => response,
            };
            if let Ok(response) = &response {
                gathered.add(response).map_err(LinkError::Lost)?;
            }
            self.has_answered = true;
            self.context = Some(context);
            response.map_err(|exception| LinkError::Exception(exception.into()))?;
        }
        Ok(gathered.identity())
    }
}

/// Writes a request in the crate's terms: the four reading function codes are all there is.
const fn encode(request: Request) -> tokio_modbus::Request<'static> {
    let (address, count) = (request.address(), request.count());
    match request.table() {
        Table::Coil => tokio_modbus::Request::ReadCoils(address, count),
        Table::Discrete => tokio_modbus::Request::ReadDiscreteInputs(address, count),
        Table::Holding => tokio_modbus::Request::ReadHoldingRegisters(address, count),
        Table::Input => tokio_modbus::Request::ReadInputRegisters(address, count),
    }
}

fn answer(response: tokio_modbus::Response, request: Request) -> Result<Answer, LinkError> {
    use tokio_modbus::Response;
    let count = usize::from(request.count());
    match response {
        Response::ReadHoldingRegisters(words) | Response::ReadInputRegisters(words) if words.len() == count => {
            Ok(Answer::Words(words))
        }
        // Bits arrive in whole bytes.
        Response::ReadCoils(mut bits) | Response::ReadDiscreteInputs(mut bits)
            if bits.len() == count.next_multiple_of(8) =>
        {
            bits.truncate(count);
            Ok(Answer::Bits(bits))
        }
        _ => Err(LinkError::Lost(format!("the answer to {request} has another length or kind than asked for"))),
    }
}

fn describe(error: Error) -> String {
    match error {
        Error::Protocol(ProtocolError::HeaderMismatch { message, .. }) => {
            format!("the answer belongs to another request ({})", message.trim())
        }
        Error::Protocol(ProtocolError::FunctionCodeMismatch { request, .. }) => {
            format!("the answer to {request} carries another function code")
        }
        // The crate reports an orderly close as whatever the system's last error happened to be.
        Error::Transport(error)
            if error.raw_os_error() == Some(0) || error.kind() == std::io::ErrorKind::WouldBlock =>
        {
            "closed by the device".to_owned()
        }
        Error::Transport(error) => error.to_string(),
    }
}
