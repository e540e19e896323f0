//! `[http]`: where the API and the pages listen, and who may read them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde::Deserialize;
use toml::Spanned;

use crate::model::problem::Problems;
use crate::runtime::secret::Secret;

/// The port used unless another is declared.
const PORT: u16 = 8080;

/// `[http]`: the listener of the API and the pages.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpConfig {
    /// Address and port; default `127.0.0.1:8080`. Port 0 lets the system choose.
    #[serde(default = "loopback")]
    pub listen: Spanned<SocketAddr>,
    /// What a reader must send as bearer token. Without it only loopback is served.
    pub token: Option<Secret>,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self { listen: loopback(), token: None }
    }
}

impl HttpConfig {
    /// Refuses unauthenticated access from beyond this machine.
    pub fn check(&self, problems: &mut Problems) {
        let listen = self.listen.get_ref();
        if self.token.is_none() && !listen.ip().is_loopback() {
            problems.error(
                self.listen.span(),
                format!("http listens on {listen}, which other machines reach, and has no token"),
                "add token = { env = \"PARKGATE_HTTP_TOKEN\" }, or listen on 127.0.0.1",
            );
        }
    }
}

fn loopback() -> Spanned<SocketAddr> {
    // No span: nothing stands in the file.
    Spanned::new(0..0, SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), PORT))
}

#[cfg(test)]
mod tests {
    use super::{HttpConfig, Problems};

    fn problems(text: &str) -> Vec<String> {
        let config: HttpConfig = toml::from_str(text).unwrap();
        let mut problems = Problems::default();
        config.check(&mut problems);
        problems.0.into_iter().map(|problem| problem.message).collect()
    }

    #[test]
    fn without_a_word_only_this_machine_is_served() {
        let config: HttpConfig = toml::from_str("").unwrap();
        assert_eq!(config.listen.get_ref().to_string(), "127.0.0.1:8080");
        assert!(problems("").is_empty());
    }

    #[test]
    fn other_machines_are_refused_without_a_token() {
        let open = problems("listen = \"0.0.0.0:8080\"");
        assert_eq!(open, ["http listens on 0.0.0.0:8080, which other machines reach, and has no token"]);
        assert!(problems("listen = \"[::1]:0\"").is_empty());
        assert!(problems("listen = \"0.0.0.0:8080\"\ntoken = { env = \"T\" }").is_empty());
    }

    #[test]
    fn a_misspelt_key_is_refused() {
        assert!(toml::from_str::<HttpConfig>("listn = \"127.0.0.1:1\"").is_err());
    }
}
