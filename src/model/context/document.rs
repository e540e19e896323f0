//! Context as people and systems write it: a flat document, the same in JSON and as a line of CSV.
//!
//! In: [`ContextDocument`]. Out: [`ContextEvent`], or every reason for which it isn't one. Each kind has its own keys,
//! and a key that belongs to another kind is refused: a misspelt event must not count for less than was meant.

use serde::{Deserialize, Serialize};

use super::{Context, ContextEvent, Counted};
use crate::model::id::{AssetId, EventId, OrderId, ProductId, ReasonCode};
use crate::model::time::Timestamp;

/// Largest told quantity: 10¹² of the product unit, so that a sum of millions still fits.
const MICRO_MAX: i64 = 1_000_000_000_000_000_000;

/// Most people at one asset.
const PEOPLE_MAX: u32 = 100_000;

/// One event. Its keys are the columns of a CSV file; a missing key and an empty column are the same.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContextDocument {
    /// What its sender calls it; told again under the same id it counts once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Of which asset.
    pub asset: String,
    /// When: RFC 3339.
    pub at: String,
    /// What: `product`, `order_start`, `order_end`, `plan`, `stop_start`, `stop_end`, `personnel`, `withdrawn`, or what
    /// a quantity counts ([`Counted`]).
    pub kind: String,
    /// Of `product`: which; none ends the one before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// Of `order_start` and `order_end`: which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// Quantity in the product unit: counted; planned of `plan` and `order_start`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<Decimal>,
    /// Of `plan`: planned scrap in the product unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scrap: Option<Decimal>,
    /// Of a quantity: it came evenly from then to `at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Of `plan` its end; of `order_start` the planned end of the order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Of `stop_start`, `scrap` and `rework`: a code, never free text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Of `personnel`: people who attend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub present: Option<Decimal>,
    /// Of `personnel`: those of them who work on the asset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working: Option<Decimal>,
}

/// A number as it was written; a decimal text stays exact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Decimal {
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Float(f64),
    /// A number as text.
    Text(String),
}

impl Decimal {
    /// Returns the number in 10⁻⁶.
    fn micro(&self) -> Result<i64, String> {
        let text = match self {
            Self::Integer(integer) => integer.to_string(),
            // The shortest decimal that reads back as the same number is the one that was written.
            Self::Float(float) => float.to_string(),
            Self::Text(text) => text.trim().to_owned(),
        };
        let refused = || format!("\"{text}\" is not a quantity: expected 0 to 10^12 with at most 6 decimals");
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !is_digits(whole) || !is_digits(fraction) || fraction.len() > 6 {
            return Err(refused());
        }
        let micro = format!("{whole}{fraction:0<6}").parse().map_err(|_| refused())?;
        if micro > MICRO_MAX { Err(refused()) } else { Ok(micro) }
    }

    /// Returns a number of people.
    fn people(&self) -> Result<u32, String> {
        let micro = self.micro()?;
        let whole = u32::try_from(micro / 1_000_000).ok().filter(|_| micro % 1_000_000 == 0);
        whole.filter(|people| *people <= PEOPLE_MAX).ok_or_else(|| format!("{self:?} is not a number of people"))
    }

    #[expect(clippy::cast_precision_loss, reason = "shown to people; what counts is kept exactly")]
    fn of(micro: i64) -> Self {
        if micro % 1_000_000 == 0 { Self::Integer(micro / 1_000_000) } else { Self::Float(micro as f64 / 1e6) }
    }
}

/// Keys of a kind beside `id`, `asset`, `at` and `kind`.
const KINDS: [(&str, &[&str]); 8] = [
    ("product", &["product"]),
    ("order_start", &["order", "quantity", "until"]),
    ("order_end", &["order"]),
    ("plan", &["until", "quantity", "scrap"]),
    ("stop_start", &["reason"]),
    ("stop_end", &[]),
    ("personnel", &["present", "working"]),
    ("withdrawn", &[]),
];

impl ContextDocument {
    /// Returns the event. `instant` reads a time; a file's may have no offset.
    ///
    /// # Errors
    /// What is wrong with it, naming key and value.
    pub fn read(&self, instant: &dyn Fn(&str) -> Result<Timestamp, String>) -> Result<ContextEvent, String> {
        let counted = Counted::from_name(&self.kind);
        self.check_keys(counted)?;
        let at = instant(&self.at)?;
        let what = match counted {
            Some(of) => self.quantity(of, at, instant)?,
            None => self.what(at, instant)?,
        };
        let id = self.id.as_deref().filter(|id| !id.is_empty()).map(EventId::new).transpose().map_err(text)?;
        if what == Context::Withdrawn && id.is_none() {
            return Err("kind \"withdrawn\" needs the id of the event that never was".to_owned());
        }
        Ok(ContextEvent { id, asset: AssetId::new(&self.asset).map_err(text)?, at, what })
    }

    fn check_keys(&self, counted: Option<Counted>) -> Result<(), String> {
        let known = KINDS.iter().find(|(kind, _)| *kind == self.kind).map(|(_, keys)| *keys);
        let of_quantity: &[&str] = match counted {
            Some(Counted::Scrap | Counted::Rework) => &["quantity", "from", "reason"],
            _ => &["quantity", "from"],
        };
        let Some(allowed) = known.or_else(|| counted.map(|_| of_quantity)) else {
            let kinds = KINDS.iter().map(|(kind, _)| *kind).chain(Counted::ALL.map(Counted::as_str));
            return Err(format!(
                "kind \"{}\" is unknown: expected {}",
                self.kind,
                kinds.collect::<Vec<_>>().join(", ")
            ));
        };
        let given = [
            ("product", self.product.is_some()),
            ("order", self.order.is_some()),
            ("quantity", self.quantity.is_some()),
            ("scrap", self.scrap.is_some()),
            ("from", self.from.is_some()),
            ("until", self.until.is_some()),
            ("reason", self.reason.is_some()),
            ("present", self.present.is_some()),
            ("working", self.working.is_some()),
        ];
        match given.iter().find(|(key, is_given)| *is_given && !allowed.contains(key)) {
            Some((key, _)) => Err(format!("kind \"{}\" has no \"{key}\"", self.kind)),
            None => Ok(()),
        }
    }

    fn what(&self, at: Timestamp, instant: &dyn Fn(&str) -> Result<Timestamp, String>) -> Result<Context, String> {
        let order = || OrderId::new(self.order.as_deref().unwrap_or_default()).map_err(text);
        let micro = |given: &Option<Decimal>| given.as_ref().map(Decimal::micro).transpose();
        Ok(match self.kind.as_str() {
            "product" => {
                let product = self.product.as_deref().filter(|product| !product.is_empty());
                Context::Product { product: product.map(ProductId::new).transpose().map_err(text)? }
            }
            "order_start" => {
                let until = self.until.as_deref().map(instant).transpose()?;
                let planned_ms = until.map(|until| after(at, until)).transpose()?;
                Context::OrderStart { order: order()?, planned_micro: micro(&self.quantity)?, planned_ms }
            }
            "order_end" => Context::OrderEnd { order: order()? },
            "plan" => self.plan(at, instant)?,
            "stop_start" => {
                let reason = ReasonCode::new(self.reason.as_deref().unwrap_or_default()).map_err(text)?;
                Context::Stop { reason: Some(reason) }
            }
            "stop_end" => Context::Stop { reason: None },
            "personnel" => self.personnel()?,
            _ => Context::Withdrawn,
        })
    }

    fn plan(&self, at: Timestamp, instant: &dyn Fn(&str) -> Result<Timestamp, String>) -> Result<Context, String> {
        let until = instant(self.until.as_deref().ok_or("kind \"plan\" needs \"until\"")?)?;
        after(at, until)?;
        if self.quantity.is_none() && self.scrap.is_none() {
            return Err("kind \"plan\" needs \"quantity\" or \"scrap\"".to_owned());
        }
        let micro = |given: &Option<Decimal>| given.as_ref().map(Decimal::micro).transpose();
        Ok(Context::Plan { until, quantity_micro: micro(&self.quantity)?, scrap_micro: micro(&self.scrap)? })
    }

    fn personnel(&self) -> Result<Context, String> {
        let (Some(present), Some(working)) = (&self.present, &self.working) else {
            return Err("kind \"personnel\" needs \"present\" and \"working\"".to_owned());
        };
        let (present, working) = (present.people()?, working.people()?);
        if working > present {
            return Err(format!(
                "{working} people working of {present} present: expected no more working than present"
            ));
        }
        Ok(Context::Personnel { present, working })
    }

    fn quantity(
        &self,
        of: Counted,
        at: Timestamp,
        instant: &dyn Fn(&str) -> Result<Timestamp, String>,
    ) -> Result<Context, String> {
        let quantity = self.quantity.as_ref().ok_or_else(|| format!("kind \"{}\" needs \"quantity\"", self.kind))?;
        let from = self.from.as_deref().map(instant).transpose()?;
        if let Some(from) = from {
            after(from, at)?;
        }
        let reason = self.reason.as_deref().map(ReasonCode::new).transpose().map_err(text)?;
        Ok(Context::Quantity { of, micro: quantity.micro()?, from, reason })
    }
}

/// Returns how long after `earlier` it is, which must be later. **Unit**: ms.
fn after(earlier: Timestamp, later: Timestamp) -> Result<i64, String> {
    if later > earlier { Ok(later.ms_since(earlier)) } else { Err(format!("{later} is not after {earlier}")) }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape `map_err` asks for")]
fn text(error: crate::model::id::InvalidId) -> String {
    error.to_string()
}

impl From<&ContextEvent> for ContextDocument {
    fn from(event: &ContextEvent) -> Self {
        let mut document = Self {
            id: event.id.as_ref().map(ToString::to_string),
            asset: event.asset.to_string(),
            at: event.at.to_string(),
            ..Self::default()
        };
        let kind = match &event.what {
            Context::Product { product } => {
                document.product = product.as_ref().map(ToString::to_string);
                "product"
            }
            Context::OrderStart { order, planned_micro, planned_ms } => {
                document.order = Some(order.to_string());
                document.quantity = planned_micro.map(Decimal::of);
                document.until = planned_ms.map(|ms| (event.at + ms).to_string());
                "order_start"
            }
            Context::OrderEnd { order } => {
                document.order = Some(order.to_string());
                "order_end"
            }
            Context::Plan { until, quantity_micro, scrap_micro } => {
                document.until = Some(until.to_string());
                document.quantity = quantity_micro.map(Decimal::of);
                document.scrap = scrap_micro.map(Decimal::of);
                "plan"
            }
            Context::Stop { reason } => {
                document.reason = reason.as_ref().map(ToString::to_string);
                if reason.is_some() { "stop_start" } else { "stop_end" }
            }
            Context::Quantity { of, micro, from, reason } => {
                document.quantity = Some(Decimal::of(*micro));
                document.from = from.map(|from| from.to_string());
                document.reason = reason.as_ref().map(ToString::to_string);
                of.as_str()
            }
            Context::Personnel { present, working } => {
                document.present = Some(Decimal::Integer(i64::from(*present)));
                document.working = Some(Decimal::Integer(i64::from(*working)));
                "personnel"
            }
            Context::Withdrawn => "withdrawn",
        };
        kind.clone_into(&mut document.kind);
        document
    }
}

#[cfg(test)]
mod tests {
    use super::{ContextDocument, Decimal};
    use crate::model::time::Timestamp;

    fn read(json: &str) -> Result<super::ContextEvent, String> {
        let document: ContextDocument = serde_json::from_str(json).map_err(|error| error.to_string())?;
        document.read(&|text| text.parse::<Timestamp>().map_err(|error| error.to_string()))
    }

    #[test]
    fn what_is_written_reads_back_as_the_same_event() {
        for rest in [
            r#""kind":"product","product":"bolt-m8""#,
            r#""kind":"product""#,
            r#""kind":"order_start","order":"wo-17","quantity":400,"until":"2026-10-05T14:00:00+07:00""#,
            r#""kind":"order_end","order":"wo-17""#,
            r#""kind":"plan","until":"2026-10-05T14:00:00+07:00","quantity":1200.5,"scrap":12"#,
            r#""kind":"stop_start","reason":"no-material""#,
            r#""kind":"stop_end""#,
            r#""kind":"scrap","quantity":"0.123456","from":"2026-10-05T09:00:00+07:00","reason":"crack""#,
            r#""kind":"personnel","present":5,"working":4"#,
            r#""kind":"withdrawn""#,
        ] {
            let event =
                read(&format!(r#"{{"id":"e-1","asset":"press-1","at":"2026-10-05T10:17:23.456+07:00",{rest}}}"#));
            let event = event.unwrap_or_else(|problem| panic!("{rest}: {problem}"));
            let written = serde_json::to_string(&ContextDocument::from(&event)).unwrap();
            assert_eq!(read(&written), Ok(event), "{written}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_and_nothing_is_guessed() {
        for (rest, said) in [
            (r#""kind":"prodct""#, "kind \"prodct\" is unknown"),
            (r#""kind":"product","reason":"x""#, "has no \"reason\""),
            (r#""kind":"product","product":"Bu lông""#, "not a valid product id"),
            (r#""kind":"stop_start""#, "not a valid reason code"),
            (r#""kind":"stop_start","reason":"hết vật tư""#, "not a valid reason code"),
            (r#""kind":"scrap","quantity":-1"#, "not a quantity"),
            (r#""kind":"scrap","quantity":1e300"#, "not a quantity"),
            (r#""kind":"scrap","quantity":0.1234567"#, "not a quantity"),
            (r#""kind":"scrap","quantity":1,"from":"2026-10-05T10:18:00+07:00""#, "is not after"),
            (r#""kind":"plan","until":"2026-10-05T14:00:00+07:00""#, "needs \"quantity\" or \"scrap\""),
            (r#""kind":"personnel","present":2,"working":3"#, "no more working than present"),
            (r#""kind":"withdrawn""#, "needs the id"),
            (r#""kind":"stop_end","colour":"red""#, "unknown field"),
        ] {
            let problem = read(&format!(r#"{{"asset":"press-1","at":"2026-10-05T10:17:23.456+07:00",{rest}}}"#));
            let problem = problem.expect_err(rest);
            assert!(problem.contains(said), "{rest}: {problem}");
        }
    }

    #[test]
    fn a_decimal_is_exact() {
        for (decimal, micro) in [
            (Decimal::Float(0.1), 100_000),
            (Decimal::Text("123456.000001".to_owned()), 123_456_000_001),
            (Decimal::Integer(7), 7_000_000),
        ] {
            assert_eq!(decimal.micro(), Ok(micro), "{decimal:?}");
        }
    }
}
