//! The face that is followed: where it was, and where it can be next.

use crate::model::Face;
use crate::model::one_euro::{OneEuro, Smoothing};

/// How far the middle may have moved between two looks, in sides of the face.
const FARTHEST: f32 = 0.8;
/// How many times as long or as short the side may have become between two looks.
const MOST_GROWTH: f32 = 1.6;
/// Of the middle, in sides of the face: still at rest, and not late when the head moves.
const CENTRE: Smoothing = Smoothing { rest_hz: 1.0, hz_per_speed: 8.0, speed_hz: 1.0 };
/// Of the side's natural logarithm, which the detector gets wrong more often than the middle.
const LOG_SIDE: Smoothing = Smoothing { rest_hz: 0.7, hz_per_speed: 1.0, speed_hz: 0.5 };

/// A face that was found, and its smoothed square.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    identity: u64,
    /// The last box, as it was found.
    found: Face,
    seen_ms: f64,
    /// The side at first, in pixels: the unit of `middle`.
    unit: f64,
    middle: [OneEuro; 2],
    log_side: OneEuro,
}

impl Target {
    pub fn new(identity: u64, found: Face, seen_ms: f64) -> Self {
        let unit = f64::from(found.side());
        let middle = found.centre().map(|place| OneEuro::new(CENTRE, f64::from(place) / unit));
        Self { identity, found, seen_ms, unit, middle, log_side: OneEuro::new(LOG_SIDE, unit.ln()) }
    }

    pub fn identity(&self) -> u64 {
        self.identity
    }

    pub fn seen_ms(&self) -> f64 {
        self.seen_ms
    }

    /// Middle and side of its last box, in pixels.
    pub fn region(&self) -> ([f32; 2], f32) {
        (self.found.centre(), self.found.side())
    }

    /// Whether a box may be where this face went.
    pub fn goes_on_at(&self, face: &Face) -> bool {
        let ([from_x, from_y], [to_x, to_y]) = (self.found.centre(), face.centre());
        let (side, growth) = (self.found.side(), face.side() / self.found.side());
        (to_x - from_x).hypot(to_y - from_y) <= FARTHEST * side && (1.0 / MOST_GROWTH..=MOST_GROWTH).contains(&growth)
    }

    /// The most likely of the boxes that may be this face.
    pub fn continued_by(&self, boxes: &[Face]) -> Option<Face> {
        let possible = boxes.iter().filter(|face| self.goes_on_at(face));
        possible.max_by(|a, b| a.score.total_cmp(&b.score)).copied()
    }

    /// It is at `found` now: the smoothed square.
    pub fn move_to(&mut self, found: Face, at_ms: f64) -> Face {
        let elapsed_s = (at_ms - self.seen_ms) / 1_000.0;
        (self.found, self.seen_ms) = (found, at_ms);
        let side = self.log_side.push(f64::from(found.side()).ln(), elapsed_s).exp();
        let [x, y] = [0, 1].map(|axis: usize| {
            let place = f64::from(found.centre()[axis]) / self.unit;
            self.unit * self.middle[axis].push(place, elapsed_s) - side / 2.0
        });
        Face { x: x as f32, y: y as f32, width: side as f32, height: side as f32, score: found.score }
    }
}
