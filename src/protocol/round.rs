//! Rounds on the wire: the open one, the ended ones, and why a round closed or its candidate was rejected.
//!
//! Values that this version does not know are read as `Unknown`, so that a newer aggregator does not break open tabs.

use serde::{Deserialize, Serialize};

/// How many ended rounds the manifest lists.
pub const RECENT_ROUNDS: usize = 16;

/// A round that takes updates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OpenRound {
    /// Counts up by one with every round; never reused.
    pub id: u64,
    /// The model version that updates are relative to.
    pub base_version: u64,
    /// A round that has fewer updates at its end is abandoned.
    pub minimum_clients: u32,
    /// The round closes when so many updates are in; of an aggregator that does not say, 0: see [`Self::closes_at`].
    #[serde(default)]
    pub target_clients: u32,
    /// Updates received so far, in the instructor's status. In the manifest it is always 0, for tabs that cannot do without: the
    /// manifest does not change with each update, and [`super::Event::UpdateReceived`] has the count.
    #[serde(default)]
    pub received: u32,
    /// Seconds since 1970 when the round ends even with too few clients.
    pub deadline_s: u64,
}

impl OpenRound {
    /// How many updates close the round.
    pub fn closes_at(&self) -> u32 {
        self.target_clients.max(self.minimum_clients)
    }
}

/// An ended round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EndedRound {
    /// [`OpenRound::id`].
    pub round: u64,
    /// How it ended.
    pub outcome: RoundOutcome,
    /// The model version that it was published as; present exactly if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
}

/// How a round ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum RoundOutcome {
    /// The aggregate is a model version: the clips behind its updates have been learned from.
    Published,
    /// The candidate did not pass the acceptance check: the updates changed nothing.
    Rejected,
    /// Too few updates came, or the round's base was replaced: the updates changed nothing.
    Abandoned,
    /// An outcome of a newer protocol: the updates may have changed the model.
    #[serde(other)]
    Unknown,
}

/// Why a round takes no more updates, or why no model came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum CloseReason {
    /// The minimum number of clients was reached.
    Complete,
    /// The instructor closed it; the updates received so far are aggregated.
    Instructor,
    /// The deadline passed.
    Deadline,
    /// The candidate did not pass the acceptance check; the global model stays.
    Rejected,
    /// Too few updates, or its base was replaced.
    Abandoned,
    /// A reason of a newer protocol.
    #[serde(other)]
    Unknown,
}

/// Where a round stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum RoundPhase {
    /// Takes updates.
    Open,
    /// The updates are being aggregated.
    Aggregating,
    /// The candidate is going through the acceptance check.
    Evaluating,
    /// Ended with a new global model.
    Published {
        /// The model's version.
        version: u64,
    },
    /// Ended without one: the acceptance check refused the candidate, or what was stored of the round is damaged.
    Rejected {
        /// Why.
        reason: Rejection,
    },
    /// Ended without one: no candidate was made, or it was not evaluated, since its base was rolled back.
    Abandoned {
        /// Why.
        #[serde(default)]
        reason: AbandonReason,
    },
    /// A phase of a newer protocol.
    #[serde(other)]
    Unknown,
}

/// Why a round ended without a candidate, or without evaluating it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "code", rename_all = "kebab-case")]
pub enum AbandonReason {
    /// Too few updates came, or too few went into the candidate.
    TooFewUpdates {
        /// How many.
        found: u32,
        /// Fewest that may be published, or that the round waited for.
        needed: u32,
    },
    /// The round was closed with fewer updates than its aggregation strategy is defined for.
    TooFewForStrategy {
        /// The strategy's name.
        strategy: String,
        /// How many came.
        found: u32,
        /// Fewest that the strategy takes.
        needed: u32,
    },
    /// The model that its updates are relative to is no longer the global model.
    BaseReplaced,
    /// The model that its updates are relative to does worse on the tabs' own hold-outs than its parent, which was published again.
    BaseWorse {
        /// The model's version.
        version: u64,
        /// Its parent's.
        restored: u64,
        /// Clients that sent how their loss changed.
        clients: u32,
        /// By how much the median of their losses may increase, in nats; it is more.
        limit: f64,
    },
    /// Recorded by an earlier version, without a reason.
    #[default]
    Unspecified,
    /// A reason of a newer protocol.
    #[serde(other)]
    Unknown,
}

/// Why a candidate did not become the global model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "code", rename_all = "kebab-case")]
pub enum Rejection {
    /// Its tensors are not those of the base.
    #[error("the candidate's layout differs from its base's{}", at(.tensor.as_deref()))]
    Layout {
        /// The first tensor that differs, where one does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tensor: Option<String>,
    },
    /// A tensor holds NaN or an infinity.
    #[error("the candidate's tensor `{tensor}` is not finite")]
    NotFinite {
        /// The first such tensor.
        tensor: String,
    },
    /// It is further from its base than allowed.
    #[error("the model would move by {found:.3}, more than {limit:.3}")]
    Norm {
        /// Euclidean norm of the change.
        found: f64,
        /// The largest allowed.
        limit: f64,
    },
    /// It names the held-out clips worse than its base does.
    #[error(
        "macro F1 on the held-out clips of {dataset} would fall from {before:.3} to {found:.3}, by more than {tolerance:.3}"
    )]
    MacroF1 {
        /// The held-out set.
        dataset: String,
        /// Of the base, 0 to 1.
        before: f64,
        /// Of the candidate, 0 to 1.
        found: f64,
        /// How far it may fall.
        tolerance: f64,
    },
    /// The held-out loss of the candidate is not a finite number.
    #[error("the loss on the held-out clips of {dataset} is not finite")]
    Loss {
        /// The held-out set.
        dataset: String,
    },
    /// What was stored of the round is damaged or gone.
    #[error("stored data is damaged: {detail}")]
    StorageDamaged {
        /// For the log and its reader: which object, and what is wrong.
        detail: String,
    },
    /// Recorded by protocol 1, whose reasons had no codes.
    #[error("the reason was recorded without a code, by protocol 1")]
    Unspecified,
    /// A reason of a newer protocol.
    #[serde(other)]
    #[error("another reason")]
    Unknown,
}

fn at(tensor: Option<&str>) -> String {
    tensor.map_or_else(String::new, |tensor| format!(" at tensor `{tensor}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_abandoned_round_is_read_with_and_without_a_reason() {
        let read = |json: &str| match serde_json::from_str(json).unwrap() {
            RoundPhase::Abandoned { reason } => reason,
            phase => panic!("{phase:?}"),
        };
        assert_eq!(read(r#"{"name":"abandoned"}"#), AbandonReason::Unspecified);
        let newer = r#"{"name":"abandoned","reason":{"code":"weather","degrees":40}}"#;
        assert_eq!(read(newer), AbandonReason::Unknown);
        let reason = AbandonReason::TooFewForStrategy { strategy: "krum".into(), found: 4, needed: 5 };
        let phase = RoundPhase::Abandoned { reason: reason.clone() };
        assert_eq!(read(&serde_json::to_string(&phase).unwrap()), reason);
    }
}
