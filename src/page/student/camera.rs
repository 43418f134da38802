//! The camera: asked for, shown, lost, and asked for again.

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

use super::{Student, frames};
use crate::page::dom;
use crate::tab::message::ToWorker;

/// What a track that ends by itself means.
const LOST: &str = "The camera was unplugged, or another program took it.";

/// What a muted track means.
const MUTED: &str =
    "The camera gives no picture: its switch or cover, or another program, holds it back. It goes on by itself.";

/// The one owner of the camera. Each start and each stop begins a new generation; what was asked for in an earlier one is
/// stopped when it comes.
#[derive(Default)]
pub struct Camera {
    generation: Cell<u64>,
    stream: RefCell<Option<MediaStream>>,
    since_ms: Cell<f64>,
    listeners: RefCell<Vec<EventListener>>,
}

impl Camera {
    /// Turns the camera off, also where it is still being opened.
    pub fn stop(&self) {
        self.generation.set(self.generation.get() + 1);
        self.listeners.borrow_mut().clear();
        if let Some(stream) = self.stream.take() {
            stop_tracks(&stream);
        }
        dom::get::<HtmlVideoElement>("camera").set_src_object(None);
        self.show_sign();
    }

    /// Whether it is on: whether a track of it is live.
    pub fn is_on(&self) -> bool {
        self.stream.borrow().as_ref().is_some_and(is_live)
    }

    /// Since when it is on, in milliseconds on the page's monotonic clock.
    pub fn since_ms(&self) -> f64 {
        self.since_ms.get()
    }

    /// What was seen before now is old.
    pub fn begin_anew(&self) {
        self.since_ms.set(frames::now_ms());
    }

    /// The generation of now.
    pub fn generation(&self) -> u64 {
        self.generation.get()
    }

    /// Whether neither a start nor a stop came since `generation`.
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
            // Another camera's pictures are no part of the clip.
            student.tell(&ToWorker::CameraPaused);
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
            let opened = open().await;
            if student.camera.is_current(generation) {
                match opened {
                    Ok(stream) => student.show_camera(generation, stream).await,
                    Err(error) => student.camera_failed(&words(&error)),
                }
            } else if let Ok(stream) = opened {
                // The student left, paused or took another camera while the browser was asking.
                stop_tracks(&stream);
            }
        });
    }

    async fn show_camera(self: &Rc<Self>, generation: u64, stream: MediaStream) {
        if !is_live(&stream) {
            stop_tracks(&stream);
            return self.camera_failed(LOST);
        }
        for track in stream.get_video_tracks().iter() {
            let student = self.clone();
            let track = track.unchecked_into::<MediaStreamTrack>();
            let ended = EventListener::once(&track, "ended", move |_| student.camera_failed(LOST));
            let student = self.clone();
            let muted = EventListener::new(&track, "mute", move |_| student.camera_rests(MUTED));
            let student = self.clone();
            let unmuted = EventListener::new(&track, "unmute", move |_| student.camera_goes_on());
            self.camera.listeners.borrow_mut().extend([ended, muted, unmuted]);
        }
        let video: HtmlVideoElement = dom::get("camera");
        video.set_src_object(Some(&stream));
        *self.camera.stream.borrow_mut() = Some(stream);
        self.camera.begin_anew();
        self.pictures.begin();
        self.camera.show_sign();
        self.view.borrow().looking();
        if let Ok(playing) = video.play() {
            // Rejected only if the source changes again, which starts this anew.
            let _ = JsFuture::from(playing).await;
        }
        if self.camera.is_current(generation) {
            list_devices(&self.camera, generation).await;
            self.pump();
        }
    }

    /// The camera is on, and gives no pictures: the clip ends.
    pub(super) fn camera_rests(&self, words: &str) {
        self.camera.begin_anew();
        self.pictures.rest();
        self.tell(&ToWorker::CameraPaused);
        self.view.borrow_mut().rests(words);
    }

    fn camera_goes_on(self: &Rc<Self>) {
        self.pictures.begin();
        self.view.borrow().looking();
        self.pump();
    }

    fn camera_failed(&self, words: &str) {
        self.camera.stop();
        self.tell(&ToWorker::CameraPaused);
        self.view.borrow_mut().no_picture();
        dom::text("camera-problem-text", words);
        dom::show("camera-problem", true);
    }
}

fn is_live(stream: &MediaStream) -> bool {
    let tracks = stream.get_video_tracks();
    tracks.iter().any(|track| track.unchecked_into::<MediaStreamTrack>().ready_state() == MediaStreamTrackState::Live)
}

fn stop_tracks(stream: &MediaStream) {
    stream.get_tracks().iter().for_each(|track| track.unchecked_into::<MediaStreamTrack>().stop());
}

fn devices() -> Result<MediaDevices, JsValue> {
    window().navigator().media_devices()
}

async fn open() -> Result<MediaStream, JsValue> {
    let video = Object::new();
    let set = |object: &Object, key: &str, value: &JsValue| Reflect::set(object, &key.into(), value);
    for (key, ideal) in [("width", 640), ("height", 480)] {
        let wish = Object::new();
        set(&wish, "ideal", &ideal.into())?;
        set(&video, key, &wish)?;
    }
    let device = dom::get::<HtmlSelectElement>("device").value();
    if !device.is_empty() {
        set(&video, "deviceId", &device.into())?;
    }
    let constraints = MediaStreamConstraints::new();
    constraints.set_video(&video);
    constraints.set_audio(&false.into());
    JsFuture::from(devices()?.get_user_media_with_constraints(&constraints)?).await?.dyn_into()
}

/// Fills the picker. Names are known only once a camera may be used.
async fn list_devices(camera: &Camera, generation: u64) {
    let listed = async { JsFuture::from(devices()?.enumerate_devices()?).await };
    let Ok(listed) = listed.await else { return };
    if !camera.is_current(generation) {
        return;
    }
    let picker: HtmlSelectElement = dom::get("device");
    let tracks = camera.stream.borrow().as_ref().map(MediaStream::get_video_tracks).unwrap_or_default();
    let current = tracks.get(0).dyn_into::<MediaStreamTrack>().ok().map(|track| track.label());
    picker.set_text_content(None);
    let cameras = listed.unchecked_into::<Array>();
    let cameras = cameras.iter().map(|device| device.unchecked_into::<MediaDeviceInfo>());
    for (number, device) in cameras.filter(|device| device.kind() == MediaDeviceKind::Videoinput).enumerate() {
        let label = if device.label().is_empty() { format!("Camera {}", number + 1) } else { device.label() };
        let option = dom::element("option", &label);
        let _ = option.set_attribute("value", &device.device_id());
        if current.as_deref() == Some(label.as_str()) {
            let _ = option.set_attribute("selected", "");
        }
        dom::append(&picker, &[&option]);
    }
}

/// What happened, and what to do.
fn words(error: &JsValue) -> String {
    let name = error.dyn_ref::<DomException>().map(DomException::name).unwrap_or_default();
    match name.as_str() {
        "NotAllowedError" | "SecurityError" => {
            "The browser may not use the camera. Allow it for this page (the camera sign near the address), then try again."
        }
        "NotFoundError" | "OverconstrainedError" => "There is no camera. Connect one, then try again.",
        "NotReadableError" | "AbortError" => "Another program uses the camera. Close it there, then try again.",
        _ => "This browser gives no camera to this page. Use a current browser, and the address that your instructor handed out.",
    }
    .to_owned()
}
