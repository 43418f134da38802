//! The tables of models, rounds and participants.

use wasm_bindgen::JsCast as _;
use web_sys::{Element, Event};

use crate::page::dom;
use crate::page::words::{self as common, desk as words, instructor, model as model_words};
use crate::protocol::{ModelVersion, ParticipantSummary, RoundSummary};

/// Maximum number of rounds in the list.
const ROUNDS_SHOWN: usize = 20;

/// Shows the models, newest first.
pub fn models(models: &[ModelVersion]) {
    let current = models.first().map(|model| model.version);
    fill("models", &models.iter().map(|model| model_row(model, current)).collect::<Vec<_>>());
}

fn model_row(model: &ModelVersion, current: Option<u64>) -> Element {
    let parent = model.parent.map_or_else(common::no_value, |parent| parent.to_string());
    let row = row(&[
        &model.version.to_string(),
        &parent,
        &words::origin(model),
        &common::whole(model.num_clients),
        &model_words::clips(model),
        &model_words::held_out(model),
        &words::loss(model),
        &common::time(model.published_at_s),
    ]);
    let is_current = current == Some(model.version);
    let action = dom::element("td", &if is_current { instructor::current() } else { String::new() });
    if !is_current {
        let label = instructor::restore_button(model.version);
        dom::append(&action, &[&row_button(&label, "data-version", &model.version.to_string())]);
    }
    dom::append(&row, &[&action]);
    row
}

/// Shows the rounds, newest first.
pub fn rounds(rounds: &[RoundSummary]) {
    let rows: Vec<Element> = rounds
        .iter()
        .take(ROUNDS_SHOWN)
        .map(|round| {
            let (id, base) = (round.id.to_string(), round.base_version.to_string());
            let (received, opened) = (common::whole(round.received), common::time(round.opened_at_s));
            row(&[&id, &base, &received, &opened, &instructor::phase(&round.phase)])
        })
        .collect();
    fill("rounds", &rows);
}

/// Whether the list of participants is open.
pub fn participants_are_shown() -> bool {
    dom::get::<Element>("participants-list").has_attribute("open")
}

/// Shows the participants.
pub fn participants(participants: &[ParticipantSummary]) {
    let rows: Vec<Element> = participants
        .iter()
        .map(|participant| {
            let joined = participant.joined_at_s.map_or_else(common::no_value, common::time);
            let row = row(&[&participant.id, &joined]);
            let action = dom::element("td", "");
            let label = instructor::revoke_button(&participant.id);
            dom::append(&action, &[&row_button(&label, "data-participant", &participant.id)]);
            dom::append(&row, &[&action]);
            row
        })
        .collect();
    fill("participants-rows", &rows);
}

/// A button in a table's row, with an attribute that says which row it is.
fn row_button(text: &str, attribute: &str, value: &str) -> Element {
    let button = dom::element("button", text);
    for (name, value) in [("type", "button"), ("class", "compact"), (attribute, value)] {
        // The names are constants that are allowed.
        let _ = button.set_attribute(name, value);
    }
    button
}

fn row(cells: &[&str]) -> Element {
    let row = dom::element("tr", "");
    for cell in cells {
        dom::append(&row, &[&dom::element("td", cell)]);
    }
    row
}

/// Replaces the children of the element with this id, unless they are the same: a button that has the focus keeps it.
pub fn fill(id: &str, children: &[Element]) {
    let body: Element = dom::get(id);
    let html: String = children.iter().map(Element::outer_html).collect();
    if body.inner_html() != html {
        body.set_text_content(None);
        dom::append(&body, &children.iter().collect::<Vec<_>>());
    }
}

/// The version whose button was clicked.
pub fn version_to_restore(event: &Event) -> Option<u64> {
    clicked(event, "data-version")?.parse().ok()
}

/// The participant whose button was clicked.
pub fn participant_to_revoke(event: &Event) -> Option<String> {
    clicked(event, "data-participant")
}

fn clicked(event: &Event, attribute: &str) -> Option<String> {
    event.target()?.dyn_into::<Element>().ok()?.get_attribute(attribute)
}
