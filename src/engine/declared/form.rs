//! A declaration as people write it: one flat form, the same on the command line, in a file and over HTTP.
//!
//! Periods are civil: `2026-10` is a month of the site's calendar, `2026` a year, `2026-10-05` a day,
//! `2026-09-26/2026-10-25` the days from the first to the last, both in it. Instants with a time of day are half-open.
//! Every problem is reported at once.

use jiff::Span;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer};

use super::{KEPT_MS, PERIOD_MS_MAX};
use crate::engine::carbon;
use crate::engine::plant::Plant;
use crate::model::declared::{Bill, Combustion, Declared, DeclaredKind, DeclaredUnit, WasteStream};
use crate::model::id::AssetId;
use crate::model::time::{Timestamp, Window};

/// Longest text of a field. **Unit**: bytes.
const TEXT_BYTES_MAX: usize = 200;

/// Bands of a bill add up to its total within this: suppliers round each to a kWh. **Unit**: 10⁻⁶ kWh.
const BANDS_MICRO_KWH_OFF_MAX: i64 = 2_000_000;

/// The largest number of a form, so that every sum of them stays exact. **Unit**: 10⁻⁶.
const MICRO_MAX: i64 = 1_000_000_000_000_000_000;

/// A filled-in form. What a kind of declaration doesn't have stays empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Form {
    /// `fuel`, `refrigerant`, `process`, `steam`, `contract`, `waste` or `electricity_bill`.
    pub kind: String,
    /// Id of the asset; the site where it is empty.
    pub asset: String,
    /// `2026-10`, `2026`, `2026-10-05`, `2026-09-26/2026-10-25`, or two instants.
    #[serde(deserialize_with = "text")]
    pub period: String,
    /// A decimal number above 0.
    #[serde(deserialize_with = "text")]
    pub quantity: String,
    /// `kg`, `t`, `L`, `m3`, `kWh`, `MWh`, `MJ` or `GJ`.
    pub unit: String,
    /// The paper it rests on.
    #[serde(deserialize_with = "text")]
    pub document: String,
    /// Number of the declaration in whose place it stands.
    #[serde(deserialize_with = "text")]
    pub replaces: String,
    /// Id of a fuel.
    pub fuel: String,
    /// `stationary` (where it is empty) or `mobile`.
    pub combustion: String,
    /// Id of a refrigerant.
    pub gas: String,
    /// What goes into a process.
    pub input: String,
    /// Id of the factor of a process or of purchased steam.
    pub factor: String,
    /// What a contract emits. **Unit**: kg CO₂e per kWh.
    #[serde(deserialize_with = "text")]
    pub kg_per_kwh: String,
    /// Contract or certificate.
    pub instrument: String,
    /// `recycled`, `hazardous`, `landfilled` or `other`.
    pub stream: String,
    /// Peak hours of a bill.
    #[serde(deserialize_with = "text")]
    pub peak_kwh: String,
    /// Normal hours of a bill.
    #[serde(deserialize_with = "text")]
    pub normal_kwh: String,
    /// Off-peak hours of a bill.
    #[serde(deserialize_with = "text")]
    pub off_peak_kwh: String,
    /// Reactive energy of a bill.
    #[serde(deserialize_with = "text")]
    pub reactive_kvarh: String,
    /// What a bill charges, before VAT.
    #[serde(deserialize_with = "text")]
    pub amount_vnd: String,
}

/// Why a form can't be taken: every problem of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("; "))]
pub struct Unreadable(pub Vec<String>);

impl Form {
    /// Reads the form. `now` is the present: what has not begun can't be declared, and neither can what is too old to
    /// be published again.
    ///
    /// # Errors
    /// [`Unreadable`] with every problem.
    pub fn read(&self, plant: &Plant, now: Timestamp) -> Result<Declared, Unreadable> {
        let mut problems = Vec::new();
        let kind = self.kind(&mut problems);
        let asset = self.asset(plant, &mut problems);
        let period = self.period(plant, now, &mut problems);
        let emits = kind.as_ref().is_some_and(|kind| {
            matches!(kind, DeclaredKind::Fuel { .. } | DeclaredKind::Refrigerant { .. } | DeclaredKind::Process { .. })
        });
        // That nothing was burnt or topped up is a statement about a source; other nothings needn't be declared.
        let quantity = if emits { number } else { micro };
        let quantity_micro = required(quantity("quantity", &self.quantity, &mut problems), "quantity", &mut problems);
        let unit = self.unit(kind.as_ref(), &mut problems);
        let document = self.document.trim().to_owned();
        if document.is_empty() {
            problems.push("document is empty: name the paper it rests on, such as an invoice's number".to_owned());
        }
        self.check_texts(&mut problems);
        self.check_unused(&mut problems);
        let replaces = self.replaces(&mut problems);
        if let (Some(DeclaredKind::ElectricityBill(bill)), Some(total), Some(unit)) = (&kind, quantity_micro, unit) {
            check_bands(bill, total, unit, &mut problems);
        }
        match (kind, asset, period, quantity_micro, unit) {
            (Some(kind), Some(asset), Some(period), Some(quantity_micro), Some(unit)) if problems.is_empty() => {
                let declared = Declared { kind, asset, period, quantity_micro, unit, document, replaces };
                match carbon::refusal(plant, &declared) {
                    Some(problem) => Err(Unreadable(vec![problem])),
                    None => Ok(declared),
                }
            }
            _ => Err(Unreadable(problems)),
        }
    }

    fn kind(&self, problems: &mut Vec<String>) -> Option<DeclaredKind> {
        let mut id = |field: &str, text: &str| {
            let text = text.trim();
            if text.is_empty() {
                problems.push(format!("{field} is empty, and a declaration of kind \"{}\" needs it", self.kind.trim()));
            }
            text.to_owned()
        };
        Some(match self.kind.trim() {
            "fuel" => {
                let fuel = id("fuel", &self.fuel);
                DeclaredKind::Fuel { fuel, combustion: self.combustion(problems)? }
            }
            "refrigerant" => DeclaredKind::Refrigerant { gas: id("gas", &self.gas) },
            "process" => DeclaredKind::Process { input: id("input", &self.input), factor: id("factor", &self.factor) },
            "steam" => DeclaredKind::Steam { factor: id("factor", &self.factor) },
            "contract" => {
                let instrument = id("instrument", &self.instrument);
                let factor = number("kg_per_kwh", &self.kg_per_kwh, problems);
                DeclaredKind::Contract { factor_micro: required(factor, "kg_per_kwh", problems)?, instrument }
            }
            "waste" => DeclaredKind::Waste { stream: self.stream(problems)? },
            "electricity_bill" => DeclaredKind::ElectricityBill(self.bill(problems)),
            other => {
                problems.push(format!(
                    "kind \"{other}\" is none of fuel, refrigerant, process, steam, contract, waste, electricity_bill"
                ));
                return None;
            }
        })
    }

    fn combustion(&self, problems: &mut Vec<String>) -> Option<Combustion> {
        match self.combustion.trim() {
            "" | "stationary" => Some(Combustion::Stationary),
            "mobile" => Some(Combustion::Mobile),
            other => {
                problems.push(format!("combustion \"{other}\" is neither stationary nor mobile"));
                None
            }
        }
    }

    fn stream(&self, problems: &mut Vec<String>) -> Option<WasteStream> {
        let name = self.stream.trim();
        let stream = WasteStream::from_name(name);
        if stream.is_none() {
            problems.push(format!("stream \"{name}\" is none of recycled, hazardous, landfilled, other"));
        }
        stream
    }

    fn bill(&self, problems: &mut Vec<String>) -> Bill {
        let amount = number("amount_vnd", &self.amount_vnd, problems);
        Bill {
            peak_micro_kwh: number("peak_kwh", &self.peak_kwh, problems),
            normal_micro_kwh: number("normal_kwh", &self.normal_kwh, problems),
            off_peak_micro_kwh: number("off_peak_kwh", &self.off_peak_kwh, problems),
            reactive_micro_kvarh: number("reactive_kvarh", &self.reactive_kvarh, problems),
            amount_vnd: amount.map(|micro| micro / 1_000_000),
        }
    }

    fn asset(&self, plant: &Plant, problems: &mut Vec<String>) -> Option<AssetId> {
        let name = self.asset.trim();
        let site = || plant.assets.first();
        let asset = if name.is_empty() { site() } else { plant.assets.iter().find(|asset| asset.id.as_str() == name) };
        if asset.is_none() {
            problems.push(format!("asset \"{name}\" is not in the configuration"));
        }
        asset.map(|asset| asset.id.clone())
    }

    fn unit(&self, kind: Option<&DeclaredKind>, problems: &mut Vec<String>) -> Option<DeclaredUnit> {
        let name = self.unit.trim();
        let Some(kind) = kind else { return DeclaredUnit::from_name(name) };
        let unit = DeclaredUnit::from_name(name).filter(|unit| kind.units().contains(unit));
        if unit.is_none() {
            let units: Vec<&str> = kind.units().iter().map(|unit| unit.as_str()).collect();
            problems.push(format!(
                "unit \"{name}\" is none of {}, in which {} is declared",
                units.join(", "),
                kind.as_str()
            ));
        }
        unit
    }

    fn period(&self, plant: &Plant, now: Timestamp, problems: &mut Vec<String>) -> Option<Window> {
        let text = self.period.trim();
        let period = match read_period(text, plant.site_calendar().zone()) {
            Ok(period) => period,
            Err(problem) => {
                problems.push(problem);
                return None;
            }
        };
        if period.length_ms() > PERIOD_MS_MAX {
            problems.push(format!("period \"{text}\" is longer than 13 months"));
        }
        if period.start > now {
            problems.push(format!("period \"{text}\" has not begun"));
        }
        if period.end < now - KEPT_MS {
            problems
                .push(format!("period \"{text}\" ended more than 18 months ago, and figures that old are not revised"));
        }
        Some(period)
    }

    fn replaces(&self, problems: &mut Vec<String>) -> Option<i64> {
        let text = self.replaces.trim();
        let id = text.parse().ok().filter(|id: &i64| *id > 0);
        if id.is_none() && !text.is_empty() {
            problems.push(format!("replaces \"{text}\" is not the number of a declaration"));
        }
        id
    }

    fn check_texts(&self, problems: &mut Vec<String>) {
        let texts = [
            ("document", &self.document),
            ("fuel", &self.fuel),
            ("gas", &self.gas),
            ("input", &self.input),
            ("factor", &self.factor),
            ("instrument", &self.instrument),
        ];
        for (field, text) in texts {
            if text.len() > TEXT_BYTES_MAX || text.chars().any(char::is_control) {
                problems.push(format!("{field} is longer than {TEXT_BYTES_MAX} bytes, or not one line of text"));
            }
        }
    }

    /// What a kind doesn't have must not be filled in: it would be lost without a word.
    fn check_unused(&self, problems: &mut Vec<String>) {
        let fields: [(&str, &str, &[&str]); 13] = [
            ("fuel", &self.fuel, &["fuel"]),
            ("combustion", &self.combustion, &["fuel"]),
            ("gas", &self.gas, &["refrigerant"]),
            ("input", &self.input, &["process"]),
            ("factor", &self.factor, &["process", "steam"]),
            ("kg_per_kwh", &self.kg_per_kwh, &["contract"]),
            ("instrument", &self.instrument, &["contract"]),
            ("stream", &self.stream, &["waste"]),
            ("peak_kwh", &self.peak_kwh, &["electricity_bill"]),
            ("normal_kwh", &self.normal_kwh, &["electricity_bill"]),
            ("off_peak_kwh", &self.off_peak_kwh, &["electricity_bill"]),
            ("reactive_kvarh", &self.reactive_kvarh, &["electricity_bill"]),
            ("amount_vnd", &self.amount_vnd, &["electricity_bill"]),
        ];
        let kind = self.kind.trim();
        for (field, text, kinds) in fields {
            if !text.trim().is_empty() && !kinds.contains(&kind) {
                problems.push(format!("{field} is given, and a declaration of kind \"{kind}\" has none"));
            }
        }
    }
}

/// Takes a text or a number, so that a form in JSON may have either.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Value {
        Whole(i64),
        Decimal(f64),
        Text(String),
        Nothing(()),
    }
    Ok(match Value::deserialize(deserializer)? {
        Value::Whole(value) => value.to_string(),
        Value::Decimal(value) => value.to_string(),
        Value::Text(value) => value,
        Value::Nothing(()) => String::new(),
    })
}

fn required<T>(value: Option<T>, field: &str, problems: &mut Vec<String>) -> Option<T> {
    // A number that can't be read has said so already.
    if value.is_none() && !problems.iter().any(|problem| problem.starts_with(field)) {
        problems.push(format!("{field} is empty"));
    }
    value
}

/// Reads a quantity above 0; `None` where it is empty or can't be read.
fn micro(field: &str, text: &str, problems: &mut Vec<String>) -> Option<i64> {
    let value = number(field, text, problems)?;
    if value == 0 {
        problems.push(format!("{field} is 0: there is nothing to declare"));
        return None;
    }
    Some(value)
}

/// Reads a decimal number of at least 0, exact to six places; `None` where it is empty or can't be read.
fn number(field: &str, text: &str, problems: &mut Vec<String>) -> Option<i64> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    let value = exact_micro(text);
    if value.is_none() {
        problems.push(format!(
            "{field} \"{text}\" is not a number from 0 to 10^12 with at most six decimals, like 1234.5 without separators"
        ));
    }
    value
}

fn exact_micro(text: &str) -> Option<i64> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(decimals) || decimals.len() > 6 {
        return None;
    }
    let places = u32::try_from(decimals.len()).ok()?;
    let decimals: i64 = if decimals.is_empty() { 0 } else { decimals.parse().ok()? };
    let micro = whole.parse::<i64>().ok()?.checked_mul(1_000_000)?.checked_add(decimals * 10_i64.pow(6 - places))?;
    (micro <= MICRO_MAX).then_some(micro)
}

fn check_bands(bill: &Bill, total_micro: i64, unit: DeclaredUnit, problems: &mut Vec<String>) {
    let total = if unit == DeclaredUnit::MegawattHour { total_micro.saturating_mul(1_000) } else { total_micro };
    let bands = [bill.peak_micro_kwh, bill.normal_micro_kwh, bill.off_peak_micro_kwh];
    if bands.iter().all(Option::is_none) {
        return;
    }
    let sum = bands.into_iter().flatten().fold(0_i64, i64::saturating_add);
    if sum.abs_diff(total) > BANDS_MICRO_KWH_OFF_MAX.unsigned_abs() {
        problems.push(format!(
            "peak_kwh, normal_kwh and off_peak_kwh add up to {} kWh, and the bill's total is {} kWh",
            sum / 1_000_000,
            total / 1_000_000
        ));
    }
}

/// Reads a period in the civil time of a zone.
///
/// # Errors
/// What is wrong with it, in words.
pub fn read_period(text: &str, zone: &TimeZone) -> Result<Window, String> {
    let unreadable = || {
        format!(
            "period \"{text}\" is none of 2026-10, 2026, 2026-10-05, 2026-09-26/2026-10-25 or two instants joined by \"/\""
        )
    };
    let at = |date: Date| -> Result<Timestamp, String> {
        let midnight = zone.to_timestamp(date.at(0, 0, 0, 0)).map_err(|_| unreadable())?;
        Ok(Timestamp(midnight.as_millisecond()))
    };
    let after = |date: Date, span: Span| date.checked_add(span).map_err(|_| unreadable()).and_then(at);
    let civil = |first: Date, last: Date, span: Span| -> Result<Window, String> {
        Ok(Window { start: at(first)?, end: after(last, span)? })
    };
    let period = match text.split_once('/') {
        Some((from, to)) => match (from.trim().parse::<Date>(), to.trim().parse::<Date>()) {
            (Ok(first), Ok(last)) if !from.contains('T') && !to.contains('T') => {
                civil(first, last, Span::new().days(1))?
            }
            _ => {
                let (start, end) = (instant(from.trim(), zone), instant(to.trim(), zone));
                Window { start: start.ok_or_else(unreadable)?, end: end.ok_or_else(unreadable)? }
            }
        },
        None => match text.len() {
            4 => {
                let first: Date = format!("{text}-01-01").parse().map_err(|_| unreadable())?;
                civil(first, first, Span::new().years(1))?
            }
            7 => {
                let first: Date = format!("{text}-01").parse().map_err(|_| unreadable())?;
                civil(first, first, Span::new().months(1))?
            }
            10 => {
                let day: Date = text.parse().map_err(|_| unreadable())?;
                civil(day, day, Span::new().days(1))?
            }
            _ => return Err(unreadable()),
        },
    };
    if period.start < period.end { Ok(period) } else { Err(format!("period \"{text}\" ends before it begins")) }
}

/// Reads RFC 3339, or a civil time of the zone.
pub fn instant(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    if let Ok(instant) = text.parse() {
        return Some(instant);
    }
    let civil: DateTime = text.parse().ok()?;
    zone.to_timestamp(civil).ok().map(|instant| Timestamp(instant.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::{Form, TimeZone, Timestamp, exact_micro, read_period};
    use crate::engine::tests::{MORNING, plant};
    use crate::model::declared::{DeclaredKind, WasteStream};

    fn waste() -> Form {
        let text = |text: &str| text.to_owned();
        Form {
            kind: text("waste"),
            period: text("2026-09"),
            quantity: text("12.5"),
            unit: text("t"),
            document: text("BB-0912"),
            stream: text("recycled"),
            ..Form::default()
        }
    }

    #[test]
    fn a_period_is_civil_and_its_last_day_is_in_it() {
        let zone = TimeZone::get("Asia/Ho_Chi_Minh").unwrap();
        for (text, start, end) in [
            ("2026-10", "2026-09-30T17:00:00.000Z", "2026-10-31T17:00:00.000Z"),
            ("2026", "2025-12-31T17:00:00.000Z", "2026-12-31T17:00:00.000Z"),
            ("2026-10-05", "2026-10-04T17:00:00.000Z", "2026-10-05T17:00:00.000Z"),
            ("2026-09-26/2026-10-25", "2026-09-25T17:00:00.000Z", "2026-10-25T17:00:00.000Z"),
            ("2026-10-01T06:00:00+07:00/2026-10-02T06:00", "2026-09-30T23:00:00.000Z", "2026-10-01T23:00:00.000Z"),
        ] {
            let period = read_period(text, &zone).unwrap();
            assert_eq!((period.start.to_string().as_str(), period.end.to_string().as_str()), (start, end), "{text}");
        }
        for bad in ["", "2026-13", "2026-10-05/", "2026-10-05/2026-10-01", "October", "2026-10-32", "26-10"] {
            assert!(read_period(bad, &zone).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_quantity_is_exact_to_six_places_and_nothing_else_is_a_number() {
        for (text, micro) in [("1200", 1_200_000_000), ("0.000001", 1), ("12.5", 12_500_000), ("007.10", 7_100_000)] {
            assert_eq!(exact_micro(text), Some(micro), "{text}");
        }
        for bad in
            ["", "-1", "1,200", "1.2.3", "1e3", "0.0000001", ".5", "NaN", "99999999999999999999", "1000000000001"]
        {
            assert_eq!(exact_micro(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_form_becomes_a_declaration_of_the_site_unless_it_names_an_asset() {
        let declared = waste().read(&plant(), Timestamp(MORNING)).unwrap();
        assert_eq!(declared.asset, plant().assets[0].id);
        assert_eq!(declared.kind, DeclaredKind::Waste { stream: WasteStream::Recycled });
        assert_eq!(declared.quantity_micro, 12_500_000);
    }

    #[test]
    fn every_problem_of_a_form_is_told_at_once() {
        let form = Form {
            asset: "nowhere".to_owned(),
            period: "2028-01".to_owned(),
            quantity: "-3".to_owned(),
            unit: "L".to_owned(),
            document: " ".to_owned(),
            fuel: "diesel".to_owned(),
            replaces: "x".to_owned(),
            ..waste()
        };
        let problems = form.read(&plant(), Timestamp(MORNING)).unwrap_err();
        assert_eq!(problems.0.len(), 7, "{problems}");
        for word in ["nowhere", "has not begun", "-3", "kg, t", "document is empty", "fuel is given", "replaces"] {
            assert!(problems.to_string().contains(word), "{word}: {problems}");
        }
        let old = Form { period: "2024-01".to_owned(), ..waste() };
        assert!(old.read(&plant(), Timestamp(MORNING)).unwrap_err().to_string().contains("18 months"));
    }

    #[test]
    fn bands_of_a_bill_must_add_up_to_its_total() {
        let bill = |peak: &str| Form {
            kind: "electricity_bill".to_owned(),
            unit: "kWh".to_owned(),
            quantity: "1000".to_owned(),
            stream: String::new(),
            peak_kwh: peak.to_owned(),
            normal_kwh: "600".to_owned(),
            off_peak_kwh: "300".to_owned(),
            ..waste()
        };
        assert!(bill("100").read(&plant(), Timestamp(MORNING)).is_ok());
        let problem = bill("150").read(&plant(), Timestamp(MORNING)).unwrap_err();
        assert!(problem.to_string().contains("add up to 1050 kWh"), "{problem}");
    }

    #[test]
    fn a_form_in_json_may_have_numbers() {
        let form: Form =
            serde_json::from_str(r#"{"kind":"waste","quantity":12.5,"period":"2026-09","replaces":3}"#).unwrap();
        assert_eq!((form.quantity.as_str(), form.replaces.as_str()), ("12.5", "3"));
        assert!(serde_json::from_str::<Form>(r#"{"kind":"waste","quantityy":12.5}"#).is_err());
    }
}
