//! One type for each kind of record, apart from what travels and from what is configured. [`super::schema`] has their version.
//!
//! Values without a life of their own (a blob's name, a model card, an acceptance report, why a round closed) are those of the
//! wire: a test of stored records keeps their fields.

use emofed::learning::Strategy;
use emofed::model::vfer::VferArchitecture;
use emofed::protocol::{
    AbandonReason, AcceptanceReport, BackboneRef, BlobRef, ClassMetrics, CloseReason, ModelCard, ModelDifference,
    ModelOrigin, ModelVersion, Rejection, RoundPhase, RoundSettingsChange,
};
use serde::{Deserialize, Serialize};

/// The federation's secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FederationRecord {
    /// The code that students join with.
    pub join_code: String,
    /// When the code ends, in seconds since 1970; absent: it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub join_code_expires_at_s: Option<u64>,
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

/// The newest round and model. Whoever opens a round or publishes changes it, so that two never do so at once. In a store that was restored
/// from a backup it is ahead of both, until there are new ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewestRecord {
    /// The round's id; 0: none was opened since this record is kept.
    pub round: u64,
    /// The model's version; 0: none was published since this record is kept.
    pub version: u64,
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

/// An assistant instructor. The key is the hash of the token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssistantRecord {
    /// Random id.
    pub id: String,
    /// When the token was made, in seconds since 1970.
    pub made_at_s: u64,
}

/// How often a join code was used, where its uses are limited.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeUsesRecord {
    /// The code that is counted: another one begins at 0.
    pub join_code: String,
    /// How many have joined with it, those who left again included.
    pub uses: u32,
}

/// A federation that the operator made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostedRecord {
    /// Its name on the pages.
    pub name: String,
    /// When it was made, in seconds since 1970.
    pub made_at_s: u64,
}

/// What a round has made of its updates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its weights.
    #[serde(rename = "candidate")]
    pub weights: BlobRef,
    /// Updates in it.
    pub num_clients: u32,
    /// The sum of their `num_examples`.
    pub num_examples: u64,
    /// The aggregation strategy's state after the round, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy_state: Option<BlobRef>,
    /// The difference to the round's base, where the strategy publishes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference: Option<ModelDifference>,
    /// The mean of the client metrics that came with the updates, of five or more. A single client's are in its update's body
    /// alone, which is deleted with the round.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_metrics: Option<ClassMetrics>,
    /// How many clients sent that their loss increased by too much when the round's base came, if the median of them says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_increased: Option<u32>,
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
    Evaluating(Candidate),
    /// Ended with a new global model.
    Published {
        /// Its version.
        version: u64,
    },
    /// Ended without: the acceptance check refused the candidate, or what was stored of the round is damaged.
    Rejected {
        /// Why.
        reason: Rejection,
    },
    /// Ended without: no candidate was made, or it was not evaluated, since its base was rolled back.
    Abandoned {
        /// Why.
        reason: AbandonReason,
    },
}

impl Phase {
    /// Whether the round has ended.
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Published { .. } | Self::Rejected { .. } | Self::Abandoned { .. })
    }

    /// Its name, as on the wire and in logs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Aggregating { .. } => "aggregating",
            Self::Evaluating(_) => "evaluating",
            Self::Published { .. } => "published",
            Self::Rejected { .. } => "rejected",
            Self::Abandoned { .. } => "abandoned",
        }
    }
}

impl From<&Phase> for RoundPhase {
    fn from(phase: &Phase) -> Self {
        match phase {
            Phase::Open => Self::Open,
            Phase::Aggregating { .. } => Self::Aggregating,
            Phase::Evaluating(_) => Self::Evaluating,
            Phase::Published { version } => Self::Published { version: *version },
            Phase::Rejected { reason } => Self::Rejected { reason: reason.clone() },
            Phase::Abandoned { reason } => Self::Abandoned { reason: reason.clone() },
        }
    }
}

/// A published model. All versions stay, whether or not their weights are kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelRecord {
    /// Counts up by one with every publication; never reused.
    pub version: u64,
    /// The version it was made from.
    pub parent: Option<u64>,
    /// Where it comes from.
    pub origin: ModelOrigin,
    /// The round that made it.
    pub round: Option<u64>,
    /// Client updates in it.
    pub num_clients: u32,
    /// The sum of their `num_examples`; absent where so few contributed that it would give one of them away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num_examples: Option<u64>,
    /// Seconds since 1970.
    pub published_at_s: u64,
    /// SHA-256 of the backbone whose features it reads.
    pub backbone_sha256: String,
    /// What it consists of; the paper's in records of earlier versions.
    #[serde(default)]
    pub architecture: VferArchitecture,
    /// Its weights.
    pub vfer: BlobRef,
    /// Their difference to the parent's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference: Option<ModelDifference>,
    /// How labelling went in the tabs of its round that told, of five or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_metrics: Option<ClassMetrics>,
    /// What the acceptance check measured, where there is a held-out set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acceptance_report: Option<AcceptanceReport>,
    /// What it was trained on, where it was trained in the lab.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<ModelCard>,
    /// The aggregation strategy's state after the round that made it. It is not published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy_state: Option<BlobRef>,
}

impl From<ModelRecord> for ModelVersion {
    fn from(record: ModelRecord) -> Self {
        Self {
            version: record.version,
            parent: record.parent,
            origin: record.origin,
            round: record.round,
            num_clients: record.num_clients,
            num_examples: record.num_examples,
            published_at_s: record.published_at_s,
            backbone_sha256: record.backbone_sha256,
            architecture: record.architecture,
            vfer: record.vfer,
            difference: record.difference,
            class_metrics: record.class_metrics,
            acceptance_report: record.acceptance_report,
            card: record.card,
        }
    }
}

/// Settings of rounds that the instructor changed; what is absent is as configured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "each field is the one of the same name in RoundSettings")]
pub struct SettingsRecord {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum_clients: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_clients: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_s: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub continuous: Option<bool>,
}

impl From<RoundSettingsChange> for SettingsRecord {
    fn from(
        RoundSettingsChange { minimum_clients, target_clients, duration_s, continuous }: RoundSettingsChange,
    ) -> Self {
        Self { minimum_clients, target_clients, duration_s, continuous }
    }
}

impl From<SettingsRecord> for RoundSettingsChange {
    fn from(SettingsRecord { minimum_clients, target_clients, duration_s, continuous }: SettingsRecord) -> Self {
        Self { minimum_clients, target_clients, duration_s, continuous }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks in this way")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// A round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoundRecord {
    /// Its number.
    pub id: u64,
    /// What updates are relative to.
    pub base_version: u64,
    /// If it has fewer updates at its end, it is abandoned.
    pub minimum_clients: u32,
    /// It closes when so many updates are in, and no fewer than the minimum; absent in rounds that earlier versions opened.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub target_clients: u32,
    /// When it opened, in seconds since 1970.
    pub opened_at_s: u64,
    /// When it ends at the latest, in seconds since 1970.
    pub deadline_s: u64,
    /// How its updates are aggregated, whatever is configured by then; absent in rounds that ended before this was recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Strategy>,
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
