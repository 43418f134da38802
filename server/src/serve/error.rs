//! Why an HTTP call fails. What the client is told of it is in `problem.rs`.

use emofed::protocol::SAFETENSORS;

use super::admission::CodeRefusal;
use crate::backup::BackupError;
use crate::round::{Refusal, RoundError};
use crate::store::StoreError;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The request itself is at fault.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The federation refused the call, or failed.
    #[error(transparent)]
    Round(#[from] RoundError),
    /// The store failed; nothing was acknowledged.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A blob's bytes do not have the hash it is named by.
    #[error("The weights are damaged on the aggregator's disk; its log says which. Tell the instructor.")]
    BlobDamaged,
    /// No backup can be made.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// The system has no randomness.
    #[error("no randomness: {0}")]
    Randomness(#[from] getrandom::Error),
    /// A blocking task panicked.
    #[error("a task failed: {0}")]
    Task(#[from] tokio::task::JoinError),
}

impl From<Refusal> for ServeError {
    fn from(refusal: Refusal) -> Self {
        Self::Round(refusal.into())
    }
}

impl From<CodeRefusal> for RequestError {
    fn from(refusal: CodeRefusal) -> Self {
        match refusal {
            CodeRefusal::Wrong => Self::WrongJoinCode,
            CodeRefusal::Expired => Self::JoinCodeExpired,
        }
    }
}

/// A request that is malformed, not authorised, too frequent, or sent from a place that requests may not come from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The body, the query or a parameter of the path cannot be read; what axum or serde says.
    #[error("{0}")]
    Malformed(String),
    /// The parameter of the path is no round and no version.
    #[error("Rounds and versions are whole numbers.")]
    NotANumber,
    /// Another content type than that of updates.
    #[error("An update's content type is {SAFETENSORS}.")]
    NotSafetensors,
    /// The body ended early or paused for too long.
    #[error("The body did not arrive whole.")]
    BodyIncomplete,
    /// The body is longer than any update of the model.
    #[error("An update has {limit} bytes at the most.")]
    UpdateTooLarge {
        /// Bytes of the largest update.
        limit: usize,
    },
    /// There is no participant's token, or no participant has it.
    #[error("The participant's token is missing or unknown.")]
    NotAParticipant,
    /// There is no instructor's token, or it is not the federation's.
    #[error("The instructor's token is missing or wrong.")]
    NotTheInstructor,
    /// The token is an assistant instructor's.
    #[error("An assistant instructor may not do this; ask the owner.")]
    NotTheOwner,
    /// There is no operator's token, or the aggregator has another or none.
    #[error("The operator's token is missing or wrong.")]
    NotTheOperator,
    /// As many assistant instructors as there may be.
    #[error("There are {limit} assistant instructors already: end one's token first.")]
    TooManyAssistants {
        /// Most assistant instructors.
        limit: usize,
    },
    /// No assistant instructor has this id.
    #[error("There is no such assistant instructor.")]
    UnknownAssistant,
    /// No federation has this id.
    #[error("There is no such federation.")]
    UnknownFederation,
    /// The federation's store cannot be opened.
    #[error("This federation is not available now. Tell who runs the aggregator.")]
    FederationUnavailable,
    /// As many federations as there may be.
    #[error("There are {limit} federations already (limits.max_federations).")]
    TooManyFederations {
        /// Most federations beside the first.
        limit: usize,
    },
    /// The name of a new federation is empty, too long, or has control characters.
    #[error("A federation's name has between 1 and {limit} characters, and none that control.")]
    FederationName {
        /// Most characters.
        limit: usize,
    },
    /// The join code is not the federation's.
    #[error("No federation has this join code.")]
    WrongJoinCode,
    /// The join code was the federation's and is too old.
    #[error("This join code has expired. Ask the instructor for the new one.")]
    JoinCodeExpired,
    /// As many have joined with the code as may.
    #[error("This join code has been used as often as it may be. Ask the instructor for the new one.")]
    JoinCodeUsedUp,
    /// The address has sent too many wrong join codes.
    #[error("Too many wrong join codes. Try again in {retry_after_s} s.")]
    TooManyWrongCodes {
        /// Most wrong codes in a window.
        limit: u32,
        /// Seconds until the window ends.
        retry_after_s: u64,
    },
    /// Too many participants have joined from the address.
    #[error("Too many have joined from this address. Try again in {retry_after_s} s.")]
    TooManyJoins {
        /// Most joins in a window.
        limit: u32,
        /// Seconds until the window ends.
        retry_after_s: u64,
    },
    /// The address, or all together, have as many event streams open as may be.
    #[error("Too many listen to events; ask for the manifest instead.")]
    TooManyEventStreams,
    /// No route has this path.
    #[error("There is nothing at this path.")]
    NoRoute,
    /// The path has no such method.
    #[error("This path does not take this method; /api/v2/openapi.json says which.")]
    MethodNotAllowed,
    /// The name of a blob is no hash.
    #[error("Weights are named by their SHA-256.")]
    NotABlobName,
    /// The request has a forwarding header although no proxy is configured.
    #[error(
        "The request came through a proxy (it has {header}), and none is configured: set trusted_proxy, public_origin and \
         [deployment] in the aggregator's configuration."
    )]
    UnexpectedProxy {
        /// The header.
        header: &'static str,
    },
    /// `Host` is not that of the configured public origin.
    #[error("This aggregator is served as {origin}; the proxy has to pass that Host on.")]
    NotThePublicHost {
        /// The configured origin.
        origin: String,
    },
    /// `Host` names no loopback address although only loopback is served.
    #[error("This aggregator answers on loopback only.")]
    NotLoopback,
    /// `Origin` is not the aggregator's own.
    #[error("The request comes from a page of another origin.")]
    OtherOrigin,
    /// `Sec-Fetch-Site` names another site.
    #[error("The request comes from a page of another site.")]
    OtherSite,
}
