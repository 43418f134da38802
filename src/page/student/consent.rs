//! Consent comes first: before the student agrees, no model runs and neither camera nor aggregator is used, except that the
//! manifest is fetched for the deployment statement.

use std::rc::Rc;

use gloo::events::EventListener;
use gloo::timers::future::TimeoutFuture;
use gloo::utils::window;
use wasm_bindgen_futures::spawn_local;
use web_sys::{HtmlButtonElement, HtmlElement, HtmlInputElement, HtmlSelectElement};

use super::tab_storage::{SessionChoices, new_tab_id};
use super::{Student, view};
use crate::browser::backoff::Backoff;
use crate::browser::request::Request;
use crate::browser::timeout::SHORT_MS;
use crate::messages::{BackendChoice, ConnectionReport};
use crate::page::{deployment, dom};
use crate::protocol::{Manifest, path};

/// How often who declined asks for the lecture, in milliseconds.
const LECTURE_POLL_MS: u32 = 15_000;

impl Student {
    pub(super) fn wire_consent(self: &Rc<Self>) {
        let code: HtmlInputElement = dom::get("join-code");
        if let Some(given) = dom::fragment("join") {
            code.set_value(&given);
        }
        let backend: HtmlSelectElement = dom::get("backend");
        if let Some(given) = dom::fragment("backend").filter(|given| matches!(given.as_str(), "cpu" | "webgpu")) {
            backend.set_value(&given);
        }
        // The link of another federation was opened in the same tab: a browser does not load a page for a new fragment alone.
        EventListener::new(&window(), "hashchange", |_| {
            let _ = window().location().reload();
        })
        .forget();
        let student = self.clone();
        dom::on_submit("join-form", move || {
            let backend = match backend.value().as_str() {
                "webgpu" => BackendChoice::Webgpu,
                "cpu" => BackendChoice::Cpu,
                _ => BackendChoice::Auto,
            };
            let join_code = code.value().trim().to_uppercase();
            let tab = new_tab_id();
            student.preview.stop();
            dom::show("consent-reason", false);
            student.agree(SessionChoices {
                tab,
                join_code,
                backend,
                contribute: false,
                keep_clips: dom::get::<HtmlInputElement>("keep-clips-consent").checked(),
                share_metrics: false,
                paused: false,
                pause_key: true,
            });
        });
        let student = self.clone();
        dom::on("decline", "click", move |_| {
            student.preview.stop();
            dom::show("problem", false);
            dom::show("consent", false);
            dom::show("declined", true);
            dom::focus("declined-title");
            student.watch_the_lecture();
        });
        let student = self.clone();
        dom::on("reconsider", "click", move |_| {
            student.stage.clear();
            dom::attribute("session", "data-declined", "false");
            dom::show("session", false);
            dom::show("declined", false);
            dom::show("consent", true);
            dom::focus("consent-title");
        });
        spawn_local(async {
            show_deployment(&first_manifest().await);
            dom::get::<HtmlButtonElement>("join").set_disabled(false);
        });
    }

    /// Who declined has the lecture, too: without a camera, without models, and without being known to anybody.
    fn watch_the_lecture(self: &Rc<Self>) {
        dom::attribute("session", "data-declined", "true");
        let turn = self.watching.get() + 1;
        self.watching.set(turn);
        let student = self.clone();
        spawn_local(async move {
            while student.watching.get() == turn && !dom::get::<HtmlElement>("declined").hidden() {
                if let Some(manifest) = read_manifest().await
                    && !dom::get::<HtmlElement>("declined").hidden()
                {
                    student.stage.show(&manifest.lecture);
                    dom::show("session", !manifest.lecture.addresses().is_empty());
                }
                TimeoutFuture::new(LECTURE_POLL_MS).await;
            }
        });
    }

    /// Back to the start, as with a wrong join code.
    pub(super) fn back_to_consent(&self) {
        self.stage.clear();
        self.worker.take();
        self.frames.stop();
        self.camera.stop();
        self.choice.take();
        self.leadership.release();
        SessionChoices::delete();
        for section in ["starting", "session", "elsewhere"] {
            dom::show(section, false);
        }
        dom::show("consent", true);
        dom::focus("join-code");
    }
}

/// The manifest, which may be a while in coming: the page opens from the device's storage, too. Nobody joins without having seen
/// the deployment statement.
async fn first_manifest() -> Manifest {
    let tell = |report| {
        // In a session that goes on, the worker says how things stand.
        if !dom::get::<HtmlElement>("consent").hidden() {
            view::connection(&report);
        }
    };
    let mut backoff = Backoff::default();
    loop {
        if let Some(manifest) = read_manifest().await {
            tell(ConnectionReport { online: true, retry_in_ms: None });
            return manifest;
        }
        let delay_ms = backoff.next_ms(js_sys::Math::random(), None);
        tell(ConnectionReport { online: false, retry_in_ms: Some(delay_ms) });
        TimeoutFuture::new(u32::try_from(delay_ms).unwrap_or(u32::MAX)).await;
    }
}

async fn read_manifest() -> Option<Manifest> {
    Request::get(path::MANIFEST, SHORT_MS).send().await.ok()?.accept().await.ok()?.json().await.ok()
}

fn show_deployment(manifest: &Manifest) {
    dom::text("federation-name", &manifest.name);
    dom::show("few-contributors", manifest.few_contributors);
    let Some(statement) = &manifest.deployment else { return };
    deployment::show("deployment-facts", statement);
    dom::show("deployment", true);
}
