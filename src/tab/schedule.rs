//! When the tab asks for the manifest unasked: always alike, so that the times of its requests tell nothing of what the
//! camera saw.

/// Mean time between two requests, in milliseconds.
const MEAN_MS: f64 = 5_000.0;
/// How far a time may be off the mean, as a share of it.
const JITTER: f64 = 0.2;

/// The next wait in milliseconds: around the mean by `random` in [0, 1), so that tabs do not ask all at once. It depends on
/// nothing else.
pub fn next_ms(random: f64) -> u32 {
    let jitter = JITTER * (2.0 * random.clamp(0.0, 1.0) - 1.0);
    (MEAN_MS * (1.0 + jitter)).round() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_spread_around_the_mean() {
        assert_eq!([0.0, 0.5, 1.0].map(next_ms), [4_000, 5_000, 6_000]);
    }
}
