//! Consent comes first: nothing runs, and nothing is asked of the camera or the aggregator, before the student agrees. Only the
//! deployment statement is fetched, to be read.

use std::rc::Rc;

use gloo::events::EventListener;
use gloo::utils::window;
use wasm_bindgen_futures::spawn_local;
use web_sys::{Element, HtmlButtonElement, HtmlInputElement, HtmlSelectElement};

use super::Student;
use super::remember::{Remembered, new_tab};
use crate::page::dom;
use crate::protocol::{Manifest, path};
use crate::tab::limit::SHORT_MS;
use crate::tab::message::EngineChoice;
use crate::tab::request::Call;

impl Student {
    pub(super) fn wire_consent(self: &Rc<Self>) {
        let code: HtmlInputElement = dom::get("join-code");
        if let Some(given) = dom::fragment("join") {
            code.set_value(&given);
        }
        let engine: HtmlSelectElement = dom::get("engine");
        if let Some(given) = dom::fragment("engine").filter(|given| matches!(given.as_str(), "cpu" | "webgpu")) {
            engine.set_value(&given);
        }
        // The link of another class, opened in the same tab: a browser loads nothing for a new fragment alone.
        EventListener::new(&window(), "hashchange", |_| {
            let _ = window().location().reload();
        })
        .forget();
        let student = self.clone();
        dom::on_submit("join-form", move || {
            let engine = match engine.value().as_str() {
                "webgpu" => EngineChoice::Webgpu,
                "cpu" => EngineChoice::Cpu,
                _ => EngineChoice::Auto,
            };
            let join_code = code.value().trim().to_uppercase();
            let tab = new_tab();
            student.agree(Remembered { tab, join_code, engine, contribute: false, paused: false, pause_key: true });
        });
        dom::on("decline", "click", |_| {
            dom::show("problem", false);
            dom::show("consent", false);
            dom::show("declined", true);
            dom::focus("declined-title");
        });
        dom::on("reconsider", "click", |_| {
            dom::show("declined", false);
            dom::show("consent", true);
            dom::focus("consent-title");
        });
        dom::get::<HtmlButtonElement>("join").set_disabled(false);
        spawn_local(async {
            if let Some(manifest) = read_manifest().await {
                show_deployment(&manifest);
            }
        });
    }

    /// Back to the start, as with a wrong join code.
    pub(super) fn back_to_consent(&self) {
        self.worker.take();
        self.frames.stop();
        self.camera.stop();
        self.choice.take();
        self.lead.release();
        Remembered::forget();
        for section in ["starting", "classroom", "elsewhere"] {
            dom::show(section, false);
        }
        dom::show("consent", true);
        dom::focus("join-code");
    }
}

async fn read_manifest() -> Option<Manifest> {
    Call::get(path::MANIFEST, SHORT_MS).send().await.ok()?.accept().await.ok()?.json().await.ok()
}

fn show_deployment(manifest: &Manifest) {
    dom::text("class-name", &manifest.name);
    dom::show("few-contributors", manifest.few_contributors);
    let Some(statement) = &manifest.deployment else { return };
    let facts: Element = dom::get("deployment-facts");
    facts.set_text_content(None);
    dom::fact(&facts, "Purpose", &statement.purpose);
    dom::fact(&facts, "Jurisdiction", &statement.jurisdiction);
    dom::fact(&facts, "Legal basis", &statement.legal_basis);
    dom::fact(&facts, "Contact", &statement.contact);
    dom::show("deployment", true);
}
