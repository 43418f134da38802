//! Whether the student contributes, outside the session's steps: it can change before there is a session, and between
//! any two steps of one.

use std::cell::RefCell;

use web_sys::{AbortController, AbortSignal};

/// The wish. Each opting in has a signal of its own, which opting out ends: who opts out and in again does not revive what
/// was under way.
#[derive(Default)]
pub(super) struct Wish(RefCell<Option<AbortController>>);

impl Wish {
    /// Opts in or out. Opting out aborts the request that holds the signal.
    pub fn set(&self, on: bool) {
        if !on {
            // Taken out first: what listens to the signal may ask for the wish.
            let ended = self.0.take();
            if let Some(ended) = ended {
                ended.abort();
            }
        } else if self.0.borrow().is_none() {
            // A browser without AbortController has no module workers, either. If it had, it would not contribute.
            *self.0.borrow_mut() = AbortController::new().ok();
        }
    }

    /// The consent of now, to be looked at after every await and just before anything is sent; `None` if opted out.
    pub fn consent(&self) -> Option<Consent> {
        self.0.borrow().as_ref().map(|controller| Consent(controller.signal()))
    }
}

/// A consent that holds until the student opts out.
pub(super) struct Consent(AbortSignal);

impl Consent {
    /// Whether the student has not opted out since.
    pub fn holds(&self) -> bool {
        !self.0.aborted()
    }

    /// For a request that shall end with it.
    pub fn signal(&self) -> &AbortSignal {
        &self.0
    }
}
