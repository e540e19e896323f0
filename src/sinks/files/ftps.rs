//! A file onto an FTPS server: whole under its name, or not there.
//!
//! TLS is asked for before anything is said, and holds for the files too; the server opens the ports of its choice, on its own
//! address alone. Whatever goes wrong ends the connection, and the next attempt begins with another.

use std::sync::Arc;

use secrecy::ExposeSecret;
use suppaftp::tokio::{AsyncRustlsConnector, AsyncRustlsFtpStream};
use suppaftp::types::{FileType, Mode};
use suppaftp::{FtpError, Status};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::encode::File;
use super::server::{Address, Server};
use crate::runtime::secret::Secret;
use crate::runtime::tls;
use crate::sinks::http::Failure;

/// A server on which one station's files are put.
pub(super) struct Ftps {
    server: Server,
    address: Address,
    connection: Option<Connection>,
}

struct Connection {
    ftp: AsyncRustlsFtpStream,
    /// The folder that was last seen or made: the files of a day share one.
    folder: Option<String>,
}

impl Ftps {
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
        if let Some(mut connection) = self.connection.take() {
            // Whether the server hears it makes no difference to any file.
            let _ = connection.ftp.quit().await;
        }
    }

    /// Drops the connection as it is.
    pub(super) fn abandon(&mut self) {
        self.connection = None;
    }
}

impl Connection {
    /// Makes each folder of a path that is missing. FTP has no way to ask whether one is there that every server knows, and
    /// answers to one that can't be made as to one that is there: the file shows it.
    async fn make_folders(&mut self, path: &str) -> Result<(), Failure> {
        let ends = path.match_indices('/').map(|(at, _)| at).filter(|at| *at > 0).chain([path.len()]);
        for folder in ends.map(|end| &path[..end]) {
            match self.ftp.mkdir(folder).await {
                Ok(()) | Err(FtpError::UnexpectedResponse(_)) => {}
                Err(error) => return Err(naming(folder, &error)),
            }
        }
        Ok(())
    }

    async fn write(&mut self, path: &str, mut content: &[u8]) -> Result<(), FtpError> {
        let bytes = content.len();
        self.ftp.put_file(path, &mut content).await?;
        // A server may take a cut connection for the end of the file. Some don't know SIZE.
        match self.ftp.size(path).await {
            Ok(held) if held != bytes => {
                let short = format!("the server holds {held} of {bytes} bytes");
                Err(FtpError::ConnectionError(std::io::Error::other(short)))
            }
            Ok(_) | Err(FtpError::UnexpectedResponse(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Renames; what stands under the new name is replaced, which not every server does in one step.
    async fn rename(&mut self, from: &str, to: &str) -> Result<(), FtpError> {
        match self.ftp.rename(from, to).await {
            Err(error @ FtpError::UnexpectedResponse(_)) => {
                if self.ftp.rm(to).await.is_err() {
                    return Err(error);
                }
                self.ftp.rename(from, to).await
            }
            done => done,
        }
    }
}

async fn connect(server: &Server, address: &Address) -> Result<Connection, Failure> {
    let place = address.place();
    let at = |error: FtpError| Failure::new(format!("{place}: {error}"));
    // Certificates and secrets are read anew for each connection: they are renewed.
    let ca_file = server.ca_file.as_ref().map(|file| file.get_ref().as_path());
    let tls = tls::client(ca_file, None).map_err(|error| Failure::for_a_person(error.to_string()))?;
    let password = server.password.as_ref().map(Secret::resolve).transpose();
    let password = password.map_err(|error| Failure::for_a_person(error.to_string()))?;
    let stream = TcpStream::connect((address.host.as_str(), address.port)).await;
    let stream = stream.map_err(|error| Failure::new(format!("{place}: {error}")))?;
    let is_ipv6 = stream.peer_addr().is_ok_and(|peer| peer.is_ipv6());
    let ftp = AsyncRustlsFtpStream::connect_with_stream(stream).await.map_err(at)?;
    // The one configuration for all connections: servers may ask that a file's TLS session goes on with the first one's.
    let connector = AsyncRustlsConnector::from(TlsConnector::from(Arc::new(tls)));
    let mut ftp = ftp.into_secure(connector, &address.host).await.map_err(|error| match error {
        FtpError::SecureError(reason) => Failure::new(format!("{place}: TLS: {reason}")),
        FtpError::UnexpectedResponse(answer) => Failure::for_a_person(format!("{place} refuses TLS: {answer}")),
        other => Failure::new(format!("{place}: {other}")),
    })?;
    let user = server.username.get_ref();
    let password = password.as_ref().map_or("", |it| it.expose_secret());
    ftp.login(user.as_str(), password).await.map_err(|error| match error {
        FtpError::UnexpectedResponse(answer) if answer.status == Status::NotLoggedIn => {
            Failure::for_a_person(format!("{place} refuses user \"{user}\" with this password: {answer}"))
        }
        other => Failure::new(format!("{place}: {other}")),
    })?;
    ftp.transfer_type(FileType::Binary).await.map_err(at)?;
    // What address the server names for a file is not believed: only its own is connected to.
    ftp.set_passive_nat_workaround(true);
    ftp.set_mode(if is_ipv6 { Mode::ExtendedPassive } else { Mode::Passive });
    Ok(Connection { ftp, folder: None })
}

fn naming(path: &str, error: &FtpError) -> Failure {
    Failure::new(format!("{path} can't be written: {error}"))
}
