//! The ledger as it is kept on the device: written before a request is sent, and again when its outcome is known.

use std::cell::RefCell;
use std::rc::Rc;

use super::ledger::{Carried, Ledger, Outcome};
use super::storage::Storage;

/// The book of what has left the tab.
pub struct Book {
    ledger: RefCell<Ledger>,
    storage: Rc<Storage>,
    changed: Box<dyn Fn(&Ledger)>,
}

impl Book {
    /// Takes up the book of earlier visits; `changed` hears of every change.
    pub async fn resume(storage: Rc<Storage>, changed: impl Fn(&Ledger) + 'static) -> Self {
        let mut ledger = storage.ledger().await.unwrap_or_default();
        ledger.resume();
        let book = Self { ledger: RefCell::new(ledger), storage, changed: Box::new(changed) };
        book.save().await;
        book
    }

    /// A request with this content is about to be sent. Gives the entry's id.
    pub async fn open(&self, method: &str, path: &str, bytes: u64, carried: Carried) -> u64 {
        let id = self.ledger.borrow_mut().open(js_sys::Date::now(), method, path, bytes, carried);
        self.save().await;
        id
    }

    /// It was not sent after all.
    pub async fn strike(&self, id: u64) {
        self.ledger.borrow_mut().strike(id);
        self.save().await;
    }

    /// This became of it.
    pub async fn close(&self, id: u64, outcome: Outcome) {
        self.ledger.borrow_mut().close(id, outcome);
        self.save().await;
    }

    /// Tells and writes. A browser that keeps nothing on the device loses it with the tab.
    async fn save(&self) {
        let ledger = self.ledger.borrow().clone();
        (self.changed)(&ledger);
        self.storage.save_ledger(&ledger).await;
    }
}
