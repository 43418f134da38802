//! The emotions' names.

use super::text;
use crate::emotion::Emotion;

/// The message that names an emotion.
pub fn message(emotion: Emotion) -> &'static str {
    match emotion {
        Emotion::Anger => "emotion-anger",
        Emotion::Disgust => "emotion-disgust",
        Emotion::Fear => "emotion-fear",
        Emotion::Happiness => "emotion-happiness",
        Emotion::Neutral => "emotion-neutral",
        Emotion::Sadness => "emotion-sadness",
    }
}

/// The name of an emotion.
pub fn name(emotion: Emotion) -> String {
    text(message(emotion))
}
