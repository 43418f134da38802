//! The records stored on the device, and their addresses in `browser::storage`. The session worker writes them; the page
//! reads the session where it takes over from another tab, and to end the token.

use serde::{Deserialize, Serialize};

/// Address of the [`StoredSession`].
pub const SESSION: &str = "/on-this-device/session.json";
/// Address of the [`super::ledger::Ledger`].
pub const LEDGER: &str = "/on-this-device/ledger.json";
/// Address of an encoded client update that is not acknowledged yet.
pub const PENDING_UPDATE: &str = "/on-this-device/pending-update.safetensors";
/// Address of the record of kept clips: encrypted, and only if the student allows it.
pub const KEPT_CLIPS: &str = "/on-this-device/kept-clips";
/// Address of the checkpoint of a fine-tuning run: encrypted, and only if the student allows that clips are kept.
pub const CHECKPOINT: &str = "/on-this-device/checkpoint";
/// Prefix of the addresses of client updates that were sent, as they were sent, by their ids in the ledger: the newest
/// [`KEPT_SENT_UPDATES`], so that the student can look into them.
pub const SENT_UPDATES: &str = "/on-this-device/sent-updates/";
/// How many of them.
pub const KEPT_SENT_UPDATES: usize = 5;
/// Prefix of the addresses of weights, which are those of the protocol.
pub const BLOBS: &str = "/blobs/";

/// Address of the client update that was sent under this id in the ledger.
pub fn sent_update(id: u64) -> String {
    format!("{SENT_UPDATES}{id}.safetensors")
}

/// A participant's session, for resuming it after a reload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredSession {
    /// The code it joined with.
    #[serde(alias = "class_code")]
    pub join_code: String,
    /// Participant id.
    pub participant: String,
    /// Bearer token.
    pub token: String,
    /// The last round that acknowledged an update of this participant, or that it sits out.
    pub acknowledged_round: Option<u64>,
}
