//! Published models: the latest one, restoring an earlier one, and which weights are kept.

use std::collections::HashSet;
use std::sync::Arc;

use emofed::model::vfer::VferArchitecture;
use emofed::protocol::{AbandonReason, BackboneRef, BlobRef, Event, ModelCard, ModelOrigin};
use emofed::weights::Weights;

use super::open::base_replaced;
use super::state::State;
use super::{Federation, Refusal, RoundError};
use crate::store::{Candidate, ModelRecord, Phase, Records, RoundRecord, StoreError, blob_name};

/// Records read at once when looking for a model.
const PAGE: usize = 64;

/// Publishes a model that no round made: the first of a backbone, or one trained in the lab.
///
/// # Errors
/// The store fails.
pub fn publish_made(
    records: &Records,
    backbone: &BackboneRef,
    origin: ModelOrigin,
    architecture: VferArchitecture,
    vfer: &[u8],
    card: Option<ModelCard>,
    now_s: u64,
) -> Result<ModelRecord, RoundError> {
    let newest = records.newest()?;
    let published = records.newest_models(None, 1)?.first().map_or(0, |model| model.version);
    let model = ModelRecord {
        version: published.max(newest.as_ref().map_or(0, |newest| newest.version)) + 1,
        parent: None,
        origin,
        round: None,
        num_clients: 0,
        num_examples: Some(0),
        published_at_s: now_s,
        backbone_sha256: backbone.blob.sha256.clone(),
        architecture,
        vfer: records.put_blob(vfer)?,
        difference: None,
        class_metrics: None,
        acceptance_report: None,
        card,
        strategy_state: None,
    };
    records.insert_model(newest.as_ref(), &model, None)?;
    Ok(model)
}

/// The newest model over a backbone.
///
/// # Errors
/// The store fails.
pub fn latest_model(records: &Records, backbone: &BackboneRef) -> Result<Option<ModelRecord>, RoundError> {
    Ok(newest_model(records, |model| model.backbone_sha256 == backbone.blob.sha256)?)
}

/// The newest model that is `wanted`.
pub(super) fn newest_model(
    records: &Records,
    wanted: impl Fn(&ModelRecord) -> bool,
) -> Result<Option<ModelRecord>, StoreError> {
    let mut before = None;
    loop {
        let page = records.newest_models(before, PAGE)?;
        before = page.last().map(|model| model.version);
        if before.is_none() {
            return Ok(None);
        }
        if let Some(newest) = page.into_iter().find(|model| wanted(model)) {
            return Ok(Some(newest));
        }
    }
}

/// How many values the global model has.
///
/// # Errors
/// There is no backbone, or no model over it; the store fails, or the weights cannot be used.
pub fn model_values(records: &Records) -> Result<usize, RoundError> {
    let backbone = records.backbone()?.ok_or(Refusal::NoBackbone)?.backbone;
    let latest = latest_model(records, &backbone)?.ok_or(Refusal::NoModel)?;
    Ok(load(records, &latest.vfer)?.value_count())
}

/// The weights in `blob`, whose hash is checked.
pub(super) fn load(records: &Records, blob: &BlobRef) -> Result<Arc<Weights>, RoundError> {
    Ok(Arc::new(Weights::from_safetensors(&records.blob(&blob.sha256)?)?))
}

impl Federation {
    /// Makes the weights of `version` the global model again, under a new version. An open round, whose base is then stale, is
    /// abandoned.
    ///
    /// # Errors
    /// There is no such version of this backbone, its weights are not kept any more, a round is being aggregated, or the
    /// store fails.
    pub fn restore(&self, version: u64) -> Result<u64, RoundError> {
        let new_version = self.fresh_transition(|state| {
            if let Some(round) = state.round.as_ref().filter(|round| round.phase != Phase::Open) {
                return Err(Refusal::AggregationUnderway { round: round.id }.into());
            }
            let restored = self.records.model(version)?;
            let restored = restored
                .filter(|model| model.backbone_sha256 == self.backbone.blob.sha256)
                .ok_or(Refusal::UnknownVersion { version })?;
            if !self.has_weights_of(&restored)? {
                return Err(Refusal::WeightsUnavailable { version }.into());
            }
            self.publish_again(state, &restored)?;
            self.refresh(state)?;
            let version_now = state.latest_model.version;
            self.events.push(Event::ModelRolledBack { version: version_now, restored: version });
            Ok(version_now)
        })?;
        self.advance()?;
        Ok(new_version)
    }

    /// Publishes the parent of `round`'s base again, since the base does worse on the hold-outs of `clients` tabs, and ends the round with
    /// that: its updates are relative to the base. `None` if the parent cannot be: no round made the base, or the parent's weights
    /// are not kept any more.
    pub(super) fn roll_back(
        &self,
        state: &mut State,
        round: &RoundRecord,
        clients: u32,
    ) -> Result<Option<Phase>, RoundError> {
        let base = state.latest_model.clone();
        let parent = base.round.and(base.parent).map(|parent| self.records.model(parent)).transpose()?.flatten();
        let Some(parent) = parent.filter(|parent| parent.backbone_sha256 == self.backbone.blob.sha256) else {
            return Ok(None);
        };
        if !self.has_weights_of(&parent)? {
            return Ok(None);
        }
        let limit = self.config.bounds.max_loss_increase;
        let reason = AbandonReason::BaseWorse { version: base.version, restored: parent.version, clients, limit };
        let phase = Phase::Abandoned { reason };
        let ended = RoundRecord { phase: phase.clone(), received: Some(state.received), ..round.clone() };
        self.insert_again(state, &parent, Some((round, &ended)))?;
        Ok(Some(phase))
    }

    /// Publishes a model's weights under a new version. A round that has not ended is abandoned with that.
    pub(super) fn publish_again(&self, state: &mut State, model: &ModelRecord) -> Result<(), RoundError> {
        let round = state.round.clone().filter(|round| !round.phase.is_over());
        let abandoned = round.as_ref().map(|round| base_replaced(round, state.received));
        self.insert_again(state, model, round.as_ref().zip(abandoned.as_ref()))?;
        abandoned.map_or(Ok(()), |abandoned| self.note_abandoned(state, abandoned))
    }

    /// Stores a model's weights as the next version, and with it what a round becomes.
    fn insert_again(
        &self,
        state: &mut State,
        model: &ModelRecord,
        round: Option<(&RoundRecord, &RoundRecord)>,
    ) -> Result<(), RoundError> {
        let again = ModelRecord {
            version: state.next_version(),
            parent: Some(model.version),
            published_at_s: self.clock.now_s(),
            round: None,
            difference: None,
            class_metrics: None,
            ..model.clone()
        };
        state.newest = Some(self.records.insert_model(state.newest.as_ref(), &again, round)?);
        state.newest_version = again.version;
        state.latest_model = again;
        Ok(())
    }

    /// Whether a model's weights are there as they were published. A store that fails now may have them later.
    fn has_weights_of(&self, model: &ModelRecord) -> Result<bool, RoundError> {
        match load(&self.records, &model.vfer) {
            Ok(_) => Ok(true),
            Err(error) if error.is_damage() => {
                tracing::error!(%error, version = model.version, "a version cannot be restored");
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Deletes what a candidate has stored that was not published, but for what a version has, too. What cannot be deleted now stays.
    pub(super) fn drop_candidate(&self, candidate: &Candidate) {
        let Candidate { weights, strategy_state, difference, .. } = candidate;
        let difference = difference.as_ref().map(|difference| &difference.blob);
        for BlobRef { sha256, .. } in [Some(weights), strategy_state.as_ref(), difference].into_iter().flatten() {
            let is_of_a_version = |model: &ModelRecord| blobs(model).any(|blob| blob == sha256);
            let dropped = match newest_model(&self.records, is_of_a_version) {
                Ok(None) => self.records.store().delete_object(&blob_name(sha256)),
                found => found.map(drop),
            };
            if let Err(error) = dropped {
                tracing::warn!(%error, sha256, "what was not published stays stored");
            }
        }
    }

    /// Deletes weights of versions that no longer belong to the last [`super::FederationBounds::kept_models`]; their records
    /// stay. Models that no round made are kept for ever. `examined` versions before those are examined.
    pub(super) fn drop_old_weights(&self, examined: usize) -> Result<(), RoundError> {
        let kept = self.config.bounds.kept_models.max(1);
        let models = self.records.newest_models(None, kept.saturating_add(examined))?;
        let (recent, old) = models.split_at(kept.min(models.len()));
        let is_dispensable = |model: &&ModelRecord| model.origin == ModelOrigin::Federated;
        let current = self.records.model(self.snapshot().manifest.model.version)?;
        let mut needed: HashSet<&str> = recent.iter().flat_map(blobs).collect();
        needed.extend(old.iter().filter(|model| !is_dispensable(model)).flat_map(blobs));
        needed.extend(current.iter().flat_map(blobs));
        for sha256 in old.iter().filter(is_dispensable).flat_map(blobs).filter(|sha256| !needed.contains(sha256)) {
            self.records.store().delete_object(&blob_name(sha256))?;
        }
        Ok(())
    }
}

/// The hashes of a model's own objects.
fn blobs(model: &ModelRecord) -> impl Iterator<Item = &str> {
    let difference = model.difference.as_ref().map(|difference| &difference.blob);
    let own = [Some(&model.vfer), difference, model.strategy_state.as_ref()];
    own.into_iter().flatten().map(|blob| blob.sha256.as_str())
}
