//! What has left the tab: every request with a body or a credential, whatever became of it. No I/O.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// Most entries that are kept; the oldest goes first, the totals stay.
pub const MOST_ENTRIES: usize = 500;

/// The ledger, oldest entry first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// The newest entries.
    pub entries: VecDeque<Entry>,
    /// Requests in all.
    pub requests: u64,
    /// Bytes of bodies in all.
    pub bytes: u64,
    next_id: u64,
}

/// A request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Names the entry in this ledger.
    pub id: u64,
    /// When it was sent, in milliseconds since 1970.
    pub at_ms: f64,
    /// The method.
    pub method: String,
    /// Where it went, on the own origin.
    pub path: String,
    /// Length of the body in bytes.
    pub bytes: u64,
    /// What was in it.
    pub carried: Carried,
    /// What became of it.
    pub outcome: Outcome,
}

/// What a request carried.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Carried {
    /// The join code.
    pub join_code: bool,
    /// The participant's token.
    pub token: bool,
    /// A client update.
    pub update: Option<SentUpdate>,
}

/// What is in a client update.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SentUpdate {
    /// The round that it is for.
    pub round: u64,
    /// The number of clips.
    pub clips: u32,
    /// Names and shapes of the tensors.
    pub tensors: Vec<(String, Vec<usize>)>,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Outcome {
    /// No answer yet.
    UnderWay,
    /// It was accepted.
    Acknowledged {
        /// The answer's HTTP status.
        status: u16,
    },
    /// It was received, and not accepted.
    Refused {
        /// The answer's HTTP status.
        status: u16,
    },
    /// No answer came: it may have arrived.
    NoAnswer,
    /// The student opted out meanwhile: it may have arrived.
    Aborted,
}

impl Ledger {
    /// Adds a request that is about to be sent, and gives the entry's id.
    pub fn open(&mut self, at_ms: f64, method: &str, path: &str, bytes: u64, carried: Carried) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.requests += 1;
        self.bytes += bytes;
        if self.entries.len() == MOST_ENTRIES {
            self.entries.pop_front();
        }
        let (method, path) = (method.to_owned(), path.to_owned());
        self.entries.push_back(Entry { id, at_ms, method, path, bytes, carried, outcome: Outcome::UnderWay });
        id
    }

    /// The request was not sent after all.
    pub fn strike(&mut self, id: u64) {
        if let Some(at) = self.entries.iter().position(|entry| entry.id == id)
            && let Some(entry) = self.entries.remove(at)
        {
            self.requests -= 1;
            self.bytes -= entry.bytes;
        }
    }

    /// What became of the request is known.
    pub fn close(&mut self, id: u64, outcome: Outcome) {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.id == id) {
            entry.outcome = outcome;
        }
    }

    /// Takes over from an earlier visit, which hears no answers any more.
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
        ledger.open(0.0, "PUT", "/x", 10, Carried::default())
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
    fn what_had_no_answer_before_a_reload_gets_none_after_it() {
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
        let (_, struck) = (send(&mut ledger), send(&mut ledger));
        ledger.strike(struck);
        assert_eq!((ledger.entries.len(), ledger.requests, ledger.bytes), (1, 1, 10));
    }

    #[test]
    fn the_oldest_entries_go_and_the_totals_stay() {
        let mut ledger = Ledger::default();
        for _ in 0..MOST_ENTRIES + 3 {
            send(&mut ledger);
        }
        assert_eq!((ledger.entries.len(), ledger.entries[0].id), (MOST_ENTRIES, 3));
        assert_eq!((ledger.requests, ledger.bytes), (503, 5_030));
        // An entry that is gone is not closed.
        ledger.close(0, Outcome::NoAnswer);
    }
}
