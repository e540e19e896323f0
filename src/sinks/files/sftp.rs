//! A file onto an SFTP server: whole under its name, or not there.
//!
//! The server is known by the fingerprint of its host key alone, as the configuration has it. Whatever goes wrong ends the
//! connection, and the next attempt begins with another.

use std::borrow::Cow;
use std::sync::Arc;

use russh::client::{self, Handle};
use russh::keys::{HashAlg, PrivateKeyWithHashAlg, PublicKeyOrCertificate, decode_secret_key};
use russh::{Disconnect, SshId};
use russh_sftp::client::SftpSession;
use russh_sftp::client::error::Error as SftpError;
use russh_sftp::protocol::StatusCode;
use secrecy::ExposeSecret;
use tokio::io::AsyncWriteExt;

use super::encode::File;
use super::server::{Address, Server};
use crate::runtime::secret::Secret;
use crate::sinks::http::Failure;

/// How the box introduces itself.
const CLIENT: &str = concat!("SSH-2.0-parkgate_", env!("CARGO_PKG_VERSION"));

/// A server on which one station's files are put.
pub(super) struct Sftp {
    server: Server,
    address: Address,
    connection: Option<Connection>,
}

/// An SFTP session; it ends with the SSH connection below it.
struct Connection {
    ssh: Handle<HostKey>,
    files: SftpSession,
    /// The folder that was last seen or made: the files of a day share one.
    folder: Option<String>,
}

impl Sftp {
    pub(super) fn new(server: Server, address: Address) -> Self {
        Self { server, address, connection: None }
    }

    /// Puts a file below the server's folder: under a hidden name first, which only then becomes its own. A file of the
    /// same name is replaced. The caller limits the time, and ends the connection after a failure.
    pub(super) async fn put(&mut self, file: &File) -> Result<(), Failure> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(connect(&self.server, &self.address).await?),
        };
        let folder = self.address.below(&file.folder);
        if connection.folder.as_ref() != Some(&folder) {
            connection.make_folders(&folder).await?;
            connection.folder = Some(folder.clone());
        }
        let (partial, whole) = (format!("{folder}/.{}.part", file.name), format!("{folder}/{}", file.name));
        connection.write(&partial, file.text.as_bytes()).await.map_err(|error| naming(&partial, &error))?;
        connection.rename(&partial, &whole).await.map_err(|error| naming(&whole, &error))
    }

    /// Ends the connection.
    pub(super) async fn close(&mut self) {
        if let Some(connection) = self.connection.take() {
            // Whether the server hears it makes no difference to any file.
            let _ = connection.ssh.disconnect(Disconnect::ByApplication, "", "").await;
        }
    }

    /// Drops the connection as it is.
    pub(super) fn abandon(&mut self) {
        self.connection = None;
    }
}

impl Connection {
    /// Makes each folder of a path that is missing.
    async fn make_folders(&self, path: &str) -> Result<(), Failure> {
        let ends = path.match_indices('/').map(|(at, _)| at).filter(|at| *at > 0).chain([path.len()]);
        for folder in ends.map(|end| &path[..end]) {
            let exists = self.files.try_exists(folder).await.map_err(|error| naming(folder, &error))?;
            if !exists && let Err(error) = self.files.create_dir(folder).await {
                // Another station may have made it meanwhile.
                let exists = self.files.try_exists(folder).await.unwrap_or_default();
                if !exists {
                    return Err(naming(folder, &error));
                }
            }
        }
        Ok(())
    }

    async fn write(&self, path: &str, content: &[u8]) -> Result<(), SftpError> {
        let mut handle = self.files.create(path).await?;
        handle.write_all(content).await?;
        // Durable before it is told to be there, on servers that can say so.
        handle.sync_all().await?;
        Ok(handle.close().await?)
    }

    /// Renames; what stands under the new name is replaced, which version 3 of the protocol can't do in one step.
    async fn rename(&self, from: &str, to: &str) -> Result<(), SftpError> {
        let Err(error) = self.files.rename(from, to).await else { return Ok(()) };
        let is_refused = matches!(&error, SftpError::Status(status) if status.status_code == StatusCode::Failure);
        if !is_refused || !self.files.try_exists(to).await? {
            return Err(error);
        }
        self.files.remove_file(to).await?;
        self.files.rename(from, to).await
    }
}

async fn connect(server: &Server, address: &Address) -> Result<Connection, Failure> {
    let config = client::Config {
        client_id: SshId::Standard(Cow::Borrowed(CLIENT)),
        nodelay: true,
        // Ends the session below a connection that was given up while the server keeps silent.
        inactivity_timeout: Some(server.timeout()),
        ..<_>::default()
    };
    let expected = server.host_key.as_ref().map(|key| key.get_ref().clone()).unwrap_or_default();
    let host_key = HostKey { expected };
    let place = address.place();
    let mut ssh = client::connect(Arc::new(config), (address.host.as_str(), address.port), host_key)
        .await
        .map_err(|refused| refused.failure(&place))?;
    log_in(&mut ssh, server, &place).await?;
    let channel = ssh.channel_open_session().await.map_err(|error| broken(&place, &error))?;
    channel.request_subsystem(true, "sftp").await.map_err(|error| broken(&place, &error))?;
    let files = SftpSession::new(channel.into_stream()).await.map_err(|error| broken(&place, &error))?;
    Ok(Connection { ssh, files, folder: None })
}

async fn log_in(ssh: &mut Handle<HostKey>, server: &Server, place: &str) -> Result<(), Failure> {
    let user = server.username.get_ref();
    let answer = if let Some(key) = &server.private_key {
        // Secrets are read anew for each connection: they are renewed.
        let text = key.resolve().map_err(|error| Failure::for_a_person(error.to_string()))?;
        let key = decode_secret_key(text.expose_secret(), None).map_err(|error| {
            Failure::for_a_person(format!("private_key is no private key without a passphrase: {error}"))
        })?;
        if key.algorithm().is_rsa() {
            return Err(Failure::for_a_person("private_key is an RSA key: make one with `ssh-keygen -t ed25519`"));
        }
        ssh.authenticate_publickey(user, PrivateKeyWithHashAlg::new(Arc::new(key), None)).await
    } else {
        let password = server.password.as_ref().map(Secret::resolve).transpose();
        let password = password.map_err(|error| Failure::for_a_person(error.to_string()))?;
        ssh.authenticate_password(user, password.as_ref().map_or("", |it| it.expose_secret())).await
    };
    match answer.map_err(|error| broken(place, &error))? {
        client::AuthResult::Success => Ok(()),
        // A connection that breaks looks like a refusal that names no method.
        client::AuthResult::Failure { remaining_methods, .. } if remaining_methods.is_empty() => {
            Err(Failure::new(format!("{place} ended the connection at the login")))
        }
        client::AuthResult::Failure { remaining_methods, .. } => {
            let methods: Vec<String> = remaining_methods.iter().map(|it| <&str>::from(it).to_owned()).collect();
            let what = if server.private_key.is_some() { "private key" } else { "password" };
            let reason = format!("{place} refuses user \"{user}\" with this {what}; it takes: {}", methods.join(", "));
            Err(Failure::for_a_person(reason))
        }
    }
}

fn naming(path: &str, error: &SftpError) -> Failure {
    Failure::new(format!("{path} can't be written: {error}"))
}

fn broken(place: &str, error: &impl std::fmt::Display) -> Failure {
    Failure::new(format!("{place}: {error}"))
}

/// The one host key that is believed.
struct HostKey {
    expected: String,
}

/// Why there is no SSH connection.
#[derive(Debug, thiserror::Error)]
enum Unconnected {
    /// The network, or the protocol.
    #[error(transparent)]
    Ssh(#[from] russh::Error),
    /// Somebody else, or the server with another key.
    #[error("host key")]
    HostKey { expected: String, presented: String },
}

impl Unconnected {
    fn failure(self, place: &str) -> Failure {
        match self {
            Self::Ssh(error) => broken(place, &error),
            Self::HostKey { expected, presented } => Failure::for_a_person(format!(
                "{place} shows the host key {presented}, and configured is {expected}: nothing was sent. Ask the department \
                 whether it changed its key; only if it says so, write the new fingerprint as host_key"
            )),
        }
    }
}

impl client::Handler for HostKey {
    type Error = Unconnected;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        let key = shown.public_key();
        let presented = key.fingerprint(HashAlg::Sha256).to_string();
        if presented == self.expected {
            return Ok(true);
        }
        let presented = format!("{presented} ({})", key.algorithm().as_str());
        Err(Unconnected::HostKey { expected: self.expected.clone(), presented })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use russh::keys::ssh_key::private::Ed25519Keypair;
    use russh::keys::{HashAlg, PrivateKey};
    use russh::server::{self, Auth, Msg, Session};
    use russh::{Channel, ChannelId};
    use russh_sftp::protocol::StatusCode;
    use tokio::net::TcpListener;

    use super::{Address, Server, connect};

    /// A server that lets "box" in with "s3cret". OpenSSH takes passwords only of users whom the machine has.
    struct Doorkeeper {
        shown: Arc<Mutex<Vec<String>>>,
        channel: Option<Channel<Msg>>,
    }

    impl server::Handler for Doorkeeper {
        type Error = russh::Error;

        async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, Self::Error> {
            self.shown.lock().unwrap().push(format!("{user} {password}"));
            Ok(if (user, password) == ("box", "s3cret") { Auth::Accept } else { Auth::reject() })
        }

        async fn channel_open_session(
            &mut self,
            channel: Channel<Msg>,
            reply: server::ChannelOpenHandle,
            _: &mut Session,
        ) -> Result<(), Self::Error> {
            self.channel = Some(channel);
            reply.accept().await;
            Ok(())
        }

        async fn subsystem_request(
            &mut self,
            id: ChannelId,
            _: &str,
            session: &mut Session,
        ) -> Result<(), Self::Error> {
            session.channel_success(id)?;
            if let Some(channel) = self.channel.take() {
                russh_sftp::server::run(channel.into_stream(), Empty).await;
            }
            Ok(())
        }
    }

    /// SFTP that answers no request but the first.
    struct Empty;

    impl russh_sftp::server::Handler for Empty {
        type Error = StatusCode;

        fn unimplemented(&self) -> Self::Error {
            StatusCode::OpUnsupported
        }
    }

    #[tokio::test]
    async fn a_password_is_shown_to_the_server_with_the_configured_key_and_to_no_other() {
        let key = PrivateKey::from(Ed25519Keypair::from_seed(&[7; 32]));
        let fingerprint = key.public_key().fingerprint(HashAlg::Sha256).to_string();
        let config = Arc::new(server::Config {
            keys: vec![key],
            auth_rejection_time: Duration::ZERO,
            ..server::Config::default()
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shown = Arc::new(Mutex::new(Vec::new()));
        let doorkeeper = Arc::clone(&shown);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let handler = Doorkeeper { shown: Arc::clone(&doorkeeper), channel: None };
                let config = Arc::clone(&config);
                tokio::spawn(async move { server::run_stream(config, stream, handler).await?.await });
            }
        });
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("password");
        let attempt = async |password: &str, host_key: &str| {
            std::fs::write(&file, password).unwrap();
            let text = format!(
                "url = \"sftp://127.0.0.1:{port}\"\nusername = \"box\"\npassword = {{ file = {file:?} }}\nhost_key = \"{host_key}\""
            );
            let server: Server = toml::from_str(&text).unwrap();
            let address = Address::parse(server.url.get_ref()).unwrap();
            connect(&server, &address).await.map(drop)
        };
        let other = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";
        let refused = attempt("s3cret", other).await.unwrap_err();
        assert!(refused.needs_person && refused.reason.contains(other) && refused.reason.contains(&fingerprint));
        assert!(shown.lock().unwrap().is_empty(), "nothing is shown to a stranger");
        let refused = attempt("wr0ng", &fingerprint).await.unwrap_err();
        assert!(refused.needs_person && refused.reason.contains("with this password"), "{}", refused.reason);
        assert!(!refused.reason.contains("wr0ng"));
        attempt("s3cret\n", &fingerprint).await.unwrap();
        assert_eq!(*shown.lock().unwrap(), ["box wr0ng", "box s3cret"]);
    }
}
