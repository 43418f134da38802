//! Whether the student has opted in to contributing. It lives outside the session, since it can change before there is one,
//! and between any two steps of one.

use std::cell::RefCell;

use web_sys::{AbortController, AbortSignal};

/// The current choice. Each opting in has an abort signal of its own, which opting out aborts: opting out and in again does
/// not revive what was under way.
#[derive(Default)]
pub(super) struct OptIn(RefCell<Option<AbortController>>);

impl OptIn {
    /// Opts in or out. Opting out aborts the request that uses the signal.
    pub fn set(&self, on: bool) {
        if !on {
            // Taken out first: what listens to the signal may ask for the current consent.
            let ended = self.0.take();
            if let Some(ended) = ended {
                ended.abort();
            }
        } else if self.0.borrow().is_none() {
            // A browser without AbortController has no module workers, either. If it had, it would not contribute.
            *self.0.borrow_mut() = AbortController::new().ok();
        }
    }

    /// The current consent; `None` if opted out. Check it after every await and just before anything is sent.
    pub fn consent(&self) -> Option<Consent> {
        self.0.borrow().as_ref().map(|controller| Consent(controller.signal()))
    }
}

/// A consent to contribute, valid until the student opts out.
pub(super) struct Consent(AbortSignal);

impl Consent {
    /// Whether the student has not opted out since.
    pub fn is_valid(&self) -> bool {
        !self.0.aborted()
    }

    /// For a request that shall be aborted by opting out.
    pub fn signal(&self) -> &AbortSignal {
        &self.0
    }
}
