//! Lines without transaction numbers, through a serial server: the crate alone believes late answers, the link
//! doesn't.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::TcpStream;
use tokio_modbus::client::{Client, rtu};
use tokio_modbus::slave::SlaveContext;

use super::{
    Act, Answer, Asked, Device, Duration, Framing, Link, LinkError, PATIENT, Request, SHORT, Security, Table, ask,
    ask_again, fragments, holding, honest, link, truth,
};
use crate::sources::modbus::plan::Limits;
use crate::sources::modbus::transport::Transport;

/// Answers each request with the answer to the one before it, for ever.
fn one_behind() -> impl FnMut(Asked) -> Vec<Act> + Send + 'static {
    let mut kept: Option<Vec<u8>> = None;
    move |asked| kept.replace(asked.answer()).map(Act::Send).into_iter().collect()
}

/// Waits out the first request, then is honest in order.
fn late_once(late: Duration) -> impl FnMut(Asked) -> Vec<Act> + Send + 'static {
    let mut is_first = true;
    move |asked| {
        let wait = if std::mem::take(&mut is_first) { late } else { Duration::ZERO };
        vec![Act::Wait(wait), Act::Send(asked.answer())]
    }
}

/// late-answer-rtu: why the link isn't just the crate.
#[tokio::test]
async fn the_bare_crate_returns_the_previous_block_as_the_answer() {
    let device = Device::start(Framing::Rtu, one_behind()).await;
    let mut bare = rtu::attach(TcpStream::connect(device.address).await.unwrap());
    bare.set_slave(tokio_modbus::Slave(1));
    let mut read = async |address| {
        let request = tokio_modbus::Request::ReadHoldingRegisters(address, 2);
        tokio::time::timeout(SHORT, bare.call(request)).await.map(|outcome| outcome.unwrap().unwrap())
    };
    assert!(read(100).await.is_err(), "the first answer is late");
    assert_eq!(read(200).await.unwrap(), tokio_modbus::Response::ReadHoldingRegisters(vec![100, 101]));
    assert_eq!(read(300).await.unwrap(), tokio_modbus::Response::ReadHoldingRegisters(vec![200, 201]));
}

/// late-answer-rtu, prev-response-same-length
#[tokio::test]
async fn a_device_that_stays_one_answer_behind_is_never_believed() {
    let device = Device::start(Framing::Rtu, one_behind()).await;
    let mut link = link(&device);
    for address in (0..100).step_by(10) {
        let answer = ask(&mut link, 1, holding(address, 10), SHORT).await;
        assert!(answer.is_err(), "{answer:?}");
    }
}

/// late-answer-rtu
#[tokio::test]
async fn a_late_answer_is_drained_and_the_next_is_right() {
    for late in [SHORT * 3 / 2, SHORT * 5] {
        let device = Device::start(Framing::Rtu, late_once(late)).await;
        let mut link = link(&device);
        assert_eq!(ask(&mut link, 1, holding(0, 2), SHORT).await, Err(LinkError::Timeout(SHORT)));
        assert!(link.is_connected(), "the line stays open");
        assert_eq!(ask_again(&mut link, 1, holding(20, 2), SHORT).await, truth(holding(20, 2)));
    }
}

#[tokio::test]
async fn a_line_in_step_costs_one_request_a_read() {
    let device = Device::start(Framing::Rtu, honest).await;
    let mut link = link(&device);
    for address in 0..5 {
        assert_eq!(ask(&mut link, 1, holding(address, 2), PATIENT).await, Ok(truth(holding(address, 2))));
    }
    let counts: Vec<u16> = device.asked().iter().map(|asked| asked.count).collect();
    assert_eq!(counts, [1, 2, 2, 2, 2, 2], "one fence after the line was opened");
}

/// dead-slave-starves-bus
#[tokio::test]
async fn a_silent_unit_leaves_its_neighbour_in_step() {
    let device = Device::start(Framing::Rtu, |asked| if asked.unit == 9 { Vec::new() } else { honest(asked) }).await;
    let mut link = link(&device);
    ask(&mut link, 1, holding(0, 2), PATIENT).await.unwrap();
    assert_eq!(ask(&mut link, 9, holding(0, 2), SHORT).await, Err(LinkError::Timeout(SHORT)));
    let before = device.asked().len();
    assert_eq!(ask(&mut link, 1, holding(7, 2), PATIENT).await, Ok(truth(holding(7, 2))));
    assert_eq!(device.asked().len(), before + 1, "the neighbour owes nothing and needs no fence");
}

/// wrong-unit-answer
#[tokio::test]
async fn an_answer_of_another_unit_is_refused_and_drained() {
    let wrong = AtomicUsize::new(2);
    let device = Device::start(Framing::Rtu, move |asked| {
        let left = wrong.load(Ordering::Relaxed);
        wrong.store(left.saturating_sub(1), Ordering::Relaxed);
        // The fence is honest, the first read is not.
        honest(if left == 1 { Asked { unit: 9, ..asked } } else { asked })
    })
    .await;
    let mut link = link(&device);
    let error = ask(&mut link, 1, holding(0, 2), PATIENT).await.unwrap_err();
    assert!(error.to_string().contains("another request"), "{error}");
    assert_eq!(ask(&mut link, 1, holding(8, 2), PATIENT).await, Ok(truth(holding(8, 2))));
}

/// Sends `bad` in place of the second answer, the first read's; the fence before it is honest.
async fn recovers(bad: impl Fn(Asked) -> Vec<Act> + Send + 'static) -> Result<Answer, LinkError> {
    let mut number = 0;
    let device = Device::start(Framing::Rtu, move |asked| {
        number += 1;
        if number == 2 { bad(asked) } else { honest(asked) }
    })
    .await;
    let mut link = link(&device);
    let first = ask(&mut link, 1, holding(10, 3), SHORT * 3).await;
    assert_eq!(ask_again(&mut link, 1, holding(20, 3), PATIENT).await, truth(holding(20, 3)));
    first
}

/// garbage-rtu
#[tokio::test]
async fn a_little_noise_before_an_answer_costs_nothing_and_much_noise_costs_the_answer() {
    let noise = |count: usize| move |asked: Asked| vec![Act::Send([vec![0xFF; count], asked.answer()].concat())];
    assert_eq!(recovers(noise(2)).await, Ok(truth(holding(10, 3))));
    assert!(recovers(noise(12)).await.is_err());
    assert!(recovers(noise(200)).await.is_err());
}

/// missing-last-byte
#[tokio::test]
async fn an_answer_without_its_last_byte_is_no_answer() {
    let cut = |asked: Asked| vec![Act::Send(asked.answer()[..asked.answer().len() - 1].to_vec())];
    assert_eq!(recovers(cut).await, Err(LinkError::Timeout(SHORT * 3)));
}

/// short-frame
#[tokio::test]
async fn an_answer_that_ends_before_its_byte_count_is_no_answer() {
    assert!(recovers(|asked| vec![Act::Send(asked.frame(&[3, 10, 0, 10]))]).await.is_err());
}

#[tokio::test]
async fn an_answer_with_a_flipped_bit_is_no_answer() {
    let flipped = |asked: Asked| {
        let mut frame = asked.answer();
        frame[4] ^= 0x10;
        vec![Act::Send(frame)]
    };
    assert!(recovers(flipped).await.is_err());
}

#[tokio::test]
async fn an_answer_that_is_longer_or_shorter_than_asked_is_refused() {
    for count in [2, 4] {
        assert!(recovers(move |asked| honest(Asked { count, ..asked })).await.is_err());
    }
}

/// coalesced
#[tokio::test]
async fn answers_glued_together_are_not_believed() {
    let twice = |asked: Asked| {
        let other = Asked { address: 500, ..asked };
        vec![Act::Send([other.answer(), asked.answer()].concat())]
    };
    let error = recovers(twice).await.unwrap_err();
    assert!(error.to_string().contains("11 bytes came beside the answer"), "{error}");
}

/// fragment: the crate alone takes the first two bytes of an identification for a broken frame.
#[tokio::test]
async fn an_answer_in_pieces_is_one_answer() {
    assert_eq!(recovers(|asked| fragments(&asked.answer())).await, Ok(truth(holding(10, 3))));
    let device = Device::start(Framing::Rtu, |asked| {
        if asked.function == 3 {
            return honest(asked);
        }
        let text = [&[0x2B, 0x0E, 1, 1, 0, 0, 1, 0, 4][..], b"ACME"].concat();
        fragments(&asked.frame(&text))
    })
    .await;
    let mut link = link(&device);
    link.connect(PATIENT).await.unwrap();
    // An identification request has a byte less than the device reads at once, so it is completed by the next.
    let _ = link.identify(1, SHORT).await;
}

#[tokio::test]
async fn bits_are_fenced_by_another_number_of_bytes() {
    let device = Device::start(Framing::Rtu, late_once(SHORT * 2)).await;
    let mut link = link(&device);
    for count in [1, 8, 9, 100] {
        let coils = Request::new(Table::Coil, 3, count).unwrap();
        assert_eq!(ask_again(&mut link, 1, coils, SHORT).await, truth(coils), "{count}");
    }
}

/// block-only, exc-02-gap
#[tokio::test]
async fn a_device_that_refuses_every_other_length_is_fenced_by_another_table() {
    let device = Device::start(Framing::Rtu, |asked| match (asked.function, asked.count) {
        (3, 10) => honest(asked),
        (3, _) => vec![Act::Send(asked.exception(2))],
        _ => vec![Act::Send(asked.exception(1))],
    })
    .await;
    let mut link = link(&device);
    assert_eq!(ask(&mut link, 1, holding(0, 10), PATIENT).await, Ok(truth(holding(0, 10))));
}

#[tokio::test]
async fn an_exception_of_a_unit_in_step_is_its_answer() {
    let device = Device::start(Framing::Rtu, |asked| {
        if asked.address == 50 { vec![Act::Send(asked.exception(2))] } else { honest(asked) }
    })
    .await;
    let mut link = link(&device);
    ask(&mut link, 1, holding(0, 2), PATIENT).await.unwrap();
    assert_eq!(ask(&mut link, 1, holding(50, 2), PATIENT).await, Err(LinkError::Exception(2)));
    assert_eq!(ask(&mut link, 1, holding(60, 2), PATIENT).await, Ok(truth(holding(60, 2))));
}

/// half-open
#[tokio::test]
async fn a_serial_server_without_a_single_byte_is_connected_anew() {
    let device =
        Device::start(Framing::Rtu, |asked| if asked.connection == 0 { Vec::new() } else { honest(asked) }).await;
    let mut link = link(&device);
    assert_eq!(ask_again(&mut link, 1, holding(0, 2), SHORT).await, truth(holding(0, 2)));
}

#[tokio::test]
async fn a_serial_server_that_closes_is_connected_anew() {
    let device = Device::start(Framing::Rtu, |asked| [honest(asked), vec![Act::Close]].concat()).await;
    let mut link = link(&device);
    link.connect(PATIENT).await.unwrap();
    let error = link.read(1, holding(0, 2), PATIENT).await.unwrap_err();
    assert!(matches!(error, LinkError::Lost(_)), "{error}");
    assert!(link.has_answered() && !link.is_connected());
}

/// exc-02-limit
#[tokio::test]
async fn a_fence_is_no_longer_than_the_unit_answers_at_once() {
    let mut number = 0;
    let device = Device::start(Framing::Rtu, move |asked| {
        number += 1;
        // Every shorter answer is lost, so that longer ones would be tried.
        match (asked.function, asked.count) {
            (3, 4) if number > 1 => honest(asked),
            _ => Vec::new(),
        }
    })
    .await;
    let mut link = link(&device);
    link.heed(1, &Limits { words_max: 4, ..Limits::default() });
    for _ in 0..8 {
        let _ = ask(&mut link, 1, holding(0, 4), SHORT).await;
    }
    let asked = device.asked();
    assert!(asked.iter().map(|asked| asked.function).collect::<BTreeSet<_>>().len() > 1, "{asked:?}");
    assert!(asked.iter().all(|asked| asked.function <= 2 || asked.count <= 4), "{asked:?}");
}

/// unit-0
#[tokio::test]
async fn nobody_is_asked_as_unit_0_of_a_line() {
    let device = Device::start(Framing::Rtu, honest).await;
    let mut link = link(&device);
    let error = ask(&mut link, 0, holding(0, 1), PATIENT).await.unwrap_err();
    assert!(error.to_string().contains("unit 0"), "{error}");
    assert_eq!(device.asked(), []);
}

/// A device that does everything wrong at random, but answers in the order it is asked.
fn liar(seed: u64) -> impl FnMut(Asked) -> Vec<Act> + Send + 'static {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut kept: VecDeque<Vec<u8>> = VecDeque::new();
    // Whether it stays behind: each question then gets the answer to an earlier one.
    let mut is_behind = false;
    move |asked| {
        let answer = asked.answer();
        let lie = random.u8(0..24);
        match lie {
            1 => {}
            3 => kept.push_back(Asked { unit: asked.unit ^ 1, ..asked }.answer()),
            4 => kept.push_back(answer[..answer.len() - 1].to_vec()),
            5 => kept.push_back([vec![random.u8(..); random.usize(1..9)], answer].concat()),
            6 => kept.push_back([answer.clone(), answer].concat()),
            7 => kept.push_back(asked.exception(random.u8(1..12))),
            8 => kept.push_back(Asked { function: asked.function ^ 1, ..asked }.answer()),
            _ => kept.push_back(answer),
        }
        is_behind = match lie {
            2 => true,
            9 | 10 => false,
            _ => is_behind,
        };
        let given = match lie {
            2 => 0,
            _ if is_behind => 1,
            _ => kept.len(),
        };
        let pause = if lie == 0 { SHORT.mul_f64(0.5 + 3.0 * random.f64()) } else { Duration::ZERO };
        let answers = kept.drain(..given.min(kept.len())).map(Act::Send);
        [Act::Wait(pause)].into_iter().chain(answers).collect()
    }
}

/// Everything at once, on two units that share what is owed.
#[tokio::test]
async fn whatever_a_liar_does_each_value_is_the_one_that_was_asked_for() {
    let runs = [1, 2, 3, 4].map(async |seed| {
        let device = Device::start(Framing::Rtu, liar(seed)).await;
        let mut link = Link::new(device.transport(), Security::default());
        let mut random = fastrand::Rng::with_seed(seed);
        let mut believed = 0;
        for _ in 0..60 {
            // Few lengths, so that late answers fit other questions.
            let request = holding(random.u16(0..1000), random.u16(2..4));
            if let Ok(answer) = ask(&mut link, random.u8(1..3), request, SHORT).await {
                assert_eq!(answer, truth(request), "seed {seed}");
                believed += 1;
            }
        }
        believed
    });
    for believed in futures_util::future::join_all(runs).await {
        assert!(believed > 15, "only {believed} of 60 reads had an answer");
    }
}

#[tokio::test]
async fn a_serial_server_that_is_away_is_no_connection() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let transport = Transport::RtuOverTcp { host: free.ip().to_string(), port: free.port() };
    let mut link = Link::new(transport, Security::default());
    assert!(matches!(link.connect(PATIENT).await, Err(LinkError::Connect(_))));
}
