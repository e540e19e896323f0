//! A device for tests, written from the specification: it shares no code with the client, sees each request with
//! what the client said beside it, and sends whatever bytes the test wants, whenever.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::sources::modbus::transport::Transport;

/// How frames look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sources::modbus) enum Framing {
    Tcp,
    Rtu,
}

/// One request as it arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sources::modbus) struct Asked {
    pub(in crate::sources::modbus) framing: Framing,
    pub(in crate::sources::modbus) transaction: u16,
    pub(in crate::sources::modbus) unit: u8,
    pub(in crate::sources::modbus) function: u8,
    pub(in crate::sources::modbus) address: u16,
    pub(in crate::sources::modbus) count: u16,
    /// Which connection, from 0.
    pub(in crate::sources::modbus) connection: usize,
}

/// What the device does, one step after the other.
#[derive(Debug, Clone)]
pub(in crate::sources::modbus) enum Act {
    Send(Vec<u8>),
    Wait(Duration),
    Close,
}

type Behaviour = Arc<Mutex<dyn FnMut(Asked) -> Vec<Act> + Send>>;

pub(in crate::sources::modbus) struct Device {
    pub(in crate::sources::modbus) address: SocketAddr,
    framing: Framing,
    asked: Arc<Mutex<Vec<Asked>>>,
    stop: CancellationToken,
}

impl Drop for Device {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Asked {
    /// Returns the right answer of a device whose registers hold their own address, and whose bits are set at odd
    /// ones.
    pub(in crate::sources::modbus) fn answer(self) -> Vec<u8> {
        self.frame(&self.data())
    }

    pub(in crate::sources::modbus) fn exception(self, code: u8) -> Vec<u8> {
        self.frame(&[self.function | 0x80, code])
    }

    fn data(self) -> Vec<u8> {
        let addresses = self.address..self.address + self.count;
        let bytes: Vec<u8> = if self.function <= 2 {
            let bits: Vec<u8> = addresses.map(|address| (address % 2) as u8).collect();
            bits.chunks(8).map(|byte| byte.iter().enumerate().map(|(at, bit)| bit << at).sum()).collect()
        } else {
            addresses.flat_map(u16::to_be_bytes).collect()
        };
        [vec![self.function, bytes.len() as u8], bytes].concat()
    }

    /// Wraps function and data into a frame.
    pub(in crate::sources::modbus) fn frame(self, pdu: &[u8]) -> Vec<u8> {
        match self.framing {
            Framing::Tcp => {
                let [high, low] = self.transaction.to_be_bytes();
                [&[high, low, 0, 0, 0, pdu.len() as u8 + 1, self.unit], pdu].concat()
            }
            Framing::Rtu => {
                let body = [&[self.unit], pdu].concat();
                [&body[..], &crc(&body)].concat()
            }
        }
    }
}

/// Check of a serial frame, low byte first. **Source**: Modbus over serial line V1.02, 6.2.2.
pub(in crate::sources::modbus) fn crc(bytes: &[u8]) -> [u8; 2] {
    let mut crc = 0xFFFF_u16;
    for byte in bytes {
        crc ^= u16::from(*byte);
        for _ in 0..8 {
            let carry = crc & 1 == 1;
            crc >>= 1;
            if carry {
                crc ^= 0xA001;
            }
        }
    }
    crc.to_le_bytes()
}

impl Device {
    pub(in crate::sources::modbus) async fn start(
        framing: Framing,
        behaviour: impl FnMut(Asked) -> Vec<Act> + Send + 'static,
    ) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), framing, behaviour).await
    }

    pub(in crate::sources::modbus) async fn start_at(
        address: SocketAddr,
        framing: Framing,
        behaviour: impl FnMut(Asked) -> Vec<Act> + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let (asked, stop) = (Arc::default(), CancellationToken::new());
        let device =
            Self { address: listener.local_addr().unwrap(), framing, asked: Arc::clone(&asked), stop: stop.clone() };
        let behaviour: Behaviour = Arc::new(Mutex::new(behaviour));
        tokio::spawn(stop.clone().run_until_cancelled_owned(async move {
            for connection in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                let serving = serve(stream, framing, connection, Arc::clone(&behaviour), Arc::clone(&asked));
                tokio::spawn(stop.clone().run_until_cancelled_owned(serving));
            }
        }));
        device
    }

    pub(in crate::sources::modbus) fn transport(&self) -> Transport {
        let (host, port) = (self.address.ip().to_string(), self.address.port());
        match self.framing {
            Framing::Tcp => Transport::Tcp { host, port },
            Framing::Rtu => Transport::RtuOverTcp { host, port },
        }
    }

    /// Returns every request so far.
    pub(in crate::sources::modbus) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

/// Serves one connection, or one line, until it ends.
pub(in crate::sources::modbus) async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    framing: Framing,
    connection: usize,
    behaviour: Behaviour,
    record: Arc<Mutex<Vec<Asked>>>,
) {
    let (head, mut frame) = if framing == Framing::Tcp { (6, vec![0; 12]) } else { (0, vec![0; 8]) };
    while stream.read_exact(&mut frame).await.is_ok() {
        let word = |at: usize| u16::from_be_bytes([frame[at], frame[at + 1]]);
        if framing == Framing::Rtu {
            assert_eq!(crc(&frame[..6]), frame[6..], "a request with a wrong check: {frame:02X?}");
        }
        let asked = Asked {
            framing,
            transaction: if framing == Framing::Tcp { word(0) } else { 0 },
            unit: frame[head],
            function: frame[head + 1],
            address: word(head + 2),
            count: word(head + 4),
            connection,
        };
        record.lock().unwrap().push(asked);
        let acts = behaviour.lock().unwrap()(asked);
        for act in acts {
            match act {
                Act::Wait(time) => tokio::time::sleep(time).await,
                Act::Close => return,
                Act::Send(bytes) => {
                    if stream.write_all(&bytes).await.is_err() {
                        return;
                    }
                }
            }
        }
    }
}

/// Sends in pieces with a pause between them, each longer than the last by one, from 1 to 3 bytes.
pub(in crate::sources::modbus) fn fragments(bytes: &[u8]) -> Vec<Act> {
    let mut acts = Vec::new();
    let mut rest = bytes;
    for size in [1, 2, 3].into_iter().cycle() {
        if rest.is_empty() {
            return acts;
        }
        let (piece, after) = rest.split_at(size.min(rest.len()));
        acts.extend([Act::Send(piece.to_vec()), Act::Wait(Duration::from_millis(2))]);
        rest = after;
    }
    acts
}
