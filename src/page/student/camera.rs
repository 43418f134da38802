//! The camera: opening it, showing it, losing it, and opening it again.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use gloo::events::EventListener;
use gloo::utils::window;
use js_sys::{Array, Object, Reflect};
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{
    DomException, HtmlSelectElement, HtmlVideoElement, MediaDeviceInfo, MediaDeviceKind, MediaDevices, MediaStream,
    MediaStreamConstraints, MediaStreamTrack, MediaStreamTrackState,
};

use super::Student;
use crate::browser::js;
use crate::messages::ToWorker;
use crate::page::words::camera::{self as words, CameraProblem, FaceStatus};
use crate::page::{dom, l10n};

/// The only owner of the camera's stream. Each start and each stop begins a new generation; a stream that was requested in an
/// earlier generation is stopped when it arrives.
#[derive(Default)]
pub struct Camera {
    generation: Cell<u64>,
    stream: RefCell<Option<MediaStream>>,
    since_ms: Cell<f64>,
    listeners: RefCell<Vec<EventListener>>,
}

impl Camera {
    /// Turns the camera off, even while it is being opened.
    pub fn stop(&self) {
        self.generation.set(self.generation.get() + 1);
        self.listeners.borrow_mut().clear();
        if let Some(stream) = self.stream.take() {
            stop_tracks(&stream);
        }
        dom::get::<HtmlVideoElement>("camera").set_src_object(None);
        self.show_sign();
    }

    /// Whether it is on: whether one of its tracks is live.
    pub fn is_on(&self) -> bool {
        self.stream.borrow().as_ref().is_some_and(is_live)
    }

    /// Since when it is on, in milliseconds on the page's monotonic clock.
    pub fn since_ms(&self) -> f64 {
        self.since_ms.get()
    }

    /// Invalidates the results of all frames so far.
    pub fn restart_clock(&self) {
        self.since_ms.set(js::now_ms());
    }

    /// The current generation.
    pub fn generation(&self) -> u64 {
        self.generation.get()
    }

    /// Whether there was neither a start nor a stop since `generation`.
    pub fn is_current(&self, generation: u64) -> bool {
        self.generation.get() == generation
    }

    fn show_sign(&self) {
        dom::show("camera-sign", self.is_on());
    }
}

impl Student {
    pub(super) fn wire_camera(self: &Rc<Self>) {
        let student = self.clone();
        dom::on("camera-retry", "click", move |_| student.start_camera());
        let student = self.clone();
        dom::on("device", "change", move |_| {
            // Another camera's frames are no part of the clip.
            student.post(&ToWorker::CameraPaused);
            student.start_camera();
        });
        self.wire_pictures();
    }

    /// Asks for the camera, unless it is paused.
    pub(super) fn start_camera(self: &Rc<Self>) {
        self.camera.stop();
        dom::show("camera-problem", false);
        if self.is_paused() {
            return;
        }
        let (student, generation) = (self.clone(), self.camera.generation());
        spawn_local(async move {
            let opened = open(&dom::get::<HtmlSelectElement>("device").value()).await;
            if student.camera.is_current(generation) {
                match opened {
                    Ok(stream) => student.show_camera(generation, stream).await,
                    Err(error) => student.camera_failed(problem_of(&error)),
                }
            } else if let Ok(stream) = opened {
                // The student left, paused or chose another camera while the browser was asking for permission.
                stop_tracks(&stream);
            }
        });
    }

    async fn show_camera(self: &Rc<Self>, generation: u64, stream: MediaStream) {
        if !is_live(&stream) {
            stop_tracks(&stream);
            return self.camera_failed(CameraProblem::Lost);
        }
        for track in stream.get_video_tracks().iter() {
            let student = self.clone();
            let track = track.unchecked_into::<MediaStreamTrack>();
            let ended = EventListener::once(&track, "ended", move |_| student.camera_failed(CameraProblem::Lost));
            let student = self.clone();
            let muted = EventListener::new(&track, "mute", move |_| student.camera_rests(FaceStatus::Muted));
            let student = self.clone();
            let unmuted = EventListener::new(&track, "unmute", move |_| student.camera_resumes());
            self.camera.listeners.borrow_mut().extend([ended, muted, unmuted]);
        }
        let video: HtmlVideoElement = dom::get("camera");
        video.set_src_object(Some(&stream));
        *self.camera.stream.borrow_mut() = Some(stream);
        self.camera.restart_clock();
        self.pictures.begin();
        self.camera.show_sign();
        self.view.borrow().face_status(FaceStatus::Looking);
        if let Ok(playing) = video.play() {
            // Rejected only if the source changes again, which starts this anew.
            let _ = JsFuture::from(playing).await;
        }
        if self.camera.is_current(generation) {
            let stream = self.camera.stream.borrow().clone();
            if let Some(stream) = stream {
                list_devices("device", &stream).await;
            }
            if self.camera.is_current(generation) {
                self.pump();
            }
        }
    }

    /// The camera is on and delivers no new frames: the clip ends.
    pub(super) fn camera_rests(&self, status: FaceStatus) {
        self.camera.restart_clock();
        self.pictures.rest();
        self.post(&ToWorker::CameraPaused);
        self.view.borrow_mut().no_picture(status);
    }

    fn camera_resumes(self: &Rc<Self>) {
        self.pictures.begin();
        self.view.borrow().face_status(FaceStatus::Looking);
        self.pump();
    }

    fn camera_failed(&self, problem: CameraProblem) {
        self.camera.stop();
        self.post(&ToWorker::CameraPaused);
        self.view.borrow_mut().no_picture(FaceStatus::CameraOff);
        dom::say("camera-problem-text", move || words::problem(problem));
        dom::show("camera-problem", true);
    }
}

fn is_live(stream: &MediaStream) -> bool {
    let tracks = stream.get_video_tracks();
    tracks.iter().any(|track| track.unchecked_into::<MediaStreamTrack>().ready_state() == MediaStreamTrackState::Live)
}

/// Turns a stream off.
pub fn stop_tracks(stream: &MediaStream) {
    stream.get_tracks().iter().for_each(|track| track.unchecked_into::<MediaStreamTrack>().stop());
}

fn devices() -> Result<MediaDevices, JsValue> {
    window().navigator().media_devices()
}

/// Asks for the camera with the id `device`, or for any if that is empty.
pub async fn open(device: &str) -> Result<MediaStream, JsValue> {
    let video = Object::new();
    let set = |object: &Object, key: &str, value: &JsValue| Reflect::set(object, &key.into(), value);
    for (key, ideal) in [("width", 640), ("height", 480)] {
        let constraint = Object::new();
        set(&constraint, "ideal", &ideal.into())?;
        set(&video, key, &constraint)?;
    }
    if !device.is_empty() {
        set(&video, "deviceId", &device.into())?;
    }
    let constraints = MediaStreamConstraints::new();
    constraints.set_video(&video);
    constraints.set_audio(&false.into());
    JsFuture::from(devices()?.get_user_media_with_constraints(&constraints)?).await?.dyn_into()
}

/// Has the session's list of cameras name this one alone, until permission tells all their names.
pub fn choose_device(device: &str) {
    let picker: HtmlSelectElement = dom::get("device");
    picker.set_text_content(None);
    let option = dom::element("option", "");
    // The name is a constant, and valid.
    let _ = option.set_attribute("value", device);
    dom::append(&picker, &[&option]);
}

/// Fills the list of cameras with the id `picker`, of which `stream` is one's. Their names are known only once permission is
/// given.
pub async fn list_devices(picker: &'static str, stream: &MediaStream) {
    let listed = async { JsFuture::from(devices()?.enumerate_devices()?).await };
    let Ok(listed) = listed.await else { return };
    if !is_live(stream) {
        return;
    }
    let id = picker;
    let picker: HtmlSelectElement = dom::get(id);
    let tracks = stream.get_video_tracks();
    let current = tracks.get(0).dyn_into::<MediaStreamTrack>().ok().map(|track| track.label());
    picker.set_text_content(None);
    let mut unnamed = Vec::new();
    let cameras = listed.unchecked_into::<Array>();
    let cameras = cameras.iter().map(|device| device.unchecked_into::<MediaDeviceInfo>());
    for (number, device) in cameras.filter(|device| device.kind() == MediaDeviceKind::Videoinput).enumerate() {
        let label = if device.label().is_empty() { words::unnamed(number + 1) } else { device.label() };
        let option = dom::element("option", &label);
        if device.label().is_empty() {
            unnamed.push((option.clone(), number + 1));
        }
        let _ = option.set_attribute("value", &device.device_id());
        if current.as_deref() == Some(label.as_str()) {
            let _ = option.set_attribute("selected", "");
        }
        dom::append(&picker, &[&option]);
    }
    l10n::keep(id, move || {
        for (option, number) in &unnamed {
            option.set_text_content(Some(&words::unnamed(*number)));
        }
    });
}

/// The problem behind an error of `getUserMedia`.
pub fn problem_of(error: &JsValue) -> CameraProblem {
    let name = error.dyn_ref::<DomException>().map(DomException::name).unwrap_or_default();
    match name.as_str() {
        "NotAllowedError" | "SecurityError" => CameraProblem::NotAllowed,
        "NotFoundError" | "OverconstrainedError" => CameraProblem::NotFound,
        "NotReadableError" | "AbortError" => CameraProblem::InUse,
        _ => CameraProblem::Unavailable,
    }
}
