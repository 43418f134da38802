//! Open: takes updates, each validated and durable before it counts.

use std::sync::atomic::Ordering;

use emofed::protocol::{AbandonReason, CloseReason, EncodedUpdate, Event, UpdateReceipt, sha256_hex};

use super::state::{ATTEMPTS, State};
use super::{Federation, Refusal, RoundError};
use crate::store::{Phase, RoundRecord, UpdateRecord, update_name};

impl Federation {
    /// Opens a round now.
    ///
    /// # Errors
    /// One is open already, or the store fails.
    pub fn open_round(&self) -> Result<u64, RoundError> {
        self.fresh_transition(|state| {
            if let Some(round) = &state.round {
                return Err(Refusal::RoundNotEnded { round: round.id }.into());
            }
            self.open_next(state)
        })
    }

    pub(super) fn open_next(&self, state: &mut State) -> Result<u64, RoundError> {
        let id = state.next_round();
        let settings = self.effective_settings(state);
        let now_s = self.clock.now_s();
        let round = RoundRecord {
            id,
            base_version: state.latest_model.version,
            minimum_clients: settings.minimum_clients,
            target_clients: settings.target_clients,
            opened_at_s: now_s,
            deadline_s: now_s.saturating_add(settings.duration_s),
            strategy: Some(self.config.strategy),
            received: None,
            phase: Phase::Open,
        };
        state.newest = Some(self.records.insert_round(state.newest.as_ref(), &round)?);
        let opened = Event::RoundOpened { round: id, base_version: round.base_version };
        state.newest_round = id;
        state.round = Some(round);
        state.received = 0;
        // The manifest first: an event makes tabs read it.
        self.refresh(state)?;
        self.events.push(opened);
        Ok(id)
    }

    /// Takes a participant's update. It is durable when this returns. The same body again gives the same receipt.
    ///
    /// # Errors
    /// The update does not fit the round or the model, or the store fails: then it does not count.
    pub fn submit(&self, participant: &str, round: u64, body: &[u8]) -> Result<UpdateReceipt, RoundError> {
        let receipt = UpdateReceipt { round, sha256: sha256_hex(body) };
        // Taken before the records are asked: an update that made its round close is in them by then.
        let mut snapshot = self.snapshot();
        if round > snapshot.rounds && self.records.store().is_shared() {
            // Opened by another replica a moment ago.
            self.fresh_transition(|_| Ok(()))?;
            snapshot = self.snapshot();
        }
        // A repeated body is acknowledged again even when its round is over: the first answer may have got lost.
        if let Some(known) = self.records.update(round, participant)? {
            return self.repeated(&known, receipt);
        }
        let open = snapshot.manifest.round.as_ref().filter(|open| open.id == round);
        let open = open.ok_or(Refusal::RoundNotOpen { round })?;
        let update = EncodedUpdate::parse(body)?;
        if update.round != round || update.base_version != open.base_version {
            let (found_round, found_base_version) = (update.round, update.base_version);
            let base_version = open.base_version;
            return Err(Refusal::StaleBase { found_round, found_base_version, round, base_version }.into());
        }
        let num_examples = update.num_examples;
        update.check(&snapshot.base)?.check_limits(&self.config.limits)?;

        let object = update_name(round, participant, &receipt.sha256);
        self.records.store().put_object(&object, body)?;
        let record = UpdateRecord { participant: participant.to_owned(), sha256: receipt.sha256.clone(), num_examples };
        if self.records.store().is_shared() {
            let counted = self.count_beside_others(round, &record);
            // Refused is what no replica can accept any more: the round is closed, or another body of this participant is in it.
            if matches!(counted, Err(RoundError::Refused(_))) {
                self.records.store().delete_object(&object)?;
            }
            return counted.map(|()| receipt);
        }
        self.transition(|state| {
            let result = self.count_in(state, round, &record);
            // Nobody will read the object if the round has ended meanwhile, or if another body was faster.
            let is_wanted = state.round.as_ref().is_some_and(|current| current.id == round && !current.phase.is_over())
                && self.records.update(round, participant)?.is_some_and(|known| known.sha256 == receipt.sha256);
            if !is_wanted {
                self.records.store().delete_object(&object)?;
            }
            result
        })?;
        Ok(receipt)
    }

    fn count_in(&self, state: &mut State, round: u64, record: &UpdateRecord) -> Result<(), RoundError> {
        // Asked first: of two requests with the same body, the other may have counted and closed the round.
        if let Some(known) = self.records.update(round, &record.participant)? {
            return self.repeated(&known, receipt(round, record)).map(|_| ());
        }
        let open = state.round.as_ref().filter(|open| open.id == round && open.phase == Phase::Open);
        let open = open.ok_or(Refusal::RoundNotOpen { round })?;
        self.records.insert_update(open, record)?;
        state.received += 1;
        self.snapshot().count(state.received);
        self.events.count(round, state.received);
        Ok(())
    }

    /// Counts an update where other processes do so, too. Uploads do not wait for one another: whether the update counts is for the
    /// conditions of its transaction to decide, and how many there are is counted afterwards, once for all that came meanwhile.
    fn count_beside_others(&self, round: u64, record: &UpdateRecord) -> Result<(), RoundError> {
        let mut attempt = 1;
        loop {
            let is_open = |open: &RoundRecord| open.id == round && open.phase == Phase::Open;
            let open = self.transition(|state| Ok(state.round.clone().filter(is_open)))?;
            // Another replica may have counted the same body, and the round may have closed with it, since the records were asked.
            let Some(open) = open else {
                let known = self.records.update(round, &record.participant)?.ok_or(Refusal::RoundNotOpen { round })?;
                return self.repeated(&known, receipt(round, record)).map(|_| ());
            };
            match self.records.insert_update(&open, record) {
                Ok(()) => break,
                Err(error) if error.is_conflict() && attempt < ATTEMPTS => attempt += 1,
                Err(error) => {
                    // The commit may hold.
                    self.distrust_state();
                    return Err(error.into());
                }
            }
            if let Some(known) = self.records.update(round, &record.participant)? {
                return self.repeated(&known, receipt(round, record)).map(|_| ());
            }
            self.fresh_transition(|_| Ok(()))?;
        }
        let own = self.committed.fetch_add(1, Ordering::SeqCst) + 1;
        let counted = self.transition(|state| {
            let all = self.committed.load(Ordering::SeqCst);
            if state.counted < own
                && state.round.as_ref().is_some_and(|open| open.id == round && open.phase == Phase::Open)
            {
                state.received = self.records.update_count(round)?;
                state.counted = all;
                self.snapshot().count(state.received);
                self.events.count(round, state.received);
            }
            Ok(())
        });
        if let Err(error) = counted {
            // It is acknowledged all the same: it is in the records, which are read again.
            tracing::warn!(%error, round, "updates are not counted; counting again");
        }
        Ok(())
    }

    fn repeated(&self, known: &UpdateRecord, receipt: UpdateReceipt) -> Result<UpdateReceipt, RoundError> {
        if known.sha256 == receipt.sha256 {
            return Ok(receipt);
        }
        Err(Refusal::AlreadyReceived { round: receipt.round }.into())
    }

    /// Closes a round by hand; what has come is aggregated.
    ///
    /// # Errors
    /// The round is not open, too few have contributed to hide any one of them, or the store fails.
    pub fn close_round(&self, id: u64) -> Result<(), RoundError> {
        self.fresh_transition(|state| {
            let open = state.round.as_ref().filter(|open| open.id == id && open.phase == Phase::Open);
            let open = open.ok_or(Refusal::RoundNotOpen { round: id })?;
            let (received, limit) = (state.received, self.fewest_contributors());
            // With no updates there is nothing to disclose: the round is abandoned.
            if (1..limit).contains(&received) {
                return Err(Refusal::TooFewContributors { round: id, found: received, limit }.into());
            }
            let phase = Phase::Aggregating { reason: CloseReason::Instructor };
            let closed = RoundRecord { phase, received: Some(received), ..open.clone() };
            self.records.change_round(open, &closed)?;
            state.round = Some(closed.clone());
            self.refresh(state)?;
            self.notify_closed(&closed);
            Ok(())
        })?;
        self.advance()
    }

    /// How many updates close a round.
    pub(super) fn closes_at(&self, round: &RoundRecord) -> u32 {
        round.target_clients.max(round.minimum_clients).max(self.fewest_contributors())
    }

    /// Why an open round is due to close now, if it is.
    pub(super) fn close_reason(&self, round: &RoundRecord, received: u32) -> Option<CloseReason> {
        let now_s = self.clock.now_s();
        // A clock that was set back must not keep a round open.
        let is_too_early =
            now_s.checked_sub(round.opened_at_s).is_some_and(|open_s| open_s < self.config.bounds.shortest_round_s);
        let is_full = received >= self.closes_at(round);
        if is_full && (!is_too_early || now_s >= round.deadline_s) {
            Some(CloseReason::Complete)
        } else if now_s >= round.deadline_s {
            Some(CloseReason::Deadline)
        } else {
            None
        }
    }

    /// Records the strategy of a round that an earlier version opened without: the one of the first start after that.
    pub(super) fn fix_strategy(&self, state: &mut State) -> Result<(), RoundError> {
        if let Some(round) = state.round.as_ref().filter(|round| round.strategy.is_none() && !round.phase.is_over()) {
            let fixed = RoundRecord { strategy: Some(self.config.strategy), ..round.clone() };
            self.records.change_round(round, &fixed)?;
            state.round = Some(fixed);
        }
        Ok(())
    }

    /// Abandons an open round whose base is no longer the global model. Its tabs keep their clips.
    pub(super) fn abandon_stale_round(&self, state: &mut State) -> Result<(), RoundError> {
        let latest = state.latest_model.version;
        let Some(round) = state.round.clone() else { return Ok(()) };
        if round.base_version != latest && !matches!(round.phase, Phase::Published { .. }) {
            let abandoned = base_replaced(&round, state.received);
            self.records.change_round(&round, &abandoned)?;
            self.note_abandoned(state, abandoned)?;
        }
        Ok(())
    }

    /// The round in `state` is `abandoned` in the records.
    pub(super) fn note_abandoned(&self, state: &mut State, abandoned: RoundRecord) -> Result<(), RoundError> {
        let closed = Event::RoundClosed { round: abandoned.id, reason: CloseReason::Instructor };
        state.round = Some(abandoned);
        self.refresh(state)?;
        self.events.push(closed);
        Ok(())
    }
}

/// What acknowledges `record`.
fn receipt(round: u64, record: &UpdateRecord) -> UpdateReceipt {
    UpdateReceipt { round, sha256: record.sha256.clone() }
}

/// `round` with `received` updates, abandoned since its base is no longer the global model.
pub(super) fn base_replaced(round: &RoundRecord, received: u32) -> RoundRecord {
    let phase = Phase::Abandoned { reason: AbandonReason::BaseReplaced };
    RoundRecord { phase, received: Some(received), ..round.clone() }
}
