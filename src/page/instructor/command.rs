//! What the instructor may ask of the aggregator.

/// A command of the instructor's.
#[derive(Clone)]
pub enum Command {
    /// Open a round.
    OpenRound,
    /// Close this round now.
    CloseRound(u64),
    /// Make this version the global model again.
    Restore(u64),
    /// Replace the join code.
    RenewCode,
    /// Revoke the participant with this id.
    Revoke(String),
}
