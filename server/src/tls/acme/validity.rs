//! When a certificate is valid, and when another one is due.

use std::time::{Duration, SystemTime};

use x509_parser::error::X509Error;
use x509_parser::nom;
use x509_parser::parse_x509_certificate;

/// The dates of a certificate, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) from_s: u64,
    pub(super) to_s: u64,
}

impl Validity {
    /// Reads the dates of a certificate in DER.
    ///
    /// # Errors
    /// It is none.
    pub(super) fn of(der: &[u8]) -> Result<Self, nom::Err<X509Error>> {
        let (_, certificate) = parse_x509_certificate(der)?;
        let validity = certificate.validity();
        // None is from before 1970.
        let [from_s, to_s] = [validity.not_before, validity.not_after].map(|date| date.timestamp().cast_unsigned());
        Ok(Self { from_s, to_s })
    }

    /// How long until another certificate is due: when a third of the time is left, as rustls-acme has it. `None`: it is due.
    pub(super) fn due_in(self, now: SystemTime) -> Option<Duration> {
        // Rounded up to a second, so that it is due for rustls-acme, too, which counts in fractions.
        let due_s = self.to_s - self.to_s.saturating_sub(self.from_s) / 3;
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Duration::from_secs(due_s).checked_sub(now).filter(|left| !left.is_zero())
    }
}
