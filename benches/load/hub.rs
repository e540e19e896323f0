//! The authority's hub on this machine: the real binary, which knows the box under load.

use std::net::SocketAddr;
use std::process::{Command, Stdio};

use crate::process::Process;

/// A running hub in a directory of its own.
pub struct Hub {
    pub address: SocketAddr,
    _process: Process,
    _directory: tempfile::TempDir,
}

impl Hub {
    pub fn start() -> Self {
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let config = directory.path().join("hub.toml");
        let text = format!(
            "[hub]\nname = \"load\"\ntimezone = \"Asia/Ho_Chi_Minh\"\ndata_dir = \"{}\"\n[http]\nlisten = \"127.0.0.1:0\"\n\
             [[park]]\nid = \"park\"\nname = \"park\"\nprovince = \"load\"\n\
             [[site]]\nid = \"load\"\npark = \"park\"\nenterprise = \"9900000016\"\nname = \"load\"\n\
             [[gateway]]\nid = \"load\"\nsite = \"load\"\n",
            directory.path().join("data").display()
        );
        std::fs::write(&config, text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_parkgate"));
        let (process, ready) = Process::start(command.args(["hub", "-c"]).arg(&config).stderr(Stdio::null()));
        let address = ready.rsplit_once("http://").and_then(|(_, address)| address.parse().ok());
        let address = address.unwrap_or_else(|| panic!("the hub doesn't start: {ready}"));
        Self { address, _process: process, _directory: directory }
    }
}
