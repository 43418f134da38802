//! Notices each new picture of the camera, and that none comes: a picture that stands still says nothing new.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use gloo::timers::callback::Interval;
use js_sys::{Function, Reflect};
use wasm_bindgen::prelude::*;
use web_sys::HtmlVideoElement;

use super::{Student, frames};
use crate::page::dom;

/// A camera that shows nothing new for so long stands still, in milliseconds. In the dark some give a picture a second.
const STILL_MS: f64 = 2_500.0;
/// How often it is looked whether it does, in milliseconds.
const WATCH_MS: u32 = 500;
/// How often the video is asked for its time in browsers that do not tell of each picture, in milliseconds.
const POLL_MS: u32 = 33;

/// What a browser calls with the time and what it knows of the picture.
type OnPicture = Closure<dyn FnMut(f64, JsValue)>;

/// The pictures of the camera.
#[derive(Default)]
pub struct Pictures {
    is_fresh: Cell<bool>,
    /// Place in the stream, in seconds, of the last one.
    media_time: Cell<Option<f64>>,
    since_ms: Cell<f64>,
    stands_still: Cell<bool>,
    on_picture: RefCell<Option<OnPicture>>,
}

impl Pictures {
    /// Begins anew: with another camera, or after nobody could see it.
    pub fn begin(&self) {
        self.media_time.set(None);
        self.stands_still.set(false);
        self.since_ms.set(frames::now_ms());
    }

    /// Whether a picture came that was not taken yet.
    pub fn is_fresh(&self) -> bool {
        self.is_fresh.get()
    }

    /// It is taken: the next one has to come first.
    pub fn take(&self) {
        self.is_fresh.set(false);
    }

    /// None is expected, for a reason that is known.
    pub fn rest(&self) {
        self.stands_still.set(true);
    }

    /// Whether the last one is old.
    pub fn stands_still(&self) -> bool {
        self.stands_still.get()
    }

    fn come(&self, media_time: f64) {
        if self.media_time.replace(Some(media_time)) != Some(media_time) {
            self.is_fresh.set(true);
            self.stands_still.set(false);
            self.since_ms.set(frames::now_ms());
        }
    }

    /// Whether it stands still from now on.
    fn begins_to_stand_still(&self) -> bool {
        frames::now_ms() - self.since_ms.get() > STILL_MS && !self.stands_still.replace(true)
    }
}

impl Student {
    /// Listens for pictures until the page is closed.
    pub(super) fn wire_pictures(self: &Rc<Self>) {
        let video: HtmlVideoElement = dom::get("camera");
        let student = self.clone();
        if notifier(&video).is_some() {
            let on_picture = OnPicture::new(move |_, metadata: JsValue| {
                let media_time = Reflect::get(&metadata, &"mediaTime".into()).ok().and_then(|time| time.as_f64());
                student.picture_came(media_time.unwrap_or_else(frames::now_ms));
                student.await_picture();
            });
            *self.pictures.on_picture.borrow_mut() = Some(on_picture);
            self.await_picture();
        } else {
            Interval::new(POLL_MS, move || student.picture_came(video.current_time())).forget();
        }
        let student = self.clone();
        Interval::new(WATCH_MS, move || student.watch_for_stillness()).forget();
    }

    /// A browser tells of one picture at a time.
    fn await_picture(&self) {
        let video: HtmlVideoElement = dom::get("camera");
        if let (Some(notify), Some(on_picture)) = (notifier(&video), self.pictures.on_picture.borrow().as_ref()) {
            // It does not throw with a function as its argument.
            let _ = notify.call1(&video, on_picture.as_ref());
        }
    }

    fn picture_came(self: &Rc<Self>, media_time: f64) {
        if self.camera.is_on() {
            self.pictures.come(media_time);
            self.pump();
        }
    }

    fn watch_for_stillness(&self) {
        if self.camera.is_on() && frames::is_watched() && self.pictures.begins_to_stand_still() {
            self.camera_rests(
                "The camera's picture stands still. If it stays so, choose another camera, or pause and resume.",
            );
        }
    }
}

fn notifier(video: &HtmlVideoElement) -> Option<Function> {
    Reflect::get(video, &"requestVideoFrameCallback".into()).ok()?.dyn_into().ok()
}
