//! The one-euro filter (Casiez, Roussel and Vogel, CHI 2012): a low pass whose cut-off rises with speed, so that what rests
//! is steady and what moves is not late.

use std::f64::consts::TAU;

/// How strongly a value is smoothed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Smoothing {
    /// Cut-off of a value at rest, in hertz.
    pub rest_hz: f64,
    /// How much the cut-off rises, in hertz for each unit a second.
    pub hz_per_speed: f64,
    /// Cut-off of the speed itself, in hertz.
    pub speed_hz: f64,
}

/// A smoothed value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OneEuro {
    smoothing: Smoothing,
    value: f64,
    /// Smoothed, in units a second.
    speed: f64,
    /// The last value as it came.
    raw: f64,
}

impl OneEuro {
    /// A filter that has seen one value.
    pub fn new(smoothing: Smoothing, value: f64) -> Self {
        Self { smoothing, value, speed: 0.0, raw: value }
    }

    /// Takes the next value, `elapsed_s` after the last one, and returns the smoothed one.
    pub fn push(&mut self, raw: f64, elapsed_s: f64) -> f64 {
        let elapsed_s = elapsed_s.max(1e-3);
        let speed = (raw - self.raw) / elapsed_s;
        self.raw = raw;
        self.speed += share(self.smoothing.speed_hz, elapsed_s) * (speed - self.speed);
        let cut_off_hz = self.smoothing.rest_hz + self.smoothing.hz_per_speed * self.speed.abs();
        self.value += share(cut_off_hz, elapsed_s) * (raw - self.value);
        self.value
    }
}

/// How much of a step a first-order low pass follows within `elapsed_s`.
fn share(cut_off_hz: f64, elapsed_s: f64) -> f64 {
    let turn = TAU * cut_off_hz * elapsed_s;
    turn / (turn + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMOOTHING: Smoothing = Smoothing { rest_hz: 1.0, hz_per_speed: 2.0, speed_hz: 1.0 };

    fn deviation(values: &[f64]) -> f64 {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
    }

    #[test]
    fn what_rests_is_steadier_and_stays_where_it_is() {
        let noisy: Vec<f64> = (0..200).map(|i| 5.0 + 0.05 * f64::from(i * 7919 % 13 - 6) / 6.0).collect();
        let mut filter = OneEuro::new(SMOOTHING, noisy[0]);
        let smooth: Vec<f64> = noisy.iter().map(|value| filter.push(*value, 0.1)).collect();
        assert!(deviation(&smooth[20..]) < 0.7 * deviation(&noisy), "{}", deviation(&smooth[20..]));
        assert!((smooth[199] - 5.0).abs() < 0.05);
    }

    #[test]
    fn what_moves_fast_is_hardly_late() {
        let lag = |speed: f64| {
            let mut filter = OneEuro::new(SMOOTHING, 0.0);
            let last = (1..=30).map(|i| filter.push(speed * f64::from(i) * 0.1, 0.1)).last().unwrap();
            (speed * 3.0 - last) / speed
        };
        assert!(lag(10.0) < 0.3 * lag(0.1), "{} s instead of {} s", lag(10.0), lag(0.1));
    }

    #[test]
    fn a_long_gap_is_jumped_over() {
        let mut filter = OneEuro::new(SMOOTHING, 0.0);
        assert!(filter.push(1.0, 10.0) > 0.95);
        assert!((filter.push(1.0, 0.0) - 1.0).abs() < 0.1, "no time has passed");
    }
}
