//! The federation's state in memory, so that no call has to read through all records.

use std::collections::VecDeque;
use std::sync::PoisonError;

use emofed::protocol::{
    BackboneRef, EndedRound, Lecture, RECENT_ROUNDS, RoundOutcome, RoundSettings, RoundSettingsChange,
};

use super::lease::HeldLease;
use super::models::latest_model;
use super::{Federation, Refusal, RoundError};
use crate::store::{ModelRecord, NewestRecord, Phase, Records, RoundRecord};

/// How often a transition is tried when others are faster.
pub(super) const ATTEMPTS: u32 = 10;

/// A copy of what the records say. One transition at a time changes both.
pub(super) struct State {
    /// What the instructor changed; the rest is as configured.
    pub changes: RoundSettingsChange,
    /// What the instructor put on the stage; as configured otherwise.
    pub lecture: Option<Lecture>,
    /// The round that has not ended, if any.
    pub round: Option<RoundRecord>,
    /// Its updates.
    pub received: u32,
    /// Up to which of the updates that this process committed, as [`Federation`] numbers them, those were counted.
    pub counted: u64,
    /// The newest model over the backbone: the global model.
    pub latest_model: ModelRecord,
    /// As it was before all else here was read: what is opened or published expects it so.
    pub newest: Option<NewestRecord>,
    /// The newest version over any backbone; 0 before the first.
    pub newest_version: u64,
    /// The newest round's id; 0 before the first.
    pub newest_round: u64,
    /// How the last rounds ended, newest first.
    pub ended_rounds: VecDeque<EndedRound>,
    /// Whether this process aggregates.
    pub lease: HeldLease,
    /// A commit failed, and whether it holds is unknown: the records are read again before anything else happens.
    is_uncertain: bool,
}

impl State {
    /// The number of the next round.
    pub fn next_round(&self) -> u64 {
        self.newest_round.max(self.newest.as_ref().map_or(0, |newest| newest.round)) + 1
    }

    /// The next version.
    pub fn next_version(&self) -> u64 {
        self.newest_version.max(self.newest.as_ref().map_or(0, |newest| newest.version)) + 1
    }

    /// Reads it from the records.
    pub fn load(records: &Records, backbone: &BackboneRef) -> Result<Self, RoundError> {
        let newest = records.newest()?;
        let latest_model = latest_model(records, backbone)?.ok_or(Refusal::NoModel)?;
        let rounds = records.newest_rounds(None, RECENT_ROUNDS + 1)?;
        let round = rounds.first().filter(|round| !round.phase.is_over()).cloned();
        let received = round.as_ref().map_or(Ok(0), |round| records.update_count(round.id))?;
        Ok(Self {
            changes: records.settings()?,
            lecture: records.lecture()?,
            received,
            counted: 0,
            latest_model,
            newest,
            newest_version: records.newest_models(None, 1)?.first().map_or(0, |model| model.version),
            newest_round: rounds.first().map_or(0, |round| round.id),
            ended_rounds: rounds.iter().filter_map(ended).take(RECENT_ROUNDS).collect(),
            round,
            lease: HeldLease::default(),
            is_uncertain: false,
        })
    }

    /// Remembers how a round ended.
    pub fn remember_ended(&mut self, round: &RoundRecord) {
        if let Some(ended) = ended(round).filter(|ended| self.ended_rounds.front() != Some(ended)) {
            self.ended_rounds.push_front(ended);
            self.ended_rounds.truncate(RECENT_ROUNDS);
        }
    }
}

/// How a round ended, if it has.
fn ended(round: &RoundRecord) -> Option<EndedRound> {
    let (outcome, version) = match round.phase {
        Phase::Published { version } => (RoundOutcome::Published, Some(version)),
        Phase::Rejected { .. } => (RoundOutcome::Rejected, None),
        Phase::Abandoned { .. } => (RoundOutcome::Abandoned, None),
        Phase::Open | Phase::Aggregating { .. } | Phase::Evaluating(_) => return None,
    };
    Some(EndedRound { round: round.id, outcome, version })
}

impl Federation {
    /// Changes the federation, one change at a time in this process. After a failure of the store the records are read again first: a
    /// commit that failed may hold nevertheless. So they are where another replica was faster, and `change` is tried again on what
    /// it has left.
    pub(super) fn transition<T>(
        &self,
        mut change: impl FnMut(&mut State) -> Result<T, RoundError>,
    ) -> Result<T, RoundError> {
        let mut state = self.transitions.lock().unwrap_or_else(PoisonError::into_inner);
        let mut attempt = 1;
        loop {
            let result = self.read_again_if_uncertain(&mut state).and_then(|()| change(&mut state));
            state.is_uncertain = matches!(result, Err(RoundError::Store(_)));
            match result {
                Err(RoundError::Store(error)) if error.is_conflict() && attempt < ATTEMPTS => attempt += 1,
                result => return result,
            }
        }
    }

    /// The same on what the records say now, whatever this replica has heard of the others.
    pub(super) fn fresh_transition<T>(
        &self,
        change: impl FnMut(&mut State) -> Result<T, RoundError>,
    ) -> Result<T, RoundError> {
        if self.records.store().is_shared() {
            self.distrust_state();
        }
        self.transition(change)
    }

    /// Has the records read again before anything else happens.
    pub(super) fn distrust_state(&self) {
        self.transitions.lock().unwrap_or_else(PoisonError::into_inner).is_uncertain = true;
    }

    fn read_again_if_uncertain(&self, state: &mut State) -> Result<(), RoundError> {
        if !state.is_uncertain {
            return Ok(());
        }
        let mut now = State { is_uncertain: true, ..State::load(&self.records, &self.backbone)? };
        // The commit that holds may have been a publication, with the round still open.
        self.abandon_stale_round(&mut now)?;
        self.refresh(&now)?;
        self.announce(state, &now);
        now.lease = std::mem::take(&mut state.lease);
        now.counted = state.counted;
        *state = now;
        Ok(())
    }

    /// How rounds go: as the instructor changed it, as configured otherwise, and never below the floor.
    pub(super) fn effective_settings(&self, state: &State) -> RoundSettings {
        let settings = state.changes.applied_to(&self.config.rounds);
        let fewest = self.fewest_contributors().max(self.config.strategy.minimum_clients());
        let minimum_clients = settings.minimum_clients.max(fewest);
        RoundSettings { minimum_clients, ..settings }
    }
}
