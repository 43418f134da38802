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

/// One frame of `face`, standardised: a random blend of its views, times a gain (another camera's contrast), plus noise
/// where a feature is active, with some features lost.
pub fn frame(face: &Face, statistics: &Statistics, recipe: &Recipe, random: &mut SplitMix64) -> Vec<f32> {
    let mut weights: [f32; VIEWS] = std::array::from_fn(|_| (recipe.view_sharpness * random.normal()).exp());
    let sum: f32 = weights.iter().sum();
    weights.iter_mut().for_each(|weight| *weight /= sum);
    let (low, high) = (recipe.gain.0.ln(), recipe.gain.1.ln());
    let gain = (low + (high - low) * random.unit()).exp();
    let noise = recipe.noise * random.unit();
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
            if recipe.dropout > 0.0 && random.unit() < recipe.dropout { 0.0 } else { kept * standard }
        })
        .collect()
}

/// A clip to learn from: one frame of one face or, with the recipe's probability, one or two frames each of two faces, whose
/// target is mixed as the frames are.
pub fn clip(faces: &[Face], statistics: &Statistics, recipe: &Recipe, random: &mut SplitMix64) -> Clip {
    let is_of_two = random.unit() < recipe.two_faces;
    let counts = if is_of_two { [1 + random.below(2), 1 + random.below(2)] } else { [1, 0] };
    let all = (counts[0] + counts[1]) as f32;
    let mut clip = Clip { features: Vec::new(), target: [0.0; EMOTIONS] };
    for count in counts.into_iter().filter(|&count| count > 0) {
        let face = &faces[random.below(faces.len())];
        for _ in 0..count {
            clip.features.extend(frame(face, statistics, recipe, random));
        }
        let share = target(&face.votes, recipe.vote_power).map(|value| value * count as f32 / all);
        clip.target.iter_mut().zip(share).for_each(|(sum, share)| *sum += share);
    }
    clip
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faces() -> Vec<Face> {
        let mut random = SplitMix64::new(1);
        (0..20)
            .map(|index| {
                let mut votes = [0; EMOTIONS];
                votes[index % EMOTIONS] = 6;
                votes[(index + 1) % EMOTIONS] = 2;
                Face { views: (0..VIEWS * FEATURES).map(|_| random.normal().abs()).collect(), votes }
            })
            .collect()
    }

    #[test]
    fn clips_are_distributions_over_whole_frames_and_follow_the_seed() {
        let (faces, recipe) = (faces(), Recipe { two_faces: 0.5, ..Recipe::default() });
        let statistics = Statistics::of(&faces);
        assert!((statistics.prior.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        let draw = |seed| {
            let mut random = SplitMix64::new(seed);
            (0..200).map(|_| clip(&faces, &statistics, &recipe, &mut random)).collect::<Vec<Clip>>()
        };
        let clips = draw(3);
        assert_eq!(clips, draw(3));
        assert_ne!(clips, draw(4));
        for clip in &clips {
            assert!(
                clip.features.len().is_multiple_of(FEATURES) && clip.features.iter().all(|value| value.is_finite())
            );
            assert!((clip.target.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{:?}", clip.target);
        }
        let lengths: std::collections::BTreeSet<usize> =
            clips.iter().map(|clip| clip.features.len() / FEATURES).collect();
        assert_eq!(lengths.into_iter().collect::<Vec<_>>(), [1, 2, 3, 4]);
    }

    #[test]
    fn squaring_fractions_sharpens_them() {
        let found = target(&[6, 2, 0, 0, 0, 0], 2.0);
        assert!((found[0] - 0.9).abs() < 1e-6 && (found[1] - 0.1).abs() < 1e-6);
        assert_eq!(target(&[3, 0, 0, 0, 0, 1], 1.0)[0], 0.75);
    }
}
