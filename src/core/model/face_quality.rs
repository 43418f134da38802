//! Measures of how well a face can be seen in a frame: size, focus, light and pose, as far as a box detector tells.

use super::{Face, Frame};

/// Width and height of the crop that focus and light are measured on, in pixels: the same for every backbone and every size
/// of the face.
const MEASURED_SIDE_PX: usize = 96;

/// How well a face can be seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FaceQuality {
    /// Longer side of the face's box, in pixels of the frame.
    pub side_px: f64,
    /// Variance of the Laplacian (4 neighbours) of the crop's luma at 96×96 pixels, in squared 8-bit levels. Sharp faces
    /// have hundreds; a blurred or upscaled one has few.
    pub sharpness: f64,
    /// Mean luma of the crop, 0 to 1.
    pub brightness: f64,
    /// Standard deviation of the crop's luma, 0 to 0.5.
    pub contrast: f64,
    /// Share of the box's area that is beyond the frame, 0 to 1.
    pub outside: f64,
    /// Longer side of the box by its shorter one, at least 1. Frontal faces have 1.0 to 1.35, as measured; half covered ones have
    /// more.
    pub aspect: f64,
}

impl FaceQuality {
    /// Measures `face`, the detector's box (in pixels of the frame, not squared), in `frame`.
    pub fn measure(frame: &Frame, face: &Face) -> Self {
        let crop = frame.square_crop(face, 0.0, MEASURED_SIDE_PX);
        let luma = luma(&crop);
        let (brightness, variance) = mean_and_variance(&luma);
        let inside = |start: f32, length: f32, limit: usize| {
            // In f64, so that a box within the frame is within to the last bit.
            let (start, length) = (f64::from(start), f64::from(length));
            ((start + length).min(limit as f64) - start.max(0.0)).max(0.0) / length.max(f64::MIN_POSITIVE)
        };
        let visible = inside(face.x, face.width, frame.width) * inside(face.y, face.height, frame.height);
        let shorter = face.width.min(face.height).max(f32::MIN_POSITIVE);
        Self {
            side_px: f64::from(face.side()),
            sharpness: 255.0 * 255.0 * laplacian_variance(&luma, MEASURED_SIDE_PX),
            brightness,
            contrast: variance.sqrt(),
            outside: (1.0 - visible).clamp(0.0, 1.0),
            aspect: f64::from(face.side() / shorter),
        }
    }
}

/// Luma of a crop `[3, side, side]`, RGB in [0, 1], with the weights of Rec. 709: `[side, side]`.
fn luma(crop: &[f32]) -> Vec<f64> {
    let pixels = crop.len() / 3;
    let (red, rest) = crop.split_at(pixels);
    let (green, blue) = rest.split_at(pixels);
    let channels = red.iter().zip(green).zip(blue);
    channels.map(|((&r, &g), &b)| 0.2126 * f64::from(r) + 0.7152 * f64::from(g) + 0.0722 * f64::from(b)).collect()
}

fn mean_and_variance(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    (mean, values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count)
}

/// Variance of `4 · centre − left − right − above − below` over the inner pixels of `luma`, `[side, side]`.
fn laplacian_variance(luma: &[f64], side: usize) -> f64 {
    let at = |y: usize, x: usize| luma[y * side + x];
    let inner = (1..side - 1).flat_map(|y| (1..side - 1).map(move |x| (y, x)));
    let edges = inner.map(|(y, x)| 4.0 * at(y, x) - at(y, x - 1) - at(y, x + 1) - at(y - 1, x) - at(y + 1, x));
    mean_and_variance(&edges.collect::<Vec<f64>>()).1
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACE: Face = Face { x: 40.0, y: 20.0, width: 96.0, height: 120.0, score: 0.9 };

    /// A grey frame of 200×160 pixels with `level(x, y)`, 0 to 255.
    fn frame(level: impl Fn(usize, usize) -> f64) -> Frame {
        let pixels = (0..160).flat_map(|y| (0..200).map(move |x| (x, y)));
        let rgba = pixels.flat_map(|(x, y)| {
            let level = level(x, y) as u8;
            [level, level, level, 255]
        });
        Frame::new(200, 160, rgba.collect()).unwrap()
    }

    /// Horizontal waves of so many pixels around `middle`.
    fn waves(period: f64, middle: f64, amplitude: f64) -> Frame {
        frame(|_, y| middle + amplitude * (std::f64::consts::TAU * y as f64 / period).sin())
    }

    #[test]
    fn size_and_aspect_are_the_boxs() {
        let quality = FaceQuality::measure(&waves(10.0, 128.0, 50.0), &FACE);
        assert_eq!((quality.side_px, quality.aspect, quality.outside), (120.0, 1.25, 0.0));
        let turned = Face { width: 40.0, ..FACE };
        assert_eq!(FaceQuality::measure(&waves(10.0, 128.0, 50.0), &turned).aspect, 3.0);
    }

    #[test]
    fn light_is_measured_on_the_face_alone() {
        // White beside the face, which is at x from 28 to 148 once squared.
        let face_in_the_dark = frame(|x, _| if (28..148).contains(&x) { 25.5 } else { 255.0 });
        let quality = FaceQuality::measure(&face_in_the_dark, &FACE);
        assert!((quality.brightness - 0.098).abs() < 0.01, "{quality:?}");
        assert!(quality.contrast < 0.1, "{quality:?}");
        let striped = FaceQuality::measure(&waves(20.0, 128.0, 100.0), &FACE);
        assert!((striped.contrast - 100.0 / 255.0 / 2f64.sqrt()).abs() < 0.02, "{striped:?}");
    }

    #[test]
    fn coarse_structure_is_blurred_and_fine_structure_is_sharp() {
        let sharpness = |period: f64| FaceQuality::measure(&waves(period, 128.0, 60.0), &FACE).sharpness;
        assert_eq!(FaceQuality::measure(&frame(|_, _| 128.0), &FACE).sharpness, 0.0);
        assert!(sharpness(60.0) < 1.0, "{}", sharpness(60.0));
        assert!(sharpness(6.0) > 500.0, "{}", sharpness(6.0));
        assert!(sharpness(6.0) > 10.0 * sharpness(16.0));
    }

    #[test]
    fn what_is_beyond_the_frame_is_counted_on_every_side() {
        let outside = |x: f32, y: f32| {
            let face = Face { x, y, width: 100.0, height: 100.0, score: 0.9 };
            FaceQuality::measure(&frame(|_, _| 128.0), &face).outside
        };
        assert_eq!(outside(50.0, 30.0), 0.0);
        for (x, y) in [(-25.0, 30.0), (125.0, 30.0), (50.0, -25.0), (50.0, 85.0)] {
            assert!((outside(x, y) - 0.25).abs() < 1e-6, "{x} {y}");
        }
        assert!((outside(-50.0, -50.0) - 0.75).abs() < 1e-6);
        assert_eq!(outside(500.0, 30.0), 1.0, "nothing is visible");
    }

    #[test]
    fn a_degenerate_box_gives_numbers() {
        for (width, height) in [(0.0, 0.0), (0.0, 40.0), (1e-6, 1e-6)] {
            let quality = FaceQuality::measure(&frame(|_, _| 128.0), &Face { width, height, ..FACE });
            let FaceQuality { side_px, sharpness, brightness, contrast, outside, aspect } = quality;
            for value in [side_px, sharpness, brightness, contrast, outside, aspect] {
                assert!(!value.is_nan(), "{quality:?}");
            }
        }
    }
}
