//! The aggregator's error, and what a client is told of it.

use emofed::protocol::{Problem, ProblemCode, UpdateError};
use emofed::weights::WeightsError;

use crate::store::StoreError;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The client's mistake, or the state it met: told as it is.
    #[error("{0}")]
    Problem(#[from] Problem),
    /// The update is refused.
    #[error("{0}")]
    Update(#[from] UpdateError),
    /// The store failed; nothing was acknowledged.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// Stored weights are damaged.
    #[error("stored weights are damaged: {0}")]
    Weights(#[from] WeightsError),
    /// The system has no randomness.
    #[error("no randomness: {0}")]
    Randomness(#[from] getrandom::Error),
    /// A task of ours panicked.
    #[error("a task failed: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// Most characters that a problem repeats of a refused update.
const MAX_ECHO: usize = 200;

/// The beginning of `text`: a sender must not have its own megabyte echoed.
fn bounded(text: &str) -> String {
    text.chars().take(MAX_ECHO).collect()
}

impl ServeError {
    /// A problem of `code`, told in `detail`.
    pub fn problem(code: ProblemCode, detail: impl Into<String>) -> Self {
        Self::Problem(Problem::new(code, detail))
    }

    /// Whether something stored is not what was stored, so that trying again gives the same.
    pub fn is_damage(&self) -> bool {
        matches!(
            self,
            Self::Update(_) | Self::Weights(_) | Self::Store(StoreError::Missing(_) | StoreError::Damaged { .. })
        )
    }

    /// What the client is told. Inner failures are logged, not told.
    pub fn into_problem(self) -> Problem {
        match self {
            Self::Problem(problem) => problem,
            Self::Update(error) => Problem {
                tensor: error.tensor().map(bounded),
                ..Problem::new(ProblemCode::BadUpdate, bounded(&format!("The update is refused: {error}.")))
            },
            Self::Store(StoreError::Missing(_)) => Problem::new(ProblemCode::NotFound, "There is no such file."),
            Self::Store(error) => {
                tracing::error!(%error, "store");
                Problem {
                    retry_after_s: Some(5),
                    ..Problem::new(
                        ProblemCode::StorageUnavailable,
                        "The aggregator cannot store anything now. Nothing was accepted; try again.",
                    )
                }
            }
            Self::Weights(_) | Self::Randomness(_) | Self::Task(_) => {
                tracing::error!(error = %self, "internal");
                Problem::new(ProblemCode::Internal, "The aggregator failed. Its log says why.")
            }
        }
    }
}
