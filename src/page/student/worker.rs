//! The session worker, from the page's side.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use gloo::timers::callback::Timeout;

use wasm_bindgen::prelude::*;
use web_sys::{Event, ImageBitmap, MessageEvent, Worker, WorkerOptions, WorkerType, console};

use super::{Student, frames};
use crate::page::dom;
use crate::browser::backoff::Backoff;
use crate::browser::js;
use crate::browser::timeout::LONG_MS;
use crate::messages::{FromWorker, ProblemReport, ToWorker, from_js, to_js};

const SCRIPT: &str = "/worker-cpu_loader.js";

/// A running session worker; dropping it ends it.
pub struct SessionWorker {
    worker: Worker,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_error: Closure<dyn FnMut(Event)>,
    /// Runs out where its code does not come.
    patience: RefCell<Option<Timeout>>,
}

/// How the session worker has done so far.
#[derive(Default)]
pub struct Health {
    /// It listens.
    ready: Cell<bool>,
    crashes: Cell<u32>,
    /// The problem that is shown is over when models run.
    passing: Cell<bool>,
    /// Between tries to load its code.
    backoff: RefCell<Backoff>,
}

impl SessionWorker {
    /// Sends a message.
    pub fn tell(&self, message: &ToWorker) {
        let posted = to_js(message).map_err(JsValue::from).and_then(|object| self.worker.post_message(&object));
        if let Err(error) = posted {
            console::error_2(&"the page cannot tell the session worker".into(), &error);
        }
    }

    /// Hands over a frame; `false` if it cannot be.
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
        let options = WorkerOptions::new();
        options.set_type(WorkerType::Module);
        let Ok(worker) = Worker::new_with_options(SCRIPT, &options) else {
            dom::problem("This browser starts no worker for the page.", "Use a current browser.");
            return;
        };
        let student = Rc::downgrade(self);
        let on_message = Closure::new(move |event: MessageEvent| {
            if let (Some(student), Ok(message)) = (student.upgrade(), from_js(event.data())) {
                student.receive(message);
            }
        });
        let student = Rc::downgrade(self);
        let on_error = Closure::new(move |event: Event| {
            if let Some(student) = student.upgrade() {
                student.worker_failed(&js::worker_error_message(&event));
            }
        });
        let student = Rc::downgrade(self);
        let patience = Timeout::new(LONG_MS, move || {
            if let Some(student) = student.upgrade() {
                student.worker_failed(&format!("no answer for {} s", LONG_MS / 1_000));
            }
        });
        worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));
        let patience = RefCell::new(Some(patience));
        let worker = SessionWorker { worker, _on_message: on_message, _on_error: on_error, patience };
        *self.worker.borrow_mut() = Some(worker);
    }

    /// A worker whose code does not load is started again, with back-off; one that died, once: what it had stored on the
    /// device goes on.
    fn worker_failed(self: &Rc<Self>, words: &str) {
        if self.forgetting.get() {
            return self.forget_here();
        }
        // Dropped later: this runs inside one of the worker's own callbacks.
        let dead = self.worker.take();
        Timeout::new(0, move || drop(dead)).forget();
        self.view.borrow_mut().progress.interrupted();
        if !self.health.ready.get() {
            return self.start_worker_later(words);
        }
        self.health.crashes.set(self.health.crashes.get() + 1);
        if self.health.crashes.get() == 1 {
            self.start_worker();
        } else {
            self.frames.stop();
            dom::problem(&format!("The models stopped twice ({words})."), "Reload the page to go on.");
        }
    }

    fn start_worker_later(self: &Rc<Self>, words: &str) {
        let wait_ms = self.health.backoff.borrow_mut().next_ms(js_sys::Math::random(), None);
        let wait_s = (wait_ms as f64 / 1_000.0).ceil();
        dom::problem(
            &format!("The program that runs the models does not load ({words})."),
            &format!("The page tries again by itself, in {wait_s:.0} s."),
        );
        let student = self.clone();
        Timeout::new(u32::try_from(wait_ms).unwrap_or(u32::MAX), move || {
            if student.lead.is_held() && student.worker.borrow().is_none() {
                student.start_worker();
            }
        })
        .forget();
    }

    /// The worker listens: whatever kept it from loading is over.
    fn worker_ready(&self) {
        if let Some(worker) = self.worker.borrow().as_ref() {
            worker.patience.take();
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
                    let (class_code, engine) = (choice.class_code, choice.engine);
                    let (contribute, visible) = (choice.contribute, frames::is_watched());
                    self.tell(&ToWorker::Start { class_code, engine, contribute, visible });
                }
            }
            FromWorker::Manifest { manifest } => {
                self.frames.pace(1_000.0 / manifest.capture.max_frames_per_second.max(0.1));
                self.view.borrow_mut().manifest(*manifest);
            }
            FromWorker::FramesWanted => {
                // Who waited at the heading goes on; who is elsewhere stays there.
                let waited = dom::has_focus("starting-title");
                dom::show("starting", false);
                if waited {
                    dom::focus("stage-title");
                }
                self.frames.want();
                self.pump();
            }
            FromWorker::Frame(report) => {
                self.frames.answered();
                // A picture of before a pause says nothing of now.
                let shows = self.camera.is_on() && !self.pictures.stands_still();
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
                if let FromWorker::Engine(report) = &message {
                    if self.health.passing.replace(false) {
                        dom::show("problem", false);
                    }
                    // While the workers compute, a face is found in the next frame.
                    self.frames.widen(report.workers + 1);
                }
                self.view.borrow_mut().other(message);
            }
        }
    }

    fn show_problem(&self, report: &ProblemReport) {
        dom::problem(&report.message, &report.way_out);
        self.health.passing.set(report.passing);
        self.view.borrow().progress.training_over();
        let is_starting = !dom::get::<web_sys::HtmlElement>("starting").hidden();
        if report.fatal && is_starting {
            self.back_to_consent();
        }
    }
}
