//! From a frame of the camera to features, probabilities and clips.

use std::rc::Rc;

use wasm_bindgen::JsCast as _;
use web_sys::{ImageBitmap, OffscreenCanvas, OffscreenCanvasRenderingContext2d};

use super::personal::Personal;
use super::{Central, Session, post};
use crate::learning::{Clip, Labeller, Recipe};
use crate::model::vfer::{Stream, Vfer};
use crate::model::{CROP_MARGIN, DARK, Extraction, Face, FaceTrack, Frame, SMALLEST_SIDE, SteadyOpinion};
use crate::protocol::Manifest;
use crate::tab::clips::ClipStore;
use crate::tab::error::TabError;
use crate::tab::js;
use crate::tab::message::{ClipReport, FaceBox, FrameReport, FromWorker};
use crate::tab::segment::{SeenFace, Segment, Segmenter};

/// What the session knows of the camera.
#[derive(Default)]
pub(super) struct View {
    pub(super) clips: ClipStore,
    track: FaceTrack,
    opinion: SteadyOpinion,
    labeller: Labeller,
    personal: Personal,
    segmenter: Segmenter,
    live: Option<Live>,
    canvas: Option<(OffscreenCanvas, OffscreenCanvasRenderingContext2d)>,
    last_frame_ms: Option<f64>,
    frame_gap_ms: f64,
    /// What was wrong with the last frame: told once, not with each frame.
    complaint: Option<String>,
}

/// The VFER's state over the clip being collected.
struct Live {
    version: u64,
    frames: usize,
    stream: Stream,
}

impl View {
    /// Features of another backbone do not fit.
    pub(super) fn forget_clips(&mut self) {
        self.clips.clear();
        self.labeller = Labeller::default();
        self.personal = Personal::default();
        self.segmenter = Segmenter::default();
        self.live = None;
    }

    /// The model that is shown: the class's, or by the recipe with the student's own head.
    fn shown(&mut self, central: &Central, recipe: Recipe) -> Rc<Vfer> {
        match recipe {
            Recipe::Paper => central.vfer.clone(),
            Recipe::PersonalHead => self.personal.shown(central),
        }
    }

    /// VFER probabilities of the clip so far: one step a frame, unless the model or the clip is new.
    fn watch(&mut self, central: &Central, recipe: Recipe) -> [f32; 6] {
        // Another head goes on from the same LSTM's state.
        let shown = self.shown(central, recipe);
        let segment = self.segmenter.current();
        let features = segment.features.len() / segment.frames().max(1);
        let goes_on = self.live.take().filter(|live| live.version == central.version && live.frames < segment.frames());
        let mut live = goes_on.unwrap_or_else(|| Live { version: central.version, frames: 0, stream: shown.stream() });
        let mut probabilities = [0.0; 6];
        for frame in segment.features.chunks_exact(features.max(1)).skip(live.frames) {
            probabilities = shown.step(&mut live.stream, frame);
        }
        live.frames = segment.frames();
        self.live = Some(live);
        probabilities
    }

    /// A frame was looked at without trouble.
    pub(super) fn no_complaint(&mut self) {
        self.complaint = None;
    }

    /// Whether this is not what was wrong with the frame before.
    pub(super) fn is_new_complaint(&mut self, words: &str) -> bool {
        self.complaint.replace(words.to_owned()).as_deref() != Some(words)
    }

    fn count_frame(&mut self) -> f64 {
        let now = js::now_ms();
        if let Some(last) = self.last_frame_ms.replace(now) {
            // The times are averaged, not the rates: several frames may come at once.
            let before = if self.frame_gap_ms > 0.0 { self.frame_gap_ms } else { now - last };
            self.frame_gap_ms = 0.9 * before + 0.1 * (now - last);
        }
        self.frames_per_second()
    }

    /// How many frames come, on average over the last ones.
    pub(super) fn frames_per_second(&self) -> f64 {
        if self.frame_gap_ms > 0.0 { 1_000.0 / self.frame_gap_ms } else { 0.0 }
    }

    fn pixels(&mut self, bitmap: &ImageBitmap) -> Result<Frame, TabError> {
        let unreadable = |error| TabError::Frame(js::words(&error));
        let (width, height) = (bitmap.width(), bitmap.height());
        if width < SMALLEST_SIDE || height < SMALLEST_SIDE {
            return Err(TabError::Frame(format!(
                "it is only {width} × {height} pixels, and {SMALLEST_SIDE} each way are needed"
            )));
        }
        let fits = self.canvas.as_ref().is_some_and(|(canvas, _)| canvas.width() == width && canvas.height() == height);
        if !fits {
            let canvas = OffscreenCanvas::new(width, height).map_err(unreadable)?;
            let options = js_sys::Object::new();
            js::set(&options, "willReadFrequently", &true.into());
            let context = canvas
                .get_context_with_context_options("2d", &options)
                .map_err(unreadable)?
                .ok_or_else(|| TabError::Frame("there is no 2D canvas".to_owned()))?;
            self.canvas = Some((canvas, context.unchecked_into()));
        }
        let (_, context) = self.canvas.as_ref().ok_or_else(|| TabError::Frame("there is no canvas".to_owned()))?;
        context.draw_image_with_image_bitmap(bitmap, 0.0, 0.0).map_err(unreadable)?;
        let data = context.get_image_data(0.0, 0.0, f64::from(width), f64::from(height)).map_err(unreadable)?;
        Frame::new(width as usize, height as usize, data.data().0).map_err(|error| TabError::Frame(error.to_string()))
    }
}

/// What was seen in a frame.
struct Sight {
    report: FrameReport,
    /// Whose face it is, and what the backbone says of it.
    seen: Option<(u64, Extraction)>,
}

impl Session {
    /// Looks at a frame and tells what it saw. Several frames may be looked at at a time; what follows from them follows
    /// in their order.
    ///
    /// # Errors
    /// The frame cannot be read, or a model fails.
    pub(super) async fn look(&self, bitmap: &ImageBitmap, at_ms: f64) -> Result<FrameReport, TabError> {
        let turn = self.turns.enter();
        let sight = self.see(bitmap, at_ms).await;
        turn.await;
        let Sight { mut report, seen } = sight?;
        let manifest = self.manifest()?;
        let seen = seen.and_then(|(identity, seen)| {
            Some(SeenFace { identity, probabilities: *seen.probabilities.first()?, features: seen.features })
        });
        let Some(face) = seen else {
            let ended = self.view.borrow_mut().segmenter.no_face(at_ms, &manifest.capture);
            self.finish_clip(ended, &manifest);
            return Ok(report);
        };
        let shown = self.view.borrow_mut().opinion.push(face.identity, at_ms, &face.probabilities);
        report.image = Some(shown);
        let ended = self.view.borrow_mut().segmenter.face(at_ms, &face, &manifest.capture);
        self.finish_clip(ended, &manifest);
        let central = self.central.borrow().clone();
        report.video = central.map(|central| self.view.borrow_mut().watch(&central, manifest.learning.recipe));
        Ok(report)
    }

    async fn see(&self, bitmap: &ImageBitmap, at_ms: f64) -> Result<Sight, TabError> {
        let models = self.models.borrow().clone();
        let models = models.ok_or_else(|| TabError::Frame("models are not loaded yet".to_owned()))?;
        let frames_per_second = self.view.borrow_mut().count_frame();
        let frame = self.view.borrow_mut().pixels(bitmap)?;
        let mut report = FrameReport {
            at_ms,
            face: None,
            faces: 0,
            dark: frame.mean_luminance() < DARK,
            image: None,
            video: None,
            frames_per_second,
        };
        if report.dark {
            return Ok(Sight { report, seen: None });
        }
        let sighting = self.view.borrow_mut().track.look(&models.detector, &frame, at_ms)?;
        report.faces = sighting.faces;
        let Some(face) = sighting.face else { return Ok(Sight { report, seen: None }) };
        report.face = Some(fractions(&face.square, &frame));

        let crop = frame.square_crop(&face.square, CROP_MARGIN, models.engine.input_size());
        let extracted = models.engine.extract(&crop).await?;
        if let Some(engine) = extracted.fell_back {
            post(&FromWorker::Engine(engine));
        }
        Ok(Sight { report, seen: Some((face.identity, extracted.extraction)) })
    }

    /// Ends the clip being collected, as when the camera is paused.
    pub(super) fn end_clip(&self) {
        // The time until the next frame is the pause's, not the camera's.
        {
            let mut view = self.view.borrow_mut();
            view.last_frame_ms = None;
            view.track.forget();
            view.segmenter.pause();
        }
        if let Ok(manifest) = self.manifest() {
            let ended = self.view.borrow_mut().segmenter.end(&manifest.capture);
            self.finish_clip(ended, &manifest);
        }
    }

    /// Labels a clip and keeps it if the label is confident (paper, section 3.1). It is learned from when the schedule
    /// comes to it: a request now would tell the network that a face was clear.
    fn finish_clip(&self, ended: Option<Segment>, manifest: &Manifest) {
        let Some(segment) = ended else { return };
        let learning = &manifest.learning;
        let central = self.central.borrow().clone();
        let opinion = |vfer: Rc<Vfer>| vfer.probabilities(&segment.features);
        // Labels for the class are the class's model's matter, whatever is shown.
        let video = central.as_ref().map_or([0.0; 6], |central| opinion(central.vfer.clone()));
        let label = self.view.borrow_mut().labeller.label(&segment.probabilities, &video, learning);
        let Some(label) = label else { return };
        let frames = segment.frames();
        let mut shown = video;
        let mut own_head_clips = None;
        if let (Recipe::PersonalHead, Some(central)) = (learning.recipe, &central) {
            let mut view = self.view.borrow_mut();
            shown = opinion(view.personal.shown(central));
            view.personal.learn(central, &segment, &video);
            own_head_clips = view.personal.clips();
        }
        let (waiting, dropped) = {
            let clips = &mut self.view.borrow_mut().clips;
            if label.confident {
                clips.keep(Clip { features: segment.features, target: label.target(learning.soft_labels) });
            } else {
                clips.count_dropped();
            }
            (clips.waiting(), clips.dropped())
        };
        post(&FromWorker::Clip(ClipReport {
            frames,
            mean: label.mean,
            label: label.emotion,
            video: shown,
            own_head_clips,
            kept: label.confident,
            waiting,
            dropped,
        }));
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
