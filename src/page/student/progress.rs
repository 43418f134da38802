//! Progress of this tab's own update.

use gloo::timers::callback::Interval;
use web_sys::{Element, HtmlInputElement, HtmlProgressElement};

use crate::browser::js;
use crate::messages::{
    CollapseReport, HoldOutEffect, ToWorker, TrainingPause, TrainingReport, UploadReport, UploadState,
};
use crate::page::words::contribution as words;
use crate::page::{dom, status};
use crate::protocol::OpenRound;

/// How often the time that a round is still open is shown anew, in milliseconds.
const COUNTDOWN_MS: u32 = 10_000;

/// The update under way, if any. Its text is removed when it is over, however it ended.
#[derive(Default)]
pub struct Progress {
    round: Option<u64>,
    state: Option<&'static str>,
    /// The labels have collapsed to one emotion.
    collapse: Option<CollapseReport>,
    /// When training began, at which step, in milliseconds on the page's clock.
    training_since: Option<(usize, f64)>,
    /// Shows how long the open round still takes.
    countdown: Option<Interval>,
}

impl Progress {
    /// Nothing is under way.
    pub fn new() -> Self {
        let progress = Self::default();
        dom::show("withheld", false);
        progress.show_collapse();
        progress
    }

    /// Local fine-tuning progresses.
    pub fn training(&mut self, report: TrainingReport) {
        self.round = Some(report.round);
        dom::show("training", true);
        let progress: HtmlProgressElement = dom::get("training-progress");
        progress.set_max(report.steps as f64);
        progress.set_value(report.step as f64);
        dom::say("training-text", move || words::training(&report));
        dom::attribute("training", "data-paused", "");
        let now_ms = js::now_ms();
        match self.training_since {
            Some((first, since_ms)) if report.step > first => {
                let step_ms = (now_ms - since_ms) / (report.step - first) as f64;
                let seconds = (step_ms * (report.steps - report.step) as f64 / 1_000.0) as u64;
                dom::say("training-time", move || words::training_time(seconds));
            }
            _ => {
                self.training_since = Some((report.step, now_ms));
                dom::attribute("training", "data-first-step", &report.step.to_string());
                dom::text("training-time", "");
            }
        }
    }

    /// Local fine-tuning is paused. When it goes on, its next step says so.
    pub fn training_paused(&mut self, round: u64, reason: TrainingPause) {
        self.round = Some(round);
        self.training_since = None;
        dom::show("training", true);
        dom::text("training-time", "");
        dom::say("training-text", move || words::training_paused(reason));
        let code = match reason {
            TrainingPause::Hidden => "hidden",
            TrainingPause::BatteryLow => "battery-low",
        };
        dom::attribute("training", "data-paused", code);
    }

    /// Local fine-tuning is over. If it is not, its next step says so.
    pub fn training_over(&self) {
        dom::show("training", false);
    }

    /// The upload's state changed.
    pub fn upload(&mut self, report: UploadReport) {
        self.training_over();
        let UploadReport { round, bytes, clips, state } = report;
        let name = match state {
            UploadState::Sending => "sending",
            UploadState::Withheld { .. } => "withheld",
            UploadState::Acknowledged => "acknowledged",
            UploadState::Refused { .. } => "refused",
        };
        let is_withheld = name == "withheld";
        self.round = (is_withheld || name == "sending").then_some(round);
        self.show(name, move || match &state {
            UploadState::Sending => words::sending(round, bytes),
            UploadState::Withheld { held_out_clips, loss_before, loss_after } => {
                words::withheld(round, *held_out_clips, *loss_before, *loss_after)
            }
            UploadState::Acknowledged => words::acknowledged(round, bytes, clips),
            UploadState::Refused { refusal } => words::refused(round, refusal),
        });
        dom::show("withheld", is_withheld);
    }

    /// Whether the labels have collapsed to one emotion. It matters only to who contributes.
    pub fn collapse(&mut self, collapse: Option<CollapseReport>) {
        self.collapse = collapse;
        self.show_collapse();
    }

    /// Shows the collapse, if there is one and the student contributes.
    pub fn show_collapse(&self) {
        let contributes = dom::get::<HtmlInputElement>("contribute").checked();
        let collapse = self.collapse.filter(|_| contributes);
        status::show("collapse-text", move || collapse.as_ref().map_or_else(String::new, words::collapse));
        dom::show("collapse", collapse.is_some());
    }

    /// The student has decided about a withheld update or a collapse: the question is gone.
    pub fn decided(&mut self, decision: &ToWorker) {
        match decision {
            ToWorker::SendWithheld => dom::show("withheld", false),
            ToWorker::OverruleCollapse | ToWorker::ClearClips => self.collapse(None),
            _ => {}
        }
        if *decision == ToWorker::ClearClips {
            self.interrupted();
        }
    }

    /// The student opted out.
    pub fn withdrawn(&mut self, round: u64, may_have_arrived: bool) {
        self.training_over();
        self.round = None;
        dom::show("withheld", false);
        self.show("withdrawn", move || words::withdrawn(round, may_have_arrived));
    }

    /// The student opted in: the text about opting out is removed.
    pub fn opted_in(&mut self) {
        if self.state == Some("withdrawn") {
            self.clear();
        }
    }

    /// The manifest says which round is open: an update for another one is no longer under way.
    pub fn open_round(&mut self, open: Option<&OpenRound>) {
        if self.round.is_some() && self.round != open.map(|round| round.id) {
            self.interrupted();
        }
        self.countdown = open.map(|round| {
            let deadline_s = round.deadline_s;
            show_time_left(deadline_s);
            Interval::new(COUNTDOWN_MS, move || show_time_left(deadline_s))
        });
        dom::show("round-time", open.is_some());
    }

    /// A version is in use from now on, with this effect on the hold-out.
    pub fn effect(&self, version: u64, effect: Option<HoldOutEffect>) {
        match effect {
            Some(effect) => dom::say("effect", move || words::effect(version, &effect)),
            None => dom::text("effect", ""),
        }
    }

    /// Nothing is under way, as when the worker is gone.
    pub fn interrupted(&mut self) {
        self.training_over();
        self.round = None;
        dom::show("withheld", false);
        if matches!(self.state, Some("sending" | "withheld")) {
            self.clear();
        }
    }

    fn show(&mut self, state: &'static str, words: impl Fn() -> String + 'static) {
        self.state = Some(state);
        dom::attribute("upload", "data-state", state);
        status::show("upload", words);
    }

    fn clear(&mut self) {
        self.state = None;
        // An element that does not have the attribute has nothing to remove.
        let _ = dom::get::<Element>("upload").remove_attribute("data-state");
        status::clear("upload");
    }
}

/// The aggregator's clock and this device's are taken for the same, but for seconds.
fn show_time_left(deadline_s: u64) {
    let seconds = (deadline_s as f64 - js_sys::Date::now() / 1_000.0).max(0.0) as u64;
    dom::say("round-time", move || words::round_time(seconds));
}
