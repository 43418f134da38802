//! Fine-tuning on the clips that wait, step by step, and the check of its result on the hold-out.

use std::rc::Rc;

use gloo::timers::future::TimeoutFuture;

use super::opt_in::Consent;
use super::video_model::VideoModel;
use super::{GlobalModel, Session, post};
use crate::learning::{Clip, FineTune, HoldOutCheck, HoldOutResult, LearningSettings, StepReport};
use crate::messages::{FromWorker, TrainingReport};
use crate::model::vfer::Vfer;
use crate::protocol::{ClientUpdate, OpenRound};
use crate::weights::Weights;
use crate::worker::error::WorkerError;
use crate::worker::video_model::client::VideoModelClient;

/// Tuned minus base, and what the hold-out says.
type Trained = (Weights, Option<HoldOutResult>);

/// A fine-tuning run, and what it needs to know of its round.
struct Run<'a> {
    session: &'a Session,
    consent: &'a Consent,
    round: u64,
    settings: &'a LearningSettings,
    clips: Vec<Clip>,
}

impl Session {
    /// Fine-tunes a copy of the global model and checks it on the hold-out, if that has enough clips; `None` if too few clips
    /// wait, the round of the last update is not settled yet, or training was cancelled.
    pub(super) async fn train(
        &self,
        consent: &Consent,
        round: &OpenRound,
        global: &GlobalModel,
        settings: &LearningSettings,
    ) -> Result<Option<(ClientUpdate, Option<HoldOutResult>)>, WorkerError> {
        let clips = {
            let clips = &mut self.frames.borrow_mut().clips;
            if clips.waiting() < settings.minimum_clips as usize {
                return Ok(None);
            }
            clips.contribute(round.id)
        };
        let Some(clips) = clips else { return Ok(None) };
        let count = clips.len();
        let run = Run { session: self, consent, round: round.id, settings, clips };
        let result = self.train_where_it_is_faster(&run, global).await;
        if !matches!(result, Ok(Some(_))) {
            self.frames.borrow_mut().clips.refused(round.id);
        }
        let Some((delta, check)) = result? else { return Ok(None) };
        let num_examples = u32::try_from(count).unwrap_or(u32::MAX);
        Ok(Some((ClientUpdate { round: round.id, base_version: round.base_version, num_examples, delta }, check)))
    }

    /// A run that WebGPU breaks off begins again on the CPU, from the same base and with the same clips.
    async fn train_where_it_is_faster(
        &self,
        run: &Run<'_>,
        global: &GlobalModel,
    ) -> Result<Option<Trained>, WorkerError> {
        match &global.video_model {
            VideoModel::ByHand(vfer) => {
                if let Some(client) = self.faster_trainer(vfer, &global.weights).await {
                    match run.on_burn(&client).await {
                        Err(WorkerError::VideoModel(failure)) => self.train_by_hand_from_now_on(failure),
                        finished => return finished,
                    }
                }
                run.by_hand(vfer).await
            }
            VideoModel::OnBurn(client) => match run.on_burn(client).await {
                Err(WorkerError::VideoModel(failure)) => {
                    let client: Rc<VideoModelClient> = self.replace_failed(global, client, failure).await?;
                    run.on_burn(&client).await
                }
                finished => finished,
            },
        }
    }
}

impl Run<'_> {
    async fn by_hand(&self, base: &Vfer) -> Result<Option<Trained>, WorkerError> {
        let mut training = FineTune::new(base, self.clips.clone(), self.settings)?;
        while let Some(done) = training.step()? {
            if self.is_cancelled_after(done).await {
                return Ok(None);
            }
        }
        let mut check = HoldOutCheck::default();
        for clip in self.held_out() {
            let predictions = [base, training.tuned()].map(|vfer| vfer.probabilities(&clip.features));
            check.add(&clip.target, &predictions[0], &predictions[1]);
            TimeoutFuture::new(0).await;
            if self.is_cancelled() {
                return Ok(None);
            }
        }
        Ok(Some((training.finish(), check.result())))
    }

    async fn on_burn(&self, client: &VideoModelClient) -> Result<Option<Trained>, WorkerError> {
        let failed = WorkerError::VideoModel;
        client.begin(&self.clips, self.settings).await.map_err(failed)?;
        while let Some(done) = client.step().await.map_err(failed)? {
            if self.is_cancelled_after(done).await {
                return Ok(None);
            }
        }
        let mut check = HoldOutCheck::default();
        for clip in self.held_out() {
            let before = client.probabilities(&clip.features).await.map_err(failed)?;
            let after = client.tuned_probabilities(&clip.features).await.map_err(failed)?;
            check.add(&clip.target, &before, &after);
            if self.is_cancelled() {
                return Ok(None);
            }
        }
        Ok(Some((client.finish().await.map_err(failed)?, check.result())))
    }

    fn held_out(&self) -> Vec<Clip> {
        self.session.frames.borrow().clips.held_out().to_vec()
    }

    /// Reports a step, and lets frames and messages be handled before the next.
    async fn is_cancelled_after(&self, StepReport { step, steps, loss }: StepReport) -> bool {
        let (round, clips) = (self.round, self.clips.len());
        post(&FromWorker::Training(TrainingReport { round, step, steps, clips, loss }));
        TimeoutFuture::new(0).await;
        self.is_cancelled()
    }

    /// Whether the student has opted out or cleared the clips, or the labels have collapsed, since training began.
    fn is_cancelled(&self) -> bool {
        let session = self.session;
        !self.consent.is_valid()
            || !session.is_unsent(self.round)
            || session.frames.borrow().intake.pauses_contributing()
    }
}
