//! Hands frames to the session worker: no more at a time than it has workers for, no faster than the plan says, none
//! while nobody looks.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use gloo::timers::callback::Timeout;
use gloo::utils::{document, window};
use js_sys::{Array, Object, Reflect};
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{HtmlVideoElement, ImageBitmap, ImageBitmapOptions, VisibilityState};

use super::Student;
use crate::page::dom;

/// Longest side of a frame that is handed on; faces are found in less.
const LONGEST_SIDE: u32 = 640;
/// How soon to look again when the video has no picture yet.
const NOT_YET_MS: u32 = 100;
/// So many pictures in a row that cannot be read are told of.
const UNREADABLE: u32 = 10;

/// Paces frames.
#[derive(Default)]
pub struct Pump {
    /// The worker has its models.
    wanted: Cell<bool>,
    in_flight: Cell<usize>,
    /// How many may be on their way at a time; 0 counts as 1.
    lanes: Cell<usize>,
    last_ms: Cell<f64>,
    interval_ms: Cell<f64>,
    next: RefCell<Option<Timeout>>,
    /// Pictures that could not be read, in a row.
    unreadable: Cell<u32>,
}

impl Pump {
    /// No frame until the worker wants one again.
    pub fn stop(&self) {
        self.wanted.set(false);
        self.in_flight.set(0);
        self.next.take();
    }

    /// The shortest time between two frames, in milliseconds.
    pub fn pace(&self, interval_ms: f64) {
        self.interval_ms.set(interval_ms);
    }

    /// The worker wants frames.
    pub fn want(&self) {
        self.wanted.set(true);
    }

    /// The worker has answered.
    pub fn answered(&self) {
        self.in_flight.set(self.in_flight.get().saturating_sub(1));
    }

    /// How many frames may be on their way at a time.
    pub fn widen(&self, lanes: usize) {
        self.lanes.set(lanes);
    }

    fn is_full(&self) -> bool {
        self.in_flight.get() >= self.lanes.get().max(1)
    }
}

impl Student {
    /// Sends the next frame when it is due, if everything is ready for it and the camera shows something new.
    pub(super) fn pump(self: &Rc<Self>) {
        let pump = &self.frames;
        if !self.is_ready_for_frame() || !self.pictures.is_fresh() {
            return;
        }
        let wait_ms = (pump.last_ms.get() + pump.interval_ms.get() - now_ms()).max(0.0);
        self.pump_in(wait_ms as u32);
    }

    fn pump_in(self: &Rc<Self>, wait_ms: u32) {
        let student = Rc::downgrade(self);
        if wait_ms == 0 {
            // A timer would wait for 4 ms.
            self.frames.next.take();
            let student = self.clone();
            return spawn_local(async move { student.send_frame().await });
        }
        let next = Timeout::new(wait_ms, move || {
            if let Some(student) = student.upgrade() {
                spawn_local(async move { student.send_frame().await });
            }
        });
        // Replaces, and so cancels, what was planned before.
        *self.frames.next.borrow_mut() = Some(next);
    }

    fn is_ready_for_frame(&self) -> bool {
        self.frames.wanted.get() && !self.frames.is_full() && self.camera.is_on() && is_watched()
    }

    async fn send_frame(self: &Rc<Self>) {
        let pump = &self.frames;
        if !self.is_ready_for_frame() {
            return;
        }
        self.pictures.take();
        pump.in_flight.set(pump.in_flight.get() + 1);
        let at_ms = now_ms();
        pump.last_ms.set(at_ms);
        let generation = self.camera.generation();
        let grabbed = grab().await;
        self.count_unreadable(grabbed.as_ref().err());
        let sent = match grabbed {
            // No picture follows the word that the camera is paused.
            Ok(Some(frame)) if !self.camera.is_current(generation) || !is_watched() => {
                frame.close();
                false
            }
            Ok(Some(frame)) => self.worker.borrow().as_ref().is_some_and(|worker| worker.send_frame(&frame, at_ms)),
            Ok(None) | Err(_) => false,
        };
        if sent {
            self.pump();
        } else {
            pump.answered();
            self.pump_in(NOT_YET_MS);
        }
    }

    /// A picture was read, or not: `error`. One may fail while the camera changes; many have to be told of, once.
    fn count_unreadable(&self, error: Option<&JsValue>) {
        let Some(error) = error else { return self.frames.unreadable.set(0) };
        let count = self.frames.unreadable.get() + 1;
        self.frames.unreadable.set(count);
        if count == UNREADABLE {
            let words = error.dyn_ref::<js_sys::Error>().map_or_else(|| format!("{error:?}"), |e| e.message().into());
            let message = format!("The camera's pictures cannot be read ({words}).");
            dom::problem(&message, "Pause and resume the camera, or choose another one.");
        }
    }
}

/// Whether the tab can be seen.
pub(super) fn is_watched() -> bool {
    document().visibility_state() != VisibilityState::Hidden
}

/// The picture that the video shows now, if it shows one.
///
/// # Errors
/// The browser's, if it cannot be read.
async fn grab() -> Result<Option<ImageBitmap>, JsValue> {
    let video: HtmlVideoElement = dom::get("camera");
    let (width, height) = (video.video_width(), video.video_height());
    if width == 0 || height == 0 || video.ready_state() < 2 {
        return Ok(None);
    }
    let scale = (f64::from(LONGEST_SIDE) / f64::from(width.max(height))).min(1.0);
    let options = ImageBitmapOptions::new();
    options.set_resize_width((f64::from(width) * scale).round().max(1.0) as u32);
    options.set_resize_height((f64::from(height) * scale).round().max(1.0) as u32);
    let made = window().create_image_bitmap_with_html_video_element_and_image_bitmap_options(&video, &options)?;
    JsFuture::from(made).await?.dyn_into().map(Some)
}

/// A frame as the worker expects it.
pub(super) fn message(frame: &ImageBitmap, at_ms: f64) -> Option<(Object, Array)> {
    let message = Object::new();
    Reflect::set(&message, &"frame".into(), frame).ok()?;
    Reflect::set(&message, &"at_ms".into(), &JsValue::from_f64(at_ms)).ok()?;
    Some((message, Array::of1(frame)))
}

/// Milliseconds on the page's monotonic clock.
pub(super) fn now_ms() -> f64 {
    window().performance().map_or_else(js_sys::Date::now, |performance| performance.now())
}
