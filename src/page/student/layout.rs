//! The tile, the panel and the page's appearance. Nothing here moves the stage.

use std::rc::Rc;

use gloo::events::EventListener;
use gloo::utils::{body, document, document_element, window};
use wasm_bindgen::JsCast as _;
use web_sys::{Element, HtmlSelectElement, KeyboardEvent};

use super::Student;
use crate::page::dom;
use crate::page::words::stage as words;

/// In the tab's session storage: whether the panel is open, and whether the tile is folded.
const PANEL: &str = "emofed.panel";
const TILE: &str = "emofed.tile";
/// In the browser's local storage: there was a session before, so that the panel is closed at first.
const VISITED: &str = "emofed.visited";
/// In the browser's local storage, also read by start.js before anything is shown.
const THEME: &str = "emofed.theme";

const OPEN: &str = "open";
const CLOSED: &str = "closed";

/// Whether the page is shown in a frame of a course's page: the tile and the panel alone (`?embed`).
pub fn is_embedded() -> bool {
    let query = window().location().search().unwrap_or_default();
    web_sys::UrlSearchParams::new_with_str(&query).is_ok_and(|parameters| parameters.has("embed"))
}

/// Deletes what this module has stored, as with *Forget me*.
pub fn forget() {
    for (storage, keys) in [(dom::local_storage(), [VISITED, THEME]), (dom::session_storage(), [PANEL, TILE])] {
        let Some(storage) = storage else { continue };
        for key in keys {
            // A browser that refuses has stored nothing.
            let _ = storage.remove_item(key);
        }
    }
}

impl Student {
    pub(super) fn wire_layout(self: &Rc<Self>) {
        if is_embedded() {
            // The name is a constant, and valid.
            let _ = body().set_attribute("data-embedded", "");
        }
        for button in ["panel-toggle", "panel-close"] {
            dom::on(button, "click", |_| {
                let open = dom::get::<web_sys::HtmlElement>("panel").hidden();
                remember(PANEL, if open { OPEN } else { CLOSED });
                show_panel(open);
                dom::focus(if open { "panel-title" } else { "panel-toggle" });
            });
        }
        EventListener::new(&dom::get::<Element>("panel"), "keydown", |event| {
            if event.dyn_ref::<KeyboardEvent>().is_some_and(|event| event.key() == "Escape") {
                remember(PANEL, CLOSED);
                show_panel(false);
                dom::focus("panel-toggle");
            }
        })
        .forget();
        dom::on("fold", "click", |_| {
            let is_folded = dom::get::<Element>("tile").get_attribute("data-folded").as_deref() != Some("true");
            remember(TILE, if is_folded { CLOSED } else { OPEN });
            fold(is_folded);
        });
        let theme: HtmlSelectElement = dom::get("theme");
        theme.set_value(&dom::local_storage().and_then(|storage| storage.get_item(THEME).ok()?).unwrap_or_default());
        dom::on("theme", "change", |_| {
            let theme = dom::get::<HtmlSelectElement>("theme").value();
            // The names are constants, and valid.
            let _ = match theme.as_str() {
                "" => document_element().remove_attribute("data-theme"),
                theme => document_element().set_attribute("data-theme", theme),
            };
            if let Some(storage) = dom::local_storage() {
                // Where the browser refuses, the choice ends with the page.
                let _ = storage.set_item(THEME, &theme);
            }
        });
        let student = self.clone();
        dom::on("frame-rate", "change", move |_| student.pace());
    }

    /// Lays the session out as this tab had it. At the very first visit the panel is open.
    pub(super) fn show_layout(&self) {
        let visited = dom::local_storage().and_then(|storage| storage.get_item(VISITED).ok()?).is_some();
        if let Some(storage) = dom::local_storage() {
            let _ = storage.set_item(VISITED, "yes");
        }
        let panel = recall(PANEL).unwrap_or_else(|| if visited { CLOSED } else { OPEN }.to_owned());
        remember(PANEL, &panel);
        show_panel(panel == OPEN);
        fold(recall(TILE).as_deref() == Some(CLOSED));
    }

    /// Sets the shortest time between two frames: what the manifest says, or the student if that is longer.
    pub(super) fn pace(&self) {
        let wanted: Option<f64> = dom::get::<HtmlSelectElement>("frame-rate").value().parse().ok();
        let asked = self.view.borrow().max_frames_per_second().unwrap_or(f64::INFINITY);
        let frames_per_second = wanted.map_or(asked, |wanted| wanted.min(asked));
        self.frames.pace(1_000.0 / frames_per_second.max(0.1));
    }
}

fn show_panel(open: bool) {
    dom::show("panel", open);
    dom::attribute("panel-toggle", "aria-expanded", if open { "true" } else { "false" });
}

fn fold(is_folded: bool) {
    dom::attribute("tile", "data-folded", if is_folded { "true" } else { "false" });
    dom::attribute("fold", "aria-expanded", if is_folded { "false" } else { "true" });
    dom::say("fold", move || words::fold_button(is_folded));
}

fn recall(key: &str) -> Option<String> {
    dom::session_storage()?.get_item(key).ok()?
}

fn remember(key: &str, value: &str) {
    if let Some(storage) = dom::session_storage() {
        // Where the browser refuses, a reload shows it as at first.
        let _ = storage.set_item(key, value);
    }
}

/// Whether the document, `html`, reads from the right.
pub fn reads_from_the_right() -> bool {
    document().document_element().is_some_and(|html| html.get_attribute("dir").as_deref() == Some("rtl"))
}
