//! The six emotions that the video model names, in CREMA-D's order.

use serde::{Deserialize, Serialize};

/// How many emotions the video model distinguishes.
pub const EMOTIONS: usize = 6;

/// An emotion of CREMA-D. The discriminant is its index in every `[6]` vector of this project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Emotion {
    /// `A` in CREMA-D's tables.
    Anger,
    /// `D`.
    Disgust,
    /// `F`.
    Fear,
    /// `H`.
    Happiness,
    /// `N`.
    Neutral,
    /// `S`.
    Sadness,
}

impl Emotion {
    /// All emotions, in index order.
    pub const ALL: [Self; EMOTIONS] =
        [Self::Anger, Self::Disgust, Self::Fear, Self::Happiness, Self::Neutral, Self::Sadness];

    /// The emotion at `index`, if there is one.
    pub fn from_index(index: usize) -> Option<Self> {
        Self::ALL.get(index).copied()
    }

    /// Its index in a `[6]` vector.
    pub fn index(self) -> usize {
        self as usize
    }

    /// The distribution that is sure of it.
    pub fn one_hot(self) -> [f32; EMOTIONS] {
        let mut distribution = [0.0; EMOTIONS];
        distribution[self.index()] = 1.0;
        distribution
    }

    /// The English noun, in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Anger => "anger",
            Self::Disgust => "disgust",
            Self::Fear => "fear",
            Self::Happiness => "happiness",
            Self::Neutral => "neutral",
            Self::Sadness => "sadness",
        }
    }
}
