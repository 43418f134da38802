//! The stored updates of a round as rules that compare them read them: a range of coordinates at a time.

use emofed::learning::Strategy;
use emofed::learning::robust::UpdateSource;
use emofed::protocol::{ClientMetrics, EncodedUpdate};
use emofed::weights::{EncodedWeights, ValueRanges, Weights, scale};

use super::RoundError;
use crate::ordered_pipeline::{Threads, ordered_batches};
use crate::store::{Records, UpdateRecord};

/// Updates that are handed on together, while at most as many others are read.
const BATCH: usize = 4;
/// Most threads that read: the rest of the machine sums.
const MAX_THREADS: usize = 4;

/// An update that was read. Its bytes are those that were acknowledged, and so of the model's layout and finite.
pub(super) type StoredBody = EncodedUpdate<EncodedWeights<Vec<u8>>>;

/// Reads the bodies of `updates` on several cores, compares each with its hash, and does `work` with it there. Hands the results to `take` in
/// the updates' order, a few at a time.
///
/// # Errors
/// The first body that is damaged or missing, the store fails, or what `work` or `take` fails with.
pub(super) fn for_each_batch<T: Send>(
    records: &Records,
    round: u64,
    updates: &[&UpdateRecord],
    work: impl Fn(StoredBody) -> Result<T, RoundError> + Sync,
    take: impl FnMut(Vec<T>) -> Result<(), RoundError>,
) -> Result<(), RoundError> {
    let read = |index: usize| {
        let record = updates[index];
        work(EncodedUpdate::parse(records.update_body(round, record)?)?)
    };
    let threads = Threads::on_all_cores().at_most(MAX_THREADS).ahead(BATCH);
    ordered_batches(0..updates.len(), threads, BATCH, read, take)
}

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
    /// Checks every body as a whole, a few in memory at a time: hash, layout and finiteness.
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
        let mut checked = Vec::with_capacity(updates.len());
        let mut unchecked = updates.iter();
        let check = |body: StoredBody| {
            let EncodedUpdate { metrics, delta, .. } = body.check(base)?;
            Ok((strategy.clip_factor(delta.norm()), delta.into_encoded().into_ranges(), metrics))
        };
        for_each_batch(records, round, &updates.iter().collect::<Vec<_>>(), check, |batch| {
            // As many come as there are, in their order.
            let pairs = batch.into_iter().zip(&mut unchecked);
            checked.extend(pairs.map(|((factor, ranges, metrics), record)| StoredUpdate {
                record,
                ranges,
                factor,
                metrics,
            }));
            Ok(())
        })?;
        Ok(Self { records, round, updates: checked, coordinates: base.value_count() })
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
        scale(out, *factor);
        Ok(())
    }
}
