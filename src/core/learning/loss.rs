//! The loss: KL divergence between target and predicted distribution, mean over the batch (paper, section 3.2).

use crate::emotion::EMOTIONS;

/// Returns the loss of a batch and writes its gradient with respect to the logits.
pub fn kl_divergence(
    logits: &[[f32; EMOTIONS]],
    targets: &[[f32; EMOTIONS]],
    gradients: &mut Vec<[f32; EMOTIONS]>,
) -> f32 {
    let scale = 1.0 / logits.len() as f32;
    (kl_divergence_sum(logits, targets, scale, gradients) * f64::from(scale)) as f32
}

/// Returns the sum of the losses of some clips of a batch, and writes their gradients times `scale`, one by the number of all.
pub(super) fn kl_divergence_sum(
    logits: &[[f32; EMOTIONS]],
    targets: &[[f32; EMOTIONS]],
    scale: f32,
    gradients: &mut Vec<[f32; EMOTIONS]>,
) -> f64 {
    gradients.clear();
    let mut loss = 0.0_f64;
    for (logits, target) in logits.iter().zip(targets) {
        let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let log_sum = logits.iter().map(|logit| (logit - largest).exp()).sum::<f32>().ln() + largest;
        let mass: f32 = target.iter().sum();
        gradients.push(std::array::from_fn(|i| {
            let log_probability = logits[i] - log_sum;
            if target[i] > 0.0 {
                loss += f64::from(target[i] * (target[i].ln() - log_probability));
            }
            scale * (mass * log_probability.exp() - target[i])
        }));
    }
    loss
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_perfect_prediction_costs_nothing() {
        let logits = [[0.3, -1.0, 2.0, 0.0, 0.5, -0.2]];
        let target = [crate::model::vfer::softmax(&logits[0])];
        let mut gradients = Vec::new();
        assert!(kl_divergence(&logits, &target, &mut gradients).abs() < 1e-6);
        assert!(gradients[0].iter().all(|gradient| gradient.abs() < 1e-6));
    }

    #[test]
    fn the_gradient_is_that_of_the_loss() {
        let logits = [[0.3_f32, -1.0, 2.0, 0.0, 0.5, -0.2], [0.0; 6]];
        let targets = [[0.0_f32, 0.0, 1.0, 0.0, 0.0, 0.0], [0.25, 0.0, 0.25, 0.5, 0.0, 0.0]];
        let mut gradients = Vec::new();
        kl_divergence(&logits, &targets, &mut gradients);
        for (row, column) in [(0, 0), (0, 2), (1, 1), (1, 3)] {
            let loss_at = |shift: f32| {
                let mut moved = logits;
                moved[row][column] += shift;
                kl_divergence(&moved, &targets, &mut Vec::new())
            };
            let difference = (loss_at(1e-2) - loss_at(-1e-2)) / 2e-2;
            assert!((difference - gradients[row][column]).abs() < 1e-4, "{difference} {gradients:?}");
        }
    }
}
