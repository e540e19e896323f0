//! What configuration says of text files for a department: `[[sink]] type = "files"`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;

use super::encode::{Channel, Form, Station};
use super::server::Server;
use crate::model::id::{AssetId, StreamName};
use crate::model::pollutant::Parameter;
use crate::model::problem::Problems;

/// Decimal places of a value where none are configured.
const DECIMALS: i64 = 2;
/// Decimal places that a value has on the box.
const DECIMALS_MAX: i64 = 6;
/// Longest part of a file's name, in letters.
const PART_LETTERS_MAX: usize = 64;

/// A directory or a server that gets a text file for each station every five minutes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilesSink {
    /// Name of the sink.
    pub name: Spanned<StreamName>,
    /// The directory below which files are put; created when missing. This or `server`.
    pub directory: Option<Spanned<PathBuf>>,
    /// The server that gets the files. This or `directory`.
    pub server: Option<Server>,
    /// What the department calls the province: first part of a file's name.
    pub province: Spanned<String>,
    /// What the department calls the facility: second part of a file's name.
    pub facility: Spanned<String>,
    /// When, and by which document, the department accepted a sample file. Nothing is sent without it.
    pub accepted: Option<Spanned<String>>,
    /// One line for each parameter, or one line with all of them; a line each where not given.
    #[serde(default)]
    pub layout: Layout,
    /// How lines end; `crlf` where not given.
    #[serde(default)]
    pub end_of_line: EndOfLine,
    /// Decimal places of values, 0 to 6; 2 where not given.
    pub decimals: Option<Spanned<i64>>,
    /// What stands where there is no value; nothing where not given.
    pub no_value: Option<Spanned<String>>,
    /// The stations.
    pub station: Vec<StationConfig>,
}

/// One station: what a file is about.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StationConfig {
    /// What the department calls it: folder and third part of a file's name.
    pub name: Spanned<String>,
    /// Its channels, in the order in which a file has them.
    pub channels: Vec<StationChannel>,
}

/// One parameter of a station.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StationChannel {
    /// Id of a `[[channel]]`.
    pub id: Spanned<AssetId>,
    /// The symbol that the department wants; the parameter's usual one where not given.
    pub symbol: Option<Spanned<String>>,
    /// How the department writes the unit; as the figures have it where not given. Values are not converted.
    pub unit: Option<Spanned<String>>,
}

/// How parameters are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// A line for each parameter.
    #[default]
    LinePerParameter,
    /// One line with all of them.
    OneLine,
}

/// How a line ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndOfLine {
    /// Carriage return and line feed.
    #[default]
    Crlf,
    /// Line feed.
    Lf,
}

impl FilesSink {
    /// Returns how files are written.
    pub fn form(&self) -> Form {
        let decimals = self.decimals.as_ref().map_or(DECIMALS, |decimals| *decimals.get_ref());
        Form {
            province: self.province.get_ref().clone(),
            facility: self.facility.get_ref().clone(),
            layout: self.layout,
            end_of_line: self.end_of_line,
            decimals: u32::try_from(decimals.clamp(0, DECIMALS_MAX)).unwrap_or_default(),
            no_value: self.no_value.as_ref().map(|text| text.get_ref().clone()).unwrap_or_default(),
        }
    }

    /// Returns the stations. A channel of which no parameter is known is left out: loading has refused it.
    pub fn stations(&self, parameter_of: impl Fn(&AssetId) -> Option<Parameter>) -> Vec<Station> {
        let text = |own: &Option<Spanned<String>>, usual: &str| {
            own.as_ref().map_or_else(|| usual.to_owned(), |text| text.get_ref().clone())
        };
        let channel = |channel: &StationChannel| {
            let parameter = parameter_of(channel.id.get_ref())?;
            Some(Channel {
                asset: channel.id.get_ref().clone(),
                symbol: text(&channel.symbol, parameter.symbol()),
                unit: text(&channel.unit, parameter.unit().as_str()),
            })
        };
        let station = |station: &StationConfig| Station {
            name: station.name.get_ref().clone(),
            channels: station.channels.iter().filter_map(channel).collect(),
        };
        self.station.iter().map(station).collect()
    }

    /// Returns the directory, or the address of the server.
    pub fn goes_to(&self) -> String {
        let directory = self.directory.as_ref().map(|directory| directory.get_ref().display().to_string());
        directory.or_else(|| self.server.as_ref().map(|server| server.url.get_ref().clone())).unwrap_or_default()
    }

    /// Says what is wrong with this sink by itself.
    pub fn check(&self, problems: &mut Problems) {
        let name = self.name.get_ref();
        self.check_destination(problems);
        let stations = self.station.iter().map(|station| &station.name);
        for part in [&self.province, &self.facility].into_iter().chain(stations) {
            check_part(part, problems);
        }
        if let Some(accepted) = self.accepted.as_ref().filter(|accepted| accepted.get_ref().trim().is_empty()) {
            let message = format!("sink \"{name}\": accepted is empty");
            problems.error(
                accepted.span(),
                message,
                "write date and document by which the department accepted a sample file",
            );
        }
        if let Some(decimals) = self.decimals.as_ref().filter(|places| !(0..=DECIMALS_MAX).contains(places.get_ref())) {
            let message = format!("sink \"{name}\": {} decimal places", decimals.get_ref());
            problems.error(decimals.span(), message, format!("choose 0 to {DECIMALS_MAX}"));
        }
        if self.station.is_empty() {
            problems.error(
                self.name.span(),
                format!("sink \"{name}\" has no station"),
                "add station = [{ name = …, channels = […] }]",
            );
        }
        let mut names = BTreeSet::new();
        for station in &self.station {
            if !names.insert(station.name.get_ref().as_str()) {
                let message = format!("station \"{}\" is named twice", station.name.get_ref());
                problems.error(
                    station.name.span(),
                    message,
                    "their files would replace each other: give each its own name",
                );
            }
            if station.channels.is_empty() {
                let message = format!("station \"{}\" has no channel", station.name.get_ref());
                problems.error(station.name.span(), message, "add channels = [{ id = … }]");
            }
            let texts = station.channels.iter().flat_map(|channel| [channel.symbol.as_ref(), channel.unit.as_ref()]);
            texts.flatten().for_each(|text| check_field(text, problems));
        }
        self.no_value.iter().for_each(|text| check_field(text, problems));
    }
}

impl FilesSink {
    /// Files go to one place.
    fn check_destination(&self, problems: &mut Problems) {
        let name = self.name.get_ref();
        match (&self.directory, &self.server) {
            (Some(directory), Some(_)) => problems.error(
                directory.span(),
                format!("sink \"{name}\" has a directory and a server"),
                "keep one, or write a sink for each",
            ),
            (None, None) => problems.error(
                self.name.span(),
                format!("sink \"{name}\" has neither a directory nor a server"),
                "add directory = \"/path\" or server = { url = \"sftp://…\", … }",
            ),
            (Some(directory), None) if !directory.get_ref().is_absolute() => problems.error(
                directory.span(),
                format!("sink \"{name}\": directory \"{}\" is not absolute", directory.get_ref().display()),
                "write it from the root, like \"/var/spool/parkgate/files\"",
            ),
            (Some(_), None) => {}
            (None, Some(server)) => server.check(name, problems),
        }
    }
}

/// A part of a file's name holds nothing that would end the part, or lead to another folder.
fn check_part(part: &Spanned<String>, problems: &mut Problems) {
    let text = part.get_ref();
    let is_plain = text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-');
    if text.is_empty() || text.len() > PART_LETTERS_MAX || !is_plain {
        let message = format!("\"{text}\" can't be part of a file's name");
        problems.error(
            part.span(),
            message,
            format!("use up to {PART_LETTERS_MAX} letters without marks, digits and '-'"),
        );
    }
}

/// A field holds nothing that would end it.
fn check_field(text: &Spanned<String>, problems: &mut Problems) {
    if text.get_ref().chars().any(char::is_control) {
        let message = format!("{:?} holds a tab or another control character", text.get_ref());
        problems.error(text.span(), message, "a tab separates fields, a line break ends them: remove it");
    }
}

#[cfg(test)]
mod tests {
    use super::FilesSink;
    use crate::model::pollutant::Parameter;
    use crate::model::problem::Problems;

    const SINK: &str = "name = \"donre\"\ndirectory = \"/spool\"\nprovince = \"HN\"\nfacility = \"ABCD\"\n\
        station = [{ name = \"KHI001\", channels = [{ id = \"so2\" }, { id = \"t\", symbol = \"Temp\", unit = \"oC\" }] }]\n";

    fn said(from: &str, to: &str) -> Vec<String> {
        assert!(SINK.contains(from), "{from}");
        let sink: FilesSink = toml::from_str(&SINK.replacen(from, to, 1)).unwrap();
        let mut problems = Problems::default();
        sink.check(&mut problems);
        problems.0.into_iter().map(|problem| problem.message).collect()
    }

    #[test]
    fn what_no_department_would_take_is_said_before_it_is_tried() {
        assert_eq!(said("HN", "HN"), Vec::<String>::new());
        for (from, to, expected) in [
            ("HN", "H_N", "\"H_N\" can't be part of a file's name"),
            ("ABCD", "../x", "\"../x\" can't be part"),
            ("KHI001", "", "\"\" can't be part"),
            ("\"/spool\"", "\"spool\"", "is not absolute"),
            ("directory", "# ", "has neither a directory nor a server"),
            ("province", "server = { url = \"sftp://a\", username = \"u\" }\nprovince", "has a directory and a server"),
            (
                "directory = \"/spool\"",
                "server = { url = \"scp://a\", username = \"u\" }",
                "can't be sent by \"scp://\"",
            ),
            ("\"oC\"", "\"o\\tC\"", "holds a tab"),
            ("name = \"donre\"", "name = \"donre\"\naccepted = \" \"", "accepted is empty"),
            ("name = \"donre\"", "name = \"donre\"\ndecimals = 7", "7 decimal places"),
            ("name = \"donre\"", "name = \"donre\"\nno_value = \"\\n\"", "control character"),
            ("[{ id = \"so2\" }, { id = \"t\", symbol = \"Temp\", unit = \"oC\" }]", "[]", "has no channel"),
        ] {
            let said = said(from, to);
            assert!(said.iter().any(|message| message.contains(expected)), "{to}: {said:?}");
        }
    }

    #[test]
    fn a_station_has_the_usual_symbols_and_units_unless_the_department_wants_others() {
        let sink: FilesSink = toml::from_str(SINK).unwrap();
        let stations = sink.stations(|id| match id.as_str() {
            "so2" => Some(Parameter::SulphurDioxide),
            _ => Some(Parameter::Temperature),
        });
        let fields: Vec<_> = stations[0].channels.iter().map(|it| (it.symbol.as_str(), it.unit.as_str())).collect();
        assert_eq!(fields, [("SO2", "mg/Nm3"), ("Temp", "oC")]);
    }
}
