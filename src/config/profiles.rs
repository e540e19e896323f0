//! `[[profile]]`: device types of this plant, beside those that come with the program.
//!
//! A plant with many equal devices says their map once. The form is that of `config/profiles/`.

use super::document::{Document, describe};
use crate::model::problem::Problems;
use crate::profile::Library;
use crate::profile::library::Profile;

/// Reads the profiles of a configuration and adds them to `library`.
pub(super) fn read(document: &Document<'_>, mut library: Library, problems: &mut Problems) -> Library {
    for entry in document.list("profile", problems) {
        let what = describe("profile", entry);
        let Some(profile) = document.read::<Profile>(&what, entry, &[], problems).value else { continue };
        let mut refuse = |message: String, help: &str| problems.error(entry.span(), format!("{what}: {message}"), help);
        if library.get(&profile.name).is_some() {
            refuse("there is a profile of this name".to_owned(), "give it another name");
            continue;
        }
        for fault in profile.faults() {
            refuse(fault, "see docs/profiles.md for what a profile may say");
        }
        library.add(profile);
    }
    library
}

#[cfg(test)]
mod tests {
    use super::super::load_gateway;

    const GATEWAY: &str = include_str!("../../config/gateway.toml");

    fn with(profile: &str) -> String {
        let head = "[[profile]]\nname = \"dryer\"\nvendor = \"Own\"\nmodel = \"D1\"\nconfidence = \"one_source\"\n\
                    sources = [\"the drawing\"]\n[[profile.register]]\npoint = \"heat\"\naddress = 65535\n\
                    table = \"holding\"\ntype = \"uint16\"\nunit = \"kW\"\n";
        format!(
            "{GATEWAY}\n{head}{profile}\n[[source]]\ntype = \"modbus\"\nname = \"dryer-1\"\nurl = \"tcp://10.0.0.9\"\nprofile = \"dryer\"\n"
        )
    }

    #[test]
    fn devices_share_the_map_of_a_profile_of_their_own_plant() {
        let (gateway, problems) = load_gateway("gateway.toml", &with(""));
        let gateway = gateway.unwrap_or_else(|| panic!("{problems:?}"));
        assert!(gateway.tags.iter().any(|tag| tag.name.as_str() == "dryer-1.heat"));
        assert!(gateway.profiles.get("eastron_sdm630").is_some(), "the built-in ones stay");
    }

    #[test]
    fn a_profile_that_can_not_be_read_is_refused_with_the_reason() {
        for (from, to, reason) in [
            ("name = \"dryer\"", "name = \"abb_b23\"", "there is a profile of this name"),
            ("point = \"heat\"", "point = \"he at\"", "can't be a point"),
            ("type = \"uint16\"", "type = \"uint32\"", "ends beyond address 65535"),
            ("unit = \"kW\"\n", "unit = \"kW\"\nscale = 0.0\n", "scale and offset make no value"),
            ("table = \"holding\"", "tabel = \"holding\"", "tabel"),
        ] {
            let text = with("").replacen(&format!("\n{from}"), &format!("\n{to}"), 1);
            let text = if from.starts_with("name") {
                text.replace("profile = \"dryer\"", "profile = \"abb_b23\"")
            } else {
                text
            };
            let (gateway, problems) = load_gateway("gateway.toml", &text);
            assert!(gateway.is_none(), "{to}");
            assert!(problems.0.iter().any(|problem| problem.message.contains(reason)), "{to}: {problems:?}");
        }
    }
}
