//! How a device is reached: what a source's `url` says, as data.
//!
//! In: the text of a URL. Out: a [`Transport`], or what is wrong with the text. Nothing here opens anything.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Modbus over TCP. **Source**: IANA service name `mbap`.
const PORT_TCP: u16 = 502;
/// Modbus Security over TLS. **Source**: IANA service name `mbap-s`.
const PORT_TLS: u16 = 802;
/// Speeds that a serial line may have. **Unit**: bits per second.
const BAUD: std::ops::RangeInclusive<u32> = 300..=921_600;

/// How devices are reached. Requests over one transport go one at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport {
    /// Modbus TCP.
    Tcp {
        /// Host name or address, in lower case.
        host: String,
        /// TCP port.
        port: u16,
    },
    /// Modbus Security: Modbus TCP inside TLS.
    Tls {
        /// Host name or address, in lower case.
        host: String,
        /// TCP port.
        port: u16,
    },
    /// The frames of a serial line through a TCP connection, as transparent serial servers carry them.
    RtuOverTcp {
        /// Host name or address, in lower case.
        host: String,
        /// TCP port.
        port: u16,
    },
    /// A serial port of this machine.
    Serial {
        /// Device file.
        path: PathBuf,
        /// How the line is set.
        line: Line,
    },
}

/// How a serial line is set. A character has 8 data bits, as RTU demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// Speed. **Unit**: bits per second.
    pub baud: u32,
    /// Parity bit of each character.
    pub parity: Parity,
    /// Stop bits of each character, 1 or 2.
    pub stop_bits: u8,
    /// Whether the kernel is asked to switch the transceiver's direction (RS-485 mode of the port's driver).
    pub rs485: bool,
}

/// Parity bit of a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parity {
    /// None.
    None,
    /// Even number of ones.
    Even,
    /// Odd number of ones.
    Odd,
}

/// Whom a TLS connection trusts, and as whom it presents itself. The files are read at each connect, so that a
/// renewed certificate needs no restart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Security {
    /// Authority that signed the device's certificate; the public ones where none is given.
    pub ca_file: Option<PathBuf>,
    /// Certificate chain that is shown to the device.
    pub cert_file: Option<PathBuf>,
    /// Private key of `cert_file`.
    pub key_file: Option<PathBuf>,
    /// Name the device's certificate must carry; the URL's host where none is given.
    pub server_name: Option<String>,
}

impl Default for Line {
    /// 9600 8N1: what most meters leave the factory with.
    fn default() -> Self {
        Self { baud: 9600, parity: Parity::None, stop_bits: 1, rs485: false }
    }
}

impl Line {
    /// Returns the bits of one character: start, 8 data, parity and stop bits.
    pub const fn bits_per_character(self) -> u32 {
        let parity = if matches!(self.parity, Parity::None) { 0 } else { 1 };
        9 + parity + self.stop_bits as u32
    }
}

impl Transport {
    /// Reads `tcp://host[:502]`, `tls://host[:802]`, `rtu+tcp://host:port` or
    /// `rtu:///dev/…[?baud=9600&parity=none&stop=1&rs485=off]`.
    ///
    /// # Errors
    /// A reason to show, lower-case, with the text as written.
    pub fn parse(url: &str) -> Result<Self, String> {
        let Some((scheme, rest)) = url.split_once("://") else {
            return Err(format!("url \"{url}\" has no scheme"));
        };
        match scheme {
            "tcp" => host_and_port(url, rest, Some(PORT_TCP)).map(|(host, port)| Self::Tcp { host, port }),
            "tls" => host_and_port(url, rest, Some(PORT_TLS)).map(|(host, port)| Self::Tls { host, port }),
            "rtu+tcp" => host_and_port(url, rest, None).map(|(host, port)| Self::RtuOverTcp { host, port }),
            "rtu" => serial(url, rest),
            _ => Err(format!(
                "url \"{url}\": a Modbus source over {scheme}:// is not known, only tcp://, tls://, rtu:// and rtu+tcp://"
            )),
        }
    }

    /// Says whether each answer names the request it belongs to. Where it doesn't, a late answer looks like the
    /// answer to the next request.
    pub const fn has_transaction_ids(&self) -> bool {
        matches!(self, Self::Tcp { .. } | Self::Tls { .. })
    }

    /// Returns the URL that [`Transport::parse`] reads back.
    pub fn url(&self) -> String {
        let place = |scheme: &str, host: &str, port: u16| {
            if host.contains(':') { format!("{scheme}://[{host}]:{port}") } else { format!("{scheme}://{host}:{port}") }
        };
        match self {
            Self::Tcp { host, port } => place("tcp", host, *port),
            Self::Tls { host, port } => place("tls", host, *port),
            Self::RtuOverTcp { host, port } => place("rtu+tcp", host, *port),
            Self::Serial { path, line } => {
                let parity = match line.parity {
                    Parity::None => "none",
                    Parity::Even => "even",
                    Parity::Odd => "odd",
                };
                let rs485 = if line.rs485 { "&rs485=on" } else { "" };
                format!("rtu://{}?baud={}&parity={parity}&stop={}{rs485}", path.display(), line.baud, line.stop_bits)
            }
        }
    }

    /// Says whether it is a serial port of this machine, which others may talk on too.
    pub const fn is_serial(&self) -> bool {
        matches!(self, Self::Serial { .. })
    }
}

impl FromStr for Transport {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, String> {
        Self::parse(url)
    }
}

fn host_and_port(url: &str, rest: &str, port_default: Option<u16>) -> Result<(String, u16), String> {
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let no_port = || format!("url \"{url}\" has no port from 1 to 65535");
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => {
            (host, port.parse().ok().filter(|port| *port > 0).ok_or_else(no_port)?)
        }
        _ => (rest, port_default.ok_or_else(no_port)?),
    };
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '/' | '?' | '#' | '@' | '[' | ']');
    let host = match bare {
        Some(host) if host.parse::<core::net::Ipv6Addr>().is_ok() => host,
        None if !host.is_empty() && !host.contains(odd) && !host.contains(':') => host,
        _ => return Err(format!("url \"{url}\" has no host")),
    };
    Ok((host.to_ascii_lowercase(), port))
}

fn serial(url: &str, rest: &str) -> Result<Transport, String> {
    let (path, keys) = rest.split_once('?').unwrap_or((rest, ""));
    let odd = |c: char| c.is_whitespace() || c.is_control() || c == '#';
    if !path.starts_with('/') || path.ends_with('/') || path.contains(odd) {
        return Err(format!("url \"{url}\" has no path of a port, like rtu:///dev/serial/by-id/…"));
    }
    let mut line = Line::default();
    let mut seen: Vec<&str> = Vec::new();
    for pair in keys.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if seen.contains(&key) {
            return Err(format!("url \"{url}\" says {key} twice"));
        }
        seen.push(key);
        set(&mut line, key, value).map_err(|reason| format!("url \"{url}\": {reason}"))?;
    }
    Ok(Transport::Serial { path: PathBuf::from(path), line })
}

fn set(line: &mut Line, key: &str, value: &str) -> Result<(), String> {
    let wrong = |choices: &str| format!("{key}=\"{value}\" is not {choices}");
    match key {
        "baud" => {
            let baud = value.parse().ok().filter(|baud| BAUD.contains(baud));
            line.baud = baud.ok_or_else(|| wrong(&format!("{} to {}", BAUD.start(), BAUD.end())))?;
        }
        "parity" => {
            line.parity = match value {
                "none" => Parity::None,
                "even" => Parity::Even,
                "odd" => Parity::Odd,
                _ => return Err(wrong("none, even or odd")),
            };
        }
        "stop" => {
            line.stop_bits = match value {
                "1" => 1,
                "2" => 2,
                _ => return Err(wrong("1 or 2")),
            };
        }
        "rs485" => {
            line.rs485 = match value {
                "on" => true,
                "off" => false,
                _ => return Err(wrong("on or off")),
            };
        }
        _ => return Err(format!("{key} is not known, only baud, parity, stop and rs485")),
    }
    Ok(())
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parity = match self.parity {
            Parity::None => 'N',
            Parity::Even => 'E',
            Parity::Odd => 'O',
        };
        write!(f, "{} 8{parity}{}", self.baud, self.stop_bits)
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = |f: &mut fmt::Formatter<'_>, host: &str, port: u16| {
            if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
        };
        match self {
            Self::Tcp { host, port } => place(f, host, *port),
            Self::Tls { host, port } => place(f, host, *port).and_then(|()| f.write_str(" (TLS)")),
            Self::RtuOverTcp { host, port } => place(f, host, *port).and_then(|()| f.write_str(" (RTU)")),
            Self::Serial { path, line } => write!(f, "{} ({line})", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Line, Parity, Transport};

    #[test]
    fn a_url_that_is_written_is_read_back() {
        for url in [
            "tcp://meter:502",
            "tls://[fe80::1]:802",
            "rtu+tcp://10.0.0.5:4001",
            "rtu:///dev/serial/by-id/usb-x?baud=19200&parity=even&stop=2&rs485=on",
        ] {
            assert_eq!(Transport::parse(url).unwrap().url(), url);
        }
    }

    fn shown(url: &str) -> String {
        Transport::parse(url).unwrap().to_string()
    }

    #[test]
    fn every_form_of_url_is_read() {
        for (url, expected) in [
            ("tcp://192.168.10.20:1502", "192.168.10.20:1502"),
            ("tcp://Plc.local/", "plc.local:502"),
            ("tcp://[fe80::1]", "[fe80::1]:502"),
            ("tls://plc.local", "plc.local:802 (TLS)"),
            ("tls://[::1]:8802", "[::1]:8802 (TLS)"),
            ("rtu+tcp://10.0.0.5:8899", "10.0.0.5:8899 (RTU)"),
            ("rtu:///dev/ttyS0", "/dev/ttyS0 (9600 8N1)"),
            (
                "rtu:///dev/serial/by-id/usb-FTDI-port0?baud=19200&parity=even",
                "/dev/serial/by-id/usb-FTDI-port0 (19200 8E1)",
            ),
            ("rtu:///dev/ttyS1?parity=none&stop=2&baud=2400", "/dev/ttyS1 (2400 8N2)"),
            ("rtu:///dev/ttyS1?parity=odd", "/dev/ttyS1 (9600 8O1)"),
        ] {
            assert_eq!(shown(url), expected, "{url}");
        }
    }

    #[test]
    fn the_direction_of_the_transceiver_is_the_kernels_only_where_asked() {
        let rs485 = |url: &str| match Transport::parse(url).unwrap() {
            Transport::Serial { line, .. } => line.rs485,
            other => panic!("{other}"),
        };
        assert!(rs485("rtu:///dev/ttyS1?rs485=on"));
        assert!(!rs485("rtu:///dev/ttyS1?rs485=off"));
        assert!(!rs485("rtu:///dev/ttyS1"));
    }

    #[test]
    fn what_is_wrong_with_a_url_is_named() {
        for (url, reason) in [
            ("10.0.0.5", "has no scheme"),
            ("udp://10.0.0.5", "over udp:// is not known"),
            ("tcp://", "has no host"),
            ("tcp://a b", "has no host"),
            ("tcp://user@host", "has no host"),
            ("tcp://::1", "has no host"),
            ("tcp://[::1", "has no host"),
            ("tcp://[host]:502", "has no host"),
            ("tcp://host:0", "no port from 1 to 65535"),
            ("tls://host:70000", "no port from 1 to 65535"),
            ("rtu+tcp://host", "no port from 1 to 65535"),
            ("rtu://dev/ttyS0", "has no path of a port"),
            ("rtu:///", "has no path of a port"),
            ("rtu:///dev/ttyS0?baud=fast", "baud=\"fast\" is not 300 to 921600"),
            ("rtu:///dev/ttyS0?parity=mark", "parity=\"mark\" is not none, even or odd"),
            ("rtu:///dev/ttyS0?stop=1.5", "stop=\"1.5\" is not 1 or 2"),
            ("rtu:///dev/ttyS0?rs485", "rs485=\"\" is not on or off"),
            ("rtu:///dev/ttyS0?speed=9600", "speed is not known"),
            ("rtu:///dev/ttyS0?baud=9600&baud=9600", "says baud twice"),
        ] {
            let found = Transport::parse(url).unwrap_err();
            assert!(found.contains(reason), "{url}: {found}");
            assert!(found.contains(url), "{found}");
        }
    }

    #[test]
    fn a_character_has_ten_to_twelve_bits() {
        let bits = |parity, stop_bits| Line { parity, stop_bits, ..Line::default() }.bits_per_character();
        assert_eq!((bits(Parity::None, 1), bits(Parity::Even, 1), bits(Parity::None, 2)), (10, 11, 11));
        assert_eq!(bits(Parity::Odd, 2), 12);
    }

    #[test]
    fn only_tcp_and_tls_answers_name_their_request() {
        let named = |url: &str| Transport::parse(url).unwrap().has_transaction_ids();
        assert_eq!(["tcp://h", "tls://h", "rtu+tcp://h:1", "rtu:///dev/ttyS0"].map(named), [true, true, false, false]);
    }
}
