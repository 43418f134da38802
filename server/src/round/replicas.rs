//! What other replicas have done: read from the records, and told to the tabs that listen here.

use std::sync::atomic::Ordering;

use emofed::protocol::{CloseReason, Event, RoundOutcome};

use super::state::State;
use super::{Federation, RoundError};
use crate::store::{Phase, RoundRecord};

impl Federation {
    /// Reads what others have changed, and does what is due.
    ///
    /// # Errors
    /// The store fails; calling it again reads everything again.
    pub fn follow(&self) -> Result<(), RoundError> {
        self.fresh_transition(|_| Ok(()))?;
        self.members.count.store(self.records.participant_count()?, Ordering::SeqCst);
        self.advance()
    }

    /// Tells tabs what has happened between `before` and `now` that this process did not do itself. The manifest says so already.
    pub(super) fn announce(&self, before: &State, now: &State) {
        let was_open = before.round.as_ref().filter(|round| round.phase == Phase::Open);
        let closed = was_open.and_then(|round| Some((round.id, self.closed_for(before, round, now)?)));
        if let Some((round, reason)) = closed {
            self.events.push(Event::RoundClosed { round, reason });
        }
        let is_new = |round| before.ended_rounds.iter().all(|ended| ended.round != round);
        for ended in now.ended_rounds.iter().rev().filter(|ended| is_new(ended.round)) {
            let round = ended.round;
            match (&ended.outcome, ended.version) {
                (_, Some(version)) => self.events.push(Event::ModelPublished { version }),
                (RoundOutcome::Rejected, None) => {
                    self.events.push(Event::RoundClosed { round, reason: CloseReason::Rejected });
                }
                (_, None) => self.events.push(Event::RoundClosed { round, reason: CloseReason::Abandoned }),
            }
        }
        let model = &now.latest_model;
        if model.version > before.latest_model.version && model.round.is_none() {
            let version = model.version;
            self.events.push(match model.parent {
                Some(restored) => Event::ModelRolledBack { version, restored },
                // By a command, while this process was not connected.
                None => Event::ModelPublished { version },
            });
        }
        if now.lecture != before.lecture {
            self.events.push(Event::LectureChanged);
        }
        let Some(open) = now.round.as_ref().filter(|round| round.phase == Phase::Open) else { return };
        if open.id > before.newest_round {
            self.events.push(Event::RoundOpened { round: open.id, base_version: open.base_version });
        }
        if now.received != before.received || open.id > before.newest_round && now.received > 0 {
            self.events.count(open.id, now.received);
        }
    }

    /// Why `round`, which was open `before`, is not any more; absent if it is, or if this process has told already.
    fn closed_for(&self, before: &State, round: &RoundRecord, now: &State) -> Option<CloseReason> {
        let same = now.round.as_ref().filter(|same| same.id == round.id);
        match same.map(|same| &same.phase) {
            Some(Phase::Aggregating { reason }) => Some(*reason),
            // Abandoned a moment ago by this process.
            Some(Phase::Open | Phase::Published { .. } | Phase::Rejected { .. } | Phase::Abandoned { .. }) => None,
            // It is not recorded beyond aggregation: what would have closed it here.
            Some(Phase::Evaluating(_)) | None => {
                Some(self.close_reason(round, before.received.max(now.received)).unwrap_or(CloseReason::Complete))
            }
        }
    }
}
