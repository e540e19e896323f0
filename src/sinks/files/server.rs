//! What configuration says of a server that gets the files: `[sink.server]`.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::Deserialize;
use toml::Spanned;

use crate::model::id::StreamName;
use crate::model::problem::Problems;
use crate::model::time::Period;
use crate::runtime::secret::Secret;
use crate::sinks::http::{check_timeout, timeout_of};

/// Port of SSH.
const SFTP_PORT: u16 = 22;
/// Port of FTP with explicit TLS, and the one on which TLS would be implicit.
const FTPS_PORT: u16 = 21;
const IMPLICIT_TLS_PORT: u16 = 990;
/// What a fingerprint begins with, as OpenSSH prints it.
const FINGERPRINT: &str = "SHA256:";
/// Bytes of SHA-256.
const FINGERPRINT_BYTES: usize = 32;

/// An SFTP or FTPS server that gets the files.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// `sftp://host[:22][/folder]` or `ftps://host[:21][/folder]`. A folder is counted from the server's root, or from that
    /// of the login where it begins with `~/`; without one, files go below that of the login.
    pub url: Spanned<String>,
    /// User name at the server.
    pub username: Spanned<String>,
    /// Password at the server.
    pub password: Option<Secret>,
    /// Private key with which the box logs in over SSH: OpenSSH or PKCS #8, Ed25519 or ECDSA, without a passphrase.
    pub private_key: Option<Secret>,
    /// `SHA256:…` of the SSH server's host key. No other key is believed.
    pub host_key: Option<Spanned<String>>,
    /// PEM file of the authority that signed the FTPS server's certificate; the public authorities where not given.
    pub ca_file: Option<Spanned<PathBuf>>,
    /// Longest time that one file may take; 30 s where not given.
    pub timeout: Option<Spanned<Period>>,
}

/// How a server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// SFTP over SSH.
    Sftp,
    /// FTP in which TLS is asked for before anything else.
    Ftps,
}

/// Where a server listens, and where files go on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// How it is spoken to.
    pub protocol: Protocol,
    /// Name or address, IPv6 without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Whether `folders` are counted from the server's root.
    pub is_from_root: bool,
    /// The folder below which files go, part by part.
    pub folders: Vec<String>,
}

impl Address {
    /// Reads a server's `url`.
    ///
    /// # Errors
    /// What is wrong with it, and how it is written. What may be a password is not repeated.
    pub fn parse(url: &str) -> Result<Self, (String, &'static str)> {
        const HELP: &str = "write sftp://host/folder or ftps://host/folder";
        let Some((scheme, rest)) = url.split_once("://") else {
            return Err((format!("\"{url}\" is no address of a server"), HELP));
        };
        let (protocol, default) = match scheme {
            "sftp" => (Protocol::Sftp, SFTP_PORT),
            "ftps" => (Protocol::Ftps, FTPS_PORT),
            "ftp" => {
                return Err((
                    "ftp:// shows the password and the files to everyone on the way".to_owned(),
                    "write ftps://",
                ));
            }
            _ => return Err((format!("files can't be sent by \"{scheme}://\""), HELP)),
        };
        if rest.contains('@') {
            let message = format!("the address behind {scheme}:// holds a user or a password");
            return Err((message, "write username = \"…\" and password = { file = \"/path\" }"));
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        // The colons of an IPv6 address stand inside brackets.
        let colon = authority.rfind(':').filter(|at| authority.rfind(']').is_none_or(|bracket| bracket < *at));
        let (host, port) = colon.map_or((authority, None), |at| (&authority[..at], Some(&authority[at + 1..])));
        let port = match port.map(str::parse::<u16>) {
            None => default,
            Some(Ok(port)) if port > 0 => port,
            Some(_) => return Err((format!("\"{url}\": its port is no number from 1 to 65535"), HELP)),
        };
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if host.is_empty() || host.contains(|letter: char| letter.is_whitespace() || "?#[]%".contains(letter)) {
            return Err((format!("\"{url}\" names no host"), HELP));
        }
        let (is_from_root, path) = match path.strip_prefix('~') {
            Some(path) => (false, path),
            None => (!path.is_empty(), path),
        };
        let folders: Vec<String> = path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        let is_plain = |part: &String| part != ".." && !part.chars().any(|it| it.is_control() || "?#%".contains(it));
        if !folders.iter().all(is_plain) {
            let help = "write the folder's name as it is, without '?', '#', '%' and \"..\"";
            return Err((format!("\"{url}\": a folder that can't be named like this"), help));
        }
        Ok(Self { protocol, host: host.to_owned(), port, is_from_root, folders })
    }

    /// Returns the path of folders below the address.
    pub fn below(&self, folders: &[String]) -> String {
        let path = [self.folders.as_slice(), folders].concat().join("/");
        if self.is_from_root { format!("/{path}") } else { path }
    }

    /// Returns host and port, as exchanges are listed.
    pub fn place(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl Server {
    /// Returns the longest time that one file may take.
    pub fn timeout(&self) -> std::time::Duration {
        timeout_of(self.timeout.as_ref().map(|timeout| *timeout.get_ref()))
    }

    /// Says what is wrong with it.
    pub fn check(&self, sink: &StreamName, problems: &mut Problems) {
        check_timeout(sink, self.timeout.as_ref(), problems);
        if self.username.get_ref().is_empty() || self.username.get_ref().chars().any(char::is_control) {
            problems.error(
                self.username.span(),
                format!("sink \"{sink}\": no server knows such a user"),
                "write username = \"…\" as the department gave it",
            );
        }
        match Address::parse(self.url.get_ref()) {
            Err((message, help)) => problems.error(self.url.span(), format!("sink \"{sink}\": {message}"), help),
            Ok(address) if address.protocol == Protocol::Sftp => self.check_sftp(sink, &address, problems),
            Ok(address) => self.check_ftps(sink, &address, problems),
        }
    }

    fn check_sftp(&self, sink: &StreamName, address: &Address, problems: &mut Problems) {
        match &self.host_key {
            None => problems.error(
                self.url.span(),
                format!("sink \"{sink}\": without host_key anybody could pass for {}", address.host),
                format!(
                    "write host_key = \"SHA256:…\" as the department tells it; `ssh-keyscan -p {} {} | ssh-keygen -lf -` \
                     shows what the server says",
                    address.port, address.host
                ),
            ),
            Some(key) if !is_fingerprint(key.get_ref()) => problems.error(
                key.span(),
                format!("sink \"{sink}\": \"{}\" is no fingerprint of a host key", key.get_ref()),
                "write SHA256: and 43 letters, as `ssh-keygen -lf` prints it",
            ),
            Some(_) => {}
        }
        if self.password.is_some() == self.private_key.is_some() {
            problems.error(
                self.username.span(),
                format!("sink \"{sink}\": SSH logs in with a password or with a private key"),
                "write one of password = { file = \"/path\" } and private_key = { file = \"/path\" }",
            );
        }
        if let Some(ca_file) = &self.ca_file {
            let message = format!("sink \"{sink}\": ca_file means nothing over SSH");
            problems.error(ca_file.span(), message, "remove it; the server is known by its host_key");
        }
    }

    fn check_ftps(&self, sink: &StreamName, address: &Address, problems: &mut Problems) {
        if let Some(key) = &self.host_key {
            let message = format!("sink \"{sink}\": host_key means nothing over FTPS");
            problems.error(key.span(), message, "remove it; the server is known by a certificate, see ca_file");
        }
        if self.password.is_none() || self.private_key.is_some() {
            problems.error(
                self.username.span(),
                format!("sink \"{sink}\": FTPS logs in with a password"),
                "write password = { file = \"/path\" }, and no private_key",
            );
        }
        if address.port == IMPLICIT_TLS_PORT {
            problems.warning(
                self.url.span(),
                format!(
                    "sink \"{sink}\": on port 990 servers usually expect TLS at once, which parkgate doesn't begin with"
                ),
                "ask for the port of explicit TLS, usually 21",
            );
        }
    }
}

fn is_fingerprint(text: &str) -> bool {
    let letters = text.strip_prefix(FINGERPRINT);
    letters.and_then(|it| STANDARD_NO_PAD.decode(it).ok()).is_some_and(|bytes| bytes.len() == FINGERPRINT_BYTES)
}

#[cfg(test)]
mod tests {
    use super::{Address, Protocol, Server, StreamName};
    use crate::model::problem::Problems;

    const KEY: &str = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";

    #[test]
    fn an_address_names_host_port_and_folder() {
        let address = |url: &str| {
            let it = Address::parse(url).unwrap();
            (it.protocol, it.place(), it.below(&["KHI001".to_owned(), "2026".to_owned()]))
        };
        for (url, protocol, place, path) in [
            ("sftp://files.example.vn", Protocol::Sftp, "files.example.vn:22", "KHI001/2026"),
            ("sftp://10.0.0.9:2222/in/hn/", Protocol::Sftp, "10.0.0.9:2222", "/in/hn/KHI001/2026"),
            ("sftp://a/~/in", Protocol::Sftp, "a:22", "in/KHI001/2026"),
            ("ftps://[::1]/in", Protocol::Ftps, "[::1]:21", "/in/KHI001/2026"),
        ] {
            assert_eq!(address(url), (protocol, place.to_owned(), path.to_owned()), "{url}");
        }
    }

    #[test]
    fn what_is_no_server_or_would_give_a_secret_away_is_refused() {
        let sftp =
            format!("url = \"sftp://host\"\nusername = \"u\"\npassword = {{ env = \"P\" }}\nhost_key = \"{KEY}\"\n");
        let ftps = "url = \"ftps://host\"\nusername = \"u\"\npassword = { env = \"P\" }\n".to_owned();
        let said = |text: &str| {
            let server: Server = toml::from_str(text).unwrap();
            let mut problems = Problems::default();
            server.check(&StreamName::new("donre").unwrap(), &mut problems);
            problems.0.into_iter().map(|problem| problem.message).collect::<Vec<_>>()
        };
        assert_eq!(said(&sftp), Vec::<String>::new());
        assert_eq!(said(&ftps), Vec::<String>::new());
        for (whole, from, to, expected) in [
            (&sftp, "sftp://host", "ftp://host", "shows the password and the files"),
            (&sftp, "sftp://host", "scp://host", "can't be sent by \"scp://\""),
            (&sftp, "sftp://host", "host", "no address of a server"),
            (&sftp, "sftp://host", "sftp://", "names no host"),
            (&sftp, "sftp://host", "sftp://host:0", "its port is no number"),
            (&sftp, "sftp://host", "sftp://host/../etc", "a folder that can't be named"),
            (&sftp, "sftp://host", "sftp://me:hunter2@host", "holds a user or a password"),
            (&sftp, "host_key = ", "# ", "without host_key anybody could pass for host"),
            (&sftp, KEY, "SHA256:abc", "is no fingerprint"),
            (&sftp, KEY, "MD5:aa", "is no fingerprint"),
            (&sftp, "password = ", "# ", "with a password or with a private key"),
            (
                &sftp,
                "password = ",
                "private_key = { env = \"K\" }\npassword = ",
                "with a password or with a private key",
            ),
            (&sftp, "username = \"u\"", "username = \"\"", "no server knows such a user"),
            (&sftp, "username = ", "ca_file = \"a.pem\"\nusername = ", "ca_file means nothing over SSH"),
            (&sftp, "username = ", "timeout = \"1ms\"\nusername = ", "timeout of 1 ms"),
            (&ftps, "username = ", "host_key = \"a\"\nusername = ", "host_key means nothing over FTPS"),
            (&ftps, "password = ", "# ", "FTPS logs in with a password"),
            (&ftps, "ftps://host", "ftps://host:990", "on port 990"),
        ] {
            assert!(whole.contains(from), "{from}");
            let said = said(&whole.replacen(from, to, 1));
            assert!(said.iter().any(|message| message.contains(expected)), "{to}: {said:?}");
            assert!(said.iter().all(|message| !message.contains("hunter2")), "{said:?}");
        }
    }
}
