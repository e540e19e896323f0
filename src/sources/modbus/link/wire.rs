//! A line whose answers don't name their request, shared by the Modbus codec and by whoever listens.
//!
//! The codec gets a [`Tap`]; the link keeps the [`Wire`], listens between questions, and learns after each how many
//! bytes came. Two things are mended on the way in: an adapter that echoes what it sends, and an answer of which
//! fewer than three bytes have arrived, which the codec takes for a broken one.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, timeout_at};

/// Most bytes that are kept of what is heard, to say where they come from.
const KEPT: usize = 16;
/// The codec decides on the third byte of an answer.
const DECISIVE: usize = 3;

/// What a line runs over.
pub(super) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// The line.
#[derive(Clone)]
pub(super) struct Wire(Arc<Mutex<Inner>>);

/// The codec's end of it.
pub(super) struct Tap(Wire);

struct Inner {
    io: Box<dyn Io>,
    /// What was sent since the question began, until it is clear whether it is echoed.
    sent: Vec<u8>,
    /// What came and wasn't given to the codec yet.
    held: VecDeque<u8>,
    /// Whether `held` is known to be no echo.
    is_answer: bool,
    /// Bytes that came since the question began, the echo left out.
    received: usize,
}

/// How long to listen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Listen {
    /// The line must be silent for so long.
    pub(super) silence: Duration,
    /// Silence doesn't count before this instant, unless `enough` bytes came.
    pub(super) not_before: Instant,
    /// Bytes after which silence alone counts.
    pub(super) enough: usize,
    /// Listening ends then, silent or not.
    pub(super) deadline: Instant,
}

/// What was heard while nothing was asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Heard {
    /// How many bytes.
    pub(super) count: usize,
    /// The first of them.
    pub(super) first: Vec<u8>,
    /// Whether the line was silent in the end.
    pub(super) is_silent: bool,
}

impl Wire {
    pub(super) fn new(io: impl Io + 'static) -> Self {
        let inner = Inner { io: Box::new(io), sent: Vec::new(), held: VecDeque::new(), is_answer: false, received: 0 };
        Self(Arc::new(Mutex::new(inner)))
    }

    pub(super) fn tap(&self) -> Tap {
        Tap(self.clone())
    }

    /// Begins a question: what came before belongs to none.
    pub(super) fn begin(&self) {
        let mut inner = self.lock();
        inner.sent.clear();
        inner.held.clear();
        inner.is_answer = false;
        inner.received = 0;
    }

    /// Returns how many bytes have come since the question began.
    pub(super) fn received(&self) -> usize {
        self.lock().received
    }

    /// Listens as long as asked, and throws away what comes.
    ///
    /// # Errors
    /// The line is gone.
    pub(super) async fn listen(&self, listen: Listen) -> io::Result<Heard> {
        let mut heard = Heard::default();
        let mut last = Instant::now();
        loop {
            let silent_at = last + listen.silence;
            let is_enough = listen.enough > 0 && heard.count >= listen.enough;
            let end = if is_enough { silent_at } else { silent_at.max(listen.not_before) };
            let mut buffer = [0; 256];
            match timeout_at(end.min(listen.deadline), self.read(&mut buffer)).await {
                Ok(Ok(0)) => return Err(io::ErrorKind::BrokenPipe.into()),
                Ok(Ok(count)) => {
                    last = Instant::now();
                    heard.count += count;
                    let room = KEPT.saturating_sub(heard.first.len());
                    heard.first.extend(buffer[..count].iter().take(room));
                }
                Ok(Err(error)) => return Err(error),
                Err(_) => {
                    heard.is_silent = end <= listen.deadline;
                    return Ok(heard);
                }
            }
        }
    }

    async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        poll_fn(|context| {
            let mut filled = ReadBuf::new(buffer);
            ready!(Pin::new(&mut self.lock().io).poll_read(context, &mut filled))?;
            Poll::Ready(Ok(filled.filled().len()))
        })
        .await
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing is left half done: each holder finishes what it writes.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Takes in what came; returns whether there is something for the codec.
    fn take(&mut self, bytes: &[u8]) -> bool {
        self.held.extend(bytes);
        self.received += bytes.len();
        if !self.is_answer {
            let same = self.held.iter().zip(&self.sent).take_while(|(came, sent)| came == sent).count();
            if same < self.sent.len() && same == self.held.len() {
                return false;
            }
            if same == self.sent.len() {
                self.held.drain(..same);
                self.received -= same;
            }
            self.is_answer = true;
        }
        !self.held.is_empty() && self.received >= DECISIVE
    }

    fn give(&mut self, buffer: &mut ReadBuf<'_>) {
        let count = buffer.remaining().min(self.held.len());
        let bytes: Vec<u8> = self.held.drain(..count).collect();
        buffer.put_slice(&bytes);
    }
}

impl AsyncRead for Tap {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let inner = &mut *self.0.lock();
        let mut is_ready = inner.take(&[]);
        while !is_ready {
            let mut bytes = [0; 256];
            let mut came = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut inner.io).poll_read(context, &mut came))?;
            if came.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            is_ready = inner.take(came.filled());
        }
        inner.give(buffer);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tap {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let inner = &mut *self.0.lock();
        let count = ready!(Pin::new(&mut inner.io).poll_write(context, bytes))?;
        inner.sent.extend_from_slice(&bytes[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.lock().io).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.lock().io).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::{Duration, Instant, Listen, Wire};

    const REQUEST: [u8; 8] = [1, 3, 0, 0, 0, 1, 0x84, 0x0A];

    fn wire() -> (Wire, DuplexStream) {
        let (ours, line) = duplex(1024);
        (Wire::new(ours), line)
    }

    /// Sends the request, lets the line answer in pieces, and returns what the codec reads first and in all.
    async fn through(pieces: &[&[u8]]) -> (usize, Vec<u8>, usize) {
        let (wire, mut line) = wire();
        wire.begin();
        let mut tap = wire.tap();
        tap.write_all(&REQUEST).await.unwrap();
        let mut all = Vec::new();
        let mut first = 0;
        for (index, piece) in pieces.iter().enumerate() {
            line.write_all(piece).await.unwrap();
            let mut buffer = [0; 64];
            let read = tokio::time::timeout(Duration::from_millis(10), tap.read(&mut buffer)).await;
            if let Ok(count) = read {
                let count = count.unwrap();
                first = if first == 0 { index + 1 } else { first };
                all.extend_from_slice(&buffer[..count]);
            }
        }
        (first, all, wire.received())
    }

    #[tokio::test]
    async fn the_codec_sees_no_answer_of_fewer_than_three_bytes() {
        assert_eq!(through(&[&[1], &[3], &[2], &[0, 7]]).await, (3, vec![1, 3, 2, 0, 7], 5));
        assert_eq!(through(&[&[9], &[9]]).await, (0, vec![], 2));
    }

    #[tokio::test]
    async fn what_an_adapter_echoes_is_no_answer() {
        let answer = [1, 3, 2, 0, 7, 0xF9, 0x86];
        assert_eq!(through(&[&REQUEST[..5], &REQUEST[5..], &answer]).await, (3, answer.to_vec(), 7));
        assert_eq!(through(&[&[&REQUEST[..], &answer].concat()]).await, (1, answer.to_vec(), 7));
    }

    #[tokio::test]
    async fn listening_ends_with_silence_and_tells_what_was_heard() {
        let (wire, mut line) = wire();
        let start = Instant::now();
        let listen = Listen {
            silence: Duration::from_millis(5),
            not_before: start + Duration::from_millis(100),
            enough: 4,
            deadline: start + Duration::from_secs(60),
        };
        let heard = wire.listen(listen).await.unwrap();
        assert_eq!((heard.count, heard.is_silent), (0, true));
        assert!(start.elapsed() >= Duration::from_millis(100));
        line.write_all(&[7, 7, 7, 7]).await.unwrap();
        let again = Instant::now();
        let listen =
            Listen { not_before: again + Duration::from_secs(50), deadline: again + Duration::from_secs(60), ..listen };
        let heard = wire.listen(listen).await.unwrap();
        assert_eq!((heard.count, heard.first), (4, vec![7; 4]));
        assert!(again.elapsed() < Duration::from_secs(50), "silence is enough once enough was heard");
        drop(line);
        assert!(wire.listen(listen).await.is_err());
    }

    #[tokio::test]
    async fn a_line_that_is_never_silent_is_given_up_at_the_deadline() {
        let (wire, mut line) = wire();
        tokio::spawn(async move {
            while line.write_all(&[1]).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        let start = Instant::now();
        let listen = Listen {
            silence: Duration::from_secs(60),
            not_before: start,
            enough: 0,
            deadline: start + Duration::from_millis(100),
        };
        let heard = wire.listen(listen).await.unwrap();
        assert!(!heard.is_silent && heard.count > 1, "{heard:?}");
    }
}
