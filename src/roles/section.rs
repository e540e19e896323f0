//! Adding a `[[source]]` to a configuration without spoiling it.

use std::io::Write;
use std::path::Path;

use anyhow::Context;

use super::load;
use crate::config;

/// Adds a section at the end of a configuration, if that is accepted with it. The file is replaced as a whole: it is
/// never left half written.
///
/// # Errors
/// The file can't be read or written, or the configuration would be refused; every problem is named then, and the
/// file stays as it is.
pub(super) fn append(path: &Path, section: &str) -> anyhow::Result<()> {
    let name = path.display().to_string();
    let before = std::fs::read_to_string(path).with_context(|| format!("can't read configuration {name}"))?;
    let gap = if before.is_empty() || before.ends_with("\n\n") {
        ""
    } else if before.ends_with('\n') {
        "\n"
    } else {
        "\n\n"
    };
    let text = format!("{before}{gap}{section}");
    let (_, problems) =
        config::load_gateway_from(&name, &text, load::profiles(path, &text), &load::references(path, &text));
    if problems.has_errors() {
        write!(std::io::stderr(), "{}", config::render(&problems, &name, &text, false)).context("standard error")?;
        anyhow::bail!("{name} would not be accepted with the new section, and stays as it is");
    }
    replace(path, &text).with_context(|| format!("can't write {name}"))?;
    writeln!(std::io::stderr(), "added to {name}").context("standard error")
}

fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let mut file = std::fs::File::create(&beside)?;
    file.set_permissions(std::fs::metadata(path)?.permissions())?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(beside, path)
}

#[cfg(test)]
mod tests {
    use super::append;

    const GATEWAY: &str = r#"
[gateway]
id = "g"
enterprise = "9900000016"
park = "p"
site = "s"
data_dir = "/tmp/none"

[[source]]
type = "modbus"
name = "first"
url = "tcp://127.0.0.1:1"
point = [{ name = "e", address = "40001", type = "uint32", kind = "counter", unit = "kWh" }]

[[asset]]
id = "site"
boundary = { electricity = ["first.e"] }
"#;

    #[test]
    fn a_section_is_added_where_the_whole_is_accepted_and_else_the_file_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("gateway.toml");
        std::fs::write(&path, GATEWAY).unwrap();
        let section =
            "[[source]]\ntype = \"modbus\"\nname = \"second\"\nurl = \"tcp://127.0.0.1:2\"\nprofile = \"abb_b23\"\n";
        append(&path, section).unwrap();
        let after = std::fs::read_to_string(&path).unwrap();
        assert_eq!(after, format!("{GATEWAY}\n{section}"));
        // The name is taken now.
        assert!(append(&path, section).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), after);
    }
}
