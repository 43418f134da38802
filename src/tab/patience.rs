//! How long an extractor is waited for, in relation to what it normally takes.

/// No extractor is given up sooner, in milliseconds: the machine may be busy with something else.
const SHORTEST_MS: f64 = 10_000.0;
/// How many times its usual time it may take.
const USUAL: f64 = 20.0;
/// Before anything is usual: compiling pipelines on a software adapter takes its time.
const FIRST_MS: f64 = 120_000.0;
/// How much of a new time goes into what is usual, if it is longer, and if it is shorter: the first frames also compile.
const LONGER: f64 = 0.2;
const SHORTER: f64 = 0.5;
/// A timer that fires so much later than asked for has slept, with all else, in milliseconds.
const SLEPT_MS: f64 = 2_000.0;

/// What is known of an extractor's times.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Patience {
    usual_ms: Option<f64>,
}

impl Patience {
    /// It took `taken_ms` to answer.
    pub fn learn(&mut self, taken_ms: f64) {
        let usual_ms = self.usual_ms.unwrap_or(taken_ms);
        let share = if taken_ms > usual_ms { LONGER } else { SHORTER };
        self.usual_ms = Some(usual_ms + share * (taken_ms - usual_ms));
    }

    /// How long the next answer may take, in milliseconds.
    pub fn limit_ms(&self) -> u32 {
        self.usual_ms.map_or(FIRST_MS, |usual_ms| (USUAL * usual_ms).max(SHORTEST_MS)) as u32
    }
}

/// Whether a timer of `timeout_ms` that fires after `elapsed_ms` tells of silence. One that is overdue tells that this machine or
/// this thread slept: the answer may be waiting behind it.
pub fn tells_of_silence(timeout_ms: u32, elapsed_ms: f64) -> bool {
    elapsed_ms < f64::from(timeout_ms) + SLEPT_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hung_card_is_noticed_by_what_a_frame_normally_takes() {
        let mut patience = Patience::default();
        assert_eq!(patience.limit_ms(), 120_000);
        patience.learn(30.0);
        assert_eq!(patience.limit_ms(), 10_000);
        let mut slow = Patience::default();
        (0..10).for_each(|_| slow.learn(7_000.0));
        assert_eq!(slow.limit_ms(), 140_000);
        (0..20).for_each(|_| slow.learn(1_000.0));
        assert!((20_000..=20_001).contains(&slow.limit_ms()), "{}", slow.limit_ms());
    }

    #[test]
    fn a_timer_that_slept_says_nothing() {
        assert!(tells_of_silence(10_000, 10_020.0));
        assert!(!tells_of_silence(10_000, 3_600_000.0));
    }
}
