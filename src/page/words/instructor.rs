//! The instructor's page.

use super::Notice;
use crate::browser::request::RequestError;
use crate::page::instructor::Command;
use crate::protocol::{OpenRound, ProblemCode};

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

/// The page's heading.
pub fn heading(class: &str) -> String {
    format!("{class}: instructor")
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
            "Make a new class code? The old one and its links let nobody join any more; who has joined stays."
                .to_owned(),
        ),
        Command::Revoke(id) => Some(format!(
            "Revoke participant {id}? Its tab can send nothing more unless it joins again with the class code."
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
