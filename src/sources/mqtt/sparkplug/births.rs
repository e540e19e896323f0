//! What the births of one edge node declared: every metric with its datatype, by name and by alias.
//!
//! In: the metrics of births. Out: what a metric of a data message is, or why that can't be told. An alias that two
//! metrics claim stands for neither until the next birth of one of their devices frees it. Bounded by number and bytes; beyond, only metrics of declared points are kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::payload::Metric;

/// Metrics of one edge node that are kept. A full memory of a big controller has some 10,000.
const METRICS_MAX: usize = 20_000;
/// Bytes of their names.
const NAME_BYTES_MAX: usize = 2 << 20;
/// Devices of one edge node that are kept, those with declared points beyond.
const DEVICES_MAX: usize = 2_000;
/// Bytes of their ids.
const ID_BYTES_MAX: usize = 256 << 10;

/// A metric as its birth declared it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Declared {
    /// Code of its datatype; `None` where the birth named none.
    pub datatype: Option<u32>,
    /// Position of the point that keeps it.
    pub point: Option<usize>,
}

/// Why a metric of a data message is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unknown {
    /// No birth gave this alias, or that of another device did.
    Alias,
    /// No birth gave this name.
    Name,
    /// Two metrics claim this alias.
    AliasOfTwo,
    /// It has neither name nor alias.
    Nameless,
    /// The births were larger than what is kept.
    BeyondLimit,
}

/// A device of the edge node; `None`: the edge node itself.
pub(super) type Device = Option<Arc<str>>;

/// The births of one edge node.
#[derive(Debug, Default)]
pub(super) struct Births {
    devices: BTreeMap<Device, BTreeMap<Arc<str>, Declared>>,
    /// Devices and names of the metrics that claim an alias, at least one. In all no more than there are metrics.
    aliases: BTreeMap<u64, Vec<(Device, Arc<str>)>>,
    metrics: usize,
    name_bytes: usize,
    id_bytes: usize,
    is_beyond_limit: bool,
    is_device_beyond_limit: bool,
}

impl Births {
    /// Says whether a device, or the edge node itself, has been born.
    pub(super) fn has(&self, device: Option<&str>) -> bool {
        self.devices.contains_key(&device.map(Arc::from))
    }

    /// Says whether a metric was declared.
    pub(super) fn declares(&self, device: Option<&str>, name: &str) -> bool {
        self.devices.get(&device.map(Arc::from)).is_some_and(|table| table.contains_key(name))
    }

    /// Says whether some metric or device was not kept, because there are too many.
    pub(super) fn is_beyond_limit(&self) -> bool {
        self.is_beyond_limit || self.is_device_beyond_limit
    }

    /// Says whether a device that is not known may be one that was not kept, because there are too many.
    pub(super) fn is_device_beyond_limit(&self) -> bool {
        self.is_device_beyond_limit
    }

    /// A birth of a device, or of the edge node itself, begins: what an earlier one declared is forgotten. Returns whether
    /// it is kept: beyond the limit only one with declared points is.
    pub(super) fn begin(&mut self, device: Option<&str>, has_points: bool) -> bool {
        self.end(device);
        let bytes = device.map_or(0, str::len);
        let is_full = self.devices.len() >= DEVICES_MAX || self.id_bytes + bytes > ID_BYTES_MAX;
        if is_full && device.is_some() && !has_points {
            self.is_device_beyond_limit = true;
            return false;
        }
        self.id_bytes += bytes;
        self.devices.insert(device.map(Arc::from), BTreeMap::new());
        true
    }

    /// Forgets a device.
    pub(super) fn end(&mut self, device: Option<&str>) {
        let device: Device = device.map(Arc::from);
        let Some(metrics) = self.devices.remove(&device) else { return };
        self.id_bytes -= device.as_ref().map_or(0, |id| id.len());
        self.metrics -= metrics.len();
        self.name_bytes -= metrics.keys().map(|name| name.len()).sum::<usize>();
        self.aliases.retain(|_, claims| {
            claims.retain(|(owner, _)| *owner != device);
            !claims.is_empty()
        });
    }

    /// Keeps a metric of a birth. Returns what it is counted under where it can't be kept as declared.
    pub(super) fn declare(
        &mut self,
        device: Option<&str>,
        metric: &Metric,
        name: &str,
        point: Option<usize>,
    ) -> Option<&'static str> {
        let device: Device = device.map(Arc::from);
        let table = self.devices.get_mut(&device)?;
        if table.contains_key(name) {
            return Some("metrics_twice_in_birth");
        }
        if point.is_none() && (self.metrics >= METRICS_MAX || self.name_bytes + name.len() > NAME_BYTES_MAX) {
            self.is_beyond_limit = true;
            return Some("metrics_beyond_limit");
        }
        let name: Arc<str> = Arc::from(name);
        self.metrics += 1;
        self.name_bytes += name.len();
        table.insert(Arc::clone(&name), Declared { datatype: metric.type_code(), point });
        let claims = self.aliases.entry(metric.alias?).or_default();
        claims.push((device, name));
        (claims.len() > 1).then_some("alias_of_two_metrics")
    }

    /// Returns what a metric of a data message of `device` is, by its name or else its alias.
    ///
    /// # Errors
    /// Why that can't be told; its value is not used.
    pub(super) fn find(&self, device: Option<&str>, metric: &Metric) -> Result<Declared, Unknown> {
        let device: Device = device.map(Arc::from);
        let beyond = |why| if self.is_beyond_limit { Unknown::BeyondLimit } else { why };
        let in_table = |name: &str| self.devices.get(&device).and_then(|table| table.get(name)).copied();
        if let Some(name) = metric.own_name() {
            return in_table(name).ok_or(beyond(Unknown::Name));
        }
        match self.aliases.get(&metric.alias.ok_or(Unknown::Nameless)?).map(Vec::as_slice) {
            Some([(owner, name)]) if *owner == device => in_table(name).ok_or(Unknown::Alias),
            Some([_, _, ..]) => Err(Unknown::AliasOfTwo),
            _ => Err(beyond(Unknown::Alias)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Births, DEVICES_MAX, Declared, ID_BYTES_MAX, METRICS_MAX, Metric, Unknown};

    fn metric(alias: u64) -> Metric {
        Metric { alias: Some(alias), datatype: Some(3), ..Metric::default() }
    }

    #[test]
    fn what_lies_beyond_the_limit_is_told_apart_from_what_no_birth_gave_and_points_are_kept() {
        let mut births = Births::default();
        births.begin(None, false);
        for number in 0..METRICS_MAX as u64 {
            assert_eq!(births.declare(None, &metric(number), &format!("m{number}"), None), None);
        }
        assert_eq!(births.find(None, &metric(1 << 40)), Err(Unknown::Alias));
        assert_eq!(births.declare(None, &metric(1 << 40), "more", None), Some("metrics_beyond_limit"));
        assert_eq!(births.find(None, &metric(1 << 40)), Err(Unknown::BeyondLimit));
        assert_eq!(births.declare(None, &metric(1 << 41), "point", Some(3)), None);
        assert_eq!(births.find(None, &metric(1 << 41)), Ok(Declared { datatype: Some(3), point: Some(3) }));
        births.begin(None, false);
        assert_eq!((births.metrics, births.name_bytes, births.aliases.len()), (0, 0, 0));
    }

    #[test]
    fn devices_are_bounded_by_number_and_bytes_and_those_with_points_are_kept() {
        let mut births = Births::default();
        assert!((0..DEVICES_MAX).all(|number| births.begin(Some(&format!("d{number}")), false)));
        assert!(births.begin(Some("d0"), false), "known already");
        assert!(!births.is_beyond_limit());
        assert!(!births.begin(Some("more"), false) && births.is_beyond_limit() && !births.has(Some("more")));
        assert!(births.begin(None, false) && births.begin(Some("with a point"), true));
        let mut births = Births::default();
        let long = |number: usize| number.to_string().repeat(ID_BYTES_MAX / 4);
        assert_eq!(
            [0, 1, 2, 3, 4].map(|number| births.begin(Some(&long(number)), false)),
            [true, true, true, true, false]
        );
        births.end(Some(&long(2)));
        assert!(births.begin(Some(&long(4)), false));
        (0..5).for_each(|number| births.end(Some(&long(number))));
        assert_eq!((births.devices.len(), births.id_bytes), (0, 0));
    }
}
