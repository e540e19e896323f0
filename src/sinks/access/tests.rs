//! The way out against a server that counts tokens, a proxy that reads what comes by, and a server that asks for a
//! certificate. The keys in `fixture/` open nothing but these tests.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::post;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::Access;
use crate::model::id::StreamName;
use crate::model::problem::Problems;
use crate::sinks::http::{Answer, Failure};
use crate::sinks::platform::config::PlatformSink;

#[derive(Default)]
struct Seen {
    /// Bodies of token requests.
    asked: Vec<String>,
    /// Authorizations of token requests.
    asked_as: Vec<String>,
    /// Authorizations of the rest.
    shown: Vec<String>,
    /// What the next token answers say in place of a good one.
    tokens: VecDeque<(u16, String)>,
    /// Statuses of the next answers in place of 200.
    statuses: VecDeque<u16>,
}

type Server = Arc<Mutex<Seen>>;

fn authorization(headers: &HeaderMap) -> String {
    headers.get("authorization").map_or_else(String::new, |value| value.to_str().unwrap().to_owned())
}

async fn token(State(server): State<Server>, headers: HeaderMap, body: String) -> Response {
    let mut seen = server.lock().unwrap();
    seen.asked.push(body);
    seen.asked_as.push(authorization(&headers));
    let number = seen.asked.len();
    let good = format!("{{\"access_token\":\"tok-{number}\",\"token_type\":\"Bearer\",\"expires_in\":3600}}");
    let (status, answer) = seen.tokens.pop_front().unwrap_or((200, good));
    Response::builder().status(status).body(Body::from(answer)).unwrap()
}

async fn data(State(server): State<Server>, headers: HeaderMap) -> Response {
    let mut seen = server.lock().unwrap();
    seen.shown.push(authorization(&headers));
    let status = seen.statuses.pop_front().unwrap_or(200);
    // A careless receiver repeats what it was shown.
    Response::builder().status(status).body(Body::from(authorization(&headers))).unwrap()
}

async fn serve(server: &Server) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/token", post(token)).route("/", post(data)).with_state(Arc::clone(server));
    tokio::task::spawn(async move { axum::serve(listener, router).await });
    address
}

/// A sink's configuration with these keys, and a directory with its secrets.
fn config(url: &str, keys: &str) -> (PlatformSink, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("secret");
    std::fs::write(&path, "top s3cret\n").unwrap();
    let keys = keys.replace("SECRET", &format!("{{ file = \"{}\" }}", path.display()));
    let text =
        format!("name = \"hepza\"\nurl = \"{url}\"\ntimeout = \"5s\"\nshare = {{ kpis = [\"electricity\"] }}\n{keys}");
    (toml::from_str(&text).unwrap(), directory)
}

async fn oauth2(server: &Server) -> (Access, String) {
    let url = format!("http://{}/", serve(server).await);
    let keys =
        format!("oauth2 = {{ url = \"{url}token\", client_id = \"box 1\", client_secret = SECRET, scope = \"kpi\" }}");
    let (config, _directory) = config(&url, &keys);
    (Access::new(&config.means()).unwrap(), url)
}

async fn send(access: &mut Access, url: &str) -> Result<Answer, Failure> {
    let request = access.client.post(url).body("page");
    access.send(request).await
}

#[tokio::test]
async fn a_token_is_fetched_once_and_used_until_it_ends() {
    let server = Server::default();
    let (mut access, url) = oauth2(&server).await;
    let short = "{\"access_token\":\"short\",\"expires_in\":0}".to_owned();
    server.lock().unwrap().tokens.extend([(200, short)]);
    for _ in 0..3 {
        assert_eq!(send(&mut access, &url).await.unwrap().status, 200);
    }
    let seen = server.lock().unwrap();
    assert_eq!(seen.shown, ["Bearer short", "Bearer tok-2", "Bearer tok-2"]);
    assert_eq!(seen.asked, ["grant_type=client_credentials&scope=kpi"; 2]);
    // "box+1:top+s3cret": both encoded like a form's values.
    assert_eq!(seen.asked_as, ["Basic Ym94KzE6dG9wK3MzY3JldA=="; 2]);
}

#[tokio::test]
async fn a_kept_token_that_is_refused_is_replaced_exactly_once() {
    let server = Server::default();
    let (mut access, url) = oauth2(&server).await;
    assert_eq!(send(&mut access, &url).await.unwrap().status, 200);
    server.lock().unwrap().statuses.extend([401]);
    assert_eq!(send(&mut access, &url).await.unwrap().status, 200);
    server.lock().unwrap().statuses.extend([401, 401]);
    assert_eq!(send(&mut access, &url).await.unwrap().status, 401);
    // The next attempt, after a pause, begins with a new token; refused, it isn't replaced at once.
    server.lock().unwrap().statuses.extend([401]);
    assert_eq!(send(&mut access, &url).await.unwrap().status, 401);
    let seen = server.lock().unwrap();
    let tokens = [1, 1, 2, 2, 3, 4].map(|number| format!("Bearer tok-{number}"));
    assert_eq!((seen.shown.as_slice(), seen.asked.len()), (tokens.as_slice(), 4));
}

#[tokio::test]
async fn what_goes_wrong_is_said_without_a_secret() {
    let server = Server::default();
    let (mut access, url) = oauth2(&server).await;
    let said = [
        (401, "{\"error\":\"invalid_client\"}", "token endpoint: answers 401: invalid_client"),
        (400, "{\"error\":\"top s3cret is wrong\"}", "token endpoint: answers 400: *** is wrong"),
        (503, "closed", "token endpoint: answers 503: closed"),
        (200, "{}", "token endpoint: answers 200 without an access_token"),
        (
            200,
            "{\"access_token\":\"x\",\"token_type\":\"mac\"}",
            "token endpoint: gives a token that is no bearer token",
        ),
    ];
    for (status, body, words) in said {
        server.lock().unwrap().tokens.push_back((status, body.to_owned()));
        assert_eq!(send(&mut access, &url).await.unwrap_err().reason, words);
    }
    server.lock().unwrap().statuses.push_back(403);
    let answer = send(&mut access, &url).await.unwrap();
    assert_eq!(answer.failure().reason, "receiver refuses this gateway (403): Bearer ***");
}

#[tokio::test]
async fn what_an_exchange_costs_counts_tokens_and_answers() {
    let server = Server::default();
    let (mut access, url) = oauth2(&server).await;
    send(&mut access, &url).await.unwrap();
    let first = access.take_spent();
    send(&mut access, &url).await.unwrap();
    let second = access.take_spent();
    assert!(second > 100 && first > second + 100, "{first} {second}");
    assert_eq!(access.take_spent(), 0);
}

/// Takes one connection, answers `answer`, and returns the head of the request.
async fn once(listener: TcpListener, answer: &str) -> String {
    let (mut stream, _) = listener.accept().await.unwrap();
    let head = head(&mut stream).await;
    stream.write_all(answer.as_bytes()).await.unwrap();
    head
}

async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

#[tokio::test]
async fn a_proxy_gets_everything_and_its_password_shows_nowhere() {
    for (url, line) in [
        ("http://hub.example.gov.vn/", "POST http://hub.example.gov.vn/ HTTP/1.1\r\n"),
        ("https://hub.example.gov.vn/", "CONNECT hub.example.gov.vn:443 HTTP/1.1\r\n"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let keys = format!("proxy = {{ url = \"http://{address}\", user = \"box\", password = SECRET }}");
        let (config, _directory) = config(url, &keys);
        let mut access = Access::new(&config.means()).unwrap();
        let refusal = "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 10\r\n\r\ntop s3cret";
        let (head, answer) = tokio::join!(once(listener, refusal), send(&mut access, url));
        assert!(head.starts_with(line), "{head}");
        // "box:top s3cret"
        assert!(head.contains("Basic Ym94OnRvcCBzM2NyZXQ=\r\n"), "{head}");
        let said = answer.map_or_else(|failure| failure.reason, |answer| answer.failure().reason);
        assert!(!said.contains("s3cret"), "{said}");
    }
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sinks/access/fixture").join(name)
}

/// A server that talks to who shows a certificate of the test authority.
async fn serve_certified(listener: TcpListener) {
    let authority = CertificateDer::from_pem_file(fixture("ca.pem")).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(authority).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().unwrap();
    let chain = vec![CertificateDer::from_pem_file(fixture("server.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(fixture("server.key")).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        if let Ok(mut stream) = acceptor.accept(stream).await {
            let mut taken = [0; 1024];
            if stream.read(&mut taken).await.is_ok() {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await.unwrap();
                stream.shutdown().await.ok();
            }
        }
    }
}

#[tokio::test]
async fn a_server_that_asks_for_a_certificate_gets_it_and_turns_away_who_has_none() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let trust = format!("ca_file = \"{}\"\n", fixture("ca.pem").display());
    let shown = format!(
        "{trust}cert_file = \"{}\"\nkey_file = \"{}\"",
        fixture("client.pem").display(),
        fixture("client.key").display()
    );
    let ask = async {
        for (keys, is_welcome) in [(&shown, true), (&trust, false)] {
            let (config, _directory) = config(&url, keys);
            let mut access = Access::new(&config.means()).unwrap();
            let answer = send(&mut access, &url).await;
            assert_eq!(answer.is_ok_and(|answer| answer.status == 200), is_welcome);
        }
    };
    tokio::select! { () = serve_certified(listener) => unreachable!(), () = ask => {} }
}

#[test]
fn what_contradicts_itself_is_refused_before_it_runs() {
    for (url, keys, words) in [
        ("https://hub", "token = SECRET", ""),
        ("https://hub", "oauth2 = { url = \"https://hub/token\", client_id = \"box\", client_secret = SECRET }", ""),
        (
            "https://hub",
            "oauth2 = { url = \"hub\", client_id = \"\", client_secret = SECRET }",
            "is not an http or https URL; sink \"hepza\": empty client_id",
        ),
        (
            "https://hub",
            "token = SECRET\noauth2 = { url = \"https://hub\", client_id = \"b\", client_secret = SECRET }",
            "has a token of its own",
        ),
        ("https://hub", "proxy = { url = \"http://u:p@10.0.0.1\" }", "is not the address of an HTTP proxy"),
        ("https://hub", "proxy = { url = \"http://10.0.0.1:3128\", password = SECRET }", "password has no user"),
        ("https://hub", "key_file = \"k.pem\"", "belong together"),
        ("http://hub", "cert_file = \"c.pem\"\nkey_file = \"k.pem\"", "over https alone"),
    ] {
        let (config, _directory) = config(url, keys);
        let mut problems = Problems::default();
        config.means().check(&StreamName::new("hepza").unwrap(), &mut problems);
        let said: Vec<&str> = problems.0.iter().map(|problem| problem.message.as_str()).collect();
        let said = said.join("; ");
        assert!(said.contains(words) && said.is_empty() == words.is_empty(), "{keys}: {said}");
    }
}
