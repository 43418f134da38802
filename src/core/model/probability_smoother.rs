//! Exponential smoothing of the image head's probabilities over the frames of one face, for display: noise does not change the
//! emotion that is named. Pseudo labels are the plain mean over a clip's frames and do not pass through here.

use crate::emotion::EMOTIONS;

/// Half-life of a frame's weight, in milliseconds.
const HALF_LIFE_MS: f64 = 300.0;

/// Exponential mean, over time, of the image head's probabilities of one face.
#[derive(Clone, Debug, Default)]
pub struct ProbabilitySmoother {
    last: Option<Last>,
}

#[derive(Clone, Debug)]
struct Last {
    identity: u64,
    at_ms: f64,
    mean: [f32; EMOTIONS],
}

impl ProbabilitySmoother {
    /// Adds the `probabilities` of the face `identity` in the frame of time `at_ms` (milliseconds) and returns the mean. Another
    /// identity starts a new mean.
    pub fn push(&mut self, identity: u64, at_ms: f64, probabilities: &[f32; EMOTIONS]) -> [f32; EMOTIONS] {
        let mean = match self.last.take().filter(|last| last.identity == identity) {
            Some(Last { at_ms: before_ms, mean, .. }) => {
                let keep = (-(at_ms - before_ms).max(0.0) / HALF_LIFE_MS).exp2() as f32;
                std::array::from_fn(|i| keep * mean[i] + (1.0 - keep) * probabilities[i])
            }
            None => *probabilities,
        };
        self.last = Some(Last { identity, at_ms, mean });
        mean
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: [f32; EMOTIONS] = [1.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    const SECOND: [f32; EMOTIONS] = [0.0, 1.0, 0.0, 0.0, 0.0, 0.0];

    #[test]
    fn half_of_it_is_new_after_the_half_life_whatever_the_rate() {
        let after = |frames: u32| {
            let mut smoother = ProbabilitySmoother::default();
            smoother.push(1, 0.0, &FIRST);
            let times = (1..=frames).map(|frame| HALF_LIFE_MS * f64::from(frame) / f64::from(frames));
            times.map(|at_ms| smoother.push(1, at_ms, &SECOND)).last().unwrap()
        };
        for mean in [after(1), after(3), after(30)] {
            assert!((mean[0] - 0.5).abs() < 1e-5 && (mean[1] - 0.5).abs() < 1e-5, "{mean:?}");
        }
    }

    #[test]
    fn another_face_begins_anew_and_time_does_not_run_back() {
        let mut smoother = ProbabilitySmoother::default();
        assert_eq!(smoother.push(1, 100.0, &FIRST), FIRST);
        assert_eq!(smoother.push(1, 50.0, &SECOND), FIRST);
        assert_eq!(smoother.push(2, 150.0, &SECOND), SECOND);
    }
}
