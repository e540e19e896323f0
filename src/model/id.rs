//! Identifiers: short validated strings, so that a name that reaches a page, a topic or a URL is safe there.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Longest segment of an identifier, in bytes. Longer names are refused by the configuration check.
pub const SEGMENT_BYTES_MAX: usize = 64;

/// An identifier that does not keep to its form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{value}\" is not a valid {what}: {rule}")]
pub struct InvalidId {
    /// What the identifier was meant to name.
    pub what: &'static str,
    /// The text that was refused.
    pub value: String,
    /// The rule it breaks.
    pub rule: &'static str,
}

const SEGMENT_RULE: &str = "1 to 64 of the characters a-z, 0-9, _ and -";
const TAG_RULE: &str = "two or more segments of A-Z, a-z, 0-9, _ and -, joined by dots, each 1 to 64 long";

fn is_segment(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= SEGMENT_BYTES_MAX
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-')
}

fn is_tag_segment(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= SEGMENT_BYTES_MAX
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

fn is_tag_name(text: &str) -> bool {
    text.split('.').count() >= 2 && text.split('.').all(is_tag_segment)
}

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident, $what:literal, $valid:path, $rule:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks the form and keeps the text.
            ///
            /// # Errors
            /// [`InvalidId`] with the rule that is broken; the caller shows it as a configuration problem.
            pub fn new(text: &str) -> Result<Self, InvalidId> {
                if $valid(text) {
                    Ok(Self(Arc::from(text)))
                } else {
                    Err(InvalidId { what: $what, value: text.to_owned(), rule: $rule })
                }
            }

            /// Returns the text as given.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::new(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

identifier!(
    /// An edge box. It contributes and signs; it is never part of a figure's identity, so a box can be replaced.
    GatewayId, "gateway id", is_segment, SEGMENT_RULE
);
identifier!(
    /// An industrial park.
    ParkId, "park id", is_segment, SEGMENT_RULE
);
identifier!(
    /// A province: what parks are rolled up into.
    ProvinceId, "province id", is_segment, SEGMENT_RULE
);
identifier!(
    /// A factory site. Together with [`AssetId`] the global key of a figure.
    SiteId, "site id", is_segment, SEGMENT_RULE
);
identifier!(
    /// What a KPI is about: flat and immutable; parent, name and place are attributes.
    AssetId, "asset id", is_segment, SEGMENT_RULE
);
identifier!(
    /// A source of greenhouse gases: a boiler, a fleet, a cooling system.
    EmissionId, "emission id", is_segment, SEGMENT_RULE
);
identifier!(
    /// A meter: of its own tags, or one that is worked out from others. No dot, so that it is never taken for a tag.
    MeterId, "meter id", is_segment, SEGMENT_RULE
);
identifier!(
    /// A product that an asset makes.
    ProductId, "product id", is_segment, SEGMENT_RULE
);
identifier!(
    /// An order that an asset works on.
    OrderId, "order id", is_segment, SEGMENT_RULE
);
identifier!(
    /// Why a machine stopped or parts were bad: a code of the plant's own list, never free text.
    ReasonCode, "reason code", is_segment, SEGMENT_RULE
);
identifier!(
    /// What its sender calls an event of production context: the same id again is the same event.
    EventId, "event id", is_segment, SEGMENT_RULE
);
identifier!(
    /// The chain of pages for one authority; the name of the sink that sends it.
    StreamName, "stream name", is_segment, SEGMENT_RULE
);
identifier!(
    /// A source's name: the first segment of its tags.
    SourceName, "source name", is_segment, SEGMENT_RULE
);
identifier!(
    /// One measured point, `source.point` or `source.device.point`.
    TagName, "tag", is_tag_name, TAG_RULE
);

/// A SHA-256 digest, lower-case hexadecimal in JSON.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest before the first page of a stream.
    pub const ZERO: Self = Self([0; 32]);

    /// Parses 64 lower-case hexadecimal digits; `None` for anything else.
    pub fn from_hex(text: &str) -> Option<Self> {
        if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_hex(&text).ok_or_else(|| serde::de::Error::custom("expected 64 lower-case hexadecimal digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::{AssetId, Digest, TagName};

    #[test]
    fn ids_refuse_what_could_not_stand_in_a_topic_or_url() {
        for bad in ["", "Press", "a/b", "a b", "é", &"x".repeat(65)] {
            assert!(AssetId::new(bad).is_err(), "{bad}");
        }
        assert_eq!(AssetId::new("press-1").map(|id| id.to_string()), Ok("press-1".to_owned()));
    }

    #[test]
    fn a_tag_has_a_source_and_a_point() {
        assert!(TagName::new("floor.press-1.scrap").is_ok());
        assert!(TagName::new("scrap").is_err());
        assert!(TagName::new("floor..scrap").is_err());
    }

    #[test]
    fn digest_survives_its_hexadecimal_form() {
        let digest = Digest([0xa5; 32]);
        assert_eq!(Digest::from_hex(&digest.to_string()), Some(digest));
        assert_eq!(Digest::from_hex(&"A5".repeat(32)), None);
    }
}
