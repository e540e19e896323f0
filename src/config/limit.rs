//! The limits of a `[[channel]]`: whether each says what it is, and the dated limits that follow.

use jiff::civil::Date;
use serde_spanned::Spanned;
use sha2::Digest as _;

use super::spelling;
use crate::engine::config::channel::{ChannelConfig, LimitConfig};
use crate::engine::pollutant::{DatedLimit, LimitSource, limit::by_precedence};
use crate::model::id::Digest;
use crate::model::problem::Problems;
use crate::model::record::FactorRef;
use crate::reference::Reference;
use crate::reference::limit::{Limit, LimitCoefficient};

/// The quantities that choose a coefficient.
const QUANTITIES: [&str; 5] = ["discharge_m3_per_day", "river_m3_per_s", "lake_m3", "stack_m3_per_h", "zone"];

/// Checks every limit of a channel.
pub(super) fn check(channel: &ChannelConfig, reference: &Reference, problems: &mut Problems) {
    let mut seen: Vec<(bool, Date)> = Vec::new();
    for limit in &channel.limit {
        let id = channel.id.get_ref();
        match resolve(channel, limit.get_ref(), reference) {
            Err((message, help)) => {
                problems.error(limit.span(), format!("a limit of channel \"{id}\" {message}"), help);
            }
            // Which of the two counts would be chance.
            Ok(dated) if seen.contains(&(dated.source == LimitSource::Class, dated.from)) => {
                let message = format!("channel \"{id}\" has two limits of one kind from {}", dated.from);
                problems.error(limit.span(), message, "keep one of the two, or give each its own valid_from");
            }
            Ok(dated) => seen.push((dated.source == LimitSource::Class, dated.from)),
        }
        warn_of_replaced(channel, limit, reference, problems);
    }
}

/// Builds the limits of a channel that was checked.
pub(super) fn build(channel: &ChannelConfig, reference: &Reference) -> Vec<DatedLimit> {
    let mut limits: Vec<DatedLimit> =
        channel.limit.iter().filter_map(|limit| resolve(channel, limit.get_ref(), reference).ok()).collect();
    by_precedence(&mut limits);
    limits
}

/// What is wrong with a limit, and what to write.
type Wrong = (String, String);

fn wrong<T>(message: impl Into<String>, help: impl Into<String>) -> Result<T, Wrong> {
    Err((message.into(), help.into()))
}

fn resolve(channel: &ChannelConfig, limit: &LimitConfig, reference: &Reference) -> Result<DatedLimit, Wrong> {
    let dated = match (&limit.permit, &limit.agreement, &limit.regulation) {
        (Some(document), None, None) => written(channel, limit, LimitSource::Permit, document)?,
        (None, Some(document), None) => written(channel, limit, LimitSource::Agreement, document)?,
        (None, None, Some(regulation)) => of_class(channel, limit, regulation.get_ref(), reference)?,
        _ => {
            return wrong(
                "says none or several of `permit`, `agreement` and `regulation`",
                "say where it is written: permit = \"the document's number\", agreement = …, or regulation and column",
            );
        }
    };
    if dated.until.is_some_and(|until| until < dated.from) {
        return wrong(
            format!("ends on {} before it begins on {}", dated.until.unwrap_or(dated.from), dated.from),
            "let valid_until be the last day, not before valid_from",
        );
    }
    Ok(dated)
}

/// A limit that a document gives in figures.
fn written(
    channel: &ChannelConfig,
    limit: &LimitConfig,
    source: LimitSource,
    document: &Spanned<String>,
) -> Result<DatedLimit, Wrong> {
    let value = |bound: &Option<Spanned<f64>>| bound.as_ref().map(|bound| *bound.get_ref());
    let (min, max) = (value(&limit.min), value(&limit.max));
    let document = document.get_ref().trim();
    if document.is_empty() {
        return wrong("names no document", "write its number and date, as it is cited");
    }
    if min.or(max).is_none() || min.zip(max).is_some_and(|(min, max)| min >= max) {
        return wrong("has no `max`, and no `min` below it", "write max = …, and min = … for a band like that of a pH");
    }
    if [min, max].into_iter().flatten().any(|bound| !bound.is_finite()) {
        return wrong("is no number", "write a number in the channel's unit");
    }
    let Some(from) = &limit.valid_from else {
        return wrong("has no `valid_from`", "write the first day on which the document counts, like \"2026-01-01\"");
    };
    if let Some(extra) = limit.column.as_ref().map(|_| "column").or_else(|| given(limit).first().copied()) {
        return wrong(format!("has `{extra}`, which only a class needs"), format!("remove {extra}"));
    }
    let (from, until) = (*from.get_ref(), limit.valid_until.as_ref().map(|until| *until.get_ref()));
    let parameter = channel.parameter.get_ref().as_str();
    let text = format!("{}|{document}|{parameter}|{min:?}|{max:?}|{from}|{until:?}", source.as_str());
    let version = Digest(sha2::Sha256::digest(text).into());
    Ok(DatedLimit {
        min_micro: min.map(micro),
        max_micro: max.map(micro),
        from,
        until,
        source,
        document: document.to_owned(),
        entries: vec![FactorRef { id: source.as_str().to_owned(), version, year: from.year() }],
    })
}

/// Returns the names of the quantities that are given.
fn given(limit: &LimitConfig) -> Vec<&'static str> {
    let boiler = limit.boiler_t_per_h.as_ref().map(|_| "boiler_t_per_h");
    QUANTITIES.into_iter().filter(|name| limit.quantity(name).is_some()).chain(boiler).collect()
}

/// A limit that a class gives.
fn of_class(
    channel: &ChannelConfig,
    limit: &LimitConfig,
    regulation: &str,
    reference: &Reference,
) -> Result<DatedLimit, Wrong> {
    if limit.min.is_some() || limit.max.is_some() {
        return wrong("has a figure beside its class", "a class has its own: remove min and max, or name the permit");
    }
    let entry = entry(channel, limit, regulation, reference)?;
    if let Some(expected) = entry.reference_oxygen
        && channel.reference_oxygen.as_ref().is_none_or(|given| (given.get_ref() - expected).abs() > 1e-9)
    {
        return wrong(
            format!("is for {expected} % of oxygen, and the channel isn't"),
            format!("add reference_oxygen = {expected} and oxygen to the channel"),
        );
    }
    let mut entries = vec![entry.factor.clone()];
    let mut factor = 1.0;
    let mut used: Vec<&str> = Vec::new();
    for name in &entry.coefficients {
        let (coefficient, value) = coefficient(limit, name, &reference.limits().coefficients(regulation, name))?;
        entries.push(coefficient.factor.clone());
        used.push(coefficient.by.as_str());
        factor *= value;
    }
    let boiler = entry.boiler_t_per_h.map(|_| "boiler_t_per_h");
    if let Some(extra) = given(limit).into_iter().find(|name| !used.contains(name) && boiler != Some(*name)) {
        return wrong(
            format!("has `{extra}`, which changes nothing of {}", entry.factor.id),
            format!("remove {extra}"),
        );
    }
    entries.sort();
    let date = |date: &Option<Spanned<Date>>| date.as_ref().map(|date| *date.get_ref());
    let until = date(&limit.valid_until).into_iter().chain(entry.valid_until).min();
    Ok(DatedLimit {
        min_micro: entry.min.map(micro),
        max_micro: entry.max.map(|max| micro(max * factor)),
        from: date(&limit.valid_from).map_or(entry.valid_from, |from| from.max(entry.valid_from)),
        until,
        source: LimitSource::Class,
        document: format!("{regulation} {}", entry.column),
        entries,
    })
}

fn entry<'r>(
    channel: &ChannelConfig,
    limit: &LimitConfig,
    regulation: &str,
    reference: &'r Reference,
) -> Result<&'r Limit, Wrong> {
    let limits = reference.limits();
    if !limits.regulations().contains(&regulation) {
        let help = match regulation {
            "qcvn_40_2025" => {
                "its values are not in the reference data: write those of the permit, permit = \"…\", max = …"
                    .to_owned()
            }
            _ => spelling::propose(regulation, &limits.regulations(), "\""),
        };
        return wrong(format!("names \"{regulation}\", of which no limits are known"), help);
    }
    let Some(column) = &limit.column else {
        return wrong("has no `column`", "add the class, like column = \"A\"");
    };
    let parameter = *channel.parameter.get_ref();
    let found = limits.of_class(regulation, column.get_ref(), parameter);
    let Some(first) = found.first() else {
        let message =
            format!("is of {regulation} column \"{}\", which has none of {}", column.get_ref(), parameter.as_str());
        return wrong(message, "name the class that limits the parameter, or the permit");
    };
    if first.boiler_t_per_h.is_none() {
        return Ok(first);
    }
    let Some(boiler) = &limit.boiler_t_per_h else {
        return wrong("depends on the boiler", "add boiler_t_per_h = …, its capacity in tonnes of steam an hour");
    };
    let fits = |limit: &&&Limit| limit.boiler_t_per_h.is_none_or(|of| of.holds(*boiler.get_ref()));
    found.iter().find(fits).copied().ok_or_else(|| ("fits no boiler".to_owned(), "correct boiler_t_per_h".to_owned()))
}

fn coefficient<'r>(
    limit: &LimitConfig,
    name: &str,
    choices: &[&'r LimitCoefficient],
) -> Result<(&'r LimitCoefficient, f64), Wrong> {
    let by: Vec<&str> = choices.iter().map(|choice| choice.by.as_str()).collect();
    let given: Vec<(&'r LimitCoefficient, f64)> =
        choices.iter().filter_map(|choice| Some((*choice, *limit.quantity(&choice.by)?.get_ref()))).collect();
    let [(coefficient, quantity)] = given.as_slice() else {
        return wrong(
            format!("is multiplied by {name}, which goes by {}", by.join(" or ")),
            format!("add one of: {}", by.join(", ")),
        );
    };
    match coefficient.at(*quantity).filter(|_| *quantity > 0.0) {
        Some(value) => Ok((coefficient, value)),
        None => wrong(format!("has {} = {quantity}", coefficient.by), format!("{name} has no step for it: correct it")),
    }
}

/// New sites go by what took a regulation's place.
fn warn_of_replaced(
    channel: &ChannelConfig,
    limit: &Spanned<LimitConfig>,
    reference: &Reference,
    problems: &mut Problems,
) {
    let (Some(regulation), Some(from)) = (&limit.get_ref().regulation, &limit.get_ref().valid_from) else { return };
    let all = reference.limits().all();
    let replaced = all.iter().find(|of| of.regulation == *regulation.get_ref()).and_then(|of| of.replaced);
    if let Some(replaced) = replaced.filter(|replaced| from.get_ref() >= replaced) {
        problems.warning(
            from.span(),
            format!(
                "channel \"{}\" goes by {} from {}; it was replaced on {replaced} for new sites",
                channel.id.get_ref(),
                regulation.get_ref(),
                from.get_ref()
            ),
            "name the regulation that took its place, or the permit",
        );
    }
}

/// Returns a limit in 10⁻⁶ of its unit. The products of a class and its coefficients have few digits.
#[expect(clippy::cast_possible_truncation, reason = "a limit is far below the largest integer; a cast saturates")]
fn micro(value: f64) -> i128 {
    (value * 1e6).round() as i128
}
