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
    /// How many frames at the beginning are also the last of the segment before.
    pub shared_frames: usize,
    /// Times of the frames, in milliseconds.
    times_ms: Vec<f64>,
}

impl Segment {
    /// The number of frames.
    pub fn frames(&self) -> usize {
        self.probabilities.len()
    }

    /// Times of the first and the last frame, in milliseconds; 0 without frames.
    pub fn span_ms(&self) -> (f64, f64) {
        (self.times_ms.first().copied().unwrap_or_default(), self.times_ms.last().copied().unwrap_or_default())
    }

    /// Removes the frames that are also in the segment before.
    pub fn remove_shared_frames(&mut self) {
        let shared = std::mem::take(&mut self.shared_frames);
        self.features.drain(..shared * self.feature_count());
        self.probabilities.drain(..shared);
        self.times_ms.drain(..shared);
    }

    /// The last frames of this segment as the beginning of the next one: a share of `overlap`, but none of those that this one
    /// has from the segment before.
    fn overlapping(&self, overlap: f64) -> Self {
        let shared = ((overlap * self.frames() as f64) as usize).min(self.frames() - self.shared_frames);
        let first = self.frames() - shared;
        Self {
            features: self.features[first * self.feature_count()..].to_vec(),
            probabilities: self.probabilities[first..].to_vec(),
            shared_frames: shared,
            times_ms: self.times_ms[first..].to_vec(),
        }
    }

    fn push(&mut self, at_ms: f64, face: &FaceObservation) {
        self.features.extend_from_slice(&face.features);
        self.probabilities.push(face.probabilities);
        self.times_ms.push(at_ms);
    }

    /// Features of a frame.
    fn feature_count(&self) -> usize {
        self.features.len() / self.frames().max(1)
    }
}

/// What became of the frames that were collected.
#[derive(Clone, Debug, PartialEq)]
pub enum EndedSegment {
    /// A clip.
    Clip(Segment),
    /// Too few for a clip.
    TooShort {
        /// Frames that are in no clip.
        frames: usize,
    },
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

/// Largest overlap of consecutive clips, so that a frame is in two clips at most.
const MAX_OVERLAP: f64 = 0.5;

/// The lowest frame rate at which clips reach `minimum_frames`.
pub fn slowest_frames_per_second(plan: &CaptureSettings) -> f64 {
    plan.minimum_frames as f64 / ((MAX_STRETCH * plan.clip_ms) as f64 / 1_000.0)
}

/// Collects frames and ends clips.
///
/// A clip ends after `clip_ms` and `minimum_frames` frames, whichever is later, but after [`MAX_STRETCH`] times `clip_ms` at the
/// latest; when the face is gone, or not good enough to learn from, for longer than `face_lost_ms`; and when another face
/// appears. A clip that ended by its length shares its last frames with the next one, `clip_overlap` of them. One with fewer
/// than `minimum_frames` frames, or too few that the clip before does not have, is too short.
#[derive(Debug, Default)]
pub struct Segmenter {
    segment: Segment,
    identity: u64,
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

    /// Adds a frame with a face. Returns what ended before it, if something did.
    pub fn face(&mut self, at_ms: f64, face: &FaceObservation, plan: &CaptureSettings) -> Option<EndedSegment> {
        let is_interrupted = self.face_lost(at_ms, plan) || face.identity != self.identity;
        let ended = if is_interrupted {
            self.end(plan)
        } else if self.is_complete(at_ms, plan) {
            let next = self.segment.overlapping(overlap(plan));
            let ended = self.end(plan);
            if matches!(ended, Some(EndedSegment::Clip(_))) {
                self.segment = next;
            }
            ended
        } else {
            None
        };
        self.identity = face.identity;
        self.last_face_ms = at_ms;
        self.segment.push(at_ms, face);
        self.tick(at_ms);
        ended
    }

    /// A frame without a face to learn from. Returns what this ends, if something.
    pub fn no_face(&mut self, at_ms: f64, plan: &CaptureSettings) -> Option<EndedSegment> {
        let ended = if self.face_lost(at_ms, plan) { self.end(plan) } else { None };
        self.tick(at_ms);
        ended
    }

    /// Ends the clip being collected, as when the camera is paused. `None` if there is no frame that is not in a clip.
    pub fn end(&mut self, plan: &CaptureSettings) -> Option<EndedSegment> {
        let segment = std::mem::take(&mut self.segment);
        let frames = segment.frames() - segment.shared_frames;
        let minimum = plan.minimum_frames.max(1);
        let minimum_new = minimum as f64 * (1.0 - overlap(plan));
        match frames {
            0 => None,
            _ if segment.frames() >= minimum && frames as f64 >= minimum_new => Some(EndedSegment::Clip(segment)),
            _ => Some(EndedSegment::TooShort { frames }),
        }
    }

    /// The camera pauses: the time until the next frame says nothing of the frame rate.
    pub fn pause(&mut self) {
        (self.last_ms, self.frame_gap_ms) = (None, None);
    }

    fn is_complete(&self, at_ms: f64, plan: &CaptureSettings) -> bool {
        let Some(started_ms) = self.segment.times_ms.first() else { return false };
        let (lasted_ms, planned_ms) = (at_ms - started_ms, plan.clip_ms as f64);
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

/// The overlap of consecutive clips, 0 to [`MAX_OVERLAP`], whatever the manifest says.
fn overlap(plan: &CaptureSettings) -> f64 {
    if plan.clip_overlap.is_finite() { plan.clip_overlap.clamp(0.0, MAX_OVERLAP) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::random::SplitMix64;

    const PLAN: CaptureSettings = CaptureSettings {
        max_frames_per_second: 10.0,
        clip_ms: 1_000,
        clip_overlap: 0.0,
        minimum_frames: 3,
        face_lost_ms: 500,
    };

    fn seen(identity: u64, at_ms: f64) -> FaceObservation {
        FaceObservation { identity, probabilities: [0.0; EMOTIONS], features: vec![at_ms as f32] }
    }

    fn feed(segmenter: &mut Segmenter, times: impl IntoIterator<Item = f64>) -> Vec<usize> {
        feed_with(segmenter, times, &PLAN)
    }

    fn feed_with(
        segmenter: &mut Segmenter,
        times: impl IntoIterator<Item = f64>,
        plan: &CaptureSettings,
    ) -> Vec<usize> {
        let ended = times.into_iter().filter_map(|at| segmenter.face(at, &seen(1, at), plan));
        ended.filter_map(clip).map(|clip| clip.frames()).collect()
    }

    fn clip(ended: EndedSegment) -> Option<Segment> {
        match ended {
            EndedSegment::Clip(segment) => Some(segment),
            EndedSegment::TooShort { .. } => None,
        }
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
        assert_eq!(segmenter.no_face(701.0, &PLAN).and_then(clip).map(|clip| clip.frames()), Some(3));
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
        assert_eq!(segmenter.end(&PLAN), Some(EndedSegment::TooShort { frames: 2 }));
        assert_eq!(segmenter.current().frames(), 0);
        assert_eq!(segmenter.end(&PLAN), None, "no frames are nothing");
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
        assert_eq!(ended.and_then(clip).map(|clip| clip.features), Some(vec![0.0, 100.0, 200.0, 300.0]));
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

    const HALF: CaptureSettings = CaptureSettings { clip_overlap: 0.5, ..PLAN };

    #[test]
    fn consecutive_clips_of_one_face_overlap() {
        let mut segmenter = Segmenter::default();
        let ended = at_intervals_of(100.0, 21).filter_map(|at| segmenter.face(at, &seen(1, at), &HALF));
        let clips: Vec<Segment> = ended.filter_map(clip).collect();
        assert_eq!(
            clips.iter().map(|clip| (clip.frames(), clip.shared_frames)).collect::<Vec<_>>(),
            [(10, 0), (10, 5), (10, 5)]
        );
        assert_eq!(clips[0].features[5..], clips[1].features[..5]);
        let mut third = clips[2].clone();
        third.remove_shared_frames();
        assert_eq!(third.features, [1_500.0, 1_600.0, 1_700.0, 1_800.0, 1_900.0]);
        assert_eq!((third.frames(), third.shared_frames), (5, 0));
    }

    #[test]
    fn an_interrupted_clip_shares_nothing_with_the_next_one() {
        for interruption in [seen(2, 400.0), seen(1, 2_000.0)] {
            let mut segmenter = Segmenter::default();
            feed_with(&mut segmenter, at_intervals_of(100.0, 4), &HALF);
            let at_ms = f64::from(interruption.features[0]);
            assert!(segmenter.face(at_ms, &interruption, &HALF).is_some());
            assert_eq!((segmenter.current().frames(), segmenter.current().shared_frames), (1, 0));
        }
    }

    #[test]
    fn shared_frames_alone_are_no_clip() {
        let mut segmenter = Segmenter::default();
        assert_eq!(feed_with(&mut segmenter, at_intervals_of(100.0, 11), &HALF), [10]);
        assert_eq!(segmenter.current().frames(), 6);
        assert_eq!(segmenter.end(&HALF), Some(EndedSegment::TooShort { frames: 1 }));
        feed_with(&mut segmenter, at_intervals_of(100.0, 12), &HALF);
        assert!(matches!(segmenter.end(&HALF), Some(EndedSegment::Clip(_))), "two new frames of three are enough");
    }

    #[test]
    fn whatever_frames_come_clips_are_whole_in_order_and_no_frame_is_in_more_than_two() {
        for seed in 0..500 {
            let mut random = SplitMix64::new(seed);
            let plan = CaptureSettings {
                clip_overlap: [0.0, 0.25, 0.5, 0.9, f64::NAN][random.below(5)],
                minimum_frames: random.below(6),
                ..PLAN
            };
            let (mut segmenter, mut ended) = (Segmenter::default(), Vec::new());
            let (mut at_ms, mut identity, mut faces) = (0.0, 1, 0);
            for _ in 0..random.below(200) {
                at_ms += [0.0, 30.0, 100.0, 100.0, 400.0, 3_000.0][random.below(6)] + 1.0;
                identity += u64::from(random.below(20) == 0);
                match random.below(30) {
                    0..25 => {
                        faces += 1;
                        ended.extend(segmenter.face(at_ms, &seen(identity, at_ms), &plan));
                    }
                    25..29 => ended.extend(segmenter.no_face(at_ms, &plan)),
                    _ => {
                        ended.extend(segmenter.end(&plan));
                        segmenter.pause();
                    }
                }
            }
            ended.extend(segmenter.end(&plan));
            let lost: usize =
                ended.iter().map(|ended| if let EndedSegment::TooShort { frames } = ended { *frames } else { 0 }).sum();
            let clips: Vec<Segment> = ended.into_iter().filter_map(clip).collect();
            let mut uses = BTreeMap::new();
            for clip in &clips {
                assert!(clip.frames() >= plan.minimum_frames.max(1), "seed {seed}");
                assert!(clip.features.is_sorted_by(|a, b| a < b), "seed {seed}: {clip:?}");
                clip.features.iter().for_each(|at| *uses.entry(*at as u64).or_insert(0) += 1);
            }
            assert!(uses.values().all(|count| *count <= 2), "seed {seed}");
            assert_eq!(uses.len() + lost, faces, "seed {seed}: every frame is in a clip, or told to be in none");
            for pair in clips.windows(2) {
                let shared = &pair[1].features[..pair[1].shared_frames];
                let tail = pair[0].features.len().saturating_sub(shared.len());
                assert!(shared.is_empty() || pair[0].features[tail..] == *shared, "seed {seed}");
            }
        }
    }

    #[test]
    fn where_no_frame_is_good_enough_there_is_no_clip() {
        let mut segmenter = Segmenter::default();
        assert!(at_intervals_of(100.0, 100).all(|at| segmenter.no_face(at, &HALF).is_none()));
        assert_eq!(segmenter.end(&HALF), None);
    }
}
