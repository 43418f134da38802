//! TLS: the certificate that the aggregator shows, read again when its files change.

mod error;
pub mod self_signed;

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::SystemTime;

use emofed::protocol::sha256_hex;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;

pub use self::error::TlsError;

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
type Stamp = Option<(SystemTime, u64)>;

impl CertificateFiles {
    fn stamps(&self) -> [Stamp; 2] {
        [&self.certificate, &self.key].map(|file| {
            let metadata = std::fs::metadata(file).ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        })
    }

    /// Reads both, and sees that they belong together.
    fn read(&self) -> Result<CertifiedKey, TlsError> {
        let pem = |file: &Path| {
            let mut bytes = Vec::new();
            let opened = File::open(file).and_then(|opened| opened.take(MAX_PEM_BYTES).read_to_end(&mut bytes));
            opened.map(|_| bytes).map_err(|error| TlsError::file(file, error))
        };
        let unusable = |file: &Path, reason: &dyn ToString| TlsError::unusable(file, reason);
        let (certificate, key) = (&self.certificate, &self.key);
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem(certificate)?).collect();
        let chain = chain.map_err(|error| unusable(certificate, &error))?;
        if chain.is_empty() {
            return Err(unusable(certificate, &"there is no certificate in it (PEM is expected)"));
        }
        let private = PrivateKeyDer::from_pem_slice(&pem(key)?)
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

/// The certificate in use.
#[derive(Debug)]
pub struct Tls {
    files: CertificateFiles,
    in_use: Arc<InUse>,
    /// Of the files as they were last read, whether or not they were usable.
    stamps: Mutex<[Stamp; 2]>,
}

/// What handshakes take, whatever name a client asks for.
#[derive(Debug)]
struct InUse(RwLock<Arc<CertifiedKey>>);

impl InUse {
    fn get(&self) -> Arc<CertifiedKey> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ResolvesServerCert for InUse {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.get())
    }
}

impl Tls {
    /// Reads certificate and key.
    ///
    /// # Errors
    /// A file cannot be read or is not what it should be, or the key is another certificate's.
    pub fn load(files: CertificateFiles) -> Result<Self, TlsError> {
        let stamps = files.stamps();
        let in_use = Arc::new(InUse(RwLock::new(Arc::new(files.read()?))));
        Ok(Self { files, in_use, stamps: Mutex::new(stamps) })
    }

    /// What connections are accepted with: TLS 1.2 and 1.3, HTTP/1.1.
    ///
    /// # Errors
    /// The TLS library refuses its own defaults.
    pub fn server_config(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(self.in_use.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    /// The SHA-256 of the aggregator's own certificate, in hexadecimal.
    pub fn fingerprint(&self) -> String {
        // The chain is never empty.
        self.in_use.get().end_entity_cert().map(|certificate| sha256_hex(certificate)).unwrap_or_default()
    }

    /// Reads the files again if they have changed; gives whether there is another certificate now. Blocks.
    ///
    /// # Errors
    /// What there is now cannot be used, and the former certificate stays. It is told once for each change: a certificate
    /// that is replaced before its key does not fit for a moment.
    pub fn refresh(&self) -> Result<bool, TlsError> {
        let now = self.files.stamps();
        let mut stamps = self.stamps.lock().unwrap_or_else(PoisonError::into_inner);
        if *stamps == now {
            return Ok(false);
        }
        *stamps = now;
        let certified = Arc::new(self.files.read()?);
        *self.in_use.0.write().unwrap_or_else(PoisonError::into_inner) = certified;
        Ok(true)
    }
}

/// A fingerprint as browsers show it: pairs of capital digits with colons in between.
pub fn with_colons(fingerprint: &str) -> String {
    let pairs: Vec<String> =
        fingerprint.as_bytes().chunks(2).map(|pair| String::from_utf8_lossy(pair).to_uppercase()).collect();
    pairs.join(":")
}

#[cfg(test)]
mod tests;
