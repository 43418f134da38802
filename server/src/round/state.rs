//! The federation's state in memory, so that no call has to read through all records.

use std::collections::VecDeque;

use emofed::protocol::{
    BackboneRef, EndedRound, Lecture, RECENT_ROUNDS, RoundOutcome, RoundSettings, RoundSettingsChange,
};

use super::models::latest_model;
use super::{Federation, Refusal, RoundError};
use crate::store::{ModelRecord, Phase, Records, RoundRecord};

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
    /// The newest model over the backbone: the global model.
    pub latest_model: ModelRecord,
    /// The newest version over any backbone; 0 before the first.
    pub newest_version: u64,
    /// The newest round's id; 0 before the first.
    pub newest_round: u64,
    /// How the last rounds ended, newest first.
    pub ended_rounds: VecDeque<EndedRound>,
    /// A commit failed, and whether it holds is unknown: the records are read again before anything else happens.
    is_uncertain: bool,
}

impl State {
    /// Reads it from the records.
    pub fn load(records: &Records, backbone: &BackboneRef) -> Result<Self, RoundError> {
        let latest_model = latest_model(records, backbone)?.ok_or(Refusal::NoModel)?;
        let rounds = records.newest_rounds(None, RECENT_ROUNDS + 1)?;
        let round = rounds.first().filter(|round| !round.phase.is_over()).cloned();
        let received = match &round {
            Some(round) => u32::try_from(records.updates(round.id)?.len()).unwrap_or(u32::MAX),
            None => 0,
        };
        Ok(Self {
            changes: records.settings()?,
            lecture: records.lecture()?,
            received,
            latest_model,
            newest_version: records.newest_models(None, 1)?.first().map_or(0, |model| model.version),
            newest_round: rounds.first().map_or(0, |round| round.id),
            ended_rounds: rounds.iter().filter_map(ended).take(RECENT_ROUNDS).collect(),
            round,
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
        Phase::Open | Phase::Aggregating { .. } | Phase::Evaluating { .. } => return None,
    };
    Some(EndedRound { round: round.id, outcome, version })
}

impl Federation {
    /// Changes the federation, one change at a time. After a failure of the store the records are read again first: a commit that
    /// failed may hold nevertheless.
    pub(super) fn transition<T>(
        &self,
        change: impl FnOnce(&mut State) -> Result<T, RoundError>,
    ) -> Result<T, RoundError> {
        let mut state = self.transitions.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if state.is_uncertain {
            *state = State { is_uncertain: true, ..State::load(&self.records, &self.backbone)? };
            // The commit that holds may have been a publication, with the round still open.
            self.abandon_stale_round(&mut state)?;
            self.refresh(&state)?;
        }
        let result = change(&mut state);
        state.is_uncertain = matches!(result, Err(RoundError::Store(_)));
        result
    }

    /// How rounds go: as the instructor changed it, as configured otherwise, and never below the floor.
    pub(super) fn effective_settings(&self, state: &State) -> RoundSettings {
        let settings = state.changes.applied_to(&self.config.rounds);
        let fewest = self.fewest_contributors().max(self.config.strategy.minimum_clients());
        let minimum_clients = settings.minimum_clients.max(fewest);
        RoundSettings { minimum_clients, ..settings }
    }
}
