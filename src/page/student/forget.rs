//! Ends the participant's token at the aggregator, and deletes what is on the device. The session worker is asked to stop
//! first; the page does the rest by itself, so that it does not matter whether there still is one.

use std::rc::Rc;

use gloo::timers::callback::Timeout;
use wasm_bindgen_futures::spawn_local;

use super::Student;
use super::remember::Remembered;
use crate::page::dom;
use crate::protocol::{ProblemCode, path};
use crate::tab::message::ToWorker;
use crate::tab::request::{Call, RequestError};
use crate::tab::storage::Storage;

/// How long the session worker has, in milliseconds. It may be busy with a step of training.
const WORKER_MS: u32 = 3_000;
/// How long the aggregator has to answer, in milliseconds.
const AGGREGATOR_MS: u32 = 5_000;

/// What became of the token.
enum Token {
    /// There was none.
    None,
    /// The aggregator has ended it.
    Ended,
    /// The aggregator could not be told.
    Lost,
}

impl Student {
    /// The student wants to be forgotten.
    pub(super) fn forget(self: &Rc<Self>) {
        self.forgetting.set(true);
        self.frames.stop();
        self.camera.stop();
        self.choice.take();
        Remembered::forget();
        self.tell_forgotten();
        if self.worker.borrow().is_none() {
            return self.forget_here();
        }
        self.tell(&ToWorker::End { after_sending: false });
        let student = self.clone();
        Timeout::new(WORKER_MS, move || student.forget_here()).forget();
    }

    /// Ends the worker, if there is one, and deletes. Does nothing where nobody wants to be forgotten any more.
    pub(super) fn forget_here(self: &Rc<Self>) {
        if !self.forgetting.replace(false) {
            return;
        }
        // Dropped later: this may run inside one of the worker's own callbacks.
        let worker = self.worker.take();
        let student = self.clone();
        spawn_local(async move {
            drop(worker);
            // Another tab may lead, and not have heard.
            student.seize_lead().await;
            let session = Storage::open().await.session().await;
            let deleted = Storage::forget().await;
            let token = end_token(session.map(|session| session.token)).await;
            let told = match token {
                Token::None => "",
                Token::Ended => " The aggregator has ended this participant's token.",
                Token::Lost => {
                    " The aggregator did not answer, and still has this participant's token; nobody can use it any more."
                }
            };
            match deleted {
                Ok(()) => student.leave(&format!(
                    "Everything this page had stored on the device is deleted, and the camera is off.{told}"
                )),
                Err(_) => {
                    student.leave(&format!("The camera is off. Nothing more is computed or sent.{told}"));
                    let message = "The browser would not delete what this page has stored on the device.";
                    dom::problem(message, "Clear this site's data in the browser's settings.");
                }
            }
        });
    }
}

/// Tells the aggregator that the participant leaves. In no ledger: that is deleted, too.
async fn end_token(token: Option<String>) -> Token {
    let Some(token) = token else { return Token::None };
    let call = Call { token: Some(&token), keepalive: true, ..Call::new("DELETE", path::ME, AGGREGATOR_MS) };
    let answered = match call.send().await {
        Ok(answer) => answer.accept().await,
        Err(error) => Err(error),
    };
    match answered {
        Ok(_) => Token::Ended,
        // It was ended before.
        Err(RequestError::Refused(problem)) if problem.code == ProblemCode::Unauthorized => Token::Ended,
        Err(_) => Token::Lost,
    }
}
