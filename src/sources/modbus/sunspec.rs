//! Walks the models of a SunSpec device: ID, length, the next one behind it, until the end marker.
//!
//! In: the words a device answers, one request at a time. Out: which request is next, and the [`Model`]s found. The
//! walk is bounded: a device that lies about its lengths ends it with a reason and never makes it loop.
//! **Source**: SunSpec Device Information Model Specification 1.1, 6.1 to 6.3, and the models' own tables.

use super::plan::Request;
use crate::profile::register::{Table, text_of};

/// Where the marker may stand, in the order in which it is looked for. Wire addresses of holding registers.
pub const BASES: [u16; 3] = [40_000, 50_000, 0];
/// Registers of the common model that hold texts, and of which the walk's callers read the first 66 of the model.
pub const COMMON_WORDS: u16 = 66;

/// "SunS".
const MARKER: [u16; 2] = [0x5375, 0x6e53];
/// ID of the model that ends the list.
const END: u16 = 0xffff;
/// Most models of one device: inverters with storage list about 30. More is a list that doesn't end.
const MODELS_MAX: usize = 100;

/// Names of models that meters, inverters and batteries list. **Source**: SunSpec model definitions (smdx).
const NAMES: &[(u16, &str)] = &[
    (1, "common"),
    (2, "basic aggregator"),
    (11, "Ethernet link layer"),
    (12, "IPv4"),
    (17, "serial interface"),
    (101, "inverter, single phase"),
    (102, "inverter, split phase"),
    (103, "inverter, three phase"),
    (111, "inverter, single phase, float"),
    (112, "inverter, split phase, float"),
    (113, "inverter, three phase, float"),
    (120, "inverter nameplate"),
    (121, "inverter basic settings"),
    (122, "inverter measurements and status"),
    (123, "inverter immediate controls"),
    (124, "basic storage control"),
    (126, "static volt-var"),
    (127, "frequency-watt parameters"),
    (128, "dynamic reactive current"),
    (131, "watt-power factor"),
    (132, "volt-watt"),
    (145, "extended settings"),
    (160, "multiple MPPT inverter extension"),
    (201, "meter, single phase"),
    (202, "meter, split phase"),
    (203, "meter, wye-connected three phase"),
    (204, "meter, delta-connected three phase"),
    (211, "meter, single phase, float"),
    (212, "meter, split phase, float"),
    (213, "meter, wye-connected three phase, float"),
    (214, "meter, delta-connected three phase, float"),
    (302, "irradiance"),
    (303, "back of module temperature"),
    (305, "location"),
    (307, "base meteorology"),
    (401, "string combiner"),
    (403, "string combiner, advanced"),
    (501, "solar module, float"),
    (502, "solar module"),
    (701, "DER AC measurement"),
    (702, "DER capacity"),
    (703, "DER enter service"),
    (704, "DER AC controls"),
    (713, "DER storage capacity"),
    (714, "DER DC measurement"),
    (801, "energy storage base"),
    (802, "battery base"),
    (803, "lithium-ion battery bank"),
];

/// One model of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Model {
    /// Which model.
    pub id: u16,
    /// Wire address of its ID register: what `model_address` of a source holds.
    pub address: u16,
    /// Registers behind its length register.
    pub length: u16,
}

impl Model {
    /// Returns the model's name; "unknown" for one of a vendor's own.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(id, _)| *id == self.id).map_or("unknown", |(_, name)| name)
    }

    /// Returns the read of the common model's texts; `None` for any other model.
    pub fn texts(self) -> Option<Request> {
        (self.id == 1 && self.length >= COMMON_WORDS - 2)
            .then(|| Request::new(Table::Holding, self.address, COMMON_WORDS))
            .flatten()
    }
}

/// What the common model says of the device. Texts are trimmed; one that is left empty is empty here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Common {
    /// Who made it.
    pub manufacturer: String,
    /// Its type.
    pub model: String,
    /// Version of its software.
    pub version: String,
    /// Its serial number.
    pub serial: String,
}

impl Common {
    /// Reads the words of the common model from its ID register on; `None` where they are no common model.
    pub fn parse(words: &[u16]) -> Option<Self> {
        let part = |from: usize, words_count: usize| {
            Some(text_of(words.get(from..from + words_count)?, false, usize::MAX).unwrap_or_default())
        };
        (words.first() == Some(&1)).then_some(())?;
        Some(Self { manufacturer: part(2, 16)?, model: part(18, 16)?, version: part(42, 8)?, serial: part(50, 16)? })
    }
}

/// Why a walk is over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum End {
    /// The end marker was read: the list is complete.
    #[error("complete")]
    Complete,
    /// No "SunS" where the walk began.
    #[error("no \"SunS\" at {0}")]
    NoMarker(u16),
    /// A model's length leads beyond the last register.
    #[error("model {id} at {address} claims {length} registers, which ends beyond 65535")]
    BeyondLast {
        /// Which model.
        id: u16,
        /// Where it stands.
        address: u16,
        /// The length it claims.
        length: u16,
    },
    /// More models than any device has.
    #[error("no end marker after {MODELS_MAX} models")]
    TooMany,
    /// The device answered fewer words than asked for.
    #[error("{0} words in place of 2")]
    TooFewWords(usize),
}

/// One walk, from the marker to the end.
#[derive(Debug)]
pub struct Walk {
    /// Where the next two words are read.
    address: u16,
    is_marked: bool,
    models: Vec<Model>,
    end: Option<End>,
}

impl Walk {
    /// Begins at `base`, where "SunS" should stand.
    pub const fn new(base: u16) -> Self {
        Self { address: base, is_marked: false, models: Vec::new(), end: None }
    }

    /// Returns the next read; `None` when the walk is over.
    pub fn next(&self) -> Option<Request> {
        if self.end.is_some() { None } else { Request::new(Table::Holding, self.address, 2) }
    }

    /// Takes the words that answer [`Walk::next`].
    pub fn answer(&mut self, words: &[u16]) {
        let &[first, second] = words else {
            self.end = Some(End::TooFewWords(words.len()));
            return;
        };
        let step = if self.is_marked { self.model(first, second) } else { self.marker([first, second]) };
        match step {
            Ok(address) => self.address = address,
            Err(end) => self.end = Some(end),
        }
    }

    fn marker(&mut self, words: [u16; 2]) -> Result<u16, End> {
        if words != MARKER {
            return Err(End::NoMarker(self.address));
        }
        self.is_marked = true;
        Ok(self.address + 2)
    }

    fn model(&mut self, id: u16, length: u16) -> Result<u16, End> {
        if id == END {
            return Err(End::Complete);
        }
        let model = Model { id, address: self.address, length };
        let behind = u32::from(self.address) + 2 + u32::from(length);
        // The next ID and length need two registers.
        let next = u16::try_from(behind).ok().filter(|next| *next < u16::MAX);
        let Some(next) = next else { return Err(End::BeyondLast { id, address: self.address, length }) };
        self.models.push(model);
        if self.models.len() >= MODELS_MAX {
            return Err(End::TooMany);
        }
        Ok(next)
    }

    /// Says whether "SunS" was read.
    pub const fn is_marked(&self) -> bool {
        self.is_marked
    }

    /// Returns the models so far, in the order of the device.
    pub fn models(&self) -> &[Model] {
        &self.models
    }

    /// Returns why the walk is over; `None` while it isn't.
    pub const fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Common, End, Model, Walk};

    /// Walks a device that holds `words` from `base` on and 0 elsewhere.
    fn walk(base: u16, words: &[u16]) -> Walk {
        let held: BTreeMap<u16, u16> = (base..).zip(words.iter().copied()).collect();
        let mut walk = Walk::new(base);
        let mut requests = 0;
        while let Some(request) = walk.next() {
            let from = request.address();
            let answer: Vec<u16> = (from..=from + 1).map(|address| held.get(&address).copied().unwrap_or(0)).collect();
            walk.answer(&answer);
            requests += 1;
            assert!(requests < 200, "the walk doesn't end");
        }
        walk
    }

    fn device(models: &[(u16, u16)]) -> Vec<u16> {
        let mut words = vec![0x5375, 0x6e53];
        for (id, length) in models {
            words.extend([*id, *length]);
            words.extend(vec![7; usize::from(*length)]);
        }
        words
    }

    #[test]
    fn models_are_listed_with_the_address_of_their_id_register() {
        let walk = walk(40_000, &device(&[(1, 66), (103, 50), (203, 105), (0xffff, 0)]));
        let expected = [(1, 40_002, 66), (103, 40_070, 50), (203, 40_122, 105)];
        let expected = expected.map(|(id, address, length)| Model { id, address, length });
        assert_eq!((walk.models(), walk.end()), (expected.as_slice(), Some(&End::Complete)));
        assert_eq!(walk.models()[2].name(), "meter, wye-connected three phase");
        assert_eq!(Model { id: 64_001, address: 0, length: 1 }.name(), "unknown");
    }

    #[test]
    fn a_device_without_the_marker_is_left_after_one_request() {
        let walk = walk(0, &[230, 231]);
        assert_eq!((walk.is_marked(), walk.models().len(), walk.end()), (false, 0, Some(&End::NoMarker(0))));
    }

    #[test]
    fn a_device_that_lies_about_its_lengths_ends_the_walk() {
        let beyond = walk(40_000, &device(&[(1, 66)]).into_iter().chain([103, 65_000]).collect::<Vec<_>>());
        assert_eq!(beyond.end(), Some(&End::BeyondLast { id: 103, address: 40_070, length: 65_000 }));
        assert_eq!(beyond.models().len(), 1, "what was found before stays");
        // All zeros behind the marker: models without length, for ever.
        assert_eq!(walk(40_000, &device(&[])).end(), Some(&End::TooMany));
        let mut short = Walk::new(0);
        short.answer(&[0x5375]);
        assert_eq!(short.end(), Some(&End::TooFewWords(1)));
    }

    #[test]
    fn the_common_model_names_the_device() {
        let text = |text: &str, words: usize| {
            let mut bytes = text.as_bytes().to_vec();
            bytes.resize(words * 2, 0);
            bytes.chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect::<Vec<u16>>()
        };
        let words =
            [vec![1, 66], text("Fronius ", 16), text("Symo 10", 16), vec![0; 8], text("1.2", 8), text("3401", 16)]
                .concat();
        let common = Common::parse(&words).unwrap();
        assert_eq!(
            [&common.manufacturer, &common.model, &common.version, &common.serial],
            ["Fronius", "Symo 10", "1.2", "3401"]
        );
        assert_eq!(Common::parse(&words[..40]), None);
        assert_eq!(Common::parse(&[103; 70]), None);
        let request = Model { id: 1, address: 40_002, length: 65 }.texts().unwrap();
        assert_eq!((request.address(), request.count()), (40_002, 66));
        assert_eq!(Model { id: 103, address: 40_002, length: 65 }.texts(), None);
    }
}
