//! Clips, the round, and this tab's own update.

use super::{emotion, id, problem, text, text_with};
use crate::emotion::{EMOTIONS, Emotion};
use crate::messages::{
    ClipDropReason, ClipEdit, ClipEditReport, ClipOutcome, ClipReport, CollapseReport, DropCounts, FrameDropReason,
    HoldOutEffect, KeptClipsLoss, KeptClipsReport, LabelHealthReport, Refusal, TrainingPause, TrainingReport,
};
use crate::page::l10n::Value;
use crate::protocol::OpenRound;

/// A clip in the list of clips.
pub fn clip(report: &ClipReport) -> String {
    let confidence = report.mean[report.label.index()];
    let predicted = report.video.iter().zip(Emotion::ALL).max_by(|a, b| a.0.total_cmp(b.0));
    let predicted = predicted.map_or_else(super::no_value, |(_, predicted)| emotion::name(predicted));
    let arguments = [
        ("label", emotion::name(report.label).into()),
        ("confidence", confidence.into()),
        ("frames", report.frames.into()),
        ("predicted", predicted.into()),
    ];
    match report.outcome {
        ClipOutcome::Kept => text_with("clip-kept", &arguments),
        ClipOutcome::HeldOut => text_with("clip-held-out", &arguments),
        ClipOutcome::Dropped { reason: ClipDropReason::LowConfidence } => text_with("clip-low-confidence", &arguments),
        ClipOutcome::Dropped { reason: ClipDropReason::Disagreement } => text_with("clip-disagreement", &arguments),
        ClipOutcome::Dropped { reason: ClipDropReason::TooShort } => text_with("clip-too-short", &arguments),
    }
}

/// The message that says what a clip's choice of labels is.
pub const CLIP_LABEL: &str = "clip-label";
/// The message of the button that strikes a clip out.
pub const CLIP_STRIKE_OUT: &str = "clip-strike-out";

/// What became of a change of a clip.
pub fn clip_edit(report: &ClipEditReport) -> String {
    match report.edit {
        _ if !report.done => text("clip-not-edited"),
        ClipEdit::Relabel { emotion } => text_with("clip-corrected", &[("label", emotion::name(emotion).into())]),
        ClipEdit::StrikeOut => text("clip-struck-out"),
    }
}

/// Kept clips by label, if there are any.
pub fn label_counts(counts: &[u32; EMOTIONS]) -> String {
    let named = Emotion::ALL.into_iter().zip(counts).filter(|(_, count)| **count > 0);
    let named = named.map(|(label, count)| {
        text_with("label-count", &[("label", emotion::name(label).into()), ("count", (*count).into())])
    });
    let counts = named.collect::<Vec<_>>().join(&text("list-separator"));
    if counts.is_empty() { counts } else { text_with("label-counts", &[("counts", counts.into())]) }
}

/// How long the round is still open.
pub fn round_time(seconds: u64) -> String {
    match seconds / 60 {
        0 => text("round-ends-soon"),
        minutes => text_with("round-time-left", &[("minutes", minutes.into())]),
    }
}

/// How long training still takes.
pub fn training_time(seconds: u64) -> String {
    text_with("training-time-left", &[("seconds", seconds.max(1).into())])
}

/// What a new version means for the clips that were set aside.
pub fn effect(version: u64, effect: &HoldOutEffect) -> String {
    let arguments = [
        ("version", id(version)),
        ("clips", effect.clips.into()),
        ("before", effect.loss_before.into()),
        ("after", effect.loss_after.into()),
    ];
    match effect.loss_after <= effect.loss_before {
        true => text_with("effect-better", &arguments),
        false => text_with("effect-worse", &arguments),
    }
}

/// Why clips were dropped and frames are in none.
pub fn drops(counts: &DropCounts) -> String {
    let clips = counts.clips.iter().map(|drop| {
        let reason = match drop.reason {
            ClipDropReason::LowConfidence => "drop-low-confidence",
            ClipDropReason::Disagreement => "drop-disagreement",
            ClipDropReason::TooShort => "drop-too-short",
        };
        text_with(reason, &[("count", drop.count.into())])
    });
    let frames = counts.frames.iter().map(|drop| {
        let reason = match drop.reason {
            FrameDropReason::FaceTooSmall => "drop-face-too-small",
            FrameDropReason::FaceCut => "drop-face-cut",
            FrameDropReason::FaceTurned => "drop-face-turned",
            FrameDropReason::TooDark => "drop-too-dark",
            FrameDropReason::TooBright => "drop-too-bright",
            FrameDropReason::LowContrast => "drop-low-contrast",
            FrameDropReason::Blurred => "drop-blurred",
        };
        text_with(reason, &[("count", drop.count.into())])
    });
    let separator = text("list-separator");
    let lists = [("drops-clips", clips.collect::<Vec<_>>()), ("drops-frames", frames.collect())];
    let lists = lists.into_iter().filter(|(_, reasons)| !reasons.is_empty());
    let lists = lists.map(|(list, reasons)| text_with(list, &[("reasons", reasons.join(&separator).into())]));
    lists.collect::<Vec<_>>().join(" ")
}

/// Health of the labels of recent clips.
pub fn label_health(report: &LabelHealthReport) -> String {
    let LabelHealthReport { clips, acceptance_rate, mean_confidence, class_balance, .. } = *report;
    text_with(
        "label-health",
        &[
            ("clips", clips.into()),
            ("accepted", acceptance_rate.into()),
            ("confidence", mean_confidence.into()),
            ("balance", class_balance.into()),
        ],
    )
}

/// The labels have collapsed to one emotion.
pub fn collapse(report: &CollapseReport) -> String {
    let emotion = emotion::name(report.emotion);
    text_with("label-collapse", &[("share", report.share.into()), ("emotion", emotion.into())])
}

/// The round that is open, if any. A student's update needs `minimum_clips` kept clips.
pub fn round(round: Option<&OpenRound>, minimum_clips: u32) -> String {
    let Some(round) = round else { return text("round-none") };
    text_with(
        "round-open",
        &[
            ("round", id(round.id)),
            ("received", round.received.into()),
            ("needed", round.closes_at().into()),
            ("clips", minimum_clips.into()),
        ],
    )
}

/// Progress of local fine-tuning.
pub fn training(report: &TrainingReport) -> String {
    let TrainingReport { step, steps, clips, loss, .. } = *report;
    text_with(
        "training-progress",
        &[("clips", clips.into()), ("step", step.into()), ("steps", steps.into()), ("loss", loss.into())],
    )
}

/// Why local fine-tuning is paused.
pub fn training_paused(reason: TrainingPause) -> String {
    text(match reason {
        TrainingPause::Hidden => "training-paused-hidden",
        TrainingPause::BatteryLow => "training-paused-battery",
    })
}

/// Clips of before a reload, back or lost.
pub fn kept_clips(report: &KeptClipsReport) -> String {
    let Some(loss) = report.loss else {
        let (training, held_out) = (report.training.into(), report.held_out.into());
        return text_with("kept-clips-back", &[("training", training), ("held_out", held_out)]);
    };
    text(match loss {
        KeptClipsLoss::NoEncryption => "kept-clips-no-encryption",
        KeptClipsLoss::StorageFull => "kept-clips-storage-full",
        KeptClipsLoss::Undecryptable => "kept-clips-undecryptable",
        KeptClipsLoss::Malformed => "kept-clips-malformed",
        KeptClipsLoss::Schema { .. } => "kept-clips-schema",
        KeptClipsLoss::OtherParticipant => "kept-clips-other-participant",
        KeptClipsLoss::OtherBackbone => "kept-clips-other-backbone",
    })
}

/// An update of `bytes` is being sent.
pub fn sending(round: u64, bytes: u64) -> String {
    text_with("update-sending", &[("round", id(round)), ("kilobytes", kilobytes(bytes))])
}

/// An update of `bytes`, trained on `clips`, is acknowledged.
pub fn acknowledged(round: u64, bytes: u64, clips: u32) -> String {
    let (round, kilobytes) = (id(round), kilobytes(bytes));
    text_with("update-acknowledged", &[("round", round), ("kilobytes", kilobytes), ("clips", clips.into())])
}

/// An update was refused.
pub fn refused(round: u64, refusal: &Refusal) -> String {
    text_with("update-refused", &[("round", id(round)), ("reason", problem::refusal(refusal).into())])
}

/// An update is worse than the model it started from on the clips that were set aside.
pub fn withheld(round: u64, held_out_clips: usize, loss_before: f64, loss_after: f64) -> String {
    text_with(
        "update-withheld",
        &[
            ("round", id(round)),
            ("clips", held_out_clips.into()),
            ("before", loss_before.into()),
            ("after", loss_after.into()),
        ],
    )
}

/// The student opted out while an update was under way.
pub fn withdrawn(round: u64, may_have_arrived: bool) -> String {
    if may_have_arrived {
        text_with("update-withdrawn-late", &[("round", id(round))])
    } else {
        text_with("update-withdrawn", &[("round", id(round))])
    }
}

fn kilobytes(bytes: u64) -> Value {
    Value::Number(bytes as f64 / 1_000.0)
}
