//! Contributing: fine-tuning on the clips that wait, when it is due, and sending the client update until the aggregator
//! acknowledges it.

use std::rc::Rc;

use super::opt_in::Consent;
use super::{Session, post};
use crate::learning::HoldOutResult;
use crate::messages::{FromWorker, UploadReport, UploadState, device};
use crate::protocol::{ClientUpdate, OpenRound, ProblemCode};
use crate::worker::clips::Stage;
use crate::worker::error::WorkerError;

/// The update under way. The state of its clips is in [`crate::worker::clips::ClipStore`].
#[derive(Default)]
pub(super) struct Contribution {
    /// The encoded update that is not acknowledged yet, for the round that the clip store has under way. It is also stored
    /// on the device, so that a reload does not lose it.
    pending: Option<Vec<u8>>,
    /// `pending` is not sent, nor stored, unless the student says so: it is worse than its base on the hold-out.
    pub(super) is_withheld: bool,
    /// The encoded checkpoint of training that is paused, and for which round.
    pub(super) paused: Option<(u64, Vec<u8>)>,
    /// It is about to be sent, being sent, or its outcome is being recorded.
    pub(super) sending: bool,
}

impl Contribution {
    /// Whether there is an update that is not acknowledged, and may be sent.
    pub(super) fn is_stored(&self) -> bool {
        self.pending.is_some() && !self.is_withheld
    }
}

impl Session {
    /// Resumes what an earlier visit of this participant sent or was about to send.
    pub(super) async fn restore_contribution(&self) {
        let acknowledged = self.stored.borrow().as_ref().and_then(|stored| stored.acknowledged_round);
        let stored = self.storage.get(device::PENDING_UPDATE).await;
        let round = stored.as_deref().and_then(|body| ClientUpdate::decode(body).ok()).map(|update| update.round);
        let pending = round.filter(|round| acknowledged != Some(*round));
        self.frames.borrow_mut().clips.resume(pending, acknowledged);
        if pending.is_some() {
            self.contribution.borrow_mut().pending = stored;
        } else if stored.is_some() {
            self.drop_pending().await;
        }
    }

    /// Settles the clips of an update whose round has ended, and deletes the update if it was not acknowledged.
    pub(super) async fn settle_contribution(&self) -> Result<(), WorkerError> {
        let manifest = self.manifest()?;
        let open = manifest.round.as_ref().map(|round| round.id);
        let settled = self.frames.borrow_mut().clips.settle(open, &manifest.recent_rounds);
        if settled.is_some() {
            self.drop_pending().await;
        }
        Ok(())
    }

    /// Fine-tunes and sends, if a round is open, the student has opted in, enough clips wait, and their labels are sound. An
    /// update that is worse than its base on the hold-out is withheld.
    pub(super) async fn contribute_if_due(self: &Rc<Self>) -> Result<(), WorkerError> {
        let Some(consent) = self.opt_in.consent() else { return Ok(()) };
        let manifest = self.manifest()?;
        let (Some(round), Some(global)) = (manifest.round, self.global_model.borrow().clone()) else { return Ok(()) };
        let acknowledged =
            self.stored.borrow().as_ref().is_some_and(|stored| stored.acknowledged_round == Some(round.id));
        if acknowledged || round.base_version != global.version {
            return Ok(());
        }
        let under_way = self.frames.borrow().clips.under_way();
        let may_have_arrived = under_way == Some((round.id, Stage::Unanswered));
        if self.frames.borrow().intake.pauses_contributing() && !may_have_arrived {
            return Ok(());
        }
        let is_for_this_round = under_way.is_some_and(|(under_way, _)| under_way == round.id);
        let pending = self.contribution.borrow().pending.clone().filter(|_| is_for_this_round);
        match pending {
            Some(_) if self.contribution.borrow().is_withheld => return Ok(()),
            Some(_) => {}
            None => {
                let trained = self.train(&consent, &round, &global, &manifest.learning).await?;
                let Some((update, check)) = trained else { return Ok(()) };
                let body = update.encode_as(manifest.learning.update_encoding, self.rounding_seed(round.id));
                if let Some(check) = check.filter(|check| check.is_worse() && !manifest.learning.send_worse_updates) {
                    self.withhold(&update, body, &check);
                    return Ok(());
                }
                self.contribution.borrow_mut().pending = Some(body);
                if !self.store_pending(&consent).await {
                    return Ok(());
                }
            }
        }
        // From now on the record of the clips says that they may count.
        self.keep_clips().await;
        let is_stored = self.contribution.borrow().is_stored();
        let body = self.contribution.borrow().pending.clone().filter(|_| is_stored);
        // Else its clips were cleared, or it was withdrawn, meanwhile.
        let Some(body) = body else { return Ok(()) };
        let sent = self.send(&consent, &round, &body).await;
        self.contribution.borrow_mut().sending = false;
        sent
    }

    /// The student has withdrawn that client metrics are sent: an update that was made with them and not sent yet goes without.
    pub(super) async fn withdraw_metrics(&self) {
        let (Ok(manifest), Some((round, Stage::Unsent))) = (self.manifest(), self.frames.borrow().clips.under_way())
        else {
            return;
        };
        let body = self.contribution.borrow().pending.clone();
        let update = body.and_then(|body| ClientUpdate::decode(&body).ok());
        let Some(update) = update.filter(|update| update.metrics.is_some()) else { return };
        let without = ClientUpdate { metrics: None, ..update };
        let without = without.encode_as(manifest.learning.update_encoding, self.rounding_seed(round));
        self.contribution.borrow_mut().pending = Some(without);
        if let Some(consent) = self.opt_in.consent().filter(|_| self.contribution.borrow().is_stored()) {
            self.store_pending(&consent).await;
        }
    }

    /// Stores the pending update on the device, so that a reload does not lose it; `false` if it is gone meanwhile, since the
    /// student opted out or cleared its clips.
    pub(super) async fn store_pending(&self, consent: &Consent) -> bool {
        let Some(body) = self.contribution.borrow().pending.clone() else { return false };
        self.storage.put(device::PENDING_UPDATE, &body).await;
        let is_current = consent.is_valid() && self.contribution.borrow().pending.is_some();
        if !is_current {
            // It may have been stored after it had been deleted.
            self.storage.delete(device::PENDING_UPDATE).await;
        }
        is_current
    }

    /// Keeps an update that is worse than its base in memory until the student says that it shall be sent, or its round ends.
    fn withhold(&self, update: &ClientUpdate, body: Vec<u8>, check: &HoldOutResult) {
        let state = UploadState::Withheld {
            held_out_clips: check.clips,
            loss_before: check.loss_before,
            loss_after: check.loss_after,
        };
        let (bytes, clips) = (body.len() as u64, update.num_examples);
        post(&FromWorker::Upload(UploadReport { round: update.round, bytes, clips, state }));
        let contribution = &mut *self.contribution.borrow_mut();
        (contribution.pending, contribution.is_withheld) = (Some(body), true);
    }

    /// Whether an update for `round` is being made, or was made and never sent.
    pub(super) fn is_unsent(&self, round: u64) -> bool {
        self.frames.borrow().clips.under_way() == Some((round, Stage::Unsent))
    }

    /// Seed of stochastic rounding: different for each participant and round, so that rounding errors average out, and the
    /// same after a crash.
    fn rounding_seed(&self, round: u64) -> u64 {
        let stored = self.stored.borrow();
        let id = stored.as_ref().and_then(|stored| stored.participant.get(..16));
        round ^ id.and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or_default()
    }

    async fn send(self: &Rc<Self>, consent: &Consent, round: &OpenRound, body: &[u8]) -> Result<(), WorkerError> {
        let update = ClientUpdate::decode(body).map_err(|error| WorkerError::malformed(error.to_string()))?;
        let report = |state: UploadState| {
            post(&FromWorker::Upload(UploadReport {
                round: round.id,
                bytes: body.len() as u64,
                clips: update.num_examples,
                state,
            }));
        };
        if !consent.is_valid() {
            return Ok(());
        }
        // From here on its clips cannot be edited any more, although it is written into the ledger before it is sent.
        self.contribution.borrow_mut().sending = true;
        let on_sending = || {
            report(UploadState::Sending);
            self.frames.borrow_mut().clips.sending(round.id);
        };
        match self.aggregator.send_update(&update, body, consent.signal(), on_sending).await {
            Ok(_) => {}
            // An earlier visit of this participant sent an update of other clips: these wait for the next round.
            Err(error) if error.code() == Some(ProblemCode::AlreadyReceived) => {
                refused(&error).into_iter().for_each(report);
                self.give_up(round.id).await;
                self.acknowledge(round.id).await;
                return Ok(());
            }
            Err(error) if matches!(error.code(), Some(ProblemCode::StaleBase | ProblemCode::RoundNotOpen)) => {
                refused(&error).into_iter().for_each(report);
                self.give_up(round.id).await;
                self.aggregator.forget_manifest();
                self.sync_soon();
                return Ok(());
            }
            Err(error) if matches!(error.code(), Some(ProblemCode::BadUpdate | ProblemCode::TooLarge)) => {
                refused(&error).into_iter().for_each(report);
                self.give_up(round.id).await;
                // The same clips would be refused again: sit this round out.
                self.acknowledge(round.id).await;
                return Err(error);
            }
            // Opting out aborted it, or came while it failed; `withdraw` does the rest.
            Err(_) if !consent.is_valid() => return Ok(()),
            Err(error) => return Err(error),
        }
        report(UploadState::Acknowledged);
        self.frames.borrow_mut().clips.acknowledged(round.id);
        self.acknowledge(round.id).await;
        self.drop_pending().await;
        Ok(())
    }

    /// The update for `round` is known not to count.
    async fn give_up(&self, round: u64) {
        self.frames.borrow_mut().clips.refused(round);
        self.drop_pending().await;
    }

    pub(super) async fn drop_pending(&self) {
        {
            let contribution = &mut *self.contribution.borrow_mut();
            (contribution.pending, contribution.is_withheld, contribution.paused) = (None, false, None);
        }
        self.storage.delete(device::PENDING_UPDATE).await;
    }

    /// This participant sends nothing more in `round`.
    async fn acknowledge(&self, round: u64) {
        let stored = self.stored.borrow_mut().as_mut().map(|stored| {
            stored.acknowledged_round = Some(round);
            stored.clone()
        });
        if let Some(stored) = stored {
            self.storage.put_json(device::SESSION, &stored).await;
        }
    }
}

fn refused(error: &WorkerError) -> Option<UploadState> {
    error.refusal().map(|refusal| UploadState::Refused { refusal })
}
