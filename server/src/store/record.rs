//! What a record says.

use emofed::protocol::{BackboneRef, BlobRef, CloseReason};
use serde::{Deserialize, Serialize};

/// The class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FederationRecord {
    /// The code that students join with.
    pub code: String,
    /// When the code ends, in seconds since 1970; absent: it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_expires_at_s: Option<u64>,
    /// SHA-256 of the instructor's token.
    pub instructor_token_sha256: String,
}

/// A backbone that was imported, with the detector that came with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackboneRecord {
    /// The backbone.
    pub backbone: BackboneRef,
    /// When it was imported, in seconds since 1970.
    pub imported_at_s: u64,
}

/// A participant. The key is the hash of the token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParticipantRecord {
    /// Random id.
    pub id: String,
    /// When it joined, in seconds since 1970; absent where an earlier version recorded it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joined_at_s: Option<u64>,
}

/// Where a round stands. A crash resumes here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "kebab-case")]
pub enum Phase {
    /// Takes updates.
    Open,
    /// Takes none any more; the sum is being made, from what is stored.
    Aggregating {
        /// Why it closed.
        reason: CloseReason,
    },
    /// The candidate is stored and waits for the acceptance check.
    Evaluating {
        /// The candidate.
        candidate: BlobRef,
        /// Updates in it.
        num_clients: u32,
        /// The sum of their `num_examples`.
        num_examples: u64,
        /// The aggregation strategy's state after the round, where it has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        strategy_state: Option<BlobRef>,
    },
    /// Ended with a new global model.
    Published {
        /// Its version.
        version: u64,
    },
    /// Ended without: the acceptance check refused the candidate.
    Rejected {
        /// Why.
        reason: String,
    },
    /// Ended without: too few updates, or none.
    Abandoned,
}

/// A round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoundRecord {
    /// Its number.
    pub id: u64,
    /// What updates are relative to.
    pub base_version: u64,
    /// It closes when so many updates are in.
    pub minimum_clients: u32,
    /// When it opened, in seconds since 1970.
    pub opened_at_s: u64,
    /// When it ends at the latest, in seconds since 1970.
    pub deadline_s: u64,
    /// Updates that were in when it closed; absent before that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received: Option<u32>,
    /// Where it stands.
    #[serde(flatten)]
    pub phase: Phase,
}

/// An acknowledged update.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateRecord {
    /// Who sent it.
    pub participant: String,
    /// SHA-256 of the body.
    pub sha256: String,
    /// Its weight in the aggregation.
    pub num_examples: u32,
}
