//! Clips, the round, and this tab's own update.

use super::problem;
use crate::emotion::Emotion;
use crate::messages::{ClipOutcome, ClipReport, DropReason, Refusal, TrainingReport};
use crate::protocol::OpenRound;

/// A clip in the list of clips.
pub fn clip(report: &ClipReport) -> String {
    let confidence = 100.0 * report.mean[report.label.index()];
    let predicted = report.video.iter().zip(Emotion::ALL).max_by(|a, b| a.0.total_cmp(b.0));
    let predicted = predicted.map_or("nothing", |(_, emotion)| emotion.name());
    let outcome = match report.outcome {
        ClipOutcome::Kept => "kept",
        ClipOutcome::Dropped { reason: DropReason::LowConfidence } => "dropped",
        ClipOutcome::Dropped { reason: DropReason::Disagreement } => "dropped, since the models disagree",
    };
    let (label, frames) = (report.label.name(), report.frames);
    format!("{label} ({confidence:.0} %), {outcome}; {frames} frames; the video model says {predicted}")
}

/// The round that is open, if any. A student's update needs `minimum_clips` kept clips.
pub fn round(round: Option<&OpenRound>, minimum_clips: u32) -> String {
    match round {
        Some(OpenRound { id, received, minimum_clients, .. }) => format!(
            "Round {id} is open: {received} of {minimum_clients} updates are in. Yours needs {minimum_clips} kept clips."
        ),
        None => "No round is open.".to_owned(),
    }
}

/// Progress of local fine-tuning.
pub fn training(report: &TrainingReport) -> String {
    let TrainingReport { step, steps, clips, loss, .. } = report;
    format!("Training on {clips} clips: step {step} of {steps}, loss {loss:.3}")
}

/// An update of `bytes` is being sent.
pub fn sending(round: u64, bytes: u64) -> String {
    format!("Sending the update for round {round} ({:.0} kB) …", kilobytes(bytes))
}

/// An update of `bytes`, trained on `clips`, is acknowledged.
pub fn acknowledged(round: u64, bytes: u64, clips: u32) -> String {
    format!("Your update for round {round} is in ({:.0} kB, {clips} clips).", kilobytes(bytes))
}

/// An update was refused.
pub fn refused(round: u64, refusal: &Refusal) -> String {
    format!("The update for round {round} was not accepted: {}", problem::refusal(refusal))
}

/// The student opted out while an update was under way.
pub fn withdrawn(round: u64, may_have_arrived: bool) -> String {
    if may_have_arrived {
        format!("Contributing is off: the update for round {round} is deleted here, but may have arrived before.")
    } else {
        format!("Contributing is off: the update for round {round} was not sent, and is deleted.")
    }
}

fn kilobytes(bytes: u64) -> f64 {
    bytes as f64 / 1_000.0
}
