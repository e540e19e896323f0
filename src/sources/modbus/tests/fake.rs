//! A Modbus TCP device written from the specification for tests: it shares no code with the client, records what it
//! is asked, and misbehaves on command.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// One request as it arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) unit: u8,
    pub(super) function: u8,
    pub(super) address: u16,
    pub(super) count: u16,
}

/// What the device does with a request.
#[derive(Debug, Clone)]
pub(super) enum Reply {
    Words(Vec<u16>),
    Bits(Vec<bool>),
    Exception(u8),
    Silence,
    /// Closes the connection in place of an answer.
    Close,
    /// Answers, then closes.
    WordsAndClose(Vec<u16>),
    /// Answers, but not before some time.
    WordsAfter(Duration, Vec<u16>),
    /// Answers under another transaction id.
    WordsOfAnother(Vec<u16>),
}

type Behaviour = Arc<dyn Fn(Asked) -> Reply + Send + Sync>;

pub(super) struct Fake {
    pub(super) address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    connections: Arc<Connections>,
    stop: CancellationToken,
}

/// Connections so far: when each was accepted, and how many are open.
#[derive(Default)]
pub(super) struct Connections {
    accepted: Mutex<Vec<Instant>>,
    open: AtomicUsize,
    asked_at: Mutex<Vec<Instant>>,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Fake {
    pub(super) async fn start(behaviour: impl Fn(Asked) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), behaviour).await
    }

    pub(super) async fn start_at(
        address: SocketAddr,
        behaviour: impl Fn(Asked) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let (asked, stop) = (Arc::default(), CancellationToken::new());
        let connections: Arc<Connections> = Arc::default();
        let fake = Self {
            address: listener.local_addr().unwrap(),
            asked: Arc::clone(&asked),
            connections: Arc::clone(&connections),
            stop: stop.clone(),
        };
        let behaviour: Behaviour = Arc::new(behaviour);
        tokio::spawn(stop.clone().run_until_cancelled_owned(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.accepted.lock().unwrap().push(Instant::now());
                connections.open.fetch_add(1, Ordering::SeqCst);
                let serving = serve(stream, Arc::clone(&behaviour), Arc::clone(&asked), Arc::clone(&connections));
                let connections = Arc::clone(&connections);
                tokio::spawn(stop.clone().run_until_cancelled_owned(async move {
                    serving.await;
                    connections.open.fetch_sub(1, Ordering::SeqCst);
                }));
            }
        }));
        fake
    }

    /// Returns every request so far.
    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Returns when each connection was accepted, and when each request arrived.
    pub(super) fn times(&self) -> (Vec<Instant>, Vec<Instant>) {
        (self.connections.accepted.lock().unwrap().clone(), self.connections.asked_at.lock().unwrap().clone())
    }

    /// Returns how many connections are open.
    pub(super) fn open(&self) -> usize {
        self.connections.open.load(Ordering::SeqCst)
    }

    /// Closes every connection and the port, and waits until the port is free.
    pub(super) async fn stop(self) {
        self.stop.cancel();
        while TcpStream::connect(self.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    }
}

async fn serve(
    mut stream: TcpStream,
    behaviour: Behaviour,
    record: Arc<Mutex<Vec<Asked>>>,
    connections: Arc<Connections>,
) {
    let mut frame = [0; 12];
    while stream.read_exact(&mut frame).await.is_ok() {
        let word = |at: usize| u16::from_be_bytes([frame[at], frame[at + 1]]);
        let asked = Asked { unit: frame[6], function: frame[7], address: word(8), count: word(10) };
        record.lock().unwrap().push(asked);
        connections.asked_at.lock().unwrap().push(Instant::now());
        let reply = behaviour(asked);
        if let Reply::WordsAfter(wait, _) = &reply {
            tokio::time::sleep(*wait).await;
        }
        let mut transaction = word(0);
        let pdu = match &reply {
            Reply::Silence => continue,
            Reply::Close => return,
            Reply::Exception(code) => vec![asked.function | 0x80, *code],
            Reply::Bits(bits) => {
                let bytes: Vec<u8> = bits
                    .chunks(8)
                    .map(|chunk| chunk.iter().enumerate().map(|(at, bit)| u8::from(*bit) << at).sum())
                    .collect();
                [vec![asked.function, bytes.len() as u8], bytes].concat()
            }
            Reply::Words(words)
            | Reply::WordsAfter(_, words)
            | Reply::WordsAndClose(words)
            | Reply::WordsOfAnother(words) => {
                let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
                [vec![asked.function, bytes.len() as u8], bytes].concat()
            }
        };
        if matches!(reply, Reply::WordsOfAnother(_)) {
            transaction = transaction.wrapping_add(7);
        }
        let header = [&transaction.to_be_bytes()[..], &[0, 0], &(pdu.len() as u16 + 1).to_be_bytes(), &[asked.unit]];
        if stream.write_all(&[&header.concat()[..], &pdu].concat()).await.is_err() {
            return;
        }
        if matches!(reply, Reply::WordsAndClose(_)) {
            return;
        }
    }
}

/// A proxy in front of a device that keeps every byte the client sends.
pub(super) struct Proxy {
    pub(super) address: SocketAddr,
    sent: Arc<Mutex<Vec<u8>>>,
}

impl Proxy {
    pub(super) async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Self { address: listener.local_addr().unwrap(), sent: Arc::default() };
        let sent = Arc::clone(&proxy.sent);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let device = TcpStream::connect(target).await.unwrap();
                tokio::spawn(forward(client, device, Arc::clone(&sent)));
            }
        });
        proxy
    }

    /// Cuts what was sent into frames by their MBAP length and returns each function code.
    pub(super) fn function_codes(&self) -> Vec<u8> {
        let bytes = self.sent.lock().unwrap().clone();
        let mut rest = bytes.as_slice();
        let mut codes = Vec::new();
        while rest.len() >= 8 {
            let length = usize::from(u16::from_be_bytes([rest[4], rest[5]]));
            codes.push(rest[7]);
            rest = &rest[(6 + length).min(rest.len())..];
        }
        assert!(rest.is_empty(), "bytes that are no frame: {rest:02x?}");
        codes
    }
}

async fn forward(mut client: TcpStream, mut device: TcpStream, sent: Arc<Mutex<Vec<u8>>>) {
    let (mut from_client, mut from_device) = ([0; 512], [0; 512]);
    loop {
        tokio::select! {
            Ok(count @ 1..) = client.read(&mut from_client) => {
                sent.lock().unwrap().extend_from_slice(&from_client[..count]);
                device.write_all(&from_client[..count]).await.unwrap();
            }
            Ok(count @ 1..) = device.read(&mut from_device) => {
                client.write_all(&from_device[..count]).await.unwrap();
            }
            else => return,
        }
    }
}
