//! Which profile an unknown device could be.
//!
//! In: what a device said about itself, the registers that were read on the way, and the profiles. Out: the reads
//! that would tell profiles apart, and [`Candidate`]s, best founded first. Only an identity (a name, a register with
//! known content, a SunSpec model) makes a match; values that merely look right make a profile plausible, never
//! certain. A profile whose identity was read and doesn't fit is no candidate, however well its values look.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::config::ModbusSource;
use super::plan::{Request, Span};
use super::points::{ResolvedPoint, resolve};
use super::sunspec::Model;
use crate::model::problem::Problems;
use crate::profile::Library;
use crate::profile::library::Profile;
use crate::profile::register::RegisterType;

/// Registers that were asked for: their words, or `None` where the device gave none.
pub type Seen = BTreeMap<Request, Option<Vec<u16>>>;

/// Quantities whose values tell something, the ranges they lie in, and what a fit is worth: every grid has a
/// frequency, while a power factor is a small number like many others.
const TELLING: &[(&str, (f64, f64), u8)] = &[
    ("frequency", (45.0, 65.0), 3),
    ("voltage_l1", (80.0, 500.0), 2),
    ("voltage_l2", (80.0, 500.0), 2),
    ("power_factor", (-1.0, 1.0), 1),
    ("active_energy_import", (1e-3, 1e9), 1),
];
/// Reads per profile: enough to doubt, few enough for a bus that works.
const READS_MAX: usize = 3;
/// Least worth of fits: a frequency, or a voltage and something else.
const FITS_MIN: u8 = 3;

/// What is known of one device.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Vendor and product from function 43/14.
    pub names: Option<(String, String)>,
    /// Registers that were asked for.
    pub seen: Seen,
    /// SunSpec models that were walked.
    pub models: Vec<Model>,
}

/// Why a profile is a candidate, the strongest first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Evidence {
    /// Its identity registers hold what they should.
    IdentityRegister,
    /// It names itself so.
    Names,
    /// It lists the profile's model.
    SunSpecModel(u16),
    /// So many of the values that were read look right.
    Plausible {
        /// Points that fit.
        fits: Vec<String>,
        /// Points that were read.
        read: usize,
    },
}

/// One profile that the device could be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its name.
    pub profile: String,
    /// Why.
    pub evidence: Evidence,
    /// Where the profile's SunSpec model begins; `None` for other profiles.
    pub model_address: Option<u16>,
    /// Only the order has a meaning.
    worth: u8,
}

impl Candidate {
    /// Says whether the device itself says so, as against values that look right.
    pub const fn is_match(&self) -> bool {
        !matches!(self.evidence, Evidence::Plausible { .. })
    }
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let profile = &self.profile;
        match &self.evidence {
            Evidence::IdentityRegister => write!(f, "matches {profile} (identity register)"),
            Evidence::Names => write!(f, "matches {profile} (device identification)"),
            Evidence::SunSpecModel(model) => {
                write!(f, "matches {profile} (SunSpec model {model} at {})", self.model_address.unwrap_or(0))
            }
            Evidence::Plausible { fits, read } => {
                write!(f, "plausible as {profile} ({} of {read} values look right: {})", fits.len(), fits.join(", "))
            }
        }
    }
}

/// Returns the reads of the identity registers of all profiles, each once.
pub fn identity_reads(profiles: &Library) -> Vec<Request> {
    let reads = profiles.iter().filter(|profile| profile.sunspec_model.is_none()).flat_map(identity_of);
    reads.collect::<BTreeSet<_>>().into_iter().collect()
}

fn identity_of(profile: &Profile) -> Vec<Request> {
    let registers = profile.identity.registers.iter();
    registers.filter_map(|register| Request::new(register.table, register.address, register.length())).collect()
}

/// Returns the reads whose values tell whether a device is plausible as a profile that `known` doesn't rule out, each
/// once: a few for each profile.
pub fn value_reads(profiles: &Library, known: &Known) -> Vec<Request> {
    let open = profiles.iter().filter(|profile| profile.sunspec_model.is_none() && !is_ruled_out(profile, known));
    let reads =
        open.flat_map(|profile| telling_points(profiles, profile)).filter_map(|(point, ..)| request(point.span));
    reads.collect::<BTreeSet<_>>().into_iter().collect()
}

/// Returns the profiles that the device could be, best founded first. Among profiles that merely look plausible only
/// those with the most fits are kept: the rest would be noise.
pub fn candidates(profiles: &Library, known: &Known) -> Vec<Candidate> {
    let mut found: Vec<Candidate> = profiles.iter().filter_map(|profile| candidate(profiles, profile, known)).collect();
    let best = found.iter().filter(|candidate| !candidate.is_match()).map(|candidate| candidate.worth).max();
    let is_matched = found.iter().any(Candidate::is_match);
    found.retain(|candidate| candidate.is_match() || (!is_matched && Some(candidate.worth) == best));
    let rank = |candidate: &Candidate| match candidate.evidence {
        Evidence::IdentityRegister => 0,
        Evidence::Names => 1,
        Evidence::SunSpecModel(_) => 2,
        Evidence::Plausible { .. } => 3,
    };
    found.sort_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| a.profile.cmp(&b.profile)));
    found
}

fn candidate(profiles: &Library, profile: &Profile, known: &Known) -> Option<Candidate> {
    let of = |evidence, model_address, worth| {
        Some(Candidate { profile: profile.name.clone(), evidence, model_address, worth })
    };
    if let Some(model) = profile.sunspec_model {
        // A SunSpec profile needs its model; a vendor's name that doesn't fit rules it out all the same.
        let place = known.models.iter().find(|found| found.id == model)?;
        return if is_ruled_out(profile, known) {
            None
        } else {
            of(Evidence::SunSpecModel(model), Some(place.address), 0)
        };
    }
    if is_ruled_out(profile, known) {
        return None;
    }
    if identity_fits(profile, known) == Some(true) {
        return of(Evidence::IdentityRegister, None, 0);
    }
    if names_fit(profile, known) == Some(true) {
        return of(Evidence::Names, None, 0);
    }
    let (fits, read, worth) = plausible(profiles, profile, known)?;
    of(Evidence::Plausible { fits, read }, None, worth)
}

/// Says whether something that the profile expects was read and is otherwise.
fn is_ruled_out(profile: &Profile, known: &Known) -> bool {
    names_fit(profile, known) == Some(false)
        || (profile.sunspec_model.is_none() && identity_fits(profile, known) == Some(false))
}

fn names_fit(profile: &Profile, known: &Known) -> Option<bool> {
    let (vendor, product) = known.names.as_ref()?;
    profile.identity.matches_names(vendor, &[product])
}

/// Compares the identity registers; `None` where there are none, or none was read yet.
fn identity_fits(profile: &Profile, known: &Known) -> Option<bool> {
    let registers = &profile.identity.registers;
    if registers.is_empty() {
        return None;
    }
    let mut fits = true;
    for register in registers {
        let answer = known.seen.get(&Request::new(register.table, register.address, register.length())?)?;
        fits &= answer.as_ref().is_some_and(|words| register.matches(words));
    }
    Some(fits)
}

/// Reads the profile's telling values: one that the device refuses or that can't be is enough to drop it.
fn plausible(profiles: &Library, profile: &Profile, known: &Known) -> Option<(Vec<String>, usize, u8)> {
    let (mut fits, mut worth, mut read) = (Vec::new(), 0, 0);
    for (point, range, counts) in telling_points(profiles, profile) {
        let words = known.seen.get(&request(point.span)?)?.as_ref()?;
        read += 1;
        let Ok(value) = point.decoding.words(words) else { continue };
        let value = value.as_f64();
        if value == 0.0 {
            // An idle phase, a meter that is new: it says nothing.
            continue;
        }
        if !(range.0..=range.1).contains(&value) {
            return None;
        }
        worth += counts;
        fits.push(point_of(&point).to_owned());
    }
    (worth >= FITS_MIN && fits.len() > 1).then_some((fits, read, worth))
}

fn telling_points(profiles: &Library, profile: &Profile) -> Vec<(ResolvedPoint, (f64, f64), u8)> {
    let points = points(profiles, profile);
    let find = |name: &str| points.iter().find(|point| point_of(point) == name && is_numeric(point)).cloned();
    TELLING.iter().filter_map(|(name, range, worth)| Some((find(name)?, *range, *worth))).take(READS_MAX).collect()
}

fn is_numeric(point: &ResolvedPoint) -> bool {
    point.decoding.register_type != RegisterType::Bit
}

fn point_of(point: &ResolvedPoint) -> &str {
    point.name.as_str().rsplit('.').next().unwrap_or_default()
}

fn request(span: Span) -> Option<Request> {
    Request::new(span.table, span.address, span.length)
}

/// Resolves a profile's points as the poll loop would, without transformers.
fn points(profiles: &Library, profile: &Profile) -> Vec<ResolvedPoint> {
    #[derive(serde::Deserialize)]
    struct File {
        source: Vec<ModbusSource>,
    }
    let text = format!("[[source]]\nname = \"m\"\nurl = \"tcp://m\"\nprofile = \"{}\"\n", profile.name);
    let Ok(mut file) = toml::from_str::<File>(&text) else { return Vec::new() };
    resolve(&file.source.remove(0), profiles, &mut Problems::default())
}

#[cfg(test)]
mod tests {
    use super::{Candidate, Evidence, Known, candidates, identity_reads, value_reads};
    use crate::profile::Library;
    use crate::sources::modbus::sunspec::Model;

    /// Two meters that differ in their order, one with an identity register, and a SunSpec meter.
    fn library() -> Library {
        let meter = |name: &str, order: &str, extra: &str| {
            format!(
                r#"
                name = "{name}"
                vendor = "V"
                model = "M"
                confidence = "one_source"
                sources = ["constructed"]
                {extra}
                [[register]]
                point = "voltage_l1"
                address = 0
                table = "input"
                type = "float32"
                order = "{order}"
                unit = "V"
                [[register]]
                point = "frequency"
                address = 70
                table = "input"
                type = "float32"
                order = "{order}"
                unit = "Hz"
                [[example]]
                point = "frequency"
                words = [0, 0]
                origin = "constructed"
                "#
            )
        };
        let identity = "[identity]\nregister = [{ table = \"holding\", address = 11, words = [0x155] }]";
        let files = [
            ("named", meter("named", "ABCD", "[identity]\nvendor = \"Acme\"\nproduct = \"X1\"")),
            ("plain", meter("plain", "ABCD", "")),
            ("sunspec", meter("sunspec", "ABCD", "sunspec_model = 203")),
            ("swapped", meter("swapped", "CDAB", "")),
            ("told", meter("told", "ABCD", identity)),
        ];
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
        Library::parse(&files).unwrap()
    }

    fn float(value: f32) -> Vec<u16> {
        let bits = value.to_bits();
        vec![(bits >> 16) as u16, bits as u16]
    }

    /// Answers every read that is wanted as `device` would; `None` is a refusal.
    fn seen(library: &Library, known: &mut Known, device: impl Fn(u16) -> Option<Vec<u16>>) {
        for request in [identity_reads(library), value_reads(library, known)].concat() {
            known.seen.insert(request, device(request.address()));
        }
    }

    fn names(found: &[Candidate]) -> Vec<&str> {
        found.iter().map(|candidate| candidate.profile.as_str()).collect()
    }

    #[test]
    fn each_register_is_asked_for_once_however_many_profiles_want_it() {
        let library = library();
        assert_eq!(identity_reads(&library).len(), 1);
        let reads = value_reads(&library, &Known::default());
        let addresses: Vec<u16> = reads.iter().map(|request| request.address()).collect();
        assert_eq!(addresses, [0, 70]);
    }

    #[test]
    fn an_identity_register_makes_a_match_and_leaves_no_guess_beside_it() {
        let library = library();
        let mut known = Known::default();
        seen(&library, &mut known, |address| match address {
            11 => Some(vec![0x155]),
            0 => Some(float(230.0)),
            _ => Some(float(50.0)),
        });
        let found = candidates(&library, &known);
        assert_eq!(names(&found), ["told"]);
        assert_eq!(found[0].to_string(), "matches told (identity register)");
    }

    #[test]
    fn values_that_look_right_make_a_profile_plausible_and_never_more() {
        let library = library();
        let mut known = Known::default();
        seen(&library, &mut known, |address| match address {
            11 => None,
            0 => Some(float(230.0)),
            _ => Some(float(50.0)),
        });
        let found = candidates(&library, &known);
        // "told" is ruled out by its identity register, "swapped" by its values.
        assert_eq!(names(&found), ["named", "plain"]);
        assert!(found.iter().all(|candidate| !candidate.is_match()));
        assert_eq!(found[1].to_string(), "plausible as plain (2 of 2 values look right: frequency, voltage_l1)");
    }

    #[test]
    fn a_refused_register_a_wrong_value_and_zeros_are_no_candidate() {
        let library = library();
        for device in [
            (|address| (address == 0).then(|| float(230.0))) as fn(u16) -> Option<Vec<u16>>,
            |address| Some(float(if address == 0 { 2.4e-41 } else { 50.0 })),
            |_| Some(vec![0, 0]),
            |address| Some(float(if address == 0 { 0.0 } else { 50.0 })),
        ] {
            let mut known = Known::default();
            seen(&library, &mut known, device);
            assert_eq!(names(&candidates(&library, &known)), Vec::<&str>::new());
        }
    }

    #[test]
    fn what_a_device_says_of_itself_matches_and_rules_out() {
        let library = library();
        let named = |vendor: &str, product: &str| Known {
            names: Some((vendor.to_owned(), product.to_owned())),
            ..Known::default()
        };
        let found = candidates(&library, &named("ACME Ltd", "X1-3"));
        assert_eq!(found[0].to_string(), "matches named (device identification)");
        assert_eq!(candidates(&library, &named("Acme", "Y7")), []);
    }

    #[test]
    fn a_sunspec_model_matches_with_its_address() {
        let library = library();
        let models = vec![Model { id: 203, address: 40_122, length: 105 }];
        let found = candidates(&library, &Known { models, ..Known::default() });
        assert_eq!(found[0].evidence, Evidence::SunSpecModel(203));
        assert_eq!(found[0].model_address, Some(40_122));
    }

    #[test]
    fn every_builtin_profile_is_asked_about_within_a_bounded_number_of_reads() {
        let library = Library::builtin();
        let reads = identity_reads(&library).len() + value_reads(&library, &Known::default()).len();
        let profiles = library.iter().count();
        assert!(reads <= 4 * profiles && reads > 0, "{reads} reads for {profiles} profiles");
    }
}
