//! The first global model: learned from people's votes on faces, for streams of other people's faces.
//!
//! A stream differs from the set in three ways, each of which has its answer here. Emotions are not as common (two thirds of
//! FER+ is neutral or happy): the training prior is divided out, to a power. Cameras differ: a video crop's features are about
//! half of a FER+ face's, so that faces are shown at many gains. And neighbouring frames are nearly the same face: the LSTM
//! starts as a running mean ([`Vfer::running_mean`]) and stays one, instead of adding up the same evidence.

pub mod faces;
mod sampler;

use emofed::emotion::EMOTIONS;
use emofed::learning::{AdamSettings, Clip, LearningError, Trainer};
use emofed::model::vfer::{FEATURES, Vfer, softmax};
use emofed::random::SplitMix64;
use emofed::weights::{Tensor, Weights};

use super::LabError;
use super::dataset::RatedClip;
use super::metrics::{Metrics, predictions};
use super::train::probabilities;
use faces::Faces;
use sampler::Statistics;

/// How the first model is trained. The defaults are what the shipped one was made with; docs/REPRODUCTION.md says why.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// Clips that are shown, in all.
    pub samples: usize,
    /// Clips a step.
    pub batch_size: usize,
    /// Adam's largest learning rate: warm-up over 100 steps, then half a cosine to 0.
    pub learning_rate: f64,
    /// Weight of the squared norm of the frame-level network's matrices in the loss.
    pub weight_decay: f32,
    /// Power of the vote fractions in the targets.
    pub vote_power: f64,
    /// How strongly one of a face's views dominates a blend of them.
    pub view_sharpness: f32,
    /// Smallest and largest gain, log-uniform between them.
    pub gain: (f32, f32),
    /// Largest noise, in a feature's deviations.
    pub noise: f32,
    /// Share of features that are lost.
    pub dropout: f32,
    /// Share of clips that show two faces.
    pub two_faces: f32,
    /// Power of the training prior that is divided out.
    pub prior_power: f64,
    /// Everything random.
    pub seed: u64,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            samples: 4_000_000,
            batch_size: 512,
            learning_rate: 4e-3,
            weight_decay: 1e-4,
            vote_power: 2.0,
            view_sharpness: 3.0,
            gain: (0.4, 1.1),
            noise: 0.35,
            dropout: 0.2,
            two_faces: 0.3,
            prior_power: 0.75,
            seed: 1,
        }
    }
}

/// Steps over which the learning rate rises.
const WARM_UP_STEPS: usize = 100;

/// Trains a first model. `progress` hears of steps done and of all.
///
/// # Errors
/// The loss is no longer finite.
pub fn pretrain(faces: &Faces, recipe: &Recipe, mut progress: impl FnMut(usize, usize)) -> Result<Vfer, LabError> {
    let statistics = Statistics::of(&faces.training);
    let mut random = SplitMix64::new(recipe.seed);
    let settings = AdamSettings::with_learning_rate(recipe.learning_rate);
    let mut trainer = Trainer::new(Vfer::running_mean(recipe.seed), settings);
    let steps = recipe.samples.div_ceil(recipe.batch_size.max(1));
    for step in 0..steps {
        let clips: Vec<Clip> =
            (0..recipe.batch_size).map(|_| sampler::clip(&faces.training, &statistics, recipe, &mut random)).collect();
        let warm = ((step + 1) as f64 / WARM_UP_STEPS as f64).min(1.0);
        let cosine = 0.5 * (1.0 + (std::f64::consts::PI * step as f64 / steps as f64).cos());
        trainer.set_learning_rate(recipe.learning_rate * warm * cosine);
        let loss = trainer.step_amended(&clips.iter().collect::<Vec<_>>(), |parameters, gradient| {
            // L2 on the matrices: the first and the fifth of the six, see `Parameters::slices`.
            for index in [0, 4] {
                let values = parameters.slices()[index];
                let decay = gradient.slices_mut().into_iter().nth(index).into_iter().flatten().zip(values);
                decay.for_each(|(gradient, value)| *gradient += 2.0 * recipe.weight_decay * value);
            }
            gradient.keep_frame_level();
        });
        if !loss.is_finite() {
            return Err(LearningError::Diverged { step }.into());
        }
        progress(step + 1, steps);
    }
    let vfer = folded(trainer.into_vfer(), &statistics, recipe.prior_power)?;
    calibrated(vfer, &faces.validation)
}

/// Takes the standardisation into the input weights, and divides the training prior out.
fn folded(vfer: Vfer, statistics: &Statistics, prior_power: f64) -> Result<Vfer, LabError> {
    let mut weights = vfer.to_weights();
    let mut shift: Vec<f64> = Vec::new();
    for (name, tensor) in weights.iter_mut() {
        if name == "lstm.weight_ih_l0" {
            for row in tensor.values.as_chunks_mut::<FEATURES>().0 {
                let mut sum = 0.0;
                for ((weight, mean), deviation) in row.iter_mut().zip(&statistics.mean).zip(&statistics.deviation) {
                    *weight /= deviation;
                    sum += f64::from(*weight) * f64::from(*mean);
                }
                shift.push(sum);
            }
        }
        if name == "head.bias" {
            for (bias, prior) in tensor.values.iter_mut().zip(statistics.prior) {
                *bias -= (prior_power * prior.max(1e-6).ln()) as f32;
            }
        }
    }
    let name = "lstm.bias_ih_l0";
    let bias = weights.get(name)?.clone();
    let values = bias.values.iter().zip(shift).map(|(bias, shift)| (f64::from(*bias) - shift) as f32).collect();
    weights.insert(name, Tensor::new(bias.shape, values));
    Ok(Vfer::from_weights(&weights)?)
}

/// Divides the head by the temperature under which the validation faces' majority is likeliest (Guo et al. 2017).
fn calibrated(vfer: Vfer, validation: &[RatedClip]) -> Result<Vfer, LabError> {
    let clips: Vec<&RatedClip> = validation.iter().collect();
    let logits: Vec<[f64; EMOTIONS]> =
        probabilities(&vfer, &clips).iter().map(|row| row.map(|value| f64::from(value.max(1e-12)).ln())).collect();
    let loss = |temperature: f64| -> f64 {
        let of = |(logits, clip): (&[f64; EMOTIONS], &&RatedClip)| {
            let scaled = softmax(&logits.map(|logit| (logit / temperature) as f32));
            -f64::from(scaled[clip.majority().index()].max(1e-12)).ln()
        };
        logits.iter().zip(&clips).map(of).sum()
    };
    let temperatures = (12..=40).map(|step| f64::from(step) * 0.05);
    let best = temperatures.min_by(|a, b| loss(*a).total_cmp(&loss(*b))).unwrap_or(1.0);
    let mut weights: Weights = vfer.to_weights();
    for (name, tensor) in weights.iter_mut() {
        if name.starts_with("head.") {
            tensor.values.iter_mut().for_each(|value| *value /= best as f32);
        }
    }
    Ok(Vfer::from_weights(&weights)?)
}

/// What the model is worth on faces held for `frames` frames.
pub fn measure(vfer: &Vfer, faces: &[RatedClip], frames: usize) -> Metrics {
    let held: Vec<RatedClip> =
        faces.iter().map(|clip| RatedClip { features: clip.features.repeat(frames), ..clip.clone() }).collect();
    let clips: Vec<&RatedClip> = held.iter().collect();
    Metrics::of(&predictions(&clips, &probabilities(vfer, &clips)))
}
