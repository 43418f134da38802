//! Aggregating: from the stored updates to a candidate.
//!
//! A mean has a few updates in memory at a time: some are read and compared with their hash while others are summed. Rules that compare
//! updates read each twice: as a whole, to check it, and in blocks of coordinates. Peak memory beside the models is 8 updates at the
//! most, or a block (32 MiB, or 2 KiB an update where there are more than 16,384),
//! and for Krum the distances of all pairs: 4 bytes · clients².

use emofed::learning::robust::{self, Blocks, CoordinateWise};
use emofed::learning::{Aggregation, DifferenceEncoding, EncodedDelta, FedAvg, ServerOptimizer, Strategy};
use emofed::protocol::{
    AbandonReason, ClassMetrics, ClientMetrics, CloseReason, Event, ModelDifference, UpdateError, loss_increased,
    rounded_difference,
};
use emofed::weights::Weights;

use super::state::State;
use super::stored_updates::{StoredBody, StoredUpdates, for_each_batch};
use super::{Federation, RoundError, load};
use crate::ordered_pipeline::Threads;
use crate::store::{Candidate, ModelRecord, Phase, RoundRecord, UpdateRecord};

/// The base moved by the aggregated delta.
struct Aggregate {
    model: Weights,
    /// Updates that it was made of.
    num_clients: u32,
    /// The sum of their `num_examples`.
    num_examples: u64,
    /// The client metrics that came with them.
    metrics: Vec<ClientMetrics>,
}

impl Federation {
    /// Notifies the tabs that a round takes no more updates. The manifest says so already.
    pub(super) fn notify_closed(&self, round: &RoundRecord) {
        if let Phase::Aggregating { reason } = round.phase {
            self.events.push(Event::RoundClosed { round: round.id, reason });
        }
    }

    /// The strategy that the round was opened with.
    pub(super) fn strategy_of(&self, round: &RoundRecord) -> Strategy {
        round.strategy.unwrap_or(self.config.strategy)
    }

    /// Aggregates the updates of `round` over the global model and stores the candidate.
    pub(super) fn aggregate(
        &self,
        state: &mut State,
        round: &RoundRecord,
        reason: CloseReason,
    ) -> Result<Phase, RoundError> {
        let updates = self.records.updates(round.id)?;
        // No more can come, and this replica may not have heard of all.
        state.received = u32::try_from(updates.len()).unwrap_or(u32::MAX);
        let base_model = &state.latest_model;
        let strategy = self.strategy_of(round);
        if let Some(reason) = self.reason_to_abandon(round, &strategy, updates.len(), reason) {
            return Ok(Phase::Abandoned { reason });
        }
        let base = load(&self.records, &base_model.vfer)?;
        let Aggregate { model, num_clients, num_examples, metrics } = if strategy.needs_single_updates() {
            self.compared(&strategy, round.id, &updates, &base)
        } else {
            let weighted = strategy.aggregation == Aggregation::Mean { weighted: true };
            self.mean(&strategy, round.id, &updates.iter().collect::<Vec<_>>(), &base, weighted)
        }?;
        let state = match &base_model.strategy_state {
            Some(state) if strategy.optimizer != ServerOptimizer::None => Some(load(&self.records, state)?),
            _ => None,
        };
        let (candidate, state) = match strategy.optimizer.apply(&base, &model, state.as_deref()) {
            // A state that another strategy left does not fit and is no reason to lose the round.
            Err(_) if state.is_some() => strategy.optimizer.apply(&base, &model, None),
            applied => applied,
        }?;
        let (candidate, difference) = self.rounded(&strategy, round.id, base_model, &base, candidate)?;
        let weights = self.records.put_blob(&candidate.to_safetensors(None))?;
        let strategy_state = state.map(|state| self.records.put_blob(&state.to_safetensors(None))).transpose()?;
        let class_metrics = ClassMetrics::mean(&metrics);
        let loss_increased = loss_increased(&metrics, self.config.bounds.max_loss_increase);
        let candidate =
            Candidate { weights, num_clients, num_examples, strategy_state, difference, class_metrics, loss_increased };
        Ok(Phase::Evaluating(candidate))
    }

    /// The candidate as it is published, and its difference to the base `model`, as `strategy` says. The round decides how it is
    /// rounded, so that doing it again gives the same.
    fn rounded(
        &self,
        strategy: &Strategy,
        round: u64,
        model: &ModelRecord,
        base: &Weights,
        candidate: Weights,
    ) -> Result<(Weights, Option<ModelDifference>), RoundError> {
        let rounded = match strategy.difference {
            DifferenceEncoding::None => None,
            DifferenceEncoding::Int8 => rounded_difference(&candidate, base, round, model.version)?,
        };
        let Some((file, candidate)) = rounded else { return Ok((candidate, None)) };
        let blob = self.records.put_blob(&file)?;
        Ok((candidate, Some(ModelDifference { base_sha256: model.vfer.sha256.clone(), blob })))
    }

    /// Why `found` updates are not aggregated, if they are not. Asked here, too, whatever closed the round: it may have been
    /// another version of this program, or under another configuration.
    fn reason_to_abandon(
        &self,
        round: &RoundRecord,
        strategy: &Strategy,
        found: usize,
        closed: CloseReason,
    ) -> Option<AbandonReason> {
        let found = u32::try_from(found).unwrap_or(u32::MAX);
        let (fewest, minimum) = (self.fewest_contributors().max(1), strategy.minimum_clients());
        let in_model = strategy.updates_in_model(found);
        if in_model < fewest {
            return Some(AbandonReason::TooFewUpdates { found: in_model, needed: fewest });
        }
        if found < round.minimum_clients && closed == CloseReason::Deadline {
            return Some(AbandonReason::TooFewUpdates { found, needed: round.minimum_clients });
        }
        let strategy = strategy.name().to_owned();
        (found < minimum).then_some(AbandonReason::TooFewForStrategy { strategy, found, needed: minimum })
    }

    /// The mean of `updates`, clipped as `strategy` says.
    fn mean(
        &self,
        strategy: &Strategy,
        round: u64,
        updates: &[&UpdateRecord],
        base: &Weights,
        weighted: bool,
    ) -> Result<Aggregate, RoundError> {
        let mut mean = if weighted { FedAvg::new(base.clone()) } else { FedAvg::unweighted(base.clone()) };
        let mut metrics = Vec::new();
        let clipped = |StoredBody { num_examples, metrics, delta, .. }: StoredBody| {
            // Of the norm nothing is needed unless it is limited, and a pass over all values is saved.
            let (factor, delta) = match strategy.clip_norm {
                None => (1.0, delta),
                Some(_) => {
                    let delta = delta.finite(base)?;
                    (strategy.clip_factor(delta.norm()), delta.into_encoded())
                }
            };
            Ok((EncodedDelta { delta, num_examples, factor }, metrics))
        };
        let threads = Threads::on_all_cores().count;
        for_each_batch(&self.records, round, updates, clipped, |batch| {
            let (deltas, told): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
            metrics.extend(told.into_iter().flatten());
            mean.add_encoded(&deltas, threads)?;
            Ok(())
        })?;
        let (num_clients, num_examples) = (mean.num_clients(), mean.num_examples());
        // Every update that was acknowledged has examples.
        let model =
            mean.finish().ok_or(UpdateError::NumExamples { found: 0, limit: self.config.limits.max_examples })?;
        Ok(Aggregate { model, num_clients, num_examples, metrics })
    }

    /// What a rule that compares updates makes of them.
    fn compared(
        &self,
        strategy: &Strategy,
        round: u64,
        updates: &[UpdateRecord],
        base: &Weights,
    ) -> Result<Aggregate, RoundError> {
        let stored = StoredUpdates::check(&self.records, round, updates, base, strategy)?;
        let blocks = Blocks::on_all_cores();
        let rule = match strategy.aggregation {
            Aggregation::MultiKrum { byzantine, selected } => {
                let distances = robust::squared_distances(&stored, blocks)?;
                let nearest = robust::select(&distances, byzantine as usize, selected as usize);
                let nearest: Vec<_> = nearest.into_iter().map(|index| &updates[index]).collect();
                return self.mean(strategy, round, &nearest, base, false);
            }
            Aggregation::TrimmedMean { trim } => CoordinateWise::TrimmedMean { trim },
            Aggregation::Median | Aggregation::Mean { .. } => CoordinateWise::Median,
        };
        let mut values: Vec<f32> = base.iter().flat_map(|(_, tensor)| tensor.values.iter().copied()).collect();
        robust::aggregate_coordinates(rule, &stored, blocks, &mut values)?;
        let mut model = base.clone();
        let mut rest = values.as_slice();
        for (_, tensor) in model.iter_mut() {
            let (own, others) = rest.split_at(tensor.values.len());
            tensor.values.copy_from_slice(own);
            rest = others;
        }
        let num_examples = updates.iter().map(|update| u64::from(update.num_examples)).sum();
        let num_clients = u32::try_from(updates.len()).unwrap_or(u32::MAX);
        Ok(Aggregate { model, num_clients, num_examples, metrics: stored.metrics().collect() })
    }
}
