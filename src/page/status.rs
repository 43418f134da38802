//! Status text: shown at once, and announced to screen readers only after it has been stable for a while. What changes with
//! every frame would otherwise be announced endlessly.
//!
//! The element with the id `x` is visible and hidden from screen readers; the one with the id `x-live` beside it is their
//! live region.

use std::cell::RefCell;
use std::collections::BTreeMap;

use gloo::timers::callback::Timeout;

use super::dom;

/// How long a text has to be stable before it is announced, in milliseconds.
const STABLE_MS: u32 = 1_500;

thread_local! {
    /// By element: the newest text, and the timer that announces it.
    static NEWEST: RefCell<BTreeMap<&'static str, (String, Timeout)>> = RefCell::default();
}

/// Shows `text` in the element with this id, and announces it once it is stable.
pub fn show(id: &'static str, text: &str) {
    show_as(id, text, text);
}

/// Shows one text and announces another, where a part of the first changes all the time.
pub fn show_as(id: &'static str, shown: &str, announced: &str) {
    dom::text(id, shown);
    NEWEST.with_borrow_mut(|newest| {
        if newest.get(id).is_some_and(|(text, _)| text == announced) {
            return;
        }
        let text = announced.to_owned();
        let timer = Timeout::new(STABLE_MS, move || dom::text(&format!("{id}-live"), &text));
        // Dropping the timer of the previous text cancels it.
        newest.insert(id, (announced.to_owned(), timer));
    });
}
