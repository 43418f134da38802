//! Shows the status, and reads the settings form.

use wasm_bindgen::JsCast as _;
use web_sys::{Element, Event, HtmlButtonElement, HtmlElement, HtmlInputElement, HtmlProgressElement};

use crate::page::words::{self as common, instructor as words, model as model_words};
use crate::page::{dom, status};
use crate::protocol::{FederationStatus, MINIMUM_CONTRIBUTORS, ModelVersion, ParticipantSummary, RoundSettings};

/// Maximum number of rounds in the list.
const ROUNDS_SHOWN: usize = 20;

/// Shows everything that changes by itself.
pub fn status(status: &FederationStatus, student_link: &str) {
    dom::text("federation-name", &words::heading(&status.name));
    dom::text("join-code", &status.join_code);
    let end = status.join_code_expires_at_s.map(words::joining_ends);
    dom::text("join-code-end", &end.unwrap_or_default());
    dom::get::<HtmlInputElement>("student-link").set_value(student_link);
    dom::show("few-contributors", status.few_contributors);
    let fewest = if status.few_contributors { 1 } else { MINIMUM_CONTRIBUTORS };
    dom::get::<HtmlInputElement>("minimum-clients").set_min(&fewest.to_string());
    dom::text("connected", &common::whole(status.connected));
    dom::text("participants", &common::whole(status.participants));
    let progress: HtmlProgressElement = dom::get("round-progress");
    progress.set_hidden(status.round.is_none());
    match &status.round {
        Some(round) => {
            dom::attribute("round", "data-round", &round.id.to_string());
            progress.set_max(f64::from(round.minimum_clients));
            progress.set_value(f64::from(round.received));
        }
        None => {
            // An element that does not have the attribute has nothing to remove.
            let _ = dom::get::<Element>("round").remove_attribute("data-round");
        }
    }
    let round = status.round.clone();
    status::show("round", move || words::round(round.as_ref()));
    dom::get::<HtmlButtonElement>("open-round").set_disabled(status.round.is_some());
    // The aggregator refuses to publish what so few contributed; a round without any update may end.
    let too_few = status.round.as_ref().is_none_or(|round| (1..fewest).contains(&round.received));
    dom::get::<HtmlButtonElement>("close-round").set_disabled(too_few);

    let current = status.models.first().map(|model| model.version);
    let models: Vec<Element> = status.models.iter().map(|model| model_row(model, current)).collect();
    fill("models", &models);
    let rounds: Vec<Element> = status
        .rounds
        .iter()
        .take(ROUNDS_SHOWN)
        .map(|round| {
            let (id, base) = (round.id.to_string(), round.base_version.to_string());
            let (received, opened) = (common::whole(round.received), common::time(round.opened_at_s));
            row(&[&id, &base, &received, &opened, &words::phase(&round.phase)])
        })
        .collect();
    fill("rounds", &rounds);
}

fn model_row(model: &ModelVersion, current: Option<u64>) -> Element {
    let parent = model.parent.map_or_else(common::no_value, |parent| parent.to_string());
    let row = row(&[
        &model.version.to_string(),
        &parent,
        &model_words::origin(model),
        &common::whole(model.num_clients),
        &model_words::clips(model),
        &model_words::held_out(model),
        &common::time(model.published_at_s),
    ]);
    let action = dom::element("td", &if current == Some(model.version) { words::current() } else { String::new() });
    if current != Some(model.version) {
        let button = row_button(&words::restore_button(model.version), "data-version", &model.version.to_string());
        dom::append(&action, &[&button]);
    }
    dom::append(&row, &[&action]);
    row
}

/// A button in a table's row, with an attribute that says which row it is.
fn row_button(text: &str, attribute: &str, value: &str) -> Element {
    let button = dom::element("button", text);
    for (name, value) in [("type", "button"), (attribute, value)] {
        // The names are constants that are allowed.
        let _ = button.set_attribute(name, value);
    }
    button
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
            let label = words::revoke_button(&participant.id);
            dom::append(&action, &[&row_button(&label, "data-participant", &participant.id)]);
            dom::append(&row, &[&action]);
            row
        })
        .collect();
    fill("participants-rows", &rows);
}

fn row(cells: &[&str]) -> Element {
    let row = dom::element("tr", "");
    for cell in cells {
        dom::append(&row, &[&dom::element("td", cell)]);
    }
    row
}

/// Replaces a table's rows, unless they are the same: a button that has the focus keeps it.
fn fill(id: &str, rows: &[Element]) {
    let body: Element = dom::get(id);
    let html: String = rows.iter().map(Element::outer_html).collect();
    if body.inner_html() != html {
        body.set_text_content(None);
        dom::append(&body, &rows.iter().collect::<Vec<_>>());
    }
}

/// The round that is shown as open.
pub fn open_round() -> Option<u64> {
    dom::get::<HtmlElement>("round").get_attribute("data-round")?.parse().ok()
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

/// Fills the form.
pub fn settings(settings: &RoundSettings) {
    dom::get::<HtmlInputElement>("minimum-clients").set_value(&settings.minimum_clients.to_string());
    dom::get::<HtmlInputElement>("duration").set_value(&settings.duration_s.div_ceil(60).to_string());
    dom::get::<HtmlInputElement>("continuous").set_checked(settings.continuous);
}

/// What the form says.
pub fn wanted_settings() -> Option<RoundSettings> {
    let number = |id: &str| dom::get::<HtmlInputElement>(id).value().parse::<u64>().ok();
    Some(RoundSettings {
        minimum_clients: u32::try_from(number("minimum-clients")?).ok()?,
        duration_s: number("duration")?.checked_mul(60)?,
        continuous: dom::get::<HtmlInputElement>("continuous").checked(),
    })
}
