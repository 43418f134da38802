//! Clips, the round, and this tab's own update.

use super::problem;
use crate::emotion::Emotion;
use crate::messages::{
    ClipDropReason, ClipOutcome, ClipReport, CollapseReport, DropCounts, FrameDropReason, KeptClipsLoss,
    KeptClipsReport, LabelHealthReport, Refusal, TrainingPause, TrainingReport,
};
use crate::protocol::OpenRound;

/// A clip in the list of clips.
pub fn clip(report: &ClipReport) -> String {
    let confidence = 100.0 * report.mean[report.label.index()];
    let predicted = report.video.iter().zip(Emotion::ALL).max_by(|a, b| a.0.total_cmp(b.0));
    let predicted = predicted.map_or("nothing", |(_, emotion)| emotion.name());
    let outcome = match report.outcome {
        ClipOutcome::Kept => "kept",
        ClipOutcome::HeldOut => "set aside to check the training",
        ClipOutcome::Dropped { reason: ClipDropReason::LowConfidence } => "dropped",
        ClipOutcome::Dropped { reason: ClipDropReason::Disagreement } => "dropped, since the models disagree",
        ClipOutcome::Dropped { reason: ClipDropReason::TooShort } => "dropped, since it is too short",
    };
    let (label, frames) = (report.label.name(), report.frames);
    format!("{label} ({confidence:.0} %), {outcome}; {frames} frames; the video model says {predicted}")
}

/// Why clips were dropped and frames are in none.
pub fn drops(counts: &DropCounts) -> String {
    let clips = counts.clips.iter().map(|drop| {
        let reason = match drop.reason {
            ClipDropReason::LowConfidence => "no emotion was clear enough",
            ClipDropReason::Disagreement => "the models disagreed",
            ClipDropReason::TooShort => "too few good frames",
        };
        format!("{reason} ({})", drop.count)
    });
    let frames = counts.frames.iter().map(|drop| {
        let reason = match drop.reason {
            FrameDropReason::FaceTooSmall => "face too small",
            FrameDropReason::FaceCut => "face cut off",
            FrameDropReason::FaceTurned => "face turned",
            FrameDropReason::TooDark => "too dark",
            FrameDropReason::TooBright => "too bright",
            FrameDropReason::LowContrast => "too little contrast",
            FrameDropReason::Blurred => "blurred",
        };
        format!("{reason} ({})", drop.count)
    });
    let list = |what: &str, reasons: Vec<String>| match reasons.is_empty() {
        true => String::new(),
        false => format!("{what}: {}. ", reasons.join(", ")),
    };
    let (clips, frames) = (list("Dropped clips", clips.collect()), list("Frames not used", frames.collect()));
    format!("{clips}{frames}").trim_end().to_owned()
}

/// Health of the labels of recent clips.
pub fn label_health(report: &LabelHealthReport) -> String {
    let LabelHealthReport { clips, acceptance_rate, mean_confidence, class_balance, .. } = report;
    format!(
        "Last {clips} clips: {:.0} % clear enough to learn from, {:.0} % sure on average, balance of emotions {:.0} %.",
        100.0 * acceptance_rate,
        100.0 * mean_confidence,
        100.0 * class_balance
    )
}

/// The labels have collapsed to one emotion.
pub fn collapse(report: &CollapseReport) -> String {
    format!(
        "Contributing is paused: {:.0} % of your recent clips are labelled {}. A model that learns from them forgets the \
         other emotions. It goes on by itself when the labels differ more.",
        100.0 * report.share,
        report.emotion.name()
    )
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

/// Why local fine-tuning is paused.
pub fn training_paused(reason: TrainingPause) -> &'static str {
    match reason {
        TrainingPause::Hidden => "Training is paused while this tab is hidden. It goes on by itself.",
        TrainingPause::BatteryLow => "Training is paused: the battery is low. It goes on by itself when it is charged.",
    }
}

/// Clips of before a reload, back or lost.
pub fn kept_clips(report: &KeptClipsReport) -> String {
    let KeptClipsReport { training, held_out, loss } = report;
    let reason = match loss {
        None => return format!("Back from before: {training} clips to learn from, {held_out} set aside."),
        Some(KeptClipsLoss::NoEncryption) => "this browser cannot encrypt them, so none are kept over a reload",
        Some(KeptClipsLoss::StorageFull) => "the browser stores no more, so they are not kept over a reload",
        Some(KeptClipsLoss::Undecryptable) => "those of before cannot be decrypted any more, and are deleted",
        Some(KeptClipsLoss::Malformed) => "those of before cannot be read any more, and are deleted",
        Some(KeptClipsLoss::Schema { .. }) => "those of before were written by another version, and are deleted",
        Some(KeptClipsLoss::OtherParticipant) => "those of before were another participant's, and are deleted",
        Some(KeptClipsLoss::OtherBackbone) => "those of before are of another image model, and are deleted",
    };
    format!("Your clips: {reason}.")
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

/// An update is worse than the model it started from on the clips that were set aside.
pub fn withheld(round: u64, held_out_clips: usize, loss_before: f64, loss_after: f64) -> String {
    format!(
        "Your update for round {round} is not sent: on the {held_out_clips} clips set aside it makes the model worse \
         (loss {loss_after:.4} instead of {loss_before:.4})."
    )
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
