//! Which replica aggregates. Two that do it at once make one model: a lease only saves the work.

use std::time::{Duration, Instant};

use super::state::State;
use super::{Federation, RoundError};
use crate::store::Lease;

/// The lease of who aggregates.
const NAME: &str = "aggregation";
/// How long another replica may take before this one does the same.
const PATIENCE: Duration = Duration::from_secs(60);

/// The lease, or since when another replica has it.
#[derive(Default)]
pub(super) struct HeldLease {
    held: Option<Lease>,
    waiting_since: Option<Instant>,
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
            lease.waiting_since = None;
            return Ok(true);
        }
        let since = *lease.waiting_since.get_or_insert_with(Instant::now);
        Ok(since.elapsed() >= PATIENCE)
    }
}
