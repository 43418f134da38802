//! Cuts the stream of frames into clips.

use crate::emotion::EMOTIONS;
use crate::protocol::CapturePlan;

/// Frames of one face in a row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Segment {
    /// Features, `[frames, features]`.
    pub features: Vec<f32>,
    /// IFER probabilities, one row a frame.
    pub probabilities: Vec<[f32; EMOTIONS]>,
}

impl Segment {
    /// How many frames it has.
    pub fn frames(&self) -> usize {
        self.probabilities.len()
    }
}

/// Collects frames and says when a clip is complete.
///
/// A clip ends after `clip_ms`, or where the face is gone for longer than `face_lost_ms`; one with fewer than
/// `minimum_frames` frames is dropped without a word, since nothing can be said about it.
#[derive(Debug, Default)]
pub struct Segmenter {
    segment: Segment,
    started_ms: f64,
    last_face_ms: f64,
}

impl Segmenter {
    /// The clip being collected.
    pub fn current(&self) -> &Segment {
        &self.segment
    }

    /// Adds a frame with a face. Returns the clip that ended before it, if one did.
    pub fn face(
        &mut self,
        at_ms: f64,
        features: &[f32],
        probabilities: [f32; EMOTIONS],
        plan: &CapturePlan,
    ) -> Option<Segment> {
        let over = at_ms - self.started_ms >= plan.clip_ms as f64 || self.face_lost(at_ms, plan);
        let ended = if over { self.end(plan) } else { None };
        if self.segment.frames() == 0 {
            self.started_ms = at_ms;
        }
        self.last_face_ms = at_ms;
        self.segment.features.extend_from_slice(features);
        self.segment.probabilities.push(probabilities);
        ended
    }

    /// A frame without a face. Returns the clip that this ends, if it does.
    pub fn no_face(&mut self, at_ms: f64, plan: &CapturePlan) -> Option<Segment> {
        if self.face_lost(at_ms, plan) { self.end(plan) } else { None }
    }

    /// Ends the clip being collected, as when the camera is paused.
    pub fn end(&mut self, plan: &CapturePlan) -> Option<Segment> {
        let segment = std::mem::take(&mut self.segment);
        (segment.frames() >= plan.minimum_frames.max(1)).then_some(segment)
    }

    fn face_lost(&self, at_ms: f64, plan: &CapturePlan) -> bool {
        self.segment.frames() > 0 && at_ms - self.last_face_ms > plan.face_lost_ms as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: CapturePlan =
        CapturePlan { max_frames_per_second: 10.0, clip_ms: 1_000, minimum_frames: 3, face_lost_ms: 500 };

    fn feed(segmenter: &mut Segmenter, times: impl IntoIterator<Item = f64>) -> Vec<usize> {
        times
            .into_iter()
            .filter_map(|at| segmenter.face(at, &[at as f32], [0.0; EMOTIONS], &PLAN))
            .map(|clip| clip.frames())
            .collect()
    }

    #[test]
    fn cuts_by_time_and_keeps_every_frame() {
        let mut segmenter = Segmenter::default();
        let ended = feed(&mut segmenter, (0..25).map(|i| f64::from(i) * 100.0));
        assert_eq!(ended, [10, 10]);
        assert_eq!(segmenter.current().frames(), 5);
        assert_eq!(segmenter.current().features[0], 2_000.0);
    }

    #[test]
    fn a_short_gap_is_bridged_and_a_long_one_cuts() {
        let mut segmenter = Segmenter::default();
        assert!(feed(&mut segmenter, [0.0, 100.0, 200.0]).is_empty());
        assert_eq!(segmenter.no_face(600.0, &PLAN), None);
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
}
