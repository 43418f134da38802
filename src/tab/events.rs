//! The aggregator's event stream. A browser reconnects by itself after a connection that broke, but not after an answer
//! that is no stream (a proxy's 503): then the stream is opened anew, with back-off.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use gloo::events::EventListener;
use gloo::timers::future::TimeoutFuture;
use wasm_bindgen_futures::spawn_local;
use web_sys::EventSource;

use super::backoff::Backoff;
use crate::protocol::path;

/// A subscription; dropping it ends it.
pub struct Events(Rc<Stream>);

struct Stream {
    path: &'static str,
    hint: Box<dyn Fn()>,
    source: RefCell<Option<(EventSource, [EventListener; 3])>>,
    backoff: RefCell<Backoff>,
    waits: Cell<bool>,
}

impl Events {
    /// Subscribes; `hint` is called for each event. In a browser without `EventSource` it is never called.
    pub fn follow(hint: impl Fn() + 'static) -> Self {
        Self::follow_at(path::EVENTS, hint)
    }

    /// The same as one who is not counted among the tabs of the class.
    pub fn observe(hint: impl Fn() + 'static) -> Self {
        Self::follow_at(path::EVENTS_FOR_OBSERVERS, hint)
    }

    fn follow_at(path: &'static str, hint: impl Fn() + 'static) -> Self {
        let stream = Rc::new(Stream {
            path,
            hint: Box::new(hint),
            source: RefCell::default(),
            backoff: RefCell::default(),
            waits: Cell::default(),
        });
        stream.open();
        Self(stream)
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Stream {
    fn open(self: &Rc<Self>) {
        self.close();
        let Ok(source) = EventSource::new(self.path) else { return };
        let on = |event: &'static str, action: fn(&Rc<Self>)| {
            let stream = Rc::downgrade(self);
            EventListener::new(&source, event, move |_| {
                if let Some(stream) = stream.upgrade() {
                    action(&stream);
                }
            })
        };
        let listeners = [
            on("message", |stream| (stream.hint)()),
            on("open", |stream| stream.backoff.borrow_mut().reset()),
            on("error", |stream| stream.failed()),
        ];
        *self.source.borrow_mut() = Some((source, listeners));
    }

    fn close(&self) {
        if let Some((source, _)) = self.source.take() {
            source.close();
        }
    }

    /// Opens it anew, unless the browser does.
    fn failed(self: &Rc<Self>) {
        let is_closed = |(source, _): &(EventSource, _)| source.ready_state() == EventSource::CLOSED;
        if !self.source.borrow().as_ref().is_some_and(is_closed) || self.waits.replace(true) {
            return;
        }
        let wait_ms = self.backoff.borrow_mut().next_ms(js_sys::Math::random(), None);
        let stream = Rc::downgrade(self);
        spawn_local(async move {
            TimeoutFuture::new(u32::try_from(wait_ms).unwrap_or(u32::MAX)).await;
            if let Some(stream) = stream.upgrade() {
                stream.waits.set(false);
                stream.open();
            }
        });
    }
}
