//! A relay between the box and a destination: closed it hangs up on everybody, open it notes when which page was
//! acknowledged.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The relay.
pub struct Relay {
    pub url: String,
    shared: Arc<Shared>,
}

struct Shared {
    is_open: AtomicBool,
    acknowledged: Mutex<Vec<Acknowledged>>,
}

/// One page and when its receipt was back.
#[derive(Debug, Clone, Copy)]
pub struct Acknowledged {
    pub seq: u64,
    pub at: Instant,
}

impl Relay {
    /// Starts a relay to an address of this machine.
    pub fn start(to: SocketAddr, is_open: bool) -> Self {
        let shared = Arc::new(Shared { is_open: AtomicBool::new(is_open), acknowledged: Mutex::default() });
        let told = Arc::clone(&shared);
        let (tell, heard) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    if told.is_open.load(Ordering::Relaxed) {
                        let shared = Arc::clone(&told);
                        tokio::spawn(async move { pass(stream, to, &shared).await });
                    }
                }
            });
        });
        Self { url: format!("http://{}", heard.recv().unwrap()), shared }
    }

    pub fn open(&self) {
        self.shared.is_open.store(true, Ordering::Relaxed);
    }

    /// Returns every page that was acknowledged so far, in the order of the receipts.
    pub fn acknowledged(&self) -> Vec<Acknowledged> {
        self.shared.acknowledged.lock().unwrap().clone()
    }
}

/// Passes a connection on. The box sends one page at a time, so a receipt is of the page that was last sent.
async fn pass(mut near: TcpStream, to: SocketAddr, shared: &Shared) -> std::io::Result<()> {
    let mut far = TcpStream::connect(to).await?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let (mut request, mut answer) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let mut sent = None;
    loop {
        tokio::select! {
            read = near.read(&mut request) => match read? {
                0 => return Ok(()),
                read => {
                    sent = page(&request[..read]).or(sent);
                    far.write_all(&request[..read]).await?;
                }
            },
            read = far.read(&mut answer) => match read? {
                0 => return Ok(()),
                read => {
                    near.write_all(&answer[..read]).await?;
                    if let Some(seq) = sent.filter(|_| answer.starts_with(b"HTTP/1.1 20")) {
                        sent = None;
                        shared.acknowledged.lock().unwrap().push(Acknowledged { seq, at: Instant::now() });
                    }
                }
            },
        }
    }
}

/// Returns the number of the page that a request begins to send.
fn page(bytes: &[u8]) -> Option<u64> {
    let line = std::str::from_utf8(bytes.split(|byte| *byte == b'\r').next()?).ok()?;
    let path = line.strip_prefix("PUT ")?.strip_suffix(" HTTP/1.1")?;
    path.rsplit_once("/pages/")?.1.parse().ok()
}
