//! A certificate chain and its key in files.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::sign::CertifiedKey;

use super::TlsError;

/// Longest file of certificates or a key, in bytes.
const MAX_PEM_BYTES: u64 = 1 << 20;

/// A certificate chain and its key, both in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The chain, the aggregator's own certificate first.
    pub certificate: PathBuf,
    /// The private key of the first certificate.
    pub key: PathBuf,
}

/// When a file was written, and its length in bytes; `None` where it cannot be said.
pub(super) type Stamp = Option<(SystemTime, u64)>;

impl CertificateFiles {
    pub(super) fn stamps(&self) -> [Stamp; 2] {
        [&self.certificate, &self.key].map(|file| {
            let metadata = std::fs::metadata(file).ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        })
    }

    /// Reads both, and sees that they belong together.
    pub(super) fn read(&self) -> Result<CertifiedKey, TlsError> {
        let pem = |file: &Path| {
            let mut bytes = Vec::new();
            let opened = File::open(file).and_then(|opened| opened.take(MAX_PEM_BYTES).read_to_end(&mut bytes));
            opened.map(|_| bytes).map_err(|error| TlsError::file(file, error))
        };
        self.parse(&pem(&self.certificate)?, &pem(&self.key)?)
    }

    /// The same of what is in the files, or will be.
    pub(super) fn parse(&self, certificate_pem: &[u8], key_pem: &[u8]) -> Result<CertifiedKey, TlsError> {
        let (certificate, key) = (&self.certificate, &self.key);
        let unusable = |file: &Path, reason: &dyn ToString| TlsError::unusable(file, reason);
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate_pem).collect();
        let chain = chain.map_err(|error| unusable(certificate, &error))?;
        if chain.is_empty() {
            return Err(unusable(certificate, &"there is no certificate in it (PEM is expected)"));
        }
        let private = PrivateKeyDer::from_pem_slice(key_pem)
            .map_err(|error| unusable(key, &format!("there is no private key in it (PEM is expected): {error}")))?;
        let private = aws_lc_rs::sign::any_supported_type(&private).map_err(|error| unusable(key, &error))?;
        let certified = CertifiedKey::new(chain, private);
        certified.keys_match().map_err(|error| TlsError::Mismatch {
            certificate: certificate.clone(),
            key: key.clone(),
            reason: error.to_string(),
        })?;
        Ok(certified)
    }
}
