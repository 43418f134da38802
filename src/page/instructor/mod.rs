//! The instructor's page: invite, rounds, models. There is nothing of any single student in it.

mod api;
mod view;

use std::rc::Rc;

use gloo::events::EventListener;
use gloo::timers::callback::{Interval, Timeout};
use gloo::utils::{document, window};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{HtmlDialogElement, HtmlInputElement, VisibilityState};

use self::api::{Api, ApiError};
use super::{dom, status};
use crate::protocol::{ClassStatus, ProblemCode, RoundSettings, instructor_path};
use crate::browser::event_stream::EventStream;

const KEY: &str = "emofed.instructor-token";
/// How often the status is asked for where no event tells of a change.
const POLL_MS: u32 = 5_000;

/// What a click asks for, after it was confirmed.
#[derive(Clone)]
enum Order {
    Open,
    Close(u64),
    Restore(u64),
    RenewCode,
    Revoke(String),
}

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

/// Follows events, but not while nobody looks: a browser has only so many connections for all its tabs.
fn follow_while_visible(refresh: impl Fn() + Clone + 'static) {
    let follow =
        move || (document().visibility_state() != VisibilityState::Hidden).then(|| EventStream::observe(refresh.clone()));
    let mut events = follow();
    EventListener::new(&document(), "visibilitychange", move |_| {
        // What is open is closed first.
        events.take();
        events = follow();
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
                    // Without it, the token is asked for again after a reload.
                    let _ = storage.set_item(KEY, &token);
                }
                dom::show("problem", false);
                dom::show("sign-in", false);
                dom::show("desk", true);
                view::settings(&status.settings);
                desk.show(&status);
                desk.wire();
            }
            Err(error) => {
                dom::show("sign-in", true);
                dom::problem(&error.to_string(), way_out(&error));
            }
        }
    });
}

fn way_out(error: &ApiError) -> &'static str {
    match error {
        ApiError::Refused(problem) if problem.code == ProblemCode::Unauthorized => {
            "Open the instructor's link that the aggregator printed when it started."
        }
        ApiError::Refused(_) => "Nothing was changed.",
        ApiError::Unreachable => "Start the aggregator again; this page goes on by itself.",
    }
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
        follow_while_visible(refresh);
        let desk = self.clone();
        dom::on("open-round", "click", move |_| desk.confirm(Order::Open));
        let desk = self.clone();
        dom::on("close-round", "click", move |_| {
            if let Some(round) = view::open_round() {
                desk.confirm(Order::Close(round));
            }
        });
        let desk = self.clone();
        dom::on("models", "click", move |event| {
            if let Some(version) = view::version_to_restore(event) {
                desk.confirm(Order::Restore(version));
            }
        });
        let desk = self.clone();
        dom::on("renew-code", "click", move |_| desk.confirm(Order::RenewCode));
        let desk = self.clone();
        dom::on("participants-rows", "click", move |event| {
            if let Some(id) = view::participant_to_revoke(event) {
                desk.confirm(Order::Revoke(id));
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
                    dom::text("copy-link", "Copied");
                    Timeout::new(2_000, || dom::text("copy-link", "Copy")).forget();
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
                status::show("connection", "");
                self.show(&status);
                if view::participants_are_shown() {
                    match self.api.participants().await {
                        Ok(participants) => view::participants(&participants),
                        // The next refresh says so.
                        Err(ApiError::Unreachable) => {}
                        Err(error) => dom::problem(&error.to_string(), way_out(&error)),
                    }
                }
            }
            Err(ApiError::Unreachable) => {
                status::show("connection", "The aggregator does not answer. This page keeps trying.");
                dom::show("connection", true);
            }
            Err(error) => dom::problem(&error.to_string(), way_out(&error)),
        }
    }

    fn show(&self, status: &ClassStatus) {
        let origin = window().location().origin().unwrap_or_default();
        view::status(status, &format!("{origin}/#class={}", status.class_code));
    }

    /// Asks before doing what cannot be undone.
    fn confirm(self: &Rc<Self>, order: Order) {
        let question = match &order {
            Order::Open => return self.obey(order),
            Order::Close(round) => {
                format!("Close round {round} now? The updates that are in are averaged and published.")
            }
            Order::Restore(version) => format!(
                "Make version {version} the global model again? Every tab switches to it; an open round is abandoned."
            ),
            Order::RenewCode => "Make a new class code? The old one and its links let nobody join any more; who has \
                                 joined stays."
                .to_owned(),
            Order::Revoke(id) => format!(
                "Revoke participant {id}? Its tab can send nothing more unless it joins again with the class code."
            ),
        };
        dom::text("confirm-text", &question);
        let dialog: HtmlDialogElement = dom::get("confirm");
        let desk = self.clone();
        let answered = dialog.clone();
        EventListener::once(&dialog, "close", move |_| {
            if answered.return_value() == "yes" {
                desk.obey(order.clone());
            }
            answered.set_return_value("");
        })
        .forget();
        // A dialog that is open already needs no opening.
        let _ = dialog.show_modal();
    }

    fn obey(self: &Rc<Self>, order: Order) {
        let desk = self.clone();
        spawn_local(async move {
            let done = match order {
                Order::Open => desk.api.post(instructor_path::ROUNDS).await,
                Order::Close(round) => desk.api.post(&instructor_path::close(round)).await,
                Order::Restore(version) => desk.api.post(&instructor_path::restore(version)).await,
                Order::RenewCode => desk.api.post(instructor_path::CLASS_CODE).await,
                Order::Revoke(id) => desk.api.delete(&instructor_path::participant(&id)).await,
            };
            match done {
                Ok(()) => dom::show("problem", false),
                Err(error) => dom::problem(&error.to_string(), way_out(&error)),
            }
            desk.refresh().await;
        });
    }

    async fn save(&self, settings: RoundSettings) {
        match self.api.save(&settings).await {
            Ok(()) => {
                dom::text("settings-saved", "Saved.");
                Timeout::new(3_000, || dom::text("settings-saved", "")).forget();
            }
            Err(error) => dom::problem(&error.to_string(), way_out(&error)),
        }
    }
}
