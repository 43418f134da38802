//! Sends frames to the session worker: no more at a time than it can process, no faster than the capture plan says, and none
//! while the page is hidden.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use gloo::timers::callback::Timeout;
use gloo::utils::{document, window};
use js_sys::{Array, Object, Reflect};
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{HtmlVideoElement, ImageBitmap, ImageBitmapOptions, VisibilityState};

use super::Student;
use crate::browser::js;
use crate::page::{dom, words};

/// Longest side of a frame that is sent, in pixels; the detector needs less.
const LONGEST_SIDE: u32 = 640;
/// Delay before another attempt when the video has no frame yet, in milliseconds.
const RETRY_MS: u32 = 100;
/// This many unreadable frames in a row are reported.
const MAX_UNREADABLE: u32 = 10;

/// Paces frames and counts those in flight.
#[derive(Default)]
pub struct Pump {
    /// The worker has loaded its models.
    wanted: Cell<bool>,
    in_flight: Cell<usize>,
    /// Maximum number in flight; 0 counts as 1.
    max_in_flight: Cell<usize>,
    last_ms: Cell<f64>,
    interval_ms: Cell<f64>,
    next: RefCell<Option<Timeout>>,
    /// Unreadable frames in a row.
    unreadable: Cell<u32>,
}

impl Pump {
    /// Sends no more frames until the worker wants them again.
    pub fn stop(&self) {
        self.wanted.set(false);
        self.in_flight.set(0);
        self.next.take();
    }

    /// Sets the shortest time between two frames, in milliseconds.
    pub fn pace(&self, interval_ms: f64) {
        self.interval_ms.set(interval_ms);
    }

    /// The worker wants frames.
    pub fn want(&self) {
        self.wanted.set(true);
    }

    /// A frame in flight has been answered.
    pub fn answered(&self) {
        self.in_flight.set(self.in_flight.get().saturating_sub(1));
    }

    /// Sets the maximum number of frames in flight.
    pub fn set_max_in_flight(&self, max_in_flight: usize) {
        self.max_in_flight.set(max_in_flight);
    }

    fn is_full(&self) -> bool {
        self.in_flight.get() >= self.max_in_flight.get().max(1)
    }
}

impl Student {
    /// Sends the next frame when it is due, if everything is ready and the camera has a new one.
    pub(super) fn pump(self: &Rc<Self>) {
        let pump = &self.frames;
        if !self.is_ready_for_frame() || !self.pictures.is_fresh() {
            return;
        }
        let wait_ms = (pump.last_ms.get() + pump.interval_ms.get() - js::now_ms()).max(0.0);
        self.pump_in(wait_ms as u32);
    }

    fn pump_in(self: &Rc<Self>, wait_ms: u32) {
        let student = Rc::downgrade(self);
        if wait_ms == 0 {
            // A timer waits for 4 ms at least.
            self.frames.next.take();
            let student = self.clone();
            return spawn_local(async move { student.send_frame().await });
        }
        let next = Timeout::new(wait_ms, move || {
            if let Some(student) = student.upgrade() {
                spawn_local(async move { student.send_frame().await });
            }
        });
        // Replaces, and so cancels, the timer that was set before.
        *self.frames.next.borrow_mut() = Some(next);
    }

    fn is_ready_for_frame(&self) -> bool {
        self.frames.wanted.get() && !self.frames.is_full() && self.camera.is_on() && is_visible()
    }

    async fn send_frame(self: &Rc<Self>) {
        let pump = &self.frames;
        if !self.is_ready_for_frame() {
            return;
        }
        self.pictures.take();
        pump.in_flight.set(pump.in_flight.get() + 1);
        let at_ms = js::now_ms();
        pump.last_ms.set(at_ms);
        let generation = self.camera.generation();
        let grabbed = grab().await;
        self.count_unreadable(grabbed.as_ref().err());
        let sent = match grabbed {
            // No frame is sent after the message that the camera is paused.
            Ok(Some(frame)) if !self.camera.is_current(generation) || !is_visible() => {
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
            self.pump_in(RETRY_MS);
        }
    }

    /// A frame was read, or failed with `error`. One may fail while the camera changes; many in a row are reported once.
    fn count_unreadable(&self, error: Option<&JsValue>) {
        let Some(error) = error else { return self.frames.unreadable.set(0) };
        let count = self.frames.unreadable.get() + 1;
        self.frames.unreadable.set(count);
        if count == MAX_UNREADABLE {
            let detail = js::error_message(error);
            dom::problem(move || words::problem::frames_unreadable(&detail));
        }
    }
}

/// Whether the page is visible.
pub(super) fn is_visible() -> bool {
    document().visibility_state() != VisibilityState::Hidden
}

/// The video's current frame, if it has one.
///
/// # Errors
/// The browser's, if the frame cannot be read.
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

/// The message for a frame, and what is transferred with it: see [`crate::messages`].
pub(super) fn message(frame: &ImageBitmap, at_ms: f64) -> Option<(Object, Array)> {
    let message = Object::new();
    Reflect::set(&message, &"frame".into(), frame).ok()?;
    Reflect::set(&message, &"at_ms".into(), &JsValue::from_f64(at_ms)).ok()?;
    Some((message, Array::of1(frame)))
}
