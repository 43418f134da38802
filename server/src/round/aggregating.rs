//! Aggregating: from the stored updates to a candidate, one update in memory at a time.

use emofed::learning::FedAvg;
use emofed::protocol::{ClientUpdate, CloseReason, Event};

use super::{Classroom, load};
use crate::error::ServeError;
use crate::store::{Phase, RoundRecord};

impl Classroom {
    /// Tells the tabs that a round takes no more updates. The manifest says so already.
    pub(super) fn tell_closed(&self, round: &RoundRecord) {
        if let Phase::Aggregating { reason } = round.phase {
            self.events.push(Event::RoundClosed { round: round.id, reason });
        }
    }

    /// Sums up the round and stores the candidate.
    pub(super) fn aggregate(&self, round: &RoundRecord, reason: CloseReason) -> Result<Phase, ServeError> {
        let updates = self.records.updates(round.id)?;
        let too_few = updates.len() < round.minimum_clients as usize;
        if updates.is_empty() || (too_few && reason == CloseReason::Deadline) {
            return Ok(Phase::Abandoned);
        }
        let mut average = FedAvg::new(load(&self.records, &self.head()?.vfer)?.as_ref().clone());
        for record in updates {
            let update = ClientUpdate::decode(&self.records.update_body(round.id, &record)?)?;
            average.add(&update.delta, update.clips)?;
        }
        let (clients, clips) = (average.clients(), average.clips());
        let Some(candidate) = average.finish() else { return Ok(Phase::Abandoned) };
        let candidate = self.records.put_blob(&candidate.to_safetensors(None))?;
        Ok(Phase::Evaluating { candidate, clients, clips })
    }
}
