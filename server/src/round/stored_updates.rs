//! The stored updates of a round as rules that compare them read them: a range of coordinates at a time.

use emofed::learning::Strategy;
use emofed::learning::robust::UpdateSource;
use emofed::protocol::{ClientMetrics, ClientUpdate};
use emofed::weights::{ValueRanges, Weights};

use super::RoundError;
use crate::store::{Records, UpdateRecord};

/// Updates on disk. In memory are only the places of their tensors.
pub(super) struct StoredUpdates<'a> {
    records: &'a Records,
    round: u64,
    updates: Vec<StoredUpdate<'a>>,
    coordinates: usize,
}

struct StoredUpdate<'a> {
    record: &'a UpdateRecord,
    ranges: ValueRanges,
    /// What its values are multiplied by, so that its norm is within the strategy's `clip_norm`.
    factor: f64,
    metrics: Option<ClientMetrics>,
}

impl<'a> StoredUpdates<'a> {
    /// Checks every body as a whole, one in memory at a time: hash, layout and finiteness.
    ///
    /// # Errors
    /// A body is damaged or missing, or the store fails.
    pub fn check(
        records: &'a Records,
        round: u64,
        updates: &'a [UpdateRecord],
        base: &Weights,
        strategy: &Strategy,
    ) -> Result<Self, RoundError> {
        let check = |record: &'a UpdateRecord| -> Result<StoredUpdate<'a>, RoundError> {
            let body = records.update_body(round, record)?;
            let update = ClientUpdate::decode(&body)?;
            update.delta.check_same_layout(base)?;
            update.delta.check_finite()?;
            let ranges = ClientUpdate::value_ranges(&body)?;
            let factor = strategy.clip_factor(update.delta.norm());
            Ok(StoredUpdate { record, ranges, factor, metrics: update.metrics })
        };
        let updates = updates.iter().map(check).collect::<Result<_, _>>()?;
        Ok(Self { records, round, updates, coordinates: base.value_count() })
    }

    /// The client metrics that came with them.
    pub fn metrics(&self) -> impl Iterator<Item = ClientMetrics> {
        self.updates.iter().filter_map(|update| update.metrics)
    }
}

impl UpdateSource for StoredUpdates<'_> {
    type Error = RoundError;

    fn clients(&self) -> usize {
        self.updates.len()
    }

    fn coordinates(&self) -> usize {
        self.coordinates
    }

    fn read(&self, client: usize, first: usize, out: &mut [f32]) -> Result<(), RoundError> {
        let StoredUpdate { record, ranges, factor, .. } = &self.updates[client];
        ranges.read(first, out, |start, length| -> Result<Vec<u8>, RoundError> {
            Ok(self.records.update_body_part(self.round, record, start, length)?)
        })?;
        if *factor != 1.0 {
            out.iter_mut().for_each(|value| *value = (f64::from(*value) * factor) as f32);
        }
        Ok(())
    }
}
