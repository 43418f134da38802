//! Takes ended clips in: labels them, drops or keeps them or sets them aside, and watches the health of the labels. No I/O.

use serde::{Deserialize, Serialize};

use super::clips::{ClipEdit, ClipStore};
use super::segment::Segment;
use crate::emotion::EMOTIONS;
use crate::learning::{
    Clip, CollapseAlarm, HoldOutSchedule, LabelFigures, LabelHealth, LabelRejection, LearningSettings, PseudoLabel,
    PseudoLabeller, QualityRejection,
};
use crate::messages::{
    self, ClipDropReason, ClipOutcome, CollapseReport, DropCounts, FrameDropReason, LabelHealthReport,
};

/// State that is carried from clip to clip.
#[derive(Default)]
pub struct ClipIntake {
    state: IntakeState,
    /// What became of the last clip, if it was kept.
    last_kept: Option<Use>,
    drops: DropCounts,
}

/// The part of that state that is kept over a reload, if the student allows it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct IntakeState {
    labeller: PseudoLabeller,
    health: LabelHealth,
    schedule: HoldOutSchedule,
}

/// A clip that was labelled.
#[derive(Clone, Copy, Debug)]
pub struct TakenClip {
    /// Its id in the [`ClipStore`]; absent if it was dropped.
    pub id: Option<u64>,
    /// Its pseudo label.
    pub label: PseudoLabel,
    /// What became of it.
    pub outcome: ClipOutcome,
}

/// What a kept clip is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Training,
    HoldOut,
}

impl ClipIntake {
    /// Goes on from the state before a reload; counts begin anew.
    pub fn resume(state: IntakeState) -> Self {
        Self { state, ..Self::default() }
    }

    /// What is kept over a reload.
    pub fn state(&self) -> &IntakeState {
        &self.state
    }

    /// Labels a clip (paper, section 3.1) and, if the label is confident, moves it to `clips`: to those that wait for
    /// fine-tuning, or to the hold-out. `video` is the global model's prediction. `None` if the clip cannot be labelled.
    pub fn take(
        &mut self,
        mut segment: Segment,
        video: &[f32; EMOTIONS],
        settings: &LearningSettings,
        clips: &mut ClipStore,
    ) -> Option<TakenClip> {
        let label = self.state.labeller.label(&segment.probabilities, video, settings)?;
        self.state.health.observe(&label, settings);
        if let Some(rejection) = label.rejection {
            let reason = rejection.into();
            self.drops.add_clip(reason);
            self.last_kept = None;
            return Some(TakenClip { id: None, label, outcome: ClipOutcome::Dropped { reason } });
        }
        let is_held_out = self.state.schedule.next_is_held_out(settings.hold_out_share);
        let (kept, outcome) =
            if is_held_out { (Use::HoldOut, ClipOutcome::HeldOut) } else { (Use::Training, ClipOutcome::Kept) };
        // No frame is both trained on and in the hold-out.
        if self.last_kept.replace(kept).is_some_and(|last| last != kept) {
            segment.remove_shared_frames();
        }
        let clip = Clip { features: segment.features, target: label.target(settings.soft_labels) };
        let id = match kept {
            Use::Training => clips.keep(clip),
            Use::HoldOut => clips.hold_out(clip),
        };
        Some(TakenClip { id: Some(id), label, outcome })
    }

    /// A clip ended with too few frames.
    pub fn too_short(&mut self) {
        self.drops.add_clip(ClipDropReason::TooShort);
        self.last_kept = None;
    }

    /// The quality gate has rejected a frame.
    pub fn drop_frame(&mut self, rejection: QualityRejection) {
        self.drops.add_frame(rejection.into());
    }

    /// What was dropped so far.
    pub fn drops(&self) -> &DropCounts {
        &self.drops
    }

    /// Whether no update is made because the labels have collapsed to one emotion.
    pub fn pauses_contributing(&self) -> bool {
        self.state.health.pauses_contributing()
    }

    /// The student wants to contribute although the labels have collapsed.
    pub fn overrule_collapse(&mut self) {
        self.state.health.overrule();
    }

    /// The kept clips are gone: the health of their labels begins anew.
    pub fn clear_health(&mut self) {
        self.state.health.clear();
    }

    /// The features are of another backbone from now on: everything but the counts begins anew.
    pub fn forget(&mut self) {
        *self = Self { drops: std::mem::take(&mut self.drops), ..Self::default() };
    }

    /// Figures of the labels of recent clips.
    pub fn label_figures(&self) -> LabelFigures {
        self.state.health.figures()
    }

    /// Health of the labels.
    pub fn health_report(&self) -> LabelHealthReport {
        let figures = self.label_figures();
        let collapse = match self.state.health.alarm() {
            CollapseAlarm::Raised { emotion } => {
                Some(CollapseReport { emotion, share: figures.dominant.map_or(0.0, |(_, share)| share) })
            }
            CollapseAlarm::Quiet | CollapseAlarm::Overruled { .. } => None,
        };
        LabelHealthReport {
            clips: figures.clips,
            acceptance_rate: figures.acceptance_rate,
            mean_confidence: figures.mean_confidence,
            class_balance: figures.class_balance,
            collapse,
        }
    }
}

impl From<messages::ClipEdit> for ClipEdit {
    fn from(edit: messages::ClipEdit) -> Self {
        match edit {
            messages::ClipEdit::Relabel { emotion } => Self::Relabel(emotion.one_hot()),
            messages::ClipEdit::StrikeOut => Self::StrikeOut,
        }
    }
}

impl From<LabelRejection> for ClipDropReason {
    fn from(rejection: LabelRejection) -> Self {
        match rejection {
            LabelRejection::LowConfidence => Self::LowConfidence,
            LabelRejection::Disagreement => Self::Disagreement,
        }
    }
}

impl From<QualityRejection> for FrameDropReason {
    fn from(rejection: QualityRejection) -> Self {
        match rejection {
            QualityRejection::FaceTooSmall => Self::FaceTooSmall,
            QualityRejection::FaceCut => Self::FaceCut,
            QualityRejection::FaceTurned => Self::FaceTurned,
            QualityRejection::TooDark => Self::TooDark,
            QualityRejection::TooBright => Self::TooBright,
            QualityRejection::LowContrast => Self::LowContrast,
            QualityRejection::Blurred => Self::Blurred,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::emotion::Emotion;
    use crate::protocol::CaptureSettings;
    use crate::random::SplitMix64;
    use crate::worker::segment::{EndedSegment, FaceObservation, Segmenter};

    fn face(frame: usize, probabilities: [f32; EMOTIONS]) -> FaceObservation {
        FaceObservation { identity: 1, probabilities, features: vec![frame as f32] }
    }

    fn sure_of(emotion: Emotion) -> [f32; EMOTIONS] {
        let mut probabilities = [0.02; EMOTIONS];
        probabilities[emotion.index()] = 0.9;
        probabilities
    }

    /// Clips of `frames` frames each, overlapping by half, whose frames are `probabilities(frame)`.
    fn segments(frames: usize, probabilities: impl FnMut(usize) -> [f32; EMOTIONS]) -> Vec<Segment> {
        let plan = CaptureSettings { clip_ms: 1_000, clip_overlap: 0.5, minimum_frames: 2, ..Default::default() };
        let mut segmenter = Segmenter::default();
        let faces = (0..frames).map(|frame| frame as f64 * 100.0).zip((0..frames).zip((0..frames).map(probabilities)));
        let ended = faces.filter_map(|(at_ms, (frame, shown))| segmenter.face(at_ms, &face(frame, shown), &plan));
        let clips =
            ended.filter_map(|ended| if let EndedSegment::Clip(segment) = ended { Some(segment) } else { None });
        clips.collect()
    }

    /// The numbers of the frames of `clips`.
    fn frames(clips: &[Clip]) -> BTreeSet<usize> {
        clips.iter().flat_map(|clip| &clip.features).map(|frame| *frame as usize).collect()
    }

    #[test]
    fn every_fifth_kept_clip_is_set_aside_with_frames_of_its_own() {
        let (mut intake, mut clips) = (ClipIntake::default(), ClipStore::default());
        let settings = LearningSettings::default();
        let outcomes = segments(120, |_| sure_of(Emotion::Fear))
            .into_iter()
            .map(|segment| intake.take(segment, &[0.0; EMOTIONS], &settings, &mut clips).unwrap().outcome);
        let outcomes: Vec<ClipOutcome> = outcomes.take(12).collect();
        let held_out: Vec<usize> = (0..12).filter(|clip| outcomes[*clip] == ClipOutcome::HeldOut).collect();
        assert_eq!(held_out, [4, 9]);
        assert_eq!((clips.held_out().len(), clips.waiting()), (2, 10));
        let aside = frames(&clips.held_out());
        let trained = frames(&clips.contribute(1).unwrap());
        assert_eq!(aside.len(), 10);
        assert!(aside.is_disjoint(&trained), "{aside:?} {trained:?}");
    }

    #[test]
    fn whatever_the_frames_each_clip_is_kept_set_aside_or_counted_as_dropped() {
        for seed in 0..300 {
            let mut random = SplitMix64::new(seed);
            let settings = LearningSettings {
                confidence_threshold: random.below(11) as f64 / 10.0,
                hold_out_share: random.below(6) as f64 / 10.0,
                agreement: random.below(2) == 0,
                adaptive_threshold: random.below(2) == 0,
                prior_correction: random.below(3) as f64,
                video_share: random.below(3) as f64 / 2.0,
                soft_labels: random.below(2) == 0,
                ..LearningSettings::default()
            };
            let (mut intake, mut clips) = (ClipIntake::default(), ClipStore::default());
            let (mut kept, mut held_out, mut dropped, mut unlabelled) = (0, 0, 0, 0);
            let mut draw = SplitMix64::new(seed + 1_000);
            let probabilities = |_| {
                let raw: [f32; EMOTIONS] = std::array::from_fn(|_| draw.signed().abs().powi(4) + 1e-6);
                let sum: f32 = raw.iter().sum();
                // Now and then a frame that is no number.
                if draw.below(300) == 0 { [f32::NAN; EMOTIONS] } else { raw.map(|value| value / sum) }
            };
            for segment in segments(random.below(150), probabilities) {
                let video = sure_of(Emotion::ALL[random.below(EMOTIONS)]);
                match intake.take(segment, &video, &settings, &mut clips) {
                    Some(TakenClip { label, outcome, .. }) => {
                        let largest = label.mean.iter().copied().fold(0.0, f32::max);
                        assert_eq!(label.mean[label.emotion.index()], largest, "seed {seed}: the label is the argmax");
                        assert!((label.mean.iter().sum::<f32>() - 1.0).abs() < 1e-4, "seed {seed}: {label:?}");
                        match outcome {
                            ClipOutcome::Kept => kept += 1,
                            ClipOutcome::HeldOut => held_out += 1,
                            ClipOutcome::Dropped { .. } => dropped += 1,
                        }
                    }
                    None => unlabelled += 1,
                }
            }
            assert_eq!(clips.waiting(), kept, "seed {seed}");
            assert_eq!(clips.held_out().len(), held_out, "seed {seed}");
            assert_eq!(intake.drops().dropped_clips(), dropped, "seed {seed}");
            assert_eq!(intake.health_report().clips, kept + held_out + dropped as usize, "seed {seed}: {unlabelled}");
            let aside = frames(&clips.held_out());
            for clip in clips.contribute(1).unwrap_or_default() {
                assert!((clip.target.iter().sum::<f32>() - 1.0).abs() < 1e-4, "seed {seed}");
                assert!(!clip.features.is_empty() && aside.is_disjoint(&frames(&[clip])), "seed {seed}");
            }
        }
    }

    #[test]
    fn where_all_clips_are_dropped_nothing_waits() {
        let (mut intake, mut clips) = (ClipIntake::default(), ClipStore::default());
        let settings = LearningSettings { confidence_threshold: 1.0, ..LearningSettings::default() };
        for segment in segments(100, |_| sure_of(Emotion::Fear)) {
            let TakenClip { outcome, .. } = intake.take(segment, &[0.0; EMOTIONS], &settings, &mut clips).unwrap();
            assert_eq!(outcome, ClipOutcome::Dropped { reason: ClipDropReason::LowConfidence });
        }
        intake.too_short();
        intake.drop_frame(QualityRejection::Blurred);
        assert_eq!((clips.waiting(), clips.held_out().len()), (0, 0));
        assert_eq!(clips.contribute(1), None);
        let report = intake.health_report();
        assert_eq!((report.acceptance_rate, report.collapse), (0.0, None));
        assert!(intake.drops().dropped_clips() > 10);
        assert_eq!(intake.drops().frames[0].reason, FrameDropReason::Blurred);
    }

    #[test]
    fn a_collapse_is_reported_until_it_is_overruled_or_cleared() {
        let settings = LearningSettings { collapse_minimum_clips: 4, ..LearningSettings::default() };
        let (mut intake, mut clips) = (ClipIntake::default(), ClipStore::default());
        let mut take = |intake: &mut ClipIntake| {
            for segment in segments(60, |_| sure_of(Emotion::Neutral)) {
                intake.take(segment, &[0.0; EMOTIONS], &settings, &mut clips);
            }
        };
        take(&mut intake);
        let collapse = intake.health_report().collapse.unwrap();
        assert_eq!((collapse.emotion, collapse.share), (Emotion::Neutral, 1.0));
        assert!(intake.pauses_contributing());
        intake.overrule_collapse();
        assert_eq!((intake.health_report().collapse, intake.pauses_contributing()), (None, false));
        intake.clear_health();
        take(&mut intake);
        assert!(intake.pauses_contributing(), "cleared clips are no reason to be quiet about the next ones");
    }
}
