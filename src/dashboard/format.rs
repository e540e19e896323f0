//! Numbers and instants as the reader writes them.

use jiff::tz::TimeZone;

use super::language::Language;
use super::words;
use crate::engine::kpi::{self, Family};
use crate::model::time::{Timestamp, Window};
use crate::model::unit::ProductUnit;

/// Ratios that nobody reads as a percentage.
const PLAIN_RATIOS: [&str; 1] = ["power_factor"];

/// Returns a KPI's value and its unit, both as they are read.
pub(super) fn value(
    kpi: &str,
    unit: &str,
    value: f64,
    product_unit: Option<ProductUnit>,
    language: Language,
) -> (String, String) {
    if unit == "1" && !PLAIN_RATIOS.contains(&kpi) {
        return (decimal(value * 100.0, 1, language), "%".to_owned());
    }
    (significant(value, language), unit_words(kpi, unit, product_unit, language))
}

/// Returns a unit as it is read: UCUM is for machines.
pub(super) fn unit_words(kpi: &str, unit: &str, product_unit: Option<ProductUnit>, language: Language) -> String {
    let base = match (kpi, unit) {
        (_, "1") => "",
        ("biogenic_co2", "t") => "tCO₂",
        (kpi, "t") if is_emission(kpi) => "tCO₂e",
        (kpi, "kg/{unit}") if is_emission(kpi) => "kgCO₂e/{unit}",
        (_, "{TOE}") => "TOE",
        (_, unit) => unit,
    };
    let product = product_unit.map_or("?", |unit| words::product(unit, language));
    base.replace("kW.h", "kWh").replace("m3", "m³").replace("{unit}", product)
}

/// Says whether a KPI is about greenhouse gases, whose masses are of CO₂ equivalent.
fn is_emission(kpi: &str) -> bool {
    kpi::find(kpi).is_some_and(|definition| definition.family == Family::Emissions)
}

/// Returns a value with about four digits that say something.
pub(super) fn significant(value: f64, language: Language) -> String {
    let digits = match value.abs() {
        size if size >= 1000.0 => 0,
        size if size >= 100.0 => 1,
        size if size >= 10.0 => 2,
        size if size >= 0.1 || size == 0.0 => 3,
        _ => 5,
    };
    decimal(value, digits, language)
}

/// Returns a number with a fixed count of decimals, digits in groups of three.
pub(super) fn decimal(value: f64, digits: usize, language: Language) -> String {
    let text = format!("{value:.digits$}");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let mark = language.pick(",", ".");
    let grouped = group(whole, language);
    if fraction.is_empty() { grouped } else { format!("{grouped}{mark}{fraction}") }
}

/// Returns an integer, digits in groups of three.
pub(super) fn integer(value: impl ToString, language: Language) -> String {
    group(&value.to_string(), language)
}

fn group(whole: &str, language: Language) -> String {
    let mark = language.pick(".", ",");
    let (sign, digits) = whole.strip_prefix('-').map_or(("", whole), |digits| ("−", digits));
    let mut grouped = String::from(sign);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            grouped.push_str(mark);
        }
        grouped.push(digit);
    }
    grouped
}

/// Returns a share as a percentage; what is there is never shown as 0 %.
pub(super) fn share(share: f64) -> String {
    match percent(share) {
        0 if share > 0.0 => "< 1 %".to_owned(),
        percent => format!("{percent} %"),
    }
}

/// Returns a share as a whole percentage that never rounds up to 100.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded before the cast")]
pub(super) fn percent(share: f64) -> u8 {
    (share.clamp(0.0, 1.0) * 100.0).floor() as u8
}

/// Returns an instant in the plant's civil time.
pub(super) fn instant(at: Timestamp, zone: &TimeZone, language: Language) -> String {
    civil(at, zone, language.pick("%H:%M:%S %d/%m/%Y", "%Y-%m-%d %H:%M:%S"))
}

/// Returns a window in the plant's civil time: its day, and its hours where it is no whole day.
pub(super) fn window(window: Window, zone: &TimeZone, language: Language) -> String {
    let day = language.pick("%d/%m/%Y", "%Y-%m-%d");
    let (start, end) = (civil(window.start, zone, "%H:%M"), civil(window.end, zone, "%H:%M"));
    let (first, last) = (civil(window.start, zone, day), civil(window.end - 1, zone, day));
    match (start.as_str(), end.as_str()) {
        ("00:00", "00:00") if first == last => first,
        ("00:00", "00:00") => format!("{first} – {last}"),
        _ if first == last => format!("{start} – {end}, {first}"),
        _ => format!("{start} {first} – {end} {last}"),
    }
}

/// Returns how long ago something was, in its largest unit.
pub(super) fn age(ms: i64, language: Language) -> String {
    let seconds = ms.max(0) / 1000;
    let (count, vi, en) = match seconds {
        0..120 => (seconds, "giây", "s"),
        120..7_200 => (seconds / 60, "phút", "min"),
        7_200..172_800 => (seconds / 3_600, "giờ", "h"),
        _ => (seconds / 86_400, "ngày", "d"),
    };
    format!("{count} {}", language.pick(vi, en))
}

fn civil(at: Timestamp, zone: &TimeZone, form: &str) -> String {
    match jiff::Timestamp::from_millisecond(at.0) {
        Ok(instant) => instant.to_zoned_datetime(zone.clone()).strftime(form).to_string(),
        Err(_) => at.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::{Language, ProductUnit, Timestamp, Window, age, decimal, integer, percent, significant, value, window};

    #[test]
    fn numbers_are_written_as_the_reader_writes_them() {
        assert_eq!(decimal(126_238.29, 2, Language::Vi), "126.238,29");
        assert_eq!(decimal(126_238.29, 2, Language::En), "126,238.29");
        assert_eq!(decimal(-1234.5, 1, Language::Vi), "−1.234,5");
        assert_eq!(integer(999, Language::Vi), "999");
        assert_eq!(integer(12_345_678_u64, Language::En), "12,345,678");
        assert_eq!(significant(0.02345, Language::En), "0.02345");
        assert_eq!(significant(0.0, Language::Vi), "0,000");
    }

    #[test]
    fn a_kpi_is_shown_in_the_unit_people_say() {
        let shown = |kpi, unit, of| value(kpi, unit, 0.756, of, Language::Vi);
        assert_eq!(shown("oee", "1", None), ("75,6".to_owned(), "%".to_owned()));
        assert_eq!(shown("power_factor", "1", None), ("0,756".to_owned(), String::new()));
        assert_eq!(shown("electricity", "kW.h", None).1, "kWh");
        assert_eq!(shown("specific_energy", "kW.h/{unit}", Some(ProductUnit::Piece)).1, "kWh/sản phẩm");
        assert_eq!(shown("carbon_intensity", "kg/{unit}", Some(ProductUnit::Tonne)).1, "kgCO₂e/tấn");
    }

    #[test]
    fn a_coverage_short_of_everything_is_not_100_percent() {
        assert_eq!([percent(0.9999), percent(1.0), percent(-1.0)], [99, 100, 0]);
    }

    #[test]
    fn windows_are_written_in_the_plants_time() {
        let zone = TimeZone::get("Asia/Ho_Chi_Minh").unwrap();
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let shown = |start, end| window(Window { start: at(start), end: at(end) }, &zone, Language::Vi);
        assert_eq!(shown("2026-10-05T00:00:00+07:00", "2026-10-06T00:00:00+07:00"), "05/10/2026");
        assert_eq!(shown("2026-10-05T09:00:00+07:00", "2026-10-05T10:00:00+07:00"), "09:00 – 10:00, 05/10/2026");
        assert_eq!(shown("2026-10-01T00:00:00+07:00", "2026-11-01T00:00:00+07:00"), "01/10/2026 – 31/10/2026");
        assert_eq!(
            shown("2026-10-05T22:00:00+07:00", "2026-10-06T06:00:00+07:00"),
            "22:00 05/10/2026 – 06:00 06/10/2026"
        );
    }

    #[test]
    fn an_age_is_said_in_its_largest_unit() {
        assert_eq!(age(90_000, Language::En), "90 s");
        assert_eq!(age(7_000_000, Language::Vi), "116 phút");
        assert_eq!(age(400_000_000, Language::Vi), "4 ngày");
    }
}
