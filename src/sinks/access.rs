//! How a destination over HTTP is reached, and as whom: proxy, client certificate, bearer token, OAuth2.
//!
//! In: what configuration says, with secrets by reference. Out: requests that carry what the destination asks for, and
//! how many bytes they cost. A token of OAuth2 client credentials is kept until shortly before it expires, on I/O time;
//! a destination that refuses a kept one makes one new one be fetched, and what it answers to that one stands. No secret
//! gets into a log, an error or a health state: what a receiver repeats of one is struck out.
//! **Source**: RFC 6749, sections 2.3.1 and 4.4; RFC 6750.

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Proxy, Request, RequestBuilder, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::time::Instant;
use toml::Spanned;

use super::http::{self, Answer, ClientError, Failure, check_url};
use crate::model::id::StreamName;
use crate::model::problem::Problems;
use crate::model::time::Period;
use crate::runtime::secret::{Secret, SecretError};
use crate::runtime::tls::Identity;

/// How long before its end a token isn't used any more, at most: a request may be under way for long.
const EXPIRY_MARGIN_MAX: Duration = Duration::from_secs(60);
/// Longest life of a token that is believed; a receiver that gives longer ones is asked again then.
const LIFE_MAX: Duration = Duration::from_secs(30 * 24 * 3600);
/// Shorter secrets aren't struck out of a receiver's words: a reason full of stars helps nobody.
const STRUCK_BYTES_MIN: usize = 4;

/// OAuth2 client credentials: `oauth2 = { url = "…", client_id = "…", client_secret = { … }, scope = "…" }`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OAuth2Config {
    /// The token endpoint.
    pub url: Spanned<String>,
    /// Who asks.
    pub client_id: Spanned<String>,
    /// The secret of who asks.
    pub client_secret: Secret,
    /// What is asked for; the endpoint's default where not given.
    pub scope: Option<String>,
}

/// An HTTP proxy through which everything goes: `proxy = { url = "http://10.0.0.1:3128", user = "…", password = { … } }`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProxyConfig {
    /// `http://host:port`; an https destination is reached by CONNECT, so the proxy reads nothing of it.
    pub url: Spanned<String>,
    /// Who asks, where the proxy wants to know.
    pub user: Option<String>,
    /// The secret of who asks.
    pub password: Option<Secret>,
}

/// What the configuration of a destination says of reaching it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Means<'a> {
    pub(super) url: &'a Spanned<String>,
    pub(super) token: Option<&'a Secret>,
    pub(super) oauth2: Option<&'a OAuth2Config>,
    pub(super) proxy: Option<&'a ProxyConfig>,
    pub(super) ca_file: Option<&'a PathBuf>,
    pub(super) cert_file: Option<&'a Spanned<PathBuf>>,
    pub(super) key_file: Option<&'a Spanned<PathBuf>>,
    pub(super) timeout: Option<&'a Spanned<Period>>,
}

/// Why a destination can't be reached whatever it answers.
#[derive(Debug, thiserror::Error)]
pub(super) enum AccessError {
    /// A secret can't be had.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// There is no client.
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// How the box shows who it is.
enum Credential {
    /// It doesn't, beyond a client certificate.
    None,
    /// By a token that somebody gave it.
    Bearer(SecretString),
    /// By tokens that it fetches.
    OAuth2(OAuth2),
}

struct OAuth2 {
    url: String,
    client_id: String,
    client_secret: SecretString,
    scope: Option<String>,
    held: Option<Held>,
}

struct Held {
    token: SecretString,
    /// When it isn't used any more; `None` where the endpoint didn't say.
    until: Option<Instant>,
}

/// One destination's way out.
pub(super) struct Access {
    pub(super) client: Client,
    credential: Credential,
    /// Every secret of this way that a receiver might repeat: those of the configuration, then the token fetched last.
    secrets: Vec<SecretString>,
    /// How many are of the configuration.
    configured: usize,
    /// Bytes of requests and answers since they were last asked for, without TLS and TCP.
    spent: u64,
}

impl Access {
    /// Reads the secrets and builds the client.
    ///
    /// # Errors
    /// [`AccessError`], which names the place of a secret and never the secret.
    pub(super) fn new(means: &Means<'_>) -> Result<Self, AccessError> {
        let mut secrets = Vec::new();
        let mut resolve = |secret: &Secret| -> Result<SecretString, SecretError> {
            let resolved = secret.resolve()?;
            secrets.push(resolved.clone());
            Ok(resolved)
        };
        let credential = match (means.oauth2, means.token) {
            (Some(oauth2), _) => Credential::OAuth2(OAuth2 {
                url: oauth2.url.get_ref().clone(),
                client_id: oauth2.client_id.get_ref().clone(),
                client_secret: resolve(&oauth2.client_secret)?,
                scope: oauth2.scope.clone(),
                held: None,
            }),
            (None, Some(token)) => Credential::Bearer(resolve(token)?),
            (None, None) => Credential::None,
        };
        let password = means.proxy.and_then(|proxy| proxy.password.as_ref()).map(&mut resolve).transpose()?;
        let proxy =
            means.proxy.map(|proxy| proxy_of(proxy, password.as_ref())).transpose().map_err(ClientError::from)?;
        let identity = means.cert_file.zip(means.key_file);
        let identity = identity
            .map(|(cert_file, key_file)| Identity { cert_file: cert_file.get_ref(), key_file: key_file.get_ref() });
        let timeout = means.timeout.map(|timeout| *timeout.get_ref());
        let client = http::client_with(timeout, means.ca_file.map(PathBuf::as_path), identity, proxy)?;
        Ok(Self { client, credential, configured: secrets.len(), secrets, spent: 0 })
    }

    /// Sends a request as whom the destination knows. A kept token that is refused is replaced once.
    pub(super) async fn send(&mut self, request: RequestBuilder) -> Result<Answer, Failure> {
        let request = request
            .build()
            .map_err(|error| Failure::new(format!("request can't be built: {}", error.without_url())))?;
        let again = request.try_clone();
        let (token, was_kept) = self.token().await?;
        let answer = self.exchange(request, token.as_ref()).await?;
        if answer.status != 401 {
            return Ok(answer);
        }
        let Credential::OAuth2(oauth2) = &mut self.credential else { return Ok(answer) };
        oauth2.held = None;
        let Some(again) = again.filter(|_| was_kept) else { return Ok(answer) };
        let (token, _) = self.token().await?;
        let answer = self.exchange(again, token.as_ref()).await?;
        if let (401, Credential::OAuth2(oauth2)) = (answer.status, &mut self.credential) {
            oauth2.held = None;
        }
        Ok(answer)
    }

    /// Returns what the last exchanges cost, and begins to count anew. **Unit**: bytes of requests and answers with
    /// their headers, tokens fetched included; TLS and TCP add to them what can't be seen here.
    pub(super) const fn take_spent(&mut self) -> u64 {
        std::mem::replace(&mut self.spent, 0)
    }

    /// Returns the token to show, and whether it was kept from before.
    async fn token(&mut self) -> Result<(Option<SecretString>, bool), Failure> {
        let request = match &self.credential {
            Credential::None => return Ok((None, false)),
            Credential::Bearer(token) => return Ok((Some(token.clone()), false)),
            Credential::OAuth2(OAuth2 { held: Some(held), .. })
                if held.until.is_none_or(|until| Instant::now() < until) =>
            {
                return Ok((Some(held.token.clone()), true));
            }
            Credential::OAuth2(oauth2) => oauth2.request(&self.client)?,
        };
        let at = |failure: Failure| Failure { reason: format!("token endpoint: {}", failure.reason), ..failure };
        let answer = self.exchange(request, None).await.map_err(at)?;
        let held = held(&answer).map_err(at)?;
        let token = held.token.clone();
        self.secrets.truncate(self.configured);
        self.secrets.push(token.clone());
        if let Credential::OAuth2(oauth2) = &mut self.credential {
            oauth2.held = Some(held);
        }
        Ok((Some(token), false))
    }

    async fn exchange(&mut self, mut request: Request, token: Option<&SecretString>) -> Result<Answer, Failure> {
        if let Some(token) = token {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()))
                .map_err(|_| Failure::new("the token holds a character no header can carry"))?;
            value.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        self.spent += http::request_bytes(&request);
        let sent = http::execute(&self.client, request).await;
        match sent {
            Ok(mut answer) => {
                self.spent += answer.bytes;
                if answer.status >= 300 {
                    answer.body = self.struck_out(&answer.body);
                }
                Ok(answer)
            }
            Err(failure) => {
                let reason = String::from_utf8_lossy(&self.struck_out(failure.reason.as_bytes())).into_owned();
                Err(Failure { reason, ..failure })
            }
        }
    }

    /// Returns a text with every secret in it replaced by stars.
    fn struck_out(&self, text: &[u8]) -> Vec<u8> {
        let mut text = String::from_utf8_lossy(text).into_owned();
        for secret in self.secrets.iter().map(|secret| secret.expose_secret()) {
            if secret.len() >= STRUCK_BYTES_MIN {
                text = text.replace(secret, "***");
            }
        }
        text.into_bytes()
    }
}

impl OAuth2 {
    fn request(&self, client: &Client) -> Result<Request, Failure> {
        let mut form = vec![("grant_type", "client_credentials")];
        form.extend(self.scope.as_deref().map(|scope| ("scope", scope)));
        let request = client
            .post(&self.url)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(reqwest::header::ACCEPT, "application/json")
            // The two are encoded like a form's values before they are joined (RFC 6749, section 2.3.1).
            .basic_auth(encoded(&self.client_id), Some(encoded(self.client_secret.expose_secret())))
            .body(form_of(&form));
        request.build().map_err(|error| Failure::new(format!("token endpoint: {}", error.without_url())))
    }
}

/// Answer of a token endpoint. **Source**: RFC 6749, section 5.1.
#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    token_type: Option<String>,
    expires_in: Option<f64>,
}

/// Error of a token endpoint. **Source**: RFC 6749, section 5.2.
#[derive(Deserialize)]
struct TokenError {
    error: String,
}

fn held(answer: &Answer) -> Result<Held, Failure> {
    if answer.status != 200 {
        let refused = serde_json::from_slice::<TokenError>(&answer.body);
        let words = refused.map_or_else(|_| answer.words(), |refused| refused.error.chars().take(100).collect());
        let reason = format!("answers {}: {words}", answer.status);
        return Err(Failure { after: answer.after, ..Failure::new(reason) });
    }
    let Ok(TokenAnswer { access_token, token_type, expires_in }) = serde_json::from_slice(&answer.body) else {
        return Err(Failure::new("answers 200 without an access_token"));
    };
    if token_type.is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
        return Err(Failure::new("gives a token that is no bearer token"));
    }
    let life =
        expires_in.map(|seconds| Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(LIFE_MAX).min(LIFE_MAX));
    let until = life.map(|life| Instant::now() + life - (life / 10).min(EXPIRY_MARGIN_MAX));
    Ok(Held { token: SecretString::from(access_token), until })
}

fn proxy_of(proxy: &ProxyConfig, password: Option<&SecretString>) -> Result<Proxy, reqwest::Error> {
    let all = Proxy::all(proxy.url.get_ref())?;
    Ok(match &proxy.user {
        Some(user) => all.basic_auth(user, password.map(|password| password.expose_secret()).unwrap_or_default()),
        None => all,
    })
}

fn form_of(pairs: &[(&str, &str)]) -> String {
    let mut url = Url::parse("http://form").expect("a fixed text is a URL");
    url.query_pairs_mut().extend_pairs(pairs);
    url.query().unwrap_or_default().to_owned()
}

fn encoded(text: &str) -> String {
    form_of(&[(text, "")]).trim_end_matches('=').to_owned()
}

impl Means<'_> {
    /// Says what is wrong with how a destination is to be reached.
    pub(super) fn check(&self, sink: &StreamName, problems: &mut Problems) {
        check_url(sink, self.url, problems);
        http::check_timeout(sink, self.timeout, problems);
        if let Some(oauth2) = self.oauth2 {
            check_url(sink, &oauth2.url, problems);
            if oauth2.client_id.get_ref().is_empty() {
                let message = format!("sink \"{sink}\": empty client_id");
                problems.error(oauth2.client_id.span(), message, "write the id that the platform gave this box");
            }
            if self.token.is_some() {
                problems.error(
                    oauth2.url.span(),
                    format!("sink \"{sink}\" has a token of its own and fetches tokens by oauth2"),
                    "keep one of the two",
                );
            }
        }
        if let Some(proxy) = self.proxy {
            let valid = Url::parse(proxy.url.get_ref()).is_ok_and(|url| {
                url.scheme() == "http" && url.has_host() && url.username().is_empty() && url.password().is_none()
            });
            if !valid {
                problems.error(
                    proxy.url.span(),
                    format!("sink \"{sink}\": \"{}\" is not the address of an HTTP proxy", proxy.url.get_ref()),
                    "write it like http://10.0.0.1:3128, and credentials as user and password",
                );
            }
            if proxy.password.is_some() && proxy.user.is_none() {
                let message = format!("sink \"{sink}\": the proxy's password has no user");
                problems.error(proxy.url.span(), message, "add user, or remove password");
            }
        }
        match (self.cert_file, self.key_file) {
            (Some(alone), None) | (None, Some(alone)) => problems.error(
                alone.span(),
                format!("sink \"{sink}\": cert_file and key_file belong together"),
                "name both, or neither",
            ),
            (Some(cert_file), Some(_)) if !self.url.get_ref().starts_with("https://") => problems.error(
                cert_file.span(),
                format!("sink \"{sink}\": a client certificate is shown over https alone"),
                "write https:// in url, or remove cert_file and key_file",
            ),
            _ => {}
        }
    }
}
