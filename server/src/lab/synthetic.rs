//! Synthetic data in place of videos: labelled feature sequences whose truth is known, rated by people who confuse emotions as
//! CREMA-D's raters do.
//!
//! Everything made here is marked synthetic. It shows that the pipeline measures what it should, and how the methods
//! behave where the truth is known; no figure on it is a statement about people.

use emofed::emotion::EMOTIONS;
use emofed::model::BackboneKind;
use emofed::model::vfer::{FEATURES, softmax};
use emofed::random::SplitMix64;
use serde::{Deserialize, Serialize};

use super::dataset::{Dataset, Provenance, RatedClip, Sex};
use super::raters::{Raters, gamma};

/// Dimensions of the space in which subjects differ from each other without expressing anything.
const IDENTITY_DIMENSIONS: usize = 12;

/// Size and difficulty of a synthetic dataset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SyntheticSettings {
    /// Subjects; 48 of 91 are men, as in CREMA-D.
    pub subjects: usize,
    /// Clips of each subject, the intended emotions in turn.
    pub clips_per_subject: usize,
    /// Frames of a clip: between half of this and this.
    pub frames: usize,
    /// How far an expression at its apex moves the features, in units of a frame's noise.
    pub expression: f32,
    /// How far subjects' neutral faces lie apart, in the same units.
    pub identity: f32,
    /// How differently subjects show the same emotion, as a share of the expression.
    pub style: f32,
    /// How wrong the image head's directions are: 0 is a perfect one, 1 as much error as signal.
    pub head_error: f32,
    /// Everything random.
    pub seed: u64,
}

impl Default for SyntheticSettings {
    fn default() -> Self {
        Self {
            subjects: 91,
            clips_per_subject: 24,
            frames: 20,
            expression: 5.0,
            identity: 3.0,
            style: 0.5,
            head_error: 0.9,
            seed: 1,
        }
    }
}

/// A synthetic population: what all its subjects have in common. Subjects are generated on demand, so that a million take no
/// more memory than ten.
pub struct SyntheticPopulation {
    settings: SyntheticSettings,
    raters: Raters,
    neutral: Vec<f32>,
    /// `[EMOTIONS][FEATURES]`, each of length 1.
    expressions: Vec<Vec<f32>>,
    /// `[IDENTITY_DIMENSIONS][FEATURES]`, each of length 1.
    identities: Vec<Vec<f32>>,
    /// The image head: `[EMOTIONS][FEATURES]` and a bias each.
    head: Vec<Vec<f32>>,
    head_bias: [f32; EMOTIONS],
}

struct Subject {
    face: Vec<f32>,
    /// `[EMOTIONS][FEATURES]`: how this subject shows each emotion.
    expressions: Vec<Vec<f32>>,
    expressiveness: f32,
}

/// A frame's noise, per feature: about what neighbouring frames of real video differ by over the lite backbone.
const NOISE: f32 = 0.5;

/// Generates a dataset. The same settings give the same numbers.
pub fn generate(settings: &SyntheticSettings) -> Dataset {
    let population = SyntheticPopulation::new(settings);
    let clips = (0..settings.subjects)
        .flat_map(|number| population.clips_from(number, 0, settings.clips_per_subject, None))
        .collect();
    let provenance = Provenance {
        set: "synthetic".into(),
        synthetic: true,
        backbone: BackboneKind::Lite,
        backbone_sha256: "synthetic".into(),
        detector_sha256: None,
        settings: serde_json::to_value(settings).unwrap_or_default(),
    };
    Dataset { provenance, clips }
}

impl SyntheticPopulation {
    /// The population that `settings` describe.
    pub fn new(settings: &SyntheticSettings) -> Self {
        let random = &mut SplitMix64::new(settings.seed);
        let neutral = (0..FEATURES).map(|_| random.normal().abs()).collect();
        let expressions: Vec<Vec<f32>> = (0..EMOTIONS).map(|_| direction(random)).collect();
        let identities = (0..IDENTITY_DIMENSIONS).map(|_| direction(random)).collect();
        let head: Vec<Vec<f32>> = expressions
            .iter()
            .map(|expression| {
                let error = direction(random);
                let scale = 1.0 / NOISE / settings.expression;
                expression
                    .iter()
                    .zip(error)
                    .map(|(right, wrong)| 4.0 * scale * (right + settings.head_error * wrong))
                    .collect()
            })
            .collect();
        // An image head has opinions of its own on how common emotions are.
        let (settings, raters) = (settings.clone(), Raters::calibrated(settings.seed));
        let mut population =
            Self { settings, raters, neutral, expressions, identities, head, head_bias: [0.0; EMOTIONS] };
        for emotion in 0..EMOTIONS {
            let at_rest: f32 =
                population.head[emotion].iter().zip(&population.neutral).map(|(weight, value)| weight * value).sum();
            population.head_bias[emotion] = 0.5 * random.normal() - at_rest;
        }
        population
    }

    /// Clips `first` and the `count` - 1 after it of subject `number`: the intended emotions in turn, or drawn from
    /// `shares`. A clip is the same whichever others are asked for with it.
    pub fn clips_from(
        &self,
        number: usize,
        first: usize,
        count: usize,
        shares: Option<&[f64; EMOTIONS]>,
    ) -> Vec<RatedClip> {
        let sex = if (number * 48) % 91 < 48 { Sex::Male } else { Sex::Female };
        let seed = (number as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let seed = self.settings.seed ^ seed;
        let subject = self.subject(&mut SplitMix64::new(seed));
        (first..first + count)
            .map(|clip| {
                let mut random = SplitMix64::new(seed ^ (clip as u64 + 1).wrapping_mul(0xD6E8_FEB8_6659_FD93));
                let intended = match shares {
                    None => (number + clip) % EMOTIONS,
                    Some(shares) => draw(shares, &mut random),
                };
                // What the face shows is what raters see in it: a blend around the intended emotion.
                let shown = self.raters.perceived(intended, &mut random);
                let votes = self.raters.vote(&shown, &mut random);
                let features = self.film(&subject, &shown, &mut random);
                let frames = features.as_chunks::<FEATURES>().0;
                RatedClip {
                    id: format!("s{number:06}-{clip:04}"),
                    subject: format!("s{number:06}"),
                    sex: Some(sex),
                    subset: None,
                    votes,
                    probabilities: frames.iter().map(|frame| self.classify(frame)).collect(),
                    features,
                }
            })
            .collect()
    }

    fn subject(&self, random: &mut SplitMix64) -> Subject {
        let settings = &self.settings;
        let mut face = self.neutral.clone();
        for identity in &self.identities {
            add(&mut face, identity, NOISE * settings.identity * random.normal());
        }
        let expressions = self.expressions.iter().map(|expression| {
            let mut own = expression.clone();
            add(&mut own, &direction(random), settings.style);
            own
        });
        Subject { face, expressions: expressions.collect(), expressiveness: (0.3 * random.normal()).exp() }
    }

    /// A clip: the expression unfolds from rest to its apex and partly back, with correlated and independent noise.
    fn film(&self, subject: &Subject, shown: &[f64; EMOTIONS], random: &mut SplitMix64) -> Vec<f32> {
        let settings = &self.settings;
        let frames = settings.frames / 2 + random.below(settings.frames / 2 + 1).max(1);
        let (onset, apex) = (0.1 + 0.3 * random.unit(), 0.5 + 0.3 * random.unit());
        let (release, light) = (0.5 * random.unit(), 1.0 + 0.1 * random.normal());
        let mut drift = vec![0.0; FEATURES];
        let mut features = Vec::with_capacity(frames * FEATURES);
        for frame in 0..frames {
            let time = (frame as f32 + 0.5) / frames as f32;
            let rise = ((time - onset) / (apex - onset)).clamp(0.0, 1.0);
            let fall = release * ((time - apex) / (1.0 - apex)).clamp(0.0, 1.0);
            let intensity = NOISE * settings.expression * subject.expressiveness * (rise - fall);
            let mut values = subject.face.clone();
            for (expression, &share) in subject.expressions.iter().zip(shown) {
                add(&mut values, expression, intensity * share as f32);
            }
            for (value, drift) in values.iter_mut().zip(&mut drift) {
                *drift = 0.9 * *drift + 0.4 * NOISE * random.normal();
                // A backbone's features are means of rectified values.
                *value = (light * (*value + *drift) + NOISE * random.normal()).max(0.0);
            }
            features.extend(values);
        }
        features
    }

    fn classify(&self, frame: &[f32; FEATURES]) -> [f32; EMOTIONS] {
        softmax(&std::array::from_fn(|emotion| {
            let product: f32 = self.head[emotion].iter().zip(frame).map(|(weight, value)| weight * value).sum();
            product + self.head_bias[emotion]
        }))
    }
}

/// A random direction of length 1 in feature space.
fn direction(random: &mut SplitMix64) -> Vec<f32> {
    let values: Vec<f32> = (0..FEATURES).map(|_| random.normal()).collect();
    let norm = values.iter().map(|value| value * value).sum::<f32>().sqrt();
    values.into_iter().map(|value| value / norm).collect()
}

fn add(values: &mut [f32], direction: &[f32], length: f32) {
    values.iter_mut().zip(direction).for_each(|(value, step)| *value += length * step);
}

/// An index drawn with the given probabilities.
pub(super) fn draw(shares: &[f64; EMOTIONS], random: &mut SplitMix64) -> usize {
    let mut point = random.open_unit() * shares.iter().sum::<f64>();
    let drawn = shares.iter().position(|share| {
        point -= share;
        point < 0.0
    });
    drawn.unwrap_or(EMOTIONS - 1)
}

/// Virtual students' shares of the emotions: Dirichlet with `concentration` around equal shares. Large is all alike,
/// small is one emotion each.
pub fn skewed_shares(concentration: f64, random: &mut SplitMix64) -> [f64; EMOTIONS] {
    let values: [f64; EMOTIONS] = std::array::from_fn(|_| gamma(concentration, random));
    let sum = values.iter().sum::<f64>().max(1e-12);
    values.map(|value| value / sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::metrics::{Metrics, predictions};
    use crate::lab::train::image_head;

    #[test]
    fn the_same_seed_gives_the_same_world_and_the_image_head_is_useful_but_not_right() {
        let settings = SyntheticSettings { subjects: 20, clips_per_subject: 12, ..SyntheticSettings::default() };
        let dataset = generate(&settings);
        assert_eq!(dataset, generate(&settings));
        assert_ne!(dataset, generate(&SyntheticSettings { seed: 2, ..settings }));
        assert!(dataset.provenance.synthetic);
        let clips: Vec<&RatedClip> = dataset.clips.iter().collect();
        let head = Metrics::of(&predictions(&clips, &image_head(&clips)));
        assert!((0.35..0.85).contains(&head.micro_f1), "{head:?}");
        assert!(clips.iter().all(|clip| clip.frames() >= 10 && clip.features.iter().all(|value| value.is_finite())));
    }
}
