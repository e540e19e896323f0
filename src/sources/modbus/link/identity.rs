//! Who made a device: function 43/14, the three basic objects.
//!
//! In: the answers to as many requests as the device needs for them. Out: an [`Identity`]. A device that never ends
//! is not followed.

use tokio_modbus::prelude::ReadCode;
use tokio_modbus::{Request, Response};

/// What a device says of itself. A text is empty where the device gives none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// Vendor name (object 0).
    pub vendor: String,
    /// Product code (object 1).
    pub product: String,
    /// Major and minor revision (object 2).
    pub revision: String,
}

/// Number of basic objects. **Source**: Modbus application protocol V1.1b3, 6.21.
const OBJECTS: u8 = 3;

/// What has been answered so far.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    texts: [String; OBJECTS as usize],
    next: Option<u8>,
    is_complete: bool,
}

/// Returns the request for the basic objects from `object` on.
pub(super) const fn request(object: u8) -> Request<'static> {
    Request::ReadDeviceIdentification(ReadCode::Basic, object)
}

impl Gathered {
    /// Returns the object to ask for next; `None` when the device has said all.
    pub(super) fn next(&self) -> Option<u8> {
        if self.is_complete { None } else { Some(self.next.unwrap_or(0)) }
    }

    /// Takes an answer in.
    ///
    /// # Errors
    /// What makes it none.
    pub(super) fn add(&mut self, response: &Response) -> Result<(), String> {
        let Response::ReadDeviceIdentification(part) = response else {
            return Err("the answer is no device identification".to_owned());
        };
        for object in &part.device_id_objects {
            if let Some(text) = self.texts.get_mut(usize::from(object.id)) {
                *text = readable(&object.value);
            }
        }
        // An object number that doesn't grow would be asked for ever.
        let asked = self.next.unwrap_or(0);
        let goes_on = part.more_follows && part.next_object_id > asked && part.next_object_id < OBJECTS;
        self.is_complete = !goes_on;
        self.next = Some(part.next_object_id);
        Ok(())
    }

    /// Returns what the device said.
    pub(super) fn identity(self) -> Identity {
        let [vendor, product, revision] = self.texts;
        Identity { vendor, product, revision }
    }
}

/// Texts are ASCII by the book; devices pad them with zeros and blanks.
fn readable(value: &[u8]) -> String {
    String::from_utf8_lossy(value).trim_matches(|c: char| c.is_whitespace() || c.is_control()).to_owned()
}

#[cfg(test)]
mod tests {
    use tokio_modbus::prelude::{ConformityLevel, DeviceIdObject, ReadDeviceIdentificationResponse};

    use super::{Gathered, Identity, ReadCode, Response};

    fn part(objects: &[(u8, &'static [u8])], next: Option<u8>) -> Response {
        Response::ReadDeviceIdentification(ReadDeviceIdentificationResponse {
            read_code: ReadCode::Basic,
            conformity_level: ConformityLevel::BasicIdentification,
            more_follows: next.is_some(),
            next_object_id: next.unwrap_or(0),
            device_id_objects: objects
                .iter()
                .map(|(id, value)| DeviceIdObject { id: *id, value: (*value).into() })
                .collect(),
        })
    }

    #[test]
    fn objects_are_gathered_over_as_many_answers_as_the_device_needs() {
        let mut gathered = Gathered::default();
        assert_eq!(gathered.next(), Some(0));
        gathered.add(&part(&[(0, b"Vendor\0\0")], Some(1))).unwrap();
        assert_eq!(gathered.next(), Some(1));
        gathered.add(&part(&[(1, b" PM5110 "), (2, b"V1.2"), (9, b"private")], None)).unwrap();
        assert_eq!(gathered.next(), None);
        let expected = Identity { vendor: "Vendor".into(), product: "PM5110".into(), revision: "V1.2".into() };
        assert_eq!(gathered.identity(), expected);
    }

    #[test]
    fn a_device_that_always_says_more_follows_is_not_asked_for_ever() {
        let mut gathered = Gathered::default();
        gathered.add(&part(&[(0, b"A")], Some(1))).unwrap();
        gathered.add(&part(&[(1, b"B")], Some(1))).unwrap();
        assert_eq!(gathered.next(), None);
        let mut beyond = Gathered::default();
        beyond.add(&part(&[(0, b"A")], Some(3))).unwrap();
        assert_eq!(beyond.next(), None, "regular objects weren't asked for");
    }

    #[test]
    fn an_answer_of_another_kind_is_no_identification() {
        assert!(Gathered::default().add(&Response::ReadHoldingRegisters(vec![1])).is_err());
    }
}
