//! The page's state, and what its buttons do.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use gloo::events::EventListener;
use gloo::timers::callback::{Interval, Timeout};
use gloo::utils::{document, document_element, window};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;
use web_sys::{HtmlDialogElement, HtmlInputElement, VisibilityState};

use super::api::Api;
use super::command::Command;
use super::log::{Log, LogEvent};
use super::versions::Versions;
use super::{invitation, report, round, settings, stage, tables};
use crate::browser::event_stream::EventStream;
use crate::browser::js;
use crate::browser::request::RequestError;
use crate::page::words::{self as common, desk as desk_words, instructor as words};
use crate::page::{dom, download, l10n, status};
use crate::protocol::{
    Deployment, Event, FederationStatus, Lecture, MINIMUM_CONTRIBUTORS, Role, RoundSettings, instructor_path,
};

const KEY: &str = "emofed.instructor-token";
/// How often the status is fetched, in case events do not get through, in milliseconds.
const POLL_MS: u32 = 5_000;

/// Wires up the page.
pub fn run() {
    dom::wire_problem();
    dom::on_submit("sign-in-form", || {
        let token = dom::get::<HtmlInputElement>("token").value();
        sign_in(token.trim().to_owned());
    });
    match token_in_address().or_else(remembered_token) {
        Some(token) => sign_in(token),
        None => dom::show("sign-in", true),
    }
}

/// The token of the link, which is taken out of the address bar and the history.
fn token_in_address() -> Option<String> {
    let location = window().location();
    let token = location.hash().ok()?.strip_prefix("#token=")?.to_owned();
    let path = location.pathname().ok()?;
    let _ = window().history().ok()?.replace_state_with_url(&JsValue::NULL, "", Some(&path));
    Some(token)
}

/// Subscribes to events while the page is visible: a browser limits the connections of all its tabs together.
fn subscribe_while_visible(on_event: impl Fn(Event) + Clone + 'static) {
    let subscribe = move || {
        (document().visibility_state() != VisibilityState::Hidden).then(|| EventStream::observe(on_event.clone()))
    };
    let mut events = subscribe();
    EventListener::new(&document(), "visibilitychange", move |_| {
        // The open stream is closed first.
        events.take();
        events = subscribe();
    })
    .forget();
}

fn remembered_token() -> Option<String> {
    dom::session_storage()?.get_item(&js::of_federation(KEY)).ok()?
}

fn sign_in(token: String) {
    let desk = Rc::new(Desk::new(token.clone()));
    spawn_local(async move {
        match desk.api.status().await {
            Ok(status) => {
                if let Some(storage) = dom::session_storage() {
                    // Where the browser refuses, the token is asked for again after a reload.
                    let _ = storage.set_item(&js::of_federation(KEY), &token);
                }
                dom::show("problem", false);
                dom::show("sign-in", false);
                dom::show("desk", true);
                settings::fill(&status.settings);
                stage::fill(&status.lecture.current);
                desk.show(status);
                desk.wire();
            }
            Err(error) => {
                dom::show("sign-in", true);
                dom::problem(move || words::failed(&error));
            }
        }
    });
}

/// The page after signing in.
struct Desk {
    api: Api,
    versions: Rc<Versions>,
    /// The newest status.
    status: RefCell<Option<Rc<FederationStatus>>>,
    /// The statement that students see; absent before the manifest is read, and where there is none.
    deployment: RefCell<Option<Deployment>>,
    log: RefCell<Log>,
    /// The manifest has been read: the statement does not change while the aggregator runs.
    is_manifest_read: Cell<bool>,
}

impl Desk {
    fn new(token: String) -> Self {
        Self {
            api: Api::new(token),
            versions: Rc::default(),
            status: RefCell::default(),
            deployment: RefCell::default(),
            log: RefCell::default(),
            is_manifest_read: Cell::default(),
        }
    }

    fn wire(self: &Rc<Self>) {
        round::wire();
        invitation::wire();
        stage::wire();
        self.versions.wire();
        let desk = self.clone();
        let refresh = move || {
            let desk = desk.clone();
            spawn_local(async move { desk.refresh().await });
        };
        Interval::new(POLL_MS, refresh.clone()).forget();
        let desk = self.clone();
        spawn_local(async move { desk.read_statement().await });
        let (desk, refresh_after) = (self.clone(), refresh.clone());
        subscribe_while_visible(move |event| {
            desk.note_event(&event);
            refresh_after();
        });
        dom::on("participants-list", "toggle", move |_| refresh());
        self.on_click("open-round", |_, _| Some(Command::OpenRound));
        self.on_click("close-round", |_, _| round::open_round().map(Command::CloseRound));
        self.on_click("models", |_, event| tables::version_to_restore(event).map(Command::Restore));
        self.on_click("restore-version", |desk, _| desk.versions.chosen().map(Command::Restore));
        self.on_click("renew-code", |_, _| Some(Command::RenewCode));
        self.on_click("participants-rows", |_, event| tables::participant_to_revoke(event).map(Command::Revoke));
        let desk = self.clone();
        dom::on_submit("settings-form", move || {
            if let Some(settings) = settings::wanted() {
                let desk = desk.clone();
                spawn_local(async move { desk.save(settings).await });
            }
        });
        let desk = self.clone();
        dom::on_submit("stage-form", move || {
            if let Some(lecture) = stage::wanted() {
                let desk = desk.clone();
                spawn_local(async move { desk.put_lecture(lecture).await });
            }
        });
        let desk = self.clone();
        dom::on("download-report", "click", move |_| desk.download_report());
    }

    /// Gives the command that a click on the element with this id means, if any.
    fn on_click(self: &Rc<Self>, id: &str, command: impl Fn(&Self, &web_sys::Event) -> Option<Command> + 'static) {
        let desk = self.clone();
        dom::on(id, "click", move |event| {
            if let Some(command) = command(&desk, event) {
                desk.confirm(command);
            }
        });
    }

    async fn refresh(&self) {
        match self.api.status().await {
            Ok(status) => {
                dom::show("connection", false);
                status::clear("connection");
                self.show(status);
                self.read_statement().await;
                if tables::participants_are_shown() {
                    match self.api.participants().await {
                        Ok(participants) => {
                            l10n::keep("participants-rows", move || tables::participants(&participants));
                        }
                        Err(error @ RequestError::Refused(_)) => dom::problem(move || words::failed(&error)),
                        // The next refresh shows that there is no response.
                        Err(_) => {}
                    }
                }
            }
            Err(error @ RequestError::Refused(_)) => dom::problem(move || words::failed(&error)),
            Err(_) => {
                status::show("connection", words::offline);
                dom::show("connection", true);
            }
        }
    }

    /// Reads the statement from the manifest, where students have it from.
    async fn read_statement(&self) {
        if self.is_manifest_read.get() {
            return;
        }
        // Where there is no response, the next refresh tries again.
        let Ok(manifest) = self.api.manifest().await else { return };
        self.is_manifest_read.set(true);
        invitation::statement(manifest.deployment.as_ref());
        self.deployment.replace(manifest.deployment);
    }

    fn show(&self, status: FederationStatus) {
        let origin = window().location().origin().unwrap_or_default();
        let link = format!("{origin}{}/#join={}", js::prefix(), status.join_code);
        dom::attribute("desk", "data-role", if status.role == Role::Owner { "owner" } else { "assistant" });
        let status = Rc::new(status);
        if let Some(before) = self.status.replace(Some(status.clone())) {
            self.log.borrow_mut().note_changes(round::now_s(), &before, &status);
        }
        let versions = self.versions.clone();
        l10n::keep("desk", move || show_status(&status, &link, &versions));
        self.show_log();
    }

    fn note_event(&self, event: &Event) {
        if let Some(status) = self.status.borrow().as_ref() {
            self.log.borrow_mut().note_event(round::now_s(), event, status);
        }
        self.show_log();
    }

    fn show_log(&self) {
        let log = self.log.borrow().clone();
        l10n::keep("log-entries", move || {
            dom::show("log-empty", log.is_empty());
            dom::show("log", !log.is_empty());
            let entries = log.entries().map(|entry| {
                let row = dom::element("li", "");
                let time = dom::element("span", &common::time(entry.at_s));
                // The name is a constant, and valid.
                let _ = time.set_attribute("class", "help");
                dom::append(&row, &[&time, &dom::element("span", &desk_words::happening(&entry.what))]);
                row
            });
            tables::fill("log-entries", &entries.collect::<Vec<_>>());
        });
    }

    /// Asks before doing what cannot be undone.
    fn confirm(self: &Rc<Self>, command: Command) {
        if words::question(&command).is_none() {
            return self.execute(command);
        }
        let asked = command.clone();
        dom::say("confirm-text", move || words::question(&asked).unwrap_or_default());
        let dialog: HtmlDialogElement = dom::get("confirm");
        let desk = self.clone();
        let answered = dialog.clone();
        EventListener::once(&dialog, "close", move |_| {
            if answered.return_value() == "yes" {
                desk.execute(command.clone());
            }
            answered.set_return_value("");
        })
        .forget();
        // A dialog that is open already needs no opening.
        let _ = dialog.show_modal();
    }

    fn execute(self: &Rc<Self>, command: Command) {
        let desk = self.clone();
        spawn_local(async move {
            let done = match &command {
                Command::OpenRound => desk.api.post(instructor_path::ROUNDS).await,
                Command::CloseRound(round) => desk.api.post(&instructor_path::close(*round)).await,
                Command::Restore(version) => desk.api.post(&instructor_path::restore(*version)).await,
                Command::RenewCode => desk.api.post(instructor_path::JOIN_CODE).await,
                Command::Revoke(id) => desk.api.delete(&instructor_path::participant(id)).await,
            };
            match done {
                Ok(()) => {
                    dom::show("problem", false);
                    // All else follows from the next status.
                    if matches!(command, Command::Revoke(_)) {
                        desk.log.borrow_mut().note(round::now_s(), LogEvent::Revoked);
                    }
                }
                Err(error) => dom::problem(move || words::failed(&error)),
            }
            desk.refresh().await;
        });
    }

    async fn save(&self, settings: RoundSettings) {
        match self.api.save(&settings).await {
            Ok(()) => {
                dom::text("settings-problem", "");
                dom::say("settings-saved", words::saved);
                Timeout::new(3_000, || dom::text("settings-saved", "")).forget();
                self.refresh().await;
            }
            Err(error) => dom::say("settings-problem", move || words::failed(&error).in_one()),
        }
    }

    async fn put_lecture(&self, lecture: Lecture) {
        match self.api.put_lecture(&lecture).await {
            Ok(()) => {
                dom::text("stage-problem", "");
                self.refresh().await;
            }
            Err(error) => dom::say("stage-problem", move || words::failed(&error).in_one()),
        }
    }

    fn download_report(&self) {
        let Some(status) = self.status.borrow().clone() else { return };
        let page = document_element();
        let attribute = |name| page.get_attribute(name).unwrap_or_default();
        let (language, direction) = (attribute("lang"), attribute("dir"));
        let (deployment, log) = (self.deployment.borrow(), self.log.borrow());
        let html = report::html(&status, deployment.as_ref(), &log, (&language, &direction), round::now_s());
        download::save("emofed-report.html", html.as_bytes());
    }
}

/// Shows everything that changes by itself.
fn show_status(status: &Rc<FederationStatus>, link: &str, versions: &Versions) {
    let fewest = if status.few_contributors { 1 } else { MINIMUM_CONTRIBUTORS };
    dom::text("federation-name", &words::heading(&status.name));
    dom::show("few-contributors", status.few_contributors);
    dom::get::<HtmlInputElement>("minimum-clients").set_min(&fewest.to_string());
    round::show(status, fewest);
    invitation::show(status, link);
    stage::show(&status.lecture);
    versions.show(status);
    tables::models(&status.models);
    tables::rounds(&status.rounds);
}
