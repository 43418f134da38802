//! Segments the stream of frames into clips.

use crate::emotion::EMOTIONS;
use crate::protocol::CaptureSettings;

/// Consecutive frames of one face.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Segment {
    /// Features, `[frames, features]`.
    pub features: Vec<f32>,
    /// IFER probabilities, one row a frame.
    pub probabilities: Vec<[f32; EMOTIONS]>,
}

impl Segment {
    /// The number of frames.
    pub fn frames(&self) -> usize {
        self.probabilities.len()
    }
}

/// The backbone's outputs for the face in one frame.
#[derive(Clone, Debug, PartialEq)]
pub struct FaceObservation {
    /// The tracker's identity of the face: another number is another person.
    pub identity: u64,
    /// IFER probabilities.
    pub probabilities: [f32; EMOTIONS],
    /// Features, `[features]`.
    pub features: Vec<f32>,
}

/// Maximum length of a clip as a multiple of `clip_ms`, where frames are too rare for `minimum_frames` in `clip_ms`.
pub const MAX_STRETCH: u64 = 4;

/// The lowest frame rate at which clips reach `minimum_frames`.
pub fn slowest_frames_per_second(plan: &CaptureSettings) -> f64 {
    plan.minimum_frames as f64 / ((MAX_STRETCH * plan.clip_ms) as f64 / 1_000.0)
}

/// Collects frames and ends clips.
///
/// A clip ends after `clip_ms` and `minimum_frames` frames, whichever is later, but after [`MAX_STRETCH`] times `clip_ms` at the
/// latest; when the face is gone for longer than `face_lost_ms`; and when another face appears. One with fewer than
/// `minimum_frames` frames is discarded without a report.
#[derive(Debug, Default)]
pub struct Segmenter {
    segment: Segment,
    identity: u64,
    started_ms: f64,
    last_face_ms: f64,
    /// Time of the last frame, with a face or without.
    last_ms: Option<f64>,
    /// Time between the last two frames.
    frame_gap_ms: Option<f64>,
}

impl Segmenter {
    /// The clip being collected.
    pub fn current(&self) -> &Segment {
        &self.segment
    }

    /// Adds a frame with a face. Returns the clip that ended before it, if one did.
    pub fn face(&mut self, at_ms: f64, face: &FaceObservation, plan: &CaptureSettings) -> Option<Segment> {
        let is_lost = self.face_lost(at_ms, plan);
        let over = is_lost || self.is_complete(at_ms, plan) || face.identity != self.identity;
        let ended = if over { self.end(plan) } else { None };
        if self.segment.frames() == 0 {
            self.started_ms = at_ms;
            self.identity = face.identity;
        }
        self.last_face_ms = at_ms;
        self.segment.features.extend_from_slice(&face.features);
        self.segment.probabilities.push(face.probabilities);
        self.tick(at_ms);
        ended
    }

    /// A frame without a face. Returns the clip that this ends, if it does.
    pub fn no_face(&mut self, at_ms: f64, plan: &CaptureSettings) -> Option<Segment> {
        let ended = if self.face_lost(at_ms, plan) { self.end(plan) } else { None };
        self.tick(at_ms);
        ended
    }

    /// Ends the clip being collected, as when the camera is paused.
    pub fn end(&mut self, plan: &CaptureSettings) -> Option<Segment> {
        let segment = std::mem::take(&mut self.segment);
        (segment.frames() >= plan.minimum_frames.max(1)).then_some(segment)
    }

    /// The camera pauses: the time until the next frame says nothing of the frame rate.
    pub fn pause(&mut self) {
        (self.last_ms, self.frame_gap_ms) = (None, None);
    }

    fn is_complete(&self, at_ms: f64, plan: &CaptureSettings) -> bool {
        let (lasted_ms, planned_ms) = (at_ms - self.started_ms, plan.clip_ms as f64);
        let has_enough = self.segment.frames() >= plan.minimum_frames;
        lasted_ms >= planned_ms && (has_enough || lasted_ms >= MAX_STRETCH as f64 * planned_ms)
    }

    /// Whether the face was gone for too long. Where frames are rare, the gap between two of them is no absence; the frame
    /// rate is unknown until the second one.
    fn face_lost(&self, at_ms: f64, plan: &CaptureSettings) -> bool {
        let lost_ms = plan.face_lost_ms as f64;
        let tolerance_ms = self.frame_gap_ms.map_or(MAX_STRETCH as f64 * lost_ms, |gap_ms| lost_ms.max(2.0 * gap_ms));
        self.segment.frames() > 0 && at_ms - self.last_face_ms > tolerance_ms
    }

    fn tick(&mut self, at_ms: f64) {
        if let Some(last_ms) = self.last_ms.replace(at_ms) {
            self.frame_gap_ms = Some(at_ms - last_ms);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: CaptureSettings =
        CaptureSettings { max_frames_per_second: 10.0, clip_ms: 1_000, minimum_frames: 3, face_lost_ms: 500 };

    fn seen(identity: u64, at_ms: f64) -> FaceObservation {
        FaceObservation { identity, probabilities: [0.0; EMOTIONS], features: vec![at_ms as f32] }
    }

    fn feed(segmenter: &mut Segmenter, times: impl IntoIterator<Item = f64>) -> Vec<usize> {
        times.into_iter().filter_map(|at| segmenter.face(at, &seen(1, at), &PLAN)).map(|clip| clip.frames()).collect()
    }

    fn at_intervals_of(gap_ms: f64, frames: u32) -> impl Iterator<Item = f64> {
        (0..frames).map(move |index| f64::from(index) * gap_ms)
    }

    #[test]
    fn cuts_by_time_and_keeps_every_frame() {
        let mut segmenter = Segmenter::default();
        let ended = feed(&mut segmenter, at_intervals_of(100.0, 25));
        assert_eq!(ended, [10, 10]);
        assert_eq!(segmenter.current().frames(), 5);
        assert_eq!(segmenter.current().features[0], 2_000.0);
    }

    #[test]
    fn a_short_gap_is_bridged_and_a_long_one_cuts() {
        let mut segmenter = Segmenter::default();
        assert!(feed(&mut segmenter, [0.0, 100.0, 200.0]).is_empty());
        for at in [300.0, 400.0, 500.0, 600.0, 700.0] {
            assert_eq!(segmenter.no_face(at, &PLAN), None);
        }
        assert_eq!(segmenter.no_face(701.0, &PLAN).map(|clip| clip.frames()), Some(3));
        assert_eq!(segmenter.no_face(900.0, &PLAN), None);
    }

    #[test]
    fn a_gap_without_any_frame_cuts_too() {
        let mut segmenter = Segmenter::default();
        assert_eq!(feed(&mut segmenter, [0.0, 100.0, 200.0, 900.0]), [3]);
    }

    #[test]
    fn too_few_frames_are_no_clip() {
        let mut segmenter = Segmenter::default();
        feed(&mut segmenter, [0.0, 100.0]);
        assert_eq!(segmenter.end(&PLAN), None);
        assert_eq!(segmenter.current().frames(), 0);
    }

    #[test]
    fn slow_frames_make_longer_clips_up_to_a_bound() {
        assert_eq!(feed(&mut Segmenter::default(), at_intervals_of(500.0, 10)), [3, 3, 3]);
        assert_eq!(feed(&mut Segmenter::default(), at_intervals_of(1_000.0, 7)), [3, 3]);
        // Two frames in four seconds: too few, however long.
        assert!(feed(&mut Segmenter::default(), at_intervals_of(2_000.0, 20)).is_empty());
        assert_eq!(slowest_frames_per_second(&PLAN), 0.75);
    }

    #[test]
    fn another_face_begins_another_clip() {
        let mut segmenter = Segmenter::default();
        feed(&mut segmenter, at_intervals_of(100.0, 4));
        let ended = segmenter.face(400.0, &seen(2, 400.0), &PLAN);
        assert_eq!(ended.map(|clip| clip.features), Some(vec![0.0, 100.0, 200.0, 300.0]));
        assert_eq!(segmenter.current().features, [400.0]);
    }

    #[test]
    fn a_pause_says_nothing_of_how_often_frames_come() {
        let mut segmenter = Segmenter::default();
        feed(&mut segmenter, [0.0, 100.0]);
        segmenter.end(&PLAN);
        segmenter.pause();
        assert_eq!(feed(&mut segmenter, [60_000.0, 61_000.0, 62_000.0, 63_000.0]), [3]);
    }
}
