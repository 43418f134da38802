//! The difference of a model to the one before it, in eight bits a value: what a tab that has the one before fetches.
//!
//! It has the form of a client update: the one that all updates of the round together are. The newer model is *defined* as the older one
//! plus the rounded difference, so that whoever has both gets it to the bit, and can check it against the hash of the whole.

use super::{ClientUpdate, UpdateError};
use crate::learning::UpdateEncoding;
use crate::weights::Weights;

/// Largest share of a difference's norm that rounding may change. A difference of normally distributed values is changed by 1.4 %.
const MAX_CHANGE: f64 = 0.05;

/// Rounds the difference of `model`, which `round` made of version `base_version`, to that, `base`; gives its file, and the model that it leads
/// to. The round decides how it is rounded. `None` where rounding would change too much: where a few values are much larger than the
/// others.
///
/// # Errors
/// `base` has another layout.
pub fn rounded_difference(
    model: &Weights,
    base: &Weights,
    round: u64,
    base_version: u64,
) -> Result<Option<(Vec<u8>, Weights)>, UpdateError> {
    let exact = ClientUpdate { round, base_version, num_examples: 0, metrics: None, delta: model.subtract(base)? };
    let file = exact.encode_as(UpdateEncoding::Int8, round);
    let rounded = with_difference(base, &file)?;
    let change = rounded.subtract(model)?.norm();
    Ok((change <= MAX_CHANGE * exact.delta.norm()).then_some((file, rounded)))
}

/// The model that the file of a rounded difference to `base` leads to.
///
/// # Errors
/// The file is malformed, or of another layout.
pub fn with_difference(base: &Weights, file: &[u8]) -> Result<Weights, UpdateError> {
    let mut model = ClientUpdate::decode(file)?.delta;
    model.check_same_layout(base)?;
    for ((_, difference), (_, base)) in model.iter_mut().zip(base.iter()) {
        difference.values.iter_mut().zip(&base.values).for_each(|(difference, base)| *difference += base);
    }
    Ok(model)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SplitMix64;
    use crate::weights::Tensor;

    fn weights(random: &mut SplitMix64, size: f32) -> Weights {
        let mut weights = Weights::new();
        for (name, count) in [("a", 4_000), ("b", 3)] {
            weights.insert(name, Tensor::new([count], (0..count).map(|_| size * random.signed()).collect()));
        }
        weights
    }

    #[test]
    fn the_difference_leads_to_the_same_model_and_nearly_to_the_exact_one() {
        let mut random = SplitMix64::new(1);
        let base = weights(&mut random, 0.1);
        let mut exact = base.clone();
        let change = weights(&mut random, 1e-4);
        exact.iter_mut().zip(change.iter()).for_each(|((_, exact), (_, change))| {
            exact.values.iter_mut().zip(&change.values).for_each(|(exact, change)| *exact += change);
        });
        let (file, model) = rounded_difference(&exact, &base, 7, 3).unwrap().unwrap();
        let read = Weights::from_safetensors(&base.to_safetensors(None)).unwrap();
        assert_eq!(with_difference(&read, &file).unwrap().to_safetensors(None), model.to_safetensors(None));
        let off = model.subtract(&exact).unwrap().norm() / change.norm();
        assert!(off > 0.0 && off < 0.01, "{off}");
        assert!(file.len() < base.to_safetensors(None).len() / 3);
        assert_eq!(rounded_difference(&exact, &base, 7, 3).unwrap().unwrap().0, file, "the same round, the same bytes");
    }

    #[test]
    fn a_difference_that_rounding_would_change_much_is_none() {
        let mut random = SplitMix64::new(1);
        let base = weights(&mut random, 0.1);
        let mut exact = base.clone();
        exact.iter_mut().next().unwrap().1.values.iter_mut().for_each(|value| *value += 1e-3 * random.signed());
        exact.iter_mut().next().unwrap().1.values[0] += 1.0;
        assert_eq!(rounded_difference(&exact, &base, 7, 3).unwrap(), None);
    }

    #[test]
    fn what_is_no_difference_to_this_model_is_refused() {
        let mut random = SplitMix64::new(1);
        let (base, model) = (weights(&mut random, 0.1), weights(&mut random, 0.1));
        assert!(matches!(with_difference(&base, &model.to_safetensors(None)), Err(UpdateError::Header(_))));
        let (file, _) = rounded_difference(&model, &base, 1, 1).unwrap().unwrap();
        let mut other = Weights::new();
        other.insert("a", Tensor::new([1], vec![0.0]));
        assert!(with_difference(&other, &file).is_err() && rounded_difference(&other, &base, 1, 1).is_err());
    }
}
