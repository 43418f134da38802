//! Shows the ledger, newest entry first.

use gloo::events::EventListener;
use gloo::utils::document;
use wasm_bindgen::JsCast as _;
use wasm_bindgen_futures::spawn_local;
use web_sys::{Element, HtmlElement};

use crate::browser::storage::Storage;
use crate::messages::device;
use crate::messages::ledger::{Entry, Ledger, Outcome, SentUpdate};
use crate::page::{dom, download, l10n, words};

/// Replaces what is shown.
pub fn show(ledger: Ledger) {
    l10n::keep("ledger", move || list(&ledger));
}

fn list(ledger: &Ledger) {
    dom::text("ledger-count", &words::whole(ledger.requests));
    dom::text("ledger-totals", &words::ledger::totals(ledger));
    let list: Element = dom::get("ledger-list");
    let open = open_entries(&list);
    list.set_text_content(None);
    dom::attribute("ledger-list", "start", &ledger.requests.to_string());
    let items = document().create_document_fragment();
    for entry in ledger.entries.iter().rev() {
        // A fragment takes children.
        let _ = items.append_child(&item(entry, open.contains(&entry.id.to_string())));
    }
    let _ = list.append_child(&items);
}

/// Ids of the entries that the student looks into: they stay open when the list is made anew.
fn open_entries(list: &Element) -> Vec<String> {
    let Ok(open) = list.query_selector_all("details[open]") else { return Vec::new() };
    let open = (0..open.length()).filter_map(|index| open.item(index)?.dyn_into::<Element>().ok());
    open.filter_map(|details| details.get_attribute("data-id")).collect()
}

fn item(entry: &Entry, is_open: bool) -> Element {
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
        dom::append(&item, &[&details(entry.id, update, is_open)]);
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

/// What was in an update, made when the student looks into it for the first time.
fn details(id: u64, update: &SentUpdate, is_open: bool) -> Element {
    let details = dom::element("details", "");
    // The names are constants, and valid.
    let _ = details.set_attribute("data-id", &id.to_string());
    dom::append(&details, &[&dom::message("summary", words::ledger::LOOK_INSIDE)]);
    if is_open {
        let _ = details.set_attribute("open", "");
        dom::append(&details, &[&inside(id, update)]);
        return details;
    }
    let (update, parent) = (update.clone(), details.clone());
    EventListener::once(&details, "toggle", move |_| dom::append(&parent, &[&inside(id, &update)])).forget();
    details
}

/// The tensors of an update, and the whole of it to download.
fn inside(id: u64, update: &SentUpdate) -> Element {
    let inside = dom::element("div", "");
    let list = dom::element("ul", "");
    if let Some(metrics) = &update.metrics {
        dom::append(&list, &[&dom::element("li", &words::ledger::metrics(metrics))]);
    }
    for tensor in &update.tensors {
        let item = dom::element("li", &words::ledger::tensor(tensor));
        // A name and numbers read from left to right everywhere.
        let _ = item.set_attribute("dir", "ltr");
        dom::append(&item, &[&histogram(&tensor.figures.histogram)]);
        dom::append(&list, &[&item]);
    }
    let download = dom::message("button", words::ledger::DOWNLOAD);
    download.set_class_name("compact");
    let _ = download.set_attribute("type", "button");
    let button = download.clone();
    let name = format!("emofed-update-round-{}.safetensors", update.round);
    EventListener::new(&download, "click", move |_| {
        let (button, name) = (button.clone(), name.clone());
        spawn_local(async move {
            match Storage::open().await.get(&device::sent_update(id)).await {
                Some(body) => download::save(&name, &body),
                None => button.set_text_content(Some(&words::ledger::not_kept())),
            }
        });
    })
    .forget();
    dom::append(&inside, &[&list, &download]);
    inside
}

fn histogram(counts: &[u32]) -> Element {
    let most = counts.iter().copied().max().unwrap_or_default().max(1);
    let histogram = dom::element("div", "");
    histogram.set_class_name("histogram");
    for (name, value) in [("role", "img"), ("data-l10n-id", words::ledger::HISTOGRAM)] {
        let _ = histogram.set_attribute(name, value);
    }
    for count in counts {
        let bar = dom::element("i", "");
        let bar: &HtmlElement = bar.unchecked_ref();
        // A fixed property and a number.
        let _ = bar.style().set_property("height", &format!("{:.1}%", 100.0 * f64::from(*count) / f64::from(most)));
        dom::append(&histogram, &[bar]);
    }
    dom::localise_attributes(&histogram);
    histogram
}
