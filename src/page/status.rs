//! Status text: shown at once, and announced to screen readers only after it has been stable for a while. What changes with
//! every frame would otherwise be announced endlessly.
//!
//! The element with the id `x` is visible and hidden from screen readers; the one with the id `x-live` beside it is their
//! live region.

use std::cell::RefCell;
use std::collections::BTreeMap;

use gloo::timers::callback::Timeout;

use super::{dom, l10n};

/// How long a text has to be stable before it is announced, in milliseconds.
const STABLE_MS: u32 = 1_500;

thread_local! {
    /// By element: the newest text, and the timer that announces it.
    static NEWEST: RefCell<BTreeMap<&'static str, (String, Timeout)>> = RefCell::default();
}

/// Shows what `words` say in the element with this id, and announces it once it is stable; both again in another language.
pub fn show(id: &'static str, words: impl Fn() -> String + 'static) {
    show_these(id, Box::new(words));
}

fn show_these(id: &'static str, words: Box<dyn Fn() -> String>) {
    l10n::keep(id, move || {
        let words = words();
        set(id, &words, &words);
    });
}

/// Shows one text and announces another, where a part of the first changes all the time. `words` return both, in this order.
pub fn show_as(id: &'static str, words: impl Fn() -> (String, String) + 'static) {
    l10n::keep(id, move || {
        let (shown, announced) = words();
        set(id, &shown, &announced);
    });
}

/// Shows and announces nothing.
pub fn clear(id: &'static str) {
    show(id, String::new);
}

fn set(id: &'static str, shown: &str, announced: &str) {
    dom::set_text(id, shown);
    NEWEST.with_borrow_mut(|newest| {
        if newest.get(id).is_some_and(|(text, _)| text == announced) {
            return;
        }
        let text = announced.to_owned();
        let timer = Timeout::new(STABLE_MS, move || dom::set_text(&format!("{id}-live"), &text));
        // Dropping the timer of the previous text cancels it.
        newest.insert(id, (announced.to_owned(), timer));
    });
}
