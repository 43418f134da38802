//! What is decided before a federation opens.

use emofed::learning::{LearningSettings, Strategy};
use std::path::PathBuf;

use emofed::protocol::{CaptureSettings, Deployment, Lecture, RoundSettings, UpdateLimits};

/// What is fixed while the aggregator runs.
#[derive(Clone, Debug)]
pub struct FederationConfig {
    /// The name of the federation, chosen by the instructor.
    pub name: String,
    /// Who runs it and why.
    pub deployment: Option<Deployment>,
    /// What is on the stage, and what may be.
    pub stage: Stage,
    /// How tabs learn.
    pub learning: LearningSettings,
    /// How tabs sample frames and cut clips.
    pub capture: CaptureSettings,
    /// How rounds go, unless the instructor has changed it.
    pub rounds: RoundSettings,
    /// What an update may be at most.
    pub limits: UpdateLimits,
    /// What becomes of the mean of a round's updates.
    pub strategy: Strategy,
    /// A demonstration that publishes the updates of fewer than [`emofed::protocol::MINIMUM_CONTRIBUTORS`].
    pub few_contributors: bool,
    /// Limits of disk space and load.
    pub bounds: FederationBounds,
}

/// What is on the stage of the student's page until the instructor changes it, and what may be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stage {
    /// The lecture.
    pub lecture: Lecture,
    /// Folder of the aggregator's own lecture files.
    pub folder: Option<PathBuf>,
    /// Origins whose pages and files may be on the stage.
    pub origins: Vec<String>,
}

/// Limits of disk space and load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FederationBounds {
    /// A round stays open for at least so long, in seconds, before it closes by itself: there is at most one publication
    /// in that time.
    pub shortest_round_s: u64,
    /// Weights of so many newest versions are kept; records of all.
    pub kept_models: usize,
    /// Most participants that may join.
    pub max_participants: u32,
    /// By how much a version may increase the median of the losses on tabs' own hold-outs, in nats, where five or more tell: after
    /// more its parent is published again.
    pub max_loss_increase: f64,
}

impl Default for FederationBounds {
    fn default() -> Self {
        Self { shortest_round_s: 10, kept_models: 100, max_participants: 1_000, max_loss_increase: 0.05 }
    }
}
