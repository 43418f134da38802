//! The camera: asked for, shown, lost, and asked for again.

use std::cell::RefCell;
use std::rc::Rc;

use gloo::events::EventListener;
use gloo::utils::window;
use js_sys::{Array, Object, Reflect};
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{
    DomException, HtmlSelectElement, HtmlVideoElement, MediaDeviceInfo, MediaDeviceKind, MediaDevices, MediaStream,
    MediaStreamConstraints, MediaStreamTrack,
};

use super::Student;
use crate::page::dom;
use crate::tab::message::ToWorker;

/// The camera in use, if any.
#[derive(Default)]
pub struct Camera {
    stream: RefCell<Option<MediaStream>>,
    ended: RefCell<Vec<EventListener>>,
}

impl Camera {
    /// Turns the camera off.
    pub fn stop(&self) {
        self.ended.borrow_mut().clear();
        if let Some(stream) = self.stream.take() {
            stream.get_tracks().iter().for_each(|track| track.unchecked_into::<MediaStreamTrack>().stop());
        }
        dom::get::<HtmlVideoElement>("camera").set_src_object(None);
        dom::show("camera-sign", false);
    }

    /// Whether it is on.
    pub fn is_on(&self) -> bool {
        self.stream.borrow().is_some()
    }
}

impl Student {
    pub(super) fn wire_camera(self: &Rc<Self>) {
        let student = self.clone();
        dom::on("camera-retry", "click", move |_| student.start_camera());
        let student = self.clone();
        dom::on("device", "change", move |_| student.start_camera());
    }

    /// Asks for the camera, unless it is paused.
    pub(super) fn start_camera(self: &Rc<Self>) {
        self.camera.stop();
        dom::show("camera-problem", false);
        if self.is_paused() {
            return;
        }
        let student = self.clone();
        spawn_local(async move {
            match open().await {
                // The student left, or paused, while the browser was asking.
                Ok(stream) if student.choice.borrow().is_none() || student.is_paused() => {
                    *student.camera.stream.borrow_mut() = Some(stream);
                    student.camera.stop();
                }
                Ok(stream) => student.show_camera(stream).await,
                Err(error) => student.camera_failed(&words(&error)),
            }
        });
    }

    async fn show_camera(self: &Rc<Self>, stream: MediaStream) {
        for track in stream.get_video_tracks().iter() {
            let student = self.clone();
            let ended = EventListener::once(&track.unchecked_into::<MediaStreamTrack>(), "ended", move |_| {
                student.camera_failed("The camera was unplugged, or another program took it.");
            });
            self.camera.ended.borrow_mut().push(ended);
        }
        let video: HtmlVideoElement = dom::get("camera");
        video.set_src_object(Some(&stream));
        *self.camera.stream.borrow_mut() = Some(stream);
        if let Ok(playing) = video.play() {
            // Rejected only if the source changes again, which starts this anew.
            let _ = JsFuture::from(playing).await;
        }
        dom::show("camera-sign", true);
        list_devices(&self.camera).await;
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
async fn list_devices(camera: &Camera) {
    let listed = async { JsFuture::from(devices()?.enumerate_devices()?).await };
    let Ok(listed) = listed.await else { return };
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
