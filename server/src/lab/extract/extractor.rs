//! One thread's models, and the extraction of a clip's features with them.

use std::sync::atomic::{AtomicBool, Ordering};

use emofed::emotion::EMOTIONS;
use emofed::model::{
    Backbone, CROP_MARGIN, Device, Face, FaceDetector, FaceTrack, Frame, MIN_FRAME_SIDE_PX, MIN_LUMINANCE,
};
use futures::executor::block_on;

use super::Crop;
use crate::lab::LabError;
use crate::lab::cache::record::MAX_FRAMES;
use crate::lab::diagnostic::DiagnosticKind;
use crate::lab::media::{Media, MediaError, Sampling};
use crate::lab::models::Models;

/// Crops that go to the backbone at a time.
const BATCH: usize = 8;

/// Features `[frames, FEATURES]` and probabilities of a clip, or why there are none.
pub type Extracted = Result<(Vec<f32>, Vec<[f32; EMOTIONS]>), (DiagnosticKind, String)>;

/// Models of one thread.
pub struct Extractor {
    backbone: Backbone,
    /// None where the whole picture is the crop.
    detector: Option<FaceDetector>,
}

impl Extractor {
    /// Puts the models on `device` and the CPU.
    ///
    /// # Errors
    /// The weights do not fit.
    pub fn load(models: &Models, device: &Device, crop: Crop) -> Result<Self, LabError> {
        let detector = (crop == Crop::LargestFace).then(|| models.load_detector()).transpose()?;
        Ok(Self { backbone: models.load_backbone(device)?, detector })
    }

    /// Extracts the features of the frames of `media`.
    ///
    /// # Errors
    /// [`LabError::Interrupted`], ffmpeg is gone, or a model fails; what is wrong with the clip alone is in [`Extracted`].
    pub fn extract(
        &self,
        id: &str,
        media: &Media,
        sampling: &Sampling,
        stop: &AtomicBool,
    ) -> Result<Extracted, LabError> {
        let (mut features, mut probabilities, mut crops, mut decoded) = (Vec::new(), Vec::new(), Vec::new(), 0);
        let frames = match media.frames(id, sampling) {
            Ok(frames) => frames,
            Err(error) => return diagnostic(error),
        };
        let mut track = FaceTrack::default();
        let interval_ms = 1_000.0 / sampling.frames_per_second;
        let unit = 3 * self.backbone.input_size() * self.backbone.input_size();
        let mut extract_batch = |crops: &mut Vec<f32>| -> Result<(), LabError> {
            let extraction = block_on(self.backbone.extract(crops))?;
            features.extend(extraction.features);
            probabilities.extend(extraction.probabilities);
            crops.clear();
            Ok(())
        };
        for frame in frames {
            if stop.load(Ordering::Relaxed) {
                return Err(LabError::Interrupted { done: 0 });
            }
            let frame = match frame {
                Ok(frame) => frame,
                Err(error) => return diagnostic(error),
            };
            decoded += 1;
            if decoded > MAX_FRAMES {
                return Ok(Err((DiagnosticKind::TooLong, format!("it has more than {MAX_FRAMES} frames"))));
            }
            let smallest = MIN_FRAME_SIDE_PX as usize;
            if self.detector.is_some() && frame.width.min(frame.height) < smallest {
                let message =
                    format!("{}×{} pixels are too few: {smallest} each way are needed", frame.width, frame.height);
                return Ok(Err((DiagnosticKind::Unreadable, message)));
            }
            let at_ms = (decoded - 1) as f64 * interval_ms;
            let Some(crop) = self.crop(&frame, &mut track, at_ms)? else { continue };
            crops.extend(crop);
            if crops.len() == BATCH * unit {
                extract_batch(&mut crops)?;
            }
        }
        if !crops.is_empty() {
            extract_batch(&mut crops)?;
        }
        Ok(match (decoded, probabilities.is_empty()) {
            (0, _) => Err((DiagnosticKind::Unreadable, "it has no frames".to_owned())),
            (_, true) => Err((DiagnosticKind::NoFace, format!("none of its {decoded} frames shows a face"))),
            _ => Ok((features, probabilities)),
        })
    }

    /// `[3, input_size, input_size]` of the followed face, as the tab crops it, or of the whole picture. A clip of the lab goes
    /// on with another face, since its votes are of all of it.
    fn crop(&self, frame: &Frame, track: &mut FaceTrack, at_ms: f64) -> Result<Option<Vec<f32>>, LabError> {
        let size = self.backbone.input_size();
        let Some(detector) = &self.detector else {
            let whole = Face { x: 0.0, y: 0.0, width: frame.width as f32, height: frame.height as f32, score: 1.0 };
            return Ok(Some(frame.square_crop(&whole, 0.0, size)));
        };
        if frame.mean_luminance() < MIN_LUMINANCE {
            return Ok(None);
        }
        let face = track.update(detector, frame, at_ms)?.face;
        Ok(face.map(|face| frame.square_crop(&face.square, CROP_MARGIN, size)))
    }
}

fn diagnostic(error: MediaError) -> Result<Extracted, LabError> {
    match error {
        MediaError::Missing(path) => Ok(Err((DiagnosticKind::MissingFile, format!("{path} is not there")))),
        MediaError::Unreadable(message) => Ok(Err((DiagnosticKind::Unreadable, message))),
        error @ MediaError::NoFfmpeg(_) => Err(super::no_ffmpeg(&error)),
    }
}
