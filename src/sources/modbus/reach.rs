//! Where a device is: problems in a source's URL, its TLS files and its unit.
//!
//! In: a [`ModbusSource`]. Out: what makes it unreachable by construction, and what will break one day. No file is
//! opened: that is done when the connection is.

use std::path::Path;

use rustls::pki_types::ServerName;

use super::config::ModbusSource;
use super::transport::Transport;
use crate::model::problem::Problems;

/// Highest unit of a serial line; those above are reserved. **Source**: Modbus over serial line V1.02, 2.2.
const UNIT_MAX: i64 = 247;
/// Names that the kernel gives to USB adapters in the order they are found.
const NAMED_BY_ORDER: [&str; 2] = ["/dev/ttyUSB", "/dev/ttyACM"];

/// Names every problem.
pub(super) fn check(source: &ModbusSource, problems: &mut Problems) {
    match Transport::parse(source.url.get_ref()) {
        Err(reason) => problems.error(
            source.url.span(),
            reason,
            "write tcp://192.168.10.20:502, tls://host:802, rtu+tcp://host:port or \
             rtu:///dev/serial/by-id/…?baud=9600&parity=even",
        ),
        Ok(transport) => {
            check_unit_of_line(source, &transport, problems);
            check_path(source, &transport, problems);
            check_tls(source, &transport, problems);
        }
    }
    if let Some(unit) = &source.unit
        && u8::try_from(*unit.get_ref()).is_err()
    {
        let message = format!("unit {} is outside 0 to 255", unit.get_ref());
        problems.error(unit.span(), message, "write the unit identifier set on the device, often 1");
    }
}

fn check_unit_of_line(source: &ModbusSource, transport: &Transport, problems: &mut Problems) {
    let Some(unit) = source.unit.as_ref().filter(|_| !transport.has_transaction_ids()) else { return };
    match *unit.get_ref() {
        0 => problems.error(
            unit.span(),
            "unit 0 of a serial line means every device, and none answers".to_owned(),
            "write the unit identifier set on the device, 1 to 247",
        ),
        248..=255 => {
            let message = format!("unit {} of a serial line is reserved", unit.get_ref());
            problems.warning(
                unit.span(),
                message,
                format!("devices have 1 to {UNIT_MAX}; see what is set on this one"),
            );
        }
        _ => {}
    }
}

fn check_path(source: &ModbusSource, transport: &Transport, problems: &mut Problems) {
    let Transport::Serial { path, .. } = transport else { return };
    let is_named_by_order =
        |path: &Path| path.to_str().is_some_and(|path| NAMED_BY_ORDER.iter().any(|prefix| path.starts_with(prefix)));
    if is_named_by_order(path) {
        let message = format!("{} may be another adapter after the next start", path.display());
        problems.warning(source.url.span(), message, "write the adapter's lasting name, from /dev/serial/by-id/");
    }
}

fn check_tls(source: &ModbusSource, transport: &Transport, problems: &mut Problems) {
    let is_tls = matches!(transport, Transport::Tls { .. });
    let files = [("ca_file", &source.ca_file), ("cert_file", &source.cert_file), ("key_file", &source.key_file)];
    let given = files.into_iter().filter_map(|(key, file)| Some((key, file.as_ref()?.span())));
    let name = source.server_name.as_ref().map(|name| ("server_name", name.span()));
    for (key, at) in given.chain(name).filter(|_| !is_tls) {
        let message = format!("{key} has a meaning only over TLS");
        problems.error(at, message, format!("write url = \"tls://…\", or leave {key} out"));
    }
    match (&source.cert_file, &source.key_file) {
        (Some(file), None) => {
            problems.error(file.span(), "cert_file without its private key".to_owned(), "add key_file = \"…\"")
        }
        (None, Some(file)) => {
            problems.error(file.span(), "key_file without its certificate".to_owned(), "add cert_file = \"…\"")
        }
        _ => {}
    }
    if let Some(name) = &source.server_name
        && ServerName::try_from(name.get_ref().as_str()).is_err()
    {
        let message = format!("server_name \"{}\" is no name a certificate can carry", name.get_ref());
        problems.error(name.span(), message, "write a host name or an address, as in the device's certificate");
    }
}

#[cfg(test)]
mod tests {
    use super::{ModbusSource, Problems, check};

    /// Returns whether there are errors, and all that is said.
    fn problems(text: &str) -> (bool, String) {
        let source: ModbusSource = toml::from_str(&format!("name = \"m\"\n{text}")).unwrap();
        let mut problems = Problems::default();
        check(&source, &mut problems);
        (problems.has_errors(), format!("{problems:?}"))
    }

    #[test]
    fn a_device_that_can_be_reached_has_no_problem() {
        for text in [
            "url = \"tcp://10.0.0.5\"\nunit = 0",
            "url = \"tcp://10.0.0.5\"\nunit = 255",
            "url = \"tls://plc\"\nca_file = \"a\"\ncert_file = \"b\"\nkey_file = \"c\"\nserver_name = \"plc.local\"",
            "url = \"rtu:///dev/serial/by-id/usb-1?baud=9600\"\nunit = 247",
            "url = \"rtu+tcp://10.0.0.5:8899\"",
        ] {
            assert_eq!(problems(text), (false, format!("{:?}", Problems::default())), "{text}");
        }
    }

    #[test]
    fn what_makes_a_device_unreachable_is_an_error() {
        for (text, words) in [
            ("url = \"udp://h\"", "udp:// is not known"),
            ("url = \"tcp://h\"\nunit = 256", "outside 0 to 255"),
            ("url = \"rtu:///dev/ttyS0\"\nunit = 0", "means every device"),
            ("url = \"rtu+tcp://h:1\"\nunit = 0", "means every device"),
            ("url = \"tcp://h\"\nca_file = \"a\"", "ca_file has a meaning only over TLS"),
            ("url = \"rtu:///dev/ttyS0\"\nserver_name = \"a\"", "server_name has a meaning only over TLS"),
            ("url = \"tls://h\"\ncert_file = \"a\"", "cert_file without its private key"),
            ("url = \"tls://h\"\nkey_file = \"a\"", "key_file without its certificate"),
            ("url = \"tls://h\"\nserver_name = \"a b\"", "no name a certificate can carry"),
        ] {
            let (has_errors, said) = problems(text);
            assert!(has_errors && said.contains(words), "{text}: {said}");
        }
    }

    #[test]
    fn what_may_break_one_day_is_a_warning() {
        for (text, words) in [
            ("url = \"rtu:///dev/ttyUSB0\"", "another adapter after the next start"),
            ("url = \"rtu:///dev/ttyACM1\"", "another adapter after the next start"),
            ("url = \"rtu:///dev/ttyS0\"\nunit = 250", "is reserved"),
        ] {
            let (has_errors, said) = problems(text);
            assert!(!has_errors && said.contains(words), "{text}: {said}");
        }
    }
}
