//! What `parkgate scan` is told to look at: URLs, hosts, networks, serial lines, and units.

use std::net::Ipv4Addr;

use crate::sources::modbus::transport::{Line, Parity, Transport};

/// Smallest prefix of a network that is scanned without a person who has said so twice.
const PREFIX_MIN: u32 = 24;
/// Smallest prefix at all: 65,534 hosts.
const PREFIX_LEAST: u32 = 16;
/// Settings of serial lines in the order in which they are tried: what meters and drives leave the factory with first.
const LINES: &[(u32, Parity, u8)] = &[
    (9600, Parity::None, 1),
    (9600, Parity::Even, 1),
    (19_200, Parity::Even, 1),
    (19_200, Parity::None, 1),
    (9600, Parity::None, 2),
    (9600, Parity::Odd, 1),
    (19_200, Parity::Odd, 1),
    (38_400, Parity::Even, 1),
    (38_400, Parity::None, 1),
    (115_200, Parity::None, 1),
    (115_200, Parity::Even, 1),
    (4800, Parity::None, 1),
    (4800, Parity::Even, 1),
    (2400, Parity::None, 1),
    (2400, Parity::Even, 1),
];

/// One endpoint to look at.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Target {
    /// How it is reached, in the order in which it is tried: several for a serial line whose settings are unknown.
    pub(super) ways: Vec<Transport>,
    /// Whether it was named itself, as against being one of a network's hosts: then silence is worth a word.
    pub(super) is_named: bool,
}

/// Reads targets.
///
/// # Errors
/// What is wrong with one, as it was written.
pub(super) fn targets(
    written: &[String],
    port: u16,
    tries_lines: bool,
    is_confirmed: bool,
) -> Result<Vec<Target>, String> {
    let mut targets = Vec::new();
    for text in written {
        if text.contains("://") {
            targets.push(Target { ways: ways(Transport::parse(text)?, tries_lines), is_named: true });
        } else if let Some((address, prefix)) = text.split_once('/') {
            targets.extend(network(text, address, prefix, port, is_confirmed)?);
        } else {
            let has_port = text.rsplit_once(':').is_some_and(|(host, _)| !host.contains(':') || host.ends_with(']'));
            let is_ipv6 = text.parse::<std::net::Ipv6Addr>().is_ok();
            let host = if is_ipv6 { format!("[{text}]") } else { text.clone() };
            let url = if has_port { format!("tcp://{host}") } else { format!("tcp://{host}:{port}") };
            targets.push(Target { ways: vec![Transport::parse(&url)?], is_named: true });
        }
    }
    Ok(targets)
}

/// Returns the settings to try for a serial line, its own first; any other transport as it is.
fn ways(transport: Transport, tries_lines: bool) -> Vec<Transport> {
    let Transport::Serial { path, line } = &transport else { return vec![transport] };
    if !tries_lines {
        return vec![transport];
    }
    let others = LINES.iter().map(|(baud, parity, stop_bits)| Line {
        baud: *baud,
        parity: *parity,
        stop_bits: *stop_bits,
        rs485: line.rs485,
    });
    let others = others.filter(|other| other != line);
    std::iter::once(*line).chain(others).map(|line| Transport::Serial { path: path.clone(), line }).collect()
}

/// Returns the hosts of a network, without its own and its broadcast address.
fn network(text: &str, address: &str, prefix: &str, port: u16, is_confirmed: bool) -> Result<Vec<Target>, String> {
    let refused = |reason: &str| format!("\"{text}\" {reason}");
    let address: Ipv4Addr = address.parse().map_err(|_| refused("is no network: write it like 192.168.10.0/24"))?;
    let prefix: u32 = prefix
        .parse()
        .ok()
        .filter(|prefix| (PREFIX_LEAST..=32).contains(prefix))
        .ok_or_else(|| refused("is larger than a network that is scanned: from /16 to /32"))?;
    if prefix < PREFIX_MIN && !is_confirmed {
        return Err(refused("has more than 254 hosts: say --yes if that is meant"));
    }
    let size = 1u32 << (32 - prefix);
    let first = u32::from(address) & !(size - 1);
    let hosts = if size > 2 { first + 1..first + size - 1 } else { first..first + size };
    let target = |host: u32| Target {
        ways: vec![Transport::Tcp { host: Ipv4Addr::from(host).to_string(), port }],
        is_named: false,
    };
    Ok(hosts.map(target).collect())
}

/// Reads units like `1,247,255,0` or `1-247`, in the order as written, each once.
///
/// # Errors
/// What is no unit, as it was written.
pub(super) fn units(written: &str) -> Result<Vec<u8>, String> {
    let mut units: Vec<u8> = Vec::new();
    for part in written.split(',') {
        let refused = || format!("\"{part}\" is no unit from 0 to 255, and no range of them like 1-247");
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let number = |text: &str| text.trim().parse::<u8>().map_err(|_| refused());
        let (first, last) = (number(first)?, number(last)?);
        if last < first {
            return Err(refused());
        }
        units.extend((first..=last).filter(|unit| !units.contains(unit)).collect::<Vec<_>>());
    }
    Ok(units)
}

/// Returns the units that can be asked over a transport: on a serial line 0 means everybody, and nobody answers.
pub(super) fn addressable(units: &[u8], transport: &Transport) -> Vec<u8> {
    let is_line = !transport.has_transaction_ids();
    units.iter().copied().filter(|unit| !is_line || (1..=247).contains(unit)).collect()
}

#[cfg(test)]
mod tests {
    use super::{Transport, addressable, targets, units};

    fn shown(written: &[&str], tries_lines: bool, is_confirmed: bool) -> Result<Vec<String>, String> {
        let written: Vec<String> = written.iter().map(|text| (*text).to_owned()).collect();
        let found = targets(&written, 502, tries_lines, is_confirmed)?;
        Ok(found.iter().flat_map(|target| target.ways.iter().map(Transport::url)).collect())
    }

    #[test]
    fn a_target_is_a_url_a_host_or_a_network() {
        let one = |text: &str| {
            let written = [text.to_owned()];
            let mut found = targets(&written, 1502, false, false).unwrap();
            assert_eq!(found.len(), 1, "{text}");
            found.remove(0).ways.remove(0)
        };
        let tcp = |host: &str, port| Transport::Tcp { host: host.to_owned(), port };
        assert_eq!(one("meter"), tcp("meter", 1502));
        assert_eq!(one("10.0.0.5"), tcp("10.0.0.5", 1502));
        assert_eq!(one("10.0.0.5:503"), tcp("10.0.0.5", 503));
        assert_eq!(one("[fe80::1]:503"), tcp("fe80::1", 503));
        assert_eq!(one("fe80::1"), tcp("fe80::1", 1502));
        assert_eq!(one("tcp://meter"), tcp("meter", 502));
        assert_eq!(one("10.0.0.7/32"), tcp("10.0.0.7", 1502));
    }

    #[test]
    fn a_network_is_its_hosts_and_a_large_one_needs_a_second_word() {
        assert_eq!(shown(&["192.168.10.77/30"], false, false).unwrap().len(), 2);
        assert_eq!(shown(&["192.168.10.0/24"], false, false).unwrap().len(), 254);
        assert!(shown(&["192.168.10.0/23"], false, false).unwrap_err().contains("--yes"));
        assert_eq!(shown(&["192.168.10.0/23"], false, true).unwrap().len(), 510);
        for wrong in ["192.168.10.0/8", "192.168.10.0/33", "meter/24", "10.0.0.0/x", "ftp://meter", "meter:0", ""] {
            assert!(shown(&[wrong], false, true).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_serial_line_of_unknown_settings_is_tried_with_each_of_the_usual_ones() {
        let url = ["rtu:///dev/ttyUSB0?baud=19200&parity=even"];
        assert_eq!(shown(&url, false, false).unwrap().len(), 1);
        let tried = shown(&url, true, false).unwrap();
        assert_eq!(tried.len(), super::LINES.len(), "its own settings first, and once");
        assert!(tried[0].contains("19200"), "{tried:?}");
    }

    #[test]
    fn units_are_numbers_and_ranges_each_once() {
        assert_eq!(units("1,247,255,0"), Ok(vec![1, 247, 255, 0]));
        assert_eq!(units("1-3,2,7"), Ok(vec![1, 2, 3, 7]));
        assert_eq!(units("0-255").unwrap().len(), 256);
        for wrong in ["", "256", "3-1", "a", "1-", "1;2"] {
            assert!(units(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn nobody_is_asked_by_broadcast_on_a_serial_line() {
        let line = Transport::parse("rtu:///dev/ttyUSB0").unwrap();
        assert_eq!(addressable(&[1, 247, 255, 0], &line), [1, 247]);
        let tcp = Transport::parse("tcp://meter").unwrap();
        assert_eq!(addressable(&[1, 255, 0], &tcp), [1, 255, 0]);
    }
}
