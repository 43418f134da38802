//! The link for students, its QR code, the view for the whole class, and the statement that students see.

use gloo::timers::callback::Timeout;
use gloo::utils::{document, document_element, window};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{Element, HtmlDialogElement, HtmlInputElement};

use super::qr;
use crate::page::words::{self as common, desk as words, instructor};
use crate::page::{deployment, dom, svg};
use crate::protocol::{Deployment, FederationStatus};

/// Wires up the buttons.
pub fn wire() {
    dom::on("copy-link", "click", |_| {
        spawn_local(async {
            let link = dom::get::<HtmlInputElement>("student-link");
            let copied = JsFuture::from(window().navigator().clipboard().write_text(&link.value())).await.is_ok();
            if copied {
                dom::say("copy-link", || instructor::copy_button(true));
                Timeout::new(2_000, || dom::say("copy-link", || instructor::copy_button(false))).forget();
            } else {
                link.select();
            }
        });
    });
    dom::on("show-class", "click", |_| {
        // A dialog that is open already needs no opening; where the browser refuses the full screen, the window is filled.
        let _ = dom::get::<HtmlDialogElement>("class-view").show_modal();
        dom::full_screen(&document_element());
    });
    dom::on("class-view", "close", |_| {
        if document().fullscreen_element().is_some() {
            document().exit_fullscreen();
        }
    });
}

/// Shows the invitation.
pub fn show(status: &FederationStatus, link: &str) {
    dom::text("join-code", &status.join_code);
    let end = status.join_code_expires_at_s.map(instructor::joining_ends);
    dom::text("join-code-end", &end.unwrap_or_default());
    dom::get::<HtmlInputElement>("student-link").set_value(link);
    dom::text("class-title", &status.name);
    dom::text("class-code", &status.join_code);
    dom::text("class-address", link);
    dom::text("class-connected", &common::whole(status.connected));
    for id in ["qr", "class-qr"] {
        show_code(id, link);
    }
}

/// Draws the QR code, unless it is drawn: dark modules on a light ground in every appearance, since scanners expect that.
fn show_code(id: &str, link: &str) {
    let place: Element = dom::get(id);
    let label = words::qr_code(link);
    if let Ok(Some(drawn)) = place.query_selector("svg")
        && place.get_attribute("data-link").as_deref() == Some(link)
    {
        // The language may have changed.
        let _ = drawn.set_attribute("aria-label", &label);
        return;
    }
    place.set_text_content(None);
    let Some(image) = qr::image(link) else { return };
    let size = image.size.to_string();
    let view = format!("0 0 {size} {size}");
    let drawn = svg::element(
        "svg",
        &[("viewBox", &view), ("role", "img"), ("aria-label", &label), ("shape-rendering", "crispEdges")],
    );
    let ground = svg::element("rect", &[("width", &size), ("height", &size), ("fill", "#fff")]);
    dom::append(&drawn, &[&ground, &svg::element("path", &[("d", &image.path), ("fill", "#000")])]);
    dom::append(&place, &[&drawn]);
    // The name is a constant, and valid.
    let _ = place.set_attribute("data-link", link);
}

/// Shows the deployment statement, or what to write where there is none.
pub fn statement(deployment: Option<&Deployment>) {
    dom::show("statement-missing", deployment.is_none());
    if let Some(deployment) = deployment {
        deployment::show("statement-facts", deployment);
    }
}
