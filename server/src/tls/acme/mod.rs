//! Certificates from an authority by ACME (RFC 8555). That a domain is this aggregator's is shown on the port that it serves on,
//! within TLS (TLS-ALPN-01, RFC 8737), so that no other port has to be open.

mod cache;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures::StreamExt as _;
use rustls_acme::acme::{ACME_TLS_ALPN_NAME, AcmeError, Auth, Identifier};
use rustls_acme::{AcmeConfig, EventError, EventOk, OrderError, ResolvesServerCertAcme};
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert as _};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use self::cache::Cache;
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
/// An order that tells nothing for so long hangs, and is given up; an authority may take 17 minutes to sign. While no renewal is due,
/// the kept certificate's dates are looked at as often, by the clock, which goes on while a machine sleeps.
const SILENCE: Duration = Duration::from_secs(20 * 60);

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
            if let Err(failure) = self.follow(&mut pause).await {
                self.failed(&failure, pause);
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }

    /// Follows the kept certificate, and orders of another one, until one fails or nothing is heard for [`SILENCE`]. That is in order
    /// while the next renewal is waited for. A certificate that is issued makes `pause` short again.
    async fn follow(&self, pause: &mut Duration) -> Result<(), FailedOrder> {
        let config = AcmeConfig::new_with_client_config(&self.settings.domains, self.client.clone())
            .contact(self.settings.contact.iter().map(|address| format!("mailto:{address}")))
            .directory(&self.settings.directory)
            .cache(self.cache.clone());
        let mut state = config.state();
        self.challenges.set(state.resolver());
        let mut is_certified = false;
        while let Ok(Some(event)) = tokio::time::timeout(SILENCE, state.next()).await {
            match event {
                Ok(EventOk::DeployedCachedCert | EventOk::CertCacheStore) => is_certified = true,
                Ok(EventOk::DeployedNewCert) => {
                    *pause = FIRST_PAUSE;
                    tracing::info!(
                        domains = self.settings.domains.join(", "),
                        "the authority has issued a certificate"
                    );
                }
                Ok(EventOk::AccountCacheStore) => {}
                Err(EventError::Order(error)) => return Err(explained(&error)),
                Err(EventError::CertCacheStore(error @ TlsError::File { .. })) => {
                    is_certified = true;
                    let way_out = "see that the data folder can be written to: the next start orders another one";
                    tracing::error!(%error, way_out, "the new certificate is in use, but cannot be kept");
                }
                Err(error @ (EventError::NewCertParse(_) | EventError::CertCacheStore(_))) => {
                    return Err(FailedOrder { reason: error.to_string(), way_out: "ask another authority" });
                }
                Err(error) => {
                    tracing::error!(%error, "a file in the folder tls/acme of the data folder cannot be used")
                }
            }
        }
        let (reason, way_out) = ("the authority does not answer", "see that it can be reached from this machine");
        if is_certified { Ok(()) } else { Err(FailedOrder { reason: reason.to_owned(), way_out }) }
    }

    fn failed(&self, FailedOrder { reason, way_out }: &FailedOrder, pause: Duration) {
        self.failed_orders.fetch_add(1, Ordering::Relaxed);
        let (directory, domains) = (&self.settings.directory, self.settings.domains.join(", "));
        let until_then =
            if self.cache.has_certificate() { "the former one stays" } else { "nobody can connect until there is one" };
        let again_in_s = pause.as_secs();
        tracing::warn!(reason, way_out, directory, domains, again_in_s, "there is no new certificate; {until_then}");
    }
}

/// Why there is no new certificate, and what can be done about it.
struct FailedOrder {
    reason: String,
    way_out: &'static str,
}

/// What to do about an order that failed.
fn explained(error: &OrderError) -> FailedOrder {
    let unreachable = "see that the domain's addresses in DNS, those of IPv6, too, lead to this machine, and that the authority reaches port \
                       443 there, which has to lead to the port that is listened on";
    let (reason, way_out) = match error {
        OrderError::BadAuth(Auth { identifier: Identifier::Dns(domain), challenges, .. }) => {
            let said = challenges.iter().find_map(|challenge| challenge.error.as_ref()?.detail.clone());
            let said = said.unwrap_or_else(|| "it does not say why".to_owned());
            (format!("the authority could not verify {domain}: {said}"), unreachable)
        }
        OrderError::TooManyAttemptsAuth(domain) => {
            (format!("the authority did not verify {domain} in time"), unreachable)
        }
        OrderError::Acme(AcmeError::Io(_) | AcmeError::HttpRequest(_)) => (
            error.to_string(),
            "see that the directory's address is right and can be reached from this machine, that acme.root_certificate names the \
             root of a private authority, and what the directory says, if it has answered",
        ),
        OrderError::Acme(AcmeError::KeyRejected(_)) => (
            "the kept key of the account is damaged".to_owned(),
            "delete the files account-*.der in the folder tls/acme of the data folder, and start again",
        ),
        _ => (error.to_string(), "see what the authority says, and [acme] of the configuration"),
    };
    FailedOrder { reason, way_out }
}
