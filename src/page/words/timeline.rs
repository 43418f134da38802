//! The student's own timeline.

use super::{emotion, percent, text_with};
use crate::emotion::{EMOTIONS, Emotion};
use crate::page::l10n::{Value, text};
use crate::page::timeline::series::{ClipSpan, ClipState};

/// So many emotions are read out, the most probable ones.
const READ_OUT: usize = 3;

/// Milliseconds since 1970 as the time of day.
pub fn time(epoch_ms: f64) -> String {
    text_with("clock-time", &[("time", Value::Number(epoch_ms))])
}

/// What was seen at a point in time.
pub fn read_out(epoch_ms: f64, probabilities: Option<&[f32; EMOTIONS]>, clip: Option<&ClipSpan>) -> String {
    let (time, clip) = (time(epoch_ms), clip.map_or_else(String::new, self::clip));
    let Some(probabilities) = probabilities else {
        return text_with("timeline-no-face", &[("time", time.into()), ("clip", clip.into())]);
    };
    let mut ranked: Vec<(Emotion, f32)> = Emotion::ALL.into_iter().zip(*probabilities).collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    let named = ranked.into_iter().take(READ_OUT).map(|(emotion, share)| of_emotion(emotion, share));
    let emotions = named.collect::<Vec<_>>().join(&text("list-separator"));
    text_with("timeline-read-out", &[("time", time.into()), ("emotions", emotions.into()), ("clip", clip.into())])
}

fn of_emotion(named: Emotion, share: f32) -> String {
    text_with("timeline-emotion", &[("emotion", emotion::name(named).into()), ("share", percent(share).into())])
}

fn clip(clip: &ClipSpan) -> String {
    let label = [("label", emotion::name(clip.label).into())];
    match clip.state {
        ClipState::Kept => text_with("timeline-clip-kept", &label),
        ClipState::Dropped => text_with("timeline-clip-dropped", &label),
        ClipState::StruckOut => text_with("timeline-clip-struck-out", &label),
    }
}
