//! What the aggregator does with the aggregate of a round's updates: nothing more, or a step of an optimizer of its own
//! (FedAvgM, Hsu et al. 2019; FedAdam, Reddi et al. 2021).

use super::StrategyError;
use crate::weights::{Weights, WeightsError};

/// A step along the aggregate. Its state between rounds is a set of named tensors: see [`ServerOptimizer::apply`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum ServerOptimizer {
    /// The aggregate is the next model.
    #[default]
    None,
    /// The change with momentum (FedAvgM).
    Momentum {
        /// Share of the last round's velocity that is kept, 0 to 1.
        momentum: f64,
    },
    /// Adam on the change (FedAdam).
    Adam {
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

impl ServerOptimizer {
    /// The next global model, given the current one, the aggregate (`base` plus the aggregated delta), and the state that
    /// the last round left (`None` before the first). The new state is `None` where the optimizer keeps none.
    ///
    /// # Errors
    /// `aggregate` or `state` do not fit `base`.
    pub fn apply(
        &self,
        base: &Weights,
        aggregate: &Weights,
        state: Option<&Weights>,
    ) -> Result<(Weights, Option<Weights>), WeightsError> {
        aggregate.check_same_layout(base)?;
        let mut model = base.clone();
        let mut next = Weights::new();
        for ((name, tensor), (_, aggregate)) in model.iter_mut().zip(aggregate.iter()) {
            // The change of each weight over the round, and the moment called `kind` before it.
            let pairs = aggregate.values.iter().zip(&tensor.values);
            let change: Vec<f32> = pairs.map(|(aggregate, base)| aggregate - base).collect();
            let moment = |kind: &str| -> Result<Vec<f32>, WeightsError> {
                let Some(state) = state else { return Ok(vec![0.0; tensor.values.len()]) };
                Ok(state.get_shaped(&format!("{kind}{name}"), &tensor.shape)?.values.clone())
            };
            let mut keep = |kind: &str, values: Vec<f32>, shape: &[usize]| {
                next.insert(format!("{kind}{name}"), crate::weights::Tensor::new(shape, values));
            };
            match *self {
                Self::None => tensor.values.clone_from(&aggregate.values),
                Self::Momentum { momentum } => {
                    let mut velocity = moment(FIRST_MOMENT)?;
                    for ((value, velocity), change) in tensor.values.iter_mut().zip(&mut velocity).zip(change) {
                        *velocity = momentum as f32 * *velocity + change;
                        *value += *velocity;
                    }
                    keep(FIRST_MOMENT, velocity, &tensor.shape);
                }
                Self::Adam { learning_rate, beta1, beta2, epsilon } => {
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

    /// Checks that every parameter can be used.
    pub(super) fn check(&self) -> Result<(), StrategyError> {
        let share = |key, value: f64| {
            let range = "at least 0 and below 1";
            if (0.0..1.0).contains(&value) { Ok(()) } else { Err(StrategyError::OutOfRange { key, range }) }
        };
        let positive = |key, value: f64| {
            let range = "above 0 and finite";
            if value > 0.0 && value.is_finite() { Ok(()) } else { Err(StrategyError::OutOfRange { key, range }) }
        };
        match *self {
            Self::None => Ok(()),
            Self::Momentum { momentum } => share("momentum", momentum),
            Self::Adam { learning_rate, beta1, beta2, epsilon } => {
                positive("learning_rate", learning_rate)?;
                share("beta1", beta1)?;
                share("beta2", beta2)?;
                positive("epsilon", epsilon)
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
    fn without_an_optimizer_the_model_is_the_aggregate() {
        let (model, state) = ServerOptimizer::None.apply(&weights([1.0, 2.0]), &weights([1.5, 1.0]), None).unwrap();
        assert_eq!((values(&model), state), (vec![1.5, 1.0], None));
    }

    #[test]
    fn momentum_carries_on_and_without_it_is_fedavg() {
        let optimizer = ServerOptimizer::Momentum { momentum: 0.5 };
        let (model, state) = optimizer.apply(&weights([0.0, 0.0]), &weights([1.0, 0.0]), None).unwrap();
        assert_eq!(values(&model), [1.0, 0.0]);
        let (model, _) = optimizer.apply(&model, &model, state.as_ref()).unwrap();
        assert_eq!(values(&model), [1.5, 0.0]);
        let none = ServerOptimizer::Momentum { momentum: 0.0 };
        assert_eq!(values(&none.apply(&weights([1.0, 2.0]), &weights([1.5, 1.0]), None).unwrap().0), [1.5, 1.0]);
    }

    #[test]
    fn fedadams_step_does_not_depend_on_how_large_the_change_is() {
        let optimizer = ServerOptimizer::Adam { learning_rate: 0.1, beta1: 0.0, beta2: 0.0, epsilon: 1e-9 };
        let (model, state) = optimizer.apply(&weights([0.0, 0.0]), &weights([1e-3, -5.0]), None).unwrap();
        assert!(values(&model).iter().zip([0.1, -0.1]).all(|(found, expected)| (found - expected).abs() < 1e-6));
        assert_eq!(state.unwrap().len(), 2);
    }

    #[test]
    fn a_state_of_another_model_is_refused() {
        let optimizer = ServerOptimizer::Momentum { momentum: 0.5 };
        assert!(optimizer.apply(&weights([0.0; 2]), &weights([1.0; 2]), Some(&weights([0.0; 2]))).is_err());
        assert!(ServerOptimizer::Momentum { momentum: 1.0 }.check().is_err());
    }
}
