//! What is shown of the image head from frame to frame: an exponential mean, so that noise does not change the emotion that is
//! named. Clips have the mean over their frames, which this does not touch.

use crate::emotion::EMOTIONS;

/// After so long, half of the mean is newer, in milliseconds.
const HALF_LIFE_MS: f64 = 300.0;

/// The running mean of the image head's probabilities of one face.
#[derive(Clone, Debug, Default)]
pub struct SteadyOpinion {
    last: Option<Last>,
}

#[derive(Clone, Debug)]
struct Last {
    identity: u64,
    at_ms: f64,
    mean: [f32; EMOTIONS],
}

impl SteadyOpinion {
    /// Takes in a frame's `probabilities` of the face `identity` and gives the mean; another face begins anew.
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
            let mut steady = SteadyOpinion::default();
            steady.push(1, 0.0, &FIRST);
            let times = (1..=frames).map(|frame| HALF_LIFE_MS * f64::from(frame) / f64::from(frames));
            times.map(|at_ms| steady.push(1, at_ms, &SECOND)).last().unwrap()
        };
        for mean in [after(1), after(3), after(30)] {
            assert!((mean[0] - 0.5).abs() < 1e-5 && (mean[1] - 0.5).abs() < 1e-5, "{mean:?}");
        }
    }

    #[test]
    fn another_face_begins_anew_and_time_does_not_run_back() {
        let mut steady = SteadyOpinion::default();
        assert_eq!(steady.push(1, 100.0, &FIRST), FIRST);
        assert_eq!(steady.push(1, 50.0, &SECOND), FIRST);
        assert_eq!(steady.push(2, 150.0, &SECOND), SECOND);
    }
}
