//! The text of one station's file: its name, its folder, its lines.
//!
//! **Source**: Circular 10/2021/TT-BTNMT as two independent programs write it; its Appendix 15 was not at hand. They agree on
//! name, folder, fields and status, and disagree on whether a parameter has a line of its own, which therefore is
//! configured and shown to the department first.

use jiff::tz::Offset;

use super::config::{EndOfLine, Layout};
use crate::model::id::AssetId;
use crate::model::slot::{SLOT_MS, Slot};
use crate::model::time::{Timestamp, Window};

/// Viet Nam's time, in which names and lines are written whatever the site's calendar is.
const VIET_NAM: Offset = Offset::constant(7);

/// One station.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Station {
    /// What the department calls it.
    pub name: String,
    /// Its parameters, in the order of a file.
    pub channels: Vec<Channel>,
}

/// One parameter of a station.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// Whose facts its values are made of.
    pub asset: AssetId,
    /// Its symbol in a file.
    pub symbol: String,
    /// Its unit in a file.
    pub unit: String,
}

/// How a file is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// First part of its name.
    pub province: String,
    /// Second part of its name.
    pub facility: String,
    /// How parameters are laid out.
    pub layout: Layout,
    /// How lines end.
    pub end_of_line: EndOfLine,
    /// Decimal places of values, 0 to 6.
    pub decimals: u32,
    /// What stands where there is no value.
    pub no_value: String,
}

/// A file of one station.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its folder below the destination's: station, year, month, day.
    pub folder: [String; 4],
    /// Its name.
    pub name: String,
    /// Its content.
    pub text: String,
}

impl File {
    /// Returns folder and name, parted by slashes.
    pub fn path(&self) -> String {
        format!("{}/{}", self.folder.join("/"), self.name)
    }
}

/// Returns the cycle of a number: cycles are counted since 1970 by their end.
pub fn cycle(number: u64) -> Window {
    let end = Timestamp(i64::try_from(number).unwrap_or(i64::MAX / SLOT_MS).saturating_mul(SLOT_MS));
    Window { start: end - SLOT_MS, end }
}

/// Returns the number of the cycle that an instant is in.
pub fn number_at(instant: Timestamp) -> u64 {
    u64::try_from(instant.0.div_euclid(SLOT_MS) + 1).unwrap_or_default()
}

/// Returns a station's file of one cycle. `slots` are its channels', in their order. Every time in it is the cycle's end.
pub fn file(form: &Form, station: &Station, cycle: Window, slots: &[Slot]) -> File {
    let at = time_text(cycle.end);
    let Form { province, facility, .. } = form;
    let field = |(channel, slot): (&Channel, &Slot)| {
        let value = slot.mean_micro.map_or_else(|| form.no_value.clone(), |mean| decimal(mean, form.decimals));
        [&channel.symbol, &value, &channel.unit, &at, slot.status.code()].join("\t")
    };
    let fields: Vec<String> = station.channels.iter().zip(slots).map(field).collect();
    let end = match form.end_of_line {
        EndOfLine::Crlf => "\r\n",
        EndOfLine::Lf => "\n",
    };
    let lines = match form.layout {
        Layout::LinePerParameter => fields.join(end),
        Layout::OneLine => fields.join("\t"),
    };
    File {
        folder: [station.name.clone(), at[..4].to_owned(), at[4..6].to_owned(), at[6..8].to_owned()],
        name: format!("{province}_{facility}_{}_{at}.txt", station.name),
        text: lines + end,
    }
}

/// Returns an instant as `yyyyMMddHHmmss`.
fn time_text(instant: Timestamp) -> String {
    let civil = jiff::Timestamp::from_millisecond(instant.0).map(|it| VIET_NAM.to_datetime(it)).unwrap_or_default();
    format!(
        "{:04}{:02}{:02}{:02}{:02}{:02}",
        civil.year(),
        civil.month(),
        civil.day(),
        civil.hour(),
        civil.minute(),
        civil.second()
    )
}

/// Returns a number of millionths with so many decimal places, rounded to the nearest, ties to the even one.
fn decimal(micro: i128, places: u32) -> String {
    let step = 10_i128.pow(6 - places.min(6));
    let (quotient, rest) = (micro.div_euclid(step), micro.rem_euclid(step));
    let is_up = rest * 2 > step || (rest * 2 == step && quotient % 2 != 0);
    let rounded = quotient + i128::from(is_up);
    let scale = 10_u128.pow(places.min(6));
    let (whole, part) = (rounded.unsigned_abs() / scale, rounded.unsigned_abs() % scale);
    let sign = if rounded < 0 { "-" } else { "" };
    match usize::try_from(places) {
        Ok(width @ 1..) => format!("{sign}{whole}.{part:0width$}"),
        _ => format!("{sign}{whole}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{AssetId, Channel, EndOfLine, File, Form, Layout, Slot, Station, cycle, decimal, file, number_at};
    use crate::model::pollutant::DeviceStatus;
    use crate::model::time::Timestamp;

    fn written(layout: Layout, end_of_line: EndOfLine, no_value: &str) -> File {
        let form = Form {
            province: "HN".to_owned(),
            facility: "ABCD".to_owned(),
            layout,
            end_of_line,
            decimals: 2,
            no_value: no_value.to_owned(),
        };
        let channel = |symbol: &str, unit: &str| Channel {
            asset: AssetId::new("x").unwrap(),
            symbol: symbol.to_owned(),
            unit: unit.to_owned(),
        };
        let channels = vec![channel("pH", "pH"), channel("COD", "mg/L"), channel("TSS", "mg/L")];
        let station = Station { name: "NUO001".to_owned(), channels };
        let slot = |mean_micro, status| Slot { mean_micro, status, is_valid: false };
        let slots = [
            slot(Some(7_125_000), DeviceStatus::Measuring),
            slot(Some(41_000_000), DeviceStatus::Calibrating),
            slot(None, DeviceStatus::Fault),
        ];
        let end: Timestamp = "2026-01-01T12:00:00+07:00".parse().unwrap();
        file(&form, &station, cycle(number_at(end - 1)), &slots)
    }

    #[test]
    fn a_file_has_name_folder_fields_and_status_of_the_circular() {
        let file = written(Layout::LinePerParameter, EndOfLine::Crlf, "");
        assert_eq!(file.path(), "NUO001/2026/01/01/HN_ABCD_NUO001_20260101120000.txt");
        assert_eq!(
            file.text,
            "pH\t7.12\tpH\t20260101120000\t00\r\nCOD\t41.00\tmg/L\t20260101120000\t01\r\nTSS\t\tmg/L\t20260101120000\t02\r\n"
        );
    }

    #[test]
    fn all_parameters_stand_on_one_line_where_the_department_wants_that() {
        let file = written(Layout::OneLine, EndOfLine::Lf, "-");
        let line = "pH\t7.12\tpH\t20260101120000\t00\tCOD\t41.00\tmg/L\t20260101120000\t01\tTSS\t-\tmg/L\t20260101120000\t02\n";
        assert_eq!(file.text, line);
    }

    #[test]
    fn values_are_rounded_to_the_nearest_and_ties_to_the_even_one() {
        for (micro, places, expected) in [
            (1_005_000, 2, "1.00"),
            (1_015_000, 2, "1.02"),
            (-1_015_000, 2, "-1.02"),
            (-4_000, 2, "0.00"),
            (999_999, 2, "1.00"),
            (2_500_000, 0, "2"),
            (1, 6, "0.000001"),
        ] {
            assert_eq!(decimal(micro, places), expected, "{micro} {places}");
        }
    }

    #[test]
    fn an_instant_is_in_the_cycle_that_contains_it() {
        for ms in [0, 1, 299_999, 300_000] {
            assert!(cycle(number_at(Timestamp(ms))).contains(Timestamp(ms)), "{ms}");
        }
    }
}
