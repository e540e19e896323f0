//! Connections with transaction numbers: TCP, and through it whatever a gateway makes of it.

use std::collections::VecDeque;
use std::sync::Mutex;

use tokio::net::TcpListener;

use super::{
    Act, Answer, Asked, Device, Duration, Framing, LinkError, PATIENT, Request, SHORT, Security, Table, ask, ask_again,
    fragments, holding, honest, link, truth,
};
use crate::sources::modbus::link::{Identity, Link};
use crate::sources::modbus::plan::{Limits, Stretch};
use crate::sources::modbus::transport::Transport;

/// A device that misbehaves at its first request and is honest from then on.
fn once(bad: impl Fn(Asked) -> Vec<Act> + Send + 'static) -> impl FnMut(Asked) -> Vec<Act> + Send + 'static {
    let mut is_first = true;
    move |asked| if std::mem::take(&mut is_first) { bad(asked) } else { honest(asked) }
}

/// The first read fails with words that contain `reason`, the next one is right.
async fn recovers(reason: &str, bad: impl Fn(Asked) -> Vec<Act> + Send + 'static) {
    let device = Device::start(Framing::Tcp, once(bad)).await;
    let mut link = link(&device);
    let error = ask(&mut link, 1, holding(10, 2), SHORT).await.unwrap_err();
    assert!(error.to_string().contains(reason), "{error}");
    assert!(!link.is_connected(), "after a fault nothing more comes from this connection");
    assert_eq!(ask(&mut link, 1, holding(20, 2), PATIENT).await, Ok(truth(holding(20, 2))));
}

#[tokio::test]
async fn every_table_reads_what_was_asked_for() {
    let device = Device::start(Framing::Tcp, honest).await;
    let mut link = link(&device);
    for table in Table::ALL {
        for (address, count) in [(0, 1), (7, 9), (65_534, 1)] {
            let request = Request::new(*table, address, count).unwrap();
            assert_eq!(ask(&mut link, 1, request, PATIENT).await, Ok(truth(request)), "{request}");
        }
    }
    assert_eq!(device.asked().len(), 12, "nothing is asked beside");
}

/// late-answer-tcp
#[tokio::test]
async fn a_late_answer_is_nobodys_answer() {
    recovers("no answer within", |asked| vec![Act::Wait(SHORT * 2), Act::Send(asked.answer())]).await;
}

/// late-answer-tcp, reset-loop: the numbers of a new connection start again, and a gateway keeps what it owes.
#[tokio::test]
async fn an_answer_that_outlives_its_connection_is_not_taken_for_the_same_number_of_the_next() {
    let kept: Mutex<Option<Vec<u8>>> = Mutex::default();
    let device = Device::start(Framing::Tcp, move |asked| {
        let mut kept = kept.lock().unwrap();
        match (asked.connection, kept.take()) {
            (0, _) => {
                *kept = Some(asked.answer());
                Vec::new()
            }
            (_, Some(late)) => vec![Act::Send(late), Act::Send(asked.answer())],
            (_, None) => honest(asked),
        }
    })
    .await;
    let mut link = link(&device);
    assert_eq!(ask(&mut link, 1, holding(10, 2), SHORT).await, Err(LinkError::Timeout(SHORT)));
    assert_eq!(ask_again(&mut link, 1, holding(20, 2), PATIENT).await, truth(holding(20, 2)));
}

/// A gateway that keeps the answer to its first request, which ends badly, and gives it out before the next one's.
/// What comes of the read that follows, and under which numbers the gateway was asked.
async fn kept_from_the_first(
    late: impl Fn(Asked) -> Vec<u8> + Send + 'static,
    first: Vec<Act>,
) -> (Vec<Result<Answer, LinkError>>, Vec<u16>) {
    let mut kept = None;
    let device = Device::start(Framing::Tcp, move |asked| {
        if asked.connection == 0 {
            kept = Some(late(asked));
            return first.clone();
        }
        kept.take().into_iter().chain([asked.answer()]).map(Act::Send).collect()
    })
    .await;
    let mut link = link(&device);
    ask(&mut link, 1, holding(10, 2), SHORT).await.unwrap_err();
    let outcomes = [ask(&mut link, 1, holding(20, 2), SHORT).await, ask(&mut link, 1, holding(20, 2), SHORT).await];
    (outcomes.to_vec(), device.asked().iter().map(|asked| asked.transaction).collect())
}

/// reset-loop: the gateway drops the connection while its serial side still works on the answer.
#[tokio::test]
async fn an_answer_that_was_owed_when_its_connection_broke_is_nobodys_answer() {
    let (outcomes, numbers) = kept_from_the_first(Asked::answer, vec![Act::Close]).await;
    assert!(matches!(outcomes[0], Err(LinkError::Lost(_))), "{outcomes:?}");
    assert_eq!(outcomes[1], Ok(truth(holding(20, 2))));
    assert_eq!(numbers, [0, 1, 2], "no number twice, and nothing is asked beside");
}

#[tokio::test]
async fn an_exception_that_was_owed_is_nobodys_exception() {
    for first in [vec![], vec![Act::Close]] {
        let (outcomes, numbers) = kept_from_the_first(|asked| asked.exception(2), first).await;
        assert!(matches!(outcomes[0], Err(LinkError::Lost(_))), "{outcomes:?}");
        assert_eq!(outcomes[1], Ok(truth(holding(20, 2))));
        assert_eq!(numbers, [0, 1, 2]);
    }
}

#[tokio::test]
async fn a_unit_that_bears_one_request_only_is_read_again_after_a_time_out() {
    let device =
        Device::start(Framing::Tcp, |asked| if asked.connection == 0 { Vec::new() } else { honest(asked) }).await;
    let mut link = link(&device);
    let forbidden = Table::ALL.iter().map(|&table| Stretch { table, start: 0, end: 0x1_0000 }).collect();
    link.heed(1, &Limits { forbidden, ..Limits::default() });
    ask(&mut link, 1, holding(10, 2), SHORT).await.unwrap_err();
    assert_eq!(ask(&mut link, 1, holding(10, 2), PATIENT).await, Ok(truth(holding(10, 2))));
}

/// gateway-wrong-tid
#[tokio::test]
async fn a_gateway_that_never_echoes_the_number_fails_and_says_so() {
    let device =
        Device::start(Framing::Tcp, |asked| honest(Asked { transaction: asked.transaction.wrapping_add(1), ..asked }))
            .await;
    let mut link = link(&device);
    for _ in 0..4 {
        let error = ask(&mut link, 1, holding(0, 2), PATIENT).await.unwrap_err();
        assert!(error.to_string().contains("the answer belongs to another request"), "{error}");
    }
}

/// foreign-tid
#[tokio::test]
async fn an_answer_under_a_number_that_was_never_given_out_is_refused() {
    recovers("belongs to another request", |asked| honest(Asked { transaction: 0x5555, ..asked })).await;
}

/// wrong-unit-answer
#[tokio::test]
async fn an_answer_of_another_unit_is_refused() {
    recovers("belongs to another request", |asked| honest(Asked { unit: asked.unit + 1, ..asked })).await;
}

#[tokio::test]
async fn an_answer_with_another_function_is_refused() {
    recovers("another function code", |asked| honest(Asked { function: 4, ..asked })).await;
}

/// prev-response-same-length: what tells the blocks apart is the number alone.
#[tokio::test]
async fn the_previous_block_of_the_same_length_is_never_the_present_one() {
    let mut previous: Option<Vec<u8>> = None;
    let device =
        Device::start(Framing::Tcp, move |asked| previous.replace(asked.answer()).map(Act::Send).into_iter().collect())
            .await;
    let mut link = link(&device);
    for address in (0..60).step_by(10) {
        let answer = ask(&mut link, 1, holding(address, 10), SHORT).await;
        assert!(answer.is_err(), "{answer:?}");
    }
}

#[tokio::test]
async fn an_answer_that_is_longer_or_shorter_than_asked_is_refused() {
    for count in [1, 3] {
        recovers("another length", move |asked| honest(Asked { count, ..asked })).await;
    }
}

/// short-frame: the byte count says 10 and 2 follow.
#[tokio::test]
async fn a_byte_count_beyond_the_frame_is_refused() {
    recovers("connection lost", |asked| vec![Act::Send(asked.frame(&[3, 10, 0, 10]))]).await;
}

#[tokio::test]
async fn an_odd_byte_count_is_refused() {
    recovers("connection lost", |asked| vec![Act::Send(asked.frame(&[3, 3, 0, 10, 0]))]).await;
}

/// bad-mbap-length
#[tokio::test]
async fn a_length_that_never_comes_ends_with_the_time_limit() {
    for length in [[0xFF, 0xFF], [0x00, 0x00]] {
        recovers("", move |asked| {
            let mut frame = asked.answer();
            frame[4..6].copy_from_slice(&length);
            vec![Act::Send(frame)]
        })
        .await;
    }
}

#[tokio::test]
async fn another_protocol_is_no_answer() {
    recovers("", |_| vec![Act::Send(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec())]).await;
}

/// fragment
#[tokio::test]
async fn an_answer_in_pieces_is_one_answer() {
    let device = Device::start(Framing::Tcp, |asked| fragments(&asked.answer())).await;
    let mut link = link(&device);
    assert_eq!(ask(&mut link, 1, holding(100, 5), PATIENT).await, Ok(truth(holding(100, 5))));
}

/// coalesced: the second answer is to nothing, and the next question gets its own.
#[tokio::test]
async fn answers_glued_together_are_matched_to_what_was_asked() {
    let device = Device::start(Framing::Tcp, |asked| {
        let stray = Asked { transaction: asked.transaction.wrapping_sub(1), address: 900, ..asked };
        vec![Act::Send([asked.answer(), stray.answer()].concat())]
    })
    .await;
    let mut link = link(&device);
    for address in [0, 40] {
        assert_eq!(ask_again(&mut link, 1, holding(address, 2), PATIENT).await, truth(holding(address, 2)));
    }
}

/// unit-0, unit-255
#[tokio::test]
async fn units_0_and_255_are_devices_like_any_other() {
    let device = Device::start(Framing::Tcp, honest).await;
    let mut link = link(&device);
    for unit in [0, 1, 247, 255] {
        assert_eq!(ask(&mut link, unit, holding(3, 1), PATIENT).await, Ok(truth(holding(3, 1))));
    }
    let units: Vec<u8> = device.asked().iter().map(|asked| asked.unit).collect();
    assert_eq!(units, [0, 1, 247, 255]);
}

/// half-open: the device lost its power and says nothing, not even goodbye.
#[tokio::test]
async fn a_connection_that_died_without_a_word_ends_with_the_time_limit() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut link =
        Link::new(Transport::Tcp { host: address.ip().to_string(), port: address.port() }, Security::default());
    // The kernel accepts on behalf of a program that never looks.
    link.connect(PATIENT).await.unwrap();
    assert_eq!(link.read(1, holding(0, 1), SHORT).await, Err(LinkError::Timeout(SHORT)));
    assert!(!link.is_connected());
}

/// gateway-reboot-epipe
#[tokio::test]
async fn after_a_reboot_the_next_connection_works() {
    let device = Device::start(Framing::Tcp, honest).await;
    let address = device.address;
    let mut link = link(&device);
    ask(&mut link, 1, holding(0, 1), PATIENT).await.unwrap();
    drop(device);
    let gone = ask(&mut link, 1, holding(0, 1), PATIENT).await.unwrap_err();
    assert!(matches!(gone, LinkError::Lost(_)), "{gone}");
    assert!(link.has_answered() && !link.is_connected(), "one immediate new try is worth it");
    let device = loop {
        // The port is free once the old listener's task has ended.
        if let Ok(listener) = std::net::TcpListener::bind(address) {
            drop(listener);
            break Device::start_at(address, Framing::Tcp, honest).await;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(ask(&mut link, 1, holding(5, 1), PATIENT).await, Ok(truth(holding(5, 1))));
    assert_eq!(device.asked().len(), 1);
}

#[tokio::test]
async fn an_exception_keeps_the_connection() {
    let device = Device::start(Framing::Tcp, |asked| vec![Act::Send(asked.exception(2))]).await;
    let mut link = link(&device);
    for _ in 0..2 {
        assert_eq!(ask(&mut link, 1, holding(0, 1), PATIENT).await, Err(LinkError::Exception(2)));
    }
    assert!(device.asked().iter().all(|asked| asked.connection == 0));
}

#[tokio::test]
async fn a_read_that_is_given_up_leaves_no_connection() {
    let device = Device::start(Framing::Tcp, |_| Vec::new()).await;
    let mut link = link(&device);
    link.connect(PATIENT).await.unwrap();
    let given_up = tokio::time::timeout(SHORT, link.read(1, holding(0, 1), PATIENT)).await;
    assert!(given_up.is_err());
    assert!(!link.is_connected());
}

#[tokio::test]
async fn hosts_are_reached_by_name() {
    let device = Device::start(Framing::Tcp, honest).await;
    let transport = Transport::Tcp { host: "localhost".to_owned(), port: device.address.port() };
    let mut link = Link::new(transport, Security::default());
    assert_eq!(ask(&mut link, 1, holding(1, 1), PATIENT).await, Ok(Answer::Words(vec![1])));
}

#[tokio::test]
async fn a_device_says_who_made_it_in_as_many_answers_as_it_likes() {
    let mut parts = VecDeque::from([
        // Function, kind, code, conformity, more follows, next object, objects; each object id, length, text.
        [&[0x2B, 0x0E, 1, 1, 0xFF, 1, 1, 0, 4][..], b"ACME"].concat(),
        [&[0x2B, 0x0E, 1, 1, 0, 0, 2, 1, 3][..], b"M-7", &[2, 4], b"v2.1"].concat(),
    ]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = Vec::new();
        while let Some(pdu) = parts.pop_front() {
            let mut request = [0; 11];
            stream.read_exact(&mut request).await.unwrap();
            asked.push(request[7..].to_vec());
            let header = [request[0], request[1], 0, 0, 0, pdu.len() as u8 + 1, request[6]];
            stream.write_all(&[&header[..], &pdu].concat()).await.unwrap();
        }
        asked
    });
    let transport = Transport::Tcp { host: address.ip().to_string(), port: address.port() };
    let mut link = Link::new(transport, Security::default());
    link.connect(PATIENT).await.unwrap();
    let expected = Identity { vendor: "ACME".into(), product: "M-7".into(), revision: "v2.1".into() };
    assert_eq!(link.identify(1, Duration::from_secs(20)).await, Ok(expected));
    assert_eq!(serving.await.unwrap(), [[0x2B, 0x0E, 1, 0], [0x2B, 0x0E, 1, 1]]);
}
