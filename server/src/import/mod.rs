//! Weights that others published, converted to this project's tensors.

pub mod emonet;
pub mod lite;

use std::path::{Path, PathBuf};

use emofed::{model::ModelError, weights::WeightsError};

/// Why weights could not be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A file could not be read or written.
    #[error("cannot access {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{} is not usable: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The tensors in it are not those of the model.
    #[error("{} does not fit the model: {source}", path.display())]
    Model {
        /// The file.
        path: PathBuf,
        /// The first mismatch.
        source: ModelError,
    },
    /// The file is none that the authors published.
    #[error(
        "{} is not the authors' emonet_8.pth (its git blob id is {blob_id}): it may be cut short or altered; \
         download it again, or pass --allow-unverified if you trust it",
        path.display()
    )]
    Unverified {
        /// The file.
        path: PathBuf,
        /// What its content hashes to.
        blob_id: String,
    },
    /// The authors' smaller model, which does not know all six emotions.
    #[error(
        "{} is the authors' emonet_5.pth: it knows neither disgust nor anger, so CREMA-D's six emotions cannot be \
         had from it; import emonet_8.pth",
        path.display()
    )]
    FiveExpressions {
        /// The file.
        path: PathBuf,
    },
    /// The network does not give the file.
    #[error(
        "cannot download {url}: {reason}. Download that file by other means, then pass it: \
         emofed import emonet FILE"
    )]
    Download {
        /// Where from.
        url: &'static str,
        /// What went wrong.
        reason: String,
    },
}

impl ImportError {
    fn file(path: &Path, source: std::io::Error) -> Self {
        Self::File { path: path.to_owned(), source }
    }

    fn malformed(path: &Path, reason: impl ToString) -> Self {
        Self::Malformed { path: path.to_owned(), reason: reason.to_string() }
    }

    fn model(path: &Path, source: impl Into<ModelError>) -> Self {
        Self::Model { path: path.to_owned(), source: source.into() }
    }

    /// The tensor at fault, where there is one.
    pub fn tensor(&self) -> Option<&str> {
        match self {
            Self::Model { source: ModelError::Weights(error), .. } => WeightsError::tensor(error),
            _ => None,
        }
    }
}
