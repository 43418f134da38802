//! Why there is no TLS.

use std::path::{Path, PathBuf};

use tokio_rustls::rustls;

/// Why a certificate cannot be used or made.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read or written.
    #[error("{} cannot be accessed: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{} is not usable: {reason}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The key is not that of the certificate.
    #[error("the key {} is not that of the certificate {}: {reason}", key.display(), certificate.display())]
    Mismatch {
        /// The file with the certificate.
        certificate: PathBuf,
        /// The file with the key.
        key: PathBuf,
        /// What the TLS library says.
        reason: String,
    },
    /// A certificate could not be made.
    #[error("a certificate cannot be made: {0}")]
    Making(#[from] rcgen::Error),
    /// The addresses of this machine are not known.
    #[error("the addresses of this machine cannot be listed: {0}")]
    Addresses(std::io::Error),
    /// The TLS library refuses its configuration.
    #[error("TLS cannot be set up: {0}")]
    Setup(#[from] rustls::Error),
    /// Work with a file did not end.
    #[error("work with a file was interrupted: {0}")]
    Interrupted(#[from] tokio::task::JoinError),
}

impl TlsError {
    pub(super) fn file(path: &Path, source: std::io::Error) -> Self {
        Self::File { path: path.to_owned(), source }
    }

    pub(super) fn unusable(path: &Path, reason: &dyn ToString) -> Self {
        Self::Unusable { path: path.to_owned(), reason: reason.to_string() }
    }
}
