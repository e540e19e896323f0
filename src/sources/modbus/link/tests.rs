//! What devices do to a link, and that no value comes out of it that wasn't asked for. The names in the comments are
//! those under which the field knows the misbehaviour.

pub(in crate::sources::modbus) mod device;
mod named;
pub(in crate::sources::modbus) mod serial;
mod unnamed;

use std::time::Duration;

use device::{Act, Asked, Device, Framing, fragments};

use super::{Link, LinkError};
use crate::profile::register::Table;
use crate::sources::modbus::plan::{Answer, Request};
use crate::sources::modbus::transport::Security;

/// An answer that comes at all comes within this; only a failing test waits that long.
const PATIENT: Duration = Duration::from_secs(20);
/// Time-out of a test that waits for it.
const SHORT: Duration = Duration::from_millis(60);

fn holding(address: u16, count: u16) -> Request {
    Request::new(Table::Holding, address, count).unwrap()
}

/// What a truthful device holds.
fn truth(request: Request) -> Answer {
    let addresses = request.address()..request.address() + request.count();
    if request.table().is_bits() {
        Answer::Bits(addresses.map(|address| address % 2 == 1).collect())
    } else {
        Answer::Words(addresses.collect())
    }
}

fn link(device: &Device) -> Link {
    Link::new(device.transport(), Security::default())
}

/// Asks, on a new connection where there is none.
async fn ask(link: &mut Link, unit: u8, request: Request, limit: Duration) -> Result<Answer, LinkError> {
    if !link.is_connected() {
        link.connect(PATIENT).await?;
    }
    link.read(unit, request, limit).await
}

/// Asks until there is an answer, as a poll loop does.
async fn ask_again(link: &mut Link, unit: u8, request: Request, limit: Duration) -> Answer {
    for _ in 0..20 {
        if let Ok(answer) = ask(link, unit, request, limit).await {
            return answer;
        }
    }
    panic!("no answer in 20 tries");
}

fn honest(asked: Asked) -> Vec<Act> {
    vec![Act::Send(asked.answer())]
}
