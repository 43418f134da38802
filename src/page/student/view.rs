//! Shows what the session worker reports.

use wasm_bindgen::JsCast as _;
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement, HtmlProgressElement, HtmlVideoElement};

use super::bars::Bars;
use super::clip_list::{ClipList, OnEdit};
use super::ledger;
use super::progress::Progress;
use super::timeline::Timeline;
use crate::messages::ledger::Ledger;
use crate::messages::{
    Asset, Backend, BackendReport, ConnectionReport, FaceBox, FrameReport, FromWorker, VideoModelReport,
};
use crate::page::words::camera::FaceStatus;
use crate::page::{dom, status, words};
use crate::protocol::Manifest;

/// The state behind what is shown, as far as it cannot be read off the document.
pub struct View {
    bars: Bars,
    clips: ClipList,
    /// Progress of this tab's own update.
    pub progress: Progress,
    /// The student's own timeline.
    pub timeline: Timeline,
    manifest: Option<Manifest>,
    adopted: Option<u64>,
    /// Clips that the personalised head was tuned on, if there is one.
    personal_head_clips: Option<usize>,
}

impl View {
    /// Nothing reported yet.
    pub fn new(on_edit: OnEdit) -> Self {
        ledger::show(Ledger::default());
        let (bars, clips, progress) = (Bars::new(), ClipList::new(on_edit), Progress::new());
        let timeline = Timeline::new();
        let view = Self { bars, clips, progress, timeline, manifest: None, adopted: None, personal_head_clips: None };
        view.face_box(None);
        view
    }

    /// The manifest has changed.
    pub fn manifest(&mut self, manifest: Manifest) {
        dom::text("federation-name", &manifest.name);
        dom::show("few-contributors", manifest.few_contributors);
        self.progress.open_round(manifest.round.as_ref());
        if let Some(round) = &manifest.round {
            dom::attribute("round", "data-round", &round.id.to_string());
        }
        let (round, minimum_clips) = (manifest.round.clone(), manifest.learning.minimum_clips);
        status::show("round", move || words::contribution::round(round.as_ref(), minimum_clips));
        self.manifest = Some(manifest);
        self.model();
    }

    /// Most frames a second that the manifest asks for, once it is there.
    pub fn max_frames_per_second(&self) -> Option<f64> {
        self.manifest.as_ref().map(|manifest| manifest.capture.max_frames_per_second)
    }

    /// The worker was replaced: clips that are shown cannot be edited any more.
    pub fn worker_replaced(&mut self) {
        self.clips.forget_ids();
        self.timeline.forget_ids();
    }

    /// The result of a frame.
    pub fn frame(&mut self, report: &FrameReport) {
        self.face_box(report.face.as_ref());
        self.face_status(match (report.dark, report.faces) {
            (_, 1..) if report.too_slow => FaceStatus::TooSlow,
            (true, _) => FaceStatus::Dark,
            (_, 0) => FaceStatus::NoFace,
            (_, faces) => match report.dropped {
                Some(reason) => FaceStatus::Dropped(reason),
                None if faces == 1 => FaceStatus::OneFace,
                None => FaceStatus::SeveralFaces,
            },
        });
        if report.frames_per_second > 0.0 {
            let frames_per_second = report.frames_per_second;
            dom::say("fps", move || words::tenths(frames_per_second));
        }
        let memory_bytes = report.memory_bytes;
        dom::say("memory", move || words::megabytes(memory_bytes));
        self.bars.show(report.image, report.video);
        self.timeline.frame(report);
    }

    /// Shows what is known of the face.
    pub fn face_status(&self, status: FaceStatus) {
        status::show("face-status", move || words::camera::face(status));
    }

    /// There is no picture, for the reason in `status`.
    pub fn no_picture(&mut self, status: FaceStatus) {
        self.face_box(None);
        self.bars.show(None, None);
        dom::say("fps", words::no_value);
        self.face_status(status);
    }

    /// A message that is only shown.
    pub fn other(&mut self, message: FromWorker) {
        match message {
            FromWorker::Loading { asset, received, total } => loading(asset, received, total),
            FromWorker::Backend(report) => backend(report),
            FromWorker::VideoModel(report) => video_model(report),
            FromWorker::Clip(report) => {
                if self.personal_head_clips != report.personal_head_clips {
                    self.personal_head_clips = report.personal_head_clips;
                    self.model();
                }
                self.timeline.clip(&report);
                self.clips.add(report);
            }
            FromWorker::ClipEdited(report) => {
                self.timeline.edited(&report);
                self.clips.edited(&report);
                if report.was_in_update {
                    self.progress.interrupted();
                }
            }
            FromWorker::Dropped(counts) => self.clips.drops(counts),
            FromWorker::LabelHealth(report) => {
                self.clips.health(report);
                self.progress.collapse(report.collapse);
            }
            FromWorker::KeptClips(report) => self.clips.restored(report),
            FromWorker::Training(report) => self.progress.training(report),
            FromWorker::TrainingPaused { round, reason } => self.progress.training_paused(round, reason),
            FromWorker::Upload(report) => self.progress.upload(report),
            FromWorker::Ledger { ledger } => ledger::show(ledger),
            FromWorker::Withdrawn { round, may_have_arrived } => {
                self.progress.withdrawn(round, may_have_arrived);
            }
            FromWorker::Adopted { version, effect } => {
                self.adopted = Some(version);
                self.progress.effect(version, effect);
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

    /// Draws the box around the face, in the video's own pixels.
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

    /// The version in use. The manifest may already name a newer one that is still being downloaded.
    fn model(&self) {
        let (Some(manifest), Some(version)) = (&self.manifest, self.adopted) else { return };
        dom::attribute("model-version", "data-version", &version.to_string());
        dom::say("model-version", move || words::model::version(version));
        dom::show("model-version", true);
        if manifest.model.version == version {
            let (model, clips) = (manifest.model.clone(), self.personal_head_clips);
            dom::say("model-report", move || words::model::report(&model, clips));
        }
    }
}

fn loading(asset: Asset, received: u64, total: u64) {
    status::show("starting-text", move || words::session::loading(asset, total));
    let progress: HtmlProgressElement = dom::get("starting-progress");
    progress.set_max(total.max(1) as f64);
    progress.set_value(received as f64);
}

fn video_model(report: VideoModelReport) {
    let name = match report.backend {
        Backend::Webgpu => "webgpu",
        Backend::Cpu => "cpu",
    };
    dom::attribute("video-model-report", "data-backend", name);
    dom::say("video-model-report", move || words::backend::video_model(&report));
}

fn backend(report: BackendReport) {
    let name = match report.backend {
        Backend::Webgpu => "webgpu",
        Backend::Cpu => "cpu",
    };
    dom::attribute("backend-report", "data-backend", name);
    dom::say("backend-report", move || words::backend::report(&report));
}

pub(super) fn connection(report: &ConnectionReport) {
    dom::attribute("connection", "data-online", if report.online { "true" } else { "false" });
    dom::show("connection", !report.online);
    let ConnectionReport { online, retry_in_ms } = *report;
    // The delay changes with every attempt: it is shown, and not announced.
    status::show_as("connection", move || {
        let text = if online { String::new() } else { words::session::offline() };
        let retry = retry_in_ms.map_or_else(String::new, words::session::retry_in);
        (format!("{text}{retry}"), text)
    });
}
