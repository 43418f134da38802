//! *Forget me*: ends the participant's token at the aggregator, and deletes everything on the device. The session worker is
//! asked to stop first; the page does the rest itself, so that it works without one, too.

use std::rc::Rc;

use gloo::timers::callback::Timeout;
use wasm_bindgen_futures::spawn_local;

use super::Student;
use super::layout;
use super::tab_storage::SessionChoices;
use crate::browser::request::{Request, RequestError};
use crate::browser::storage::Storage;
use crate::messages::ToWorker;
use crate::messages::device::{self, StoredSession};
use crate::page::words::session::{Ending, TokenState};
use crate::page::{dom, l10n, words};
use crate::protocol::{ProblemCode, path};

/// How long to wait for the session worker, in milliseconds. It may be busy with a step of training.
const WORKER_TIMEOUT_MS: u32 = 3_000;
/// How long to wait for the aggregator, in milliseconds.
const AGGREGATOR_TIMEOUT_MS: u32 = 5_000;

impl Student {
    /// The student asks to be forgotten.
    pub(super) fn forget(self: &Rc<Self>) {
        self.forgetting.set(true);
        self.frames.stop();
        self.camera.stop();
        self.choice.take();
        SessionChoices::delete();
        l10n::forget_choice();
        layout::forget();
        self.notify_forgotten();
        if self.worker.borrow().is_none() {
            return self.forget_here();
        }
        self.post(&ToWorker::End { after_sending: false });
        let student = self.clone();
        Timeout::new(WORKER_TIMEOUT_MS, move || student.forget_here()).forget();
    }

    /// Terminates the worker, if there is one, and deletes. Does nothing unless the student has asked to be forgotten.
    pub(super) fn forget_here(self: &Rc<Self>) {
        if !self.forgetting.replace(false) {
            return;
        }
        // Dropped later: this may run inside one of the worker's own callbacks.
        let worker = self.worker.take();
        let student = self.clone();
        spawn_local(async move {
            drop(worker);
            // Another tab may be the leader, and may not have received the message.
            student.seize_leadership().await;
            let session = Storage::open().await.get_json::<StoredSession>(device::SESSION).await;
            let is_deleted = Storage::delete_all().await.is_ok();
            let token = end_token(session.map(|session| session.token)).await;
            student.leave(Ending::Forgotten { is_deleted, token });
            if !is_deleted {
                dom::problem(words::problem::storage_not_deleted);
            }
        });
    }
}

/// Asks the aggregator to end the token. This request is in no ledger: that is deleted, too.
async fn end_token(token: Option<String>) -> TokenState {
    let Some(token) = token else { return TokenState::None };
    let request =
        Request { token: Some(&token), keepalive: true, ..Request::new("DELETE", path::ME, AGGREGATOR_TIMEOUT_MS) };
    let response = match request.send().await {
        Ok(response) => response.accept().await,
        Err(error) => Err(error),
    };
    match response {
        Ok(_) => TokenState::Ended,
        // It has been ended before.
        Err(RequestError::Refused(problem)) if problem.code == ProblemCode::Unauthorized => TokenState::Ended,
        Err(_) => TokenState::Lost,
    }
}
