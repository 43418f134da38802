//! Keeps the tab in step with the aggregator: events are hints, the manifest is the truth, and asking again after a
//! failure is all there is to recovery.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use gloo::timers::callback::Timeout;
use gloo::timers::future::TimeoutFuture;
use wasm_bindgen_futures::spawn_local;

use super::{Session, post, problem};
use crate::protocol::ProblemCode;
use crate::tab::backoff::Backoff;
use crate::tab::error::TabError;
use crate::tab::events::Events;
use crate::tab::message::{ConnectionReport, FromWorker};
use crate::tab::schedule;

/// How often to look whether an update is there, in milliseconds.
const SENDING_POLL_MS: u32 = 50;

#[derive(Default)]
pub(super) struct Sync {
    running: Cell<bool>,
    again: Cell<bool>,
    stopped: Cell<bool>,
    online: Cell<bool>,
    backoff: RefCell<Backoff>,
    retry: RefCell<Option<Timeout>>,
    events: RefCell<Option<Events>>,
}

impl Session {
    /// Syncs, and subscribes to the aggregator's events where the page can be seen; unsubscribes where it cannot, since a
    /// browser has only so many connections for all its tabs. The schedule goes on either way.
    pub(super) fn follow_events(self: &Rc<Self>) {
        // What was open is closed first.
        self.sync.events.take();
        if self.visible.get() {
            let weak = Rc::downgrade(self);
            let hint = move || {
                if let Some(session) = weak.upgrade() {
                    session.sync_soon();
                }
            };
            *self.sync.events.borrow_mut() = Some(Events::follow(hint));
        }
        self.sync_soon();
    }

    /// Asks by the schedule, in case no event gets through. Nothing else but events and what the student does leads to a
    /// request.
    pub(super) fn follow_schedule(self: &Rc<Self>) {
        let weak = Rc::downgrade(self);
        spawn_local(async move {
            loop {
                TimeoutFuture::new(schedule::next_ms(js_sys::Math::random())).await;
                match weak.upgrade().filter(|session| !session.sync.stopped.get()) {
                    // After a failure, the back-off says when.
                    Some(session) if session.sync.retry.borrow().is_some() => {}
                    Some(session) => session.sync_soon(),
                    None => return,
                }
            }
        });
    }

    /// Ends everything that would call the aggregator; an update that is being sent gets there first if it may.
    pub(super) async fn stop(&self, after_sending: bool) {
        self.sync.stopped.set(true);
        self.sync.retry.take();
        self.sync.events.take();
        if after_sending {
            while self.contribution.borrow().sending {
                TimeoutFuture::new(SENDING_POLL_MS).await;
            }
        }
        self.wish.set(false);
    }

    /// Syncs now, or right after the sync that is running.
    pub(super) fn sync_soon(self: &Rc<Self>) {
        if self.sync.running.replace(true) {
            self.sync.again.set(true);
            return;
        }
        let session = self.clone();
        spawn_local(async move {
            loop {
                session.sync.again.set(false);
                let result = if session.sync.stopped.get() { Ok(()) } else { session.sync_once().await };
                let failed = result.is_err();
                session.report_sync(result);
                if failed || !session.sync.again.get() {
                    break;
                }
            }
            session.sync.running.set(false);
        });
    }

    async fn sync_once(self: &Rc<Self>) -> Result<(), TabError> {
        match self.aggregator.manifest().await {
            Ok(Some(manifest)) => self.take_manifest(manifest),
            Ok(None) => {}
            Err(error) => {
                // Training needs no aggregator: the update is ready, and on the device, when it comes back.
                if error.is_transient() {
                    self.contribute_if_due().await?;
                }
                return Err(error);
            }
        }
        self.settle_contribution().await?;
        self.follow_models().await?;
        match self.contribute_if_due().await {
            Err(error) if is_unknown_participant(&error) && !self.sync.stopped.get() => {
                self.storage.delete_session().await;
                self.join().await?;
                self.contribute_if_due().await
            }
            result => result,
        }
    }

    fn report_sync(self: &Rc<Self>, result: Result<(), TabError>) {
        match result {
            Err(error) if error.is_transient() => {
                let wait_ms = self.sync.backoff.borrow_mut().next_ms(js_sys::Math::random(), error.retry_after_s());
                self.sync.online.set(false);
                post(&FromWorker::Connection(ConnectionReport { online: false, retry_in_ms: Some(wait_ms) }));
                let weak = Rc::downgrade(self);
                let retry = Timeout::new(u32::try_from(wait_ms).unwrap_or(u32::MAX), move || {
                    if let Some(session) = weak.upgrade() {
                        session.sync_soon();
                    }
                });
                *self.sync.retry.borrow_mut() = Some(retry);
            }
            result => {
                self.sync.backoff.borrow_mut().reset();
                self.sync.retry.take();
                if !self.sync.online.replace(true) {
                    post(&FromWorker::Connection(ConnectionReport { online: true, retry_in_ms: None }));
                }
                if let Err(error) = result {
                    problem(error.report(false));
                }
            }
        }
    }
}

/// Whether the participant is not, or no longer, known to the aggregator.
fn is_unknown_participant(error: &TabError) -> bool {
    error.code() == Some(ProblemCode::Unauthorized)
}
