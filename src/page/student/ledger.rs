//! Shows the ledger, newest entry first.

use gloo::utils::document;
use web_sys::Element;

use crate::messages::ledger::{Entry, Ledger, Outcome, SentUpdate};
use crate::page::{dom, l10n, words};

/// Replaces what is shown.
pub fn show(ledger: Ledger) {
    l10n::keep("ledger", move || list(&ledger));
}

fn list(ledger: &Ledger) {
    dom::text("ledger-count", &words::whole(ledger.requests));
    dom::text("ledger-totals", &words::ledger::totals(ledger));
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

fn item(entry: &Entry) -> Element {
    let Entry { method, path, bytes, outcome, .. } = entry;
    let item = dom::element("li", &words::ledger::entry(entry));
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
    if let Some(update) = &entry.payload.update {
        dom::append(&item, &[&tensors(update)]);
    }
    item
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
        let item = dom::element("li", &words::ledger::tensor(name, shape));
        // A name and numbers read from left to right everywhere.
        let _ = item.set_attribute("dir", "ltr");
        dom::append(&list, &[&item]);
    }
    list
}
