//! Joining, leaving, other tabs, and the connection to the aggregator.

use super::{text, text_with};
use crate::messages::Asset;
use crate::page::l10n::Value;

/// Progress of loading models.
pub fn loading(asset: Asset, total_bytes: u64) -> String {
    let megabytes = Value::Number(total_bytes as f64 / 1e6);
    match asset {
        Asset::Backbone => text_with("loading-backbone", &[("megabytes", megabytes)]),
        Asset::Detector => text_with("loading-detector", &[("megabytes", megabytes)]),
        Asset::Vfer => text_with("loading-vfer", &[("megabytes", megabytes)]),
    }
}

/// The aggregator does not respond.
pub fn offline() -> String {
    text("connection-offline")
}

/// When the next attempt is made, after [`offline`].
pub fn retry_in(delay_ms: u64) -> String {
    text_with("connection-retry", &[("seconds", delay_ms.div_ceil(1_000).into())])
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
pub fn elsewhere(state: Elsewhere) -> String {
    text(match state {
        Elsewhere::OtherTabLeads => "tab-follows",
        Elsewhere::WaitingForLeader => "tab-waits",
        Elsewhere::HandingOver => "tab-hands-over",
    })
}

/// Why the student is asked for consent again after another tab was the leader.
pub fn nothing_left_to_resume() -> String {
    text("tab-nothing-left")
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
        Ending::Left => text("ended-left"),
        Ending::LeftFollower => text("ended-follower"),
        Ending::ForgottenElsewhere => text("ended-elsewhere"),
        Ending::Forgotten { is_deleted: true, token } => text("ended-deleted") + &ended_token(token),
        Ending::Forgotten { is_deleted: false, token } => text("ended-left") + &ended_token(token),
    }
}

fn ended_token(token: TokenState) -> String {
    match token {
        TokenState::None => String::new(),
        TokenState::Ended => text("token-ended"),
        TokenState::Lost => text("token-lost"),
    }
}

/// The messages of the terms of the deployment statement on the consent screen.
pub const DEPLOYMENT_TERMS: [&str; 4] =
    ["deployment-purpose", "deployment-jurisdiction", "deployment-legal-basis", "deployment-contact"];

/// The messages of the bars' models, for screen readers: image model and video model.
pub const BARS: [&str; 2] = ["bar-of-image", "bar-of-video"];
