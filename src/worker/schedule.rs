//! When the manifest is asked for: by a schedule, which depends on nothing but whether events come, so that the times of a tab's requests
//! reveal nothing about what its camera saw; and after an event, spread over the time that the event gives.

/// Mean interval between two looks at what is due, in milliseconds. Without an event stream each asks for the manifest.
const MEAN_MS: f64 = 5_000.0;
/// With an event stream the manifest is asked for after so long without an answer, in milliseconds: a connection may be broken
/// without the browser noticing.
const WITH_EVENTS_MS: f64 = 60_000.0;
/// Largest deviation from the mean, as a share of it.
const JITTER: f64 = 0.2;

/// The next interval in milliseconds, spread around the mean by `random` in [0, 1), so that tabs do not ask in step.
pub fn next_ms(random: f64) -> u32 {
    let jitter = JITTER * (2.0 * random.clamp(0.0, 1.0) - 1.0);
    (MEAN_MS * (1.0 + jitter)).round() as u32
}

/// Whether to ask for the manifest, `since_ms` after its last answer by the clock, which may have been set back since.
pub fn is_due(since_ms: f64, has_events: bool) -> bool {
    !has_events || !(0.0..WITH_EVENTS_MS).contains(&since_ms)
}

/// How long to wait after an event whose spread is `within_ms`: less than that, at `random` in [0, 1).
pub fn after_event_ms(random: f64, within_ms: u32) -> u32 {
    (f64::from(within_ms) * random.clamp(0.0, 1.0)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_spread_around_the_mean() {
        assert_eq!([0.0, 0.5, 1.0].map(next_ms), [4_000, 5_000, 6_000]);
    }

    #[test]
    fn with_events_the_manifest_is_asked_for_seldom() {
        assert!(is_due(0.0, false) && !is_due(0.0, true) && !is_due(59_999.0, true) && is_due(60_000.0, true));
        assert!(is_due(-1.0, true));
    }

    #[test]
    fn after_an_event_a_tab_waits_for_less_than_the_spread() {
        assert_eq!([0.0, 0.25, 0.999].map(|random| after_event_ms(random, 2_000)), [0, 500, 1_998]);
        assert_eq!(after_event_ms(0.9, 0), 0);
    }
}
