//! Renders a clip from a still: a simulated hand-held camera that moves a little, in changing light, slightly out of focus,
//! with noise.
//!
//! It is no substitute for a face that moves, but it gives a video model frames that differ as a camera's do. The clip's
//! id and the seed decide every pixel.

use emofed::model::Frame;
use emofed::random::SplitMix64;
use sha2::{Digest as _, Sha256};

/// How much of a walk's speed is left after a frame, and how strongly it is drawn back to its middle.
const INERTIA: f32 = 0.8;
const RETURN: f32 = 0.05;
/// Standard deviation of each step's push, in units of the walk's reach.
const PUSH: f32 = 0.06;
/// Reaches: shift in parts of the frame's longer side, zoom in parts, rotation in radians, light in parts.
const SHIFT: f32 = 0.03;
const ZOOM: f32 = 0.04;
const ROTATION: f32 = 0.05;
const LIGHT: f32 = 0.08;
/// Most blur (share of a 3×3 binomial filter), and most noise (standard deviation of 8-bit values).
const BLUR: f32 = 0.5;
const NOISE: f32 = 5.0;

/// The frames of a clip that is rendered from a still.
pub struct StillRenderer {
    still: Frame,
    remaining: usize,
    random: SplitMix64,
    shift: [Walk; 2],
    zoom: Walk,
    rotation: Walk,
    light: Walk,
    blur: f32,
    noise: f32,
}

/// Where the camera is, and how bright it is.
struct Pose {
    /// In pixels.
    shift: [f32; 2],
    zoom: f32,
    /// In radians.
    rotation: f32,
    light: f32,
}

/// A smooth random walk that stays about its middle.
#[derive(Default)]
struct Walk {
    place: f32,
    speed: f32,
}

impl Walk {
    /// The next place, roughly within [-1, 1] and never beyond [-2, 2].
    fn step(&mut self, random: &mut SplitMix64) -> f32 {
        self.speed = INERTIA * self.speed - RETURN * self.place + PUSH * random.normal();
        self.place = (self.place + self.speed).clamp(-2.0, 2.0);
        self.place
    }
}

impl StillRenderer {
    /// Renders `count` frames of `still`.
    pub fn new(still: Frame, count: usize, id: &str, seed: u64) -> Self {
        let mut hash = Sha256::new();
        hash.update(seed.to_le_bytes());
        hash.update(id);
        let digest: [u8; 32] = hash.finalize().into();
        let start = digest.iter().take(8).fold(0, |value, &byte| value << 8 | u64::from(byte));
        let mut random = SplitMix64::new(start);
        let blur = BLUR * random.unit();
        let noise = NOISE * random.unit();
        let mut renderer = Self {
            still,
            remaining: count,
            random,
            shift: [Walk::default(), Walk::default()],
            zoom: Walk::default(),
            rotation: Walk::default(),
            light: Walk::default(),
            blur,
            noise,
        };
        // The walks start in their middles; after some steps their distribution no longer depends on that.
        for _ in 0..20 {
            renderer.pose();
        }
        renderer
    }

    fn pose(&mut self) -> Pose {
        let side = self.still.width.max(self.still.height) as f32;
        let random = &mut self.random;
        Pose {
            shift: [0, 1].map(|axis: usize| SHIFT * side * self.shift[axis].step(random)),
            zoom: 1.0 + ZOOM * self.zoom.step(random),
            rotation: ROTATION * self.rotation.step(random),
            light: 1.0 + LIGHT * self.light.step(random),
        }
    }
}

impl Iterator for StillRenderer {
    type Item = Frame;

    fn next(&mut self) -> Option<Frame> {
        self.remaining = self.remaining.checked_sub(1)?;
        let pose = self.pose();
        let moved = warp(&self.still, &pose);
        let mut frame = Frame { rgba: blurred(&moved, self.blur), ..moved };
        for pixel in frame.rgba.as_chunks_mut::<4>().0 {
            let [a, b] = [self.random.next_u64().to_le_bytes(), self.random.next_u64().to_le_bytes()];
            for (value, bytes) in pixel.iter_mut().zip([&a[..4], &a[4..], &b[..4]]) {
                // The sum of four uniform bytes: near enough to a normal value of deviation 147.8.
                let sum: i32 = bytes.iter().map(|&byte| i32::from(byte)).sum();
                let noise = (sum - 510) as f32 / 147.8 * self.noise;
                *value = (f32::from(*value) * pose.light + noise).round().clamp(0.0, 255.0) as u8;
            }
        }
        Some(frame)
    }
}

/// `still`, seen by a camera that is shifted, zoomed and turned about the middle. Bilinear; edge pixels repeat.
fn warp(still: &Frame, pose: &Pose) -> Frame {
    let (width, height) = (still.width, still.height);
    let middle = [(width - 1) as f32 / 2.0, (height - 1) as f32 / 2.0];
    let (sine, cosine) = pose.rotation.sin_cos();
    let mut rgba = Vec::with_capacity(still.rgba.len());
    for y in 0..height {
        for x in 0..width {
            let (dx, dy) = ((x as f32 - middle[0]) / pose.zoom, (y as f32 - middle[1]) / pose.zoom);
            let from_x = (cosine * dx - sine * dy + middle[0] + pose.shift[0]).clamp(0.0, (width - 1) as f32);
            let from_y = (sine * dx + cosine * dy + middle[1] + pose.shift[1]).clamp(0.0, (height - 1) as f32);
            let (left, top) = (from_x as usize, from_y as usize);
            let (right, bottom) = ((left + 1).min(width - 1), (top + 1).min(height - 1));
            let (across, down) = (from_x - left as f32, from_y - top as f32);
            for channel in 0..3 {
                let value = |x: usize, y: usize| f32::from(still.rgba[(y * width + x) * 4 + channel]);
                let upper = value(left, top) + (value(right, top) - value(left, top)) * across;
                let lower = value(left, bottom) + (value(right, bottom) - value(left, bottom)) * across;
                rgba.push((upper + (lower - upper) * down).round() as u8);
            }
            rgba.push(255);
        }
    }
    Frame { width, height, rgba }
}

/// The pixels of `frame`, `share` of each replaced by a 3×3 binomial average.
fn blurred(frame: &Frame, share: f32) -> Vec<u8> {
    let (width, height) = (frame.width, frame.height);
    let around = |at: usize, length: usize| [at.saturating_sub(1), at, (at + 1).min(length - 1)];
    let mut rgba = Vec::with_capacity(frame.rgba.len());
    for y in 0..height {
        let rows = around(y, height);
        for x in 0..width {
            let columns = around(x, width);
            for channel in 0..3 {
                let value = |row: usize, column: usize| u32::from(frame.rgba[(row * width + column) * 4 + channel]);
                let line = |row: usize| value(row, columns[0]) + 2 * value(row, columns[1]) + value(row, columns[2]);
                let mean = (line(rows[0]) + 2 * line(rows[1]) + line(rows[2])) as f32 / 16.0;
                let sharp = value(y, x) as f32;
                rgba.push((sharp + (mean - sharp) * share).round() as u8);
            }
            rgba.push(255);
        }
    }
    rgba
}

#[cfg(test)]
mod tests {
    use super::*;

    fn still() -> Frame {
        let rgba = (0..48 * 40).flat_map(|pixel| [(pixel % 251) as u8, (pixel % 199) as u8, 90, 255]).collect();
        Frame::new(48, 40, rgba).unwrap()
    }

    #[test]
    fn id_and_seed_decide_every_pixel_and_nothing_else_does() {
        for trial in 0..20 {
            let mut random = SplitMix64::new(trial);
            let (id, seed) = (format!("clip {}", random.next_u64()), random.next_u64());
            let render = |id: &str, seed| StillRenderer::new(still(), 6, id, seed).collect::<Vec<_>>();
            let first = render(&id, seed);
            assert_eq!(first, render(&id, seed));
            assert_ne!(first, render(&format!("{id}!"), seed));
            assert_ne!(first, render(&id, seed ^ 1));
            assert!(first.windows(2).all(|pair| pair[0] != pair[1]), "the camera moves");
            assert!(first.iter().all(|frame| (frame.width, frame.height, frame.rgba.len()) == (48, 40, 48 * 40 * 4)));
        }
    }

    #[test]
    fn a_camera_at_rest_copies() {
        assert_eq!(warp(&still(), &Pose { shift: [0.0; 2], zoom: 1.0, rotation: 0.0, light: 1.0 }), still());
        assert_eq!(blurred(&still(), 0.0), still().rgba);
    }

    #[test]
    fn the_camera_moves_a_little() {
        let mut renderer = StillRenderer::new(still(), 2_000, "x", 3);
        let poses: Vec<_> = (0..2_000).map(|_| renderer.pose()).collect();
        let rms =
            |of: fn(&Pose) -> f32| (poses.iter().map(|pose| of(pose).powi(2)).sum::<f32>() / poses.len() as f32).sqrt();
        assert!((0.2..1.5).contains(&(rms(|pose| pose.shift[0]) / (SHIFT * 48.0))));
        assert!((0.2..1.5).contains(&(rms(|pose| pose.rotation) / ROTATION)));
    }
}
