//! Makes what a camera might see of a training face: between its views, lit and exposed otherwise, with noise.

use emofed::emotion::EMOTIONS;
use emofed::learning::Clip;
use emofed::model::vfer::FEATURES;
use emofed::random::SplitMix64;

use super::Recipe;
use super::faces::{Face, VIEWS};

/// Mean and deviation of each feature over the training faces.
pub struct Statistics {
    /// `[FEATURES]`.
    pub mean: Vec<f32>,
    /// `[FEATURES]`, at least a little.
    pub deviation: Vec<f32>,
    /// Mean vote fractions, `[EMOTIONS]`: how common each emotion is in the set.
    pub prior: [f64; EMOTIONS],
}

impl Statistics {
    /// Of the faces themselves, without their altered views.
    pub fn of(faces: &[Face]) -> Self {
        let count = faces.len().max(1) as f64;
        let mean_of = |value: &dyn Fn(&Face, usize) -> f64| -> Vec<f64> {
            (0..FEATURES).map(|i| faces.iter().map(|face| value(face, i)).sum::<f64>() / count).collect()
        };
        let mean = mean_of(&|face, i| f64::from(face.views[i]));
        let variance = mean_of(&|face, i| (f64::from(face.views[i]) - mean[i]).powi(2));
        let mut prior = [0.0; EMOTIONS];
        for face in faces {
            let votes = f64::from(face.votes.iter().sum::<u32>().max(1));
            prior.iter_mut().zip(face.votes).for_each(|(sum, vote)| *sum += f64::from(vote) / votes / count);
        }
        Self {
            mean: mean.iter().map(|&value| value as f32).collect(),
            deviation: variance.iter().map(|value| (value.sqrt() as f32).max(1e-3)).collect(),
            prior,
        }
    }
}

/// What a face's votes ask for: fractions to the recipe's power, since a rater errs more often than a face is mixed.
pub fn target(votes: &[u32; EMOTIONS], power: f64) -> [f32; EMOTIONS] {
    let all = f64::from(votes.iter().sum::<u32>().max(1));
    let values = votes.map(|count| (f64::from(count) / all).powf(power));
    let sum: f64 = values.iter().sum::<f64>().max(1e-12);
    values.map(|value| (value / sum) as f32)
}

/// One frame of `face`, standardised: a random blend of its views, times a gain (another camera's contrast), plus noise and a
/// fixed offset where a feature is active, with some features lost.
pub fn frame(face: &Face, statistics: &Statistics, recipe: &Recipe, random: &mut SplitMix64) -> Vec<f32> {
    let unit = |random: &mut SplitMix64| 0.5 * (random.signed() + 1.0);
    let mut weights: [f32; VIEWS] = std::array::from_fn(|_| (recipe.view_sharpness * random.normal()).exp());
    let sum: f32 = weights.iter().sum();
    weights.iter_mut().for_each(|weight| *weight /= sum);
    let (low, high) = (recipe.gain.0.ln(), recipe.gain.1.ln());
    let gain = (low + (high - low) * unit(random)).exp();
    // Noise and offset of one frame are one normal value with the sum of both variances.
    let noise = (recipe.noise * unit(random)).hypot(recipe.noise * unit(random));
    let kept = 1.0 / (1.0 - recipe.dropout);
    (0..FEATURES)
        .map(|i| {
            let blend: f32 =
                weights.iter().enumerate().map(|(view, weight)| weight * face.views[view * FEATURES + i]).sum();
            let mut value = gain * blend;
            if value > 0.0 {
                value = (value + noise * statistics.deviation[i] * random.normal()).max(0.0);
            }
            let standard = (value - statistics.mean[i]) / statistics.deviation[i];
            if recipe.dropout > 0.0 && unit(random) < recipe.dropout { 0.0 } else { kept * standard }
        })
        .collect()
}

/// A clip to learn from: one frame of one face or, with the recipe's probability, frames of two, whose target is mixed as the
/// frames are.
pub fn clip(faces: &[Face], statistics: &Statistics, recipe: &Recipe, random: &mut SplitMix64) -> Clip {
    let face = &faces[random.below(faces.len())];
    let mut features = frame(face, statistics, recipe, random);
    let mut target_of_clip = target(&face.votes, recipe.vote_power);
    if 0.5 * (random.signed() + 1.0) < recipe.two_faces {
        let other = &faces[random.below(faces.len())];
        features.extend(frame(other, statistics, recipe, random));
        let second = target(&other.votes, recipe.vote_power);
        target_of_clip.iter_mut().zip(second).for_each(|(first, second)| *first = 0.5 * (*first + second));
    }
    Clip { features, target: target_of_clip }
}
