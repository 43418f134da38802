//! Deletes what is on the device. The session worker is asked to stop first; the page deletes by itself, so that it does not
//! matter whether there still is one.

use std::rc::Rc;

use gloo::timers::callback::Timeout;
use gloo::utils::window;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::DomException;

use super::Student;
use super::remember::Remembered;
use crate::page::dom;
use crate::tab::CACHE;
use crate::tab::message::ToWorker;

/// How long the session worker has, in milliseconds. It may be busy with a step of training.
const WORKER_MS: u32 = 3_000;

impl Student {
    /// The student wants to be forgotten.
    pub(super) fn forget(self: &Rc<Self>) {
        self.forgetting.set(true);
        self.frames.stop();
        self.camera.stop();
        Remembered::forget();
        if self.worker.borrow().is_none() {
            return self.forget_here();
        }
        self.tell(&ToWorker::Forget);
        let student = self.clone();
        Timeout::new(WORKER_MS, move || student.forget_here()).forget();
    }

    /// Ends the worker, if there is one, and deletes. Does nothing where nobody wants to be forgotten any more.
    pub(super) fn forget_here(self: &Rc<Self>) {
        if !self.forgetting.replace(false) {
            return;
        }
        // Dropped later: this may run inside one of the worker's own callbacks.
        let worker = self.worker.take();
        let student = self.clone();
        spawn_local(async move {
            drop(worker);
            match delete_all().await {
                Ok(()) => {
                    student.leave("Everything this page had stored on the device is deleted, and the camera is off.")
                }
                Err(_) => {
                    student.leave("The camera is off. Nothing more is computed or sent.");
                    let message = "The browser would not delete what this page has stored on the device.";
                    dom::problem(message, "Clear this site's data in the browser's settings.");
                }
            }
        });
    }
}

/// Deletes everything that a student's page or its workers have written.
async fn delete_all() -> Result<(), JsValue> {
    Remembered::forget();
    // Elsewhere there is no Cache API, and so nothing in it.
    if !window().is_secure_context() {
        return Ok(());
    }
    match JsFuture::from(window().caches()?.delete(CACHE)).await {
        // A browser that lets the page keep nothing has nothing to delete.
        Err(error) if error.dyn_ref::<DomException>().is_some_and(|error| error.name() == "SecurityError") => Ok(()),
        result => result.map(|_| ()),
    }
}
