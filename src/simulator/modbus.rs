//! Simulated Modbus TCP devices: a server on loopback whose registers are computed at the instant they are read.

use std::collections::BTreeMap;
use std::future::{Ready, ready};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::{TcpListener, TcpStream};
use tokio_modbus::prelude::{ExceptionCode, Request, Response, SlaveRequest};
use tokio_modbus::server::Service;
use tokio_modbus::server::tcp::{Server, accept_tcp_connection};
use tokio_util::sync::CancellationToken;

use crate::model::time::Timestamp;
use crate::runtime::clock::Clock;

/// The registers of one device at one instant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Registers {
    /// Function code 4.
    pub input: BTreeMap<u16, u16>,
    /// Function code 3.
    pub holding: BTreeMap<u16, u16>,
}

impl Registers {
    /// Writes a float32 in order ABCD into the input registers.
    pub fn input_float(&mut self, address: u16, value: f64) {
        #[expect(clippy::cast_possible_truncation, reason = "the device's own resolution")]
        let bits = (value as f32).to_bits();
        self.input.insert(address, high(bits));
        self.input.insert(address + 1, low(bits));
    }

    /// Writes a uint32 in order CDAB into the holding registers; it starts again at 0 beyond 32 bits.
    pub fn holding_swapped(&mut self, address: u16, value: u64) {
        #[expect(clippy::cast_possible_truncation, reason = "the register's width")]
        let bits = value as u32;
        self.holding.insert(address, low(bits));
        self.holding.insert(address + 1, high(bits));
    }
}

const fn high(bits: u32) -> u16 {
    (bits >> 16) as u16
}

const fn low(bits: u32) -> u16 {
    (bits & 0xFFFF) as u16
}

/// Computes a device's registers.
pub type Device = Box<dyn FnMut(Timestamp) -> Registers + Send>;

/// The devices behind one address, by unit identifier. Clones share them.
#[derive(Clone)]
pub struct Devices {
    devices: Arc<Mutex<BTreeMap<u8, Device>>>,
    clock: Clock,
}

impl Devices {
    /// Returns the devices of one address.
    pub fn new(clock: Clock, devices: Vec<(u8, Device)>) -> Self {
        Self { devices: Arc::new(Mutex::new(devices.into_iter().collect())), clock }
    }

    fn answer(&self, request: &SlaveRequest<'_>) -> Result<Response, ExceptionCode> {
        let mut devices = self.devices.lock().unwrap_or_else(PoisonError::into_inner);
        let device = devices.get_mut(&request.slave).ok_or(ExceptionCode::GatewayTargetDevice)?;
        let registers = device(self.clock.now());
        match request.request {
            Request::ReadInputRegisters(from, count) => {
                words(&registers.input, from, count).map(Response::ReadInputRegisters)
            }
            Request::ReadHoldingRegisters(from, count) => {
                words(&registers.holding, from, count).map(Response::ReadHoldingRegisters)
            }
            _ => Err(ExceptionCode::IllegalFunction),
        }
    }
}

/// Returns consecutive registers. As in most meters, gaps between known registers read as 0, and a request that
/// reaches beyond the last one is refused.
fn words(table: &BTreeMap<u16, u16>, from: u16, count: u16) -> Result<Vec<u16>, ExceptionCode> {
    let end = u32::from(from) + u32::from(count);
    let last = table.keys().next_back().map_or(0, |last| u32::from(*last) + 1);
    if !(1..=125).contains(&count) || end > last {
        return Err(ExceptionCode::IllegalDataAddress);
    }
    Ok((from..).take(usize::from(count)).map(|address| table.get(&address).copied().unwrap_or(0)).collect())
}

impl Service for Devices {
    type Request = SlaveRequest<'static>;
    type Response = Response;
    type Exception = ExceptionCode;
    type Future = Ready<Result<Response, ExceptionCode>>;

    fn call(&self, request: Self::Request) -> Self::Future {
        ready(self.answer(&request))
    }
}

/// Serves the devices at `address` until `token` is cancelled.
///
/// # Errors
/// The address is taken, or the listener fails.
pub async fn serve(address: SocketAddr, devices: Devices, token: CancellationToken) -> std::io::Result<()> {
    let server = Server::new(TcpListener::bind(address).await?);
    let on_connected = |stream: TcpStream, from: SocketAddr| {
        let devices = devices.clone();
        async move { accept_tcp_connection(stream, from, |_| Ok(Some(devices.clone()))) }
    };
    let on_error = |error| tracing::debug!("a simulated Modbus connection ended: {error}");
    server.serve_until(&on_connected, on_error, token.cancelled_owned()).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use tokio_modbus::prelude::{ExceptionCode, Request, Response, SlaveRequest};

    use super::{Clock, Devices, Registers, Timestamp};

    fn devices() -> Devices {
        let device = |now: Timestamp| {
            let mut registers = Registers::default();
            registers.input_float(72, 48_213.7);
            registers.holding_swapped(2, u64::try_from(now.0).unwrap());
            registers
        };
        Devices::new(Clock::manual(Timestamp(0x0001_0002)), vec![(7, Box::new(device))])
    }

    fn ask(slave: u8, request: Request<'static>) -> Result<Response, ExceptionCode> {
        devices().answer(&SlaveRequest { slave, request })
    }

    #[test]
    fn registers_show_the_instant_they_are_read() {
        let answer = ask(7, Request::ReadHoldingRegisters(1, 3));
        assert_eq!(answer, Ok(Response::ReadHoldingRegisters(vec![0, 2, 1])));
        let answer = ask(7, Request::ReadInputRegisters(72, 2));
        assert_eq!(answer, Ok(Response::ReadInputRegisters(vec![0x473C, 0x55B3])));
    }

    #[test]
    fn what_no_device_would_answer_is_refused() {
        for (slave, request, exception) in [
            (8, Request::ReadInputRegisters(72, 2), ExceptionCode::GatewayTargetDevice),
            (7, Request::ReadInputRegisters(73, 2), ExceptionCode::IllegalDataAddress),
            (7, Request::ReadInputRegisters(0, 0), ExceptionCode::IllegalDataAddress),
            (7, Request::ReadCoils(0, 1), ExceptionCode::IllegalFunction),
            (7, Request::WriteSingleRegister(2, 1), ExceptionCode::IllegalFunction),
        ] {
            assert_eq!(ask(slave, request), Err(exception));
        }
    }
}
