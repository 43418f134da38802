//! Lets concurrent tasks go one after the other, in the order in which they came: frames that are extracted, records that are
//! written.

use std::cell::RefCell;

use futures_channel::oneshot::{Receiver, Sender, channel};

/// A chain of places, each released after the one before it.
#[derive(Default)]
pub(super) struct Sequencer {
    last: RefCell<Option<Receiver<()>>>,
}

/// A task's turn.
pub(super) struct Place {
    /// Dropping it wakes the next one.
    _release: Sender<()>,
}

impl Sequencer {
    /// Takes the next place. The future resolves when all earlier places are released, to this place, which is released when
    /// it or the future is dropped.
    pub fn enter(&self) -> impl Future<Output = Place> + use<> {
        let (release, next) = channel();
        let before = self.last.replace(Some(next));
        async move {
            if let Some(before) = before {
                // An error means that the place before was dropped, which releases it, too.
                let _ = before.await;
            }
            Place { _release: release }
        }
    }
}
