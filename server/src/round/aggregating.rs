//! Aggregating: from the stored updates to a candidate, one update in memory at a time.

use emofed::learning::{FedAvg, Strategy};
use emofed::protocol::{ClientUpdate, CloseReason, Event};

use super::{Federation, load};
use crate::error::ServeError;
use crate::store::{ModelRecord, Phase, RoundRecord};

impl Federation {
    /// Tells the tabs that a round takes no more updates. The manifest says so already.
    pub(super) fn tell_closed(&self, round: &RoundRecord) {
        if let Phase::Aggregating { reason } = round.phase {
            self.events.push(Event::RoundClosed { round: round.id, reason });
        }
    }

    /// Sums up the round and stores the candidate.
    pub(super) fn aggregate(
        &self,
        head: &ModelRecord,
        round: &RoundRecord,
        reason: CloseReason,
    ) -> Result<Phase, ServeError> {
        let updates = self.records.updates(round.id)?;
        let too_few = updates.len() < round.minimum_clients as usize;
        // Asked here, too, whatever closed the round: it may have been another version of this program.
        let gives_one_away = updates.len() < self.fewest_contributors() as usize;
        if gives_one_away || (too_few && reason == CloseReason::Deadline) {
            return Ok(Phase::Abandoned);
        }
        let base = load(&self.records, &head.vfer)?;
        let mut average = FedAvg::new(base.as_ref().clone());
        for record in updates {
            let update = ClientUpdate::decode(&self.records.update_body(round.id, &record)?)?;
            average.add(&update.delta, update.num_examples)?;
        }
        let (num_clients, num_examples) = (average.num_clients(), average.num_examples());
        let Some(mean) = average.finish() else { return Ok(Phase::Abandoned) };
        let state = match &head.strategy_state {
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
