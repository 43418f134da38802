//! The page's state, and what its buttons do.

use std::rc::Rc;

use gloo::events::EventListener;
use gloo::timers::callback::{Interval, Timeout};
use gloo::utils::{document, window};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{HtmlDialogElement, HtmlInputElement, VisibilityState};

use super::api::Api;
use super::command::Command;
use super::view;
use crate::browser::event_stream::EventStream;
use crate::browser::request::RequestError;
use crate::page::words::instructor as words;
use crate::page::{dom, l10n, status};
use crate::protocol::{FederationStatus, RoundSettings, instructor_path};

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
fn subscribe_while_visible(refresh: impl Fn() + Clone + 'static) {
    let subscribe = move || {
        (document().visibility_state() != VisibilityState::Hidden).then(|| EventStream::observe(refresh.clone()))
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
    dom::session_storage()?.get_item(KEY).ok()?
}

fn sign_in(token: String) {
    let desk = Rc::new(Desk { api: Api::new(token.clone()) });
    spawn_local(async move {
        match desk.api.status().await {
            Ok(status) => {
                if let Some(storage) = dom::session_storage() {
                    // Where the browser refuses, the token is asked for again after a reload.
                    let _ = storage.set_item(KEY, &token);
                }
                dom::show("problem", false);
                dom::show("sign-in", false);
                dom::show("desk", true);
                view::settings(&status.settings);
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
}

impl Desk {
    fn wire(self: &Rc<Self>) {
        let desk = self.clone();
        let refresh = move || {
            let desk = desk.clone();
            spawn_local(async move { desk.refresh().await });
        };
        Interval::new(POLL_MS, refresh.clone()).forget();
        subscribe_while_visible(refresh);
        let desk = self.clone();
        dom::on("open-round", "click", move |_| desk.confirm(Command::OpenRound));
        let desk = self.clone();
        dom::on("close-round", "click", move |_| {
            if let Some(round) = view::open_round() {
                desk.confirm(Command::CloseRound(round));
            }
        });
        let desk = self.clone();
        dom::on("models", "click", move |event| {
            if let Some(version) = view::version_to_restore(event) {
                desk.confirm(Command::Restore(version));
            }
        });
        let desk = self.clone();
        dom::on("renew-code", "click", move |_| desk.confirm(Command::RenewCode));
        let desk = self.clone();
        dom::on("participants-rows", "click", move |event| {
            if let Some(id) = view::participant_to_revoke(event) {
                desk.confirm(Command::Revoke(id));
            }
        });
        let desk = self.clone();
        dom::on("participants-list", "toggle", move |_| {
            let desk = desk.clone();
            spawn_local(async move { desk.refresh().await });
        });
        let desk = self.clone();
        dom::on_submit("settings-form", move || {
            if let Some(settings) = view::wanted_settings() {
                let desk = desk.clone();
                spawn_local(async move { desk.save(settings).await });
            }
        });
        dom::on("copy-link", "click", |_| {
            spawn_local(async {
                let link = dom::get::<HtmlInputElement>("student-link");
                let copied = JsFuture::from(window().navigator().clipboard().write_text(&link.value())).await.is_ok();
                if copied {
                    dom::say("copy-link", || words::copy_button(true));
                    Timeout::new(2_000, || dom::say("copy-link", || words::copy_button(false))).forget();
                } else {
                    link.select();
                }
            });
        });
    }

    async fn refresh(&self) {
        match self.api.status().await {
            Ok(status) => {
                dom::show("connection", false);
                status::clear("connection");
                self.show(status);
                if view::participants_are_shown() {
                    match self.api.participants().await {
                        Ok(participants) => l10n::keep("participants-rows", move || view::participants(&participants)),
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

    fn show(&self, status: FederationStatus) {
        let origin = window().location().origin().unwrap_or_default();
        let link = format!("{origin}/#join={}", status.join_code);
        l10n::keep("desk", move || view::status(&status, &link));
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
            let done = match command {
                Command::OpenRound => desk.api.post(instructor_path::ROUNDS).await,
                Command::CloseRound(round) => desk.api.post(&instructor_path::close(round)).await,
                Command::Restore(version) => desk.api.post(&instructor_path::restore(version)).await,
                Command::RenewCode => desk.api.post(instructor_path::JOIN_CODE).await,
                Command::Revoke(id) => desk.api.delete(&instructor_path::participant(&id)).await,
            };
            match done {
                Ok(()) => dom::show("problem", false),
                Err(error) => dom::problem(move || words::failed(&error)),
            }
            desk.refresh().await;
        });
    }

    async fn save(&self, settings: RoundSettings) {
        match self.api.save(&settings).await {
            Ok(()) => {
                dom::say("settings-saved", words::saved);
                Timeout::new(3_000, || dom::text("settings-saved", "")).forget();
            }
            Err(error) => dom::problem(move || words::failed(&error)),
        }
    }
}
