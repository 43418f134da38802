//! Lets what is finished out of order go on in order.

use std::cell::RefCell;

use futures_channel::oneshot::{Receiver, channel};

/// A queue.
#[derive(Default)]
pub(super) struct Turns {
    last: RefCell<Option<Receiver<()>>>,
}

impl Turns {
    /// Takes a place. The future ends when all places taken earlier are given up; its own is, when it is over or dropped.
    pub fn enter(&self) -> impl Future<Output = ()> + use<> {
        let (given_up, next) = channel();
        let before = self.last.replace(Some(next));
        async move {
            if let Some(before) = before {
                // An error says that the place before was given up, too.
                let _ = before.await;
            }
            drop(given_up);
        }
    }
}
