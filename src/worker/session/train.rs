//! Fine-tuning on the clips that wait, step by step, and the check of its result on the hold-out.

use std::cell::RefCell;
use std::rc::Rc;

use gloo::timers::future::TimeoutFuture;

use super::opt_in::Consent;
use super::video_model::VideoModel;
use super::{GlobalModel, Session, post};
use crate::browser::js;
use crate::learning::{Clip, FineTune, FineTuneCheckpoint, HoldOutCheck, HoldOutResult, LearningSettings, StepReport};
use crate::messages::{FromWorker, TrainingReport};
use crate::model::vfer::Vfer;
use crate::protocol::{ClientUpdate, OpenRound};
use crate::weights::Weights;
use crate::worker::error::WorkerError;
use crate::worker::training_pace::Pace;
use crate::worker::video_model::client::VideoModelClient;

/// A checkpoint is written after this many steps.
const CHECKPOINT_STEPS: usize = 4;
/// How often to look whether frames still wait, in milliseconds.
const FRAMES_POLL_MS: u32 = 10;

/// Tuned minus base, and what the hold-out says.
type Trained = (Weights, Option<HoldOutResult>);

/// How a run ends.
enum Ended {
    /// All steps are done.
    Finished(Trained),
    /// The student has opted out or cleared the clips, or the labels have collapsed.
    Cancelled,
    /// It goes on later, from its checkpoint.
    Paused,
}

/// Why a run stops before its next step.
enum Stop {
    Cancelled,
    Paused,
}

/// A fine-tuning run, and what it needs to know of its round.
struct Run<'a> {
    session: &'a Session,
    consent: &'a Consent,
    round: u64,
    settings: &'a LearningSettings,
    clips: Vec<Clip>,
    /// The last encoded [`FineTuneCheckpoint`], of this run or of one that was interrupted: it goes on from there, if need be on
    /// another device.
    checkpoint: RefCell<Option<Vec<u8>>>,
}

impl Session {
    /// Fine-tunes a copy of the global model and checks it on the hold-out, if that has enough clips; `None` if too few clips
    /// wait, the round of the last update is not settled yet, or training was cancelled or is paused. What was interrupted goes on.
    pub(super) async fn train(
        &self,
        consent: &Consent,
        round: &OpenRound,
        global: &GlobalModel,
        settings: &LearningSettings,
    ) -> Result<Option<(ClientUpdate, Option<HoldOutResult>)>, WorkerError> {
        let is_due = {
            let clips = &self.frames.borrow().clips;
            clips.interrupted(round.id).is_some()
                || (clips.under_way().is_none() && clips.waiting() >= (settings.minimum_clips as usize).max(1))
        };
        if !is_due {
            return Ok(None);
        }
        if let Pace::Pause(reason) = self.training_pace(0.0) {
            post(&FromWorker::TrainingPaused { round: round.id, reason });
            return Ok(None);
        }
        let clips = {
            let clips = &mut self.frames.borrow_mut().clips;
            clips.interrupted(round.id).or_else(|| clips.contribute(round.id))
        };
        let Some(clips) = clips else { return Ok(None) };
        // No update is stored before the record says which clips it is of.
        self.keep_clips().await;
        let count = clips.len();
        let paused = self.contribution.borrow_mut().paused.take().filter(|(paused, _)| *paused == round.id);
        let checkpoint = match paused {
            Some((_, checkpoint)) => Some(checkpoint),
            None => self.kept_checkpoint().await,
        };
        let run = Run { session: self, consent, round: round.id, settings, clips, checkpoint: checkpoint.into() };
        let ended = self.train_where_it_is_faster(&run, global).await;
        if let Ok(Ended::Paused) = ended {
            self.contribution.borrow_mut().paused = run.checkpoint.take().map(|checkpoint| (round.id, checkpoint));
            return Ok(None);
        }
        self.drop_checkpoint().await;
        if !matches!(ended, Ok(Ended::Finished(_))) {
            self.frames.borrow_mut().clips.refused(round.id);
        }
        let Ended::Finished((delta, check)) = ended? else { return Ok(None) };
        if !self.is_unsent(round.id) {
            // Its clips were edited or cleared meanwhile: they wait again.
            return Ok(None);
        }
        let num_examples = u32::try_from(count).unwrap_or(u32::MAX);
        let (base_version, metrics) = (round.base_version, self.client_metrics());
        Ok(Some((ClientUpdate { round: round.id, base_version, num_examples, metrics, delta }, check)))
    }

    /// A run that WebGPU breaks off goes on from its last checkpoint on the CPU.
    async fn train_where_it_is_faster(&self, run: &Run<'_>, global: &GlobalModel) -> Result<Ended, WorkerError> {
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
    /// From the checkpoint, if there is one, or else from the beginning.
    async fn by_hand(&self, base: &Vfer) -> Result<Ended, WorkerError> {
        let checkpoint = self.checkpoint.borrow().as_deref().and_then(|bytes| FineTuneCheckpoint::decode(bytes).ok());
        let resumed = checkpoint.and_then(|kept| FineTune::resume(base, self.clips.clone(), self.settings, kept).ok());
        let mut training = match resumed {
            Some(training) => training,
            None => FineTune::new(base, self.clips.clone(), self.settings)?,
        };
        while let Some(done) = training.step()? {
            if is_checkpoint_due(done) {
                self.keep(training.checkpoint().encode()).await;
            }
            match self.before_next_step(done).await {
                Ok(()) => {}
                Err(Stop::Cancelled) => return Ok(Ended::Cancelled),
                Err(Stop::Paused) => {
                    self.keep(training.checkpoint().encode()).await;
                    return Ok(Ended::Paused);
                }
            }
        }
        let mut check = HoldOutCheck::default();
        for clip in self.held_out() {
            let predictions = [base, training.tuned()].map(|vfer| vfer.probabilities(&clip.features));
            check.add(&clip.target, &predictions[0], &predictions[1]);
            TimeoutFuture::new(0).await;
            if self.is_cancelled() {
                return Ok(Ended::Cancelled);
            }
        }
        Ok(Ended::Finished((training.finish(), check.result())))
    }

    /// The same in a worker.
    async fn on_burn(&self, client: &VideoModelClient) -> Result<Ended, WorkerError> {
        let failed = WorkerError::VideoModel;
        let checkpoint = self.checkpoint.borrow().clone();
        let settings = self.session.learning_settings()?;
        client.begin(&self.clips, &settings, checkpoint.as_deref()).await.map_err(failed)?;
        while let Some(done) = client.step().await.map_err(failed)? {
            if is_checkpoint_due(done) {
                self.keep(client.checkpoint().await.map_err(failed)?).await;
            }
            match self.before_next_step(done).await {
                Ok(()) => {}
                Err(Stop::Cancelled) => return Ok(Ended::Cancelled),
                Err(Stop::Paused) => {
                    self.keep(client.checkpoint().await.map_err(failed)?).await;
                    return Ok(Ended::Paused);
                }
            }
        }
        let mut check = HoldOutCheck::default();
        for clip in self.held_out() {
            let before = client.probabilities(&clip.features).await.map_err(failed)?;
            let after = client.tuned_probabilities(&clip.features).await.map_err(failed)?;
            check.add(&clip.target, &before, &after);
            if self.is_cancelled() {
                return Ok(Ended::Cancelled);
            }
        }
        Ok(Ended::Finished((client.finish().await.map_err(failed)?, check.result())))
    }

    /// Remembers where the run is, and writes it on the device if clips are kept there.
    async fn keep(&self, checkpoint: Vec<u8>) {
        self.session.keep_checkpoint(&checkpoint).await;
        *self.checkpoint.borrow_mut() = Some(checkpoint);
    }

    fn held_out(&self) -> Vec<Clip> {
        self.session.frames.borrow().clips.held_out()
    }

    /// Reports a step, and lets frames and messages be handled before the next. After the last step there is nothing to wait for.
    async fn before_next_step(&self, StepReport { step, steps, loss }: StepReport) -> Result<(), Stop> {
        let (round, clips) = (self.round, self.clips.len());
        post(&FromWorker::Training(TrainingReport { round, step, steps, clips, loss }));
        let waits_since_ms = js::now_ms();
        TimeoutFuture::new(0).await;
        loop {
            if self.is_cancelled() {
                return Err(Stop::Cancelled);
            }
            match self.session.training_pace(js::now_ms() - waits_since_ms) {
                _ if step == steps => return Ok(()),
                Pace::Step => return Ok(()),
                Pace::FramesFirst => TimeoutFuture::new(FRAMES_POLL_MS).await,
                Pace::Pause(reason) => {
                    post(&FromWorker::TrainingPaused { round, reason });
                    return Err(Stop::Paused);
                }
            }
        }
    }

    /// Whether the student has opted out or cleared the clips, or the labels have collapsed, since training began.
    fn is_cancelled(&self) -> bool {
        let session = self.session;
        !self.consent.is_valid()
            || !session.is_unsent(self.round)
            || session.frames.borrow().intake.pauses_contributing()
    }
}

fn is_checkpoint_due(done: StepReport) -> bool {
    done.step.is_multiple_of(CHECKPOINT_STEPS) && done.step < done.steps
}
