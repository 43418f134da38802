//! Why a federation does not do what it was asked to.

use emofed::protocol::UpdateError;
use emofed::weights::WeightsError;

use crate::store::StoreError;

/// Why a call of the federation failed.
#[derive(Debug, thiserror::Error)]
pub enum RoundError {
    /// The call does not fit the federation's state or bounds.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The update is not one of this model.
    #[error(transparent)]
    Update(#[from] UpdateError),
    /// The store failed; nothing was acknowledged.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Stored weights are damaged.
    #[error("stored weights are damaged: {0}")]
    Weights(#[from] WeightsError),
}

impl RoundError {
    /// Whether the caller asked for something that cannot be, as opposed to a failure of the aggregator.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::Update(_))
    }

    /// Whether something stored is not what was stored, so that trying again gives the same.
    pub fn is_damage(&self) -> bool {
        matches!(
            self,
            Self::Update(_) | Self::Weights(_) | Self::Store(StoreError::Missing(_) | StoreError::Damaged { .. })
        )
    }
}

/// A call that does not fit the federation's state or bounds. It changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The store has no backbone.
    #[error("There is no backbone yet: run `emofed import lite DIR` first.")]
    NoBackbone,
    /// The store has no face detector.
    #[error("There is no face detector yet: run `emofed import lite DIR` first.")]
    NoDetector,
    /// The store has no VFER over its backbone.
    #[error("There is no video model yet: run `emofed import lite DIR` first.")]
    NoModel,
    /// The recipe builds on the paper's architecture, and the video model is of another.
    #[error(
        "learning.recipe = \"personal-head\" needs a video model of the paper's architecture: publish one, or set the \
         recipe to \"paper\"."
    )]
    RecipeNeedsPaperArchitecture,
    /// A round cannot be opened while another has not ended.
    #[error("Round {round} has not ended yet.")]
    RoundNotEnded {
        /// The round that has not ended.
        round: u64,
    },
    /// The round takes no updates and cannot be closed.
    #[error("Round {round} takes no updates.")]
    RoundNotOpen {
        /// The round that was asked for.
        round: u64,
    },
    /// The update is for another round or relative to another version than the open round's.
    #[error(
        "The update is for round {found_round} on version {found_base_version}; round {round} is on version {base_version}."
    )]
    StaleBase {
        /// The round that the update names.
        found_round: u64,
        /// The version that the update names.
        found_base_version: u64,
        /// The open round.
        round: u64,
        /// Its base version.
        base_version: u64,
    },
    /// A different update of the participant counts in the round.
    #[error("Another update of this participant already counts in this round.")]
    AlreadyReceived {
        /// The round.
        round: u64,
    },
    /// The mean of so few updates would disclose single ones.
    #[error(
        "Round {round} has {found} of the {limit} updates that it needs at least: the mean of fewer discloses single \
         updates. Without more it ends at its deadline, and nothing is published."
    )]
    TooFewContributors {
        /// The round.
        round: u64,
        /// Updates that have come.
        found: u32,
        /// Fewest that may be aggregated.
        limit: u32,
    },
    /// No version can be restored while a round is aggregated or evaluated.
    #[error("A round is being aggregated; try again in a moment.")]
    AggregationUnderway {
        /// The round.
        round: u64,
    },
    /// No version of the backbone in use has this number.
    #[error("There is no version {version} to restore.")]
    UnknownVersion {
        /// The version that was asked for.
        version: u64,
    },
    /// The version's record is there, its weights are not.
    #[error("The weights of version {version} are not kept any more, or cannot be read.")]
    WeightsUnavailable {
        /// The version that was asked for.
        version: u64,
    },
    /// As many participants have joined as may.
    #[error("The federation is full: {limit} participants have joined. Ask the instructor.")]
    FederationFull {
        /// Most participants.
        limit: u32,
    },
    /// The aggregator's version does not know this kind of lecture.
    #[error("There is no such kind of lecture.")]
    UnknownLecture,
    /// A lecture has no address, or too many.
    #[error("A lecture has between 1 and {limit} addresses.")]
    LectureAddresses {
        /// Most addresses.
        limit: usize,
    },
    /// The configuration does not allow this address on the stage.
    #[error(
        "The stage may not show {address}: it is neither a file of the lecture folder (`lecture/NAME`) nor of an origin in \
         stage.origins of the configuration."
    )]
    NotOnStage {
        /// The address.
        address: String,
    },
    /// No participant has this id.
    #[error("No participant has this id.")]
    UnknownParticipant,
    /// `minimum_clients` below the fewest contributors whose mean may be published.
    #[error("minimum_clients is at least {limit}: the mean of fewer discloses single updates.")]
    MinimumClientsTooSmall {
        /// The value that was asked for.
        found: u32,
        /// The smallest allowed.
        limit: u32,
    },
    /// `minimum_clients` below the fewest that the aggregation strategy takes.
    #[error("minimum_clients is at least {limit}: the strategy {strategy} needs so many.")]
    MinimumClientsBelowStrategy {
        /// The value that was asked for.
        found: u32,
        /// The smallest allowed.
        limit: u32,
        /// The strategy's name.
        strategy: &'static str,
    },
    /// `minimum_clients` above the number of participants that may join.
    #[error("minimum_clients is at most {limit}: no more participants may join.")]
    MinimumClientsTooLarge {
        /// The value that was asked for.
        found: u32,
        /// The largest allowed.
        limit: u32,
    },
    /// `target_clients` above the number of participants that may join.
    #[error("target_clients is at most {limit}: no more participants may join.")]
    TargetClientsTooLarge {
        /// The value that was asked for.
        found: u32,
        /// The largest allowed.
        limit: u32,
    },
    /// `duration_s` is zero or longer than the longest round.
    #[error("duration_s is between 1 and {limit} (a year).")]
    DurationOutOfRange {
        /// The value that was asked for, in seconds.
        found: u64,
        /// The largest allowed, in seconds.
        limit: u64,
    },
    /// `duration_s` below the configured shortest round.
    #[error("duration_s is at least {limit}, the configured limits.shortest_round_s.")]
    DurationTooShort {
        /// The value that was asked for, in seconds.
        found: u64,
        /// The smallest allowed, in seconds.
        limit: u64,
    },
}
