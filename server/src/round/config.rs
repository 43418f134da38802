//! What is decided before a class opens.

use emofed::learning::Strategy;
use emofed::protocol::{CapturePlan, Deployment, LearningSettings, RoundSettings, UpdateLimits};

/// What is fixed while the aggregator runs.
#[derive(Clone, Debug)]
pub struct ClassConfig {
    /// What the class is called.
    pub class: String,
    /// Who runs it and why.
    pub deployment: Option<Deployment>,
    /// How tabs learn.
    pub learning: LearningSettings,
    /// How tabs look.
    pub capture: CapturePlan,
    /// How rounds go, unless the instructor has changed it.
    pub rounds: RoundSettings,
    /// What an update may be at most.
    pub limits: UpdateLimits,
    /// What becomes of the mean of a round's updates.
    pub strategy: Strategy,
    /// A demonstration that publishes the updates of fewer than [`emofed::protocol::MINIMUM_CONTRIBUTORS`].
    pub few_contributors: bool,
    /// What keeps the class within the disk's and the machine's means.
    pub bounds: ClassBounds,
}

/// What keeps a class within its means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClassBounds {
    /// A round stays open for at least so long, in seconds, before it closes by itself: there is at most one publication
    /// in that time.
    pub shortest_round_s: u64,
    /// Weights of so many newest versions are kept; records of all.
    pub kept_models: usize,
    /// Most participants that may join.
    pub max_participants: u32,
}

impl Default for ClassBounds {
    fn default() -> Self {
        Self { shortest_round_s: 10, kept_models: 100, max_participants: 1_000 }
    }
}
