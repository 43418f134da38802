//! The worker's side: holds one video model and at most one fine-tuning run. [`super`] documents its messages.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::{Float32Array, Object, Uint8Array, Uint32Array};
use wasm_bindgen::prelude::*;

use crate::browser::js;
use crate::emotion::EMOTIONS;
use crate::insertion_sort::median;
use crate::learning::{
    AdamSettings, Clip, FineTuneCheckpoint, LearningSettings, VideoModelFineTune, VideoModelTrainer,
};
use crate::model::burn::{Device, VideoModel};
use crate::model::gpu::GpuContext;
use crate::model::vfer::{FEATURES, softmax};
use crate::weights::Weights;
use crate::worker::video_model::choice::{MEASURED_STEPS, measured_batch};

/// A software adapter takes seconds a step: one that takes longer, in milliseconds, is not measured again.
const LONG_STEP_MS: f64 = 250.0;

/// What the worker holds of a video model.
#[derive(Default)]
pub struct VideoModelService {
    /// The backbone's device, if it runs on WebGPU here.
    context: RefCell<Option<GpuContext>>,
    model: RefCell<Option<Rc<Loaded>>>,
    training: RefCell<Option<VideoModelFineTune>>,
}

struct Loaded {
    weights: Weights,
    model: VideoModel,
    device: Device,
}

impl VideoModelService {
    /// Runs video models on the backbone's device from now on.
    pub fn share(&self, context: GpuContext) {
        *self.context.borrow_mut() = Some(context);
    }

    /// Responds to a request of `kind`.
    ///
    /// # Errors
    /// Why it failed, as diagnostic text.
    pub async fn respond(&self, kind: &str, data: &JsValue) -> Result<Object, String> {
        match kind {
            "video-load" => self.load(data),
            "video-predict" => self.predict(data).await,
            "video-measure" => self.measure().await,
            "train-begin" => self.begin(data).await,
            "train-step" => self.step().await,
            "train-checkpoint" => self.checkpoint().await,
            "train-finish" => self.finish().await,
            other => Err(format!("unknown message kind {other}")),
        }
    }

    fn load(&self, data: &JsValue) -> Result<Object, String> {
        let weights = Weights::from_safetensors(&Uint8Array::new(&field(data, "weights")?).to_vec()).map_err(text)?;
        let context = self.context.borrow().clone();
        let device = context.as_ref().map_or(Ok(Device::flex()), GpuContext::burn_device).map_err(text)?;
        let model = VideoModel::from_weights(&weights, &device).map_err(text)?;
        *self.model.borrow_mut() = Some(Rc::new(Loaded { weights, model, device }));
        let loaded = Object::new();
        js::set(&loaded, "on_gpu", &context.is_some().into());
        Ok(loaded)
    }

    fn loaded(&self) -> Result<Rc<Loaded>, String> {
        self.model.borrow().clone().ok_or_else(|| "no video model is loaded".to_owned())
    }

    async fn predict(&self, data: &JsValue) -> Result<Object, String> {
        let features = Float32Array::new(&field(data, "features")?).to_vec();
        let is_tuned = field(data, "tuned")?.is_truthy();
        let tuned = self.training.borrow().as_ref().map(|training| training.tuned().clone()).filter(|_| is_tuned);
        let logits = match tuned {
            Some(tuned) => tuned.logits(&[&features]).await.map_err(text)?,
            None if is_tuned => return Err("no training has begun".to_owned()),
            None => self.loaded()?.model.logits(&[&features]).await.map_err(text)?,
        };
        let probabilities = softmax(logits.first().ok_or("there are no logits")?);
        let predicted = Object::new();
        js::set(&predicted, "probabilities", &Float32Array::from(&probabilities[..]));
        Ok(predicted)
    }

    /// The gradient of [`measured_batch`], and the time of training steps on it.
    async fn measure(&self) -> Result<Object, String> {
        let loaded = self.loaded()?;
        let clips = measured_batch();
        let batch: Vec<&Clip> = clips.iter().collect();
        let settings = AdamSettings::with_learning_rate(1e-5);
        let mut trainer = VideoModelTrainer::new(&loaded.weights, settings, &loaded.device).map_err(text)?;
        let (_, gradient) = trainer.loss_and_gradient(&batch).await.map_err(text)?;
        trainer.step(&batch, None).await.map_err(text)?;
        let mut times = Vec::with_capacity(MEASURED_STEPS);
        for _ in 0..MEASURED_STEPS {
            let started_ms = js::now_ms();
            trainer.step(&batch, None).await.map_err(text)?;
            let step_ms = js::now_ms() - started_ms;
            times.push(step_ms);
            if step_ms > LONG_STEP_MS {
                break;
            }
        }
        let measured = Object::new();
        js::set(&measured, "step_ms", &median(&mut times).into());
        js::set(&measured, "gradient", &Uint8Array::from(gradient.to_safetensors(None).as_slice()));
        Ok(measured)
    }

    async fn begin(&self, data: &JsValue) -> Result<Object, String> {
        let loaded = self.loaded()?;
        let settings: LearningSettings = serde_wasm_bindgen::from_value(field(data, "settings")?).map_err(text)?;
        let features = Float32Array::new(&field(data, "features")?).to_vec();
        let targets = Float32Array::new(&field(data, "targets")?).to_vec();
        let mut rest = features.as_slice();
        let mut clips = Vec::new();
        let lengths = Uint32Array::new(&field(data, "lengths")?).to_vec();
        for (length, target) in lengths.into_iter().zip(targets.as_chunks::<EMOTIONS>().0) {
            let clip = rest.split_off(..length as usize * FEATURES).ok_or("the clips are cut short")?;
            clips.push(Clip { features: clip.to_vec(), target: *target });
        }
        let Loaded { weights, device, .. } = &*loaded;
        let checkpoint = js::get(data, "checkpoint").map(|bytes| Uint8Array::new(&bytes).to_vec());
        let resumed = match checkpoint.and_then(|bytes| FineTuneCheckpoint::decode(&bytes).ok()) {
            Some(kept) => VideoModelFineTune::resume(weights, clips.clone(), &settings, device, kept).await.ok(),
            None => None,
        };
        let tuning = match resumed {
            Some(tuning) => tuning,
            None => VideoModelFineTune::new(weights, clips, &settings, device).await.map_err(text)?,
        };
        let begun = Object::new();
        js::set(&begun, "steps", &(tuning.steps() as f64).into());
        *self.training.borrow_mut() = Some(tuning);
        Ok(begun)
    }

    async fn step(&self) -> Result<Object, String> {
        let mut training = self.training.take().ok_or("no training has begun")?;
        let report = training.step().await.map_err(text)?;
        *self.training.borrow_mut() = Some(training);
        let done = Object::new();
        if let Some(report) = report {
            js::set(&done, "step", &(report.step as f64).into());
            js::set(&done, "steps", &(report.steps as f64).into());
            js::set(&done, "loss", &report.loss.into());
        }
        Ok(done)
    }

    async fn checkpoint(&self) -> Result<Object, String> {
        let training = self.training.take().ok_or("no training has begun")?;
        let checkpoint = training.checkpoint().await;
        *self.training.borrow_mut() = Some(training);
        let encoded = Object::new();
        js::set(&encoded, "checkpoint", &Uint8Array::from(checkpoint.map_err(text)?.encode().as_slice()));
        Ok(encoded)
    }

    async fn finish(&self) -> Result<Object, String> {
        let training = self.training.take().ok_or("no training has begun")?;
        let delta = training.finish().await.map_err(text)?;
        let finished = Object::new();
        js::set(&finished, "delta", &Uint8Array::from(delta.to_safetensors(None).as_slice()));
        Ok(finished)
    }
}

fn field(data: &JsValue, key: &str) -> Result<JsValue, String> {
    js::get(data, key).ok_or_else(|| format!("the message has no {key}"))
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
