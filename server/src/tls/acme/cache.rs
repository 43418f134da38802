//! What is kept of an account and its certificates: files that their owner alone reads, in a folder of the data folder.

use std::fs::DirBuilder;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use emofed::protocol::sha256_hex;
use rustls_acme::{AccountCache, CertCache};

use super::super::{CertificateFiles, InUse, TlsError};
use super::AcmeSettings;
use super::kept::Kept;
use super::validity::Validity;

/// The traits' functions give this; written out, since a macro for it would be one more crate.
type Answer<'f, T> = Pin<Box<dyn Future<Output = Result<T, TlsError>> + Send + 'f>>;

/// The files of one account and of one set of domains. A certificate is in use from the moment that it is stored. What cannot be
/// written stays in memory: it is no reason to order again.
#[derive(Clone, Debug)]
pub(super) struct Cache {
    /// The key and the chain in one file, so that they are replaced together.
    certificate: Arc<Kept>,
    /// The account's key, PKCS #8 in DER.
    account: Arc<Kept>,
    in_use: Arc<InUse>,
}

impl Cache {
    /// The files in `folder`, which is made. A certificate that is there is put to use.
    ///
    /// # Errors
    /// The folder cannot be made, or a certificate that is there cannot be read.
    pub(super) fn open(folder: &Path, settings: &AcmeSettings, in_use: Arc<InUse>) -> Result<Self, TlsError> {
        let mut private = DirBuilder::new();
        private.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut private, 0o700);
        private.create(folder).map_err(|error| TlsError::file(folder, error))?;
        // Another authority knows nothing of an account, and a certificate is of the domains that it was asked for.
        let named = |text: &str| sha256_hex(text.as_bytes())[..16].to_owned();
        let kept = |what, name: String| Arc::new(Kept::new(what, folder.join(name)));
        let certificate = named(&format!("{}\n{}", settings.directory, settings.domains.join("\n")));
        let cache = Self {
            certificate: kept("the certificate", format!("certificate-{certificate}.pem")),
            account: kept("the account's key", format!("account-{}.der", named(&settings.directory))),
            in_use,
        };
        if let Some(pem) = cache.usable_certificate()? {
            let files = cache.files();
            cache.in_use.set(files.parse(&pem, &pem)?);
        }
        Ok(cache)
    }

    pub(super) fn has_certificate(&self) -> bool {
        self.in_use.get().is_some()
    }

    /// How long until another certificate is due; `None`: it is due, or there is none, or none whose dates can be read.
    pub(super) fn due_in(&self, now: SystemTime) -> Option<Duration> {
        let in_use = self.in_use.get()?;
        Validity::of(in_use.end_entity_cert().ok()?).ok()?.due_in(now)
    }

    /// Tries again to write what could not be written; gives whether nothing is left to write.
    pub(super) async fn write_again(&self) -> bool {
        let written = blocking(self, |cache| Ok([&cache.certificate, &cache.account].map(|kept| kept.write_again())));
        written.await.is_ok_and(|written| written == [true; 2])
    }

    fn files(&self) -> CertificateFiles {
        let file = self.certificate.file();
        CertificateFiles { certificate: file.to_owned(), key: file.to_owned() }
    }

    /// The kept certificate; one that is damaged is told, and counts as none.
    fn usable_certificate(&self) -> Result<Option<Vec<u8>>, TlsError> {
        let Some(pem) = self.certificate.load()? else { return Ok(None) };
        Ok(match self.files().parse(&pem, &pem) {
            Ok(_) => Some(pem),
            Err(error) => {
                tracing::warn!(%error, "the kept certificate cannot be used; another one is ordered");
                None
            }
        })
    }

    fn put_certificate(&self, pem: Vec<u8>) -> Result<(), TlsError> {
        self.in_use.set(self.files().parse(&pem, &pem)?);
        self.certificate.store(pem);
        Ok(())
    }
}

/// Runs something that waits for a disk where that is allowed.
fn blocking<'f, T: Send + 'static>(
    cache: &Cache,
    work: impl FnOnce(&Cache) -> Result<T, TlsError> + Send + 'static,
) -> Answer<'f, T> {
    let cache = cache.clone();
    Box::pin(async move {
        tokio::task::spawn_blocking(move || work(&cache))
            .await
            .unwrap_or_else(|error| Err(TlsError::Interrupted(error)))
    })
}

impl CertCache for Cache {
    type EC = TlsError;

    fn load_cert<'s, 'd, 'u, 'f>(&'s self, _: &'d [String], _: &'u str) -> Answer<'f, Option<Vec<u8>>>
    where
        's: 'f,
        'd: 'f,
        'u: 'f,
    {
        blocking(self, Self::usable_certificate)
    }

    fn store_cert<'s, 'd, 'u, 'p, 'f>(&'s self, _: &'d [String], _: &'u str, pem: &'p [u8]) -> Answer<'f, ()>
    where
        's: 'f,
        'd: 'f,
        'u: 'f,
        'p: 'f,
    {
        let pem = pem.to_vec();
        blocking(self, move |cache| cache.put_certificate(pem))
    }
}

impl AccountCache for Cache {
    type EA = TlsError;

    fn load_account<'s, 'c, 'u, 'f>(&'s self, _: &'c [String], _: &'u str) -> Answer<'f, Option<Vec<u8>>>
    where
        's: 'f,
        'c: 'f,
        'u: 'f,
    {
        blocking(self, |cache| cache.account.load())
    }

    fn store_account<'s, 'c, 'u, 'k, 'f>(&'s self, _: &'c [String], _: &'u str, key: &'k [u8]) -> Answer<'f, ()>
    where
        's: 'f,
        'c: 'f,
        'u: 'f,
        'k: 'f,
    {
        let key = key.to_vec();
        blocking(self, move |cache| {
            cache.account.store(key);
            Ok(())
        })
    }
}
