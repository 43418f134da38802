//! Events for the tabs that listen, with a short memory for those that reconnect.
//!
//! Counts of updates are sent once a second at the most, the newest alone; transitions are sent at once, with the time over which
//! tabs spread their requests.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use emofed::protocol::{Event, EventMessage};
use tokio::sync::{Notify, broadcast};
use tokio::time::Instant;

/// How many past events are kept. A tab that missed more reads the manifest anyway.
const REMEMBERED: usize = 256;
/// How long no other count is sent after one.
const COUNT_INTERVAL: Duration = Duration::from_secs(1);
/// Requests a second that the tabs make together after an event.
const REQUESTS_PER_S: u64 = 500;
/// Longest spread.
const MAX_SPREAD_MS: u64 = 60_000;

/// An event and its id.
#[derive(Clone, Debug, PartialEq)]
pub struct Numbered {
    /// Counts up, also over restarts.
    pub id: u64,
    /// What is sent.
    pub message: EventMessage,
}

/// The log.
pub struct EventLog {
    state: Mutex<State>,
    sender: broadcast::Sender<Numbered>,
    observers: Arc<AtomicUsize>,
    /// There is a count to be sent.
    counted: Notify,
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
    /// Transitions: who comes back is told the present count anyway.
    past: VecDeque<Numbered>,
    /// The newest count, until it is sent.
    count: Option<Event>,
    /// When the next count may be sent; absent before the first.
    next_count_at: Option<Instant>,
}

impl EventLog {
    /// An empty log. Ids start at the time in microseconds, so that a restart never repeats one.
    pub fn new(now_s: u64) -> Self {
        let next_id = now_s.saturating_mul(1_000_000);
        let state = State { next_id, past: VecDeque::new(), count: None, next_count_at: None };
        Self {
            state: Mutex::new(state),
            sender: broadcast::channel(REMEMBERED).0,
            observers: Arc::default(),
            counted: Notify::new(),
        }
    }

    /// Sends a transition to all who listen, after the count that waits, so that the last count of a round comes before its end.
    pub fn push(&self, event: Event) {
        let mut state = self.state();
        self.send_count(&mut state);
        let message = EventMessage { event, within_ms: Some(spread_ms(self.listeners())) };
        let numbered = self.send(&mut state, message);
        if state.past.len() == REMEMBERED {
            state.past.pop_front();
        }
        state.past.push_back(numbered);
    }

    /// `round` has `received` updates now. [`Self::send_counts`] sends it, unless a newer count comes before.
    pub fn count(&self, round: u64, received: u32) {
        self.state().count = Some(Event::UpdateReceived { round, received });
        self.counted.notify_one();
    }

    /// Sends counts, for as long as it is polled: the first at once, and then at the most one in [`COUNT_INTERVAL`].
    pub async fn send_counts(&self) {
        loop {
            self.counted.notified().await;
            let next_at = self.state().next_count_at;
            if let Some(next_at) = next_at {
                tokio::time::sleep_until(next_at).await;
            }
            self.send_count(&mut self.state());
        }
    }

    fn send_count(&self, state: &mut State) {
        if let Some(event) = state.count.take() {
            state.next_count_at = Some(Instant::now() + COUNT_INTERVAL);
            self.send(state, EventMessage { event, within_ms: None });
        }
    }

    /// Sent under the lock, so that a subscriber gets each event exactly once.
    fn send(&self, state: &mut State, message: EventMessage) -> Numbered {
        let numbered = Numbered { id: state.next_id, message };
        state.next_id += 1;
        // Nobody listening is fine.
        let _ = self.sender.send(numbered.clone());
        numbered
    }

    /// Remembered transitions after `last_id`, and a receiver of all later events.
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

/// Over how many milliseconds `tabs` spread a request of each, for [`REQUESTS_PER_S`] together: 2 ms a tab, 20 s for 10,000.
pub fn spread_ms(tabs: usize) -> u32 {
    let ms = (tabs as u64).saturating_mul(1_000 / REQUESTS_PER_S).min(MAX_SPREAD_MS);
    u32::try_from(ms).unwrap_or(u32::MAX)
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

    /// What has come, and when.
    fn heard(receiver: &mut broadcast::Receiver<Numbered>) -> Vec<Event> {
        std::iter::from_fn(|| receiver.try_recv().ok()).map(|numbered| numbered.message.event).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn the_newest_count_is_sent_once_a_second_and_the_last_one_always() {
        let log = Arc::new(EventLog::new(0));
        let (_, mut later) = log.subscribe(None);
        let sending = tokio::spawn({
            let log = log.clone();
            async move { log.send_counts().await }
        });
        let count = |received| Event::UpdateReceived { round: 7, received };
        // A hundred in five seconds, then silence.
        let mut told = Vec::new();
        for received in 1..=100 {
            log.count(7, received);
            tokio::time::sleep(Duration::from_millis(50)).await;
            told.extend(heard(&mut later));
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        told.extend(heard(&mut later));
        assert!(told.len() <= 6, "at most one a second: {told:?}");
        assert_eq!((told.first(), told.last()), (Some(&count(1)), Some(&count(100))));
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(heard(&mut later), [], "each is sent once");

        // What waits is sent before the round's end.
        log.count(7, 101);
        tokio::task::yield_now().await;
        log.count(7, 102);
        let closed = Event::RoundClosed { round: 7, reason: emofed::protocol::CloseReason::Complete };
        log.push(closed.clone());
        assert_eq!(heard(&mut later), [count(101), count(102), closed]);
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(heard(&mut later), []);
        sending.abort();
    }

    #[test]
    fn the_spread_grows_with_the_class() {
        assert_eq!([0, 3, 100, 10_000, usize::MAX].map(spread_ms), [0, 6, 200, 20_000, 60_000]);
        let log = EventLog::new(0);
        let mut tabs: Vec<_> = (0..50).map(|_| log.subscribe(None).1).collect();
        log.push(Event::LectureChanged);
        assert_eq!(tabs[0].try_recv().unwrap().message.within_ms, Some(100));
    }
}
