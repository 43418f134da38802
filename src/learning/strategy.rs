//! What the aggregator does with the mean of a round's updates: nothing more (FedAvg), or a step of an optimizer of its own
//! (FedAvgM, Hsu et al. 2019; FedAdam, Reddi et al. 2021).

use serde::{Deserialize, Serialize};

use crate::weights::{Weights, WeightsError};

/// An aggregation strategy. Its state between rounds is a set of named tensors: see [`Strategy::apply`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "lowercase", deny_unknown_fields)]
pub enum Strategy {
    /// The mean of the clients' models (McMahan et al. 2017; the paper).
    #[default]
    FedAvg,
    /// The mean change with momentum.
    FedAvgM {
        /// Share of the last round's velocity that is kept, 0 to 1.
        momentum: f64,
    },
    /// Adam on the mean change.
    FedAdam {
        /// Step size; about what one weight moves in a round.
        learning_rate: f64,
        /// Decay of the first moment.
        beta1: f64,
        /// Decay of the second moment.
        beta2: f64,
        /// Added to the root of the second moment.
        epsilon: f64,
    },
}

/// Names of the state's tensors begin so.
const FIRST_MOMENT: &str = "first_moment.";
const SECOND_MOMENT: &str = "second_moment.";

impl Strategy {
    /// The next global model, given the current one, the mean of the clients' models, and the state that the last round
    /// left (`None` before the first). The new state is `None` where the strategy keeps none.
    ///
    /// # Errors
    /// `mean` or `state` do not fit `base`.
    pub fn apply(
        &self,
        base: &Weights,
        mean: &Weights,
        state: Option<&Weights>,
    ) -> Result<(Weights, Option<Weights>), WeightsError> {
        mean.check_same_layout(base)?;
        let mut model = base.clone();
        let mut next = Weights::new();
        for ((name, tensor), (_, mean)) in model.iter_mut().zip(mean.iter()) {
            // The change of each weight over the round, and the moment called `kind` before it.
            let change: Vec<f32> = mean.values.iter().zip(&tensor.values).map(|(mean, base)| mean - base).collect();
            let moment = |kind: &str| -> Result<Vec<f32>, WeightsError> {
                let Some(state) = state else { return Ok(vec![0.0; tensor.values.len()]) };
                Ok(state.get_shaped(&format!("{kind}{name}"), &tensor.shape)?.values.clone())
            };
            let mut keep = |kind: &str, values: Vec<f32>, shape: &[usize]| {
                next.insert(format!("{kind}{name}"), crate::weights::Tensor::new(shape, values));
            };
            match *self {
                Self::FedAvg => tensor.values.clone_from(&mean.values),
                Self::FedAvgM { momentum } => {
                    let mut velocity = moment(FIRST_MOMENT)?;
                    for ((value, velocity), change) in tensor.values.iter_mut().zip(&mut velocity).zip(change) {
                        *velocity = momentum as f32 * *velocity + change;
                        *value += *velocity;
                    }
                    keep(FIRST_MOMENT, velocity, &tensor.shape);
                }
                Self::FedAdam { learning_rate, beta1, beta2, epsilon } => {
                    let (mut first, mut second) = (moment(FIRST_MOMENT)?, moment(SECOND_MOMENT)?);
                    let (beta1, beta2) = (beta1 as f32, beta2 as f32);
                    let moments = first.iter_mut().zip(&mut second);
                    for ((value, (first, second)), change) in tensor.values.iter_mut().zip(moments).zip(change) {
                        *first = beta1 * *first + (1.0 - beta1) * change;
                        *second = beta2 * *second + (1.0 - beta2) * change * change;
                        *value += learning_rate as f32 * *first / (second.sqrt() + epsilon as f32);
                    }
                    keep(FIRST_MOMENT, first, &tensor.shape);
                    keep(SECOND_MOMENT, second, &tensor.shape);
                }
            }
        }
        Ok((model, (!next.is_empty()).then_some(next)))
    }

    /// Whether every setting can be used.
    pub fn is_usable(&self) -> bool {
        let share = |value: f64| (0.0..1.0).contains(&value);
        let positive = |value: f64| value.is_finite() && value > 0.0;
        match *self {
            Self::FedAvg => true,
            Self::FedAvgM { momentum } => share(momentum),
            Self::FedAdam { learning_rate, beta1, beta2, epsilon } => {
                positive(learning_rate) && share(beta1) && share(beta2) && positive(epsilon)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::Tensor;

    fn weights(values: [f32; 2]) -> Weights {
        let mut weights = Weights::new();
        weights.insert("w", Tensor::new([2], values.to_vec()));
        weights
    }

    fn values(weights: &Weights) -> Vec<f32> {
        weights.get("w").unwrap().values.clone()
    }

    #[test]
    fn fedavg_is_the_mean_without_state() {
        let (model, state) = Strategy::FedAvg.apply(&weights([1.0, 2.0]), &weights([1.5, 1.0]), None).unwrap();
        assert_eq!((values(&model), state), (vec![1.5, 1.0], None));
    }

    #[test]
    fn momentum_carries_on_and_without_it_is_fedavg() {
        let strategy = Strategy::FedAvgM { momentum: 0.5 };
        let (model, state) = strategy.apply(&weights([0.0, 0.0]), &weights([1.0, 0.0]), None).unwrap();
        assert_eq!(values(&model), [1.0, 0.0]);
        let (model, _) = strategy.apply(&model, &model, state.as_ref()).unwrap();
        assert_eq!(values(&model), [1.5, 0.0]);
        let none = Strategy::FedAvgM { momentum: 0.0 };
        assert_eq!(values(&none.apply(&weights([1.0, 2.0]), &weights([1.5, 1.0]), None).unwrap().0), [1.5, 1.0]);
    }

    #[test]
    fn fedadams_step_does_not_depend_on_how_large_the_change_is() {
        let strategy = Strategy::FedAdam { learning_rate: 0.1, beta1: 0.0, beta2: 0.0, epsilon: 1e-9 };
        let (model, state) = strategy.apply(&weights([0.0, 0.0]), &weights([1e-3, -5.0]), None).unwrap();
        assert!(values(&model).iter().zip([0.1, -0.1]).all(|(found, expected)| (found - expected).abs() < 1e-6));
        assert_eq!(state.unwrap().len(), 2);
    }

    #[test]
    fn a_state_of_another_model_is_refused() {
        let strategy = Strategy::FedAvgM { momentum: 0.5 };
        assert!(strategy.apply(&weights([0.0; 2]), &weights([1.0; 2]), Some(&weights([0.0; 2]))).is_err());
        assert!(!Strategy::FedAvgM { momentum: 1.0 }.is_usable());
    }
}
