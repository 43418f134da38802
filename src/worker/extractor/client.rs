//! The session worker's side of an extractor: load its backbone, and send it crops.

use std::cell::Cell;
use std::rc::Rc;

use js_sys::{Float32Array, Uint8Array};

use super::WORKER_NAME;
use crate::browser::js;
use crate::emotion::EMOTIONS;
use crate::insertion_sort::median;
use crate::messages::{Backend, ModelWorkerFailure};
use crate::model::{BackboneKind, Extraction};
use crate::worker::connection::{Connection, LOAD_TIMEOUT_MS, Request, failed};
use crate::worker::watchdog::Watchdog;

/// The CPU's extractors are the session worker's own binary under another worker name.
const CPU_SCRIPT: &str = "worker-cpu_loader.js";
/// WebGPU's extractor, and the video models on burn.
pub const GPU_SCRIPT: &str = "worker-gpu_loader.js";
/// Frames timed, after a first one that compiles. More if they took less than [`TIMED_MS`] together, since browsers keep
/// optimising code while it runs.
const TIMED_FRAMES: usize = 3;
const TIMED_MS: f64 = 150.0;
const MAX_TIMED_FRAMES: usize = 40;

/// An extractor with its backbone loaded.
pub struct Extractor {
    connection: Rc<Connection>,
    watchdog: Cell<Watchdog>,
    memory_bytes: Cell<f64>,
    /// The side of the square crops it takes, in pixels.
    pub input_size: usize,
}

/// An extractor with its code loaded and no backbone yet: it takes little memory, and needs no further download.
pub struct Launched(Connection);

impl Launched {
    /// Loads the backbone from `weights`, a safetensors file.
    ///
    /// # Errors
    /// The worker is gone, or the weights cannot be used there.
    pub async fn load(self, kind: BackboneKind, weights: &[u8]) -> Result<Extractor, ModelWorkerFailure> {
        let Self(connection) = self;
        let backbone = serde_wasm_bindgen::to_value(&kind).map_err(|error| failed(&error.to_string()))?;
        let load = Request::new("load").with("backbone", &backbone);
        let loaded = load.with_transferred("weights", &Uint8Array::from(weights));
        let loaded = connection.request(loaded, LOAD_TIMEOUT_MS).await?;
        let input_size = js::get(&loaded, "input_size").and_then(|size| size.as_f64());
        let input_size = input_size.ok_or_else(|| failed("no input size"))? as usize;
        let (connection, watchdog, memory_bytes) = (Rc::new(connection), Cell::default(), Cell::default());
        Ok(Extractor { connection, watchdog, memory_bytes, input_size })
    }
}

impl Extractor {
    /// Starts the worker and waits until it listens.
    ///
    /// # Errors
    /// Its script does not load or run.
    pub async fn launch(backend: Backend) -> Result<Launched, ModelWorkerFailure> {
        let script = match backend {
            Backend::Webgpu => GPU_SCRIPT,
            Backend::Cpu => CPU_SCRIPT,
        };
        Connection::open(script, WORKER_NAME).await.map(Launched)
    }

    /// Its worker, which on WebGPU runs video models on the same device.
    pub fn connection(&self) -> &Rc<Connection> {
        &self.connection
    }

    /// Time of a frame, in milliseconds: the median of the last few of a series of grey frames.
    ///
    /// # Errors
    /// As for [`Self::extract`].
    pub async fn frame_ms(&self) -> Result<f64, ModelWorkerFailure> {
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
        median(&mut times[recent..]).ok_or_else(|| failed("no time of a frame"))
    }

    /// Its worker's memory after the last crops, in bytes, without a GPU's.
    pub fn memory_bytes(&self) -> f64 {
        self.memory_bytes.get()
    }

    /// Number of requests without a response yet.
    pub fn in_flight(&self) -> usize {
        self.connection.in_flight()
    }

    /// Runs the backbone on `crops`, `[frames, 3, size, size]`.
    ///
    /// # Errors
    /// The extractor is of no use afterwards.
    pub async fn extract(&self, crops: &[f32]) -> Result<Extraction, ModelWorkerFailure> {
        let request = Request::new("extract").with_transferred("crops", &Float32Array::from(crops));
        let extracted = self.connection.request_watched(request, &self.watchdog).await?;
        let memory_bytes = js::get(&extracted, "memory_bytes").and_then(|bytes| bytes.as_f64());
        self.memory_bytes.set(memory_bytes.unwrap_or_default());
        let floats = |key| js::get(&extracted, key).map(|value| Float32Array::new(&value).to_vec()).unwrap_or_default();
        let probabilities = floats("probabilities").as_chunks::<EMOTIONS>().0.to_vec();
        Ok(Extraction { features: floats("features"), logits: floats("logits"), probabilities })
    }
}
