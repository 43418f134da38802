//! What the session worker reports of clips: their labels, what was dropped and why, and how healthy the labels are.

use serde::{Deserialize, Serialize};

use crate::emotion::{EMOTIONS, Emotion};

/// A clip that has ended and was labelled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClipReport {
    /// By which the page edits it ([`super::ToWorker::EditClip`]); absent if it was dropped.
    pub id: Option<u64>,
    /// Time of its first frame, as the page gave it.
    pub started_at_ms: f64,
    /// Time of its last frame.
    pub ended_at_ms: f64,
    /// Its number of frames.
    pub frames: usize,
    /// Mean IFER probability over its frames.
    pub mean: [f32; EMOTIONS],
    /// The pseudo label: the emotion with the largest mean.
    pub label: Emotion,
    /// Probabilities of the whole clip by the video model that is shown.
    pub video: [f32; EMOTIONS],
    /// Clips that the personalised head was tuned on, under the recipe `personal-head`, once there is one.
    pub personal_head_clips: Option<usize>,
    /// Whether it is kept for fine-tuning.
    pub outcome: ClipOutcome,
    /// Clips waiting for fine-tuning.
    pub waiting: usize,
}

/// What the student wants of a kept clip, before it is learned from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClipEdit {
    /// Its label is this emotion.
    Relabel {
        /// The emotion.
        emotion: Emotion,
    },
    /// It is neither learned from nor used to check an update.
    StrikeOut,
}

/// What became of a [`ClipEdit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClipEditReport {
    /// The clip.
    pub id: u64,
    /// What was asked for.
    pub edit: ClipEdit,
    /// Whether it was done. It was not if an update that was sent contains the clip, or the clip is gone.
    pub done: bool,
    /// It was in an update that was not sent, which is made anew.
    pub was_in_update: bool,
}

/// What becomes of a clip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClipOutcome {
    /// It is kept for fine-tuning.
    Kept,
    /// It is set aside to check updates on, and never trained on.
    HeldOut,
    /// It is not kept.
    Dropped {
        /// Why.
        reason: ClipDropReason,
    },
}

/// Why a clip is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClipDropReason {
    /// Its pseudo label is below the confidence threshold.
    LowConfidence,
    /// Image model and video model name different emotions, and the settings ask for agreement.
    Disagreement,
    /// It has too few frames with a face that is good enough.
    TooShort,
}

/// Why a frame with a face is in no clip: a rule of the quality gate, whose thresholds are the manifest's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FrameDropReason {
    /// The face is too small.
    FaceTooSmall,
    /// Too much of the face is beyond the frame.
    FaceCut,
    /// The face's box is too narrow: it is turned, tilted or covered.
    FaceTurned,
    /// The face is too dark.
    TooDark,
    /// The face is too bright.
    TooBright,
    /// The face has too little contrast.
    LowContrast,
    /// The face is blurred.
    Blurred,
}

/// What was dropped in this session, by reason; reasons in the order in which they first came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DropCounts {
    /// Frames with a face that are in no clip.
    pub frames: Vec<DropCount<FrameDropReason>>,
    /// Clips that are not kept.
    pub clips: Vec<DropCount<ClipDropReason>>,
}

/// How many were dropped for a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DropCount<R> {
    /// Why.
    pub reason: R,
    /// How many.
    pub count: u32,
}

impl DropCounts {
    /// Counts a frame.
    pub fn add_frame(&mut self, reason: FrameDropReason) {
        add(&mut self.frames, reason);
    }

    /// Counts a clip.
    pub fn add_clip(&mut self, reason: ClipDropReason) {
        add(&mut self.clips, reason);
    }

    /// Clips that are not kept, for whatever reason.
    pub fn dropped_clips(&self) -> u32 {
        self.clips.iter().map(|drop| drop.count).sum()
    }
}

fn add<R: PartialEq>(counts: &mut Vec<DropCount<R>>, reason: R) {
    match counts.iter_mut().find(|drop| drop.reason == reason) {
        Some(drop) => drop.count = drop.count.saturating_add(1),
        None => counts.push(DropCount { reason, count: 1 }),
    }
}

/// Health of the pseudo labels of recent clips.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LabelHealthReport {
    /// Recent clips that were labelled.
    pub clips: usize,
    /// Share of them that was kept or set aside, 0 to 1.
    pub acceptance_rate: f64,
    /// Mean probability of their labels, 0 to 1.
    pub mean_confidence: f64,
    /// Normalised entropy of the labels of recent kept clips: 1 if all emotions are as common, 0 if there is one.
    pub class_balance: f64,
    /// The labels have collapsed to one emotion, and contributing is paused.
    pub collapse: Option<CollapseReport>,
}

/// A collapse of the labels to one emotion.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CollapseReport {
    /// The emotion that they name.
    pub emotion: Emotion,
    /// Its share of the labels of recent kept clips, 0 to 1.
    pub share: f64,
}

/// What became of the clips that an earlier visit kept on the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptClipsReport {
    /// Clips that wait for fine-tuning, or are in an update under way.
    pub training: usize,
    /// Clips of the hold-out.
    pub held_out: usize,
    /// Why there are none, if there was a record of some.
    pub loss: Option<KeptClipsLoss>,
}

/// Why kept clips are lost: their record is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeptClipsLoss {
    /// The browser has no encryption or no place for a key: nothing is kept.
    NoEncryption,
    /// The browser lets the page store no more.
    StorageFull,
    /// It cannot be decrypted: its key is another one, or it was cut or altered.
    Undecryptable,
    /// It was decrypted, and is not a record of clips.
    Malformed,
    /// It was written in another form.
    Schema {
        /// The form's version.
        found: u32,
    },
    /// They are another participant's.
    OtherParticipant,
    /// Their features are of another backbone.
    OtherBackbone,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_are_counted_by_reason() {
        let mut drops = DropCounts::default();
        for reason in [FrameDropReason::Blurred, FrameDropReason::TooDark, FrameDropReason::Blurred] {
            drops.add_frame(reason);
        }
        drops.add_clip(ClipDropReason::TooShort);
        drops.add_clip(ClipDropReason::LowConfidence);
        drops.add_clip(ClipDropReason::LowConfidence);
        assert_eq!(drops.dropped_clips(), 3);
        let json = serde_json::to_value(&drops).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "frames": [{ "reason": "blurred", "count": 2 }, { "reason": "too-dark", "count": 1 }],
                "clips": [{ "reason": "too-short", "count": 1 }, { "reason": "low-confidence", "count": 2 }]
            })
        );
        assert_eq!(serde_json::from_value::<DropCounts>(json).unwrap(), drops);
    }
}
