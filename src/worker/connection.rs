//! A worker that answers requests: start it, send it messages, and notice when it is gone.
//!
//! A request is a plain object with a `kind` and an `id`; its response has the same `id`. `{ kind: "listening" }` is what a
//! worker says first, `{ kind: "failed", id, detail }` that a request failed, and `{ kind: "lost", detail }` that its device
//! is gone and the worker of no use any more.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use futures_channel::oneshot::{Sender, channel};
use gloo::timers::callback::Timeout;
use js_sys::{Array, Object};
use wasm_bindgen::prelude::*;
use web_sys::{Event, MessageEvent, Worker, WorkerOptions, WorkerType};

use super::watchdog::{Watchdog, is_timeout};
use crate::browser::js;
use crate::messages::ModelWorkerFailure;

/// Timeout for loading a script, a backbone or a video model, in milliseconds: compiling pipelines on a software adapter is
/// slow.
pub const LOAD_TIMEOUT_MS: u32 = 180_000;

/// The id of the one response that answers no request.
const LISTENING: u32 = 0;

type Reply = Result<JsValue, ModelWorkerFailure>;

/// Requests without a response yet, by id.
#[derive(Default)]
struct Pending {
    replies: HashMap<u32, Sender<Reply>>,
    /// Set once the worker is of no use any more.
    failure: Option<ModelWorkerFailure>,
}

impl Pending {
    fn settle(&mut self, id: u32, reply: Reply) {
        if let Some(sender) = self.replies.remove(&id) {
            // Whoever does not wait any more needs no reply.
            let _ = sender.send(reply);
        }
    }

    fn fail_all(&mut self, failure: ModelWorkerFailure) {
        let failure = self.failure.get_or_insert(failure).clone();
        for (_, sender) in self.replies.drain() {
            let _ = sender.send(Err(failure.clone()));
        }
    }
}

/// A worker that listens. It is terminated when this is dropped.
pub struct Connection {
    worker: Worker,
    pending: Rc<RefCell<Pending>>,
    last_id: Cell<u32>,
    in_flight: Cell<usize>,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_error: Closure<dyn FnMut(Event)>,
}

/// A message to a worker.
pub struct Request {
    message: Object,
    transfer: Array,
}

impl Request {
    /// One of a `kind`.
    pub fn new(kind: &str) -> Self {
        let message = Object::new();
        js::set(&message, "kind", &kind.into());
        Self { message, transfer: Array::new() }
    }

    /// With a field.
    pub fn with(self, key: &str, value: &JsValue) -> Self {
        js::set(&self.message, key, value);
        self
    }

    /// With a typed array that is handed over instead of copied.
    pub fn with_transferred(self, key: &str, array: &JsValue) -> Self {
        if let Some(buffer) = js::get(array, "buffer") {
            self.transfer.push(&buffer);
        }
        self.with(key, array)
    }
}

impl Connection {
    /// Starts the worker of `script` under `name`, and waits until it listens.
    ///
    /// # Errors
    /// Its script does not load or run.
    pub async fn open(script: &str, name: &str) -> Result<Self, ModelWorkerFailure> {
        let options = WorkerOptions::new();
        options.set_type(WorkerType::Module);
        options.set_name(name);
        let worker = Worker::new_with_options(&js::worker_file(script), &options)
            .map_err(|error| failed(&js::error_message(&error)))?;
        let pending = Rc::new(RefCell::new(Pending::default()));
        let on_message = Closure::new({
            let pending = pending.clone();
            move |event: MessageEvent| receive(&mut pending.borrow_mut(), &event.data())
        });
        let on_error = Closure::new({
            let pending = pending.clone();
            move |event: Event| {
                event.prevent_default();
                let failure = js::worker_error_message(&event)
                    .map_or(ModelWorkerFailure::ScriptNotLoaded, |detail| ModelWorkerFailure::Stopped { detail });
                pending.borrow_mut().fail_all(failure);
            }
        });
        let listening = reply(&pending, LISTENING, LOAD_TIMEOUT_MS);
        worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));
        let connection = Self {
            worker,
            pending,
            last_id: Cell::new(LISTENING),
            in_flight: Cell::new(0),
            _on_message: on_message,
            _on_error: on_error,
        };
        listening.await?;
        Ok(connection)
    }

    /// Sends a request and waits for its response, for `timeout_ms` at most.
    ///
    /// # Errors
    /// The request failed, or the worker is of no use any more: it stopped, its device is lost, or it did not respond.
    pub async fn request(&self, request: Request, timeout_ms: u32) -> Reply {
        let id = self.last_id.get().wrapping_add(1).max(LISTENING + 1);
        self.last_id.set(id);
        let Request { message, transfer } = request.with("id", &id.into());
        let response = reply(&self.pending, id, timeout_ms);
        let posted = self.worker.post_message_with_transfer(&message, &transfer);
        posted.map_err(|error| failed(&js::error_message(&error)))?;
        self.in_flight.set(self.in_flight.get() + 1);
        let response = response.await;
        self.in_flight.set(self.in_flight.get() - 1);
        response
    }

    /// [`Self::request`] with the timeout of `watchdog`, which takes in how long the response took.
    ///
    /// # Errors
    /// As for [`Self::request`].
    pub async fn request_watched(&self, request: Request, watchdog: &Cell<Watchdog>) -> Reply {
        let started_ms = js::now_ms();
        let response = self.request(request, watchdog.get().timeout_ms()).await?;
        let mut observed = watchdog.get();
        observed.observe(js::now_ms() - started_ms);
        watchdog.set(observed);
        Ok(response)
    }

    /// Number of requests without a response yet.
    pub fn in_flight(&self) -> usize {
        self.in_flight.get()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.worker.set_onmessage(None);
        self.worker.set_onerror(None);
        self.worker.terminate();
    }
}

/// A failure that has no code of its own.
pub fn failed(detail: &str) -> ModelWorkerFailure {
    ModelWorkerFailure::Failed { detail: detail.to_owned() }
}

/// The reply to request `id`. It is registered at once, so that no reply can arrive too early.
fn reply(
    pending: &Rc<RefCell<Pending>>,
    id: u32,
    timeout_ms: u32,
) -> impl Future<Output = Result<JsValue, ModelWorkerFailure>> + use<> {
    let (sender, receiver) = channel();
    let failure = pending.borrow().failure.clone();
    match failure {
        Some(failure) => drop(sender.send(Err(failure))),
        None => drop(pending.borrow_mut().replies.insert(id, sender)),
    }
    let timeout: Rc<RefCell<Option<Timeout>>> = Rc::default();
    watch(&timeout, pending, timeout_ms);
    async move {
        let reply = receiver.await.unwrap_or_else(|_| Err(failed("its reply was dropped")));
        timeout.take();
        reply
    }
}

/// Takes the worker for lost after `timeout_ms` without a response. A timer that was suspended starts again.
fn watch(timeout: &Rc<RefCell<Option<Timeout>>>, pending: &Rc<RefCell<Pending>>, timeout_ms: u32) {
    let (started_ms, pending, slot) = (js::now_ms(), pending.clone(), Rc::downgrade(timeout));
    let timer = Timeout::new(timeout_ms, move || {
        if is_timeout(timeout_ms, js::now_ms() - started_ms) {
            pending.borrow_mut().fail_all(ModelWorkerFailure::Silent { timeout_s: timeout_ms / 1_000 });
        } else if let Some(timeout) = slot.upgrade() {
            watch(&timeout, &pending, timeout_ms);
        }
    });
    *timeout.borrow_mut() = Some(timer);
}

fn receive(pending: &mut Pending, data: &JsValue) {
    let text = |key| js::get(data, key).and_then(|value| value.as_string()).unwrap_or_default();
    let id = js::get(data, "id").and_then(|id| id.as_f64()).map(|id| id as u32);
    match (text("kind").as_str(), id) {
        ("listening", _) => pending.settle(LISTENING, Ok(data.clone())),
        ("lost", _) => pending.fail_all(ModelWorkerFailure::DeviceLost { detail: text("detail") }),
        ("failed", Some(id)) => pending.settle(id, Err(ModelWorkerFailure::Failed { detail: text("detail") })),
        ("done", Some(id)) => pending.settle(id, Ok(data.clone())),
        _ => pending.fail_all(ModelWorkerFailure::Failed { detail: text("detail") }),
    }
}
