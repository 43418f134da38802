//! The timeout after which an extractor is taken for lost, relative to how long it usually takes.

/// Shortest timeout, in milliseconds: the machine may be busy with something else.
const MIN_TIMEOUT_MS: f64 = 10_000.0;
/// Timeout as a multiple of the usual time.
const TIMEOUT_FACTOR: f64 = 20.0;
/// Timeout before a usual time is known, in milliseconds: compiling pipelines on a software adapter is slow.
const FIRST_TIMEOUT_MS: f64 = 120_000.0;
/// Share of a new time in the exponential mean, if it is longer than the mean or shorter. The first frames also compile, so
/// that the mean falls faster than it rises.
const LONGER_SHARE: f64 = 0.2;
const SHORTER_SHARE: f64 = 0.5;
/// A timer that fires so much later than asked for was suspended, with everything else, in milliseconds.
const SUSPENDED_MS: f64 = 2_000.0;

/// An exponential mean of an extractor's response times.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Watchdog {
    usual_ms: Option<f64>,
}

impl Watchdog {
    /// Takes in the time of a response.
    pub fn observe(&mut self, taken_ms: f64) {
        let usual_ms = self.usual_ms.unwrap_or(taken_ms);
        let share = if taken_ms > usual_ms { LONGER_SHARE } else { SHORTER_SHARE };
        self.usual_ms = Some(usual_ms + share * (taken_ms - usual_ms));
    }

    /// The timeout for the next response, in milliseconds.
    pub fn timeout_ms(&self) -> u32 {
        self.usual_ms.map_or(FIRST_TIMEOUT_MS, |usual_ms| (TIMEOUT_FACTOR * usual_ms).max(MIN_TIMEOUT_MS)) as u32
    }
}

/// Whether a timer of `timeout_ms` that fires after `elapsed_ms` means that there was no response. An overdue timer means
/// that the machine or this thread was suspended: the response may be queued behind it.
pub fn is_timeout(timeout_ms: u32, elapsed_ms: f64) -> bool {
    elapsed_ms < f64::from(timeout_ms) + SUSPENDED_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hung_device_is_noticed_by_what_a_frame_usually_takes() {
        let mut watchdog = Watchdog::default();
        assert_eq!(watchdog.timeout_ms(), 120_000);
        watchdog.observe(30.0);
        assert_eq!(watchdog.timeout_ms(), 10_000);
        let mut slow = Watchdog::default();
        (0..10).for_each(|_| slow.observe(7_000.0));
        assert_eq!(slow.timeout_ms(), 140_000);
        (0..20).for_each(|_| slow.observe(1_000.0));
        assert!((20_000..=20_001).contains(&slow.timeout_ms()), "{}", slow.timeout_ms());
    }

    #[test]
    fn a_timer_that_was_suspended_is_no_timeout() {
        assert!(is_timeout(10_000, 10_020.0));
        assert!(!is_timeout(10_000, 3_600_000.0));
    }
}
