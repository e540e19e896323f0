//! Who answers: on a new connection a device proves that it is of the type that its profile describes, before
//! anything it says becomes a value. A cable in another socket, two swapped serial ports or a wrong unit identifier
//! show here and not in a bill.

use std::time::Duration;

use crate::profile::identity::{Identity, IdentityRegister};
use crate::sources::modbus::link::{Link, LinkError};
use crate::sources::modbus::plan::{Answer, Request};

/// What was found in place of what was expected.
pub(super) type Difference = String;

/// Asks for everything that the profile knows the device by. `Ok(None)` where all of it fits.
///
/// # Errors
/// [`LinkError`] of a request without an answer. A refusal is an answer: of another device.
pub(super) async fn verify(
    link: &mut Link,
    unit: u8,
    identity: &Identity,
    pause: Duration,
    limit: Duration,
) -> Result<Option<Difference>, LinkError> {
    for register in &identity.registers {
        let Some(request) = Request::new(register.table, register.address, register.length()) else { continue };
        let found = match link.read(unit, request, limit).await {
            Ok(Answer::Words(words)) if register.matches(&words) => None,
            Ok(Answer::Words(words)) => Some(shown(&words, register.text.is_some())),
            Ok(Answer::Bits(_)) => Some("bits".to_owned()),
            Err(LinkError::Exception(code @ 1..=3)) => Some(LinkError::Exception(code).to_string()),
            Err(error) => return Err(error),
        };
        if let Some(found) = found {
            return Ok(Some(format!("{request}: expected {}, found {found}", expected(register))));
        }
        tokio::time::sleep(pause).await;
    }
    let Some(vendor) = &identity.vendor else { return Ok(None) };
    // The basic objects hold no product name, so the vendor is all that can be compared; a device that names none, or
    // a gateway that doesn't pass the function on, says nothing about who answers.
    match link.identify(unit, limit).await {
        Ok(named) if !named.vendor.is_empty() && !named.vendor.to_lowercase().contains(&vendor.to_lowercase()) => {
            Ok(Some(format!("device identification: expected vendor {vendor}, found {}", named.vendor)))
        }
        Ok(_) | Err(LinkError::Exception(1..=3)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn expected(register: &IdentityRegister) -> String {
    match &register.text {
        Some(text) => format!("\"{text}\""),
        None => shown(&register.words, false),
    }
}

fn shown(words: &[u16], is_text: bool) -> String {
    if is_text && let Some(text) = crate::profile::register::text_of(words, false, words.len() * 2) {
        return format!("\"{}\"", text.escape_debug());
    }
    let words: Vec<String> = words.iter().map(|word| format!("0x{word:04X}")).collect();
    words.join(" ")
}
