//! The first global VFER where there is no labelled video: distilled from the image head.
//!
//! Sequences of features are generated around those of drawn faces and pushed, to all degrees, in the directions in
//! which the head's opinion moves to each emotion; the VFER learns to say of a sequence what the head says of its
//! frames on average. It is a start that agrees with the image model, not a result, and is marked as such everywhere.

use emofed::emotion::EMOTIONS;
use emofed::learning::{AdamSettings, Clip, ParallelTrainer};
use emofed::model::vfer::{FEATURES, Vfer};
use emofed::model::{Backbone, ModelError};
use emofed::random::SplitMix64;
use emofed::weights::Weights;

use super::metrics::largest;
use super::synthetic_face;

/// Sequences to learn from, and others to check with.
const SEQUENCES: usize = 3_072;
const HELD_OUT: usize = 256;
const FRAMES: std::ops::Range<usize> = 6..20;
const EPOCHS: usize = 6;
const BATCH: usize = 32;
const LEARNING_RATE: f64 = 1e-3;
/// How far a sequence may be pushed towards an emotion, in units of log-probability to first order.
const STRONGEST_PUSH: f32 = 10.0;

/// The bootstrapped model and how well it repeats the head.
pub struct Bootstrap {
    /// The VFER.
    pub vfer: Weights,
    /// Share of held-out sequences on which both name the same emotion.
    pub agreement: f64,
    /// Mean KL divergence from the head on them, in nats.
    pub divergence: f64,
}

/// Features as the backbone gives them for something like a face.
struct Range {
    faces: Vec<Vec<f32>>,
    deviation: Vec<f32>,
    /// Averages over rectified activations cannot be negative.
    non_negative: bool,
    /// `[EMOTIONS]` directions: along one, the head's log-probability of the emotion rises by one.
    directions: Vec<Vec<f32>>,
}

/// Distils a VFER from `backbone`'s head. The same backbone and seed give the same model.
///
/// # Errors
/// The backbone fails.
///
/// # Panics
/// If the backbone does not have [`FEATURES`] features: the VFER could not read them.
pub async fn bootstrap(
    backbone: &Backbone,
    seed: u64,
    mut progress: impl FnMut(usize, usize),
) -> Result<Bootstrap, ModelError> {
    assert_eq!(backbone.feature_count(), FEATURES, "a VFER reads {FEATURES} features");
    let mut random = SplitMix64::new(seed);
    let range = measure_range(backbone, &mut random).await?;
    let training = sequences(backbone, &range, SEQUENCES, &mut random).await?;
    let held_out = sequences(backbone, &range, HELD_OUT, &mut random).await?;

    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let settings = AdamSettings::with_learning_rate(LEARNING_RATE);
    let mut trainer = ParallelTrainer::new(Vfer::random(seed), settings, threads);
    let mut order: Vec<usize> = (0..training.len()).collect();
    let steps = EPOCHS * training.len().div_ceil(BATCH);
    let mut step = 0;
    for _ in 0..EPOCHS {
        random.shuffle(&mut order);
        for batch in order.chunks(BATCH) {
            let batch: Vec<&Clip> = batch.iter().map(|&clip| &training[clip]).collect();
            trainer.step(&batch);
            step += 1;
            progress(step, steps);
        }
    }
    let vfer = trainer.into_vfer();
    let (mut agreed, mut divergence) = (0, 0.0);
    for clip in &held_out {
        let said = vfer.probabilities(&clip.features);
        agreed += usize::from(largest(&said) == largest(&clip.target));
        let parts = clip.target.iter().zip(said).filter(|(target, _)| **target > 0.0);
        divergence += parts.map(|(target, said)| f64::from(target * (target / said.max(1e-30)).ln())).sum::<f64>();
    }
    let count = held_out.len() as f64;
    Ok(Bootstrap { vfer: vfer.to_weights(), agreement: agreed as f64 / count, divergence: divergence / count })
}

/// Measures the range of features over drawn faces, and the directions in which the head's log-probabilities rise.
async fn measure_range(backbone: &Backbone, random: &mut SplitMix64) -> Result<Range, ModelError> {
    // A large input is a slow backbone, and a few dozen faces are enough for a range.
    let count = if backbone.input_size() > 128 { 24 } else { 160 };
    let mut faces = Vec::with_capacity(count);
    for _ in 0..count {
        let image = synthetic_face::draw(random, backbone.input_size());
        faces.push(backbone.extract(&image).await?.features);
    }
    let mean: Vec<f32> = (0..FEATURES).map(|i| faces.iter().map(|face| face[i]).sum::<f32>() / count as f32).collect();
    let deviation: Vec<f32> = (0..FEATURES)
        .map(|i| (faces.iter().map(|face| (face[i] - mean[i]).powi(2)).sum::<f32>() / count as f32).sqrt().max(1e-4))
        .collect();
    let non_negative = faces.iter().flatten().all(|&feature| feature >= 0.0);

    // Central differences of the head's log-probabilities at the mean face, one row a feature and side.
    let mut rows = Vec::with_capacity(2 * FEATURES * FEATURES);
    for (feature, deviation) in deviation.iter().enumerate() {
        for side in [-0.1, 0.1] {
            rows.extend_from_slice(&mean);
            let last = rows.len() - FEATURES;
            rows[last + feature] += side * deviation;
        }
    }
    let opinions = backbone.classify(&rows)?;
    let directions = (0..EMOTIONS)
        .map(|emotion| {
            let slope = |feature: usize| {
                let [below, above] = [0, 1].map(|side| opinions[2 * feature + side][emotion].max(1e-30).ln());
                (above - below) / (0.2 * deviation[feature])
            };
            // Steepest rise when a feature's step is measured in its own deviation.
            let rise: Vec<f32> = (0..FEATURES).map(|i| slope(i) * deviation[i] * deviation[i]).collect();
            let gain: f32 = rise.iter().enumerate().map(|(i, step)| step * slope(i)).sum();
            rise.into_iter().map(|step| step / gain.max(1e-12)).collect()
        })
        .collect();
    Ok(Range { faces, deviation, non_negative, directions })
}

/// Generates `count` sequences and asks the head about each frame.
async fn sequences(
    backbone: &Backbone,
    range: &Range,
    count: usize,
    random: &mut SplitMix64,
) -> Result<Vec<Clip>, ModelError> {
    let mut clips = Vec::with_capacity(count);
    for _ in 0..count {
        let features = sequence(range, random);
        let opinions = backbone.classify(&features)?;
        let frames = opinions.len() as f32;
        let target = std::array::from_fn(|emotion| opinions.iter().map(|o| o[emotion]).sum::<f32>() / frames);
        clips.push(Clip { features, target });
    }
    Ok(clips)
}

/// One face that turns towards an emotion, or away from it, with a slow drift and noise in each frame.
fn sequence(range: &Range, random: &mut SplitMix64) -> Vec<f32> {
    let frames = FRAMES.start + random.below(FRAMES.len());
    let (one, other) = (random.below(range.faces.len()), random.below(range.faces.len()));
    let mix = random.unit();
    let direction = &range.directions[random.below(EMOTIONS)];
    let second = &range.directions[random.below(EMOTIONS)];
    let [from, to] = [0, 1].map(|_| STRONGEST_PUSH * random.unit());
    let beside = 0.3 * STRONGEST_PUSH * random.signed();
    let spread = 2.0 * random.unit();
    let gain = (0.5 * random.signed()).exp2();
    let drift: Vec<f32> = range.deviation.iter().map(|deviation| spread * deviation * random.normal()).collect();
    let mut features = Vec::with_capacity(frames * FEATURES);
    for frame in 0..frames {
        let time = frame as f32 / (frames - 1) as f32;
        let push = from + (to - from) * time;
        for i in 0..FEATURES {
            let face = range.faces[one][i] * mix + range.faces[other][i] * (1.0 - mix);
            let noise = 0.2 * range.deviation[i] * random.normal();
            let value = gain * (face + push * direction[i] + beside * second[i] + drift[i] * time) + noise;
            features.push(if range.non_negative { value.max(0.0) } else { value });
        }
    }
    features
}
