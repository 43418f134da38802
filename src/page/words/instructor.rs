//! The instructor's page.

use super::Notice;
use crate::browser::request::RequestError;
use crate::page::instructor::Command;
use crate::protocol::{AbandonReason, OpenRound, ProblemCode, Rejection, RoundPhase};

/// A request of the instructor's that failed. The aggregator's own words are shown: they say which value or state it is.
pub fn failed(error: &RequestError) -> Notice {
    match error {
        RequestError::Refused(problem) if problem.code == ProblemCode::Unauthorized => {
            Notice::new(&problem.detail, "Open the instructor's link that the aggregator printed when it started.")
        }
        RequestError::Refused(problem) => Notice::new(&problem.detail, "Nothing was changed."),
        _ => Notice::new("The aggregator does not answer.", "Start the aggregator again; this page goes on by itself."),
    }
}

/// The aggregator does not respond.
pub fn offline() -> &'static str {
    "The aggregator does not answer. This page keeps trying."
}

/// The page's heading; `federation` is its name.
pub fn heading(federation: &str) -> String {
    format!("{federation}: instructor")
}

/// Until when students can join; `time` is in the page's language.
pub fn joining_ends(time: &str) -> String {
    format!("Students can join with it until {time}.")
}

/// The round that is open, if any; `deadline` is in the page's language.
pub fn round(round: Option<(&OpenRound, String)>) -> String {
    match round {
        Some((OpenRound { id, base_version, received, minimum_clients, .. }, deadline)) => format!(
            "Round {id} is open on version {base_version}: {received} of {minimum_clients} updates are in. It ends at \
             {deadline} at the latest."
        ),
        None => "No round is open.".to_owned(),
    }
}

/// Asks before a command that cannot be undone; `None` for one that is done at once.
pub fn question(command: &Command) -> Option<String> {
    match command {
        Command::OpenRound => None,
        Command::CloseRound(round) => {
            Some(format!("Close round {round} now? The updates that are in are averaged and published."))
        }
        Command::Restore(version) => Some(format!(
            "Make version {version} the global model again? Every tab switches to it; an open round is abandoned."
        )),
        Command::RenewCode => Some(
            "Make a new join code? The old one and its links let nobody join any more; who has joined stays."
                .to_owned(),
        ),
        Command::Revoke(id) => Some(format!(
            "Revoke participant {id}? Its tab can send nothing more unless it joins again with the join code."
        )),
    }
}

/// The button that restores a version.
pub fn restore_button(version: u64) -> String {
    format!("Roll back to version {version}")
}

/// The version that is the global model now.
pub const CURRENT: &str = "current";

/// The button that revokes a participant.
pub fn revoke_button(id: &str) -> String {
    format!("Revoke {id}")
}

/// The copy button, and the same after it was used.
pub const COPY: &str = "Copy";
/// See [`COPY`].
pub const COPIED: &str = "Copied";

/// The settings are saved.
pub const SAVED: &str = "Saved.";

/// Where a round stands.
pub fn phase(phase: &RoundPhase) -> String {
    match phase {
        RoundPhase::Open => "open".to_owned(),
        RoundPhase::Aggregating => "aggregating".to_owned(),
        RoundPhase::Evaluating => "evaluating".to_owned(),
        RoundPhase::Published { version } => format!("published as version {version}"),
        RoundPhase::Rejected { reason } => format!("rejected: {}", rejection(reason)),
        RoundPhase::Abandoned { reason } => format!("abandoned{}", abandonment(reason)),
        RoundPhase::Unknown => "reload the page to see".to_owned(),
    }
}

fn abandonment(reason: &AbandonReason) -> String {
    match reason {
        AbandonReason::TooFewUpdates { found, needed } => format!(": {found} of the {needed} updates that it needed"),
        AbandonReason::TooFewForStrategy { strategy, found, needed } => {
            format!(": {found} of the {needed} updates that the strategy {strategy} needs")
        }
        AbandonReason::BaseReplaced => ": another model became the global model".to_owned(),
        AbandonReason::Unspecified => String::new(),
        AbandonReason::Unknown => ": reload the page to see why".to_owned(),
    }
}

fn rejection(reason: &Rejection) -> String {
    match reason {
        Rejection::Layout { .. } => "the aggregate does not fit the model".to_owned(),
        Rejection::NotFinite { .. } => "the aggregate has values that are not numbers".to_owned(),
        Rejection::Norm { found, limit } => format!("the model would move by {found:.3}, more than {limit:.3}"),
        Rejection::MacroF1 { dataset, before, found, tolerance } => format!(
            "macro F1 on the held-out clips of {dataset} would fall from {before:.3} to {found:.3}, by more than {tolerance:.3}"
        ),
        Rejection::Loss { dataset } => format!("the model fails on the held-out clips of {dataset}"),
        Rejection::StorageDamaged { .. } => {
            "what was stored of it is damaged; the aggregator's log says what".to_owned()
        }
        Rejection::Unspecified => "by an earlier version of the aggregator, whose log says why".to_owned(),
        Rejection::Unknown => "reload the page to see why".to_owned(),
    }
}
