//! The instructor's page.

#[cfg(target_arch = "wasm32")]
use super::Notice;
use super::{id, milliseconds, text, text_with};
#[cfg(target_arch = "wasm32")]
use crate::browser::request::RequestError;
use crate::page::instructor::Command;
#[cfg(target_arch = "wasm32")]
use crate::protocol::ProblemCode;
use crate::protocol::{AbandonReason, OpenRound, Rejection, RoundPhase};

/// A request of the instructor's that failed. The aggregator's own words are shown: they say which value or state it is.
#[cfg(target_arch = "wasm32")]
pub fn failed(error: &RequestError) -> Notice {
    match error {
        RequestError::Refused(problem) if problem.code == ProblemCode::Unauthorized => {
            Notice::new(&problem.detail, text("desk-unauthorized-way"))
        }
        RequestError::Refused(problem) => Notice::new(&problem.detail, text("desk-nothing-changed")),
        _ => Notice::new(text("desk-no-answer"), text("desk-no-answer-way")),
    }
}

/// The aggregator does not respond.
pub fn offline() -> String {
    text("desk-offline")
}

/// The page's heading; `federation` is its name.
pub fn heading(federation: &str) -> String {
    text_with("desk-federation", &[("federation", federation.into())])
}

/// Until when students can join, in seconds since 1970.
pub fn joining_ends(end_s: u64) -> String {
    text_with("desk-joining-ends", &[("time", milliseconds(end_s))])
}

/// The round that is open, if any.
pub fn round(round: Option<&OpenRound>) -> String {
    let Some(round) = round else { return text("round-none") };
    text_with(
        "desk-round",
        &[
            ("round", id(round.id)),
            ("version", id(round.base_version)),
            ("received", round.received.into()),
            ("needed", round.closes_at().into()),
            ("deadline", milliseconds(round.deadline_s)),
        ],
    )
}

/// Asks before a command that cannot be undone; `None` for one that is done at once.
pub fn question(command: &Command) -> Option<String> {
    match command {
        Command::OpenRound => None,
        Command::CloseRound(round) => Some(text_with("ask-close", &[("round", id(*round))])),
        Command::Restore(version) => Some(text_with("ask-restore", &[("version", id(*version))])),
        Command::RenewCode => Some(text("ask-renew")),
        Command::Revoke(participant) => Some(text_with("ask-revoke", &[("id", participant.into())])),
    }
}

/// The button that restores a version.
pub fn restore_button(version: u64) -> String {
    text_with("desk-restore", &[("version", id(version))])
}

/// The version that is the global model now.
pub fn current() -> String {
    text("desk-current")
}

/// The button that revokes a participant.
pub fn revoke_button(participant: &str) -> String {
    text_with("desk-revoke", &[("id", participant.into())])
}

/// The copy button, before and after it was used.
pub fn copy_button(was_used: bool) -> String {
    text(if was_used { "desk-copied" } else { "desk-copy" })
}

/// The settings are saved.
pub fn saved() -> String {
    text("desk-saved")
}

/// Where a round stands.
pub fn phase(phase: &RoundPhase) -> String {
    match phase {
        RoundPhase::Open => text("phase-open"),
        RoundPhase::Aggregating => text("phase-aggregating"),
        RoundPhase::Evaluating => text("phase-evaluating"),
        RoundPhase::Published { version } => text_with("phase-published", &[("version", id(*version))]),
        RoundPhase::Rejected { reason } => text_with("phase-rejected", &[("reason", rejection(reason).into())]),
        RoundPhase::Abandoned { reason } => abandonment(reason),
        RoundPhase::Unknown => text("phase-unknown"),
    }
}

fn abandonment(reason: &AbandonReason) -> String {
    match reason {
        AbandonReason::TooFewUpdates { found, needed } => {
            text_with("phase-abandoned-few", &[("found", (*found).into()), ("needed", (*needed).into())])
        }
        AbandonReason::TooFewForStrategy { strategy, found, needed } => text_with(
            "phase-abandoned-strategy",
            &[("strategy", strategy.into()), ("found", (*found).into()), ("needed", (*needed).into())],
        ),
        AbandonReason::BaseReplaced => text("phase-abandoned-replaced"),
        AbandonReason::BaseWorse { version, restored, clients, limit } => text_with(
            "phase-abandoned-worse",
            &[
                ("version", id(*version)),
                ("restored", id(*restored)),
                ("clients", (*clients).into()),
                ("limit", (*limit).into()),
            ],
        ),
        AbandonReason::Unspecified => text("phase-abandoned"),
        AbandonReason::Unknown => text("phase-unknown"),
    }
}

fn rejection(reason: &Rejection) -> String {
    match reason {
        Rejection::Layout { .. } => text("rejected-layout"),
        Rejection::NotFinite { .. } => text("rejected-not-finite"),
        Rejection::Norm { found, limit } => {
            text_with("rejected-norm", &[("found", (*found).into()), ("limit", (*limit).into())])
        }
        Rejection::MacroF1 { dataset, before, found, tolerance } => text_with(
            "rejected-macro-f1",
            &[
                ("dataset", dataset.into()),
                ("before", (*before).into()),
                ("found", (*found).into()),
                ("tolerance", (*tolerance).into()),
            ],
        ),
        Rejection::Loss { dataset } => text_with("rejected-loss", &[("dataset", dataset.into())]),
        Rejection::StorageDamaged { .. } => text("rejected-damaged"),
        Rejection::Unspecified => text("rejected-unspecified"),
        Rejection::Unknown => text("rejected-unknown"),
    }
}
