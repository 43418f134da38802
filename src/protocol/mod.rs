//! What travels between a tab and the aggregator: HTTP with JSON and safetensors, on one origin.
//!
//! `docs/PROTOCOL.md` specifies it. Nothing here does I/O or depends on burn.

mod difference;
mod encoded_update;
mod event;
mod instructor;
mod lecture;
mod manifest;
mod metrics;
mod operator;
mod problem;
mod round;
#[cfg(feature = "openapi")]
mod schema;
mod update;

pub use difference::{rounded_difference, with_difference};
pub use encoded_update::EncodedUpdate;
pub use event::{Event, EventMessage};
pub use instructor::{
    AssistantSummary, AssistantToken, FederationStatus, JoinCode, LectureStatus, ParticipantSummary, Role,
    RoundSettings, RoundSettingsChange, RoundSummary, instructor_path,
};
pub use lecture::{LECTURE_FOLDER, Lecture};
pub use manifest::{
    AcceptanceReport, BackboneRef, BlobRef, CaptureSettings, Deployment, MINIMUM_CONTRIBUTORS, Manifest, ModelCard,
    ModelDifference, ModelOrigin, ModelVersion,
};
pub use metrics::{ClassMetrics, ClientMetrics, MINIMUM_METRICS, loss_increased};
pub use operator::{FederationLinks, FederationSummary, NewFederation, operator_path};
pub use problem::{Problem, ProblemCode};
pub use round::{
    AbandonReason, CloseReason, EndedRound, OpenRound, RECENT_ROUNDS, Rejection, RoundOutcome, RoundPhase,
};
pub use update::{ClientUpdate, MAX_EXAMPLES, UpdateError, UpdateLimits};

use serde::{Deserialize, Serialize};

/// The protocol's version. A tab refuses a manifest of another.
pub const PROTOCOL: u32 = 2;

/// Media type of weights and client updates.
pub const SAFETENSORS: &str = "application/vnd.safetensors";

/// Media type of errors (RFC 9457).
pub const PROBLEM_JSON: &str = "application/problem+json";

/// Paths of the calls a tab makes, below the prefix of its federation.
pub mod path {
    /// `GET`: the [`super::Manifest`], with `ETag`.
    pub const MANIFEST: &str = "/api/v2/manifest";
    /// `POST` [`super::JoinRequest`] → [`super::JoinResponse`].
    pub const PARTICIPANTS: &str = "/api/v2/participants";
    /// `DELETE`: the caller's token ends.
    pub const ME: &str = "/api/v2/participants/me";
    /// `GET`: server-sent [`super::Event`]s.
    pub const EVENTS: &str = "/api/v2/events";
    /// The same for a listener that is not counted as a connected tab: the instructor's page.
    pub const EVENTS_FOR_OBSERVERS: &str = "/api/v2/events?observer=true";

    /// Below which all addresses of the federation `id` are. The one that an aggregator begins with has none.
    pub fn prefix(id: &str) -> String {
        format!("/f/{id}")
    }

    /// `GET`: an immutable blob by its SHA-256 in lower-case hexadecimal.
    pub fn blob(sha256: &str) -> String {
        format!("/blobs/{sha256}")
    }

    /// `PUT`: the caller's client update in `round`.
    pub fn update(round: u64) -> String {
        format!("/api/v2/rounds/{round}/update")
    }
}

/// What a tab sends to join a federation. There is no name and no address in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JoinRequest {
    /// The code that the instructor handed out.
    pub join_code: String,
}

/// A participant's credentials, random and valid for one federation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JoinResponse {
    /// Random id of the participant.
    pub participant: String,
    /// Bearer token for the participant's own calls.
    pub token: String,
}

/// What the aggregator answers to an update that is safely on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UpdateReceipt {
    /// The round the update counts in.
    pub round: u64,
    /// SHA-256 of the body as received.
    pub sha256: String,
}

/// SHA-256 of `bytes` in lower-case hexadecimal: how blobs are named.
pub fn sha256_hex(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
