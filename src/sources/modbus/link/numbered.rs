//! Transaction numbers that go on over connections, where the Modbus crate begins each connection with 0.
//!
//! In and out: frames of Modbus TCP, of which the number alone is changed on its way to the wire and back. Nothing is
//! judged here: where frames end is taken from their headers, and a wrong one is the crate's to refuse.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes up to and including the length, which counts those after it. **Source**: Modbus messaging on TCP/IP V1.0b,
/// 3.1.3.
const HEAD_LEN: usize = 6;

/// What tells the crate's numbers from those on the wire; it may change between transactions.
#[derive(Debug, Clone, Default)]
pub(super) struct Numbers(Arc<AtomicU16>);

impl Numbers {
    /// Sends what the crate counts as `counted` under `number`, and takes its answer back.
    pub(super) fn set(&self, counted: u16, number: u16) {
        self.0.store(counted ^ number, Ordering::Release);
    }
}

/// A stream whose transaction numbers are changed.
#[derive(Debug)]
pub(super) struct Numbered<S> {
    io: S,
    numbers: Numbers,
    sent: Place,
    received: Place,
}

/// How far a stream of frames has come within the present one.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    at: usize,
    length: u16,
}

impl Place {
    /// Goes on over `bytes` and changes each number among them. Changing it twice restores it.
    fn change(&mut self, bytes: &mut [u8], difference: u16) {
        let [high, low] = difference.to_be_bytes();
        for byte in bytes {
            match self.at {
                0 => *byte ^= high,
                1 => *byte ^= low,
                4 | 5 => self.length = self.length << 8 | u16::from(*byte),
                _ => {}
            }
            self.at += 1;
            if self.at >= HEAD_LEN && self.at == HEAD_LEN + usize::from(self.length) {
                *self = Self::default();
            }
        }
    }
}

impl<S> Numbered<S> {
    pub(super) fn new(io: S, numbers: Numbers) -> Self {
        Self { io, numbers, sent: Place::default(), received: Place::default() }
    }

    fn difference(&self) -> u16 {
        self.numbers.0.load(Ordering::Acquire)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Numbered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(context, buffer))?;
        let difference = self.difference();
        self.received.change(&mut buffer.filled_mut()[before..], difference);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Numbered<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let difference = self.difference();
        let mut changed = bytes.to_vec();
        let mut place = self.sent;
        place.change(&mut changed, difference);
        let count = ready!(Pin::new(&mut self.io).poll_write(context, &changed))?;
        self.sent.change(&mut changed[..count], difference);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::{Numbered, Numbers};

    /// Two frames, of 12 and of 9 bytes, each under a number.
    fn frames(first: [u8; 2], second: [u8; 2]) -> Vec<u8> {
        let first = [&first[..], &[0, 0, 0, 6, 1, 3, 0, 0, 0, 2]].concat();
        let second = [&second[..], &[0, 0, 0, 3, 1, 0x83, 2]].concat();
        [first, second].concat()
    }

    #[tokio::test]
    async fn each_number_and_nothing_else_is_changed_in_whatever_pieces_the_bytes_come() {
        let (counted, wire) = (frames([0, 0], [0, 5]), frames([0x12, 0x34], [0x12, 0x31]));
        for size in 1..=counted.len() {
            // A small buffer makes the writes partial as well.
            let (ours, mut far) = duplex(size);
            let numbers = Numbers::default();
            numbers.set(0, 0x1234);
            let mut near = Numbered::new(ours, numbers);
            let (mut sent, mut back) = (vec![0; wire.len()], vec![0; wire.len()]);
            let (written, read) = tokio::join!(near.write_all(&counted), far.read_exact(&mut sent));
            written.unwrap();
            read.unwrap();
            assert_eq!(sent, wire, "{size}");
            let (written, read) = tokio::join!(far.write_all(&wire), near.read_exact(&mut back));
            written.unwrap();
            read.unwrap();
            assert_eq!(back, counted, "{size}");
        }
    }
}
