//! Tag lists of other programs, turned into the points of a `[[source]]`.
//!
//! In: the text of a CSV file, either with this program's own columns (those of a point: name, address, type…) or as
//! Kepware's server exports it. Out: points as TOML, and every row that can't be taken with its line and its reason.
//! No row vanishes: each is a point or a [`Refused`]. What a row means is decided by the same code that reads the
//! configuration, so that what is printed is accepted by `parkgate check`.

use std::collections::BTreeMap;

use super::config::ModbusSource;
use crate::model::problem::{Problems, Severity};
use crate::model::tag::SourceIndex;
use crate::model::unit::Unit;
use crate::profile::Library;
use crate::profile::register::{RegisterType, Table, WordOrder};

mod kepware;

/// Most bytes of a list. A tag takes about 100 bytes: this is far beyond what one device holds.
pub const BYTES_MAX: usize = 8 * 1024 * 1024;

/// Which columns a list has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The keys of a point as columns.
    Own,
    /// Kepware's tag export.
    Kepware,
}

/// What the list itself doesn't say.
#[derive(Debug, Clone, PartialEq)]
pub struct Defaults {
    /// Order of values of two and four registers in a Kepware list. Its driver reads the low word first unless the
    /// device's property "First Word Low" is switched off, and its export doesn't say.
    pub kepware_order: WordOrder,
}

impl Default for Defaults {
    fn default() -> Self {
        Self { kepware_order: WordOrder::Cdab }
    }
}

/// One row as a point.
#[derive(Debug, Clone, PartialEq)]
pub struct Taken {
    /// Line in the file, from 1.
    pub line: u64,
    /// Name of the point.
    pub name: String,
    /// Its keys and values as TOML, the name first.
    pub keys: Vec<(&'static str, String)>,
    /// What differs from the list, for a person to check.
    pub notes: Vec<String>,
}

impl Taken {
    /// Returns the point as an inline table.
    pub fn toml(&self) -> String {
        let keys: Vec<String> = self.keys.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        format!("{{ {} }}", keys.join(", "))
    }
}

/// One row that can't be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Line in the file, from 1.
    pub line: u64,
    /// Name as it stands in the list; may be empty.
    pub name: String,
    /// Why.
    pub reason: String,
}

/// What became of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct TagList {
    /// Which columns were found.
    pub format: Format,
    /// Rows that became points, in their order.
    pub taken: Vec<Taken>,
    /// Rows that didn't.
    pub refused: Vec<Refused>,
    /// Poll period of the source that the list asks for. **Unit**: milliseconds.
    pub every_ms: Option<i64>,
}

/// A list that can't be read at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TagListError {
    /// Too large.
    #[error("the list has {0} bytes, limit {BYTES_MAX}")]
    TooLarge(usize),
    /// No columns that are known.
    #[error(
        "the first line names no known columns: expected name and address, or Kepware's Tag Name and Address; found {0}"
    )]
    UnknownColumns(String),
    /// A column of this program's own lists that is no key of a point.
    #[error("column \"{0}\" is no key of a point: expected some of {1}")]
    UnknownColumn(String, String),
}

/// Keys of a point that a column may hold, and how its cells are written in TOML.
const COLUMNS: &[(&str, Cell)] = &[
    ("name", Cell::Text),
    ("address", Cell::Address),
    ("table", Cell::Text),
    ("type", Cell::Text),
    ("order", Cell::Text),
    ("scale", Cell::Number),
    ("offset", Cell::Number),
    ("bit", Cell::Number),
    ("length", Cell::Number),
    ("sentinel", Cell::Sentinels),
    ("kind", Cell::Text),
    ("unit", Cell::Text),
    ("hold", Cell::Text),
    ("period", Cell::Text),
    ("max_per_second", Cell::Number),
    ("modulus", Cell::Number),
    ("min", Cell::Number),
    ("max", Cell::Number),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cell {
    Text,
    Number,
    /// A number on the wire where a table is named, else a manual's number.
    Address,
    /// Marks, separated by blanks or semicolons.
    Sentinels,
}

/// One row with its cells by column, in lower case.
struct Row<'a> {
    line: u64,
    cells: BTreeMap<&'a str, String>,
}

impl Row<'_> {
    fn cell(&self, column: &str) -> &str {
        self.cells.get(column).map_or("", String::as_str)
    }
}

/// Reads a list. Fields are separated by commas, semicolons or tabs, as the first line shows.
///
/// # Errors
/// [`TagListError`] where no row can be read; a single bad row is in [`TagList::refused`].
pub fn read(bytes: &[u8], defaults: &Defaults) -> Result<TagList, TagListError> {
    if bytes.len() > BYTES_MAX {
        return Err(TagListError::TooLarge(bytes.len()));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let (skipped, bytes) = without_preamble(bytes);
    let delimiter = delimiter(bytes);
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(bytes);
    let header: Vec<String> =
        reader.byte_headers().map(|header| header.iter().map(column).collect()).unwrap_or_default();
    let format = format(&header)?;
    let mut list = TagList { format, taken: Vec::new(), refused: Vec::new(), every_ms: None };
    let mut lines = Lines { bytes, counted: 0, line: 1 };
    for record in reader.byte_records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                let line = skipped + lines.until(error.position().map_or(0, csv::Position::byte));
                list.refuse(line, String::new(), format!("no row of a CSV file: {error}"));
                continue;
            }
        };
        let line = skipped + lines.until(record.position().map_or(0, csv::Position::byte));
        if record.iter().all(|field| field.iter().all(u8::is_ascii_whitespace)) {
            continue;
        }
        let cells = header.iter().map(String::as_str).zip(record.iter().map(text)).collect();
        list.add(&Row { line, cells }, defaults, record.len() > header.len());
    }
    Ok(list)
}

/// Counts the lines up to places that only grow.
struct Lines<'a> {
    bytes: &'a [u8],
    counted: usize,
    line: u64,
}

impl Lines<'_> {
    /// Returns the line, from 1, in which the record at or behind `byte` begins: the line break of the record before
    /// it, and lines without anything, are passed.
    fn until(&mut self, byte: u64) -> u64 {
        let start = usize::try_from(byte).unwrap_or(usize::MAX).min(self.bytes.len());
        let blank = self.bytes[start..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        while self.counted < start + blank {
            self.line += u64::from(self.bytes[self.counted] == b'\n');
            self.counted += 1;
        }
        self.line
    }
}

/// Kepware writes lines that begin with a semicolon above the columns of some exports.
fn without_preamble(bytes: &[u8]) -> (u64, &[u8]) {
    let mut rest = bytes;
    let mut lines = 0;
    while rest.first() == Some(&b';') || rest.first() == Some(&b'\n') || rest.first() == Some(&b'\r') {
        let Some(end) = rest.iter().position(|byte| *byte == b'\n') else { return (lines, &[]) };
        rest = &rest[end + 1..];
        lines += 1;
    }
    (lines, rest)
}

fn delimiter(bytes: &[u8]) -> u8 {
    let first = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let count = |delimiter: u8| first.iter().filter(|byte| **byte == delimiter).count();
    [b',', b';', b'\t'].into_iter().rev().max_by_key(|delimiter| count(*delimiter)).unwrap_or(b',')
}

/// Exports of Windows programs are often not UTF-8; a character that can't be read is replaced and shows in the name.
fn text(field: &[u8]) -> String {
    String::from_utf8_lossy(field).trim().to_owned()
}

/// Returns a column's name: lower case, without full stops, so that "Eng. Units" and "Eng Units" are one.
fn column(field: &[u8]) -> String {
    text(field).to_lowercase().replace('.', "")
}

fn format(header: &[String]) -> Result<Format, TagListError> {
    let has = |name: &str| header.iter().any(|column| column == name);
    if has("tag name") && has("address") {
        return Ok(Format::Kepware);
    }
    if !has("name") || !has("address") {
        return Err(TagListError::UnknownColumns(header.join(", ")));
    }
    let known = |column: &&String| COLUMNS.iter().any(|(name, _)| name == column) || column.as_str() == "comment";
    match header.iter().find(|column| !known(column)) {
        None => Ok(Format::Own),
        Some(column) => {
            let names: Vec<&str> = COLUMNS.iter().map(|(name, _)| *name).chain(["comment"]).collect();
            Err(TagListError::UnknownColumn(column.clone(), names.join(", ")))
        }
    }
}

impl TagList {
    fn refuse(&mut self, line: u64, name: String, reason: String) {
        self.refused.push(Refused { line, name, reason });
    }

    fn add(&mut self, row: &Row<'_>, defaults: &Defaults, is_longer: bool) {
        let name = row.cell(if self.format == Format::Kepware { "tag name" } else { "name" }).to_owned();
        if is_longer && self.format == Format::Own {
            return self.refuse(row.line, name, "more fields than columns".to_owned());
        }
        let point = match self.format {
            Format::Own => own(row),
            Format::Kepware => kepware::point(row, defaults),
        };
        let taken = point.and_then(|taken| match self.taken.iter().find(|before| before.name == taken.name) {
            Some(before) => Err(format!("point \"{}\" stands in line {} already", taken.name, before.line)),
            None => accepted(taken),
        });
        match taken {
            Ok(taken) => {
                if let Some(every) = kepware::scan_rate_ms(row) {
                    self.every_ms = Some(self.every_ms.map_or(every, |before| before.min(every)));
                }
                self.taken.push(taken);
            }
            Err(reason) => self.refuse(row.line, name, reason),
        }
    }
}

/// Reads a row of this program's own columns: each filled cell is a key of the point.
fn own(row: &Row<'_>) -> Result<Taken, String> {
    let mut keys = Vec::new();
    for (key, cell) in COLUMNS {
        let written = row.cell(key);
        if !written.is_empty() {
            keys.push((*key, toml_of(key, *cell, written, row.cell("table"))?));
        }
    }
    let name = row.cell("name").to_owned();
    if name.is_empty() {
        return Err("the row has no name".to_owned());
    }
    Ok(Taken { line: row.line, name, keys, notes: Vec::new() })
}

fn toml_of(key: &str, cell: Cell, written: &str, table: &str) -> Result<String, String> {
    match cell {
        Cell::Text => Ok(quoted(written)),
        Cell::Number => number(key, written),
        Cell::Address if !table.is_empty() && written.bytes().all(|byte| byte.is_ascii_digit()) => number(key, written),
        Cell::Address => Ok(quoted(written)),
        Cell::Sentinels => {
            let marks = written.split([' ', ';', '|']).filter(|mark| !mark.is_empty());
            let marks: Vec<String> =
                marks.map(|mark| if mark.starts_with("0x") { quoted(mark) } else { mark.to_owned() }).collect();
            Ok(format!("[{}]", marks.join(", ")))
        }
    }
}

/// Writes a number as TOML does: with digits on both sides of its point.
fn number(key: &str, written: &str) -> Result<String, String> {
    if let Ok(value) = written.parse::<i64>() {
        return Ok(value.to_string());
    }
    match written.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(format!("{value:?}")),
        _ => Err(format!("{key} \"{written}\" is no number: write it with a point, like 0.1")),
    }
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// Takes a point only where the configuration would.
fn accepted(taken: Taken) -> Result<Taken, String> {
    #[derive(serde::Deserialize)]
    struct File {
        source: Vec<ModbusSource>,
    }
    let text = format!("[[source]]\nname = \"m\"\nurl = \"tcp://m\"\npoint = [{}]\n", taken.toml());
    let mut file: File = toml::from_str(&text).map_err(|error| error.message().to_owned())?;
    let mut problems = Problems::default();
    file.source.remove(0).tags(SourceIndex(0), &Library::default(), &mut problems);
    let refusals: Vec<String> =
        problems
            .0
            .into_iter()
            .filter(|problem| problem.severity == Severity::Error)
            .map(|problem| {
                if problem.help.is_empty() { problem.message } else { format!("{}; {}", problem.message, problem.help) }
            })
            .collect();
    if refusals.is_empty() { Ok(taken) } else { Err(refusals.join("; ")) }
}

/// Makes a point's name of a tag's: groups and blanks become `_`.
fn point_name(name: &str) -> Result<String, String> {
    let kept = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c } else { '_' };
    let made: String = name.chars().map(kept).collect();
    let made = made.trim_matches('_');
    if made.is_empty() {
        return Err(format!("\"{name}\" has no letter or digit that a point's name could be made of"));
    }
    if made.len() > 64 {
        return Err(format!("\"{name}\" is longer than the 64 characters of a point's name"));
    }
    Ok(made.to_owned())
}

/// Finds a unit by its name or one of the usual spellings; `None` for one that tags don't have.
fn unit_of(written: &str) -> Option<Unit> {
    let exact = Unit::ALL.into_iter().find(|unit| unit.as_str().eq_ignore_ascii_case(written));
    exact.or(match written {
        "°C" | "C" | "degC" | "deg C" => Some(Unit::Celsius),
        "m³" | "m^3" | "Nm3" => Some(Unit::CubicMetre),
        "kVArh" | "kVARh" | "kvarh" => Some(Unit::KilovarHour),
        "kVAr" | "kVAR" => Some(Unit::Kilovar),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::{Defaults, Format, TagList, TagListError, read};
    use crate::profile::register::WordOrder;

    const KEPWARE: &str = "Tag Name,Address,Data Type,Respect Data Type,Client Access,Scan Rate,Scaling,Raw Low,Raw High,\
        Scaled Low,Scaled High,Scaled Data Type,Clamp Low,Clamp High,Eng Units,Description,Negate Value";

    fn kepware(rows: &[&str]) -> TagList {
        read(format!("{KEPWARE}\r\n{}\r\n", rows.join("\r\n")).as_bytes(), &Defaults::default()).unwrap()
    }

    fn points(list: &TagList) -> Vec<String> {
        assert_eq!(list.refused, [], "{list:#?}");
        list.taken.iter().map(super::Taken::toml).collect()
    }

    #[test]
    fn a_list_of_its_own_columns_becomes_points() {
        let list = read(
            b"name,address,table,type,order,scale,unit,kind,sentinel,bit,comment\n\
            energy,40101,,uint32,CDAB,0.1,kWh,counter,0xFFFFFFFF,,main meter\n\
            run,12,coil,,,,,,,,\n\
            door,40010,,bit,,,,,,3,\n\
            temp,7,input,int16,,1e-1,Cel,,0x8000 32767,,\n",
            &Defaults::default(),
        )
        .unwrap();
        assert_eq!(list.format, Format::Own);
        assert_eq!(
            points(&list),
            [
                r#"{ name = "energy", address = "40101", type = "uint32", order = "CDAB", scale = 0.1, sentinel = ["0xFFFFFFFF"], kind = "counter", unit = "kWh" }"#,
                r#"{ name = "run", address = 12, table = "coil" }"#,
                r#"{ name = "door", address = "40010", type = "bit", bit = 3 }"#,
                r#"{ name = "temp", address = 7, table = "input", type = "int16", scale = 0.1, sentinel = ["0x8000", 32767], unit = "Cel" }"#,
            ]
        );
    }

    #[test]
    fn kepwares_columns_become_points_with_its_word_order_and_scaling() {
        let list = kepware(&[
            r#""Energy.Total",400101,Float,1,RO,1000,,,,,,,,,"kWh","main meter","#,
            r#""Line 1.Speed",40005,Word,1,R/W,500,Linear,0,10000,0,100,Double,0,0,,"","#,
            r#""Run",000012,Boolean,1,RO,100,,,,,,,,,,"","#,
            r#""Alarm",40001.5,Boolean,1,RO,100,,,,,,,,,,"","#,
            r#""Level",300010,Short,1,RO,2000,Linear,4000,20000,0,8,Float,1,1,m,"",1"#,
            r#""Total",41,LBCD,1,RO,,,,,,,,,,,"","#,
        ]);
        assert_eq!((list.format, list.every_ms), (Format::Kepware, Some(100)));
        assert_eq!(
            points(&list),
            [
                r#"{ name = "Energy_Total", address = 100, table = "holding", type = "float32", order = "CDAB", unit = "kWh", kind = "counter" }"#,
                r#"{ name = "Line_1_Speed", address = 4, table = "holding", type = "uint16", scale = 0.01 }"#,
                r#"{ name = "Run", address = 11, table = "coil" }"#,
                r#"{ name = "Alarm", address = 0, table = "holding", type = "bit", bit = 5 }"#,
                r#"{ name = "Level", address = 9, table = "input", type = "int16", scale = -0.0005, offset = 2.0 }"#,
                r#"{ name = "Total", address = 0, table = "holding", type = "bcd32", order = "CDAB" }"#,
            ]
        );
        assert_eq!(list.taken[0].notes, ["was \"Energy.Total\"", "taken as a counter, since its unit is kWh"]);
        assert!(list.taken[4].notes.iter().any(|note| note.contains("not clamped")));
        assert!(list.taken[4].notes.iter().any(|note| note.contains("unit \"m\"")));
    }

    #[test]
    fn every_row_that_cannot_be_taken_is_named_with_its_line_and_reason() {
        let rows = [
            (r#""A",400001,String,1,RO,100,,,,,,,,,,"","#, "data type \"String\" holds no number"),
            (r#""B",400001[4],Word Array,1,RO,100,,,,,,,,,,"","#, "is an array"),
            (r#""C",400500.10H,String,1,RO,100,,,,,,,,,,"","#, "is a text"),
            (r#""D",D100,Word,1,RO,100,,,,,,,,,,"","#, "begins with none of 0, 1, 3 and 4"),
            (r#""E",465537,Word,1,RO,100,,,,,,,,,,"","#, "outside 1 to 65536"),
            (r#""F",400000,Word,1,RO,100,,,,,,,,,,"","#, "outside 1 to 65536"),
            (r#""G",400001.16,Boolean,1,RO,100,,,,,,,,,,"","#, "no bit from 0 to 15"),
            (r#""H",400001,Boolean,1,RO,100,,,,,,,,,,"","#, "needs its bit"),
            (r#""I",400001,Word,1,WO,100,,,,,,,,,,"","#, "write-only"),
            (r#""J",400001,Word,1,RO,100,Square Root,0,100,0,10,Float,0,0,,"","#, "square root scaling"),
            (r#""K",400001,Word,1,RO,100,Linear,0,0,0,10,Float,0,0,,"","#, "without width"),
            (r#""L",400001,Word,1,RO,100,Linear,0,,0,10,Float,0,0,,"","#, "needs a number as raw high"),
            (r#""M",465536,DWord,1,RO,100,,,,,,,,,,"","#, "ends beyond 65535"),
            (r#""...",400001,Word,1,RO,100,,,,,,,,,,"","#, "no letter or digit"),
            (r#""N",100001,Word,1,RO,100,,,,,,,,,,"","#, "can't be read from one bit"),
            (r#""O",H40001,Word,1,RO,100,,,,,,,,,,"","#, "is hexadecimal"),
            (r#""ok",400001,Word,1,RO,100,,,,,,,,,,"","#, ""),
            (r#""o k",400002,Word,1,RO,100,,,,,,,,,,"","#, ""),
            (r#""o.k",400003,Word,1,RO,100,,,,,,,,,,"","#, "\"o_k\" stands in line 19 already"),
        ];
        let list = kepware(&rows.map(|(row, _)| row));
        assert_eq!(list.taken.len() + list.refused.len(), rows.len(), "a row vanished");
        let refused = (2..).zip(rows).filter(|(_, (_, reason))| !reason.is_empty());
        for (found, (line, (row, reason))) in list.refused.iter().zip(refused) {
            assert!(found.line == line && found.reason.contains(reason), "{row}: {found:?}");
        }
        assert_eq!(list.taken.len(), 2);
    }

    #[test]
    fn what_the_configuration_refuses_is_refused_here() {
        let list = read(
            b"name;address;type;scale;kind\n\
            a;50001;uint16;;\n\
            b;40001;real;;\n\
            c;40001;uint16;0,1;\n\
            d;40001;uint16;0.1;total\n\
            a b;40001;uint16;;\n\
            ;40001;uint16;;\n\
            \n\
            e;40001;uint16;0.1;counter;x\n\
            f;40001;uint16;0.1;counter\n",
            &Defaults::default(),
        )
        .unwrap();
        let lines: Vec<u64> = list.refused.iter().map(|refused| refused.line).collect();
        assert_eq!(lines, [2, 3, 4, 5, 6, 7, 9], "{list:#?}");
        assert_eq!(list.taken.len(), 1);
    }

    #[test]
    fn the_word_order_of_a_kepware_list_can_be_told() {
        let text = format!("{KEPWARE}\n\"E\",400101,Float,1,RO,1000,,,,,,,,,,\"\",\n");
        let list = read(text.as_bytes(), &Defaults { kepware_order: WordOrder::Abcd }).unwrap();
        assert_eq!(points(&list), [r#"{ name = "E", address = 100, table = "holding", type = "float32" }"#]);
    }

    #[test]
    fn marks_lines_and_encodings_of_windows_programs_are_no_obstacle() {
        let text = [
            b"\xef\xbb\xbf;exported\r\n".as_slice(),
            KEPWARE.replace(',', ";").as_bytes(),
            b"\r\n\"Nhi\xeat\";40001;Word\r\n",
        ]
        .concat();
        let list = read(&text, &Defaults::default()).unwrap();
        assert_eq!((list.taken[0].line, list.taken[0].name.as_str()), (3, "Nhi_t"));
    }

    #[test]
    fn a_file_that_is_no_list_is_refused_as_a_whole() {
        let refused = |text: &str| read(text.as_bytes(), &Defaults::default()).unwrap_err();
        assert!(matches!(refused("a,b\n1,2\n"), TagListError::UnknownColumns(_)));
        assert!(matches!(refused(""), TagListError::UnknownColumns(_)));
        assert!(
            matches!(refused("name,address,adress\n"), TagListError::UnknownColumn(column, _) if column == "adress")
        );
    }
}
