//! Opens what a link runs over: a TCP connection, TLS inside one, or a serial port.
//!
//! Each step has its own time limit. Nothing is sent that isn't needed to open it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::pki_types::ServerName;
use serial2_tokio::rs4xx::{Rs485Config, TransceiverMode};
use serial2_tokio::{CharSize, FlowControl, SerialPort, Settings, StopBits};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::LinkError;
use crate::runtime::tls::{self, Identity};
use crate::sources::modbus::transport::{Line, Parity, Security};

/// Opening a terminal must neither wait for a carrier nor make it the controlling one. **Source**: Linux
/// `asm-generic/fcntl.h`.
const O_NONBLOCK: i32 = 0o4000;
const O_NOCTTY: i32 = 0o400;

/// Connects to a host.
pub(super) async fn tcp(host: &str, port: u16, limit: Duration) -> Result<TcpStream, LinkError> {
    let stream = match timeout(limit, TcpStream::connect((host, port))).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(LinkError::Connect(error.to_string())),
        Err(_) => return Err(LinkError::Connect(format!("not accepted within {limit:?}"))),
    };
    // Requests are small and wait for their answer; an old kernel that can't switch the delay off still works.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

/// Connects to a host and agrees with it on TLS.
pub(super) async fn tls(
    host: &str,
    port: u16,
    security: &Security,
    limit: Duration,
) -> Result<TlsStream<TcpStream>, LinkError> {
    let refused = |reason: String| LinkError::Connect(reason);
    let identity = match (&security.cert_file, &security.key_file) {
        (Some(cert_file), Some(key_file)) => Some(Identity { cert_file, key_file }),
        _ => None,
    };
    let config = tls::client(security.ca_file.as_deref(), identity).map_err(|error| refused(error.to_string()))?;
    let name = security.server_name.as_deref().unwrap_or(host);
    let name = ServerName::try_from(name.to_owned())
        .map_err(|_| refused(format!("\"{name}\" is no name a certificate can carry")))?;
    let stream = tcp(host, port, limit).await?;
    match timeout(limit, TlsConnector::from(Arc::new(config)).connect(name, stream)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(refused(format!("TLS: {error}"))),
        Err(_) => Err(refused(format!("no TLS within {limit:?}"))),
    }
}

/// A serial port that no other program which asks for the lock has open.
pub(super) struct Port {
    port: SerialPort,
    /// Held as long as the port.
    _lock: File,
}

/// Opens a serial port. What its driver still kept from before is discarded.
pub(super) async fn serial(path: &Path, line: Line) -> Result<Port, LinkError> {
    let place = path.to_owned();
    // The driver may wait for a device that is being plugged in.
    let opened = tokio::task::spawn_blocking(move || open_port(&place, line)).await;
    opened.unwrap_or_else(|error| Err(error.to_string())).map_err(LinkError::Connect)
}

fn open_port(path: &Path, line: Line) -> Result<Port, String> {
    let shown = |error: io::Error| format!("{}: {error}", path.display());
    let mut options = OpenOptions::new();
    let lock = options.read(true).write(true).custom_flags(O_NONBLOCK | O_NOCTTY).open(path).map_err(shown)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(format!("{}: another program has it open", path.display())),
        Err(TryLockError::Error(error)) => return Err(shown(error)),
    }
    let port = SerialPort::open(path, |settings: Settings| set(settings, line)).map_err(shown)?;
    if line.rs485 {
        let mode = TransceiverMode::Rs485(Rs485Config::new());
        port.set_rs4xx_mode(mode)
            .map_err(|error| format!("{}: its driver has no RS-485 mode ({error}); leave rs485 out", path.display()))?;
    }
    port.discard_buffers().map_err(shown)?;
    Ok(Port { port, _lock: lock })
}

fn set(mut settings: Settings, line: Line) -> io::Result<Settings> {
    settings.set_raw();
    settings.set_baud_rate(line.baud)?;
    settings.set_char_size(CharSize::Bits8);
    settings.set_parity(match line.parity {
        Parity::None => serial2_tokio::Parity::None,
        Parity::Even => serial2_tokio::Parity::Even,
        Parity::Odd => serial2_tokio::Parity::Odd,
    });
    settings.set_stop_bits(if line.stop_bits == 2 { StopBits::Two } else { StopBits::One });
    settings.set_flow_control(FlowControl::None);
    Ok(settings)
}

impl AsyncRead for Port {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.port).poll_read(context, buffer)
    }
}

impl AsyncWrite for Port {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.port).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.port).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.port).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::{Line, Parity, SerialPort, StopBits, set};

    #[tokio::test]
    async fn a_line_is_set_as_the_url_says() {
        let terminal = rustix::pty::openpt(rustix::pty::OpenptFlags::RDWR | rustix::pty::OpenptFlags::NOCTTY).unwrap();
        rustix::pty::unlockpt(&terminal).unwrap();
        let path = rustix::pty::ptsname(&terminal, Vec::new()).unwrap().into_string().unwrap();
        let settings = SerialPort::open(path, 9600).unwrap().get_configuration().unwrap();
        for (parity, expected) in [
            (Parity::None, serial2_tokio::Parity::None),
            (Parity::Even, serial2_tokio::Parity::Even),
            (Parity::Odd, serial2_tokio::Parity::Odd),
        ] {
            for (stop_bits, stops) in [(1, StopBits::One), (2, StopBits::Two)] {
                let line = Line { baud: 38_400, parity, stop_bits, rs485: false };
                let settings = set(settings.clone(), line).unwrap();
                assert_eq!(settings.get_baud_rate().unwrap(), 38_400);
                assert_eq!((settings.get_parity().unwrap(), settings.get_stop_bits().unwrap()), (expected, stops));
                assert_eq!(settings.get_char_size().unwrap(), serial2_tokio::CharSize::Bits8);
            }
        }
    }
}
