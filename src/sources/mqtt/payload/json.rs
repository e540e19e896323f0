//! Values out of JSON: one place of a small message without building the document, or many entries of a big one. Pure.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::instant::TimeForm;
use super::path::{Begin, Path, Step};
use super::{Entry, Refusal, Scalar, Take};

/// Where value, event time and names stand in the documents of a topic.
#[derive(Debug, Clone, PartialEq)]
pub struct Json {
    /// Leads to the elements that are read one by one; without it the document is the only one.
    pub each: Option<Path>,
    /// Leads to an object whose keys are points and whose values are theirs; then `value` has no meaning.
    pub values: Option<Path>,
    /// Leads to the value.
    pub value: Path,
    /// Leads to the event time.
    pub time: Option<Path>,
    /// Leads to the device's name.
    pub device: Option<Path>,
    /// Leads to the point's name.
    pub point: Option<Path>,
}

/// Places that are asked of a document at once, each with what was found there.
const VALUE: usize = 0;
const TIME: usize = 1;
const DEVICE: usize = 2;
const POINT: usize = 3;

impl Json {
    /// Reads a document.
    pub(super) fn read(&self, payload: &[u8], form: &TimeForm, take: Take<'_>) {
        if self.each.is_none() && self.values.is_none() {
            take(self.read_one(payload, form));
            return;
        }
        match serde_json::from_slice::<Value>(payload) {
            Ok(document) => self.read_many(&document, form, take),
            Err(error) => take(Err(Refusal::NotJson(error.to_string()))),
        }
    }

    /// The frequent case, a message with one value: what stands elsewhere in it is passed over, not built.
    fn read_one<'a>(&self, payload: &'a [u8], form: &TimeForm) -> Result<Entry<'a>, Refusal> {
        let wanted = [Some(&self.value), self.time.as_ref(), self.device.as_ref(), self.point.as_ref()];
        let mut found = [const { None }; 4];
        let mut reader = serde_json::Deserializer::from_slice(payload);
        Search::new(&wanted, &mut found)
            .deserialize(&mut reader)
            .and_then(|()| reader.end())
            .map_err(|error| Refusal::NotJson(error.to_string()))?;
        let missing = |place: usize| wanted[place].filter(|_| found[place].is_none());
        if let Some(path) = [VALUE, TIME, DEVICE, POINT].into_iter().find_map(missing) {
            return Err(Refusal::Missing(path.as_str().to_owned()));
        }
        let [value, time, device, point] = found;
        let name = |scalar: Option<Scalar<'a>>, path: &Option<Path>| match (scalar, path) {
            (Some(scalar), Some(path)) => name_of(scalar, path).map(Some),
            _ => Ok(None),
        };
        Ok(Entry {
            device: name(device, &self.device)?,
            point: name(point, &self.point)?,
            scalar: value.filter(|value| *value != Scalar::Compound).ok_or_else(|| not_scalar(&self.value))?,
            measured_at: time.map(|time| instant(&time, form)).transpose()?,
        })
    }

    fn read_many(&self, document: &Value, form: &TimeForm, take: Take<'_>) {
        let mut element = |element: &Value| self.read_element(document, element, form, take);
        match &self.each {
            None => element(document),
            Some(each) => {
                if !each.each(document, &mut element) {
                    take(Err(Refusal::Missing(each.as_str().to_owned())));
                }
            }
        }
    }

    /// Reads one element: one value, or one of each key.
    fn read_element(&self, document: &Value, element: &Value, form: &TimeForm, take: Take<'_>) {
        let at = |path: &Path| {
            let from = if path.begins() == Begin::Element { element } else { document };
            path.find(from).map(scalar_of).ok_or_else(|| Refusal::Missing(path.as_str().to_owned()))
        };
        let name = |path: &Option<Path>| path.as_ref().map(|path| name_of(at(path)?, path)).transpose();
        let measured_at = || self.time.as_ref().map(|path| instant(&at(path)?, form)).transpose();
        let shared = || Ok((name(&self.device)?, name(&self.point)?, measured_at()?));
        let (device, point, measured_at) = match shared() {
            Ok(shared) => shared,
            Err(refusal) => return take(Err(refusal)),
        };
        let Some(values) = &self.values else {
            let scalar = at(&self.value).and_then(|scalar| match scalar {
                Scalar::Compound => Err(not_scalar(&self.value)),
                scalar => Ok(scalar),
            });
            return take(scalar.map(|scalar| Entry { device, point, scalar, measured_at }));
        };
        let from = if values.begins() == Begin::Element { element } else { document };
        match values.find(from) {
            None => take(Err(Refusal::Missing(values.as_str().to_owned()))),
            Some(Value::Object(entries)) => {
                for (key, value) in entries {
                    let entry = match scalar_of(value) {
                        Scalar::Compound => Err(Refusal::NotScalar(format!("{}.{key}", values.as_str()))),
                        scalar => {
                            let (device, point) = (device.clone(), Some(Cow::Borrowed(key.as_str())));
                            Ok(Entry { device, point, scalar, measured_at })
                        }
                    };
                    take(entry);
                }
            }
            Some(_) => take(Err(Refusal::NotAnObject(values.as_str().to_owned()))),
        }
    }
}

fn instant(scalar: &Scalar<'_>, form: &TimeForm) -> Result<crate::model::time::Timestamp, Refusal> {
    form.read(scalar).ok_or_else(|| Refusal::NotAnInstant(scalar.to_text().into_owned()))
}

fn name_of<'a>(scalar: Scalar<'a>, path: &Path) -> Result<Cow<'a, str>, Refusal> {
    match scalar {
        Scalar::Text(text) => Ok(text),
        // Devices are often numbered.
        Scalar::Integer(number) => Ok(Cow::Owned(number.to_string())),
        _ => Err(Refusal::NoName(path.as_str().to_owned())),
    }
}

fn not_scalar(path: &Path) -> Refusal {
    Refusal::NotScalar(path.as_str().to_owned())
}

fn scalar_of(value: &Value) -> Scalar<'_> {
    match value {
        Value::Null => Scalar::Null,
        Value::Bool(flag) => Scalar::Bool(*flag),
        Value::Number(number) => match number.as_i128() {
            Some(integer) => Scalar::Integer(integer),
            None => Scalar::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => Scalar::Text(Cow::Borrowed(text)),
        Value::Array(_) | Value::Object(_) => Scalar::Compound,
    }
}

/// Walks a document along the wanted paths. Of a key that stands twice the last counts.
struct Search<'w, 'f, 'a> {
    wanted: &'w [Option<&'w Path>; 4],
    found: &'f mut [Option<Scalar<'a>>; 4],
    /// Bit by place: the paths that lead to where the walk is.
    active: u8,
    depth: usize,
}

impl<'w, 'f, 'a> Search<'w, 'f, 'a> {
    fn new(wanted: &'w [Option<&'w Path>; 4], found: &'f mut [Option<Scalar<'a>>; 4]) -> Self {
        Self { active: Self::select(wanted, |_| true), wanted, found, depth: 0 }
    }

    fn select(wanted: &[Option<&Path>; 4], mut is_meant: impl FnMut(&Path) -> bool) -> u8 {
        (0..4).filter(|place| wanted[*place].is_some_and(&mut is_meant)).fold(0, |bits, place| bits | 1 << place)
    }

    /// Returns the active paths that end here.
    fn ending(&self) -> u8 {
        self.active & Self::select(self.wanted, |path| path.steps().len() == self.depth)
    }

    /// Returns the active paths that go on with a step.
    fn going_on(&self, is_next: impl Fn(&Step) -> bool) -> u8 {
        self.active & Self::select(self.wanted, |path| path.steps().get(self.depth).is_some_and(&is_next))
    }

    fn inside(&mut self, active: u8) -> Search<'w, '_, 'a> {
        Search { wanted: self.wanted, found: self.found, active, depth: self.depth + 1 }
    }

    fn keep(&mut self, scalar: Scalar<'a>) {
        let ending = self.ending();
        let mut places = (0..4).filter(|place| ending & (1 << place) != 0).peekable();
        while let Some(place) = places.next() {
            if places.peek().is_none() {
                self.found[place] = Some(scalar);
                return;
            }
            self.found[place] = Some(scalar.clone());
        }
    }
}

impl<'a> DeserializeSeed<'a> for Search<'_, '_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.active == 0 {
            return deserializer.deserialize_ignored_any(IgnoredAny).map(drop);
        }
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Search<'_, '_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E: Error>(mut self) -> Result<(), E> {
        self.keep(Scalar::Null);
        Ok(())
    }

    fn visit_bool<E: Error>(mut self, flag: bool) -> Result<(), E> {
        self.keep(Scalar::Bool(flag));
        Ok(())
    }

    fn visit_i64<E: Error>(mut self, number: i64) -> Result<(), E> {
        self.keep(Scalar::Integer(i128::from(number)));
        Ok(())
    }

    fn visit_u64<E: Error>(mut self, number: u64) -> Result<(), E> {
        self.keep(Scalar::Integer(i128::from(number)));
        Ok(())
    }

    fn visit_f64<E: Error>(mut self, number: f64) -> Result<(), E> {
        self.keep(Scalar::Float(number));
        Ok(())
    }

    fn visit_borrowed_str<E: Error>(mut self, text: &'a str) -> Result<(), E> {
        self.keep(Scalar::Text(Cow::Borrowed(text)));
        Ok(())
    }

    fn visit_str<E: Error>(mut self, text: &str) -> Result<(), E> {
        self.keep(Scalar::Text(Cow::Owned(text.to_owned())));
        Ok(())
    }

    fn visit_map<A: MapAccess<'a>>(mut self, mut map: A) -> Result<(), A::Error> {
        self.keep(Scalar::Compound);
        while let Some(active) = map.next_key_seed(Key(&self))? {
            map.next_value_seed(self.inside(active))?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'a>>(mut self, mut list: A) -> Result<(), A::Error> {
        self.keep(Scalar::Compound);
        let mut index = 0;
        loop {
            let active = self.going_on(|step| matches!(step, Step::Index(wanted) if *wanted == index));
            if list.next_element_seed(self.inside(active))?.is_none() {
                return Ok(());
            }
            index += 1;
        }
    }
}

/// Returns the paths that go on with a key.
struct Key<'s, 'w, 'f, 'a>(&'s Search<'w, 'f, 'a>);

impl<'a> DeserializeSeed<'a> for Key<'_, '_, '_, '_> {
    type Value = u8;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<u8, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_, '_, '_, '_> {
    type Value = u8;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<u8, E> {
        Ok(self.0.going_on(|step| matches!(step, Step::Key(wanted) if wanted == key)))
    }
}
