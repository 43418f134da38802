//! Exponential back-off with jitter, between attempts to reach the aggregator or to load a script.

/// First wait, in milliseconds.
const FIRST_MS: u64 = 500;
/// Longest wait, in milliseconds.
const LONGEST_MS: u64 = 30_000;

/// Counts consecutive failures; the delay doubles with each.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The next delay in milliseconds: doubled with each failure up to 30 s, then shortened by up to half by `jitter` in
    /// [0, 1) so that tabs do not retry in step. It is never shorter than the server's `retry_after_s`.
    pub fn next_ms(&mut self, jitter: f64, retry_after_s: Option<u64>) -> u64 {
        let full = FIRST_MS.saturating_mul(1 << self.failures.min(16)).min(LONGEST_MS);
        self.failures += 1;
        let wait = full - (full as f64 * jitter.clamp(0.0, 1.0) / 2.0) as u64;
        wait.max(retry_after_s.unwrap_or(0).saturating_mul(1_000))
    }

    /// Whether there was a failure since the last success.
    pub fn has_failed(&self) -> bool {
        self.failures > 0
    }

    /// An attempt succeeded.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_the_longest_delay_and_restarts_after_a_success() {
        let mut backoff = Backoff::default();
        let waits: Vec<u64> = (0..9).map(|_| backoff.next_ms(0.0, None)).collect();
        assert_eq!(waits, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
        backoff.reset();
        assert_eq!(backoff.next_ms(0.0, None), 500);
    }

    #[test]
    fn jitter_shortens_by_half_at_most_and_retry_after_is_kept() {
        assert!((250..=500).contains(&Backoff::default().next_ms(0.999, None)));
        assert_eq!(Backoff::default().next_ms(0.9, Some(7)), 7_000);
    }
}
