//! Published, rejected or abandoned: notify the tabs, and delete what is no longer needed.

use emofed::protocol::{AbandonReason, CloseReason, Event};

use super::{Federation, RoundError};
use crate::store::{Phase, RoundRecord, updates_folder};

impl Federation {
    /// Stores a round that has reached its next phase. One that ended with a new version was stored together with that.
    pub(super) fn persist_phase(&self, before: &RoundRecord, round: &RoundRecord) -> Result<(), RoundError> {
        let has_version = matches!(
            round.phase,
            Phase::Published { .. } | Phase::Abandoned { reason: AbandonReason::BaseWorse { .. } }
        );
        if !has_version {
            self.records.change_round(before, round)?;
        }
        Ok(())
    }

    /// Deletes the bodies of the round's updates; the records (hash and weight) stay. What cannot be deleted now is deleted
    /// at the next start.
    pub(super) fn clean_up(&self, round: &RoundRecord) {
        /// Versions examined beyond those that are kept. Older weights are already deleted, or will be at the next start.
        const EXAMINED: usize = 8;
        if let Err(error) = self.drop_old_weights(EXAMINED) {
            tracing::warn!(%error, "weights of old versions stay on disk");
        }
        if let Err(error) = self.records.store().delete_objects(&updates_folder(round.id)) {
            tracing::warn!(%error, round = round.id, "updates of a finished round stay on disk");
        }
    }

    /// Notifies the tabs of how a round has ended.
    pub(super) fn notify_ended(&self, round: &RoundRecord) {
        tracing::info!(round = round.id, phase = ?round.phase, "round ended");
        match round.phase {
            Phase::Published { version } => self.events.push(Event::ModelPublished { version }),
            Phase::Rejected { .. } => {
                self.events.push(Event::RoundClosed { round: round.id, reason: CloseReason::Rejected });
            }
            Phase::Abandoned { ref reason } => {
                self.events.push(Event::RoundClosed { round: round.id, reason: CloseReason::Abandoned });
                if let AbandonReason::BaseWorse { restored, .. } = *reason {
                    // The snapshot says what the records say.
                    let version = self.snapshot().manifest.model.version;
                    self.events.push(Event::ModelRolledBack { version, restored });
                }
            }
            Phase::Open | Phase::Aggregating { .. } | Phase::Evaluating(_) => {}
        }
    }
}
