//! A TCP proxy that stands between two processes and spoils their connection on command.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What the proxy does to connections.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    /// Passes everything on.
    Pass,
    /// Closes every connection at once.
    Cut,
    /// Accepts, reads, and never answers.
    Stall,
    /// Passes the request on and closes after the first bytes of the answer: the other side acted, nobody heard.
    CloseHalfway,
    /// Passes everything on until so many bytes came back, then closes.
    CutAfter(usize),
    /// Answers each request itself: status line and further header lines.
    Answer(&'static str, &'static [&'static str]),
}

/// The proxy. Its threads end with the connections, at the latest with the test process.
pub(crate) struct FaultProxy {
    /// Where it listens, on loopback.
    pub(crate) port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    target: SocketAddr,
    mode: Mutex<Mode>,
    open: Mutex<Vec<TcpStream>>,
    connections: AtomicUsize,
}

impl FaultProxy {
    /// Starts a proxy in front of a loopback port; it passes everything on at first.
    pub(crate) fn start(target: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            target: ([127, 0, 0, 1], target).into(),
            mode: Mutex::new(Mode::Pass),
            open: Mutex::new(Vec::new()),
            connections: AtomicUsize::new(0),
        });
        let server = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&server);
                thread::spawn(move || shared.serve(stream));
            }
        });
        Self { port, shared }
    }

    /// Changes what it does, and closes every connection that is open, so that the change holds from here on.
    pub(crate) fn set(&self, mode: Mode) {
        *self.shared.mode.lock().unwrap() = mode;
        for stream in self.shared.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// How many connections were made since the start.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Shared {
    fn serve(&self, client: TcpStream) {
        self.connections.fetch_add(1, Ordering::SeqCst);
        let mode = {
            // Held together, so that `set` never misses a connection of the old mode.
            let mode = self.mode.lock().unwrap();
            self.open.lock().unwrap().push(client.try_clone().unwrap());
            mode.clone()
        };
        match mode {
            Mode::Cut => {}
            Mode::Stall => drain(client.try_clone().unwrap()),
            Mode::Answer(status, headers) => answer(client.try_clone().unwrap(), status, headers),
            Mode::Pass => self.pass(&client, usize::MAX),
            Mode::CloseHalfway => self.pass(&client, 20),
            Mode::CutAfter(bytes) => self.pass(&client, bytes),
        }
        let _ = client.shutdown(Shutdown::Both);
    }

    /// Passes bytes both ways, at most `limit` of them back to the client.
    fn pass(&self, client: &TcpStream, limit: usize) {
        let Ok(server) = TcpStream::connect(self.target) else { return };
        self.open.lock().unwrap().push(server.try_clone().unwrap());
        let (mut from_client, mut to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        let upstream = thread::spawn(move || {
            let _ = std::io::copy(&mut from_client, &mut to_server);
            let _ = to_server.shutdown(Shutdown::Write);
        });
        let (mut from_server, mut to_client) = (server, client.try_clone().unwrap());
        let mut passed = 0;
        let mut buffer = [0; 4096];
        while passed < limit {
            let Ok(read) = from_server.read(&mut buffer) else { break };
            let part = read.min(limit - passed);
            if read == 0 || to_client.write_all(&buffer[..part]).is_err() {
                break;
            }
            passed += part;
        }
        let _ = to_client.shutdown(Shutdown::Both);
        let _ = from_server.shutdown(Shutdown::Both);
        let _ = upstream.join();
    }
}

fn drain(mut stream: TcpStream) {
    let mut buffer = [0; 4096];
    while matches!(stream.read(&mut buffer), Ok(read) if read > 0) {}
}

/// Reads one whole request, so that the client doesn't see a reset instead of the answer, and answers it.
fn answer(mut stream: TcpStream, status: &str, headers: &[&str]) {
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !is_whole(&request) {
        match stream.read(&mut buffer) {
            Ok(read) if read > 0 => request.extend_from_slice(&buffer[..read]),
            _ => return,
        }
    }
    let extra: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let _ = write!(stream, "HTTP/1.1 {status}\r\n{extra}content-length: 0\r\nconnection: close\r\n\r\n");
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse::<usize>().ok());
    body.len() >= length.unwrap_or(0)
}
