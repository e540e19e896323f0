//! Mosquitto, started for one run with settings that are printed beside the figures.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What the broker is told beside its port: nothing that spares it work.
pub const SETTINGS: &str = "allow_anonymous true
persistence false
set_tcp_nodelay true
max_inflight_messages 1000
max_queued_messages 100000
log_type error
";

/// A broker. Dropped, it is ended by its id.
pub struct Broker {
    child: Child,
    pub port: u16,
    _directory: tempfile::TempDir,
}

impl Broker {
    /// Starts Mosquitto; `None` where it isn't installed.
    pub fn start() -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join("mosquitto.conf");
        std::fs::write(&config, format!("listener {port} 127.0.0.1\n{SETTINGS}")).unwrap();
        let mut command = Command::new("mosquitto");
        let child = command.arg("-c").arg(&config).stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?;
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(10), "mosquitto doesn't listen");
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(Self { child, port, _directory: directory })
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
