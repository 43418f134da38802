//! Which replica aggregates. Two that do it at once make one model: a lease only saves the work.

use super::state::State;
use super::{Federation, RoundError};
use crate::store::Lease;

/// The lease of who aggregates.
const NAME: &str = "aggregation";
/// How long another replica may take before this one does the same, in seconds.
const PATIENCE_S: u64 = 60;

/// The lease, or since when another replica has it.
#[derive(Default)]
pub(super) struct HeldLease {
    held: Option<Lease>,
    waiting_since_s: Option<u64>,
}

impl HeldLease {
    /// Others may have it.
    pub fn release(&mut self) {
        *self = Self::default();
    }
}

impl Federation {
    /// Whether this process may aggregate now.
    ///
    /// # Errors
    /// The store fails.
    pub(super) fn acquire_lease(&self, state: &mut State) -> Result<bool, RoundError> {
        let lease = &mut state.lease;
        if lease.held.is_none() {
            lease.held = self.records.store().lease(NAME)?;
        }
        if lease.held.is_some() {
            lease.waiting_since_s = None;
            return Ok(true);
        }
        // A clock that was set back must not make the waiting longer.
        let now_s = self.clock.now_s();
        let since_s = lease.waiting_since_s.map_or(now_s, |since_s| since_s.min(now_s));
        lease.waiting_since_s = Some(since_s);
        Ok(now_s - since_s >= PATIENCE_S)
    }
}
