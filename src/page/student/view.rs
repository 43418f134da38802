//! Shows what the session worker reports.

use wasm_bindgen::JsCast as _;
use web_sys::{CanvasRenderingContext2d, Element, HtmlCanvasElement, HtmlProgressElement, HtmlVideoElement};

use super::bars::Bars;
use super::ledger;
use super::progress::Progress;
use crate::emotion::Emotion;
use crate::page::{dom, status};
use crate::protocol::{Manifest, ModelOrigin, ModelVersion};
use crate::messages::ledger::Ledger;
use crate::messages::{Asset, ClipReport, ConnectionReport, BackendReport, FaceBox, FrameReport, FromWorker};
use crate::worker::segment::slowest_frames_per_second;

/// What is said while the aggregator does not answer.
const AWAY: &str = "The aggregator does not answer. The models go on working here, and nothing is lost.";

/// Clips that stay in the list.
const CLIPS_SHOWN: u32 = 20;

/// What is shown, as far as it cannot be read off the document.
pub struct View {
    bars: Bars,
    /// This tab's own update.
    pub progress: Progress,
    manifest: Option<Manifest>,
    adopted: Option<u64>,
    /// Clips behind the student's own head, where there is one.
    own_head_clips: Option<usize>,
    kept: u32,
}

impl View {
    /// Nothing reported yet.
    pub fn new() -> Self {
        dom::get::<Element>("clip-list").set_text_content(None);
        ledger::show(&Ledger::default());
        let (bars, progress) = (Bars::new(), Progress::default());
        let view = Self { bars, progress, manifest: None, adopted: None, own_head_clips: None, kept: 0 };
        view.face_box(None);
        view
    }

    /// The manifest is new.
    pub fn manifest(&mut self, manifest: Manifest) {
        dom::text("class-name", &manifest.class);
        dom::show("few-contributors", manifest.few_contributors);
        self.progress.open_round(manifest.round.as_ref().map(|round| round.id));
        match &manifest.round {
            Some(round) => {
                dom::attribute("round", "data-round", &round.id.to_string());
                let (received, minimum) = (round.received, round.minimum_clients);
                let needed = manifest.learning.minimum_clips;
                status::show(
                    "round",
                    &format!(
                        "Round {} is open: {received} of {minimum} updates are in. Yours needs {needed} kept clips.",
                        round.id
                    ),
                );
            }
            None => status::show("round", "No round is open."),
        }
        self.manifest = Some(manifest);
        self.model();
    }

    /// What was seen in a frame.
    pub fn frame(&mut self, report: &FrameReport) {
        self.face_box(report.face.as_ref());
        let is_too_slow = report.faces > 0 && self.is_too_slow(report.frames_per_second);
        let words = match (report.dark, report.faces) {
            _ if is_too_slow => {
                "Your face is in the picture, but too few frames a second are looked at: no clips come of it."
            }
            (true, _) => "It is too dark to see anything. Turn on a light, or uncover the camera.",
            (_, 0) => "No face. Move into the picture.",
            (_, 1) => "Your face is in the picture.",
            _ => "Several faces: the largest is used.",
        };
        status::show("face-status", words);
        if report.frames_per_second > 0.0 {
            dom::text("fps", &format!("{:.1}", report.frames_per_second));
        }
        self.bars.show(report.image, report.video);
    }

    fn is_too_slow(&self, frames_per_second: f64) -> bool {
        let slowest = self.manifest.as_ref().map(|manifest| slowest_frames_per_second(&manifest.capture));
        frames_per_second > 0.0 && slowest.is_some_and(|slowest| frames_per_second < slowest)
    }

    /// The camera is on, and nothing was looked at yet.
    pub fn looking(&self) {
        status::show("face-status", "Looking for a face …");
    }

    /// The camera is off.
    pub fn no_picture(&mut self) {
        self.rests("The camera is off.");
    }

    /// The camera shows nothing, for the reason in `words`.
    pub fn rests(&mut self, words: &str) {
        self.face_box(None);
        self.bars.show(None, None);
        dom::text("fps", "–");
        status::show("face-status", words);
    }

    /// Everything that is only shown.
    pub fn other(&mut self, message: FromWorker) {
        match message {
            FromWorker::Loading { what, received, total } => loading(what, received, total),
            FromWorker::Engine(report) => engine(&report),
            FromWorker::Clip(report) => self.clip(&report),
            FromWorker::Training(report) => self.progress.training(&report),
            FromWorker::Upload(report) => self.progress.upload(&report),
            FromWorker::Ledger { ledger } => ledger::show(&ledger),
            FromWorker::Withdrawn { round, may_have_arrived } => {
                self.progress.withdrawn(round, may_have_arrived);
            }
            FromWorker::Adopted { version } => {
                self.adopted = Some(version);
                self.model();
            }
            FromWorker::Connection(report) => connection(&report),
            FromWorker::Ready
            | FromWorker::Manifest { .. }
            | FromWorker::FramesWanted
            | FromWorker::Frame(_)
            | FromWorker::Problem(_)
            | FromWorker::Ended => {}
        }
    }

    /// Draws the box, in the video's own pixels.
    fn face_box(&self, face: Option<&FaceBox>) {
        let canvas: HtmlCanvasElement = dom::get("face-box");
        canvas.set_hidden(face.is_none());
        let video: HtmlVideoElement = dom::get("camera");
        let (width, height) = (video.video_width(), video.video_height());
        let context = canvas.get_context("2d").ok().flatten();
        let (Some(face), Some(context)) = (face, context) else { return };
        if canvas.width() != width || canvas.height() != height {
            canvas.set_width(width);
            canvas.set_height(height);
        }
        let context: CanvasRenderingContext2d = context.unchecked_into();
        let (width, height) = (f64::from(width), f64::from(height));
        context.clear_rect(0.0, 0.0, width, height);
        context.set_line_width((width / 200.0).max(2.0));
        context.set_stroke_style_str("#f2b84b");
        dom::attribute("face-box", "data-width", &format!("{:.3}", face.width));
        context.stroke_rect(face.x * width, face.y * height, face.width * width, face.height * height);
    }

    fn clip(&mut self, report: &ClipReport) {
        if self.own_head_clips != report.own_head_clips {
            self.own_head_clips = report.own_head_clips;
            self.model();
        }
        self.kept += u32::from(report.kept);
        dom::text("clips-kept", &self.kept.to_string());
        dom::text("clips-dropped", &report.dropped.to_string());
        let confidence = 100.0 * report.mean[report.label.index()];
        let opinion = report.video.iter().zip(Emotion::ALL).max_by(|a, b| a.0.total_cmp(b.0));
        let opinion = opinion.map_or("nothing", |(_, emotion)| emotion.name());
        let fate = if report.kept { "kept" } else { "dropped" };
        let words = format!(
            "{} ({confidence:.0} %), {fate}; {} frames; the video model says {opinion}",
            report.label.name(),
            report.frames
        );
        let item = dom::element("li", &words);
        let _ = item.set_attribute("data-label", report.label.name());
        let _ = item.set_attribute("data-kept", if report.kept { "true" } else { "false" });
        let list: Element = dom::get("clip-list");
        let _ = list.insert_before(&item, list.first_child().as_ref());
        if list.child_element_count() > CLIPS_SHOWN
            && let Some(oldest) = list.last_element_child()
        {
            oldest.remove();
        }
    }

    /// The version in use. The manifest may already tell of a newer one that is still being fetched.
    fn model(&self) {
        let (Some(manifest), Some(version)) = (&self.manifest, self.adopted) else { return };
        dom::attribute("model-version", "data-version", &version.to_string());
        dom::text("model-version", &format!("Model {version}"));
        dom::show("model-version", true);
        if manifest.model.version == version {
            let own = self.own_head_clips.map(|clips| {
                format!(". What is shown here is by a head of your own, from your last {clips} clips; it never leaves this tab")
            });
            dom::text("model-report", &(lineage(&manifest.model) + &own.unwrap_or_default()));
        }
    }
}

fn lineage(model: &ModelVersion) -> String {
    let version = model.version;
    match model.origin {
        ModelOrigin::Bootstrap => {
            format!("Version {version}, a start distilled from the image model: not yet a result")
        }
        ModelOrigin::Trained => match &model.card {
            Some(card) if card.synthetic => format!("Version {version}, trained on made-up clips: not yet a result"),
            Some(card) => {
                format!("Version {version}, trained on people's votes on {} faces or clips ({})", card.clips, card.set)
            }
            None => format!("Version {version}, trained on labelled clips"),
        },
        ModelOrigin::Federated => {
            let (clients, clips) = (model.clients, model.clips);
            let parent = model.parent.map_or_else(String::new, |parent| format!(" from version {parent}"));
            let round = model.round.map_or_else(String::new, |round| format!(" in round {round}"));
            match clips {
                Some(clips) => {
                    format!("Version {version}, made{parent}{round} by {clients} students with {clips} clips")
                }
                None => format!("Version {version}, made{parent}{round} by {clients} students"),
            }
        }
    }
}

fn loading(what: Asset, received: u64, total: u64) {
    let name = match what {
        Asset::Backbone => "the backbone",
        Asset::Detector => "the face detector",
        Asset::Vfer => "the video model",
    };
    let megabytes = total as f64 / 1e6;
    status::show("starting-text", &format!("Loading {name} ({megabytes:.1} MB) …"));
    let progress: HtmlProgressElement = dom::get("starting-progress");
    progress.set_max(total.max(1) as f64);
    progress.set_value(received as f64);
}

fn engine(report: &BackendReport) {
    dom::attribute("engine-report", "data-engine", if report.webgpu { "webgpu" } else { "cpu" });
    let place = match (&report.adapter, report.webgpu) {
        (Some(adapter), true) => format!("WebGPU ({adapter})"),
        (None, true) => "WebGPU".to_owned(),
        (_, false) if report.workers > 1 => format!("the CPU, with SIMD on {} cores", report.workers),
        (_, false) => "the CPU, with SIMD".to_owned(),
    };
    dom::text("engine-report", &format!("{place}: {}. One frame takes {:.0} ms.", report.reason, report.frame_ms));
}

fn connection(report: &ConnectionReport) {
    dom::attribute("connection", "data-online", if report.online { "true" } else { "false" });
    dom::show("connection", !report.online);
    let wait = report
        .retry_in_ms
        .map_or_else(String::new, |wait| format!(" Trying again in {:.0} s.", (wait as f64 / 1_000.0).ceil()));
    let words = if report.online { "" } else { AWAY };
    // The wait changes with every try: it is shown, and not read out.
    status::show_as("connection", &format!("{words}{wait}"), words);
}
