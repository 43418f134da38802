//! Fine-tuning on the clips that wait, step by step, and the check of its result on the hold-out.

use gloo::timers::future::TimeoutFuture;

use super::opt_in::Consent;
use super::{GlobalModel, Session, post};
use crate::learning::{Clip, FineTune, HoldOutCheck, HoldOutResult, LearningSettings};
use crate::messages::{FromWorker, TrainingReport};
use crate::protocol::{ClientUpdate, OpenRound};
use crate::weights::Weights;
use crate::worker::error::WorkerError;

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
        let result = self.train_on(consent, round, global, settings, clips).await;
        if !matches!(result, Ok(Some(_))) {
            self.frames.borrow_mut().clips.refused(round.id);
        }
        let Some((delta, check)) = result? else { return Ok(None) };
        let num_examples = u32::try_from(count).unwrap_or(u32::MAX);
        Ok(Some((ClientUpdate { round: round.id, base_version: round.base_version, num_examples, delta }, check)))
    }

    async fn train_on(
        &self,
        consent: &Consent,
        round: &OpenRound,
        global: &GlobalModel,
        settings: &LearningSettings,
        clips: Vec<Clip>,
    ) -> Result<Option<(Weights, Option<HoldOutResult>)>, WorkerError> {
        let count = clips.len();
        let mut training = FineTune::new(&global.vfer, clips, settings)?;
        while let Some(done) = training.step()? {
            let (step, steps, loss) = (done.step, done.steps, done.loss);
            post(&FromWorker::Training(TrainingReport { round: round.id, step, steps, clips: count, loss }));
            // Frames and messages are handled between steps.
            TimeoutFuture::new(0).await;
            if self.is_cancelled(consent, round.id) {
                return Ok(None);
            }
        }
        let held_out = self.frames.borrow().clips.held_out().to_vec();
        let mut check = HoldOutCheck::default();
        for clip in &held_out {
            check.add(&global.vfer, training.tuned(), clip);
            TimeoutFuture::new(0).await;
            if self.is_cancelled(consent, round.id) {
                return Ok(None);
            }
        }
        Ok(Some((training.finish(), check.result())))
    }

    /// Whether the student has opted out or cleared the clips, or the labels have collapsed, since training began.
    fn is_cancelled(&self, consent: &Consent, round: u64) -> bool {
        !consent.is_valid() || !self.is_unsent(round) || self.frames.borrow().intake.pauses_contributing()
    }
}
