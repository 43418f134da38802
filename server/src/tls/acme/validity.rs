//! When a certificate is valid, and when another one is due.

use std::time::{Duration, SystemTime};

use tokio_rustls::rustls::client::verify_server_cert_signed_by_trust_anchor;
use tokio_rustls::rustls::pki_types::{CertificateDer, UnixTime};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::{CertificateError, Error, RootCertStore};

/// The dates of a certificate, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) from_s: u64,
    pub(super) to_s: u64,
}

impl Validity {
    /// Reads the dates. rustls tells them when it refuses a certificate, which it does before it looks at anything else if the time is
    /// the first or the last one that there is.
    ///
    /// # Errors
    /// It is no certificate, or its dates are none.
    pub(super) fn of(certificate: &CertificateDer<'_>) -> Result<Self, Error> {
        let parsed = ParsedCertificate::try_from(certificate)?;
        let nobody = RootCertStore::empty();
        let refused_at = |seconds: u64| {
            let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
            verify_server_cert_signed_by_trust_anchor(&parsed, &nobody, &[], time, &[]).err()
        };
        let from_s = match refused_at(0) {
            Some(Error::InvalidCertificate(CertificateError::NotValidYetContext { not_before, .. })) => {
                not_before.as_secs()
            }
            other => return Err(other.unwrap_or(CertificateError::BadEncoding.into())),
        };
        match refused_at(u64::MAX) {
            Some(Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })) => {
                Ok(Self { from_s, to_s: not_after.as_secs() })
            }
            other => Err(other.unwrap_or(CertificateError::BadEncoding.into())),
        }
    }

    /// How long until another certificate is due: when a third of the time is left, as rustls-acme has it. `None`: it is due.
    pub(super) fn due_in(self, now: SystemTime) -> Option<Duration> {
        // Rounded up to a second, so that it is due for rustls-acme, too, which counts in fractions.
        let due_s = self.to_s - self.to_s.saturating_sub(self.from_s) / 3;
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Duration::from_secs(due_s).checked_sub(now).filter(|left| !left.is_zero())
    }
}
