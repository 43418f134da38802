//! What runs the global video model: the hand-written code on this thread for the paper's architecture, burn in a worker for
//! all others. The paper's is trained on burn, too, where WebGPU does that faster.

use std::rc::Rc;

use super::manifest::SessionManifest;
use super::{GlobalModel, Session, post};
use crate::browser::js;
use crate::emotion::EMOTIONS;
use crate::insertion_sort::median;
use crate::learning::{AdamSettings, Clip, Trainer};
use crate::messages::{Backend, FromWorker, ModelWorkerFailure, VideoModelReason, VideoModelReport};
use crate::model::vfer::{Vfer, VferArchitecture};
use crate::weights::Weights;
use crate::worker::connection::Connection;
use crate::worker::error::WorkerError;
use crate::worker::video_model::choice::{MEASURED_STEPS, Measured, choose, measured_batch};
use crate::worker::video_model::client::VideoModelClient;

/// What runs the global model.
#[derive(Clone)]
pub(super) enum VideoModel {
    /// The hand-written code, here: the paper's architecture.
    ByHand(Rc<Vfer>),
    /// burn, in a worker: any other.
    OnBurn(Rc<VideoModelClient>),
}

impl GlobalModel {
    /// The paper's model, which a recipe can build on; absent for any other architecture.
    pub(super) fn by_hand(&self) -> Option<&Rc<Vfer>> {
        match &self.video_model {
            VideoModel::ByHand(vfer) => Some(vfer),
            VideoModel::OnBurn(_) => None,
        }
    }
}

impl Session {
    /// The global model that the manifest names.
    ///
    /// # Errors
    /// Its weights cannot be had or used, this version does not know its architecture, or no worker can run it.
    pub(super) async fn load_global_model(&self, manifest: &SessionManifest) -> Result<GlobalModel, WorkerError> {
        manifest.model.architecture.check()?;
        let weights = Rc::new(self.vfer_weights(manifest).await?);
        let architecture = VferArchitecture::of(&weights)?;
        if architecture != manifest.model.architecture {
            return Err(WorkerError::malformed("the global model is of another architecture than the manifest says"));
        }
        let video_model = if architecture.is_paper() {
            VideoModel::ByHand(Rc::new(Vfer::from_weights(&weights)?))
        } else {
            VideoModel::OnBurn(self.load_on_burn(&weights).await?)
        };
        Ok(GlobalModel { version: manifest.model.version, weights, video_model })
    }

    /// Loads a model of another architecture than the paper's: beside the backbone on WebGPU, or else on the CPU.
    async fn load_on_burn(&self, weights: &Weights) -> Result<Rc<VideoModelClient>, WorkerError> {
        let mut reason = VideoModelReason::Architecture;
        if let Some(connection) = self.gpu_connection() {
            match VideoModelClient::load(Some(&connection), weights).await {
                Ok(client) => {
                    report(client.backend(), reason);
                    return Ok(Rc::new(client));
                }
                Err(failure) => reason = VideoModelReason::Failed { failure },
            }
        }
        let client = VideoModelClient::load(None, weights).await.map_err(WorkerError::VideoModel)?;
        report(client.backend(), reason);
        Ok(Rc::new(client))
    }

    fn gpu_connection(&self) -> Option<Rc<Connection>> {
        self.models.borrow().as_ref().and_then(|models| models.extractors.gpu_connection())
    }

    /// Replaces a model on WebGPU, which has failed, by one on the CPU.
    pub(super) async fn replace_failed(
        &self,
        global: &GlobalModel,
        failed: &Rc<VideoModelClient>,
        failure: ModelWorkerFailure,
    ) -> Result<Rc<VideoModelClient>, WorkerError> {
        // Another frame, or training, may have replaced it already.
        if let Some(VideoModel::OnBurn(client)) = self.global_model.borrow().as_ref().map(|global| &global.video_model)
            && !Rc::ptr_eq(client, failed)
        {
            return Ok(client.clone());
        }
        if failed.backend() == Backend::Cpu {
            return Err(WorkerError::VideoModel(failure));
        }
        let client = Rc::new(VideoModelClient::load(None, &global.weights).await.map_err(WorkerError::VideoModel)?);
        report(Backend::Cpu, VideoModelReason::Failed { failure });
        if let Some(current) = self.global_model.borrow_mut().as_mut().filter(|now| now.version == global.version) {
            current.video_model = VideoModel::OnBurn(client.clone());
        }
        Ok(client)
    }

    /// Probabilities of a clip's `features`, `[frames, FEATURES]`, by a model on burn. If WebGPU fails, the CPU takes over.
    ///
    /// # Errors
    /// The CPU fails, too.
    pub(super) async fn predict_on_burn(
        &self,
        global: &GlobalModel,
        client: &Rc<VideoModelClient>,
        features: &[f32],
    ) -> Result<[f32; EMOTIONS], WorkerError> {
        match client.probabilities(features).await {
            Ok(probabilities) => Ok(probabilities),
            Err(failure) => {
                let client = self.replace_failed(global, client, failure).await?;
                client.probabilities(features).await.map_err(WorkerError::VideoModel)
            }
        }
    }

    /// The worker that trains the paper's model faster than this thread does, if there is one: measured once for each
    /// backbone that runs on WebGPU.
    pub(super) async fn faster_trainer(&self, vfer: &Vfer, weights: &Weights) -> Option<VideoModelClient> {
        let Some(connection) = self.gpu_connection() else {
            report(Backend::Cpu, VideoModelReason::NoWebgpu);
            return None;
        };
        if self.trains_on_gpu.get() == Some(false) {
            return None;
        }
        let loaded = VideoModelClient::load(Some(&connection), weights).await;
        let (client, measured) = match loaded {
            Ok(client) if self.trains_on_gpu.get() == Some(true) => return Some(client),
            Ok(client) => {
                let measured = client.measure().await;
                (Some(client), measured)
            }
            Err(failure) => (None, Err(failure)),
        };
        let chosen = choose(&measure_by_hand(vfer), measured);
        let on_gpu = chosen.backend == Backend::Webgpu;
        self.trains_on_gpu.set(Some(on_gpu));
        post(&FromWorker::VideoModel(chosen));
        client.filter(|_| on_gpu)
    }

    /// Training of the paper's model failed on WebGPU: it is not tried there again.
    pub(super) fn train_by_hand_from_now_on(&self, failure: ModelWorkerFailure) {
        self.trains_on_gpu.set(Some(false));
        report(Backend::Cpu, VideoModelReason::Failed { failure });
    }
}

fn report(backend: Backend, reason: VideoModelReason) {
    post(&FromWorker::VideoModel(VideoModelReport { backend, reason }));
}

/// What this thread makes of [`measured_batch`].
fn measure_by_hand(vfer: &Vfer) -> Measured {
    let clips = measured_batch();
    let batch: Vec<&Clip> = clips.iter().collect();
    let mut trainer = Trainer::new(vfer.clone(), AdamSettings::with_learning_rate(1e-5));
    trainer.step(&batch);
    let gradient = trainer.gradient().to_weights();
    let mut times = [0.0; MEASURED_STEPS];
    for time in &mut times {
        let started_ms = js::now_ms();
        trainer.step(&batch);
        *time = js::now_ms() - started_ms;
    }
    Measured { step_ms: median(&mut times).unwrap_or_default(), gradient }
}
