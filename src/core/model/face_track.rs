//! Follows one face from frame to frame, so that what the backbone sees is steady and of one person.
//!
//! The detector's box jumps: it changes with noise, with the cell that the face's middle falls into and with the anchor that
//! fits best, and it comes and goes where the score is near the threshold. A face that was found is therefore looked
//! for near its last place, where it has always the same size in the detector's input, with a lower threshold; its
//! centre and side are smoothed; and it keeps its identity as long as its place goes on. The whole frame is searched where
//! there is no face to follow, in turn at two sizes of the detector's input, and from time to time to see who else is
//! there. On average that is less work than one search of the whole in each frame.

mod target;

use self::target::Target;
use super::detector::{InputSize, MINIMUM_SCORE};
use super::{Face, FaceDetector, Frame, ModelError};

/// A box near the face's last place is the face, if its score is above this.
const KEEP_SCORE: f32 = 0.2;
/// What was found with [`InputSize::Large`] is a face if it is one from near, too, in a square of so many sides. There, faces
/// score above 0.7 and patterns that pass for faces from afar 0; at [`REGION`], some of those score 0.9.
const CONFIRM_REGION: f32 = 3.2;
/// How far around the last place it is looked for: the side of the square, in sides of the face. In [`InputSize::Small`] a
/// face is 107 pixels then, which is 3.3 cells, amid the detector's anchors. (From 2.5 on, two anchors compete.)
const REGION: f32 = 2.1;
/// A face that was not found for so long is forgotten, in milliseconds.
const FORGOTTEN_MS: f64 = 1_000.0;
/// So long a time without any frame ends a track, too, in milliseconds. Slow machines see a frame a second.
const LONGEST_GAP_MS: f64 = 4_000.0;
/// How often the whole frame is searched while a face is followed, in milliseconds.
const SEARCH_MS: f64 = 1_000.0;
/// Another face is followed instead if its side is so many times as long.
const TAKES_OVER: f32 = 1.25;
/// Boxes that overlap by more (intersection over union) are of one face.
const SAME_FACE: f32 = 0.2;
/// While no face is followed, one in so many searches is for small ones.
const LARGE_EVERY: u32 = 3;

/// The tracked face of one frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrackingResult {
    /// The followed face.
    pub face: Option<TrackedFace>,
    /// How many faces there are, as of the last search of the whole frame.
    pub faces: usize,
}

/// A face that is followed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrackedFace {
    /// The square around it, smoothed over time.
    pub square: Face,
    /// The detector's box in this frame, neither squared nor smoothed.
    pub detection: Face,
    /// Another number is another person, as far as places tell.
    pub identity: u64,
}

/// Follows the largest face.
#[derive(Debug, Default)]
pub struct FaceTrack {
    target: Option<Target>,
    /// The target was not found in the last frame.
    is_missing: bool,
    identities: u64,
    faces: usize,
    searched_ms: Option<f64>,
    searches: u32,
}

impl FaceTrack {
    /// Nothing is followed any more, as when the camera was paused.
    pub fn forget(&mut self) {
        *self = Self { identities: self.identities, ..Self::default() };
    }

    /// Looks for the face in the frame of time `at_ms` (milliseconds). Frames come in their order.
    ///
    /// # Errors
    /// The detector computed something that is not finite.
    pub fn update(&mut self, detector: &FaceDetector, frame: &Frame, at_ms: f64) -> Result<TrackingResult, ModelError> {
        self.forget_the_gone(at_ms);
        let near = match &self.target {
            Some(target) => {
                let (centre, side) = target.region();
                let boxes = detector.detect_near(frame, centre, REGION * side, InputSize::Small, KEEP_SCORE)?;
                target.continued_by(&boxes)
            }
            None => None,
        };
        let is_due = self.searched_ms.is_none_or(|searched_ms| at_ms - searched_ms >= SEARCH_MS);
        let found = match near {
            Some(face) if !is_due => Some(face),
            near => {
                let mut boxes = Vec::new();
                for size in self.search_sizes(near.is_some()) {
                    boxes = detector.detect(frame, *size, KEEP_SCORE)?;
                    if *size == InputSize::Large {
                        confirm(detector, frame, &mut boxes)?;
                    }
                    if is_clear(&boxes) {
                        break;
                    }
                }
                self.searched_ms = Some(at_ms);
                self.choose(near, &boxes)
            }
        };
        Ok(self.follow(found, at_ms))
    }

    fn forget_the_gone(&mut self, at_ms: f64) {
        let Some(target) = &self.target else { return };
        let unseen_ms = at_ms - target.seen_ms();
        if (self.is_missing && unseen_ms > FORGOTTEN_MS) || unseen_ms > LONGEST_GAP_MS {
            self.forget();
        }
    }

    /// At which sizes the whole frame is searched now, until one shows a face.
    fn search_sizes(&mut self, is_followed: bool) -> &'static [InputSize] {
        if is_followed {
            return &[InputSize::Middle];
        }
        self.searches += 1;
        match self.searches {
            // A still has one frame only.
            1 => &[InputSize::Middle, InputSize::Large],
            later if later % LARGE_EVERY == 0 => &[InputSize::Large],
            _ => &[InputSize::Middle],
        }
    }

    /// Whom to follow, and how many there are: `near` is the followed face if it was found near its last place, and `boxes` is
    /// what the whole frame shows, the largest first.
    fn choose(&mut self, near: Option<Face>, boxes: &[Face]) -> Option<Face> {
        let is_near = |face: &Face| near.is_some_and(|near| near.overlap(face) > SAME_FACE);
        let others = || boxes.iter().filter(|face| face.score > MINIMUM_SCORE && !is_near(face));
        self.faces = others().count() + usize::from(near.is_some());
        let followed = near.or_else(|| self.target.as_ref()?.continued_by(boxes));
        match (followed, others().next()) {
            (Some(followed), Some(other)) if other.side() > TAKES_OVER * followed.side() => Some(*other),
            (Some(followed), _) => Some(followed),
            (None, other) => other.copied(),
        }
    }

    fn follow(&mut self, found: Option<Face>, at_ms: f64) -> TrackingResult {
        self.is_missing = found.is_none();
        let Some(found) = found else { return TrackingResult { face: None, faces: self.faces } };
        self.faces = self.faces.max(1);
        let mut target = match self.target.take() {
            Some(target) if target.goes_on_at(&found) => target,
            _ => {
                self.identities += 1;
                self.searches = 0;
                Target::new(self.identities, found, at_ms)
            }
        };
        let face = TrackedFace { square: target.move_to(found, at_ms), detection: found, identity: target.identity() };
        self.target = Some(target);
        TrackingResult { face: Some(face), faces: self.faces }
    }
}

/// Leaves what looks like a face from near, too: with the largest input, patterns do from afar.
fn confirm(detector: &FaceDetector, frame: &Frame, boxes: &mut Vec<Face>) -> Result<(), ModelError> {
    boxes.retain(|face| face.score > MINIMUM_SCORE);
    let mut confirmed = Vec::new();
    for face in boxes.drain(..) {
        let side = CONFIRM_REGION * face.side();
        let near = detector.detect_near(frame, face.centre(), side, InputSize::Small, MINIMUM_SCORE)?;
        if near.iter().any(|other| other.overlap(&face) > SAME_FACE) {
            confirmed.push(face);
        }
    }
    *boxes = confirmed;
    Ok(())
}

/// Whether there is a face beyond doubt.
fn is_clear(boxes: &[Face]) -> bool {
    boxes.iter().any(|face| face.score > MINIMUM_SCORE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn face(x: f32, side: f32, score: f32) -> Face {
        Face { x, y: 100.0, width: side, height: side, score }
    }

    /// A track that follows a face at 100 with a side of 80, seen at 0 ms.
    fn following() -> FaceTrack {
        let mut track = FaceTrack::default();
        assert_eq!(track.follow(Some(face(100.0, 80.0, 0.9)), 0.0).face.unwrap().identity, 1);
        track
    }

    fn identity(track: &mut FaceTrack, found: Face, at_ms: f64) -> u64 {
        track.forget_the_gone(at_ms);
        track.follow(Some(found), at_ms).face.unwrap().identity
    }

    #[test]
    fn a_doubtful_box_goes_on_with_a_face_and_begins_none() {
        let doubtful = [face(104.0, 78.0, 0.3)];
        assert_eq!(following().choose(None, &doubtful), Some(doubtful[0]));
        assert_eq!(FaceTrack::default().choose(None, &doubtful), None);
        assert_eq!(following().choose(None, &[face(400.0, 78.0, 0.3)]), None, "too far away");
    }

    #[test]
    fn a_jump_of_place_or_size_is_somebody_else() {
        assert_eq!(identity(&mut following(), face(130.0, 90.0, 0.9), 100.0), 1);
        assert_eq!(identity(&mut following(), face(300.0, 80.0, 0.9), 100.0), 2);
        assert_eq!(identity(&mut following(), face(80.0, 160.0, 0.9), 100.0), 2);
    }

    #[test]
    fn a_face_that_was_gone_comes_back_as_somebody_else() {
        let mut track = following();
        track.follow(None, 100.0);
        assert_eq!(identity(&mut track, face(100.0, 80.0, 0.9), 900.0), 1, "a short absence");
        track.follow(None, 1_000.0);
        assert_eq!(identity(&mut track, face(100.0, 80.0, 0.9), 2_000.0), 2);
        // Nothing says that it was gone while no frame came.
        assert_eq!(identity(&mut following(), face(100.0, 80.0, 0.9), 2_000.0), 1);
        assert_eq!(identity(&mut following(), face(100.0, 80.0, 0.9), 5_000.0), 2);
        let mut paused = following();
        paused.forget();
        assert_eq!(identity(&mut paused, face(100.0, 80.0, 0.9), 100.0), 2);
    }

    #[test]
    fn another_face_takes_over_only_if_it_is_clearly_larger() {
        let near = face(100.0, 80.0, 0.6);
        let larger = |side| [face(300.0, side, 0.9), near];
        let mut track = following();
        assert_eq!(track.choose(Some(near), &larger(90.0)), Some(near));
        assert_eq!(track.faces, 2);
        assert_eq!(track.choose(Some(near), &larger(120.0)), Some(face(300.0, 120.0, 0.9)));
        assert_eq!(track.choose(Some(near), &[face(95.0, 110.0, 0.9)]), Some(near), "the same face, a larger box");
        assert_eq!(track.faces, 1);
    }

    #[test]
    fn while_nobody_is_there_the_search_takes_little_more_than_one_size() {
        let mut track = FaceTrack::default();
        let work = |size: &InputSize| (size.pixels() as f64 / InputSize::Middle.pixels() as f64).powi(2);
        let all: f64 = (0..300).map(|_| track.search_sizes(false).iter().map(work).sum::<f64>()).sum();
        assert!(all / 300.0 < 1.3, "{}", all / 300.0);
    }

    #[test]
    fn the_square_is_steadier_than_the_boxes() {
        let mut track = following();
        let sides = |index: u32| if index.is_multiple_of(2) { 80.0 } else { 96.0 };
        let squares = (1..60).map(|index| {
            let found = face(100.0, sides(index), 0.9);
            track.follow(Some(found), f64::from(index) * 100.0).face.unwrap().square.side()
        });
        let squares: Vec<f32> = squares.collect();
        let largest = squares[10..].windows(2).map(|pair| (pair[1] / pair[0] - 1.0).abs()).fold(0.0, f32::max);
        assert!(largest < 0.08, "the side changes by {largest}");
        assert!((squares[58] - 87.6).abs() < 6.0, "{} is about the middle", squares[58]);
    }
}
