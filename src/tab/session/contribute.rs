//! The client update: from clips that wait to bytes that the aggregator has acknowledged.

use std::rc::Rc;

use gloo::timers::future::TimeoutFuture;

use super::wish::Consent;
use super::{Central, Session, post};
use crate::learning::{FineTune, LearningSettings};
use crate::protocol::{ClientUpdate, OpenRound, ProblemCode};
use crate::tab::clips::Stage;
use crate::tab::error::TabError;
use crate::tab::message::{FromWorker, TrainingReport, UploadReport, UploadState};

/// The update on its way. What became of its clips is in [`crate::tab::clips::ClipStore`].
#[derive(Default)]
pub(super) struct Contribution {
    /// The body that is not acknowledged yet, for the round that the clip store has under way. Also on the device, so
    /// that a reload does not lose it.
    pending: Option<Vec<u8>>,
    /// It is on its way, or its answer is being taken down.
    pub(super) sending: bool,
}

impl Session {
    /// Takes up what an earlier visit of this participant sent or wanted to send.
    pub(super) async fn restore_contribution(&self) {
        let acknowledged = self.saved.borrow().as_ref().and_then(|saved| saved.acknowledged_round);
        let pending = self.storage.pending().await;
        let round = pending.as_deref().and_then(|body| ClientUpdate::decode(body).ok()).map(|update| update.round);
        match round.filter(|round| acknowledged != Some(*round)) {
            Some(round) => {
                self.contribution.borrow_mut().pending = pending;
                // That visit may have sent it.
                self.view.borrow_mut().clips.resume(round, Stage::Unanswered);
            }
            None => {
                if let Some(round) = acknowledged {
                    self.view.borrow_mut().clips.resume(round, Stage::Acknowledged);
                }
                if pending.is_some() {
                    self.drop_pending().await;
                }
            }
        }
    }

    /// Settles the clips of an update whose round has ended; an update that was not acknowledged leaves the device.
    pub(super) async fn settle_contribution(&self) -> Result<(), TabError> {
        let manifest = self.manifest()?;
        let open = manifest.round.as_ref().map(|round| round.id);
        let settled = self.view.borrow_mut().clips.settle(open, &manifest.recent_rounds);
        if settled.is_some() {
            self.drop_pending().await;
        }
        Ok(())
    }

    /// Trains and sends, if a round is open, the student contributes, and there is enough to learn from.
    pub(super) async fn contribute_if_due(self: &Rc<Self>) -> Result<(), TabError> {
        let Some(consent) = self.wish.consent() else { return Ok(()) };
        let manifest = self.manifest()?;
        let (Some(round), Some(central)) = (manifest.round, self.central.borrow().clone()) else { return Ok(()) };
        let acknowledged = self.saved.borrow().as_ref().is_some_and(|saved| saved.acknowledged_round == Some(round.id));
        if acknowledged || round.base_version != central.version {
            return Ok(());
        }
        let is_for_this_round =
            self.view.borrow().clips.under_way().is_some_and(|(under_way, _)| under_way == round.id);
        let pending = self.contribution.borrow().pending.clone().filter(|_| is_for_this_round);
        let body = match pending {
            Some(body) => body,
            None => {
                let Some(update) = self.train(&consent, &round, &central, &manifest.learning).await? else {
                    return Ok(());
                };
                let body = update.encode_as(manifest.learning.update_encoding, self.rounding_seed(round.id));
                self.storage.save_pending(&body).await;
                if !consent.holds() {
                    // It may have been saved after it was deleted.
                    self.storage.delete_pending().await;
                    return Ok(());
                }
                self.contribution.borrow_mut().pending = Some(body.clone());
                body
            }
        };
        let sent = self.send(&consent, &round, &body).await;
        self.contribution.borrow_mut().sending = false;
        sent
    }

    /// Another one for each participant and round, so that errors of rounding do not add up; the same after a crash.
    fn rounding_seed(&self, round: u64) -> u64 {
        let saved = self.saved.borrow();
        let id = saved.as_ref().and_then(|saved| saved.participant.get(..16));
        round ^ id.and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or_default()
    }

    /// Fine-tunes a copy of the central VFER; `None` if there is not enough to learn from, the fate of the last update is not
    /// out yet, or the student opted out meanwhile.
    async fn train(
        &self,
        consent: &Consent,
        round: &OpenRound,
        central: &Central,
        settings: &LearningSettings,
    ) -> Result<Option<ClientUpdate>, TabError> {
        let clips = {
            let clips = &mut self.view.borrow_mut().clips;
            if clips.waiting() < settings.minimum_clips as usize {
                return Ok(None);
            }
            clips.contribute(round.id)
        };
        let Some(clips) = clips else { return Ok(None) };
        let count = clips.len();
        let result = self.train_on(consent, round, central, settings, clips).await;
        if !matches!(result, Ok(Some(_))) {
            self.view.borrow_mut().clips.refused(round.id);
        }
        let Some(delta) = result? else { return Ok(None) };
        let num_examples = u32::try_from(count).unwrap_or(u32::MAX);
        Ok(Some(ClientUpdate { round: round.id, base_version: round.base_version, num_examples, delta }))
    }

    async fn train_on(
        &self,
        consent: &Consent,
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
            if !consent.holds() {
                return Ok(None);
            }
        }
        Ok(Some(training.finish()))
    }

    async fn send(self: &Rc<Self>, consent: &Consent, round: &OpenRound, body: &[u8]) -> Result<(), TabError> {
        let update = ClientUpdate::decode(body).map_err(|error| TabError::answer(error.to_string()))?;
        let report = |state| {
            post(&FromWorker::Upload(UploadReport {
                round: round.id,
                bytes: body.len() as u64,
                clips: update.num_examples,
                state,
            }));
        };
        if !consent.holds() {
            return Ok(());
        }
        let leaving = || {
            report(UploadState::Sending);
            self.view.borrow_mut().clips.sending(round.id);
            self.contribution.borrow_mut().sending = true;
        };
        match self.aggregator.send_update(&update, body, consent.signal(), leaving).await {
            Ok(_) => {}
            // An earlier visit of this participant was faster, with other clips: these wait for the next round.
            Err(error) if error.code() == Some(ProblemCode::AlreadyReceived) => {
                report(UploadState::Refused(error.to_string()));
                self.give_up(round.id).await;
                self.acknowledge(round.id).await;
                return Ok(());
            }
            Err(error) if matches!(error.code(), Some(ProblemCode::StaleBase | ProblemCode::RoundNotOpen)) => {
                report(UploadState::Refused(error.to_string()));
                self.give_up(round.id).await;
                self.aggregator.expect_whole_manifest();
                self.sync_soon();
                return Ok(());
            }
            Err(error) if matches!(error.code(), Some(ProblemCode::BadUpdate | ProblemCode::TooLarge)) => {
                report(UploadState::Refused(error.to_string()));
                self.give_up(round.id).await;
                // The same clips would be refused again: sit this round out.
                self.acknowledge(round.id).await;
                return Err(error);
            }
            // Opting out broke it off, or came while it failed; `withdraw` has done the rest.
            Err(_) if !consent.holds() => return Ok(()),
            Err(error) => return Err(error),
        }
        report(UploadState::Acknowledged);
        self.view.borrow_mut().clips.acknowledged(round.id);
        self.acknowledge(round.id).await;
        self.drop_pending().await;
        Ok(())
    }

    /// The student opted out: what was not acknowledged is deleted, whatever step it is at. The step ends by itself, since
    /// its [`Consent`] no longer holds.
    pub(super) async fn withdraw(&self) {
        let withdrawn = self.view.borrow_mut().clips.withdraw();
        if let Some((round, stage)) = withdrawn {
            post(&FromWorker::Withdrawn { round, may_have_arrived: stage != Stage::Unsent });
            self.drop_pending().await;
        }
    }

    /// The update for `round` is known not to count.
    async fn give_up(&self, round: u64) {
        self.view.borrow_mut().clips.refused(round);
        self.drop_pending().await;
    }

    async fn drop_pending(&self) {
        self.contribution.borrow_mut().pending = None;
        self.storage.delete_pending().await;
    }

    /// This participant's part in `round` is over.
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
