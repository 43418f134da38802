//! Published, rejected or abandoned: tell the tabs, and delete what is no longer needed.

use emofed::protocol::{CloseReason, Event};

use super::Federation;
use crate::error::ServeError;
use crate::store::{Phase, RoundRecord, updates_folder};

impl Federation {
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
        /// Versions looked at behind those that are kept. What is older went before, or goes at the next start.
        const LOOKED_AT: usize = 8;
        if let Err(error) = self.drop_old_weights(LOOKED_AT) {
            tracing::warn!(%error, "weights of old versions stay on disk");
        }
        if let Err(error) = self.records.store().delete_objects(&updates_folder(round.id)) {
            tracing::warn!(%error, round = round.id, "updates of a finished round stay on disk");
        }
    }

    pub(super) fn tell_end(&self, round: &RoundRecord) {
        tracing::info!(round = round.id, phase = ?round.phase, "round ended");
        match round.phase {
            Phase::Published { version } => self.events.push(Event::ModelPublished { version }),
            Phase::Rejected { .. } => {
                self.events.push(Event::RoundClosed { round: round.id, reason: CloseReason::Rejected });
            }
            Phase::Abandoned => {
                self.events.push(Event::RoundClosed { round: round.id, reason: CloseReason::Abandoned });
            }
            Phase::Open | Phase::Aggregating { .. } | Phase::Evaluating { .. } => {}
        }
    }
}
