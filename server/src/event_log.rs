//! Events for the tabs that listen, with a short memory for those that reconnect.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use emofed::protocol::Event;
use tokio::sync::broadcast;

/// How many past events are kept. A tab that missed more reads the manifest anyway.
const REMEMBERED: usize = 256;

/// An event and its id.
#[derive(Clone, Debug, PartialEq)]
pub struct Numbered {
    /// Counts up, also over restarts.
    pub id: u64,
    /// What happened.
    pub event: Event,
}

/// The log.
pub struct EventLog {
    state: Mutex<State>,
    sender: broadcast::Sender<Numbered>,
    observers: Arc<AtomicUsize>,
}

/// Listens without being counted, as long as it is kept.
pub struct Observer(Arc<AtomicUsize>);

impl Drop for Observer {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

struct State {
    next_id: u64,
    past: VecDeque<Numbered>,
}

impl EventLog {
    /// An empty log. Ids start at the time in microseconds, so that a restart never repeats one.
    pub fn new(now_s: u64) -> Self {
        let state = State { next_id: now_s.saturating_mul(1_000_000), past: VecDeque::new() };
        Self { state: Mutex::new(state), sender: broadcast::channel(REMEMBERED).0, observers: Arc::default() }
    }

    /// Adds an event and wakes who listens.
    pub fn push(&self, event: Event) {
        let mut state = self.state();
        let numbered = Numbered { id: state.next_id, event };
        state.next_id += 1;
        if state.past.len() == REMEMBERED {
            state.past.pop_front();
        }
        state.past.push_back(numbered.clone());
        // Sent under the lock, so that a subscriber gets each event exactly once. Nobody listening is fine.
        let _ = self.sender.send(numbered);
    }

    /// Remembered events after `last_id`, and a receiver of all later ones.
    pub fn subscribe(&self, last_id: Option<u64>) -> (Vec<Numbered>, broadcast::Receiver<Numbered>) {
        let state = self.state();
        let missed = last_id.map(|last| state.past.iter().filter(|event| event.id > last).cloned().collect());
        (missed.unwrap_or_default(), self.sender.subscribe())
    }

    /// One of those who listen is an observer.
    pub fn observe(&self) -> Observer {
        self.observers.fetch_add(1, Ordering::Relaxed);
        Observer(self.observers.clone())
    }

    /// How many listen who are no observers.
    pub fn listeners(&self) -> usize {
        self.sender.receiver_count().saturating_sub(self.observers.load(Ordering::Relaxed))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_that_comes_back_gets_what_it_missed_once() {
        let log = EventLog::new(0);
        for version in 1..=3 {
            log.push(Event::ModelPublished { version });
        }
        let (missed, mut later) = log.subscribe(Some(0));
        assert_eq!(missed.iter().map(|event| event.id).collect::<Vec<_>>(), [1, 2]);
        log.push(Event::ModelPublished { version: 4 });
        assert_eq!(later.try_recv().unwrap().id, 3);
        assert!(log.subscribe(None).0.is_empty());
    }

    #[test]
    fn observers_are_not_counted() {
        let log = EventLog::new(0);
        let (_, _tab) = log.subscribe(None);
        let (observer, later) = (log.observe(), log.subscribe(None).1);
        assert_eq!(log.listeners(), 1);
        drop((observer, later));
        assert_eq!(log.listeners(), 1);
    }
}
