//! States in words: shown at once, read out only once they have held for a while. What changes with every frame would
//! otherwise be read out without an end.
//!
//! The element with the id `x` is what is seen (hidden from screen readers), the one with the id `x-live` beside it is
//! their live region.

use std::cell::RefCell;
use std::collections::BTreeMap;

use gloo::timers::callback::Timeout;

use super::dom;

/// How long words have to hold before they are read out, in milliseconds.
const HOLD_MS: u32 = 1_500;

thread_local! {
    /// By element: the newest words, and what reads them out if nothing else comes.
    static NEWEST: RefCell<BTreeMap<&'static str, (String, Timeout)>> = RefCell::default();
}

/// Shows `words` in the element with this id, and has them read out if they hold.
pub fn show(id: &'static str, words: &str) {
    show_as(id, words, words);
}

/// Shows one thing and has another read out, as where a part changes all the time.
pub fn show_as(id: &'static str, shown: &str, spoken: &str) {
    dom::text(id, shown);
    NEWEST.with_borrow_mut(|newest| {
        if newest.get(id).is_some_and(|(words, _)| words == spoken) {
            return;
        }
        let words = spoken.to_owned();
        let timer = Timeout::new(HOLD_MS, move || dom::text(&format!("{id}-live"), &words));
        // Dropping the timer of the words before cancels it.
        newest.insert(id, (spoken.to_owned(), timer));
    });
}
