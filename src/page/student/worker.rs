//! The page's side of the session worker: starting it, restarting it, and its messages.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use gloo::timers::callback::Timeout;

use wasm_bindgen::prelude::*;
use web_sys::{Event, ImageBitmap, MessageEvent, Worker, WorkerOptions, WorkerType, console};

use super::tab_storage::SessionChoices;
use super::{Student, frames};
use crate::browser::backoff::Backoff;
use crate::browser::js;
use crate::browser::timeout::LONG_MS;
use crate::messages::{FromWorker, ProblemReport, SessionProblem, ToWorker};
use crate::page::dom;
use crate::page::words::problem::{self as words, WorkerFailure};

const SCRIPT: &str = "worker-cpu_loader.js";

/// A running session worker; dropping it terminates it.
pub struct SessionWorker {
    worker: Worker,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_error: Closure<dyn FnMut(Event)>,
    /// Fires if the worker does not report that it is ready.
    start_timeout: RefCell<Option<Timeout>>,
}

/// The session worker's history.
#[derive(Default)]
pub struct Health {
    /// The current worker has loaded and listens.
    ready: Cell<bool>,
    crashes: Cell<u32>,
    /// The problem that is shown is transient: it is hidden when models run.
    transient_problem: Cell<bool>,
    /// Between attempts to load its script.
    backoff: RefCell<Backoff>,
}

impl SessionWorker {
    /// Sends a message.
    pub fn post(&self, message: &ToWorker) {
        let posted = js::to_js(message).map_err(JsValue::from).and_then(|object| self.worker.post_message(&object));
        if let Err(error) = posted {
            console::error_2(&"the page cannot post to the session worker".into(), &error);
        }
    }

    /// Sends a frame and transfers its bitmap; `false` if that failed.
    pub fn send_frame(&self, frame: &ImageBitmap, at_ms: f64) -> bool {
        frames::message(frame, at_ms)
            .is_some_and(|(message, transfer)| self.worker.post_message_with_transfer(&message, &transfer).is_ok())
    }
}

impl Drop for SessionWorker {
    fn drop(&mut self) {
        self.worker.set_onmessage(None);
        self.worker.set_onerror(None);
        self.worker.terminate();
    }
}

impl Student {
    pub(super) fn start_worker(self: &Rc<Self>) {
        self.frames.stop();
        self.health.ready.set(false);
        self.view.borrow_mut().worker_replaced();
        let options = WorkerOptions::new();
        options.set_type(WorkerType::Module);
        let Ok(worker) = Worker::new_with_options(&js::worker_file(SCRIPT), &options) else {
            dom::problem(words::no_workers);
            return;
        };
        let student = Rc::downgrade(self);
        let on_message = Closure::new(move |event: MessageEvent| {
            if let (Some(student), Ok(message)) = (student.upgrade(), js::from_js(event.data())) {
                student.receive(message);
            }
        });
        let student = Rc::downgrade(self);
        let on_error = Closure::new(move |event: Event| {
            if let Some(student) = student.upgrade() {
                let detail = js::worker_error_message(&event);
                student.worker_failed(&detail.map_or(WorkerFailure::ScriptNotLoaded, WorkerFailure::Stopped));
            }
        });
        let student = Rc::downgrade(self);
        let start_timeout = Timeout::new(LONG_MS, move || {
            if let Some(student) = student.upgrade() {
                student.worker_failed(&WorkerFailure::Silent(LONG_MS / 1_000));
            }
        });
        worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));
        let start_timeout = RefCell::new(Some(start_timeout));
        let worker = SessionWorker { worker, _on_message: on_message, _on_error: on_error, start_timeout };
        *self.worker.borrow_mut() = Some(worker);
    }

    /// A worker whose script does not load is started again, with back-off. One that stopped is restarted once, and resumes
    /// from what is stored on the device.
    fn worker_failed(self: &Rc<Self>, failure: &WorkerFailure) {
        if self.forgetting.get() {
            return self.forget_here();
        }
        // Dropped later: this runs inside one of the worker's callbacks.
        let dead = self.worker.take();
        Timeout::new(0, move || drop(dead)).forget();
        {
            let progress = &mut self.view.borrow_mut().progress;
            progress.interrupted();
            // The next worker begins with no clips.
            progress.collapse(None);
        }
        if !self.health.ready.get() {
            return self.start_worker_later(failure);
        }
        self.health.crashes.set(self.health.crashes.get() + 1);
        if self.health.crashes.get() == 1 {
            self.start_worker();
        } else {
            self.frames.stop();
            let failure = failure.clone();
            dom::problem(move || words::worker_stopped_twice(&failure));
        }
    }

    fn start_worker_later(self: &Rc<Self>, failure: &WorkerFailure) {
        let delay_ms = self.health.backoff.borrow_mut().next_ms(js_sys::Math::random(), None);
        let failure = failure.clone();
        dom::problem(move || words::worker_not_loaded(&failure, delay_ms.div_ceil(1_000)));
        let student = self.clone();
        Timeout::new(u32::try_from(delay_ms).unwrap_or(u32::MAX), move || {
            if student.leadership.is_held() && student.worker.borrow().is_none() {
                student.start_worker();
            }
        })
        .forget();
    }

    /// The worker listens: a problem with loading it is over.
    fn worker_ready(&self) {
        if let Some(worker) = self.worker.borrow().as_ref() {
            worker.start_timeout.take();
        }
        self.health.ready.set(true);
        let failed = std::mem::take(&mut *self.health.backoff.borrow_mut()).has_failed();
        if failed {
            dom::show("problem", false);
        }
    }

    fn receive(self: &Rc<Self>, message: FromWorker) {
        match message {
            FromWorker::Ready => {
                self.worker_ready();
                let choice = self.choice.borrow().clone();
                if let Some(choice) = choice {
                    let (join_code, backend) = (choice.join_code.clone(), choice.backend);
                    let SessionChoices { contribute, keep_clips, share_metrics, .. } = choice;
                    let visible = frames::is_visible();
                    self.post(&ToWorker::Start { join_code, backend, contribute, visible, keep_clips, share_metrics });
                    if let Some(battery) = self.battery.get() {
                        self.post(&ToWorker::Battery(battery));
                    }
                }
            }
            FromWorker::Manifest { manifest } => {
                self.stage.show(&manifest.lecture);
                dom::show("metrics", manifest.takes_metrics);
                self.view.borrow_mut().manifest(*manifest);
                self.pace();
            }
            FromWorker::FramesWanted => {
                // Moves the focus on only if it is still at the heading of the section that is hidden now.
                let waited = dom::has_focus("starting-title");
                dom::show("starting", false);
                if waited {
                    dom::focus("tile-title");
                }
                self.frames.want();
                self.pump();
            }
            FromWorker::Frame(report) => {
                self.frames.answered();
                // A frame from before a pause is out of date.
                let shows = self.camera.is_on() && !self.pictures.is_frozen();
                if shows && report.at_ms >= self.camera.since_ms() {
                    self.view.borrow_mut().frame(&report);
                }
                self.pump();
            }
            FromWorker::Problem(report) => self.show_problem(&report),
            FromWorker::Ended => {
                self.forget_here();
                self.stepped_down();
            }
            message => {
                if let FromWorker::Backend(report) = &message {
                    if self.health.transient_problem.replace(false) {
                        dom::show("problem", false);
                    }
                    // One more than extractors, so that faces are detected in the next frame meanwhile.
                    self.frames.set_max_in_flight(report.workers + 1);
                }
                self.view.borrow_mut().other(message);
            }
        }
    }

    fn show_problem(&self, report: &ProblemReport) {
        let problem = report.problem.clone();
        dom::problem(move || words::session(&problem));
        self.health.transient_problem.set(report.is_transient);
        self.view.borrow().progress.training_over();
        let is_starting = !dom::get::<web_sys::HtmlElement>("starting").hidden();
        if (report.is_fatal && is_starting) || report.problem == SessionProblem::FederationEnded {
            self.back_to_consent();
        }
    }
}
