//! The session worker's side of a video model on burn.

use std::cell::Cell;
use std::rc::Rc;

use js_sys::{Float32Array, Uint8Array, Uint32Array};
use wasm_bindgen::prelude::*;

use crate::browser::js;
use crate::emotion::EMOTIONS;
use crate::learning::{Clip, StepReport};
use crate::messages::{Backend, ModelWorkerFailure};
use crate::weights::Weights;
use crate::worker::connection::{Connection, LOAD_TIMEOUT_MS, Request, failed};
use crate::worker::extractor::WORKER_NAME;
use crate::worker::extractor::client::GPU_SCRIPT;
use crate::worker::video_model::choice::Measured;
use crate::worker::watchdog::Watchdog;

/// A video model that a worker holds.
pub struct VideoModelClient {
    connection: Rc<Connection>,
    backend: Backend,
    predictions: Cell<Watchdog>,
    steps: Cell<Watchdog>,
}

impl VideoModelClient {
    /// Loads `weights` in the worker of WebGPU's extractor, on its device, or in a worker of their own on the CPU.
    ///
    /// # Errors
    /// The worker is gone or does not start, or the weights cannot be used there.
    pub async fn load(extractor: Option<&Rc<Connection>>, weights: &Weights) -> Result<Self, ModelWorkerFailure> {
        let connection = match extractor {
            Some(connection) => connection.clone(),
            None => Rc::new(Connection::open(GPU_SCRIPT, WORKER_NAME).await?),
        };
        let bytes = Uint8Array::from(weights.to_safetensors(None).as_slice());
        let load = Request::new("video-load").with_transferred("weights", &bytes);
        let loaded = connection.request(load, LOAD_TIMEOUT_MS).await?;
        let on_gpu = js::get(&loaded, "on_gpu").is_some_and(|on_gpu| on_gpu.is_truthy());
        let backend = if on_gpu { Backend::Webgpu } else { Backend::Cpu };
        Ok(Self { connection, backend, predictions: Cell::default(), steps: Cell::default() })
    }

    /// Where it runs.
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// Probabilities of a clip's `features`, `[frames, FEATURES]`.
    ///
    /// # Errors
    /// The worker or its device failed.
    pub async fn probabilities(&self, features: &[f32]) -> Result<[f32; EMOTIONS], ModelWorkerFailure> {
        self.predict(features, false).await
    }

    /// [`Self::probabilities`] by the copy that is being fine-tuned.
    ///
    /// # Errors
    /// None is, or the worker or its device failed.
    pub async fn tuned_probabilities(&self, features: &[f32]) -> Result<[f32; EMOTIONS], ModelWorkerFailure> {
        self.predict(features, true).await
    }

    async fn predict(&self, features: &[f32], tuned: bool) -> Result<[f32; EMOTIONS], ModelWorkerFailure> {
        let request = Request::new("video-predict")
            .with("tuned", &tuned.into())
            .with_transferred("features", &Float32Array::from(features));
        let predicted = self.connection.request_watched(request, &self.predictions).await?;
        let probabilities = js::get(&predicted, "probabilities").map(|values| Float32Array::new(&values).to_vec());
        let probabilities = probabilities.as_deref().and_then(<[f32]>::first_chunk);
        probabilities.copied().ok_or_else(|| failed("no probabilities"))
    }

    /// What it makes of [`super::choice::measured_batch`].
    ///
    /// # Errors
    /// The worker or its device failed.
    pub async fn measure(&self) -> Result<Measured, ModelWorkerFailure> {
        let measured = self.connection.request(Request::new("video-measure"), LOAD_TIMEOUT_MS).await?;
        let step_ms = number(&measured, "step_ms").ok_or_else(|| failed("no time of a step"))?;
        Ok(Measured { step_ms, gradient: weights(&measured, "gradient")? })
    }

    /// Begins to fine-tune a copy of the model on `clips`; an earlier run that is not finished is dropped. It goes on from an
    /// encoded `checkpoint`, if that is of the same run. `settings` is the manifest's `learning`.
    ///
    /// # Errors
    /// The clips are not usable, or the worker or its device failed.
    pub async fn begin(
        &self,
        clips: &[Clip],
        settings: &JsValue,
        checkpoint: Option<&[u8]>,
    ) -> Result<(), ModelWorkerFailure> {
        let features: Vec<f32> = clips.iter().flat_map(|clip| &clip.features).copied().collect();
        let targets: Vec<f32> = clips.iter().flat_map(|clip| clip.target).collect();
        let frames = |clip: &Clip| (clip.features.len() / crate::model::vfer::FEATURES) as u32;
        let lengths: Vec<u32> = clips.iter().map(frames).collect();
        let request = Request::new("train-begin")
            .with("settings", settings)
            .with_transferred("features", &Float32Array::from(features.as_slice()))
            .with_transferred("targets", &Float32Array::from(targets.as_slice()))
            .with_transferred("lengths", &Uint32Array::from(lengths.as_slice()));
        let request = match checkpoint {
            Some(checkpoint) => request.with_transferred("checkpoint", &Uint8Array::from(checkpoint)),
            None => request,
        };
        self.connection.request(request, LOAD_TIMEOUT_MS).await.map(|_| ())
    }

    /// Does one step; `None` when there is none left.
    ///
    /// # Errors
    /// The loss is no longer finite, or the worker or its device failed.
    pub async fn step(&self) -> Result<Option<StepReport>, ModelWorkerFailure> {
        let done = self.connection.request_watched(Request::new("train-step"), &self.steps).await?;
        let (Some(step), Some(steps), Some(loss)) =
            (number(&done, "step"), number(&done, "steps"), number(&done, "loss"))
        else {
            return Ok(None);
        };
        Ok(Some(StepReport { step: step as usize, steps: steps as usize, loss: loss as f32 }))
    }

    /// The encoded [`crate::learning::FineTuneCheckpoint`] after the steps done.
    ///
    /// # Errors
    /// The worker or its device failed.
    pub async fn checkpoint(&self) -> Result<Vec<u8>, ModelWorkerFailure> {
        let data = self.connection.request(Request::new("train-checkpoint"), LOAD_TIMEOUT_MS).await?;
        let bytes = js::get(&data, "checkpoint").ok_or_else(|| failed("no checkpoint"))?;
        Ok(Uint8Array::new(&bytes).to_vec())
    }

    /// Tuned minus base.
    ///
    /// # Errors
    /// The worker or its device failed.
    pub async fn finish(&self) -> Result<Weights, ModelWorkerFailure> {
        let finished = self.connection.request(Request::new("train-finish"), LOAD_TIMEOUT_MS).await?;
        weights(&finished, "delta")
    }
}

fn weights(data: &JsValue, key: &str) -> Result<Weights, ModelWorkerFailure> {
    let bytes = js::get(data, key).ok_or_else(|| failed(&format!("no {key}")))?;
    Weights::from_safetensors(&Uint8Array::new(&bytes).to_vec()).map_err(|error| failed(&error.to_string()))
}

fn number(data: &JsValue, key: &str) -> Option<f64> {
    js::get(data, key).and_then(|value| value.as_f64())
}
