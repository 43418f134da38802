//! Joining, leaving, other tabs, and the connection to the aggregator.

use super::problem;
use crate::messages::Asset;

/// Progress of loading models.
pub fn loading(asset: Asset, total_bytes: u64) -> String {
    format!("Loading {} ({:.1} MB) …", problem::asset(asset), total_bytes as f64 / 1e6)
}

/// The aggregator does not respond.
pub fn offline() -> &'static str {
    "The aggregator does not answer. The models go on working here, and nothing is lost."
}

/// When the next attempt is made, after [`offline`].
pub fn retry_in(delay_ms: u64) -> String {
    format!(" Trying again in {:.0} s.", (delay_ms as f64 / 1_000.0).ceil())
}

/// Why this tab does not have the camera.
#[derive(Clone, Copy)]
pub enum Elsewhere {
    /// Another tab is the leader.
    OtherTabLeads,
    /// This tab has asked the leader to step down.
    WaitingForLeader,
    /// This tab was the leader, and another one has asked it to step down.
    HandingOver,
}

/// Why this tab does not have the camera.
pub fn elsewhere(state: Elsewhere) -> &'static str {
    match state {
        Elsewhere::OtherTabLeads => "Another tab of this browser is in the class, with the camera and the models.",
        Elsewhere::WaitingForLeader => "Waiting for the other tab to finish what it sends …",
        Elsewhere::HandingOver => "This tab is handing over to another one …",
    }
}

/// Why the student is asked for consent again after another tab was the leader.
pub fn nothing_left_to_resume() -> &'static str {
    "The other tab is closed and has left nothing on this device: it had not joined yet, or you wanted to be forgotten there. \
     So this tab asks you again."
}

/// What happened to the participant's token.
#[derive(Clone, Copy)]
pub enum TokenState {
    /// There was none.
    None,
    /// The aggregator has ended it.
    Ended,
    /// The aggregator could not be told.
    Lost,
}

/// How a session ended.
#[derive(Clone, Copy)]
pub enum Ending {
    /// The student left.
    Left,
    /// The student left in a tab that was not the leader.
    LeftFollower,
    /// The student was forgotten in another tab.
    ForgottenElsewhere,
    /// The student was forgotten here.
    Forgotten {
        /// Whether everything on the device is deleted.
        is_deleted: bool,
        /// The token's state.
        token: TokenState,
    },
}

/// How the session ended.
pub fn ended(ending: Ending) -> String {
    match ending {
        Ending::Left => "The camera is off. Nothing more is computed or sent.".to_owned(),
        Ending::LeftFollower => "Nothing is computed or sent in this tab.".to_owned(),
        Ending::ForgottenElsewhere => {
            "You wanted to be forgotten, in another tab. Nothing is computed or sent here any more.".to_owned()
        }
        Ending::Forgotten { is_deleted: true, token } => {
            format!(
                "Everything this page had stored on the device is deleted, and the camera is off.{}",
                ended_token(token)
            )
        }
        Ending::Forgotten { is_deleted: false, token } => {
            format!("The camera is off. Nothing more is computed or sent.{}", ended_token(token))
        }
    }
}

fn ended_token(token: TokenState) -> &'static str {
    match token {
        TokenState::None => "",
        TokenState::Ended => " The aggregator has ended this participant's token.",
        TokenState::Lost => {
            " The aggregator did not answer, and still has this participant's token; nobody can use it any more."
        }
    }
}

/// The terms of the deployment statement on the consent screen: purpose, jurisdiction, legal basis, contact.
pub const DEPLOYMENT_TERMS: [&str; 4] = ["Purpose", "Jurisdiction", "Legal basis", "Contact"];

/// A bar's model, for screen readers.
pub fn bar_of(model: &str) -> String {
    format!("{model} model: ")
}
