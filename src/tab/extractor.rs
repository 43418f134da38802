//! The session worker's side of an extractor: start it, load it, ask it, notice when it is gone.
//!
//! Messages are plain objects. To the worker: `{ kind: "load", backbone, weights }`, `{ kind: "extract", id, crops }`.
//! From it: `{ kind: "listening" }`, `{ kind: "loaded", input_size }`, `{ kind: "extracted", id, features, logits,
//! probabilities }`, `{ kind: "failed", id?, reason }`, `{ kind: "lost", reason }`.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use gloo::timers::callback::Timeout;
use js_sys::{Array, Float32Array, Function, Object, Promise, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Event, MessageEvent, Worker, WorkerOptions, WorkerType};

use super::js;
use super::patience::{Patience, tells_of_silence};
use crate::emotion::EMOTIONS;
use crate::model::{BackboneKind, Extraction};

/// The CPU's extractors are the session worker's own binary, in another role.
const CPU_SCRIPT: &str = "/worker-cpu_loader.js";
const GPU_SCRIPT: &str = "/worker-gpu_loader.js";
/// The name that gives a worker this role.
pub const NAME: &str = "extractor";
/// Frames timed, after one that compiles what there is to compile; more, if these took less than this: browsers optimise
/// while they run.
const TIMED_FRAMES: usize = 3;
const TIMED_MS: f64 = 150.0;
const MOST_TIMED_FRAMES: usize = 40;
/// Compiling pipelines on a software adapter takes its time.
const LOAD_TIMEOUT_MS: u32 = 180_000;

/// Ids of the two answers that are not to a frame.
const LISTENING: u32 = 0;
const LOADED: u32 = 1;

#[derive(Default)]
struct Waiting {
    answers: HashMap<u32, (Function, Function)>,
    lost: Option<String>,
}

impl Waiting {
    fn settle(&mut self, id: u32, answer: Result<&JsValue, &str>) {
        if let Some((resolve, reject)) = self.answers.remove(&id) {
            // The two functions are a promise's own; they do not throw.
            let _ = match answer {
                Ok(value) => resolve.call1(&JsValue::NULL, value),
                Err(reason) => reject.call1(&JsValue::NULL, &reason.into()),
            };
        }
    }

    fn lose(&mut self, reason: &str) {
        self.lost.get_or_insert_with(|| reason.to_owned());
        for id in self.answers.keys().copied().collect::<Vec<_>>() {
            self.settle(id, Err(reason));
        }
    }
}

/// A worker with a backbone loaded.
pub struct Extractor {
    worker: Worker,
    waiting: Rc<RefCell<Waiting>>,
    next_id: Cell<u32>,
    in_flight: Cell<usize>,
    patience: Cell<Patience>,
    /// The side of the square crops it takes, in pixels.
    pub input_size: usize,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_error: Closure<dyn FnMut(Event)>,
}

/// A worker with its code loaded, and no backbone yet: it takes little memory, and nothing more from the network.
pub struct Launched(Extractor);

impl Launched {
    /// Loads the backbone there.
    ///
    /// # Errors
    /// The reason, in words, why it cannot be used.
    pub async fn load(self, kind: BackboneKind, weights: &[u8]) -> Result<Extractor, String> {
        let Self(mut client) = self;
        let load = message("load");
        let backbone = serde_wasm_bindgen::to_value(&kind).map_err(|error| error.to_string())?;
        js::set(&load, "backbone", &backbone);
        let weights = Uint8Array::from(weights);
        js::set(&load, "weights", &weights);
        let loaded = answer(&client.waiting, LOADED, LOAD_TIMEOUT_MS);
        client.post(&load, &weights.buffer())?;
        let loaded = loaded.await?;
        let input_size = js::get(&loaded, "input_size").and_then(|size| size.as_f64());
        client.input_size = input_size.ok_or("the extractor does not tell its input's size")? as usize;
        Ok(client)
    }
}

impl Extractor {
    /// Starts the worker.
    ///
    /// # Errors
    /// The reason, in words, why its code does not run.
    pub async fn launch(webgpu: bool) -> Result<Launched, String> {
        let options = WorkerOptions::new();
        options.set_type(WorkerType::Module);
        options.set_name(NAME);
        let script = if webgpu { GPU_SCRIPT } else { CPU_SCRIPT };
        let worker = Worker::new_with_options(script, &options).map_err(|error| js::words(&error))?;
        let waiting = Rc::new(RefCell::new(Waiting::default()));
        let on_message = Closure::new({
            let waiting = waiting.clone();
            move |event: MessageEvent| receive(&mut waiting.borrow_mut(), &event.data())
        });
        let on_error = Closure::new({
            let waiting = waiting.clone();
            move |event: Event| {
                event.prevent_default();
                waiting.borrow_mut().lose(&format!("the extractor stopped: {}", js::error_words(&event)));
            }
        });
        let listening = answer(&waiting, LISTENING, LOAD_TIMEOUT_MS);
        worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));
        let client = Self {
            worker,
            waiting,
            next_id: Cell::new(LOADED + 1),
            in_flight: Cell::new(0),
            patience: Cell::default(),
            input_size: 0,
            _on_message: on_message,
            _on_error: on_error,
        };
        listening.await?;
        Ok(Launched(client))
    }

    /// Median time of the last few of some grey frames, in milliseconds.
    ///
    /// # Errors
    /// As for [`Self::extract`].
    pub async fn frame_ms(&self) -> Result<f64, String> {
        let grey = vec![0.5; 3 * self.input_size * self.input_size];
        self.extract(&grey).await?;
        let mut times = Vec::with_capacity(MOST_TIMED_FRAMES);
        let begun = js::now_ms();
        while times.len() < TIMED_FRAMES || (times.len() < MOST_TIMED_FRAMES && js::now_ms() - begun < TIMED_MS) {
            let started = js::now_ms();
            self.extract(&grey).await?;
            times.push(js::now_ms() - started);
        }
        let recent = times.len().saturating_sub(2 * TIMED_FRAMES - 1);
        let recent = &mut times[recent..];
        recent.sort_by(f64::total_cmp);
        Ok(recent[recent.len() / 2])
    }

    /// How many questions it has not answered yet.
    pub fn in_flight(&self) -> usize {
        self.in_flight.get()
    }

    /// Runs the backbone on `crops`, `[frames, 3, size, size]`.
    ///
    /// # Errors
    /// The reason, in words; the worker is of no use afterwards.
    pub async fn extract(&self, crops: &[f32]) -> Result<Extraction, String> {
        let id = self.next_id.get();
        self.next_id.set(id.wrapping_add(1).max(LOADED + 1));
        let request = message("extract");
        js::set(&request, "id", &id.into());
        let crops = Float32Array::from(crops);
        js::set(&request, "crops", &crops);
        let asked_ms = js::now_ms();
        let extracted = answer(&self.waiting, id, self.patience.get().limit_ms());
        self.post(&request, &crops.buffer())?;
        self.in_flight.set(self.in_flight.get() + 1);
        let extracted = extracted.await;
        self.in_flight.set(self.in_flight.get() - 1);
        let extracted = extracted?;
        let mut patience = self.patience.get();
        patience.learn(js::now_ms() - asked_ms);
        self.patience.set(patience);
        let floats = |key| js::get(&extracted, key).map(|value| Float32Array::new(&value).to_vec()).unwrap_or_default();
        let probabilities = floats("probabilities").as_chunks::<EMOTIONS>().0.to_vec();
        Ok(Extraction { features: floats("features"), logits: floats("logits"), probabilities })
    }

    fn post(&self, message: &Object, transfer: &JsValue) -> Result<(), String> {
        self.worker.post_message_with_transfer(message, &Array::of1(transfer)).map_err(|error| js::words(&error))
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

/// Registers at once, so that no answer can come too early; gives what the worker answers to `id`.
fn answer(
    waiting: &Rc<RefCell<Waiting>>,
    id: u32,
    timeout_ms: u32,
) -> impl Future<Output = Result<JsValue, String>> + use<> {
    let promise = Promise::new(&mut |resolve, reject| {
        waiting.borrow_mut().answers.insert(id, (resolve, reject));
    });
    let lost = waiting.borrow().lost.clone();
    if let Some(reason) = lost {
        waiting.borrow_mut().lose(&reason);
    }
    let timeout: Rc<RefCell<Option<Timeout>>> = Rc::default();
    watch(&timeout, waiting, timeout_ms);
    async move {
        let answer = JsFuture::from(promise).await.map_err(|reason| js::words(&reason));
        timeout.take();
        answer
    }
}

/// Takes the worker for lost after `timeout_ms` of silence. A timer that slept starts again.
fn watch(timeout: &Rc<RefCell<Option<Timeout>>>, waiting: &Rc<RefCell<Waiting>>, timeout_ms: u32) {
    let (started_ms, waiting, slot) = (js::now_ms(), waiting.clone(), Rc::downgrade(timeout));
    let timer = Timeout::new(timeout_ms, move || {
        if tells_of_silence(timeout_ms, js::now_ms() - started_ms) {
            waiting.borrow_mut().lose(&format!("no answer for {} s", timeout_ms / 1_000));
        } else if let Some(timeout) = slot.upgrade() {
            watch(&timeout, &waiting, timeout_ms);
        }
    });
    *timeout.borrow_mut() = Some(timer);
}

fn receive(waiting: &mut Waiting, data: &JsValue) {
    let kind = js::get(data, "kind").and_then(|kind| kind.as_string()).unwrap_or_default();
    let id = js::get(data, "id").and_then(|id| id.as_f64()).map(|id| id as u32);
    let reason = || js::get(data, "reason").and_then(|reason| reason.as_string()).unwrap_or_default();
    match (kind.as_str(), id) {
        ("listening", _) => waiting.settle(LISTENING, Ok(data)),
        ("loaded", _) => waiting.settle(LOADED, Ok(data)),
        ("extracted", Some(id)) => waiting.settle(id, Ok(data)),
        ("failed", Some(id)) => waiting.settle(id, Err(&reason())),
        _ => waiting.lose(&reason()),
    }
}
