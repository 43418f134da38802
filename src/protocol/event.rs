//! Server-sent events: hints that the manifest has changed. A tab that misses one loses nothing.

use serde::{Deserialize, Serialize};

use super::CloseReason;

/// What `GET /api/v2/events` sends, as JSON in `data:`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A round takes updates.
    RoundOpened {
        /// The round.
        round: u64,
        /// What updates are relative to.
        base_version: u64,
    },
    /// One more update is in; says nothing of whose.
    UpdateReceived {
        /// The round.
        round: u64,
        /// How many it has now.
        received: u32,
    },
    /// A round takes no more updates.
    RoundClosed {
        /// The round.
        round: u64,
        /// Why.
        reason: CloseReason,
    },
    /// There is a new global model.
    ModelPublished {
        /// Its version.
        version: u64,
    },
    /// An earlier global model is the current one again, under a new version number.
    ModelRolledBack {
        /// The new version number.
        version: u64,
        /// The version whose weights it repeats.
        restored: u64,
    },
    /// Something else is on the stage.
    LectureChanged,
    /// An event of a newer protocol.
    #[serde(other)]
    Unknown,
}
