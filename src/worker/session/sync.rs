//! Synchronises the session with the aggregator's manifest. Events trigger a synchronisation, after a random time within the spread
//! that the aggregator gives; the manifest alone decides, and recovery from any failure is another synchronisation. The number of
//! updates that are in is what the manifest does not have: an event says it, and it causes no request.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use gloo::timers::callback::Timeout;
use gloo::timers::future::TimeoutFuture;
use js_sys::Date;
use wasm_bindgen_futures::spawn_local;

use super::manifest::ReceivedManifest;
use super::{Session, post, report_error};
use crate::browser::backoff::Backoff;
use crate::browser::event_stream::EventStream;
use crate::messages::{ConnectionReport, FromWorker, device};
use crate::protocol::{Event, EventMessage, ProblemCode};
use crate::worker::error::WorkerError;
use crate::worker::schedule;

/// How often to check whether an update has been sent, in milliseconds.
const SENDING_POLL_MS: u32 = 50;

#[derive(Default)]
pub(super) struct Sync {
    running: Cell<bool>,
    /// Another synchronisation follows the running one.
    again: Cell<bool>,
    /// The next synchronisation asks for the manifest.
    asks: Cell<bool>,
    /// When the manifest was last answered, in milliseconds of the clock.
    answered_at_ms: Cell<f64>,
    stopped: Cell<bool>,
    online: Cell<bool>,
    /// A synchronisation after an event waits for its random time.
    delayed: Cell<bool>,
    /// The round that the newest count of updates is of, and the count.
    count: Cell<(u64, u32)>,
    backoff: RefCell<Backoff>,
    retry: RefCell<Option<Timeout>>,
    events: RefCell<Option<EventStream>>,
}

impl Session {
    /// Synchronises, and subscribes to the aggregator's events if the page is visible; unsubscribes if it is not, since a
    /// browser limits the connections of all its tabs together. The schedule continues either way.
    pub(super) fn update_subscription(self: &Rc<Self>) {
        // The open stream is closed first.
        self.sync.events.take();
        if self.page.visible.get() {
            let weak = Rc::downgrade(self);
            let on_event = move |message: EventMessage| {
                if let Some(session) = weak.upgrade() {
                    session.on_event(&message);
                }
            };
            *self.sync.events.borrow_mut() = Some(EventStream::subscribe(on_event));
        }
        self.sync_soon();
    }

    fn on_event(self: &Rc<Self>, message: &EventMessage) {
        match message.event {
            Event::UpdateReceived { round, received } => {
                self.sync.count.set((round, received));
                let Some(manifest) = self.manifest.borrow().clone() else { return };
                match manifest.read.round.as_ref().map(|known| known.id) {
                    Some(known) if known == round => self.take_manifest(manifest),
                    Some(known) if known > round => {}
                    // It was opened while nothing was heard.
                    _ => self.sync_within(message.within_ms.unwrap_or_default()),
                }
            }
            _ => self.sync_within(message.within_ms.unwrap_or_default()),
        }
    }

    /// `manifest` with the number of updates that the events told of its round.
    pub(super) fn with_count(&self, mut manifest: ReceivedManifest) -> ReceivedManifest {
        let (id, received) = self.sync.count.get();
        if manifest.read.round.as_ref().is_some_and(|round| round.id == id) {
            manifest.set_received(received);
        }
        manifest
    }

    /// Synchronises after a random time below `within_ms`. Of several events within that time the first decides: the manifest has
    /// what all of them announce.
    fn sync_within(self: &Rc<Self>, within_ms: u32) {
        if self.sync.delayed.replace(true) {
            return;
        }
        let weak = Rc::downgrade(self);
        spawn_local(async move {
            TimeoutFuture::new(schedule::after_event_ms(js_sys::Math::random(), within_ms)).await;
            if let Some(session) = weak.upgrade() {
                session.sync.delayed.set(false);
                session.sync_soon();
            }
        });
    }

    /// Looks by the schedule at what is due, such as an update; and asks for the manifest, seldom where events come. Apart from it, only
    /// events and the student's own actions cause requests.
    pub(super) fn start_schedule(self: &Rc<Self>) {
        let weak = Rc::downgrade(self);
        spawn_local(async move {
            loop {
                TimeoutFuture::new(schedule::next_ms(js_sys::Math::random())).await;
                match weak.upgrade().filter(|session| !session.sync.stopped.get()) {
                    // After a failure the back-off decides when, and after an event its spread.
                    Some(session) if session.sync.retry.borrow().is_some() || session.sync.delayed.get() => {}
                    Some(session) => {
                        let since_ms = Date::now() - session.sync.answered_at_ms.get();
                        let has_events = session.sync.events.borrow().as_ref().is_some_and(EventStream::is_open);
                        match schedule::is_due(since_ms, has_events) {
                            true => session.sync_soon(),
                            false => session.work_soon(),
                        }
                    }
                    None => return,
                }
            }
        });
    }

    /// Stops everything that makes requests; with `after_sending`, once an update that is being sent has completed.
    pub(super) async fn stop(&self, after_sending: bool) {
        self.sync.stopped.set(true);
        self.sync.retry.take();
        self.sync.events.take();
        if after_sending {
            while self.contribution.borrow().sending {
                TimeoutFuture::new(SENDING_POLL_MS).await;
            }
        }
        if after_sending {
            self.keep_clips().await;
        }
        self.close_keeping().await;
        self.opt_in.set(false);
    }

    /// Synchronises now, or right after the synchronisation that is running.
    pub(super) fn sync_soon(self: &Rc<Self>) {
        self.sync.asks.set(true);
        self.work_soon();
    }

    /// Does what is due by the manifest that is known, or asks for it where that is due; now, or right after the one that is running.
    fn work_soon(self: &Rc<Self>) {
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
                session.keep_clips_soon();
                if failed || !session.sync.again.get() {
                    break;
                }
            }
            session.sync.running.set(false);
        });
    }

    async fn sync_once(self: &Rc<Self>) -> Result<(), WorkerError> {
        let answer = match self.sync.asks.replace(false) {
            true => self.aggregator.manifest().await.inspect(|_| self.sync.answered_at_ms.set(Date::now())),
            false => Ok(None),
        };
        match answer {
            Ok(Some(manifest)) => self.take_manifest(manifest),
            Ok(None) => {}
            Err(error) => {
                // Fine-tuning needs no aggregator: the update is ready, and stored, when it responds again.
                if error.is_transient() {
                    self.contribute_if_due().await?;
                }
                return Err(error);
            }
        }
        self.settle_contribution().await?;
        self.update_models().await?;
        match self.contribute_if_due().await {
            Err(error) if is_unknown_participant(&error) && !self.sync.stopped.get() => {
                self.storage.delete(device::SESSION).await;
                self.join().await?;
                self.contribute_if_due().await
            }
            result => result,
        }
    }

    fn report_sync(self: &Rc<Self>, result: Result<(), WorkerError>) {
        match result {
            Err(error) if error.is_transient() => {
                let delay_ms = self.sync.backoff.borrow_mut().next_ms(js_sys::Math::random(), error.retry_after_s());
                self.sync.online.set(false);
                post(&FromWorker::Connection(ConnectionReport { online: false, retry_in_ms: Some(delay_ms) }));
                let weak = Rc::downgrade(self);
                let retry = Timeout::new(u32::try_from(delay_ms).unwrap_or(u32::MAX), move || {
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
                    // The page ends this session then.
                    let is_fatal = matches!(error, WorkerError::FederationEnded);
                    report_error(&error, is_fatal);
                }
            }
        }
    }
}

/// Whether the aggregator does not know the participant (any more).
fn is_unknown_participant(error: &WorkerError) -> bool {
    error.code() == Some(ProblemCode::Unauthorized)
}
