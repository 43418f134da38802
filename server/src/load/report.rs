//! What came of it, for reading and as JSON.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The result of a load.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoadReport {
    /// Participants that were to join.
    pub participants: usize,
    /// Of whom so many contribute to each round.
    pub updates: usize,
    /// Decides who does what.
    pub seed: u64,
    /// How long it took.
    pub seconds: f64,
    /// Participants that joined and had an event stream.
    pub listened: usize,
    /// Rounds that ended.
    pub rounds_ended: usize,
    /// Updates that were acknowledged, by round.
    pub acknowledged: BTreeMap<u64, u32>,
    /// Updates that the published model was made of, by round.
    pub counted: BTreeMap<u64, u32>,
    /// How many updates came to what.
    pub outcomes: BTreeMap<String, u64>,
    /// What must not happen.
    pub unexpected: BTreeMap<String, u64>,
    /// Events that all participants heard together, by name.
    pub events: BTreeMap<String, u64>,
    /// Every kind of call.
    pub calls: Vec<CallFigures>,
}

/// Figures of one kind of call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallFigures {
    /// Its name.
    pub call: String,
    /// How many calls.
    pub count: usize,
    /// Of which so many had each status; 0: no answer.
    pub statuses: BTreeMap<u16, u64>,
    /// Median time to the answer's head, in milliseconds.
    pub p50_ms: f64,
    /// What 95 % stay below.
    pub p95_ms: f64,
    /// What 99 % stay below.
    pub p99_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

/// Times and statuses of one kind of call.
#[derive(Default)]
pub(super) struct Samples {
    statuses: BTreeMap<u16, u64>,
    ms: Vec<f32>,
}

impl Samples {
    pub fn add(&mut self, status: Option<u16>, took: Duration) {
        *self.statuses.entry(status.unwrap_or(0)).or_default() += 1;
        self.ms.push(took.as_secs_f32() * 1e3);
    }

    pub fn figures(&self, call: &str) -> CallFigures {
        let mut ms = self.ms.clone();
        ms.sort_by(f32::total_cmp);
        let at = |share: f64| {
            let index = (share * ms.len() as f64).ceil() as usize;
            f64::from(ms.get(index.clamp(1, ms.len().max(1)) - 1).copied().unwrap_or(0.0))
        };
        let (call, statuses) = (call.to_owned(), self.statuses.clone());
        let [p50_ms, p95_ms, p99_ms, max_ms] = [0.5, 0.95, 0.99, 1.0].map(at);
        CallFigures { call, count: ms.len(), statuses, p50_ms, p95_ms, p99_ms, max_ms }
    }
}

impl LoadReport {
    /// Whether everything went as it has to: all listened, all rounds ended, every acknowledged update is in its round's model, and
    /// nothing unexpected happened.
    pub fn is_as_expected(&self, rounds: u64) -> bool {
        let all_count = self.acknowledged.iter().all(|(round, sent)| self.counted.get(round) == Some(sent));
        let all_ended = self.rounds_ended as u64 == rounds && self.listened == self.participants;
        all_count && all_ended && self.unexpected.is_empty()
    }
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} of {} participants listened, {:.1} s", self.listened, self.participants, self.seconds)?;
        for (round, acknowledged) in &self.acknowledged {
            let counted =
                self.counted.get(round).map_or("no model".to_owned(), |counted| format!("{counted} in its model"));
            writeln!(f, "round {round}: {acknowledged} updates acknowledged, {counted}")?;
        }
        writeln!(f, "rounds ended: {}", self.rounds_ended)?;
        let head = ["call", "count", "p50 ms", "p95 ms", "p99 ms", "max ms", "statuses"];
        let [call, count, p50, p95, p99, max, statuses] = head;
        writeln!(f, "\n{call:<20} {count:>8} {p50:>9} {p95:>9} {p99:>9} {max:>9}  {statuses}")?;
        for CallFigures { call, count, statuses, p50_ms, p95_ms, p99_ms, max_ms } in &self.calls {
            let statuses: Vec<String> = statuses
                .iter()
                .map(|(status, count)| match status {
                    0 => format!("none {count}"),
                    status => format!("{status} {count}"),
                })
                .collect();
            let statuses = statuses.join(", ");
            writeln!(f, "{call:<20} {count:>8} {p50_ms:>9.1} {p95_ms:>9.1} {p99_ms:>9.1} {max_ms:>9.1}  {statuses}")?;
        }
        for (title, counts) in [("Updates", &self.outcomes), ("Events", &self.events), ("Unexpected", &self.unexpected)]
        {
            if !counts.is_empty() {
                writeln!(f, "\n{title}")?;
            }
            for (what, count) in counts {
                writeln!(f, "{count:>8}  {what}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_samples() {
        let mut samples = Samples::default();
        (1..=200).for_each(|ms| samples.add(Some(200), Duration::from_millis(ms)));
        samples.add(None, Duration::from_millis(500));
        let figures = samples.figures("update");
        assert_eq!(
            [figures.p50_ms, figures.p95_ms, figures.p99_ms, figures.max_ms].map(f64::round),
            [101.0, 191.0, 199.0, 500.0]
        );
        assert_eq!(figures.statuses, BTreeMap::from([(0, 1), (200, 200)]));
        assert_eq!(Samples::default().figures("none").max_ms, 0.0);
    }
}
