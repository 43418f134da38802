//! Sends requests that carry a body or a credential. Each is written into the ledger on the device before it is sent, and
//! again when its outcome is known.

use std::cell::RefCell;
use std::rc::Rc;

use crate::browser::request::{Request, RequestError, Response};
use crate::browser::storage::Storage;
use crate::messages::device;
use crate::messages::ledger::{Ledger, Outcome, Payload};

/// The ledger, in memory and on the device.
pub struct RequestLog {
    ledger: RefCell<Ledger>,
    storage: Rc<Storage>,
    on_change: Box<dyn Fn(&Ledger)>,
}

impl RequestLog {
    /// Continues the ledger of earlier visits; `on_change` is called now and after every change.
    pub async fn resume(storage: Rc<Storage>, on_change: impl Fn(&Ledger) + 'static) -> Self {
        let mut ledger: Ledger = storage.get_json(device::LEDGER).await.unwrap_or_default();
        ledger.resume();
        let log = Self { ledger: RefCell::new(ledger), storage, on_change: Box::new(on_change) };
        log.save().await;
        log
    }

    /// Sends `request` with an entry in the ledger. `on_sending` is called just before it is sent; if its signal is aborted
    /// by then it is not sent, and has no entry.
    ///
    /// # Errors
    /// As for [`Request::send`].
    pub async fn send(
        &self,
        request: &Request<'_>,
        payload: Payload,
        on_sending: impl FnOnce(),
    ) -> Result<Response, RequestError> {
        let bytes = request.body.map_or(0, |(_, body)| body.len() as u64);
        let id = self.ledger.borrow_mut().open(js_sys::Date::now(), request.method, &request.address(), bytes, payload);
        self.save().await;
        self.keep_sent_update(id, request.body).await;
        if request.is_aborted() {
            self.ledger.borrow_mut().remove(id);
            self.save().await;
            self.storage.delete(&device::sent_update(id)).await;
            return Err(RequestError::Unreachable { detail: "aborted before it was sent".to_owned() });
        }
        on_sending();
        let result = request.send().await;
        let outcome = match &result {
            Ok(response) if response.is_success() => Outcome::Acknowledged { status: response.status() },
            Ok(response) => Outcome::Refused { status: response.status() },
            Err(_) if request.is_aborted() => Outcome::Aborted,
            Err(_) => Outcome::NoAnswer,
        };
        self.ledger.borrow_mut().close(id, outcome);
        self.save().await;
        result
    }

    /// Keeps the body of a request that carries a client update, and the newest ones of those before, for the student to look
    /// into.
    async fn keep_sent_update(&self, id: u64, body: Option<(&'static str, &[u8])>) {
        let kept: Vec<u64> = self.ledger.borrow().newest_updates(device::KEPT_SENT_UPDATES).collect();
        if let (Some(&newest), Some((_, body))) = (kept.first(), body)
            && newest == id
        {
            self.storage.put(&device::sent_update(id), body).await;
            let kept: Vec<String> = kept.into_iter().map(device::sent_update).collect();
            self.storage.retain(device::SENT_UPDATES, &kept).await;
        }
    }

    /// Stores the ledger. Where the browser stores nothing, it lasts as long as the tab.
    async fn save(&self) {
        let ledger = self.ledger.borrow().clone();
        (self.on_change)(&ledger);
        self.storage.put_json(device::LEDGER, &ledger).await;
    }
}
