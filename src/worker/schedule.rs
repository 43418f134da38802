//! The schedule of manifest requests. It does not depend on anything else, so that the times of a tab's requests reveal
//! nothing about what its camera saw.

/// Mean interval, in milliseconds.
const MEAN_MS: f64 = 5_000.0;
/// Largest deviation from the mean, as a share of it.
const JITTER: f64 = 0.2;

/// The next interval in milliseconds, spread around the mean by `random` in [0, 1), so that tabs do not ask in step.
pub fn next_ms(random: f64) -> u32 {
    let jitter = JITTER * (2.0 * random.clamp(0.0, 1.0) - 1.0);
    (MEAN_MS * (1.0 + jitter)).round() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_spread_around_the_mean() {
        assert_eq!([0.0, 0.5, 1.0].map(next_ms), [4_000, 5_000, 6_000]);
    }
}
