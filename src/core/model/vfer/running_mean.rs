//! A start for training under which the LSTM is, by construction, a running mean of a frame-level network.
//!
//! Trained end to end on short clips, an LSTM adds up the evidence of neighbouring frames as if they were independent, and
//! grows overconfident along a stream. Here the cell's candidate is the frame's hidden layer, and the input gate falls about
//! as 1/t with the number of frames, the forget gate being 1 minus it: the cell is a mean. Two units count the frames; no gate
//! looks at a frame. Nothing of the architecture changes, so that later training may change all of it.

use super::{FEATURES, GATES, HIDDEN, Parameters, Vfer};
use crate::random::SplitMix64;

/// Units that count: one that is nearly 1 from the second frame on, and one that grows slowly.
const FAST: usize = HIDDEN - 2;
const SLOW: usize = HIDDEN - 1;
/// Units that average.
const AVERAGING: usize = HIDDEN - 2;

/// A pre-activation at which a sigmoid, or a hyperbolic tangent, is 1.
const OPEN: f32 = 10.0;
/// The output gate's of the averaging units (0.998).
const OUTPUT_OPEN: f32 = 6.0;
/// The input gate's at the first frame (0.98), and how far each clock lowers it afterwards: by least squares on −ln(t − 1)
/// for t = 2 … 40, at which the gate is 1/t.
const FIRST_FRAME: f32 = 4.0;
const FAST_WEIGHT: f32 = -4.87;
const SLOW_WEIGHT: f32 = -2.85;
/// The slow clock's input gate: its cell gains 0.05 in a frame.
const SLOW_INPUT: f32 = -2.944;

/// Gates in the order in which they lie side by side.
const INPUT: usize = 0;
const FORGET: usize = 1;
const CANDIDATE: usize = 2;
const OUTPUT: usize = 3;

impl Vfer {
    /// A running mean of a random frame-level network: see the module. Train it with
    /// [`Parameters::keep_frame_level`] on the gradient, and it stays one.
    pub fn running_mean(seed: u64) -> Self {
        let mut random = SplitMix64::new(seed);
        let mut parameters = Parameters::zeros();
        let spread = (FEATURES as f32).sqrt().recip();
        for row in parameters.input.as_chunks_mut::<GATES>().0 {
            row[CANDIDATE * HIDDEN..][..AVERAGING].fill_with(|| spread * random.normal());
        }
        let spread = (AVERAGING as f32).sqrt().recip();
        for row in parameters.head.as_chunks_mut::<HIDDEN>().0 {
            row[..AVERAGING].fill_with(|| spread * random.normal());
        }
        let bias = &mut parameters.input_bias;
        for unit in 0..HIDDEN {
            let is_clock = unit >= AVERAGING;
            bias[INPUT * HIDDEN + unit] = if is_clock { OPEN } else { FIRST_FRAME };
            bias[FORGET * HIDDEN + unit] = if is_clock { OPEN } else { -FIRST_FRAME };
            bias[OUTPUT * HIDDEN + unit] = if is_clock { OPEN } else { OUTPUT_OPEN };
        }
        bias[INPUT * HIDDEN + SLOW] = SLOW_INPUT;
        bias[CANDIDATE * HIDDEN + FAST] = OPEN;
        bias[CANDIDATE * HIDDEN + SLOW] = OPEN;
        for (clock, weight) in [(FAST, FAST_WEIGHT), (SLOW, SLOW_WEIGHT)] {
            let row = &mut parameters.recurrent[clock * GATES..][..GATES];
            row[INPUT * HIDDEN..][..AVERAGING].fill(weight);
            row[FORGET * HIDDEN..][..AVERAGING].fill(-weight);
        }
        Self { parameters }
    }
}

impl Parameters {
    /// Of a gradient: sets everything to 0 that is not the frame-level network, the candidate's input weights and bias of the
    /// averaging units and the head's weights on them.
    pub fn keep_frame_level(&mut self) {
        let is_kept = |gate: usize| {
            let (gate, unit) = (gate / HIDDEN, gate % HIDDEN);
            gate == CANDIDATE && unit < AVERAGING
        };
        let keep = |row: &mut [f32]| {
            row.iter_mut().enumerate().filter(|(gate, _)| !is_kept(*gate)).for_each(|(_, value)| *value = 0.0);
        };
        self.input.as_chunks_mut::<GATES>().0.iter_mut().for_each(|row| keep(row));
        keep(&mut self.input_bias);
        self.recurrent.fill(0.0);
        // PyTorch's second bias says nothing that the first does not.
        self.recurrent_bias.fill(0.0);
        for row in self.head.as_chunks_mut::<HIDDEN>().0 {
            row[AVERAGING..].fill(0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::vfer::softmax;

    /// Logits of the network that the LSTM averages: of hidden layers weighted with `weights`.
    fn averaged(vfer: &Vfer, frames: &[Vec<f32>], weights: &[f64]) -> [f32; 6] {
        let Parameters { input, input_bias, head, head_bias, .. } = &vfer.parameters;
        let sum: f64 = weights.iter().sum();
        let mut mean = [0.0_f64; AVERAGING];
        for (frame, weight) in frames.iter().zip(weights) {
            for (unit, mean) in mean.iter_mut().enumerate() {
                let gate = CANDIDATE * HIDDEN + unit;
                let product: f32 = frame.iter().enumerate().map(|(i, value)| value * input[i * GATES + gate]).sum();
                *mean += weight / sum * f64::from(product + input_bias[gate]).tanh();
            }
        }
        std::array::from_fn(|emotion| {
            let row = &head[emotion * HIDDEN..][..AVERAGING];
            head_bias[emotion] + row.iter().zip(mean).map(|(weight, mean)| weight * mean.tanh() as f32).sum::<f32>()
        })
    }

    #[test]
    fn it_is_a_mean_at_every_length() {
        let mut random = SplitMix64::new(4);
        let vfer = Vfer::running_mean(1);
        let frames: Vec<Vec<f32>> = (0..60).map(|_| (0..FEATURES).map(|_| random.normal()).collect()).collect();
        let mut stream = vfer.stream();
        for (index, frame) in frames.iter().enumerate() {
            let found = vfer.step(&mut stream, frame);
            let expected = softmax(&averaged(&vfer, &frames[..=index], &vec![1.0; index + 1]));
            let error = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(error < 0.08, "frame {index}: {found:?} for {expected:?}");
        }
    }

    #[test]
    fn a_face_held_still_stays_as_it_was_seen_first() {
        let mut random = SplitMix64::new(5);
        let vfer = Vfer::running_mean(2);
        let frame: Vec<f32> = (0..FEATURES).map(|_| random.normal()).collect();
        let mut stream = vfer.stream();
        let first = vfer.step(&mut stream, &frame);
        for _ in 0..300 {
            let now = vfer.step(&mut stream, &frame);
            assert!(now.iter().zip(first).all(|(a, b)| (a - b).abs() < 0.02), "{now:?} after {first:?}");
        }
    }

    #[test]
    fn the_kept_gradient_is_the_frame_level_networks() {
        let mut gradient = Parameters::zeros();
        gradient.slices_mut().into_iter().for_each(|slice| slice.fill(1.0));
        gradient.keep_frame_level();
        let kept: f32 = gradient.slices().into_iter().flatten().sum();
        assert_eq!(kept as usize, FEATURES * AVERAGING + AVERAGING + 6 * AVERAGING + 6);
    }
}
