//! The ledger: what has left the tab. It has an entry for every request with a body or a credential, whatever its outcome.
//! No I/O; `worker::request_log` stores it.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// Maximum number of entries; the oldest is removed first, and the totals stay.
pub const MAX_ENTRIES: usize = 500;

/// The ledger, oldest entry first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// The newest entries.
    pub entries: VecDeque<Entry>,
    /// Number of requests, including those whose entries were removed.
    pub requests: u64,
    /// Sum of the lengths of all bodies, in bytes.
    pub bytes: u64,
    next_id: u64,
}

/// A request and its outcome.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Unique in this ledger.
    pub id: u64,
    /// When it was sent, in milliseconds since 1970.
    pub at_ms: f64,
    /// HTTP method.
    pub method: String,
    /// Path on this origin.
    pub path: String,
    /// Length of the body in bytes.
    pub bytes: u64,
    /// What it carried.
    #[serde(alias = "carried")]
    pub payload: Payload,
    /// Its outcome.
    pub outcome: Outcome,
}

/// What a request carried.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Payload {
    /// The join code.
    #[serde(alias = "class_code")]
    pub join_code: bool,
    /// The participant's token.
    pub token: bool,
    /// A client update.
    pub update: Option<SentUpdate>,
}

/// What is in a client update.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SentUpdate {
    /// Its round.
    pub round: u64,
    /// The number of clips it was trained on.
    pub clips: u32,
    /// Names and shapes of the tensors.
    pub tensors: Vec<(String, Vec<usize>)>,
}

/// The outcome of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Outcome {
    /// No response yet.
    UnderWay,
    /// It was accepted.
    Acknowledged {
        /// The response's HTTP status.
        status: u16,
    },
    /// It was received and not accepted.
    Refused {
        /// The response's HTTP status.
        status: u16,
    },
    /// There was no response: it may have arrived.
    NoAnswer,
    /// The student opted out meanwhile: it may have arrived.
    Aborted,
}

impl Ledger {
    /// Adds a request that is about to be sent; returns the entry's id.
    pub fn open(&mut self, at_ms: f64, method: &str, path: &str, bytes: u64, payload: Payload) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.requests += 1;
        self.bytes += bytes;
        if self.entries.len() == MAX_ENTRIES {
            self.entries.pop_front();
        }
        let (method, path) = (method.to_owned(), path.to_owned());
        self.entries.push_back(Entry { id, at_ms, method, path, bytes, payload, outcome: Outcome::UnderWay });
        id
    }

    /// Removes the entry of a request that was not sent after all.
    pub fn remove(&mut self, id: u64) {
        if let Some(at) = self.entries.iter().position(|entry| entry.id == id)
            && let Some(entry) = self.entries.remove(at)
        {
            self.requests -= 1;
            self.bytes -= entry.bytes;
        }
    }

    /// Records the outcome of a request.
    pub fn close(&mut self, id: u64, outcome: Outcome) {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.id == id) {
            entry.outcome = outcome;
        }
    }

    /// Continues the ledger of an earlier visit: requests that were under way then will get no response any more.
    pub fn resume(&mut self) {
        for entry in self.entries.iter_mut().filter(|entry| entry.outcome == Outcome::UnderWay) {
            entry.outcome = Outcome::NoAnswer;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn send(ledger: &mut Ledger) -> u64 {
        ledger.open(0.0, "PUT", "/x", 10, Payload::default())
    }

    #[test]
    fn every_request_has_an_outcome_of_its_own() {
        let mut ledger = Ledger::default();
        let ids = [(); 3].map(|()| send(&mut ledger));
        ledger.close(ids[1], Outcome::Refused { status: 422 });
        ledger.close(ids[0], Outcome::Acknowledged { status: 200 });
        let outcomes: Vec<Outcome> = ledger.entries.iter().map(|entry| entry.outcome).collect();
        let expected = [Outcome::Acknowledged { status: 200 }, Outcome::Refused { status: 422 }, Outcome::UnderWay];
        assert_eq!(outcomes, expected);
    }

    #[test]
    fn requests_under_way_before_a_reload_have_no_answer_after_it() {
        let mut ledger = Ledger::default();
        let (first, _) = (send(&mut ledger), send(&mut ledger));
        ledger.close(first, Outcome::Aborted);
        let json = serde_json::to_string(&ledger).unwrap();
        let mut ledger: Ledger = serde_json::from_str(&json).unwrap();
        ledger.resume();
        let outcomes: Vec<Outcome> = ledger.entries.iter().map(|entry| entry.outcome).collect();
        assert_eq!(outcomes, [Outcome::Aborted, Outcome::NoAnswer]);
        assert_eq!(send(&mut ledger), 2, "ids go on");
    }

    #[test]
    fn a_request_that_was_not_sent_is_in_no_total() {
        let mut ledger = Ledger::default();
        let (_, removed) = (send(&mut ledger), send(&mut ledger));
        ledger.remove(removed);
        assert_eq!((ledger.entries.len(), ledger.requests, ledger.bytes), (1, 1, 10));
    }

    #[test]
    fn the_oldest_entries_go_and_the_totals_stay() {
        let mut ledger = Ledger::default();
        for _ in 0..MAX_ENTRIES + 3 {
            send(&mut ledger);
        }
        assert_eq!((ledger.entries.len(), ledger.entries[0].id), (MAX_ENTRIES, 3));
        assert_eq!((ledger.requests, ledger.bytes), (503, 5_030));
        // An entry that is gone is not closed.
        ledger.close(0, Outcome::NoAnswer);
    }
}
