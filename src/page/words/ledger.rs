//! The list of everything that left the tab.

use crate::messages::ledger::{Entry, Ledger, Outcome, Payload};

/// The totals over the list.
pub fn totals(ledger: &Ledger) -> String {
    let (requests, bytes) = (ledger.requests, ledger.bytes);
    let shown = ledger.entries.len() as u64;
    let older = if shown < requests { format!(" The newest {shown} are listed.") } else { String::new() };
    match requests {
        0 => "Nothing yet.".to_owned(),
        1 => format!("One request, {bytes} bytes."),
        _ => format!("{requests} requests, {bytes} bytes in all.{older}"),
    }
}

/// An entry; `time` is when it was sent, in the page's language.
pub fn entry(entry: &Entry, time: &str) -> String {
    let Entry { method, path, bytes, .. } = entry;
    format!("{time}: {}; {method} {path}, {bytes} bytes. {}.", payload(&entry.payload), outcome(entry.outcome))
}

fn payload(payload: &Payload) -> String {
    let update = payload.update.as_ref();
    let update =
        update.map(|update| format!("the update for round {} and its count of {} clips", update.round, update.clips));
    let parts =
        [payload.join_code.then(|| "the join code".to_owned()), payload.token.then(|| "the token".to_owned()), update];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn outcome(outcome: Outcome) -> String {
    match outcome {
        Outcome::UnderWay => "No answer yet".to_owned(),
        Outcome::Acknowledged { .. } => "Acknowledged".to_owned(),
        Outcome::Refused { status } => format!("Refused with status {status}"),
        Outcome::NoAnswer => "No answer came: it may have arrived".to_owned(),
        Outcome::Aborted => "Broken off: it may have arrived".to_owned(),
    }
}

/// A tensor in an update.
pub fn tensor(name: &str, shape: &[usize]) -> String {
    let shape: Vec<String> = shape.iter().map(usize::to_string).collect();
    format!("{name}, {}", shape.join(" × "))
}
