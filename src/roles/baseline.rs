//! `parkgate baseline`: fits the model that an asset's electricity is compared with, and says whether it may be used.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use jiff::civil::Date;
use serde_json::json;

use crate::engine::baseline::fit::{Fit, Row, fit};
use crate::model::id::{AssetId, TagName};

/// Arguments of `parkgate baseline`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Fit a baseline to the periods of a file, and print its [[baseline]] section.
    Fit(Fitted),
}

#[derive(Debug, clap::Args)]
struct Fitted {
    /// CSV with a line a period: `start,energy` in kWh, then a column a driver: `produced`, the name of a tag, or of a
    /// temperature its degree days, like `weather.temperature above 24`.
    file: PathBuf,
    /// The asset whose electricity it is.
    #[arg(long, value_parser = asset)]
    asset: AssetId,
    /// How long each period is.
    #[arg(long, value_parser = ["day", "month"])]
    per: String,
    /// First day on which the baseline is to count.
    #[arg(long, value_name = "DATE")]
    valid_from: Date,
    /// Print one JSON object instead of the section.
    #[arg(long)]
    json: bool,
}

fn asset(text: &str) -> Result<AssetId, String> {
    AssetId::new(text).map_err(|error| error.to_string())
}

/// Fits and prints. Exit code 0 where the model is accepted, 1 where it isn't.
///
/// # Errors
/// The file can't be read, or its periods don't determine a model.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let What::Fit(args) = &args.what;
    let name = args.file.display();
    let text = std::fs::read_to_string(&args.file).with_context(|| format!("can't read {name}"))?;
    let periods = read(&text).with_context(|| format!("{name} is no list of periods"))?;
    let model = fit(&periods.rows).with_context(|| format!("no baseline follows from {name}"))?;
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", as_json(args, &periods, &model))?;
    } else {
        write!(out, "{}", section(args, &periods, &model)?)?;
    }
    Ok(if model.is_accepted() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What a file says.
struct Periods {
    starts: Vec<String>,
    drivers: Vec<String>,
    rows: Vec<Row>,
}

fn read(text: &str) -> anyhow::Result<Periods> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let headers = reader.headers().context("the first line names the columns")?.clone();
    if headers.get(0) != Some("start") || headers.get(1) != Some("energy") {
        bail!("the first line must be start,energy and then a column a driver");
    }
    let drivers: Vec<String> = headers.iter().skip(2).map(str::to_owned).collect();
    let mut periods = Periods { starts: Vec::new(), drivers, rows: Vec::new() };
    for (line, record) in (2..).zip(reader.records()) {
        let record = record.with_context(|| format!("line {line}"))?;
        let number = |text: &str| text.parse::<f64>().with_context(|| format!("line {line}: \"{text}\" is no number"));
        let numbers = record.iter().skip(1).map(number).collect::<anyhow::Result<Vec<f64>>>()?;
        let [energy, drivers @ ..] = numbers.as_slice() else { bail!("line {line} has no energy") };
        periods.starts.push(record.get(0).unwrap_or_default().to_owned());
        periods.rows.push(Row { energy: *energy, drivers: drivers.to_vec() });
    }
    Ok(periods)
}

fn as_json(args: &Fitted, periods: &Periods, model: &Fit) -> serde_json::Value {
    let coefficients: serde_json::Map<String, serde_json::Value> =
        periods.drivers.iter().cloned().zip(model.coefficients.iter().map(|b| json!(b))).collect();
    json!({
        "asset": args.asset,
        "per": args.per,
        "valid_from": args.valid_from.to_string(),
        "constant": model.constant,
        "coefficients": coefficients,
        "n": model.n,
        "r2": model.r2,
        "f": model.f.is_finite().then_some(model.f),
        "p": model.p,
        "cv_rmse": model.cv_rmse,
        "accepted": model.is_accepted(),
        "refusals": model.refusals(),
        "cusum": periods.starts.iter().zip(model.cusum(&periods.rows)).map(|(start, sum)| json!([start, sum])).collect::<Vec<_>>(),
    })
}

fn section(args: &Fitted, periods: &Periods, model: &Fit) -> anyhow::Result<String> {
    let verdict = match model.refusals().as_slice() {
        [] => "accepted".to_owned(),
        refusals => format!("not accepted: {}", refusals.join("; ")),
    };
    let mut text = format!(
        "# {} periods: R² {:.4}, F {:.2}, p {:.2e}, CV(RMSE) {:.2} %: {verdict}\n",
        model.n,
        model.r2,
        model.f,
        model.p,
        model.cv_rmse * 100.0
    );
    for (start, sum) in periods.starts.iter().zip(model.cusum(&periods.rows)) {
        text += &format!("# {start} CUSUM {sum:.1} kWh\n");
    }
    text += &format!(
        "[[baseline]]\nasset      = \"{}\"\nvalid_from = \"{}\"\nconstant   = {:.6}\nper        = \"{}\"\n",
        args.asset, args.valid_from, model.constant, args.per
    );
    let mut drivers = Vec::new();
    for (name, b) in periods.drivers.iter().zip(&model.coefficients) {
        if name == "produced" {
            text += &format!("produced   = {b:.6}\n");
        } else {
            drivers.push(driver(name, *b)?);
        }
    }
    if !drivers.is_empty() {
        text += &format!("driver     = [{}]\n", drivers.join(", "));
    }
    Ok(text)
}

fn driver(name: &str, coefficient: f64) -> anyhow::Result<String> {
    let words: Vec<&str> = name.split_whitespace().collect();
    let (tag, degree_days) = match words.as_slice() {
        [tag] => (*tag, String::new()),
        [tag, side @ ("below" | "above"), base] => {
            let base: f64 = base.parse().with_context(|| format!("column \"{name}\": \"{base}\" is no temperature"))?;
            (*tag, format!(", {side} = {base:?}"))
        }
        _ => bail!("column \"{name}\" names no driver: write produced, a tag, or a tag with below or above and °C"),
    };
    TagName::new(tag).with_context(|| format!("column \"{name}\""))?;
    Ok(format!("{{ tag = \"{tag}\", coefficient = {coefficient:.6}{degree_days} }}"))
}

#[cfg(test)]
mod tests {
    use super::{Fitted, fit, read, section};

    #[test]
    fn p6_the_section_of_a_fit_is_one_that_the_configuration_takes() {
        let periods = read(
            "start,energy,produced,weather.temperature above 24\n2025-01,47100,10000,10\n2025-02,43700,9000,20\n\
             2025-03,50550,11000,5\n2025-04,45650,9500,40\n2025-05,54150,12000,15\n",
        )
        .unwrap();
        let args = Fitted {
            file: "x.csv".into(),
            asset: super::asset("site").unwrap(),
            per: "month".to_owned(),
            valid_from: jiff::civil::date(2026, 1, 1),
            json: false,
        };
        let text = section(&args, &periods, &fit(&periods.rows).unwrap()).unwrap();
        assert!(text.contains(": accepted\n") && text.contains("produced   = 3.500000\n"), "{text}");
        assert!(text.contains("constant   = 12000.000000"), "{text}");
        assert!(text.contains("{ tag = \"weather.temperature\", coefficient = 10.000000, above = 24.0 }"), "{text}");
        let read_back: toml::Table = text.parse().unwrap();
        assert!(read_back["baseline"].is_array());
    }
}
