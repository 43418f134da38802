//! Time limits of requests: an aggregator that accepts a connection and says nothing is as good as one that is away.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use gloo::events::EventListener;
use gloo::timers::callback::Timeout;
use wasm_bindgen::JsValue;
use web_sys::{AbortController, AbortSignal};

/// For requests with short answers, in milliseconds.
pub const SHORT_MS: u32 = 15_000;
/// For weights and updates, in milliseconds.
pub const LONG_MS: u32 = 120_000;

/// Breaks off the request that has its signal when the time is over, or when it is told to. It has to live until the body
/// is read: dropped, it limits nothing any more.
pub struct Limit {
    controller: AbortController,
    limit_ms: u32,
    expired: Rc<Cell<bool>>,
    timer: RefCell<Option<Timeout>>,
    _outer: Option<EventListener>,
}

impl Limit {
    /// Starts the time, in milliseconds. The request ends with `outer`, too.
    ///
    /// # Errors
    /// The browser has no `AbortController`.
    pub fn start(limit_ms: u32, outer: Option<&AbortSignal>) -> Result<Self, JsValue> {
        let controller = AbortController::new()?;
        let outer = outer.map(|signal| {
            if signal.aborted() {
                controller.abort();
            }
            let controller = controller.clone();
            EventListener::once(signal, "abort", move |_| controller.abort())
        });
        let limit = Self { controller, limit_ms, expired: Rc::default(), timer: RefCell::default(), _outer: outer };
        limit.restart();
        Ok(limit)
    }

    /// Starts the time anew, as when a part has come.
    pub fn restart(&self) {
        let (controller, expired) = (self.controller.clone(), self.expired.clone());
        let timer = Timeout::new(self.limit_ms, move || {
            expired.set(true);
            controller.abort();
        });
        // Dropping the one before cancels it.
        *self.timer.borrow_mut() = Some(timer);
    }

    /// For the request.
    pub fn signal(&self) -> AbortSignal {
        self.controller.signal()
    }

    /// Whether it was the time that ended the request.
    pub fn is_over(&self) -> bool {
        self.expired.get()
    }

    /// The limit in seconds.
    pub fn seconds(&self) -> u32 {
        self.limit_ms / 1_000
    }
}
