//! Shows everything that left this tab, newest first.

use gloo::utils::document;
use js_sys::Date;
use wasm_bindgen::JsValue;
use web_sys::Element;

use crate::page::dom;
use crate::tab::ledger::{Carried, Entry, Ledger, Outcome, SentUpdate};

/// Shows it in place of what was shown.
pub fn show(ledger: &Ledger) {
    dom::text("ledger-count", &ledger.requests.to_string());
    dom::text("ledger-totals", &totals(ledger));
    let list: Element = dom::get("ledger-list");
    list.set_text_content(None);
    dom::attribute("ledger-list", "start", &ledger.requests.to_string());
    let items = document().create_document_fragment();
    for entry in ledger.entries.iter().rev() {
        // A fragment takes children.
        let _ = items.append_child(&item(entry));
    }
    let _ = list.append_child(&items);
}

fn totals(ledger: &Ledger) -> String {
    let (requests, bytes) = (ledger.requests, ledger.bytes);
    let shown = ledger.entries.len() as u64;
    let older = if shown < requests { format!(" The newest {shown} are listed.") } else { String::new() };
    match requests {
        0 => "Nothing yet.".to_owned(),
        1 => format!("One request, {bytes} bytes."),
        _ => format!("{requests} requests, {bytes} bytes in all.{older}"),
    }
}

fn item(entry: &Entry) -> Element {
    let time = Date::new(&entry.at_ms.into()).to_locale_string("default", &JsValue::UNDEFINED);
    let Entry { method, path, bytes, outcome, .. } = entry;
    let words = format!("{time}: {}; {method} {path}, {bytes} bytes. {}.", content(&entry.carried), fate(*outcome));
    let item = dom::element("li", &words);
    let (name, status) = facts(*outcome);
    for (key, value) in
        [("method", method), ("path", path), ("bytes", &bytes.to_string()), ("outcome", &name.to_owned())]
    {
        // The names are constants, and valid.
        let _ = item.set_attribute(&format!("data-{key}"), value);
    }
    if let Some(status) = status {
        let _ = item.set_attribute("data-status", &status.to_string());
    }
    if let Some(update) = &entry.carried.update {
        dom::append(&item, &[&tensors(update)]);
    }
    item
}

fn content(carried: &Carried) -> String {
    let update = carried
        .update
        .as_ref()
        .map(|update| format!("the update for round {} and its count of {} clips", update.round, update.clips));
    let parts: Vec<String> =
        [carried.join_code.then(|| "the join code".to_owned()), carried.token.then(|| "the token".to_owned()), update]
            .into_iter()
            .flatten()
            .collect();
    parts.join(", ")
}

fn fate(outcome: Outcome) -> String {
    match outcome {
        Outcome::UnderWay => "No answer yet".to_owned(),
        Outcome::Acknowledged { .. } => "Acknowledged".to_owned(),
        Outcome::Refused { status } => format!("Refused with status {status}"),
        Outcome::NoAnswer => "No answer came: it may have arrived".to_owned(),
        Outcome::Aborted => "Broken off: it may have arrived".to_owned(),
    }
}

fn facts(outcome: Outcome) -> (&'static str, Option<u16>) {
    match outcome {
        Outcome::UnderWay => ("under-way", None),
        Outcome::Acknowledged { status } => ("acknowledged", Some(status)),
        Outcome::Refused { status } => ("refused", Some(status)),
        Outcome::NoAnswer => ("no-answer", None),
        Outcome::Aborted => ("aborted", None),
    }
}

fn tensors(update: &SentUpdate) -> Element {
    let list = dom::element("ul", "");
    for (name, shape) in &update.tensors {
        let shape: Vec<String> = shape.iter().map(usize::to_string).collect();
        dom::append(&list, &[&dom::element("li", &format!("{name}, {}", shape.join(" × ")))]);
    }
    list
}
