//! The gateway's key file, `gateway.key` in the data directory: PKCS#8 PEM around a 32-byte Ed25519 seed.
//!
//! It is made on first start, for its owner's eyes alone, and never printed or logged. A key that others can read, or
//! that is gone although pages were signed with it, is refused: both need a person.
//!
//! `parkgate key rotate` makes the next key, `gateway.key.next`. From its next start on the box announces it by a page of
//! each stream. When each destination acknowledged that page, the next key takes the place of the other, of which the
//! public part stays.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey, KeypairBytes};

use super::load;
use crate::ledger::key::GatewayKey;
use crate::model::id::StreamName;
use crate::pipeline::Keys;
use crate::store::Reader;

/// Name of the file in the data directory.
pub const FILE_NAME: &str = "gateway.key";

/// Name of the file of the key that takes over.
pub const NEXT_FILE_NAME: &str = "gateway.key.next";

/// Arguments of `parkgate key`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Show the public key, which a hub may declare and `parkgate verify` takes.
    Show(Where),
    /// Make another key, which takes over by a page of each stream when the box is started again.
    Rotate(Where),
}

/// Where the key is.
#[derive(Debug, clap::Args)]
struct Where {
    /// The configuration.
    #[arg(short, long, default_value = "gateway.toml")]
    config: PathBuf,
}

/// Shows the key or makes another one.
///
/// # Errors
/// A key that can't be read or made; one that waits already.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let (Command::Show(place) | Command::Rotate(place)) = &args.command;
    let Some(gateway) = load::gateway(&place.config)? else { return Ok(load::refused()) };
    let data_dir = gateway.gateway.data_dir.get_ref();
    if matches!(args.command, Command::Rotate(_)) {
        rotate(data_dir)?;
    }
    let Keys { current, next } = read_both(data_dir)?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{} {}", current.kid(), serde_json::to_string(&current.jwk())?)?;
    if let Some(next) = next {
        writeln!(
            out,
            "{} {} takes over by the next page of each stream: restart the box",
            next.kid(),
            serde_json::to_string(&next.jwk())?
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes the key that takes over.
///
/// # Errors
/// No key that it could take over from; one that waits already; a file that can't be written.
fn rotate(data_dir: &Path) -> anyhow::Result<()> {
    let Keys { next, .. } = read_both(data_dir)?;
    if let Some(next) = next {
        bail!(
            "key {} takes over already: it takes the place of the other when the box is started after every destination \
             acknowledged its key page",
            next.kid()
        );
    }
    create(data_dir, &data_dir.join(NEXT_FILE_NAME)).map(drop)
}

/// Reads the key and, where there is one, the key that takes over.
fn read_both(data_dir: &Path) -> anyhow::Result<Keys> {
    let (path, next) = (data_dir.join(FILE_NAME), data_dir.join(NEXT_FILE_NAME));
    if !exists(&path)? {
        bail!("there is no gateway key {}: the box makes it on its first start", path.display());
    }
    let next = if exists(&next)? { Some(read(&next)?) } else { None };
    Ok(Keys { current: read(&path)?, next })
}

/// Reads the keys a box signs with: as [`open`], and the key that takes over. Once every one of `streams` that has pages
/// has its key page acknowledged, that key takes the place of the other.
///
/// # Errors
/// As [`open`]; a store that can't be read.
pub fn open_all(data_dir: &Path, reader: &Reader, streams: &[StreamName]) -> anyhow::Result<Keys> {
    let current = open(data_dir, !reader.heads()?.is_empty())?;
    let next = data_dir.join(NEXT_FILE_NAME);
    if !exists(&next)? {
        return Ok(current.into());
    }
    let taking_over = read(&next)?;
    for stream in streams {
        if reader.heads()?.contains_key(stream) && !reader.is_handed_over(stream, &taking_over.jwk())? {
            return Ok(Keys { current, next: Some(taking_over) });
        }
    }
    replace(data_dir, &current, &next)?;
    tracing::info!(kid = taking_over.kid(), "key {} took the place of {}", taking_over.kid(), current.kid());
    Ok(taking_over.into())
}

/// Keeps the public part of the old key and puts the next one in its place; killed at any moment it can be done again.
fn replace(data_dir: &Path, current: &GatewayKey, next: &Path) -> anyhow::Result<()> {
    let kept = data_dir.join(format!("gateway-{}.jwk", current.kid()));
    let replaced = (|| {
        fs::write(&kept, serde_json::to_string(&current.jwk())?)?;
        File::open(&kept)?.sync_all()?;
        fs::rename(next, data_dir.join(FILE_NAME))?;
        File::open(data_dir)?.sync_all()
    })();
    replaced.with_context(|| format!("gateway key {} can't take the place of the other", next.display()))
}

fn exists(path: &Path) -> anyhow::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).with_context(|| format!("gateway key {} can't be read", path.display())),
    }
}

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
    use super::{FILE_NAME, Keys, NEXT_FILE_NAME, Path, PermissionsExt, fs, open, open_all, rotate};
    use crate::ledger::fixture::{DAY, measures_of, policy};
    use crate::ledger::stream::Stream;
    use crate::model::id::{Digest, GatewayId, StreamName};
    use crate::store::{Commit, Store, epoch_cursor};

    fn name() -> StreamName {
        StreamName::new("hepza").unwrap()
    }

    fn keys(directory: &Path, store: &Store) -> Keys {
        open_all(directory, &store.reader(), &[name()]).unwrap()
    }

    #[test]
    fn the_next_key_takes_the_place_of_the_other_when_its_page_is_acknowledged_and_not_before() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let mut store = Store::open_in_memory(&[], Digest::ZERO, "").unwrap();
        let old = keys(path, &store).current;
        let gateway = GatewayId::new("tt-0042").unwrap();
        let mut stream = Stream::open(gateway, name(), 1, policy(), None, measures_of);
        let mut commit = |pages: &[_], acknowledged| {
            store.commit(&Commit { now: DAY, pages, ..Commit::default() }).unwrap();
            let cursors = store.cursors().unwrap();
            cursors.set(&epoch_cursor("hepza"), 1).unwrap();
            cursors.set("hepza", acknowledged).unwrap();
            keys(path, &store)
        };
        assert!(commit(&stream.cut(DAY, Digest::ZERO, &[], &old), 1).next.is_none());
        rotate(path).unwrap();
        assert_eq!(mode(&path.join(NEXT_FILE_NAME)), 0o600);
        let again = rotate(path).unwrap_err().to_string();
        assert!(again.contains("takes over already"), "{again}");
        let Keys { current, next } = commit(&[], 1);
        let new = next.unwrap();
        assert_eq!(current.kid(), old.kid());
        let page = stream.hand_over(DAY, Digest::ZERO, &old, &new);
        assert_eq!(commit(&[page], 1).current.kid(), old.kid(), "it isn't acknowledged");
        let done = commit(&[], 2);
        assert_eq!((done.current.kid(), done.next.is_none()), (new.kid(), true));
        assert_eq!(open(path, true).unwrap().kid(), new.kid());
        assert!(!path.join(NEXT_FILE_NAME).exists());
        let kept = fs::read_to_string(path.join(format!("gateway-{}.jwk", old.kid()))).unwrap();
        assert_eq!(kept, serde_json::to_string(&old.jwk()).unwrap(), "what it signed can be checked");
        assert_eq!(mode(&path.join(FILE_NAME)), 0o600);
    }

    #[test]
    fn nothing_is_rotated_before_there_is_a_key() {
        let directory = tempfile::tempdir().unwrap();
        let error = rotate(directory.path()).unwrap_err().to_string();
        assert!(error.contains("the box makes it on its first start"), "{error}");
    }

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
