//! The JSON that a platform of another dialect wants, made from shared records by a template of the configuration.
//!
//! In: [`SharedRecord`]s, and nothing else, so that a template can't name what the share policy withholds. Out: items,
//! one for each KPI of each record, and bodies of several. Pure: the same records and template give the same bytes.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};
use toml::Spanned;

use crate::ledger::page::{SharedRecord, hash};
use crate::model::id::StreamName;
use crate::model::problem::Problems;
use crate::model::record::KpiValue;

/// What an item may be made of. `key` names the figure and its revision; it is what makes sending twice harmless.
pub(super) const FIELDS: &[&str] = &[
    "key",
    "site",
    "asset",
    "level",
    "grain",
    "start",
    "end",
    "revision",
    "kpi",
    "method",
    "value",
    "reason",
    "coverage",
    "flags",
    "factors",
    "facts",
    "product_unit",
    "production_day",
    "calendar",
    "clock",
    "config",
    "inputs_digest",
];
/// What a body may be made of.
pub(super) const BODY_FIELDS: &[&str] = &["items", "key"];
/// Items of one request where nothing is configured.
const BATCH_DEFAULT: usize = 100;
/// Most items of one request.
const BATCH_MAX: u32 = 1_000;

/// `[sink.template]`: the dialect of a platform that doesn't speak the hub protocol.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateConfig {
    /// Path below the sink's `url`.
    pub path: Spanned<String>,
    /// Method of the request; POST where not given.
    #[serde(default)]
    pub method: Method,
    /// Headers that every request carries.
    #[serde(default)]
    pub headers: BTreeMap<String, Spanned<String>>,
    /// Header that carries the key of the request; `Idempotency-Key` where not given.
    pub key_header: Option<Spanned<String>>,
    /// Items of one request at most; 100 where not given.
    pub batch: Option<Spanned<u32>>,
    /// The request; the list of items alone where not given.
    pub body: Option<Spanned<Template>>,
    /// One figure.
    pub item: Spanned<Template>,
}

/// Method of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// `POST`.
    #[default]
    Post,
    /// `PUT`.
    Put,
}

/// JSON in which a text `{name}` stands for a field; every other text, number and truth value stands for itself.
#[derive(Debug, Clone, PartialEq)]
pub enum Template {
    /// A field, by name.
    Field(String),
    /// A constant.
    Constant(Value),
    /// A list.
    List(Vec<Spanned<Self>>),
    /// An object, in the order of its keys.
    Object(BTreeMap<String, Spanned<Self>>),
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Template;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a number, true or false, a list or a table")
    }

    fn visit_str<E>(self, text: &str) -> Result<Template, E> {
        let field = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        Ok(field.map_or_else(|| Template::Constant(json!(text)), |name| Template::Field(name.to_owned())))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Template, E> {
        Ok(Template::Constant(json!(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Template, E> {
        Ok(Template::Constant(json!(value)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Template, E> {
        Ok(Template::Constant(json!(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Template, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Template::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Template, A::Error> {
        let mut object = BTreeMap::new();
        while let Some((key, value)) = entries.next_entry()? {
            object.insert(key, value);
        }
        Ok(Template::Object(object))
    }
}

/// One figure as the platform gets it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Item {
    /// SHA-256 in hex over what names the figure and its revision; the same whenever it is sent.
    pub(super) key: String,
    /// The figure in words, for who looks for it.
    pub(super) what: String,
    pub(super) json: Value,
}

impl Template {
    /// Fills the template in.
    fn fill(&self, fields: &Map<String, Value>) -> Value {
        match self {
            Self::Field(name) => fields.get(name).cloned().unwrap_or(Value::Null),
            Self::Constant(value) => value.clone(),
            Self::List(items) => items.iter().map(|item| item.get_ref().fill(fields)).collect(),
            Self::Object(entries) => {
                Value::Object(entries.iter().map(|(key, value)| (key.clone(), value.get_ref().fill(fields))).collect())
            }
        }
    }

    /// Adds the fields that this template names, each with its place.
    fn named<'a>(&'a self, at: Range<usize>, named: &mut Vec<(&'a str, Range<usize>)>) {
        match self {
            Self::Field(name) => named.push((name, at)),
            Self::Constant(_) => {}
            Self::List(items) => items.iter().for_each(|item| item.get_ref().named(item.span(), named)),
            Self::Object(entries) => entries.values().for_each(|value| value.get_ref().named(value.span(), named)),
        }
    }
}

impl TemplateConfig {
    /// Returns how many items a request carries at most.
    pub(super) fn batch(&self) -> usize {
        self.batch.as_ref().map_or(BATCH_DEFAULT, |batch| usize::try_from(*batch.get_ref()).unwrap_or(BATCH_DEFAULT))
    }

    /// Returns an item for each KPI of each record, in their order.
    pub(super) fn items(&self, records: &[SharedRecord]) -> Vec<Item> {
        records.iter().flat_map(|record| self.items_of(record)).collect()
    }

    fn items_of(&self, record: &SharedRecord) -> Vec<Item> {
        let Value::Object(mut fields) = json!(record) else { return Vec::new() };
        if let Some(Value::Object(window)) = fields.remove("window") {
            fields.extend(window);
        }
        fields.remove("kpis");
        let item = |value: &KpiValue| {
            let what = format!(
                "{} of {}/{}, {} at {}, revision {}",
                value.kpi, record.site, record.asset, record.grain, record.window.start, record.revision
            );
            let key = hash(what.as_bytes()).to_string();
            let mut fields = fields.clone();
            if let Value::Object(figure) = json!(value) {
                fields.extend(figure);
            }
            fields.insert("key".to_owned(), json!(key));
            Item { key, what, json: self.item.get_ref().fill(&fields) }
        };
        record.kpis.iter().map(item).collect()
    }

    /// Returns the body of a request and its key: that of its item, or SHA-256 over those of its items.
    pub(super) fn body(&self, items: &[Item]) -> (Vec<u8>, String) {
        let key = match items {
            [alone] => alone.key.clone(),
            _ => hash(items.iter().map(|item| item.key.as_str()).collect::<String>().as_bytes()).to_string(),
        };
        let list: Value = items.iter().map(|item| item.json.clone()).collect();
        let body = match &self.body {
            None => list,
            Some(body) => {
                let fields = [("items".to_owned(), list), ("key".to_owned(), json!(key))];
                body.get_ref().fill(&fields.into_iter().collect())
            }
        };
        (body.to_string().into_bytes(), key)
    }

    /// Returns every field that doesn't exist, with its place and with those that do.
    pub fn unknown_fields(&self) -> Vec<(&str, Range<usize>, &'static [&'static str])> {
        let mut unknown = Vec::new();
        let body = self.body.as_ref().map(|body| (body, BODY_FIELDS));
        for (template, known) in [(&self.item, FIELDS)].into_iter().chain(body) {
            let mut named = Vec::new();
            template.get_ref().named(template.span(), &mut named);
            named.retain(|(name, _)| !known.contains(name));
            unknown.extend(named.into_iter().map(|(name, at)| (name, at, known)));
        }
        unknown
    }

    /// Says what is wrong with the template by itself, unknown fields aside.
    pub(super) fn check(&self, sink: &StreamName, problems: &mut Problems) {
        if !self.path.get_ref().starts_with('/') {
            let message = format!("sink \"{sink}\": the path \"{}\" begins with no /", self.path.get_ref());
            problems.error(self.path.span(), message, "write it like /kpi/v1/values");
        }
        if let Some(batch) = self.batch.as_ref().filter(|batch| !(1..=BATCH_MAX).contains(batch.get_ref())) {
            let message = format!("sink \"{sink}\": {} items in a request", batch.get_ref());
            problems.error(batch.span(), message, format!("choose 1 to {BATCH_MAX}"));
        }
        if let Some(body) = &self.body {
            let mut named = Vec::new();
            body.get_ref().named(body.span(), &mut named);
            if !named.iter().any(|(name, _)| *name == "items") {
                let message = format!("sink \"{sink}\": the body holds no \"{{items}}\", so no figure would be sent");
                problems.error(body.span(), message, "let one of its values be \"{items}\"");
            }
        }
        let key_header = self.key_header.iter().map(|header| (header.get_ref().as_str(), header.span()));
        for (name, at) in self.headers.iter().map(|(name, value)| (name.as_str(), value.span())).chain(key_header) {
            let is_valid = reqwest::header::HeaderName::from_bytes(name.as_bytes()).is_ok();
            if !is_valid || ["authorization", "proxy-authorization", "cookie"].contains(&name.to_lowercase().as_str()) {
                let message = format!("sink \"{sink}\": header \"{name}\" can't be set here");
                problems.error(at, message, "secrets go by token or oauth2; a header's name is letters, digits and -");
            }
        }
        for (name, value) in &self.headers {
            if reqwest::header::HeaderValue::from_str(value.get_ref()).is_err() {
                let message = format!("sink \"{sink}\": header \"{name}\" holds what no header can carry");
                problems.error(value.span(), message, "write visible ASCII characters");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Problems, StreamName, TemplateConfig};
    use crate::ledger::fixture::ledger;
    use crate::ledger::verify::read_page;

    fn template(text: &str) -> TemplateConfig {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn figures_of_shared_records_fill_objects_lists_and_constants() {
        let records = read_page(&ledger()[1].bytes).unwrap().records;
        let template = template(
            "path = \"/v1\"\nbody = { unit = \"tt\", data = { rows = \"{items}\" }, id = \"{key}\" }\n\
             item = { id = \"{key}\", what = [\"{site}\", \"{kpi}\"], at = \"{start}\", value = \"{value}\", why = \"{reason}\", n = 1, ok = true }",
        );
        let items = template.items(&records);
        assert_eq!(items.len(), 4, "two days of two shared KPIs");
        let (body, key) = template.body(&items[..1]);
        assert_eq!(key, items[0].key);
        let at = serde_json::to_string(&records[0].window.start).unwrap();
        assert_eq!(
            String::from_utf8(body).unwrap(),
            format!(
                "{{\"data\":{{\"rows\":[{{\"at\":{at},\"id\":\"{key}\",\"n\":1,\"ok\":true,\"value\":126238.29,\
                 \"what\":[\"tt-main\",\"electricity\"],\"why\":null}}]}},\"id\":\"{key}\",\"unit\":\"tt\"}}"
            )
        );
        assert_eq!(
            items[0].what,
            format!("electricity of tt-main/site, day at {}, revision 1", records[0].window.start)
        );
    }

    #[test]
    fn a_key_names_figure_and_revision_and_nothing_of_how_it_is_sent() {
        let mut records = read_page(&ledger()[1].bytes).unwrap().records;
        let (short, long) =
            (template("path = \"/\"\nitem = \"{kpi}\""), template("path = \"/\"\nitem = [\"{value}\"]"));
        let keys = |template: &TemplateConfig, records: &[_]| -> Vec<String> {
            template.items(records).into_iter().map(|item| item.key).collect()
        };
        let first = keys(&short, &records);
        assert_eq!(first, keys(&long, &records));
        assert_eq!(first.iter().collect::<std::collections::BTreeSet<_>>().len(), 4);
        records.iter_mut().for_each(|record| record.revision = 2);
        assert!(keys(&short, &records).iter().all(|key| !first.contains(key)));
    }

    #[test]
    fn what_cannot_be_sent_is_refused_with_its_place() {
        let said = |text: &str| {
            let mut problems = Problems::default();
            template(text).check(&StreamName::new("lgsp").unwrap(), &mut problems);
            problems.0.into_iter().map(|problem| problem.message).collect::<Vec<_>>().join("; ")
        };
        assert_eq!(said("path = \"/v1\"\nitem = \"{value}\"\nbatch = 1\nheaders = { X-Unit = \"tt\" }"), "");
        for (text, words) in [
            ("path = \"v1\"\nitem = 1", "begins with no /"),
            ("path = \"/\"\nitem = 1\nbatch = 0", "0 items in a request"),
            ("path = \"/\"\nitem = 1\nbody = { a = 1 }", "holds no \"{items}\""),
            (
                "path = \"/\"\nitem = 1\nheaders = { Authorization = \"x\" }",
                "header \"Authorization\" can't be set here",
            ),
            ("path = \"/\"\nitem = 1\nkey_header = \"a b\"", "header \"a b\" can't be set here"),
            ("path = \"/\"\nitem = 1\nheaders = { X = \"a\\nb\" }", "holds what no header can carry"),
        ] {
            assert!(said(text).contains(words), "{text}: {}", said(text));
        }
    }

    #[test]
    fn fields_that_do_not_exist_are_found_where_they_stand() {
        let text = "path = \"/\"\nitem = { a = { b = [\"{valeu}\"] } }\nbody = [\"{items}\", \"{value}\"]";
        let template = template(text);
        let unknown: Vec<_> =
            template.unknown_fields().into_iter().map(|(name, at, _)| (name.to_owned(), text[at].to_owned())).collect();
        assert_eq!(
            unknown,
            [("valeu", "\"{valeu}\""), ("value", "\"{value}\"")].map(|(a, b)| (a.to_owned(), b.to_owned()))
        );
    }
}
