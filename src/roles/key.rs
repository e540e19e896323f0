//! The gateway's key file, `gateway.key` in the data directory: PKCS#8 PEM around a 32-byte Ed25519 seed.
//!
//! It is made on first start, for its owner's eyes alone, and never printed or logged. A key that others can read, or
//! that is gone although pages were signed with it, is refused: both need a person.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use anyhow::{Context, bail};
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey, KeypairBytes};

use crate::ledger::key::GatewayKey;

/// Name of the file in the data directory.
pub const FILE_NAME: &str = "gateway.key";

/// Reads the key, or makes it where there is none. `pages_exist` says whether the store already holds pages: then a
/// missing key is not replaced, because every receiver would refuse what another key signs.
///
/// # Errors
/// A file that can't be read or written, is open to others or holds no Ed25519 key; a missing key where pages exist.
pub fn open(data_dir: &Path, pages_exist: bool) -> anyhow::Result<GatewayKey> {
    let path = data_dir.join(FILE_NAME);
    match fs::symlink_metadata(&path) {
        Ok(_) => read(&path),
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("gateway key {} can't be read", path.display()))
        }
        Err(_) if pages_exist => bail!(
            "gateway key {} is missing although pages were signed with it: restore it from a backup, every receiver \
             would refuse what another key signs",
            path.display()
        ),
        Err(_) => create(data_dir, &path),
    }
}

fn read(path: &Path) -> anyhow::Result<GatewayKey> {
    let mode = fs::metadata(path).with_context(|| format!("gateway key {} can't be read", path.display()))?;
    let mode = mode.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        bail!("gateway key {} has mode {mode:04o}, open to others than its owner; set 0600", path.display());
    }
    let pem = fs::read_to_string(path).with_context(|| format!("gateway key {} can't be read", path.display()))?;
    // The parser's own words could quote the content.
    let Ok(pair) = KeypairBytes::from_pkcs8_pem(&pem) else {
        bail!("gateway key {} holds no Ed25519 private key in PKCS#8 PEM", path.display());
    };
    Ok(GatewayKey::from_seed(pair.secret_key))
}

/// Makes the file under another name first, so that a kill at any moment leaves either no key or a whole one, and
/// links it into place, which never replaces a key another process made meanwhile.
fn create(data_dir: &Path, path: &Path) -> anyhow::Result<GatewayKey> {
    let unfinished = data_dir.join("gateway.key.unfinished");
    let made = (|| {
        fs::create_dir_all(data_dir)?;
        match fs::remove_file(&unfinished) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| std::io::Error::other(error.to_string()))?;
        write_new(&unfinished, seed)?;
        fs::hard_link(&unfinished, path)?;
        fs::remove_file(&unfinished)?;
        File::open(data_dir)?.sync_all()?;
        Ok(GatewayKey::from_seed(seed))
    })();
    let key = made.with_context(|| format!("gateway key {} can't be made", path.display()))?;
    tracing::info!(kid = key.kid(), "made gateway key {} with id {}", path.display(), key.kid());
    Ok(key)
}

fn write_new(path: &Path, seed: [u8; 32]) -> std::io::Result<()> {
    let pem = KeypairBytes { secret_key: seed, public_key: None }
        .to_pkcs8_pem(LineEnding::LF)
        .map_err(|_| std::io::Error::other("the key doesn't encode"))?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    // A umask narrows the mode of creation and never widens it; say it again before there is content.
    file.set_permissions(fs::Permissions::from_mode(0o600))?;
    file.write_all(pem.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::{FILE_NAME, Path, PermissionsExt, fs, open};

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn the_first_start_makes_a_key_for_its_owner_alone_and_later_ones_read_it() {
        let directory = tempfile::tempdir().unwrap();
        let made = open(directory.path(), false).unwrap();
        assert_eq!(mode(&directory.path().join(FILE_NAME)), 0o600);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "nothing unfinished stays");
        assert_eq!(open(directory.path(), true).unwrap().kid(), made.kid());
    }

    #[test]
    fn a_start_that_was_killed_halfway_is_made_up_for() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("gateway.key.unfinished"), "half a k").unwrap();
        assert!(open(directory.path(), false).is_ok());
    }

    #[test]
    fn a_key_others_can_read_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        open(directory.path(), false).unwrap();
        let path = directory.path().join(FILE_NAME);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = open(directory.path(), false).unwrap_err().to_string();
        assert!(error.ends_with("gateway.key has mode 0640, open to others than its owner; set 0600"), "{error}");
    }

    #[test]
    fn a_missing_key_is_not_replaced_once_pages_exist() {
        let directory = tempfile::tempdir().unwrap();
        let error = open(directory.path(), true).unwrap_err().to_string();
        assert!(error.contains("is missing although pages were signed with it"), "{error}");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_damaged_key_is_refused_without_quoting_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE_NAME);
        fs::write(&path, "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let error = format!("{:#}", open(directory.path(), false).unwrap_err());
        assert!(error.contains("holds no Ed25519 private key") && !error.contains("c2VjcmV0"), "{error}");
    }

    #[test]
    fn the_key_of_rfc_8410_is_read() {
        // Section 10.3, the private key as OneAsymmetricKey version 1.
        let pem = "-----BEGIN PRIVATE KEY-----\n\
                   MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
                   -----END PRIVATE KEY-----\n";
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE_NAME);
        fs::write(&path, pem).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(open(directory.path(), false).unwrap().jwk().x, "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE");
    }
}
