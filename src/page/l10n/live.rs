//! What is shown now and depends on the language, so that it can be shown again in another one. Text that never changes is
//! the markup's: see [`super::markup`].

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Shows something in the language of the moment.
type Show = Rc<dyn Fn()>;

thread_local! {
    /// By key, mostly the id of the element that shows it.
    static SHOWN: RefCell<BTreeMap<&'static str, Show>> = RefCell::default();
}

/// Calls `show` now, and again whenever the language changes, until something else is kept under this key.
pub fn keep(key: &'static str, show: impl Fn() + 'static) {
    keep_this(key, Rc::new(show));
}

fn keep_this(key: &'static str, show: Show) {
    SHOWN.with_borrow_mut(|shown| shown.insert(key, show.clone()));
    show();
}

/// What was kept under this key is not shown any more.
pub fn forget(key: &str) {
    SHOWN.with_borrow_mut(|shown| shown.remove(key));
}

/// The language has changed.
pub(super) fn show_again() {
    // Nothing is borrowed while they run: they may keep something themselves.
    let shown: Vec<Show> = SHOWN.with_borrow(|shown| shown.values().cloned().collect());
    shown.iter().for_each(|show| show());
}
