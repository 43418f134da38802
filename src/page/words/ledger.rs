//! The list of everything that left the tab.

use super::{id, text, text_with};
use crate::messages::ledger::{Entry, Ledger, Outcome, Payload, SentTensor, TensorFigures};
use crate::page::l10n::Value;
use crate::protocol::ClientMetrics;

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
    let update = update.map(|update| {
        let message = if update.metrics.is_some() { "ledger-update-metrics" } else { "ledger-update" };
        text_with(message, &[("round", id(update.round)), ("clips", update.clips.into())])
    });
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

/// The message above what was in an update.
pub const LOOK_INSIDE: &str = "ledger-look-inside";
/// The message of the button that gives the student an update as it was sent.
pub const DOWNLOAD: &str = "ledger-download";
/// The message of a tensor's histogram.
pub const HISTOGRAM: &str = "ledger-histogram";

/// An update that is not kept any more.
pub fn not_kept() -> String {
    text("ledger-no-body")
}

/// A tensor in an update: its name and shape, which are the same in every language, and figures of its values.
pub fn tensor(SentTensor { name, shape, figures }: &SentTensor) -> String {
    let shape = shape.iter().map(usize::to_string).collect::<Vec<_>>().join(" × ");
    let TensorFigures { norm, largest, .. } = *figures;
    text_with(
        "ledger-tensor-figures",
        &[("name", name.into()), ("shape", shape.into()), ("norm", norm.into()), ("largest", largest.into())],
    )
}

/// The client metrics that went with an update.
pub fn metrics(metrics: &ClientMetrics) -> String {
    let ClientMetrics { acceptance_rate, class_balance, loss_change } = *metrics;
    let (accepted, balance) = (acceptance_rate.into(), class_balance.into());
    match loss_change {
        Some(change) => text_with(
            "ledger-metrics-change",
            &[("accepted", accepted), ("balance", balance), ("change", change.into())],
        ),
        None => text_with("ledger-metrics", &[("accepted", accepted), ("balance", balance)]),
    }
}
