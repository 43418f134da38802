//! The list of everything that left the tab.

use super::{id, text, text_with};
use crate::messages::ledger::{Entry, Ledger, Outcome, Payload};
use crate::page::l10n::Value;

/// The totals over the list.
pub fn totals(ledger: &Ledger) -> String {
    let (requests, bytes) = (ledger.requests, ledger.bytes);
    let shown = ledger.entries.len() as u64;
    match requests {
        0 => text("ledger-empty"),
        1 => text_with("ledger-one", &[("bytes", bytes.into())]),
        _ if shown < requests => text_with(
            "ledger-totals-newest",
            &[("requests", requests.into()), ("bytes", bytes.into()), ("shown", shown.into())],
        ),
        _ => text_with("ledger-totals", &[("requests", requests.into()), ("bytes", bytes.into())]),
    }
}

/// An entry.
pub fn entry(entry: &Entry) -> String {
    let Entry { at_ms, method, path, bytes, payload, outcome, .. } = entry;
    text_with(
        "ledger-entry",
        &[
            ("time", Value::Number(*at_ms)),
            ("payload", self::payload(payload).into()),
            ("request", format!("{method} {path}").into()),
            ("bytes", (*bytes).into()),
            ("outcome", self::outcome(*outcome).into()),
        ],
    )
}

fn payload(payload: &Payload) -> String {
    let update = payload.update.as_ref();
    let update =
        update.map(|update| text_with("ledger-update", &[("round", id(update.round)), ("clips", update.clips.into())]));
    let parts =
        [payload.join_code.then(|| text("ledger-join-code")), payload.token.then(|| text("ledger-token")), update];
    parts.into_iter().flatten().collect::<Vec<_>>().join(&text("list-separator"))
}

fn outcome(outcome: Outcome) -> String {
    match outcome {
        Outcome::UnderWay => text("ledger-under-way"),
        Outcome::Acknowledged { .. } => text("ledger-acknowledged"),
        Outcome::Refused { status } => text_with("ledger-refused", &[("status", id(status.into()))]),
        Outcome::NoAnswer => text("ledger-no-answer"),
        Outcome::Aborted => text("ledger-aborted"),
    }
}

/// A tensor in an update: its name and shape, which are the same in every language.
pub fn tensor(name: &str, shape: &[usize]) -> String {
    let shape: Vec<String> = shape.iter().map(usize::to_string).collect();
    format!("{name}, {}", shape.join(" × "))
}
