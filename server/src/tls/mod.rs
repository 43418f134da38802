//! TLS: the certificate that the aggregator shows, and where it comes from: files, which are read again when they change, or an
//! authority by ACME.

pub mod acme;
mod error;
mod files;
pub mod self_signed;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use emofed::protocol::sha256_hex;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;

use self::acme::{Acme, AcmeSettings, Challenges};
pub use self::error::TlsError;
pub use self::files::CertificateFiles;
use self::files::Stamp;

/// The certificate in use, and where it comes from.
#[derive(Debug)]
pub struct Tls {
    in_use: Arc<InUse>,
    source: Source,
}

/// Where certificates come from.
#[derive(Debug)]
enum Source {
    /// From files that somebody else renews, or that were made here at the start.
    Files {
        files: CertificateFiles,
        /// Of the files as they were last read, whether or not they were usable.
        stamps: Mutex<[Stamp; 2]>,
    },
    /// From an authority, which is asked by ACME.
    Acme(Acme),
}

/// What handshakes take, whatever name a client asks for; nothing until an authority has issued the first certificate.
#[derive(Debug, Default)]
struct InUse(RwLock<Option<Arc<CertifiedKey>>>);

impl InUse {
    fn get(&self) -> Option<Arc<CertifiedKey>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, certified: CertifiedKey) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(certified));
    }
}

/// Answers handshakes: an authority's challenge with what proves that this is the domain, all others with the certificate in use.
#[derive(Debug)]
struct Resolver {
    in_use: Arc<InUse>,
    challenges: Option<Arc<Challenges>>,
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        match &self.challenges {
            Some(challenges) if acme::is_challenge(&hello) => challenges.resolve(hello),
            _ => self.in_use.get(),
        }
    }
}

impl Tls {
    /// Reads certificate and key.
    ///
    /// # Errors
    /// A file cannot be read or is not what it should be, or the key is another certificate's.
    pub fn load(files: CertificateFiles) -> Result<Self, TlsError> {
        let stamps = Mutex::new(files.stamps());
        let in_use = Arc::new(InUse::default());
        in_use.set(files.read()?);
        Ok(Self { in_use, source: Source::Files { files, stamps } })
    }

    /// Takes certificates from an authority, and keeps them in the data folder `data`. One that was kept earlier is in use at once;
    /// the authority is asked in [`Tls::renew`].
    ///
    /// # Errors
    /// The folder cannot be made, or the root certificate of the directory cannot be used.
    pub fn acme(settings: AcmeSettings, data: &Path) -> Result<Self, TlsError> {
        let in_use = Arc::new(InUse::default());
        let acme = Acme::new(settings, data, in_use.clone())?;
        Ok(Self { in_use, source: Source::Acme(acme) })
    }

    /// What connections are accepted with: TLS 1.2 and 1.3, HTTP/1.1; and an authority's challenges.
    ///
    /// # Errors
    /// The TLS library refuses its own defaults.
    pub fn server_config(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let mut protocols = vec![b"http/1.1".to_vec()];
        let challenges = match &self.source {
            Source::Files { .. } => None,
            Source::Acme(acme) => {
                protocols.push(acme::CHALLENGE_PROTOCOL.to_vec());
                Some(acme.challenges())
            }
        };
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Resolver { in_use: self.in_use.clone(), challenges }));
        config.alpn_protocols = protocols;
        Ok(Arc::new(config))
    }

    /// The SHA-256 of the aggregator's own certificate, in hexadecimal; none until an authority has issued the first one.
    pub fn fingerprint(&self) -> Option<String> {
        // The chain is never empty.
        self.in_use.get()?.end_entity_cert().ok().map(|certificate| sha256_hex(certificate))
    }

    /// Reads the files again if they have changed; gives whether there is another certificate now. Blocks.
    ///
    /// # Errors
    /// What there is now cannot be used, and the former certificate stays. It is told once for each change: a certificate
    /// that is replaced before its key does not fit for a moment.
    pub fn refresh(&self) -> Result<bool, TlsError> {
        let Source::Files { files, stamps } = &self.source else { return Ok(false) };
        let now = files.stamps();
        let mut stamps = stamps.lock().unwrap_or_else(PoisonError::into_inner);
        if *stamps == now {
            return Ok(false);
        }
        *stamps = now;
        self.in_use.set(files.read()?);
        Ok(true)
    }

    /// Gets certificates from the authority and renews them, for as long as this is waited for. Returns at once where certificates
    /// come from files.
    pub async fn renew(&self) {
        if let Source::Acme(acme) = &self.source {
            acme.renew().await;
        }
    }

    /// How often a certificate could not be had from the authority since the start; absent where none is asked.
    pub fn failed_orders(&self) -> Option<u64> {
        match &self.source {
            Source::Files { .. } => None,
            Source::Acme(acme) => Some(acme.failed_orders()),
        }
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
