//! `gateway.toml`: the configuration of an edge box.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::Deserialize;
use serde_spanned::Spanned;
use sha2::Digest as _;

use super::document::Document;
use super::tree::Tree;
use super::{
    assets, baselines, calendar, channel, context, emission, finish, meters, profiles, reference, sinks, sources,
    spelling, tariff,
};
use crate::api::config::HttpConfig;
use crate::engine::calendar::Calendar;
use crate::engine::config::baseline::BaselineConfig;
use crate::engine::config::calendar::{CalendarConfig, WorkCalendarConfig};
use crate::engine::config::channel::ChannelConfig;
use crate::engine::config::context::{ProductConfig, StopReasonConfig};
use crate::engine::config::emission::{ContractConfig, EmissionConfig};
use crate::engine::config::meter::MeterConfig;
use crate::engine::config::tariff::TariffConfig;
use crate::engine::config::{AssetConfig, FactorsConfig, RecordsConfig};
use crate::engine::plant::{Asset, Plant};
use crate::model::enterprise::EnterpriseNumber;
use crate::model::id::{AssetId, Digest, GatewayId, ParkId, SiteId};
use crate::model::problem::Problems;
use crate::model::tag::{SourceIndex, TagSpec};
use crate::model::time::Grain;
use crate::profile::Library;
use crate::reference::Reference;
use crate::sinks::files::config::FilesSink;
use crate::sinks::influxdb::config::InfluxSink;
use crate::sinks::mqtt::config::MqttSink;
use crate::sinks::platform::config::PlatformSink;
use crate::sources::modbus::config::ModbusSource;
use crate::sources::mqtt::config::MqttSource;
use crate::store::config::StoreConfig;

/// The sections of the file.
const SECTIONS: &[&str] = &[
    "gateway",
    "http",
    "store",
    "profile",
    "source",
    "asset",
    "channel",
    "meter",
    "product",
    "stop_reason",
    "calendar",
    "work_calendar",
    "records",
    "factors",
    "tariff",
    "baseline",
    "emission",
    "contract",
    "sink",
];

/// Grains of which records are made unless `[records]` says otherwise.
const GRAINS: [Grain; 4] = [Grain::Hour, Grain::Shift, Grain::Day, Grain::Month];

/// The configuration of an edge box, without an error.
#[derive(Debug, Clone)]
pub struct Gateway {
    /// Name of the file it was read from, as given.
    pub file: String,
    /// The box itself.
    pub gateway: GatewaySection,
    /// Modbus devices, with their positions among all sources.
    pub modbus: Vec<(SourceIndex, ModbusSource)>,
    /// MQTT brokers, with their positions among all sources.
    pub mqtt: Vec<(SourceIndex, MqttSource)>,
    /// The device types that its sources may name: the built-in ones and its own.
    pub profiles: Library,
    /// Every tag of every source, sorted by name: the position is the [`crate::model::tag::TagIndex`].
    pub tags: Vec<TagSpec>,
    /// What KPIs are about, in the order of the file.
    pub assets: Vec<AssetConfig>,
    /// Stacks and outfalls: more assets, one a parameter.
    pub channels: Vec<ChannelConfig>,
    /// What assets can be told to make.
    pub products: Vec<ProductConfig>,
    /// Why machines can be told to have stopped.
    pub stop_reasons: Vec<StopReasonConfig>,
    /// Meters below boundaries, and virtual ones.
    pub meters: Vec<MeterConfig>,
    /// What electricity is compared with.
    pub baselines: Vec<BaselineConfig>,
    /// By which hours and prices grid electricity is split; `None` where none is declared.
    pub tariff: Option<TariffConfig>,
    /// When production is planned.
    pub calendar: CalendarConfig,
    /// When it is planned at the assets that name another calendar than the site's.
    pub work_calendars: Vec<WorkCalendarConfig>,
    /// Which windows are closed and logged.
    pub records: RecordsConfig,
    /// Which factors count.
    pub factors: FactorsConfig,
    /// Sources of greenhouse gases.
    pub emissions: Vec<EmissionConfig>,
    /// Contracts that cover electricity.
    pub contracts: Vec<ContractConfig>,
    /// The reference data that comes with the program, and that of `[factors] files`.
    pub reference: Reference,
    /// Name and text of every data file of it.
    pub reference_texts: Vec<(String, String)>,
    /// Authorities' platforms.
    pub platforms: Vec<PlatformSink>,
    /// InfluxDB servers.
    pub influx: Vec<InfluxSink>,
    /// Brokers that get the record log.
    pub brokers: Vec<MqttSink>,
    /// Directories that get text files of monitoring stations.
    pub files: Vec<FilesSink>,
    /// Where API and pages listen.
    pub http: HttpConfig,
    /// How much of the disk is used, and how long what is kept.
    pub store: StoreConfig,
    /// SHA-256 of the text, and of the profiles of the user's own: the version that samples and records name.
    pub digest: Digest,
    /// The text, kept by the store beside the digest.
    pub text: String,
}

/// `[gateway]`: the box and whose it is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewaySection {
    /// Id of the box, unique at the authority.
    pub id: Spanned<GatewayId>,
    /// The enterprise's registration number.
    pub enterprise: Spanned<EnterpriseNumber>,
    /// The park the factory stands in.
    pub park: Spanned<ParkId>,
    /// The factory; together with an asset the key of its figures.
    pub site: Spanned<SiteId>,
    /// IANA name of the site's time zone; `Asia/Ho_Chi_Minh` where none is given.
    #[serde(default = "viet_nam")]
    pub timezone: Spanned<String>,
    /// Where the box keeps its store and its key. Created when missing.
    pub data_dir: Spanned<PathBuf>,
}

fn viet_nam() -> Spanned<String> {
    // No span: nothing stands in the file.
    Spanned::new(0..0, "Asia/Ho_Chi_Minh".to_owned())
}

impl GatewaySection {
    /// Returns the site's time zone; an unknown one was refused by [`GatewaySection::check`].
    pub fn zone(&self) -> jiff::tz::TimeZone {
        jiff::tz::TimeZone::get(self.timezone.get_ref()).unwrap_or(jiff::tz::TimeZone::UTC)
    }

    /// Reports an unknown time zone and an empty directory.
    pub fn check(&self, problems: &mut Problems) {
        let zone = self.timezone.get_ref();
        if jiff::tz::TimeZone::get(zone).is_err() {
            let known: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
            let help = match spelling::nearest(zone, known.iter().map(String::as_str)) {
                Some(name) => format!("did you mean \"{name}\"?"),
                None => "write an IANA name, like \"Asia/Ho_Chi_Minh\"".to_owned(),
            };
            problems.error(self.timezone.span(), format!("time zone \"{zone}\" is unknown"), help);
        }
        if self.data_dir.get_ref().as_os_str().is_empty() {
            problems.error(self.data_dir.span(), "data_dir is empty", "write a directory, like \"/var/lib/parkgate\"");
        }
    }
}

/// Reads the configuration of an edge box. `file` is its name, kept for messages.
///
/// Returns no configuration where there is an error; warnings may come with one.
pub fn load_gateway(file: &str, text: &str) -> (Option<Gateway>, Problems) {
    load_gateway_with(file, text, Library::builtin())
}

/// As [`load_gateway`], with the profiles of the user's own that [`profile_files`] names.
pub fn load_gateway_with(file: &str, text: &str, profiles: Library) -> (Option<Gateway>, Problems) {
    load_gateway_from(file, text, profiles, &reference::Texts::new())
}

/// As [`load_gateway_with`], with the texts of the reference files that [`reference_files`] names, or why one can't be
/// read.
pub fn load_gateway_from(
    file: &str,
    text: &str,
    profiles: Library,
    references: &reference::Texts,
) -> (Option<Gateway>, Problems) {
    let mut problems = Problems::default();
    let gateway = read(file, text, profiles, references, &mut problems);
    let problems = finish(text, problems);
    (gateway.filter(|_| !problems.has_errors()), problems)
}

fn read(
    file: &str,
    text: &str,
    profiles: Library,
    references: &reference::Texts,
    problems: &mut Problems,
) -> Option<Gateway> {
    let document = Document::parse(text, SECTIONS, problems);
    let gateway = document.section::<GatewaySection>("gateway", problems).value;
    let http = document.optional_section::<HttpConfig>("http", problems);
    let store = document.optional_section::<StoreConfig>("store", problems);
    let profiles = profiles::read(&document, profiles, problems);
    let sources = sources::read(&document, &profiles, problems);
    let asset_list = assets::read(&document, problems);
    let channels = channel::read(&document, problems);
    let told = context::read(&document, problems);
    let meter_list = meters::read(&document, problems);
    let baseline_list = document.entries::<BaselineConfig>("baseline", problems);
    let tariff = document.optional_section::<TariffConfig>("tariff", problems);
    let calendar = document.optional_section::<CalendarConfig>("calendar", problems);
    let work_calendars = calendar::read(&document, problems);
    let records = document.optional_section::<RecordsConfig>("records", problems);
    let factors = document.optional_section::<FactorsConfig>("factors", problems);
    let emissions = emission::read(&document, problems);
    let sinks = sinks::read(&document, problems);
    let own_files =
        factors.as_ref().and_then(|factors| factors.value.as_ref()).map_or(&[][..], |factors| &factors.files);
    let (reference, reference_texts) = reference::read(own_files, references, problems);
    // What is missing may only be unreadable, so nothing is said about what refers to what.
    if document.is_damaged() {
        document.drop_follow_ups(problems);
        return None;
    }
    gateway.iter().for_each(|gateway| gateway.check(problems));
    http.iter().filter_map(|http| http.value.as_ref()).for_each(|http| http.check(problems));
    store.iter().filter_map(|store| store.value.as_ref()).for_each(|store| store.check(problems));
    assets::check(&asset_list, &meter_list, &sources.tags, problems);
    if asset_list.is_complete {
        context::check(&told, &asset_list.assets, problems);
    }
    meters::check(&meter_list, &asset_list, &sources.tags, problems);
    baselines::check(&baseline_list, &asset_list, &sources.tags, problems);
    tariff::check(tariff.as_ref(), calendar.as_ref(), &reference, problems);
    channel::check(&channels, &asset_list, &sources.tags, &reference, problems);
    let has_shifts = calendar::check(calendar.as_ref(), &work_calendars, &asset_list.assets, &reference, problems);
    calendar::check_grains(records.as_ref(), has_shifts, problems);
    emission::check(&emissions, &asset_list.assets, &sources.tags, &reference, problems);
    emission::check_factors(factors.as_ref().and_then(|factors| factors.value.as_ref()), problems);
    sinks::check(&sinks, &asset_list, has_shifts, problems);
    sinks::check_stations(&sinks, &channels, problems);
    let tags = sources.tags.into_specs();
    if !problems.has_errors() {
        meters::warn_of_overlaps(&asset_list, &meter_list, &tags, problems);
    }
    Some(Gateway {
        file: file.to_owned(),
        gateway: gateway?,
        modbus: sources.modbus,
        mqtt: sources.mqtt,
        tags,
        assets: asset_list.assets,
        channels: channels.channels,
        products: told.products,
        stop_reasons: told.reasons,
        meters: meter_list.meters,
        baselines: baseline_list.into_iter().filter_map(|baseline| baseline.value).collect(),
        tariff: tariff.and_then(|tariff| tariff.value),
        calendar: or_default(calendar)?,
        work_calendars: work_calendars.calendars,
        records: or_default(records)?,
        factors: or_default(factors)?,
        emissions: emissions.sources,
        contracts: emissions.contracts,
        platforms: sinks.platforms,
        influx: sinks.influx,
        brokers: sinks.brokers,
        files: sinks.files,
        http: or_default(http)?,
        store: or_default(store)?,
        digest: digest(text, &profiles, reference_texts.get(crate::reference::FILES.len()..).unwrap_or_default()),
        reference,
        reference_texts,
        text: text.to_owned(),
        profiles,
    })
}

/// Returns the version of a configuration: another text is another one, and so is another profile or reference file
/// that it names.
fn digest(text: &str, profiles: &Library, references: &[(String, String)]) -> Digest {
    let mut hash = sha2::Sha256::new_with_prefix(text);
    let references = references.iter().map(|(path, text)| (path.as_str(), text.as_str()));
    for (path, text) in profiles.files().chain(references) {
        // Lengths keep one file's end from being taken for another's beginning.
        for part in [path, text] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
    }
    Digest(hash.finalize().into())
}

/// Returns the paths of profiles that a configuration names, each once, as written. A file that can't be read as TOML
/// names none: what is wrong with it is said when it is loaded.
pub fn profile_files(text: &str) -> BTreeSet<String> {
    let file = text.parse::<toml::Table>().unwrap_or_default();
    let sources = file.get("source").and_then(toml::Value::as_array);
    let names = sources.into_iter().flatten().filter_map(|source| source.get("profile")?.as_str());
    names.filter(|name| is_profile_file(name)).map(str::to_owned).collect()
}

/// Returns the paths of the reference files that a configuration names, each once, as written.
pub fn reference_files(text: &str) -> BTreeSet<String> {
    let file = text.parse::<toml::Table>().unwrap_or_default();
    let files = file.get("factors").and_then(|factors| factors.get("files")).and_then(toml::Value::as_array);
    files.into_iter().flatten().filter_map(toml::Value::as_str).map(str::to_owned).collect()
}

fn is_profile_file(name: &str) -> bool {
    std::path::Path::new(name).extension().is_some_and(|extension| extension == "toml")
}

/// Returns the default of a section that was left out, and nothing for one that couldn't be read.
fn or_default<T: Default>(section: Option<super::component::Component<T>>) -> Option<T> {
    section.map_or_else(|| Some(T::default()), |section| section.value)
}

impl Gateway {
    /// Returns the plant as the engine knows it: tags by position, assets each after its parent, defaults filled in.
    pub fn plant(&self) -> Plant {
        let tree = Tree::grow(&self.assets, &mut Problems::default()).expect("loading has checked the tree");
        let calendars = self.calendars();
        let mut assets = tree.plant_assets(&self.assets, &self.meters, &self.tags);
        self.assign_calendars(&mut assets);
        baselines::give(&mut assets, &self.baselines, &self.tags, calendars[0].zone());
        channel::append(&self.channels, &self.tags, &self.reference, &mut assets);
        let site = self.gateway.site.get_ref().clone();
        let build = self.build(&self.reference, calendars[0].zone());
        build.place((&self.emissions, &self.contracts), &mut assets);
        let reason = |reason: &StopReasonConfig| (reason.code.get_ref().clone(), reason.counts_as.state());
        Plant {
            tags: self.tags.clone(),
            products: context::products(&self.products, &assets, calendars[0].zone()),
            stop_reasons: self.stop_reasons.iter().map(reason).collect(),
            assets,
            gwp: build.gwp(),
            tariff: self.tariff.as_ref().map(|tariff| tariff::build(tariff, &self.calendar, &self.reference)),
            grains: self.grains(),
            reference: self.reference.clone(),
            grid_factor: self.factors.grid_factor.missing,
            ..Plant::new(site, calendars[0].clone(), self.digest).with_calendars(calendars)
        }
    }

    fn build<'a>(&'a self, reference: &'a Reference, zone: &'a jiff::tz::TimeZone) -> emission::Build<'a> {
        emission::Build { tags: &self.tags, reference, zone, factors: &self.factors, config: self.digest }
    }

    /// Returns what was understood of each source of emissions: which factors count, and how surely they are known.
    pub fn emission_lines(&self) -> Vec<String> {
        let plant = self.plant();
        let build = self.build(&self.reference, plant.site_calendar().zone());
        emission::summary(&build, &self.emissions, &plant.assets)
    }

    /// Returns the calendars: the site's first, then each `[[work_calendar]]`, in the order of the file.
    fn calendars(&self) -> Vec<Calendar> {
        let zone = jiff::tz::TimeZone::get(self.gateway.timezone.get_ref()).expect("loading has checked the time zone");
        calendar::build(&self.calendar, &self.work_calendars, &zone, &self.reference)
    }

    /// Gives each asset the calendar that it names, or its parent's. **Order**: each after its parent.
    fn assign_calendars(&self, assets: &mut [Asset]) {
        let named: BTreeMap<&AssetId, &str> = self
            .assets
            .iter()
            .filter_map(|asset| Some((asset.id.get_ref(), asset.calendar.as_ref()?.get_ref().as_str())))
            .collect();
        for position in 0..assets.len() {
            let own = named.get(&assets[position].id).and_then(|name| {
                self.work_calendars.iter().position(|calendar| calendar.name.get_ref() == name).map(|place| place + 1)
            });
            let of_parent = assets[position].parent.map_or(0, |parent| assets[parent].calendar);
            assets[position].calendar = own.unwrap_or(of_parent);
        }
    }

    /// Says what each calendar means, in lines.
    pub fn calendar_lines(&self) -> Vec<String> {
        let plant = self.plant();
        let users: Vec<usize> = (0..plant.calendars.len())
            .map(|calendar| plant.assets.iter().filter(|asset| asset.calendar == calendar).count())
            .collect();
        calendar::describe(&plant.calendars, &users, &self.calendar, &self.work_calendars, &plant.reference)
    }

    /// Says whether any calendar has shifts.
    fn has_shifts(&self) -> bool {
        !self.calendar.shifts.is_empty() || !self.work_calendars.is_empty()
    }

    /// Returns the grains of which records are made, ascending: the declared ones and those of the shares.
    fn grains(&self) -> Vec<Grain> {
        let declared = self.records.grains.as_ref();
        let mut grains: Vec<Grain> = match declared {
            Some(grains) => grains.iter().map(|grain| *grain.get_ref()).collect(),
            None => GRAINS.into_iter().filter(|grain| *grain != Grain::Shift || self.has_shifts()).collect(),
        };
        grains.extend(self.platforms.iter().map(|sink| sink.share.policy().grain));
        grains.sort_unstable();
        grains.dedup();
        grains
    }
}
