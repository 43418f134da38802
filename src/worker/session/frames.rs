//! From a camera frame to features, probabilities and clips.

use std::rc::Rc;

use wasm_bindgen::JsCast as _;
use web_sys::{ImageBitmap, OffscreenCanvas, OffscreenCanvasRenderingContext2d};

use super::manifest::SessionManifest;
use super::personal::Personalisation;
use super::video_model::VideoModel;
use super::{GlobalModel, Session, post, report_error};
use crate::browser::js;
use crate::emotion::EMOTIONS;
use crate::learning::{LearningSettings, QualityRejection, Recipe, quality_rejection};
use crate::messages::{ClipReport, FaceBox, FrameReport, FromWorker, SessionProblem};
use crate::model::vfer::{Stream, Vfer, softmax};
use crate::model::{
    CROP_MARGIN, Extraction, Face, FaceQuality, FaceTrack, Frame, MIN_FRAME_SIDE_PX, MIN_LUMINANCE, ProbabilitySmoother,
};
use crate::worker::clip_intake::{ClipIntake, TakenClip};
use crate::worker::clips::ClipStore;
use crate::worker::error::WorkerError;
use crate::worker::segment::{EndedSegment, FaceObservation, Segmenter, slowest_frames_per_second};

/// State that is carried from frame to frame and from clip to clip.
#[derive(Default)]
pub(super) struct FrameState {
    pub(super) clips: ClipStore,
    pub(super) intake: ClipIntake,
    track: FaceTrack,
    smoothed: ProbabilitySmoother,
    personalisation: Personalisation,
    segmenter: Segmenter,
    running: Option<RunningClip>,
    canvas: Option<(OffscreenCanvas, OffscreenCanvasRenderingContext2d)>,
    last_frame_ms: Option<f64>,
    /// Exponential mean of the time between frames, in milliseconds; 0 before the second frame.
    frame_gap_ms: f64,
    /// The problem with the last frame, which is reported once and not with each frame.
    last_problem: Option<SessionProblem>,
}

/// The LSTM's state over the clip being collected.
struct RunningClip {
    /// Version of the global model that the state is of.
    version: u64,
    /// Frames taken in so far.
    frames: usize,
    stream: Stream,
}

impl FrameState {
    /// Forgets all clips, as when the backbone changes and their features no longer fit.
    pub(super) fn forget_clips(&mut self) {
        self.clips.clear();
        self.intake.forget();
        self.personalisation = Personalisation::default();
        self.segmenter = Segmenter::default();
        self.running = None;
    }

    /// The model whose predictions are shown: the global model, with the personalised head if the recipe asks for it. Both
    /// have the same LSTM.
    fn shown_model(&mut self, version: u64, vfer: &Rc<Vfer>, recipe: Recipe) -> Rc<Vfer> {
        match recipe {
            Recipe::Paper => vfer.clone(),
            Recipe::PersonalHead => self.personalisation.model(version, vfer),
        }
    }

    /// VFER probabilities of the clip so far: one LSTM step per frame, unless the global model or the clip is new.
    fn predict_running_clip(&mut self, version: u64, vfer: &Rc<Vfer>, recipe: Recipe) -> [f32; EMOTIONS] {
        let shown = self.shown_model(version, vfer, recipe);
        let segment = self.segmenter.current();
        let features = segment.features.len() / segment.frames().max(1);
        let continues = self.running.take().filter(|run| run.version == version && run.frames < segment.frames());
        let mut running = continues.unwrap_or_else(|| RunningClip { version, frames: 0, stream: shown.stream() });
        let mut probabilities = [0.0; EMOTIONS];
        for frame in segment.features.chunks_exact(features.max(1)).skip(running.frames) {
            probabilities = shown.step(&mut running.stream, frame);
        }
        running.frames = segment.frames();
        self.running = Some(running);
        probabilities
    }

    /// The last frame was processed without a problem.
    pub(super) fn clear_problem(&mut self) {
        self.last_problem = None;
    }

    /// Whether `problem` is another one than that of the frame before.
    pub(super) fn is_new_problem(&mut self, problem: SessionProblem) -> bool {
        let is_new = self.last_problem.as_ref() != Some(&problem);
        self.last_problem = Some(problem);
        is_new
    }

    fn count_frame(&mut self) -> f64 {
        let now = js::now_ms();
        if let Some(last) = self.last_frame_ms.replace(now) {
            // Times are averaged, not rates: several frames may come at once.
            let before = if self.frame_gap_ms > 0.0 { self.frame_gap_ms } else { now - last };
            self.frame_gap_ms = 0.9 * before + 0.1 * (now - last);
        }
        self.frames_per_second()
    }

    /// Frames per second, averaged over the last ones; 0 while unknown.
    pub(super) fn frames_per_second(&self) -> f64 {
        if self.frame_gap_ms > 0.0 { 1_000.0 / self.frame_gap_ms } else { 0.0 }
    }

    fn read_pixels(&mut self, bitmap: &ImageBitmap) -> Result<Frame, WorkerError> {
        let unreadable = |error| WorkerError::Frame(js::error_message(&error));
        let (width, height) = (bitmap.width(), bitmap.height());
        if width < MIN_FRAME_SIDE_PX || height < MIN_FRAME_SIDE_PX {
            return Err(WorkerError::FrameTooSmall { width, height, minimum: MIN_FRAME_SIDE_PX });
        }
        let fits = self.canvas.as_ref().is_some_and(|(canvas, _)| canvas.width() == width && canvas.height() == height);
        if !fits {
            let canvas = OffscreenCanvas::new(width, height).map_err(unreadable)?;
            let options = js_sys::Object::new();
            js::set(&options, "willReadFrequently", &true.into());
            let context = canvas
                .get_context_with_context_options("2d", &options)
                .map_err(unreadable)?
                .ok_or_else(|| WorkerError::Frame("no 2D canvas".to_owned()))?;
            self.canvas = Some((canvas, context.unchecked_into()));
        }
        let (_, context) = self.canvas.as_ref().ok_or_else(|| WorkerError::Frame("no canvas".to_owned()))?;
        context.draw_image_with_image_bitmap(bitmap, 0.0, 0.0).map_err(unreadable)?;
        let data = context.get_image_data(0.0, 0.0, f64::from(width), f64::from(height)).map_err(unreadable)?;
        Frame::new(width as usize, height as usize, data.data().0)
            .map_err(|error| WorkerError::Frame(error.to_string()))
    }
}

/// What was extracted from one frame on its own.
struct Observation {
    report: FrameReport,
    face: Option<ExtractedFace>,
}

/// The tracked face of a frame.
struct ExtractedFace {
    /// The tracker's identity.
    identity: u64,
    /// The backbone's outputs.
    extraction: Extraction,
    /// Why the frame is not good enough for a clip, if it is not.
    rejection: Option<QualityRejection>,
}

impl Session {
    /// Processes a frame. Several frames may be extracted at a time; clips and the VFER's state follow in their order.
    ///
    /// # Errors
    /// The frame cannot be read, or a model fails.
    pub(super) async fn process_frame(&self, bitmap: &ImageBitmap, at_ms: f64) -> Result<FrameReport, WorkerError> {
        let _in_flight = self.frames_in_flight.begin();
        let place = self.frame_order.enter();
        let learning = self.manifest()?.learning;
        let observation = self.extract(bitmap, at_ms, &learning).await;
        let _place = place.await;
        let Observation { mut report, face } = observation?;
        let manifest = self.manifest()?;
        let slowest = slowest_frames_per_second(&manifest.capture);
        report.too_slow = report.frames_per_second > 0.0 && report.frames_per_second < slowest;
        let rejection = face.as_ref().and_then(|face| face.rejection);
        let face = face.and_then(|ExtractedFace { identity, extraction, .. }| {
            let probabilities = *extraction.probabilities.first()?;
            Some(FaceObservation { identity, probabilities, features: extraction.features })
        });
        if let Some(face) = &face {
            let smoothed = self.frames.borrow_mut().smoothed.push(face.identity, at_ms, &face.probabilities);
            report.image = Some(smoothed);
        }
        if let Some(rejection) = rejection {
            self.drop_frame(rejection);
        }
        let Some(face) = face.filter(|_| rejection.is_none()) else {
            let ended = self.frames.borrow_mut().segmenter.no_face(at_ms, &manifest.capture);
            self.finish_clip(ended, &manifest).await?;
            return Ok(report);
        };
        let ended = self.frames.borrow_mut().segmenter.face(at_ms, &face, &manifest.capture);
        self.finish_clip(ended, &manifest).await?;
        let global = self.global_model.borrow().clone();
        let recipe = manifest.learning.recipe;
        report.video = match &global {
            None => None,
            Some(GlobalModel { version, video_model: VideoModel::ByHand(vfer), .. }) => {
                Some(self.frames.borrow_mut().predict_running_clip(*version, vfer, recipe))
            }
            Some(global @ GlobalModel { video_model: VideoModel::OnBurn(client), .. }) => {
                let features = self.frames.borrow().segmenter.current().features.clone();
                Some(self.predict_on_burn(global, client, &features).await?)
            }
        };
        Ok(report)
    }

    /// Detects and tracks the face in a frame, measures its quality, and runs the backbone on it.
    async fn extract(
        &self,
        bitmap: &ImageBitmap,
        at_ms: f64,
        learning: &LearningSettings,
    ) -> Result<Observation, WorkerError> {
        let models = self.models.borrow().clone();
        let models = models.ok_or_else(|| WorkerError::Frame("no models are loaded yet".to_owned()))?;
        let frames_per_second = self.frames.borrow_mut().count_frame();
        let frame = self.frames.borrow_mut().read_pixels(bitmap)?;
        let dark = frame.mean_luminance() < MIN_LUMINANCE;
        let extractors = self.models.borrow().as_ref().map_or(0.0, |models| models.extractors.memory_bytes());
        let memory_bytes = js::memory_bytes() + extractors;
        let mut report = FrameReport { dark, frames_per_second, memory_bytes, ..FrameReport::empty(at_ms) };
        if dark {
            return Ok(Observation { report, face: None });
        }
        let tracked = self.frames.borrow_mut().track.update(&models.detector, &frame, at_ms)?;
        report.faces = tracked.faces;
        let Some(face) = tracked.face else { return Ok(Observation { report, face: None }) };
        report.face = Some(fractions(&face.square, &frame));
        let rejection = quality_rejection(&FaceQuality::measure(&frame, &face.detection), learning);
        report.dropped = rejection.map(Into::into);

        let crop = frame.square_crop(&face.square, CROP_MARGIN, models.extractors.input_size());
        let extracted = models.extractors.extract(&crop).await?;
        if let Some(report) = extracted.fallback {
            post(&FromWorker::Backend(report));
        }
        let face = ExtractedFace { identity: face.identity, extraction: extracted.extraction, rejection };
        Ok(Observation { report, face: Some(face) })
    }

    /// Ends the clip being collected, as when the camera is paused.
    pub(super) async fn end_clip(&self) {
        // The time until the next frame is the pause's, not the camera's.
        {
            let mut frames = self.frames.borrow_mut();
            frames.last_frame_ms = None;
            frames.track.forget();
            frames.segmenter.pause();
        }
        if let Ok(manifest) = self.manifest() {
            let ended = self.frames.borrow_mut().segmenter.end(&manifest.capture);
            if let Err(error) = self.finish_clip(ended, &manifest).await {
                report_error(&error, false);
            }
        }
    }

    /// The quality gate has rejected a frame.
    fn drop_frame(&self, rejection: QualityRejection) {
        let intake = &mut self.frames.borrow_mut().intake;
        intake.drop_frame(rejection);
        post(&FromWorker::Dropped(intake.drops().clone()));
    }

    /// Labels a clip and keeps it, or drops it. Fine-tuning waits for the schedule: a request now would tell the network that
    /// a face was clearly visible.
    ///
    /// # Errors
    /// The video model fails.
    async fn finish_clip(&self, ended: Option<EndedSegment>, manifest: &SessionManifest) -> Result<(), WorkerError> {
        let learning = &manifest.learning;
        let segment = match ended {
            Some(EndedSegment::Clip(segment)) => segment,
            Some(EndedSegment::TooShort { .. }) => {
                let intake = &mut self.frames.borrow_mut().intake;
                intake.too_short();
                post(&FromWorker::Dropped(intake.drops().clone()));
                return Ok(());
            }
            None => return Ok(()),
        };
        let global = self.global_model.borrow().clone();
        let on_burn = match &global {
            Some(global @ GlobalModel { video_model: VideoModel::OnBurn(client), .. }) => {
                self.predict_on_burn(global, client, &segment.features).await?
            }
            _ => [0.0; EMOTIONS],
        };
        let frames = &mut *self.frames.borrow_mut();
        let by_hand = global.as_ref().and_then(|global| Some((global.version, global.by_hand()?)));
        // The LSTM runs once; whatever head is on top of it is one small product.
        let hidden = by_hand.map(|(_, vfer)| vfer.last_hidden(&segment.features));
        let predict = |vfer: &Vfer| hidden.map_or(on_burn, |hidden| softmax(&vfer.head(&hidden)));
        // Pseudo labels for the federation depend on the global model, whatever is shown.
        let prediction = by_hand.map_or(on_burn, |(_, vfer)| predict(vfer));
        let shown = by_hand.map(|(version, vfer)| frames.shown_model(version, vfer, learning.recipe));
        let video = shown.map_or(prediction, |shown| predict(&shown));
        let mut personal_head_clips = None;
        if let (Recipe::PersonalHead, Some((version, vfer)), Some(hidden)) = (learning.recipe, by_hand, &hidden) {
            frames.personalisation.learn(version, vfer, &segment, hidden, &prediction);
            personal_head_clips = frames.personalisation.clips();
        }
        let clip_frames = segment.frames();
        let (started_at_ms, ended_at_ms) = segment.span_ms();
        let Some(TakenClip { id, label, outcome }) =
            frames.intake.take(segment, &prediction, learning, &mut frames.clips)
        else {
            return Ok(());
        };
        post(&FromWorker::Clip(ClipReport {
            id,
            started_at_ms,
            ended_at_ms,
            frames: clip_frames,
            mean: label.mean,
            label: label.emotion,
            video,
            personal_head_clips,
            outcome,
            waiting: frames.clips.waiting(),
        }));
        post(&FromWorker::Dropped(frames.intake.drops().clone()));
        post(&FromWorker::LabelHealth(frames.intake.health_report()));
        Ok(())
    }
}

fn fractions(face: &Face, frame: &Frame) -> FaceBox {
    let (width, height) = (frame.width as f64, frame.height as f64);
    FaceBox {
        x: f64::from(face.x) / width,
        y: f64::from(face.y) / height,
        width: f64::from(face.width) / width,
        height: f64::from(face.height) / height,
        score: f64::from(face.score),
    }
}
