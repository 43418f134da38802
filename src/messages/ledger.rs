//! The ledger: what has left the tab. It has an entry for every request with a body or a credential, whatever its outcome.
//! No I/O; `worker::request_log` stores it.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::protocol::ClientMetrics;

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
    /// The client metrics that went with it.
    #[serde(default)]
    pub metrics: Option<ClientMetrics>,
    /// What is in it.
    pub tensors: Vec<SentTensor>,
}

/// A tensor of a client update, with figures of its values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SentTensor {
    /// Its name.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Figures of its values.
    pub figures: TensorFigures,
}

/// Figures of a tensor's values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TensorFigures {
    /// Euclidean norm.
    pub norm: f64,
    /// Largest absolute value.
    pub largest: f64,
    /// Numbers of values in equal parts of the range from `-largest` to `largest`.
    pub histogram: Vec<u32>,
}

impl TensorFigures {
    /// Parts of the histogram. An odd number: the middle one has the values near zero.
    pub const PARTS: usize = 21;

    /// Figures of `values`.
    pub fn of(values: &[f32]) -> Self {
        let largest = values.iter().fold(0.0_f64, |largest, value| largest.max(f64::from(value.abs())));
        let mut histogram = vec![0; Self::PARTS];
        for value in values {
            let share = if largest > 0.0 { (f64::from(*value) / largest + 1.0) / 2.0 } else { 0.5 };
            histogram[((share * Self::PARTS as f64) as usize).min(Self::PARTS - 1)] += 1;
        }
        let norm = values.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
        Self { norm, largest, histogram }
    }
}

/// The outcome of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", try_from = "OutcomeFields")]
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

/// What an [`Outcome`] consists of, to be read in little code.
#[derive(Deserialize)]
struct OutcomeFields {
    kind: String,
    status: Option<u16>,
}

impl TryFrom<OutcomeFields> for Outcome {
    type Error = &'static str;

    fn try_from(OutcomeFields { kind, status }: OutcomeFields) -> Result<Self, Self::Error> {
        Ok(match (kind.as_str(), status) {
            ("under-way", _) => Self::UnderWay,
            ("acknowledged", Some(status)) => Self::Acknowledged { status },
            ("refused", Some(status)) => Self::Refused { status },
            ("no-answer", _) => Self::NoAnswer,
            ("aborted", _) => Self::Aborted,
            _ => return Err("no outcome of a request"),
        })
    }
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

    /// Ids of the newest `limit` entries that carried a client update, newest first.
    pub fn newest_updates(&self, limit: usize) -> impl Iterator<Item = u64> {
        self.entries.iter().rev().filter(|entry| entry.payload.update.is_some()).map(|entry| entry.id).take(limit)
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
    fn figures_of_tensors() {
        let figures = TensorFigures::of(&[-2.0, 0.0, 0.01, 2.0, 1.0]);
        assert!(figures.largest == 2.0 && (figures.norm.powi(2) - 9.0001).abs() < 1e-6, "{figures:?}");
        let [low, middle, high] =
            [0, TensorFigures::PARTS / 2, TensorFigures::PARTS - 1].map(|part| figures.histogram[part]);
        assert_eq!((low, middle, high, figures.histogram.iter().sum::<u32>()), (1, 2, 1, 5));
        let zeros = TensorFigures::of(&[0.0; 3]);
        assert_eq!((zeros.norm, zeros.histogram[TensorFigures::PARTS / 2]), (0.0, 3));
    }

    #[test]
    fn the_newest_updates_are_known() {
        let mut ledger = Ledger::default();
        let update = |round| Payload {
            update: Some(SentUpdate { round, clips: 1, metrics: None, tensors: Vec::new() }),
            ..Payload::default()
        };
        for round in 0..4 {
            ledger.open(0.0, "PUT", "/x", 10, update(round));
            send(&mut ledger);
        }
        assert_eq!(ledger.newest_updates(2).collect::<Vec<_>>(), [6, 4]);
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
