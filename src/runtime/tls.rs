//! Whom a TLS connection of this box trusts, and as whom it presents itself.
//!
//! In: files that the configuration names. Out: the settings of a client, all over the one provider of the program.
//! Nothing is kept: whoever connects anew reads the files anew, so that a renewed certificate needs no restart.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

/// Why a file of the configuration can't serve.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// Trust anchor, certificate or key.
    #[error("{key} {path}: {reason}", path = path.display())]
    File {
        /// Key of the configuration that names the file.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The provider refuses.
    #[error("TLS can't be set up: {0}")]
    Setup(#[from] rustls::Error),
}

/// A certificate chain and its private key, as a client shows itself.
#[derive(Debug, Clone, Copy)]
pub struct Identity<'a> {
    /// PEM file of the chain, the client's own certificate first.
    pub cert_file: &'a Path,
    /// PEM file of the private key.
    pub key_file: &'a Path,
}

/// Returns the settings of a client that trusts the authority in `ca_file` alone, or the public ones where none is
/// given, and that shows `identity` to a server that asks for it.
///
/// # Errors
/// [`TlsError`], which names the file.
pub fn client(ca_file: Option<&Path>, identity: Option<Identity<'_>>) -> Result<ClientConfig, TlsError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(anchors(ca_file)?);
    let Some(Identity { cert_file, key_file }) = identity else {
        return Ok(builder.with_no_client_auth());
    };
    let key = PrivateKeyDer::from_pem_file(key_file).map_err(|error| refused("key_file", key_file, error))?;
    let chain = certificates("cert_file", cert_file)?;
    builder.with_client_auth_cert(chain, key).map_err(|error| refused("cert_file", cert_file, error))
}

fn anchors(ca_file: Option<&Path>) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    match ca_file {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(path) => {
            for certificate in certificates("ca_file", path)? {
                roots.add(certificate).map_err(|error| refused("ca_file", path, error))?;
            }
        }
    }
    Ok(roots)
}

fn certificates(key: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match certificates {
        Ok(certificates) if certificates.is_empty() => Err(refused(key, path, "holds no certificate")),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(refused(key, path, error)),
    }
}

fn refused(key: &'static str, path: &Path, reason: impl ToString) -> TlsError {
    TlsError::File { key, path: path.to_owned(), reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    use super::{Identity, client};

    #[test]
    fn without_a_file_the_public_authorities_are_trusted() {
        assert!(client(None, None).is_ok());
    }

    #[test]
    fn a_file_that_cannot_serve_is_named_with_its_key() {
        let directory = tempfile::tempdir().unwrap();
        let (missing, empty) = (directory.path().join("missing.pem"), directory.path().join("empty.pem"));
        std::fs::write(&empty, "no certificate\n").unwrap();
        let said = |ca_file, identity| client(ca_file, identity).unwrap_err().to_string();
        assert!(said(Some(missing.as_path()), None).starts_with("ca_file "));
        assert!(said(Some(empty.as_path()), None).contains("empty.pem: holds no certificate"));
        let keyless = Identity { cert_file: &empty, key_file: &missing };
        assert!(said(None, Some(keyless)).starts_with("key_file "));
    }
}
