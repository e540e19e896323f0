//! Production context in a JSON payload: one document, or a list of them.

use jiff::tz::TimeZone;
use serde_json::Value;

use super::{PAYLOAD_BYTES_MAX, Refusal};
use crate::model::context::ContextEvent;
use crate::model::context::document::ContextDocument;
use crate::model::time::Timestamp;

/// Events of one message that are read. A list that is longer is refused whole: what was cut off would be missed.
const EVENTS_MAX: usize = 10_000;

/// Reads a payload: every event, or why it is none. `zone` is that of times without offset.
pub(in crate::sources::mqtt) fn read(payload: &[u8], zone: Option<&TimeZone>) -> Vec<Result<ContextEvent, Refusal>> {
    if payload.len() > PAYLOAD_BYTES_MAX {
        return vec![Err(Refusal::TooLarge(payload.len()))];
    }
    let documents = match serde_json::from_slice(payload) {
        Ok(Value::Array(documents)) if documents.len() > EVENTS_MAX => {
            let refusal = format!("{} in one message, at most {EVENTS_MAX} are read", documents.len());
            return vec![Err(Refusal::NotAnEvent(refusal))];
        }
        Ok(Value::Array(documents)) => documents,
        Ok(document) => vec![document],
        Err(error) => return vec![Err(Refusal::NotJson(error.to_string()))],
    };
    let event = |document: Value| {
        let document: ContextDocument = serde_json::from_value(document).map_err(|error| error.to_string())?;
        document.read(&|text| instant(text, zone))
    };
    documents.into_iter().map(|document| event(document).map_err(Refusal::NotAnEvent)).collect()
}

fn instant(text: &str, zone: Option<&TimeZone>) -> Result<Timestamp, String> {
    let parsed = text.parse::<Timestamp>();
    let (Err(error), Some(zone)) = (&parsed, zone) else { return parsed.map_err(|error| error.to_string()) };
    let civil = text.parse::<jiff::civil::DateTime>().map_err(|_| error.to_string())?;
    let instant = zone.to_timestamp(civil).map_err(|error| format!("\"{text}\": {error}"))?;
    Ok(Timestamp(instant.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::{Refusal, read};

    #[test]
    fn a_poison_event_costs_the_others_of_its_message_nothing() {
        let payload = br#"[
            {"asset":"press-1","at":"2026-10-05T10:17:23.456+07:00","kind":"product","product":"bolt-m8"},
            {"asset":"press-1","at":"yesterday","kind":"product"},
            {"asset":"press-1","at":"2026-10-05T10:20:00+07:00","kind":"stop_start","reason":"no-material"}
        ]"#;
        let events = read(payload, None);
        assert_eq!(events.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
        assert!(matches!(&events[1], Err(Refusal::NotAnEvent(text)) if text.contains("yesterday")));
    }

    #[test]
    fn what_is_no_json_is_one_refusal() {
        assert!(matches!(read(b"{\xff", None).as_slice(), [Err(Refusal::NotJson(_))]));
        assert_eq!(read(&vec![b' '; super::PAYLOAD_BYTES_MAX + 1], None).len(), 1);
    }
}
