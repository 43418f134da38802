//! Virtual students over the aggregator's own code, in process or over HTTP: the round machine, validation, the durable store, FedAvg
//! and the acceptance check that `emofed serve` runs, and the fine-tuning that a tab runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use emofed::learning::{Clip, FineTune, LearningSettings, PseudoLabel, PseudoLabeller, Strategy};
use emofed::model::BackboneKind;
use emofed::model::vfer::{Vfer, VferArchitecture};
use emofed::protocol::{
    AbandonReason, BackboneRef, CaptureSettings, ClientUpdate, ModelOrigin, ModelVersion, RoundSettings, UpdateLimits,
};
use emofed::weights::Weights;
use tempfile::TempDir;

use super::LabError;
use super::dataset::RatedClip;
use super::parallel::on_all_cores;
use super::transport::{Delivery, Transport};
use crate::clock::Clock;
use crate::round::{AcceptanceCheck, Federation, FederationBounds, FederationConfig, SanityCheck, Stage, publish_made};
use crate::store::{BackboneRecord, EmbeddedStore, Phase, Records};

/// Time that passes only when a round does.
#[derive(Default)]
struct RoundClock(AtomicU64);

impl Clock for RoundClock {
    fn now_s(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// An aggregator of its own, over a store in a temporary folder.
pub struct SimulatedFederation {
    // Dropped before the federation, which the HTTP side lets go of when it stops.
    delivery: Delivery,
    federation: Arc<Federation>,
    clock: Arc<RoundClock>,
    // Deleted when dropped, after the federation has let go of it.
    _folder: TempDir,
}

/// What became of a round.
#[derive(Clone, Debug, PartialEq)]
pub struct RoundReport {
    /// Updates that were acknowledged.
    pub received: u32,
    /// Updates that were refused.
    pub refused: u32,
    /// Bytes of all bodies that were sent.
    pub bytes: u64,
    /// Where the round ended.
    pub phase: Phase,
}

/// How a client, by its number, ships its update.
pub type Encode<'a> = dyn Fn(usize, &ClientUpdate) -> Vec<u8> + Sync + 'a;

impl SimulatedFederation {
    /// Makes `base` the first global model.
    ///
    /// # Errors
    /// The disk fails.
    pub fn new(
        base: &Weights,
        learning: &LearningSettings,
        limits: UpdateLimits,
        strategy: Strategy,
    ) -> Result<Self, LabError> {
        let check = Box::new(SanityCheck { max_norm: f64::INFINITY });
        Self::with_acceptance_check(base, learning, limits, strategy, check)
    }

    /// As [`Self::new`], with a check that candidates have to pass.
    ///
    /// # Errors
    /// The disk fails.
    pub fn with_acceptance_check(
        base: &Weights,
        learning: &LearningSettings,
        limits: UpdateLimits,
        strategy: Strategy,
        check: Box<dyn AcceptanceCheck>,
    ) -> Result<Self, LabError> {
        let folder = tempfile::tempdir().map_err(|error| LabError::file(&std::env::temp_dir(), error))?;
        let store = Arc::new(EmbeddedStore::open(folder.path())?);
        let records = Records::open(store)?;
        let bytes = base.to_safetensors(None);
        // The rounds never look at a backbone's weights; they only want one to be there.
        let backbone = BackboneRef { kind: BackboneKind::Lite, blob: records.put_blob(&bytes)? };
        records.put_backbone(&BackboneRecord { backbone: backbone.clone(), imported_at_s: 0 })?;
        records.put_detector(&backbone.blob)?;
        publish_made(&records, &backbone, ModelOrigin::Trained, VferArchitecture::default(), &bytes, None, 0)?;
        let config = FederationConfig {
            name: "simulation".into(),
            deployment: None,
            stage: Stage::default(),
            learning: learning.clone(),
            capture: CaptureSettings::default(),
            // Rounds are opened and closed by hand, with whoever has delivered by then.
            rounds: RoundSettings { minimum_clients: u32::MAX, continuous: false, ..RoundSettings::default() },
            limits,
            strategy,
            // Virtual students have nothing to hide.
            few_contributors: true,
            bounds: FederationBounds { max_participants: u32::MAX, ..FederationBounds::default() },
        };
        let clock = Arc::new(RoundClock::default());
        let federation = Arc::new(Federation::open(records.clone(), clock.clone(), config, check)?);
        Ok(Self {
            delivery: Delivery::over(Transport::InProcess, federation.clone())?,
            federation,
            clock,
            _folder: folder,
        })
    }

    /// The same with updates that travel by `transport`.
    ///
    /// # Errors
    /// No socket can be had.
    pub fn over(self, transport: Transport) -> Result<Self, LabError> {
        Ok(Self { delivery: Delivery::over(transport, self.federation.clone())?, ..self })
    }

    /// The current global model's place in the lineage.
    pub fn version(&self) -> ModelVersion {
        self.federation.snapshot().manifest.model.clone()
    }

    /// The current global model.
    ///
    /// # Errors
    /// Stored weights are damaged.
    pub fn model(&self) -> Result<Vfer, LabError> {
        Ok(Vfer::from_weights(&self.federation.snapshot().base)?)
    }

    /// Runs a round with `clients` virtual students on all cores. `update` makes the update of one of them (`None`: it
    /// drops out), `encode` its body. Only as many updates are in memory as there are cores.
    ///
    /// # Errors
    /// The store fails, or a client cannot be simulated.
    pub fn round(
        &self,
        clients: usize,
        encode: &Encode,
        update: impl Fn(usize, &Vfer) -> Result<Option<LocalUpdate>, LabError> + Sync,
    ) -> Result<RoundReport, LabError> {
        self.clock.0.fetch_add(1, Ordering::SeqCst);
        let round = self.federation.open_round()?;
        let snapshot = self.federation.snapshot();
        let base = Vfer::from_weights(&snapshot.base)?;
        let base_version = snapshot.manifest.model.version;
        let (next, received, refused, bytes) =
            (AtomicUsize::new(0), AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
        let work = || -> Result<(), LabError> {
            loop {
                let client = next.fetch_add(1, Ordering::Relaxed);
                if client >= clients {
                    return Ok(());
                }
                let Some(LocalUpdate { delta, num_examples }) = update(client, &base)? else { continue };
                let body = encode(client, &ClientUpdate { round, base_version, num_examples, metrics: None, delta });
                bytes.fetch_add(body.len() as u64, Ordering::Relaxed);
                let counter = if self.delivery.send(client, round, body)? { &received } else { &refused };
                counter.fetch_add(1, Ordering::Relaxed);
            }
        };
        on_all_cores(work)?;
        self.federation.close_round(round)?;
        let ended = self.federation.records().rounds()?.into_iter().find(|record| record.id == round);
        let count = |counter: AtomicU64| u32::try_from(counter.into_inner()).unwrap_or(u32::MAX);
        Ok(RoundReport {
            received: count(received),
            refused: count(refused),
            bytes: bytes.into_inner(),
            phase: ended.map_or(Phase::Abandoned { reason: AbandonReason::Unspecified }, |record| record.phase),
        })
    }
}

/// What a client trained.
pub struct LocalUpdate {
    /// Tuned minus base.
    pub delta: Weights,
    /// How many clips it was trained on.
    pub num_examples: u32,
}

/// What a tab does with its unlabelled clips: pseudo labels, and one fine-tuning. Votes are not looked at. `None` if no
/// clip was confident enough.
///
/// # Errors
/// A clip is not usable, or the loss is no longer finite.
pub fn fine_tune(
    base: &Vfer,
    clips: &[&RatedClip],
    learning: &LearningSettings,
) -> Result<Option<LocalUpdate>, LabError> {
    let kept = training_clips(base, clips, learning);
    if kept.is_empty() {
        return Ok(None);
    }
    let num_examples = u32::try_from(kept.len()).unwrap_or(u32::MAX);
    let mut training = FineTune::new(base, kept, learning)?;
    while training.step()?.is_some() {}
    Ok(Some(LocalUpdate { delta: training.finish(), num_examples }))
}

/// What a tab would learn from: the clips that it would keep, with its targets.
pub fn training_clips(base: &Vfer, clips: &[&RatedClip], learning: &LearningSettings) -> Vec<Clip> {
    let kept = pseudo_labelled(base, clips, learning).into_iter();
    kept.map(|(clip, label)| Clip { features: clip.features.clone(), target: label.target(learning.soft_labels) })
        .collect()
}

/// The clips that a tab would keep, with the labels that it would give them.
pub fn pseudo_labelled<'a>(
    base: &Vfer,
    clips: &[&'a RatedClip],
    learning: &LearningSettings,
) -> Vec<(&'a RatedClip, PseudoLabel)> {
    let mut labeller = PseudoLabeller::default();
    let label = |clip: &&'a RatedClip| {
        // Running the VFER is as much work as a third of a training step: only where its opinion is asked for.
        let video = if learning.video_share > 0.0 || learning.agreement {
            base.probabilities(&clip.features)
        } else {
            [0.0; 6]
        };
        let label = labeller.label(&clip.probabilities, &video, learning)?;
        label.is_kept().then_some((*clip, label))
    };
    clips.iter().filter_map(label).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::synthetic::{SyntheticSettings, generate};

    #[test]
    fn a_round_in_process_is_fedavg_and_deterministic() {
        let dataset = generate(&SyntheticSettings {
            subjects: 4,
            clips_per_subject: 6,
            frames: 8,
            ..SyntheticSettings::default()
        });
        let base = Vfer::random(1);
        let learning = LearningSettings { confidence_threshold: 0.0, ..LearningSettings::default() };
        let students: Vec<Vec<&RatedClip>> = dataset.clips.chunks(6).map(|clips| clips.iter().collect()).collect();
        let run = || {
            let federation =
                SimulatedFederation::new(&base.to_weights(), &learning, UpdateLimits::default(), Strategy::default())
                    .unwrap();
            let outcome = federation
                .round(students.len(), &|_, update| update.encode(), |student, base| {
                    fine_tune(base, &students[student], &learning)
                })
                .unwrap();
            (outcome, federation.model().unwrap())
        };
        let (outcome, model) = run();
        assert_eq!((outcome.received, outcome.refused), (4, 0));
        assert!(matches!(outcome.phase, Phase::Published { .. }), "{outcome:?}");
        assert_eq!(model, run().1);
        let mut mean = emofed::learning::FedAvg::new(base.to_weights());
        for student in &students {
            let LocalUpdate { delta, num_examples } = fine_tune(&base, student, &learning).unwrap().unwrap();
            mean.add(&delta, num_examples).unwrap();
        }
        assert_eq!(model.to_weights(), mean.finish().unwrap());
    }

    #[test]
    fn a_hostile_update_is_refused_and_the_others_count() {
        let base = Vfer::random(1);
        let learning = LearningSettings::default();
        let federation =
            SimulatedFederation::new(&base.to_weights(), &learning, UpdateLimits::default(), Strategy::default())
                .unwrap();
        let outcome = federation
            .round(4, &|_, update| update.encode(), |client, base| {
                let mut delta = base.to_weights();
                let factor = if client == 2 { f32::NAN } else { 0.001 };
                delta.iter_mut().for_each(|(_, tensor)| tensor.values.iter_mut().for_each(|value| *value *= factor));
                Ok((client != 3).then_some(LocalUpdate { delta, num_examples: 1 }))
            })
            .unwrap();
        assert_eq!((outcome.received, outcome.refused), (2, 1));
        assert!(federation.model().unwrap() != base);
    }
}
