//! The aggregator's server-sent events. A browser reconnects by itself after a broken connection, but not after a response
//! that is not an event stream (a proxy's 503); then the stream is reopened here, with back-off.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use gloo::events::EventListener;
use gloo::timers::future::TimeoutFuture;
use wasm_bindgen::JsCast as _;
use wasm_bindgen_futures::spawn_local;
use web_sys::{EventSource, MessageEvent};

use super::backoff::Backoff;
use super::js;
use crate::protocol::{Event, EventMessage, path};

/// A subscription; dropping it closes the stream.
pub struct EventStream(Rc<Stream>);

struct Stream {
    path: &'static str,
    on_event: Box<dyn Fn(EventMessage)>,
    source: RefCell<Option<(EventSource, [EventListener; 3])>>,
    backoff: RefCell<Backoff>,
    /// A reopening is scheduled.
    reopening: Cell<bool>,
    /// It was open before: what came meanwhile may be lost.
    was_open: Cell<bool>,
    /// The newest spread that an event had, in milliseconds: how many tabs there are, as time.
    spread_ms: Cell<u32>,
}

impl EventStream {
    /// Subscribes as a participant's tab; `on_event` is called for each event. In a browser without `EventSource` it is
    /// never called.
    pub fn subscribe(on_event: impl Fn(EventMessage) + 'static) -> Self {
        Self::subscribe_at(path::EVENTS, on_event)
    }

    /// Subscribes without being counted among the connected tabs: for the instructor's page.
    pub fn observe(on_event: impl Fn(Event) + 'static) -> Self {
        Self::subscribe_at(path::EVENTS_FOR_OBSERVERS, move |message| on_event(message.event))
    }

    /// Whether events can come now, as far as the browser knows.
    pub fn is_open(&self) -> bool {
        self.0.source.borrow().as_ref().is_some_and(|(source, _)| source.ready_state() == EventSource::OPEN)
    }

    fn subscribe_at(path: &'static str, on_event: impl Fn(EventMessage) + 'static) -> Self {
        let stream = Rc::new(Stream {
            path,
            on_event: Box::new(on_event),
            source: RefCell::default(),
            backoff: RefCell::default(),
            reopening: Cell::default(),
            was_open: Cell::default(),
            spread_ms: Cell::default(),
        });
        stream.open();
        Self(stream)
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Stream {
    fn open(self: &Rc<Self>) {
        self.close();
        let Ok(source) = EventSource::new(&(js::prefix() + self.path)) else { return };
        let on = |event: &'static str, action: fn(&Rc<Self>, &web_sys::Event)| {
            let stream = Rc::downgrade(self);
            EventListener::new(&source, event, move |event| {
                if let Some(stream) = stream.upgrade() {
                    action(&stream, event);
                }
            })
        };
        let listeners = [
            on("message", |stream, event| stream.received(event)),
            on("open", |stream, _| stream.opened()),
            on("error", |stream, _| stream.failed()),
        ];
        *self.source.borrow_mut() = Some((source, listeners));
    }

    fn close(&self) {
        if let Some((source, _)) = self.source.take() {
            source.close();
        }
    }

    fn opened(&self) {
        self.backoff.borrow_mut().reset();
        if self.was_open.replace(true) {
            // An aggregator that was started anew does not know what was missed.
            (self.on_event)(EventMessage { event: Event::Unknown, within_ms: Some(self.spread_ms.get()) });
        }
    }

    fn received(&self, event: &web_sys::Event) {
        let data = event.dyn_ref::<MessageEvent>().and_then(|event| event.data().as_string());
        // What cannot be read is no less a hint that something has changed.
        let message = EventMessage::read(&data.unwrap_or_default());
        if let Some(within_ms) = message.within_ms {
            self.spread_ms.set(within_ms);
        }
        (self.on_event)(message);
    }

    /// Schedules reopening, unless the browser reconnects by itself.
    fn failed(self: &Rc<Self>) {
        let is_closed = |(source, _): &(EventSource, _)| source.ready_state() == EventSource::CLOSED;
        if !self.source.borrow().as_ref().is_some_and(is_closed) || self.reopening.replace(true) {
            return;
        }
        // All tabs lose their streams at once when the aggregator stops: the larger the class, the further apart they come back.
        let spread_ms = js_sys::Math::random() * f64::from(self.spread_ms.get());
        let wait_ms = self.backoff.borrow_mut().next_ms(js_sys::Math::random(), None) + spread_ms as u64;
        let stream = Rc::downgrade(self);
        spawn_local(async move {
            TimeoutFuture::new(u32::try_from(wait_ms).unwrap_or(u32::MAX)).await;
            if let Some(stream) = stream.upgrade() {
                stream.reopening.set(false);
                stream.open();
            }
        });
    }
}
