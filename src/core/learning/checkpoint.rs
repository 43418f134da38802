//! A fine-tuning run, interrupted: its state after a step, and that state's safetensors form.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Clip, LearningSettings};
use crate::emotion::EMOTIONS;
use crate::weights::{Weights, WeightsError};

/// Version of the form that [`FineTuneCheckpoint::encode`] writes.
const SCHEMA_VERSION: u32 = 1;
/// Key of the metadata.
const METADATA: &str = "checkpoint";
/// Prefixes of the tensors' names: the parameters, Adam's first moments and its second.
const PARTS: [&str; 3] = ["parameters", "first", "second"];

/// The state of [`super::FineTune`] or `VideoModelFineTune` after some steps: all that the steps to come depend on, beside base,
/// clips and settings. The order of clips needs no record: base, clips, settings and the number of steps determine it. A run
/// may go on from it on another device.
#[derive(Clone, Debug, PartialEq)]
pub struct FineTuneCheckpoint {
    pub(super) parameters: Weights,
    /// Adam's running means of gradients, under the parameters' names.
    pub(super) first_moments: Weights,
    /// And of squared gradients.
    pub(super) second_moments: Weights,
    /// Steps done.
    pub(super) step: usize,
    /// Which run it is of.
    pub(super) run: RunDigest,
}

/// SHA-256 of what determines a run: base, clips and the settings of training.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunDigest(String);

/// Why a checkpoint is not usable.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CheckpointError {
    /// It is cut short, or its tensors are not the model's.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// Its metadata are missing or unreadable.
    #[error("the checkpoint does not say what it is")]
    Metadata,
    /// It was written in another form.
    #[error("the checkpoint has schema version {found}, expected {SCHEMA_VERSION}")]
    Schema {
        /// The version that it has.
        found: u32,
    },
    /// It is of a run with another base, other clips or other settings.
    #[error("the checkpoint is of another run")]
    OtherRun,
    /// It has done more steps than the run has.
    #[error("the checkpoint is at step {step} of {steps}")]
    Step {
        /// Its step.
        step: usize,
        /// The run's number of steps.
        steps: usize,
    },
}

#[derive(Serialize, Deserialize)]
struct Metadata {
    schema_version: u32,
    step: usize,
    run: RunDigest,
}

/// Only this much of the metadata, whatever the version.
#[derive(Deserialize)]
struct Version {
    schema_version: u32,
}

impl RunDigest {
    /// Of a run from `base` on `clips` under `settings`. `targets` are the clips' own, from before distillation, which differs
    /// in its last bits from device to device.
    pub(super) fn new(
        base: &Weights,
        clips: &[Clip],
        targets: &[[f32; EMOTIONS]],
        settings: &LearningSettings,
    ) -> Self {
        let mut hash = Sha256::new();
        let mut add = |values: &[f32]| {
            hash.update((values.len() as u64).to_le_bytes());
            hash.update(values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>());
        };
        base.iter().for_each(|(_, tensor)| add(&tensor.values));
        clips.iter().for_each(|clip| add(&clip.features));
        add(targets.as_flattened());
        // Those that a run depends on; their JSON would bring a serializer along.
        let &LearningSettings { learning_rate, adam_epsilon, epochs, batch_size, seed, proximal, distillation, .. } =
            settings;
        for number in [learning_rate, adam_epsilon, proximal, distillation] {
            hash.update(number.to_le_bytes());
        }
        for number in [u64::from(epochs), batch_size as u64, seed] {
            hash.update(number.to_le_bytes());
        }
        Self(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

impl FineTuneCheckpoint {
    /// Steps done.
    pub fn step(&self) -> usize {
        self.step
    }

    /// That it is of `run`, which has so many `steps`.
    ///
    /// # Errors
    /// [`CheckpointError::OtherRun`] or [`CheckpointError::Step`].
    pub(super) fn check(&self, run: &RunDigest, steps: usize) -> Result<(), CheckpointError> {
        match self.step {
            _ if self.run != *run => Err(CheckpointError::OtherRun),
            step if step > steps || i32::try_from(step).is_err() => Err(CheckpointError::Step { step, steps }),
            _ => Ok(()),
        }
    }

    /// Its safetensors form: three times the model's tensors as F32, exact to the bit.
    pub fn encode(&self) -> Vec<u8> {
        let mut weights = Weights::new();
        let parts = [&self.parameters, &self.first_moments, &self.second_moments];
        for (prefix, part) in PARTS.iter().zip(parts) {
            for (name, tensor) in part.iter() {
                weights.insert(format!("{prefix}.{name}"), tensor.clone());
            }
        }
        let metadata = Metadata { schema_version: SCHEMA_VERSION, step: self.step, run: self.run.clone() };
        let metadata = serde_json::to_string(&metadata).expect("numbers and a name");
        weights.to_safetensors(Some(HashMap::from([(METADATA.to_owned(), metadata)])))
    }

    /// Reads what [`Self::encode`] wrote.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn decode(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let metadata = Weights::metadata(bytes)?.remove(METADATA).ok_or(CheckpointError::Metadata)?;
        let version: Version = serde_json::from_str(&metadata).map_err(|_| CheckpointError::Metadata)?;
        if version.schema_version != SCHEMA_VERSION {
            return Err(CheckpointError::Schema { found: version.schema_version });
        }
        let Metadata { step, run, .. } = serde_json::from_str(&metadata).map_err(|_| CheckpointError::Metadata)?;
        let weights = Weights::from_safetensors(bytes)?;
        weights.check_finite()?;
        let mut parts = [Weights::new(), Weights::new(), Weights::new()];
        for (name, tensor) in weights.iter() {
            let place = PARTS.iter().enumerate().find_map(|(part, prefix)| {
                let name = name.strip_prefix(prefix)?.strip_prefix('.')?;
                Some((part, name))
            });
            let (part, name) = place.ok_or_else(|| WeightsError::Unexpected { name: name.to_owned() })?;
            parts[part].insert(name, tensor.clone());
        }
        let [parameters, first_moments, second_moments] = parts;
        Ok(Self { parameters, first_moments, second_moments, step, run })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learning::FineTune;
    use crate::model::vfer::{FEATURES, Vfer};
    use crate::random::SplitMix64;
    use crate::weights::Tensor;

    fn clips(seed: u64, count: usize) -> Vec<Clip> {
        let mut random = SplitMix64::new(seed);
        (0..count)
            .map(|_| {
                let mut target = [0.0; 6];
                target[random.below(6)] = 1.0;
                let frames = 1 + random.below(5);
                Clip { features: (0..frames * FEATURES).map(|_| random.signed()).collect(), target }
            })
            .collect()
    }

    fn settings(seed: u64) -> LearningSettings {
        let mut random = SplitMix64::new(seed);
        LearningSettings {
            epochs: 1 + random.below(3) as u32,
            batch_size: 1 + random.below(4),
            learning_rate: 1e-3,
            proximal: random.below(2) as f64,
            distillation: 0.5 * random.below(2) as f64,
            seed,
            ..LearningSettings::default()
        }
    }

    /// The update of a run that is interrupted after each of the steps in `at`, by way of bytes.
    fn update(seed: u64, at: &[usize]) -> Weights {
        let (base, clips, settings) = (Vfer::random(seed), clips(seed, 3 + seed as usize % 5), settings(seed));
        let mut training = FineTune::new(&base, clips.clone(), &settings).unwrap();
        loop {
            if at.contains(&training.done()) {
                let bytes = training.checkpoint().encode();
                let checkpoint = FineTuneCheckpoint::decode(&bytes).unwrap();
                assert_eq!(checkpoint.step(), training.done());
                training = FineTune::resume(&base, clips.clone(), &settings, checkpoint).unwrap();
            }
            if training.step().unwrap().is_none() {
                return training.finish();
            }
        }
    }

    fn checkpoint() -> FineTuneCheckpoint {
        let mut training = FineTune::new(&Vfer::random(1), clips(1, 4), &settings(1)).unwrap();
        training.step().unwrap();
        training.checkpoint()
    }

    #[test]
    fn a_run_that_is_interrupted_at_any_step_gives_the_same_bits() {
        for seed in 0..12 {
            let whole = update(seed, &[]);
            let steps = FineTune::new(&Vfer::random(seed), clips(seed, 3 + seed as usize % 5), &settings(seed))
                .unwrap()
                .steps();
            for step in 0..=steps {
                assert_eq!(update(seed, &[step]), whole, "seed {seed}, step {step} of {steps}");
            }
            assert_eq!(update(seed, &(0..=steps).collect::<Vec<_>>()), whole, "seed {seed}, after every step");
        }
    }

    #[test]
    fn every_cut_is_an_error() {
        let bytes = checkpoint().encode();
        assert_eq!(FineTuneCheckpoint::decode(&bytes).unwrap(), checkpoint());
        let header = 8 + u64::from_le_bytes(*bytes.first_chunk().unwrap()) as usize;
        let values = (header..bytes.len()).step_by(10_007);
        for length in (0..header).chain(values).chain([bytes.len() - 1]) {
            assert!(FineTuneCheckpoint::decode(&bytes[..length]).is_err(), "{length} of {} bytes", bytes.len());
        }
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let (base, clips, settings) = (Vfer::random(1), clips(1, 4), settings(1));
        let resume = |base: &Vfer, clips: &[Clip], settings: &LearningSettings, checkpoint| {
            FineTune::resume(base, clips.to_vec(), settings, checkpoint).map(|_| ()).unwrap_err()
        };
        let is_other = |error| error == CheckpointError::OtherRun.into();
        assert!(is_other(resume(&Vfer::random(2), &clips, &settings, checkpoint())));
        assert!(is_other(resume(&base, &clips[1..], &settings, checkpoint())));
        let other = LearningSettings { seed: 99, ..settings.clone() };
        assert!(is_other(resume(&base, &clips, &other, checkpoint())));
        let late = FineTuneCheckpoint { step: 1_000, ..checkpoint() };
        let error = resume(&base, &clips, &settings, late);
        assert!(matches!(
            &error,
            crate::learning::LearningError::Checkpoint(CheckpointError::Step { step: 1_000, .. })
        ));

        let mut weights = Weights::from_safetensors(&checkpoint().encode()).unwrap();
        assert_eq!(FineTuneCheckpoint::decode(&weights.to_safetensors(None)), Err(CheckpointError::Metadata));
        let metadata = |text: &str| Some(HashMap::from([(METADATA.to_owned(), text.to_owned())]));
        let newer = weights.to_safetensors(metadata(r#"{"schema_version": 2}"#));
        assert_eq!(FineTuneCheckpoint::decode(&newer), Err(CheckpointError::Schema { found: 2 }));
        weights.insert("parameters", Tensor::new([1], vec![0.0]));
        let metadata = metadata(r#"{"schema_version": 1, "step": 1, "run": "00"}"#);
        assert!(matches!(
            FineTuneCheckpoint::decode(&weights.to_safetensors(metadata)),
            Err(CheckpointError::Weights(_))
        ));
    }
}
