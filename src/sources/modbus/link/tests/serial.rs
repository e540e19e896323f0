//! Serial lines over pseudo-terminals: opened by path, listened to before anything is said.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio_util::sync::CancellationToken;

use super::device::{crc, serve};
use super::{
    Act, Asked, Duration, Framing, Link, LinkError, PATIENT, SHORT, Security, ask, ask_again, holding, honest, truth,
};
use crate::sources::modbus::link::bus::LISTEN_FIRST;
use crate::sources::modbus::transport::{Line, Transport};

/// The far end of a line: what stands on the bus.
struct Bus(AsyncFd<OwnedFd>);

impl Bus {
    /// Returns the far end and the path of the near one.
    fn new() -> (Self, PathBuf) {
        let bus = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&bus).unwrap();
        unlockpt(&bus).unwrap();
        rustix::io::ioctl_fionbio(&bus, true).unwrap();
        let path = ptsname(&bus, Vec::new()).unwrap().into_string().unwrap();
        #[expect(deprecated, reason = "its successor is unsafe, and the terminal is owned by this alone")]
        let bus = AsyncFd::new(bus).unwrap();
        (Self(bus), PathBuf::from(path))
    }
}

impl AsyncRead for Bus {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        loop {
            let mut guard = ready!(self.0.poll_read_ready(context))?;
            let mut bytes = [0; 256];
            let read = guard.try_io(|bus| Ok(rustix::io::read(bus, &mut bytes)?));
            if let Ok(count) = read {
                buffer.put_slice(&bytes[..count?]);
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl AsyncWrite for Bus {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        loop {
            let mut guard = ready!(self.0.poll_write_ready(context))?;
            if let Ok(count) = guard.try_io(|bus| Ok(rustix::io::write(bus, bytes)?)) {
                return Poll::Ready(count);
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn serial(path: PathBuf, line: Line) -> Link {
    Link::new(Transport::Serial { path, line }, Security::default())
}

/// A bus with a device on it. The guard ends it.
pub(in crate::sources::modbus) fn device(
    behaviour: impl FnMut(Asked) -> Vec<Act> + Send + 'static,
) -> (PathBuf, Arc<Mutex<Vec<Asked>>>, tokio_util::sync::DropGuard) {
    let (bus, path) = Bus::new();
    let (asked, stop) = (Arc::<Mutex<Vec<Asked>>>::default(), CancellationToken::new());
    let serving = serve(bus, Framing::Rtu, 0, Arc::new(Mutex::new(behaviour)), Arc::clone(&asked));
    tokio::spawn(stop.clone().run_until_cancelled_owned(serving));
    (path, asked, stop.drop_guard())
}

#[tokio::test]
async fn a_serial_line_is_read_at_every_speed() {
    // A pseudo-terminal has no parity bit.
    let reads = [(9600, 1), (19_200, 1), (115_200, 1), (2400, 2)].map(async |(baud, stop_bits)| {
        let (path, ..) = &device(honest);
        let line = Line { baud, stop_bits, ..Line::default() };
        ask(&mut serial(path.clone(), line), 1, holding(100, 5), PATIENT).await
    });
    for outcome in futures_util::future::join_all(reads).await {
        assert_eq!(outcome, Ok(truth(holding(100, 5))));
    }
}

#[tokio::test]
async fn a_late_answer_on_a_serial_line_is_nobodys_answer() {
    let mut number = 0;
    let (path, asked, _stop) = device(move |asked| {
        number += 1;
        let late = if number == 2 { SHORT * 3 / 2 } else { Duration::ZERO };
        vec![Act::Wait(late), Act::Send(asked.answer())]
    });
    let mut link = serial(path, Line::default());
    assert_eq!(ask(&mut link, 1, holding(0, 2), SHORT).await, Err(LinkError::Timeout(SHORT)));
    assert!(link.is_connected(), "the port stays open");
    assert_eq!(ask_again(&mut link, 1, holding(20, 2), PATIENT).await, truth(holding(20, 2)));
    assert!(!asked.lock().unwrap().is_empty());
}

/// The second request is answered badly: what the device does with the frame of 25 bytes. The guest must not take it for
/// another master's, and the next answer is right.
async fn is_our_own(bad: impl Fn(Vec<u8>) -> Vec<Act> + Send + 'static) {
    let mut number = 0;
    let (path, _asked, _stop) = device(move |asked| {
        number += 1;
        if number == 2 { bad(asked.answer()) } else { honest(asked) }
    });
    let mut link = serial(path, Line::default());
    let outcome = ask(&mut link, 1, holding(0x7E00, 10), SHORT).await;
    assert!(matches!(outcome, Err(LinkError::Timeout(_) | LinkError::Lost(_))), "{outcome:?}");
    assert_eq!(link.read(1, holding(20, 10), PATIENT).await, Ok(truth(holding(20, 10))));
}

#[tokio::test]
async fn the_rest_of_an_answer_that_was_cut_by_the_time_limit_is_no_other_master() {
    is_our_own(|frame| {
        let (begun, rest) = frame.split_at(9);
        vec![Act::Send(begun.to_vec()), Act::Wait(SHORT * 3 / 2), Act::Send(rest.to_vec())]
    })
    .await;
}

#[tokio::test]
async fn a_late_answer_behind_a_glitch_is_no_other_master() {
    is_our_own(|frame| vec![Act::Wait(SHORT * 3 / 2), Act::Send([&[0xFF, 0x00][..], &frame].concat())]).await;
}

#[tokio::test]
async fn the_rest_of_an_answer_whose_byte_count_was_damaged_is_no_other_master() {
    is_our_own(|mut frame| {
        frame[2] = 2;
        let (begun, rest) = frame.split_at(9);
        vec![Act::Send(begun.to_vec()), Act::Wait(SHORT * 3 / 2), Act::Send(rest.to_vec())]
    })
    .await;
}

/// A master that asks every 200 ms, and the device that answers it, as both are heard on the bus.
async fn other_master(mut bus: Bus, silent_first: Duration) {
    tokio::time::sleep(silent_first).await;
    let frame = |body: &[u8]| [body, &crc(body)].concat();
    loop {
        let heard = [frame(&[5, 3, 0, 0, 0, 2]), frame(&[5, 3, 4, 0, 1, 0, 2])].concat();
        if bus.write_all(&heard).await.is_err() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn a_guest_that_hears_another_master_sends_nothing_and_says_what_to_do() {
    let (bus, path) = Bus::new();
    let running = tokio::spawn(other_master(bus, Duration::from_millis(500)));
    let mut link = serial(path, Line::default());
    let error = link.connect(PATIENT).await.unwrap_err();
    let LinkError::Foreign(heard) = &error else { panic!("{error}") };
    assert!(heard.contains("bytes heard while nothing was asked, first 05 03 00"), "{heard}");
    assert!(error.to_string().contains("leave the line to one of the two"), "{error}");
    assert!(!link.is_connected());
    running.abort();
}

#[tokio::test]
async fn nothing_is_sent_while_a_guest_listens_and_traffic_after_that_ends_it() {
    let (mut bus, path) = Bus::new();
    let mut link = serial(path, Line::default());
    let start = tokio::time::Instant::now();
    let connecting = tokio::spawn(async move { (link.connect(PATIENT).await, link) });
    let mut byte = [0];
    assert!(tokio::time::timeout(LISTEN_FIRST, bus.read(&mut byte)).await.is_err(), "heard {byte:02X?}");
    let (outcome, mut link) = connecting.await.unwrap();
    assert_eq!(outcome, Ok(()));
    assert!(start.elapsed() >= LISTEN_FIRST);
    let asked = Arc::<Mutex<Vec<Asked>>>::default();
    let behaviour = |asked: Asked| {
        let foreign = Asked { unit: 5, ..asked }.answer();
        // The other master is heard a while after each of our answers.
        vec![Act::Send(asked.answer()), Act::Wait(Duration::from_millis(30)), Act::Send(foreign)]
    };
    tokio::spawn(serve(bus, Framing::Rtu, 0, Arc::new(Mutex::new(behaviour)), Arc::clone(&asked)));
    let mut outcome = Ok(truth(holding(0, 2)));
    for _ in 0..10 {
        outcome = link.read(1, holding(0, 2), PATIENT).await;
        match &outcome {
            Err(LinkError::Foreign(_)) => break,
            Ok(answer) => assert_eq!(*answer, truth(holding(0, 2))),
            Err(_) => {}
        }
    }
    assert!(matches!(outcome, Err(LinkError::Foreign(_))), "{outcome:?}");
    assert!(!link.is_connected(), "nothing more is sent until it was listened to again");
    let sent = asked.lock().unwrap().len();
    assert!(matches!(link.read(1, holding(0, 2), SHORT).await, Err(LinkError::Connect(_))));
    assert_eq!(asked.lock().unwrap().len(), sent);
}

#[tokio::test]
async fn an_adapter_that_echoes_is_no_other_master() {
    let (mut bus, path) = Bus::new();
    tokio::spawn(async move {
        let mut request = [0; 8];
        while bus.read_exact(&mut request).await.is_ok() {
            let count = request[5];
            let body =
                [vec![request[0], request[1], count * 2], (0..u16::from(count)).flat_map(u16::to_be_bytes).collect()]
                    .concat();
            bus.write_all(&[&request[..], &body, &crc(&body)].concat()).await.unwrap();
        }
    });
    let mut link = serial(path, Line::default());
    for _ in 0..3 {
        assert_eq!(ask(&mut link, 1, holding(0, 3), PATIENT).await, Ok(truth(holding(0, 3))));
    }
}

#[tokio::test]
async fn a_port_that_is_open_already_is_left_alone() {
    let (path, ..) = &device(honest);
    // The far end of a pseudo-terminal goes with the last one who has it open.
    let _open = std::fs::File::open(path).unwrap();
    let mut first = serial(path.clone(), Line::default());
    ask(&mut first, 1, holding(0, 1), PATIENT).await.unwrap();
    let refused = serial(path.clone(), Line::default()).connect(PATIENT).await.unwrap_err();
    assert!(refused.to_string().contains("another program has it open"), "{refused}");
    first.close();
    assert_eq!(serial(path.clone(), Line::default()).connect(PATIENT).await, Ok(()));
}

#[tokio::test]
async fn a_port_that_cannot_be_used_is_named() {
    let missing =
        serial(PathBuf::from("/dev/parkgate-no-such-port"), Line::default()).connect(PATIENT).await.unwrap_err();
    assert!(missing.to_string().starts_with("no connection: /dev/parkgate-no-such-port: "), "{missing}");
    let (path, ..) = &device(honest);
    let line = Line { rs485: true, ..Line::default() };
    let refused = serial(path.clone(), line).connect(PATIENT).await.unwrap_err();
    assert!(refused.to_string().contains("its driver has no RS-485 mode"), "{refused}");
}

#[tokio::test]
async fn an_adapter_that_is_pulled_out_is_a_lost_connection() {
    let (path, _, stop) = device(honest);
    let mut link = serial(path, Line::default());
    ask(&mut link, 1, holding(0, 1), PATIENT).await.unwrap();
    drop(stop);
    tokio::time::sleep(SHORT).await;
    let error = link.read(1, holding(0, 1), PATIENT).await.unwrap_err();
    assert!(matches!(error, LinkError::Lost(_)), "{error}");
    assert!(!link.is_connected());
}
