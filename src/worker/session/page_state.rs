//! What the page says of itself, of the device and of the student's permission. It lives outside the session, since it can change
//! before there is one.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::Session;
use crate::browser::js;
use crate::messages::BatteryReport;
use crate::worker::training_pace::{Conditions, Pace, pace};

/// The newest that the page has said.
#[derive(Default)]
pub(super) struct PageState {
    /// Whether the page is visible.
    pub visible: Cell<bool>,
    /// Whether clips may be kept on the device.
    pub keep_clips: Cell<bool>,
    /// Whether client metrics are sent with an update.
    pub share_metrics: Cell<bool>,
    /// The battery, where the browser tells of it.
    pub battery: Cell<Option<BatteryReport>>,
}

/// When the frames in flight were begun, in milliseconds; oldest first.
#[derive(Clone, Default)]
pub(super) struct FramesInFlight(Rc<RefCell<Vec<f64>>>);

/// A frame in flight, until it is dropped.
pub(super) struct FrameInFlight {
    frames: FramesInFlight,
    began_ms: f64,
}

impl FramesInFlight {
    /// A frame is begun.
    pub fn begin(&self) -> FrameInFlight {
        let began_ms = js::now_ms();
        self.0.borrow_mut().push(began_ms);
        FrameInFlight { frames: self.clone(), began_ms }
    }

    /// For how long the oldest has been in flight, in milliseconds.
    fn oldest_ms(&self) -> Option<f64> {
        self.0.borrow().first().map(|began_ms| js::now_ms() - began_ms)
    }
}

impl Drop for FrameInFlight {
    fn drop(&mut self) {
        let frames = &mut *self.frames.0.borrow_mut();
        if let Some(position) = frames.iter().position(|began_ms| *began_ms == self.began_ms) {
            frames.remove(position);
        }
    }
}

impl Session {
    /// Whether conditions are such that training pauses.
    pub(super) fn pauses_training(&self) -> bool {
        matches!(self.training_pace(0.0), Pace::Pause(_))
    }

    /// What training does next, having waited for frames for `waited_ms`.
    pub(super) fn training_pace(&self, waited_ms: f64) -> Pace {
        pace(&Conditions {
            visible: self.page.visible.get(),
            battery: self.page.battery.get(),
            oldest_frame_ms: self.frames_in_flight.oldest_ms(),
            waited_ms,
        })
    }
}
