//! `[factors] files`: reference data of the site's own, beside what comes with the program.
//!
//! An authority publishes a factor; the box takes it as a file, without another program. The form is that of
//! `config/reference/`.

use std::collections::BTreeMap;

use serde_spanned::Spanned;

use crate::model::problem::Problems;
use crate::reference::{FILES, Reference};

/// By path as written: the text of a file, or why it can't be read.
pub type Texts = BTreeMap<String, Result<String, String>>;

/// Reads all reference data; returns it with the name and text of each file, those of the program first. Where a file
/// can't be used, that is a problem, and the data is without it.
pub(super) fn read(
    files: &[Spanned<String>],
    texts: &Texts,
    problems: &mut Problems,
) -> (Reference, Vec<(String, String)>) {
    let mut taken: Vec<(String, String)> =
        FILES.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    let mut reference = Reference::builtin();
    for file in files {
        let path = file.get_ref();
        let text = match texts.get(path) {
            Some(Ok(text)) => text,
            Some(Err(reason)) => {
                let help = "its path counts from the folder of this file";
                problems.error(file.span(), format!("reference file \"{path}\" can't be read: {reason}"), help);
                continue;
            }
            None => {
                problems.error(file.span(), format!("reference file \"{path}\" was not read"), "check the file itself");
                continue;
            }
        };
        taken.push((path.clone(), text.clone()));
        let all: Vec<(&str, &str)> = taken.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        match Reference::parse(&all) {
            Ok(known) => reference = known,
            Err(error) => {
                taken.pop();
                problems.error(file.span(), error.to_string(), "the form is that of the files in config/reference/");
            }
        }
    }
    (reference, taken)
}

#[cfg(test)]
mod tests {
    use super::super::{load_gateway_from, reference_files};
    use super::Texts;
    use crate::model::id::Digest;
    use crate::profile::Library;

    const FACTOR: &str = "[[grid_factor]]\nid = \"vn_grid_2031\"\nyear = 2031\nvalue = 0.51\nunit = \"tCO2e/MWh\"\n\
                          source = \"the announcement\"\npublished = \"2032-03-01\"\ngrade = \"official\"\n";

    fn configuration() -> String {
        let example = include_str!("../../config/gateway.toml");
        example.replacen("[factors]\n", "[factors]\nfiles = [\"grid-2031.toml\"]\n", 1)
    }

    fn load(text: Result<&str, &str>) -> Result<(Option<f64>, Digest), String> {
        let texts: Texts =
            [("grid-2031.toml".to_owned(), text.map(str::to_owned).map_err(str::to_owned))].into_iter().collect();
        let (gateway, problems) = load_gateway_from("gateway.toml", &configuration(), Library::builtin(), &texts);
        let said = || problems.0.iter().map(|problem| problem.message.clone()).collect::<String>();
        let gateway = gateway.ok_or_else(said)?;
        let factor = gateway.plant().reference.grid_factor(2031);
        Ok((factor.map(|factor| factor.tco2e_per_mwh), gateway.digest))
    }

    #[test]
    fn a_factor_that_was_published_since_counts_without_another_program() {
        assert_eq!(reference_files(&configuration()).into_iter().collect::<Vec<_>>(), ["grid-2031.toml"]);
        let (factor, digest) = load(Ok(FACTOR)).unwrap();
        assert_eq!(factor, Some(0.51));
        let (_, other) = load(Ok(&FACTOR.replace("0.51", "0.52"))).unwrap();
        assert_ne!(digest, other, "another file is another configuration");
    }

    #[test]
    fn a_file_that_can_not_be_used_is_a_problem_at_its_name() {
        for (text, reason) in [
            (Err("No such file"), "\"grid-2031.toml\" can't be read: No such file"),
            (Ok("[[grid_factor]]\n"), "grid-2031.toml, line 1"),
            (Ok(FACTOR.replace("2031\nvalue", "2023\nvalue").leak() as &str), "are both for 2023"),
        ] {
            let said = load(text).unwrap_err();
            assert!(said.contains(reason), "{said}");
        }
    }
}
