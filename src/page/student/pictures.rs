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
    /// What tells the last one from the next: its number, or where browsers do not count them the video's time in seconds.
    last: Cell<Option<f64>>,
    since_ms: Cell<f64>,
    is_frozen: Cell<bool>,
    on_picture: RefCell<Option<OnPicture>>,
}

impl Pictures {
    /// Restarts: with another camera, or after the page was hidden.
    pub fn begin(&self) {
        self.last.set(None);
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

    fn observe(&self, frame: f64) {
        if self.last.replace(Some(frame)) != Some(frame) {
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
                // Not `mediaTime`, which WebKit leaves at 0 for a camera.
                let number = Reflect::get(&metadata, &"presentedFrames".into()).ok().and_then(|number| number.as_f64());
                student.picture_came(number.unwrap_or_else(js::now_ms));
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

    fn picture_came(self: &Rc<Self>, frame: f64) {
        if self.camera.is_on() {
            self.pictures.observe(frame);
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
