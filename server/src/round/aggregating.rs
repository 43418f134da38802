//! Aggregating: from the stored updates to a candidate, one update in memory at a time.

use emofed::learning::{FedAvg, Strategy};
use emofed::protocol::{ClientUpdate, CloseReason, Event};

use super::{Federation, RoundError, load};
use crate::store::{ModelRecord, Phase, RoundRecord};

impl Federation {
    /// Notifies the tabs that a round takes no more updates. The manifest says so already.
    pub(super) fn notify_closed(&self, round: &RoundRecord) {
        if let Phase::Aggregating { reason } = round.phase {
            self.events.push(Event::RoundClosed { round: round.id, reason });
        }
    }

    /// Aggregates the updates of `round` over `base_model` and stores the candidate.
    pub(super) fn aggregate(
        &self,
        base_model: &ModelRecord,
        round: &RoundRecord,
        reason: CloseReason,
    ) -> Result<Phase, RoundError> {
        let updates = self.records.updates(round.id)?;
        let too_few = updates.len() < round.minimum_clients as usize;
        // Asked here, too, whatever closed the round: it may have been another version of this program.
        let discloses_one = updates.len() < self.fewest_contributors() as usize;
        if discloses_one || (too_few && reason == CloseReason::Deadline) {
            return Ok(Phase::Abandoned);
        }
        let base = load(&self.records, &base_model.vfer)?;
        let mut average = FedAvg::new(base.as_ref().clone());
        for record in updates {
            let update = ClientUpdate::decode(&self.records.update_body(round.id, &record)?)?;
            average.add(&update.delta, update.num_examples)?;
        }
        let (num_clients, num_examples) = (average.num_clients(), average.num_examples());
        let Some(mean) = average.finish() else { return Ok(Phase::Abandoned) };
        let state = match &base_model.strategy_state {
            Some(state) if self.config.strategy != Strategy::FedAvg => Some(load(&self.records, state)?),
            _ => None,
        };
        let (candidate, state) = match self.config.strategy.apply(&base, &mean, state.as_deref()) {
            // A state that another strategy left does not fit and is no reason to lose the round.
            Err(_) if state.is_some() => self.config.strategy.apply(&base, &mean, None),
            applied => applied,
        }?;
        let candidate = self.records.put_blob(&candidate.to_safetensors(None))?;
        let strategy_state = state.map(|state| self.records.put_blob(&state.to_safetensors(None))).transpose()?;
        Ok(Phase::Evaluating { candidate, num_clients, num_examples, strategy_state })
    }
}
