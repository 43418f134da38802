//! Notices each new frame of the camera's video, and when none comes: a frozen video carries no information.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use gloo::timers::callback::Interval;
use js_sys::{Function, Reflect};
use wasm_bindgen::prelude::*;
use web_sys::HtmlVideoElement;

use super::{Student, frames};
use crate::browser::js;
use crate::page::dom;
use crate::page::words::camera::FaceStatus;

/// A video without a new frame for so long is frozen, in milliseconds. In the dark some cameras give one frame a second.
const FROZEN_MS: f64 = 2_500.0;
/// How often to check for that, in milliseconds.
const WATCH_MS: u32 = 500;
/// How often to poll the video's time in browsers without `requestVideoFrameCallback`, in milliseconds.
const POLL_MS: u32 = 33;

/// The callback of `requestVideoFrameCallback`: the time, and the frame's metadata.
type OnPicture = Closure<dyn FnMut(f64, JsValue)>;

/// The frames of the camera's video.
#[derive(Default)]
pub struct Pictures {
    is_fresh: Cell<bool>,
    /// Media time of the last one, in seconds.
    media_time: Cell<Option<f64>>,
    since_ms: Cell<f64>,
    is_frozen: Cell<bool>,
    on_picture: RefCell<Option<OnPicture>>,
}

impl Pictures {
    /// Restarts: with another camera, or after the page was hidden.
    pub fn begin(&self) {
        self.media_time.set(None);
        self.is_frozen.set(false);
        self.since_ms.set(js::now_ms());
    }

    /// Whether there is a frame that was not taken yet.
    pub fn is_fresh(&self) -> bool {
        self.is_fresh.get()
    }

    /// Marks the frame as taken.
    pub fn take(&self) {
        self.is_fresh.set(false);
    }

    /// No frame is expected, for a known reason.
    pub fn rest(&self) {
        self.is_frozen.set(true);
    }

    /// Whether the video is frozen.
    pub fn is_frozen(&self) -> bool {
        self.is_frozen.get()
    }

    fn observe(&self, media_time: f64) {
        if self.media_time.replace(Some(media_time)) != Some(media_time) {
            self.is_fresh.set(true);
            self.is_frozen.set(false);
            self.since_ms.set(js::now_ms());
        }
    }

    /// Whether the video is frozen since this check.
    fn freezes(&self) -> bool {
        js::now_ms() - self.since_ms.get() > FROZEN_MS && !self.is_frozen.replace(true)
    }
}

impl Student {
    /// Listens for frames until the page is closed.
    pub(super) fn wire_pictures(self: &Rc<Self>) {
        let video: HtmlVideoElement = dom::get("camera");
        let student = self.clone();
        if notifier(&video).is_some() {
            let on_picture = OnPicture::new(move |_, metadata: JsValue| {
                let media_time = Reflect::get(&metadata, &"mediaTime".into()).ok().and_then(|time| time.as_f64());
                student.picture_came(media_time.unwrap_or_else(js::now_ms));
                student.await_picture();
            });
            *self.pictures.on_picture.borrow_mut() = Some(on_picture);
            self.await_picture();
        } else {
            Interval::new(POLL_MS, move || student.picture_came(video.current_time())).forget();
        }
        let student = self.clone();
        Interval::new(WATCH_MS, move || student.check_frozen()).forget();
    }

    /// Each request is for one frame.
    fn await_picture(&self) {
        let video: HtmlVideoElement = dom::get("camera");
        if let (Some(notify), Some(on_picture)) = (notifier(&video), self.pictures.on_picture.borrow().as_ref()) {
            // It does not throw with a function as its argument.
            let _ = notify.call1(&video, on_picture.as_ref());
        }
    }

    fn picture_came(self: &Rc<Self>, media_time: f64) {
        if self.camera.is_on() {
            self.pictures.observe(media_time);
            self.pump();
        }
    }

    fn check_frozen(&self) {
        if self.camera.is_on() && frames::is_visible() && self.pictures.freezes() {
            self.camera_rests(FaceStatus::Frozen);
        }
    }
}

fn notifier(video: &HtmlVideoElement) -> Option<Function> {
    Reflect::get(video, &"requestVideoFrameCallback".into()).ok()?.dyn_into().ok()
}
