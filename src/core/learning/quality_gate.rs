//! The quality gate: which frames are good enough to learn from.

use super::LearningSettings;
use crate::model::FaceQuality;

/// Why a frame is not learned from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QualityRejection {
    /// The face is smaller than `minimum_face_px`.
    FaceTooSmall,
    /// More of the face than `maximum_face_outside` is beyond the frame.
    FaceCut,
    /// The face's box is narrower than `maximum_face_aspect` allows.
    FaceTurned,
    /// The face is darker than `minimum_brightness`.
    TooDark,
    /// The face is brighter than `maximum_brightness`.
    TooBright,
    /// The face has less contrast than `minimum_contrast`.
    LowContrast,
    /// The face is less sharp than `minimum_sharpness`.
    Blurred,
}

/// The first rule of the settings that a frame's `quality` breaks; `None` if it is good enough. Light comes before blur, since
/// nothing is sharp in the dark. A measure that is not a number passes no rule.
///
/// ```
/// use emofed_core::learning::{LearningSettings, QualityRejection, quality_rejection};
/// use emofed_core::model::{Face, FaceQuality, Frame};
///
/// let grey = Frame::new(320, 240, vec![128; 320 * 240 * 4])?;
/// let face = Face { x: 100.0, y: 60.0, width: 90.0, height: 110.0, score: 0.9 };
/// let quality = FaceQuality::measure(&grey, &face);
/// assert_eq!(quality_rejection(&quality, &LearningSettings::default()), Some(QualityRejection::LowContrast));
/// # Ok::<(), emofed_core::model::ImageError>(())
/// ```
pub fn quality_rejection(quality: &FaceQuality, settings: &LearningSettings) -> Option<QualityRejection> {
    let rules = [
        (quality.side_px >= settings.minimum_face_px, QualityRejection::FaceTooSmall),
        (quality.outside <= settings.maximum_face_outside, QualityRejection::FaceCut),
        (quality.aspect <= settings.maximum_face_aspect, QualityRejection::FaceTurned),
        (quality.brightness >= settings.minimum_brightness, QualityRejection::TooDark),
        (quality.brightness <= settings.maximum_brightness, QualityRejection::TooBright),
        (quality.contrast >= settings.minimum_contrast, QualityRejection::LowContrast),
        (quality.sharpness >= settings.minimum_sharpness, QualityRejection::Blurred),
    ];
    rules.into_iter().find(|(is_kept, _)| !is_kept).map(|(_, rejection)| rejection)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Face, Frame};
    use crate::random::SplitMix64;

    const FACE: Face = Face { x: 60.0, y: 30.0, width: 100.0, height: 125.0, score: 0.9 };

    /// Noise around `middle`, which has contrast and is sharp, or a column's noise alone, which `blocks` pixels share.
    fn noise(middle: f64, amplitude: f64, block: usize) -> Frame {
        let mut random = SplitMix64::new(1);
        let (width, height) = (240, 200);
        let blocks: Vec<f64> = (0..width * height).map(|_| middle + amplitude * f64::from(random.signed())).collect();
        let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (x / block, y / block)));
        let rgba = pixels.flat_map(|(x, y)| {
            let level = blocks[y * width + x].clamp(0.0, 255.0) as u8;
            [level, level, level, 255]
        });
        Frame::new(width, height, rgba.collect()).unwrap()
    }

    /// A face in soft stripes: contrast, but no edges.
    fn soft() -> Frame {
        let pixels = (0..200).flat_map(|y| (0..240).map(move |_| y));
        let rgba = pixels.flat_map(|y| {
            let level = (128.0 + 40.0 * (f64::from(y) / 30.0).sin()) as u8;
            [level, level, level, 255]
        });
        Frame::new(240, 200, rgba.collect()).unwrap()
    }

    fn gate(frame: &Frame, face: &Face) -> Option<QualityRejection> {
        quality_rejection(&FaceQuality::measure(frame, face), &LearningSettings::default())
    }

    #[test]
    fn every_rule_rejects_by_its_own_code() {
        let good = noise(128.0, 90.0, 3);
        assert_eq!(gate(&good, &FACE), None);
        assert_eq!(gate(&good, &Face { width: 20.0, height: 25.0, ..FACE }), Some(QualityRejection::FaceTooSmall));
        assert_eq!(gate(&good, &Face { x: -70.0, ..FACE }), Some(QualityRejection::FaceCut));
        assert_eq!(gate(&good, &Face { width: 40.0, ..FACE }), Some(QualityRejection::FaceTurned));
        assert_eq!(gate(&noise(6.0, 6.0, 3), &FACE), Some(QualityRejection::TooDark));
        assert_eq!(gate(&noise(252.0, 3.0, 3), &FACE), Some(QualityRejection::TooBright));
        assert_eq!(gate(&noise(128.0, 2.0, 3), &FACE), Some(QualityRejection::LowContrast));
        assert_eq!(gate(&soft(), &FACE), Some(QualityRejection::Blurred));
    }

    #[test]
    fn thresholds_are_the_settings() {
        let quality = FaceQuality::measure(&noise(128.0, 90.0, 3), &FACE);
        for (settings, rejection) in [
            (LearningSettings { minimum_face_px: 126.0, ..Default::default() }, QualityRejection::FaceTooSmall),
            (LearningSettings { maximum_face_outside: -1.0, ..Default::default() }, QualityRejection::FaceCut),
            (LearningSettings { maximum_face_aspect: 1.2, ..Default::default() }, QualityRejection::FaceTurned),
            (LearningSettings { minimum_brightness: 0.7, ..Default::default() }, QualityRejection::TooDark),
            (LearningSettings { maximum_brightness: 0.3, ..Default::default() }, QualityRejection::TooBright),
            (LearningSettings { minimum_contrast: 0.5, ..Default::default() }, QualityRejection::LowContrast),
            (LearningSettings { minimum_sharpness: 1e6, ..Default::default() }, QualityRejection::Blurred),
        ] {
            assert_eq!(quality_rejection(&quality, &settings), Some(rejection));
        }
        let boundary = LearningSettings { minimum_face_px: 125.0, maximum_face_aspect: 1.25, ..Default::default() };
        assert_eq!(quality_rejection(&quality, &boundary), None, "the threshold itself is enough");
    }

    #[test]
    fn what_is_not_a_number_is_rejected() {
        let good = FaceQuality::measure(&noise(128.0, 90.0, 3), &FACE);
        let broken = FaceQuality { sharpness: f64::NAN, ..good };
        assert_eq!(quality_rejection(&broken, &LearningSettings::default()), Some(QualityRejection::Blurred));
    }
}
