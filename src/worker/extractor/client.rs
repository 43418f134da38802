//! The session worker's side of an extractor: start it, load its backbone, send it crops, and notice when it is gone.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use futures_channel::oneshot::{Sender, channel};
use gloo::timers::callback::Timeout;
use js_sys::{Array, Float32Array, Object, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::{Event, MessageEvent, Worker, WorkerOptions, WorkerType};

use super::WORKER_NAME;
use super::watchdog::{Watchdog, is_timeout};
use crate::browser::js;
use crate::emotion::EMOTIONS;
use crate::messages::{Backend, ExtractorFailure};
use crate::model::{BackboneKind, Extraction};

/// The CPU's extractors are the session worker's own binary under another worker name.
const CPU_SCRIPT: &str = "/worker-cpu_loader.js";
const GPU_SCRIPT: &str = "/worker-gpu_loader.js";
/// Frames timed, after a first one that compiles. More if they took less than [`TIMED_MS`] together, since browsers keep
/// optimising code while it runs.
const TIMED_FRAMES: usize = 3;
const TIMED_MS: f64 = 150.0;
const MAX_TIMED_FRAMES: usize = 40;
/// Timeout for loading script and backbone: compiling pipelines on a software adapter is slow.
const LOAD_TIMEOUT_MS: u32 = 180_000;

/// Ids of the two responses that do not answer a frame.
const LISTENING: u32 = 0;
const LOADED: u32 = 1;

type Reply = Result<JsValue, ExtractorFailure>;

/// Requests without a response yet, by id.
#[derive(Default)]
struct Pending {
    replies: HashMap<u32, Sender<Reply>>,
    /// Set once the extractor is of no use any more.
    failure: Option<ExtractorFailure>,
}

impl Pending {
    fn settle(&mut self, id: u32, reply: Reply) {
        if let Some(sender) = self.replies.remove(&id) {
            // Whoever does not wait any more needs no reply.
            let _ = sender.send(reply);
        }
    }

    fn fail_all(&mut self, failure: ExtractorFailure) {
        let failure = self.failure.get_or_insert(failure).clone();
        for (_, sender) in self.replies.drain() {
            let _ = sender.send(Err(failure.clone()));
        }
    }
}

/// An extractor with its backbone loaded.
pub struct Extractor {
    worker: Worker,
    pending: Rc<RefCell<Pending>>,
    next_id: Cell<u32>,
    in_flight: Cell<usize>,
    watchdog: Cell<Watchdog>,
    /// The side of the square crops it takes, in pixels.
    pub input_size: usize,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_error: Closure<dyn FnMut(Event)>,
}

/// An extractor with its code loaded and no backbone yet: it takes little memory, and needs no further download.
pub struct Launched(Extractor);

impl Launched {
    /// Loads the backbone from `weights`, a safetensors file.
    ///
    /// # Errors
    /// The worker is gone, or the weights cannot be used there.
    pub async fn load(self, kind: BackboneKind, weights: &[u8]) -> Result<Extractor, ExtractorFailure> {
        let Self(mut extractor) = self;
        let load = message("load");
        let backbone = serde_wasm_bindgen::to_value(&kind).map_err(|error| failed(&error.to_string()))?;
        js::set(&load, "backbone", &backbone);
        let weights = Uint8Array::from(weights);
        js::set(&load, "weights", &weights);
        let loaded = reply(&extractor.pending, LOADED, LOAD_TIMEOUT_MS);
        extractor.post(&load, &weights.buffer())?;
        let loaded = loaded.await?;
        let input_size = js::get(&loaded, "input_size").and_then(|size| size.as_f64());
        extractor.input_size = input_size.ok_or_else(|| failed("no input size"))? as usize;
        Ok(extractor)
    }
}

impl Extractor {
    /// Starts the worker and waits until it listens.
    ///
    /// # Errors
    /// Its script does not load or run.
    pub async fn launch(backend: Backend) -> Result<Launched, ExtractorFailure> {
        let options = WorkerOptions::new();
        options.set_type(WorkerType::Module);
        options.set_name(WORKER_NAME);
        let script = match backend {
            Backend::Webgpu => GPU_SCRIPT,
            Backend::Cpu => CPU_SCRIPT,
        };
        let worker = Worker::new_with_options(script, &options).map_err(|error| failed(&js::error_message(&error)))?;
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
                    .map_or(ExtractorFailure::ScriptNotLoaded, |detail| ExtractorFailure::Stopped { detail });
                pending.borrow_mut().fail_all(failure);
            }
        });
        let listening = reply(&pending, LISTENING, LOAD_TIMEOUT_MS);
        worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));
        let extractor = Self {
            worker,
            pending,
            next_id: Cell::new(LOADED + 1),
            in_flight: Cell::new(0),
            watchdog: Cell::default(),
            input_size: 0,
            _on_message: on_message,
            _on_error: on_error,
        };
        listening.await?;
        Ok(Launched(extractor))
    }

    /// Time of a frame, in milliseconds: the median of the last few of a series of grey frames.
    ///
    /// # Errors
    /// As for [`Self::extract`].
    pub async fn frame_ms(&self) -> Result<f64, ExtractorFailure> {
        let grey = vec![0.5; 3 * self.input_size * self.input_size];
        self.extract(&grey).await?;
        let mut times = Vec::with_capacity(MAX_TIMED_FRAMES);
        let begun_ms = js::now_ms();
        while times.len() < TIMED_FRAMES || (times.len() < MAX_TIMED_FRAMES && js::now_ms() - begun_ms < TIMED_MS) {
            let started_ms = js::now_ms();
            self.extract(&grey).await?;
            times.push(js::now_ms() - started_ms);
        }
        let recent = times.len().saturating_sub(2 * TIMED_FRAMES - 1);
        let recent = &mut times[recent..];
        recent.sort_by(f64::total_cmp);
        Ok(recent[recent.len() / 2])
    }

    /// Number of requests without a response yet.
    pub fn in_flight(&self) -> usize {
        self.in_flight.get()
    }

    /// Runs the backbone on `crops`, `[frames, 3, size, size]`.
    ///
    /// # Errors
    /// The extractor is of no use afterwards.
    pub async fn extract(&self, crops: &[f32]) -> Result<Extraction, ExtractorFailure> {
        let id = self.next_id.get();
        self.next_id.set(id.wrapping_add(1).max(LOADED + 1));
        let request = message("extract");
        js::set(&request, "id", &id.into());
        let crops = Float32Array::from(crops);
        js::set(&request, "crops", &crops);
        let started_ms = js::now_ms();
        let extracted = reply(&self.pending, id, self.watchdog.get().timeout_ms());
        self.post(&request, &crops.buffer())?;
        self.in_flight.set(self.in_flight.get() + 1);
        let extracted = extracted.await;
        self.in_flight.set(self.in_flight.get() - 1);
        let extracted = extracted?;
        let mut watchdog = self.watchdog.get();
        watchdog.observe(js::now_ms() - started_ms);
        self.watchdog.set(watchdog);
        let floats = |key| js::get(&extracted, key).map(|value| Float32Array::new(&value).to_vec()).unwrap_or_default();
        let probabilities = floats("probabilities").as_chunks::<EMOTIONS>().0.to_vec();
        Ok(Extraction { features: floats("features"), logits: floats("logits"), probabilities })
    }

    fn post(&self, message: &Object, transfer: &JsValue) -> Result<(), ExtractorFailure> {
        let posted = self.worker.post_message_with_transfer(message, &Array::of1(transfer));
        posted.map_err(|error| failed(&js::error_message(&error)))
    }
}

impl Drop for Extractor {
    fn drop(&mut self) {
        self.worker.set_onmessage(None);
        self.worker.set_onerror(None);
        self.worker.terminate();
    }
}

fn message(kind: &str) -> Object {
    let object = Object::new();
    js::set(&object, "kind", &kind.into());
    object
}

fn failed(detail: &str) -> ExtractorFailure {
    ExtractorFailure::Failed { detail: detail.to_owned() }
}

/// The reply to request `id`. It is registered at once, so that no reply can arrive too early.
fn reply(
    pending: &Rc<RefCell<Pending>>,
    id: u32,
    timeout_ms: u32,
) -> impl Future<Output = Result<JsValue, ExtractorFailure>> + use<> {
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

/// Takes the extractor for lost after `timeout_ms` without a response. A timer that was suspended starts again.
fn watch(timeout: &Rc<RefCell<Option<Timeout>>>, pending: &Rc<RefCell<Pending>>, timeout_ms: u32) {
    let (started_ms, pending, slot) = (js::now_ms(), pending.clone(), Rc::downgrade(timeout));
    let timer = Timeout::new(timeout_ms, move || {
        if is_timeout(timeout_ms, js::now_ms() - started_ms) {
            pending.borrow_mut().fail_all(ExtractorFailure::Silent { timeout_s: timeout_ms / 1_000 });
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
        ("loaded", _) => pending.settle(LOADED, Ok(data.clone())),
        ("extracted", Some(id)) => pending.settle(id, Ok(data.clone())),
        ("failed", Some(id)) => pending.settle(id, Err(ExtractorFailure::Failed { detail: text("detail") })),
        ("lost", _) => pending.fail_all(ExtractorFailure::DeviceLost { detail: text("detail") }),
        _ => pending.fail_all(ExtractorFailure::Failed { detail: text("detail") }),
    }
}
