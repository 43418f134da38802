//! Why the lab cannot do what it was asked to.

use std::path::{Path, PathBuf};

use emofed::learning::LearningError;
use emofed::model::ModelError;
use emofed::weights::WeightsError;

use crate::round::RoundError;
use crate::store::StoreError;

/// Why the lab cannot do what it was asked to. Each message names the file or value and the way out.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// A file could not be read or written.
    #[error("cannot access {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file is there, but not what it should be.
    #[error("{} is not usable: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Something that the work needs is not there.
    #[error("{what} is missing: {way_out}")]
    Missing {
        /// What.
        what: String,
        /// How to get it.
        way_out: String,
    },
    /// Two things do not belong together: a cache of another backbone, a split of another set.
    #[error("{what}: {way_out}")]
    Mismatch {
        /// What does not fit.
        what: String,
        /// What to do.
        way_out: String,
    },
    /// Somebody asked to stop.
    #[error("interrupted after {done} clips: the same command goes on where this one stopped")]
    Interrupted {
        /// Clips and diagnostics in the cache so far.
        done: usize,
    },
    /// Another process works on the same file.
    #[error("{} is in use by another process: wait for it, or name another file", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// A model cannot be loaded or run.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Weights do not fit.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// Learning cannot go on.
    #[error(transparent)]
    Learning(#[from] LearningError),
    /// The aggregator's code refused something.
    #[error(transparent)]
    Aggregator(#[from] RoundError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system has no randomness.
    #[error("no randomness: {0}")]
    Randomness(#[from] getrandom::Error),
}

impl LabError {
    /// A file could not be read or written.
    pub fn file(path: &Path, source: std::io::Error) -> Self {
        Self::File { path: path.to_owned(), source }
    }

    /// A file is not what it should be.
    pub fn malformed(path: &Path, reason: impl ToString) -> Self {
        Self::Malformed { path: path.to_owned(), reason: reason.to_string() }
    }
}
