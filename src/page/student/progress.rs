//! How far this tab's own update is.

use web_sys::{Element, HtmlProgressElement};

use crate::page::{dom, status};
use crate::tab::message::{TrainingReport, UploadReport, UploadState};

/// The update on its way, if any: its words go when it is over, however it ended.
#[derive(Default)]
pub struct Progress {
    round: Option<u64>,
    state: Option<&'static str>,
}

impl Progress {
    /// Local fine-tuning goes on.
    pub fn training(&mut self, report: &TrainingReport) {
        self.round = Some(report.round);
        dom::show("training", true);
        let progress: HtmlProgressElement = dom::get("training-progress");
        progress.set_max(report.steps as f64);
        progress.set_value(report.step as f64);
        let (step, steps) = (report.step, report.steps);
        dom::text(
            "training-text",
            &format!("Training on {} clips: step {step} of {steps}, loss {:.3}", report.clips, report.loss),
        );
    }

    /// Local fine-tuning is over. If it is not, its next step says so.
    pub fn training_over(&self) {
        dom::show("training", false);
    }

    /// The update is sent, or there.
    pub fn upload(&mut self, report: &UploadReport) {
        self.training_over();
        let (round, kilobytes) = (report.round, report.bytes as f64 / 1_000.0);
        let (state, words) = match &report.state {
            UploadState::Sending => ("sending", format!("Sending the update for round {round} ({kilobytes:.0} kB) …")),
            UploadState::Acknowledged => (
                "acknowledged",
                format!("Your update for round {round} is in ({kilobytes:.0} kB, {} clips).", report.clips),
            ),
            UploadState::Refused(reason) => {
                ("refused", format!("The update for round {round} was not accepted: {reason}"))
            }
        };
        self.round = (report.state == UploadState::Sending).then_some(round);
        self.say(state, &words);
    }

    /// The student opted out.
    pub fn withdrawn(&mut self, round: u64, may_have_arrived: bool) {
        self.training_over();
        self.round = None;
        let words = if may_have_arrived {
            format!("Contributing is off: the update for round {round} is deleted here, but may have arrived before.")
        } else {
            format!("Contributing is off: the update for round {round} was not sent, and is deleted.")
        };
        self.say("withdrawn", &words);
    }

    /// The student opted in: what was said of opting out holds no longer.
    pub fn opted_in(&mut self) {
        if self.state == Some("withdrawn") {
            self.clear();
        }
    }

    /// The manifest says which round is open: an update for another one is on its way no longer.
    pub fn open_round(&mut self, open: Option<u64>) {
        if self.round.is_some() && self.round != open {
            self.interrupted();
        }
    }

    /// Nothing is on its way, as when the worker is gone.
    pub fn interrupted(&mut self) {
        self.training_over();
        self.round = None;
        if self.state == Some("sending") {
            self.clear();
        }
    }

    fn say(&mut self, state: &'static str, words: &str) {
        self.state = Some(state);
        dom::attribute("upload", "data-state", state);
        status::show("upload", words);
    }

    fn clear(&mut self) {
        self.state = None;
        // An element that does not have the attribute has nothing to remove.
        let _ = dom::get::<Element>("upload").remove_attribute("data-state");
        status::show("upload", "");
    }
}
