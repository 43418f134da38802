//! Published, rejected or abandoned: tell the tabs, and delete what is no longer needed.

use emofed::protocol::{CloseReason, Event};

use super::Classroom;
use crate::error::ServeError;
use crate::store::{Phase, RoundRecord, update_name};

impl Classroom {
    /// Writes a round that has reached its next phase. A published one was written together with its model.
    pub(super) fn enter(&self, round: &RoundRecord) -> Result<(), ServeError> {
        if !matches!(round.phase, Phase::Published { .. }) {
            self.records.put_round(round)?;
        }
        Ok(())
    }

    /// Deletes the bodies of the round's updates; the records (hash and weight) stay. What cannot be deleted now is of no
    /// harm, only of use to nobody.
    pub(super) fn clean_up(&self, round: &RoundRecord) {
        let updates = self.records.updates(round.id).unwrap_or_default();
        for update in updates {
            let name = update_name(round.id, &update.participant, &update.sha256);
            if let Err(error) = self.records.0.delete_object(&name) {
                tracing::warn!(%error, round = round.id, "an update of a finished round stays on disk");
            }
        }
    }

    pub(super) fn tell_end(&self, round: &RoundRecord) {
        let reason = match &round.phase {
            Phase::Published { .. } => CloseReason::Complete,
            Phase::Rejected { .. } => CloseReason::Rejected,
            _ => CloseReason::Deadline,
        };
        tracing::info!(round = round.id, phase = %super::words(&round.phase), "round ended");
        self.events.push(Event::RoundClosed { round: round.id, reason });
        if let Phase::Published { version } = round.phase {
            self.events.push(Event::ModelPublished { version });
        }
    }
}
