//! The client update: from clips that wait to bytes that the aggregator has acknowledged.

use std::rc::Rc;

use gloo::timers::future::TimeoutFuture;

use super::{Central, Session, post};
use crate::learning::FineTune;
use crate::protocol::{ClientUpdate, LearningSettings, OpenRound, ProblemCode};
use crate::tab::error::TabError;
use crate::tab::message::{FromWorker, TrainingReport, UploadReport, UploadState};

/// How far this tab's part in a round is.
#[derive(Default)]
pub(super) struct Contribution {
    /// The body that is not acknowledged yet. Also on the device, so that a reload does not lose it.
    pending: Option<Vec<u8>>,
    /// Round and base version of the update whose clips are set aside.
    sent: Option<(u64, u64)>,
}

impl Contribution {
    /// Takes up what an earlier visit could not send.
    pub(super) fn restore(&mut self, pending: Option<Vec<u8>>) {
        self.pending = pending;
    }
}

impl Session {
    /// Lets go of the clips of a round that was published; takes back those of one that came to nothing.
    pub(super) async fn settle_contribution(&self) -> Result<(), TabError> {
        let manifest = self.manifest()?;
        let Some((round, base_version)) = self.contribution.borrow().sent else { return Ok(()) };
        let is_open = manifest.round.as_ref().is_some_and(|open| open.id == round);
        let published = manifest.model.version > base_version;
        if published {
            self.view.borrow_mut().clips.release_contributed();
        } else if !is_open {
            self.view.borrow_mut().clips.return_contributed();
        } else {
            return Ok(());
        }
        self.contribution.borrow_mut().sent = None;
        self.drop_pending().await;
        Ok(())
    }

    /// Trains and sends, if a round is open, the student contributes, and there is enough to learn from.
    pub(super) async fn contribute_if_due(self: &Rc<Self>) -> Result<(), TabError> {
        let manifest = self.manifest()?;
        let (Some(round), Some(central)) = (manifest.round, self.central.borrow().clone()) else { return Ok(()) };
        let acknowledged = self.saved.borrow().as_ref().is_some_and(|saved| saved.acknowledged_round == Some(round.id));
        if !self.contribute.get() || acknowledged || round.base_version != central.version {
            return Ok(());
        }
        let pending = self.contribution.borrow().pending.clone();
        let pending = pending.filter(|body| ClientUpdate::decode(body).is_ok_and(|update| update.round == round.id));
        let body = match pending {
            Some(body) => body,
            None => {
                let waiting = self.view.borrow().clips.waiting();
                if waiting == 0 || waiting < manifest.learning.minimum_clips as usize {
                    return Ok(());
                }
                let Some(update) = self.train(&round, &central, &manifest.learning).await? else { return Ok(()) };
                let body = update.encode();
                self.storage.save_pending(&body).await;
                self.contribution.borrow_mut().pending = Some(body.clone());
                body
            }
        };
        self.send(&round, &body).await
    }

    /// Fine-tunes a copy of the central VFER; `None` if the student opted out meanwhile.
    async fn train(
        &self,
        round: &OpenRound,
        central: &Central,
        settings: &LearningSettings,
    ) -> Result<Option<ClientUpdate>, TabError> {
        let clips = self.view.borrow_mut().clips.contribute();
        let count = clips.len();
        self.contribution.borrow_mut().sent = Some((round.id, round.base_version));
        let result = self.train_on(round, central, settings, clips).await;
        if !matches!(result, Ok(Some(_))) {
            self.view.borrow_mut().clips.return_contributed();
            self.contribution.borrow_mut().sent = None;
        }
        let Some(delta) = result? else { return Ok(None) };
        let clips = u32::try_from(count).unwrap_or(u32::MAX);
        Ok(Some(ClientUpdate { round: round.id, base_version: round.base_version, clips, delta }))
    }

    async fn train_on(
        &self,
        round: &OpenRound,
        central: &Central,
        settings: &LearningSettings,
        clips: Vec<crate::learning::Clip>,
    ) -> Result<Option<crate::weights::Weights>, TabError> {
        let count = clips.len();
        let mut training = FineTune::new(&central.vfer, clips, settings)?;
        while let Some(done) = training.step()? {
            let (step, steps, loss) = (done.step, done.steps, done.loss);
            post(&FromWorker::Training(TrainingReport { round: round.id, step, steps, clips: count, loss }));
            // Lets frames and messages through between steps.
            TimeoutFuture::new(0).await;
            if !self.contribute.get() {
                return Ok(None);
            }
        }
        Ok(Some(training.finish()))
    }

    async fn send(self: &Rc<Self>, round: &OpenRound, body: &[u8]) -> Result<(), TabError> {
        let update = ClientUpdate::decode(body).map_err(|error| TabError::Answer(error.to_string()))?;
        let report = |state| {
            post(&FromWorker::Upload(UploadReport {
                round: round.id,
                bytes: body.len() as u64,
                tensors: update.delta.iter().map(|(name, tensor)| (name.to_owned(), tensor.shape.clone())).collect(),
                clips: update.clips,
                state,
            }));
        };
        report(UploadState::Sending);
        match self.aggregator.send_update(round.id, body).await {
            Ok(_) => {}
            // An earlier visit of this participant was faster, with other clips.
            Err(error) if error.code() == Some(ProblemCode::AlreadyReceived) => {}
            Err(error) if matches!(error.code(), Some(ProblemCode::StaleBase | ProblemCode::RoundNotOpen)) => {
                report(UploadState::Refused(error.to_string()));
                self.give_up().await;
                self.aggregator.expect_whole_manifest();
                self.sync_soon();
                return Ok(());
            }
            Err(error) if matches!(error.code(), Some(ProblemCode::BadUpdate | ProblemCode::TooLarge)) => {
                report(UploadState::Refused(error.to_string()));
                self.give_up().await;
                // The same clips would be refused again: sit this round out.
                self.acknowledge(round.id).await;
                return Err(error);
            }
            Err(error) => return Err(error),
        }
        report(UploadState::Acknowledged);
        self.drop_pending().await;
        self.acknowledge(round.id).await;
        Ok(())
    }

    /// The student opted out: what was not sent is deleted, and its clips wait.
    pub(super) async fn withdraw(&self) {
        let unsent = self.contribution.borrow().pending.is_some();
        if unsent {
            self.give_up().await;
        }
    }

    async fn give_up(&self) {
        self.drop_pending().await;
        self.contribution.borrow_mut().sent = None;
        self.view.borrow_mut().clips.return_contributed();
    }

    async fn drop_pending(&self) {
        self.contribution.borrow_mut().pending = None;
        self.storage.delete_pending().await;
    }

    async fn acknowledge(&self, round: u64) {
        let saved = self.saved.borrow_mut().as_mut().map(|saved| {
            saved.acknowledged_round = Some(round);
            saved.clone()
        });
        if let Some(saved) = saved {
            self.storage.save_session(&saved).await;
        }
    }
}
