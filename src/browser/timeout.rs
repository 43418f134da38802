//! Timeouts of requests. An aggregator that accepts a connection and never responds is treated as unreachable.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use gloo::events::EventListener;
use gloo::timers::callback::Timeout;
use wasm_bindgen::JsValue;
use web_sys::{AbortController, AbortSignal};

/// For requests with short responses, in milliseconds.
pub const SHORT_MS: u32 = 15_000;
/// For weights and updates, in milliseconds.
pub const LONG_MS: u32 = 120_000;

/// Aborts the request that uses its signal after `timeout_ms`, or when an outer signal aborts. It has to live until the
/// response's body is read; dropping it cancels the timer.
pub struct RequestTimeout {
    controller: AbortController,
    timeout_ms: u32,
    expired: Rc<Cell<bool>>,
    timer: RefCell<Option<Timeout>>,
    _outer: Option<EventListener>,
}

impl RequestTimeout {
    /// Starts the timer. An abort of `outer` aborts the request, too.
    ///
    /// # Errors
    /// The browser has no `AbortController`.
    pub fn start(timeout_ms: u32, outer: Option<&AbortSignal>) -> Result<Self, JsValue> {
        let controller = AbortController::new()?;
        let outer = outer.map(|signal| {
            if signal.aborted() {
                controller.abort();
            }
            let controller = controller.clone();
            EventListener::once(signal, "abort", move |_| controller.abort())
        });
        let timeout = Self { controller, timeout_ms, expired: Rc::default(), timer: RefCell::default(), _outer: outer };
        timeout.restart();
        Ok(timeout)
    }

    /// Restarts the timer, as after each chunk of a body.
    pub fn restart(&self) {
        let (controller, expired) = (self.controller.clone(), self.expired.clone());
        let timer = Timeout::new(self.timeout_ms, move || {
            expired.set(true);
            controller.abort();
        });
        // Dropping the previous timer cancels it.
        *self.timer.borrow_mut() = Some(timer);
    }

    /// The signal for the request.
    pub fn signal(&self) -> AbortSignal {
        self.controller.signal()
    }

    /// Whether the timer, and not an outer signal, aborted the request.
    pub fn has_expired(&self) -> bool {
        self.expired.get()
    }

    /// The timeout in seconds.
    pub fn timeout_s(&self) -> u32 {
        self.timeout_ms / 1_000
    }
}
