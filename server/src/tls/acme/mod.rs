//! Certificates from an authority by ACME (RFC 8555). That a domain is this aggregator's is shown on the port that it serves on,
//! within TLS (TLS-ALPN-01, RFC 8737), so that no other port has to be open.

mod cache;
mod failure;
mod kept;
mod validity;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use futures::StreamExt as _;
use rustls_acme::acme::ACME_TLS_ALPN_NAME;
use rustls_acme::{AcmeConfig, EventError, EventOk, ResolvesServerCertAcme};
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert as _};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use self::cache::Cache;
use self::failure::FailedOrder;
use super::{InUse, TlsError};

/// The application protocol of a challenge's handshake.
pub(super) const CHALLENGE_PROTOCOL: &[u8] = ACME_TLS_ALPN_NAME;

/// Where Let's Encrypt is asked.
pub const LETS_ENCRYPT: &str = rustls_acme::acme::LETS_ENCRYPT_PRODUCTION_DIRECTORY;

/// How long after a failure the authority is asked again at first; twice as long after each further one. Let's Encrypt allows five
/// failed challenges an hour: waiting less would be answered with a refusal of an hour.
const FIRST_PAUSE: Duration = Duration::from_secs(60);
/// The longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(3_600);
/// An order that tells nothing for so long hangs, and is given up; an authority may take 17 minutes to sign.
const SILENCE: Duration = Duration::from_secs(20 * 60);
/// While no renewal is due, the certificate's dates are looked at as often, by the clock, which goes on while a machine sleeps.
const LOOK: Duration = Duration::from_secs(20 * 60);
/// The same while something could not be written, which is tried again each time.
const LOOK_WHILE_UNWRITTEN: Duration = Duration::from_secs(60);

/// Which certificates are asked for, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcmeSettings {
    /// DNS names that each certificate is valid for.
    pub domains: Vec<String>,
    /// Addresses of mail that the authority may write to.
    pub contact: Vec<String>,
    /// The authority's directory, an `https` address.
    pub directory: String,
    /// A certificate in PEM that the directory's own is signed by; absent: one of the authorities that the system trusts.
    pub root_certificate: Option<PathBuf>,
}

impl AcmeSettings {
    /// How the directory is asked.
    ///
    /// # Errors
    /// The root certificate cannot be read or is none, or the system's authorities are not known.
    pub fn client(&self) -> Result<ClientConfig, TlsError> {
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?;
        let Some(file) = &self.root_certificate else {
            return Ok(builder.with_platform_verifier()?.with_no_client_auth());
        };
        let pem = std::fs::read(file).map_err(|error| TlsError::file(file, error))?;
        let root = CertificateDer::from_pem_slice(&pem).map_err(|error| TlsError::unusable(file, &error))?;
        let mut roots = RootCertStore::empty();
        roots.add(root).map_err(|error| TlsError::unusable(file, &error))?;
        Ok(builder.with_root_certificates(roots).with_no_client_auth())
    }
}

/// Whether a handshake is an authority's challenge.
pub(super) fn is_challenge(hello: &ClientHello<'_>) -> bool {
    rustls_acme::is_tls_alpn_challenge(hello)
}

/// Whether a connection on which `protocol` was agreed was a challenge, which the handshake has answered: nothing follows.
pub fn is_challenge_protocol(protocol: Option<&[u8]>) -> bool {
    protocol == Some(CHALLENGE_PROTOCOL)
}

/// What challenges are answered with, of the order under way.
#[derive(Debug, Default)]
pub(super) struct Challenges(RwLock<Option<Arc<ResolvesServerCertAcme>>>);

impl Challenges {
    pub(super) fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let order = self.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        order?.resolve(hello)
    }

    fn set(&self, order: Arc<ResolvesServerCertAcme>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(order);
    }
}

/// An account at an authority, and the certificate that it has issued.
#[derive(Debug)]
pub(super) struct Acme {
    settings: AcmeSettings,
    client: Arc<ClientConfig>,
    cache: Cache,
    challenges: Arc<Challenges>,
    failed_orders: AtomicU64,
}

impl Acme {
    /// Reads what is kept in the data folder `data`, and puts it to use.
    ///
    /// # Errors
    /// The folder cannot be made, or the root certificate cannot be used.
    pub(super) fn new(settings: AcmeSettings, data: &Path, in_use: Arc<InUse>) -> Result<Self, TlsError> {
        let client = Arc::new(settings.client()?);
        let cache = Cache::open(&data.join("tls").join("acme"), &settings, in_use)?;
        Ok(Self { settings, client, cache, challenges: Arc::default(), failed_orders: AtomicU64::new(0) })
    }

    pub(super) fn challenges(&self) -> Arc<Challenges> {
        self.challenges.clone()
    }

    pub(super) fn failed_orders(&self) -> u64 {
        self.failed_orders.load(Ordering::Relaxed)
    }

    /// Orders a certificate where there is none, and another one when a third of its time is left; for ever.
    pub(super) async fn renew(&self) {
        let mut pause = FIRST_PAUSE;
        loop {
            let look = if self.cache.write_again().await { LOOK } else { LOOK_WHILE_UNWRITTEN };
            if let Some(due_in) = self.cache.due_in(SystemTime::now()) {
                pause = FIRST_PAUSE;
                tokio::time::sleep(due_in.min(look)).await;
            } else if let Err(failure) = self.order().await {
                self.failed(&failure, pause);
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }

    /// Orders a certificate and puts it to use. Only to be called when one is due: rustls-acme waits until then without a word, which
    /// looks like an order that hangs, and such an order it never gives up.
    ///
    /// # Errors
    /// There is no new certificate, or one that is due to be renewed at once.
    async fn order(&self) -> Result<(), FailedOrder> {
        let config = AcmeConfig::new_with_client_config(&self.settings.domains, self.client.clone())
            .contact(self.settings.contact.iter().map(|address| format!("mailto:{address}")))
            .directory(&self.settings.directory)
            .cache(self.cache.clone());
        let mut state = config.state();
        self.challenges.set(state.resolver());
        while let Ok(Some(event)) = tokio::time::timeout(SILENCE, state.next()).await {
            match event {
                Ok(EventOk::CertCacheStore) => {
                    let domains = self.settings.domains.join(", ");
                    tracing::info!(domains, "the authority has issued a certificate, which is in use");
                    return if self.is_due() { Err(FailedOrder::DueAtOnce) } else { Ok(()) };
                }
                Ok(EventOk::DeployedCachedCert | EventOk::DeployedNewCert | EventOk::AccountCacheStore) => {}
                Err(EventError::Order(error)) => return Err(error.into()),
                Err(error @ (EventError::NewCertParse(_) | EventError::CertCacheStore(_))) => {
                    return Err(FailedOrder::Unusable(error.to_string()));
                }
                Err(error) => {
                    tracing::error!(%error, "a file in the folder tls/acme of the data folder cannot be used")
                }
            }
        }
        // Where the clock has been set back meanwhile, nothing was asked of the authority.
        if self.is_due() { Err(FailedOrder::Silent(SILENCE)) } else { Ok(()) }
    }

    fn is_due(&self) -> bool {
        self.cache.due_in(SystemTime::now()).is_none()
    }

    fn failed(&self, failure: &FailedOrder, pause: Duration) {
        self.failed_orders.fetch_add(1, Ordering::Relaxed);
        let (directory, domains) = (&self.settings.directory, self.settings.domains.join(", "));
        let what = match failure {
            FailedOrder::DueAtOnce => "the new certificate is in use, and another one is ordered",
            _ if self.cache.has_certificate() => "there is no new certificate; the former one stays",
            _ => "there is no new certificate; nobody can connect until there is one",
        };
        let (reason, way_out, again_in_s) = (failure.to_string(), failure.way_out(), pause.as_secs());
        tracing::warn!(reason, way_out, directory, domains, again_in_s, "{what}");
    }
}

#[cfg(test)]
mod tests;
