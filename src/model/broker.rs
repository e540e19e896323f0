//! The address of a broker.

/// Where a broker listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Name or address; IPv6 in brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Whether the connection is TLS.
    pub tls: bool,
}

impl Address {
    /// Reads `mqtt://host[:port]` or `mqtts://host[:port]`.
    ///
    /// # Errors
    /// What is wrong with the text, for the configuration check.
    pub fn parse(url: &str) -> Result<Self, String> {
        let refused = |why: &str| format!("\"{url}\" is not the address of a broker: {why}");
        let (rest, tls, default) = if let Some(rest) = url.strip_prefix("mqtt://") {
            (rest, false, 1883)
        } else if let Some(rest) = url.strip_prefix("mqtts://") {
            (rest, true, 8883)
        } else {
            return Err(refused("it starts with neither mqtt:// nor mqtts://"));
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '@']) {
            return Err(refused("it holds more than host and port; user and password have keys of their own"));
        }
        // The colons of an IPv6 address stand inside brackets.
        let split = rest.rfind(':').filter(|colon| rest.rfind(']').is_none_or(|bracket| bracket < *colon));
        let (host, port) = match split {
            Some(colon) => {
                let port = rest[colon + 1..].parse().map_err(|_| refused("its port is no number from 1 to 65535"))?;
                (&rest[..colon], port)
            }
            None => (rest, default),
        };
        if host.is_empty() || port == 0 {
            return Err(refused("host or port is missing"));
        }
        Ok(Self { host: host.to_owned(), port, tls })
    }
}

#[cfg(test)]
mod tests {
    use super::Address;

    #[test]
    fn broker_addresses_have_default_ports_and_nothing_but_host_and_port() {
        let address = |host: &str, port, tls| Ok(Address { host: host.to_owned(), port, tls });
        assert_eq!(Address::parse("mqtt://broker"), address("broker", 1883, false));
        assert_eq!(Address::parse("mqtts://10.0.0.5/"), address("10.0.0.5", 8883, true));
        assert_eq!(Address::parse("mqtt://[::1]:1884"), address("[::1]", 1884, false));
        for bad in ["broker", "mqtt://", "mqtt://a:b", "mqtt://user@host", "mqtt://host/topic", "mqtt://host:0"] {
            assert!(Address::parse(bad).is_err(), "{bad}");
        }
    }
}
