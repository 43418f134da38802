//! The difference of a model to the one before it, in eight bits a value: what a tab that has the one before fetches.
//!
//! The newer model is *defined* as the older one plus the rounded difference, so that whoever has both gets it to the bit, and can
//! check it against the hash of the whole.

use std::collections::HashMap;

use super::{Int8Weights, Scales, Weights, WeightsError};
use crate::random::SplitMix64;

/// The one metadata entry of the file; its value are the [`Scales`] as JSON.
const METADATA_KEY: &str = "emofed.difference";
/// Largest share of a difference's norm that rounding may change. A difference of normally distributed values is changed by 1.4 %.
const MAX_CHANGE: f64 = 0.05;

impl Weights {
    /// Rounds the difference of `self` to `base`; gives its safetensors file, and the model that it leads to. `seed` decides how it is
    /// rounded. `None` where rounding would change too much: where a few values are much larger than the others.
    ///
    /// # Errors
    /// `base` has another layout.
    pub fn rounded_difference(&self, base: &Self, seed: u64) -> Result<Option<(Vec<u8>, Self)>, WeightsError> {
        let exact = self.subtract(base)?;
        let rounded = Int8Weights::round(&exact, &mut SplitMix64::new(seed));
        let scales =
            serde_json::to_string(rounded.scales()).map_err(|error| WeightsError::Malformed(error.to_string()))?;
        let file = rounded.to_safetensors(Some(HashMap::from([(METADATA_KEY.to_owned(), scales)])));
        let model = base.with_difference(&file)?;
        let change = model.subtract(self)?.norm();
        Ok((change <= MAX_CHANGE * exact.norm()).then_some((file, model)))
    }

    /// The model that the file of a rounded difference to `self` leads to.
    ///
    /// # Errors
    /// The file is malformed, or of another layout.
    pub fn with_difference(&self, file: &[u8]) -> Result<Self, WeightsError> {
        let metadata = Self::metadata(file)?;
        let scales = metadata.get(METADATA_KEY).and_then(|json| serde_json::from_str::<Scales>(json).ok());
        let scales = scales.ok_or_else(|| WeightsError::Malformed("it is no difference of models".to_owned()))?;
        let mut model = Self::from_int8(file, &scales)?;
        model.check_same_layout(self)?;
        for (difference, base) in model.0.values_mut().zip(self.0.values()) {
            difference.values.iter_mut().zip(&base.values).for_each(|(difference, base)| *difference += base);
        }
        Ok(model)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
        let (file, model) = exact.rounded_difference(&base, 7).unwrap().unwrap();
        let read = Weights::from_safetensors(&base.to_safetensors(None)).unwrap();
        assert_eq!(read.with_difference(&file).unwrap().to_safetensors(None), model.to_safetensors(None));
        let off = model.subtract(&exact).unwrap().norm() / change.norm();
        assert!(off > 0.0 && off < 0.01, "{off}");
        assert!(file.len() < base.to_safetensors(None).len() / 3);
        assert_eq!(exact.rounded_difference(&base, 7).unwrap().unwrap().0, file, "the same seed, the same bytes");
    }

    #[test]
    fn a_difference_that_rounding_would_change_much_is_none() {
        let mut random = SplitMix64::new(1);
        let base = weights(&mut random, 0.1);
        let mut exact = base.clone();
        exact.iter_mut().next().unwrap().1.values.iter_mut().for_each(|value| *value += 1e-3 * random.signed());
        exact.iter_mut().next().unwrap().1.values[0] += 1.0;
        assert_eq!(exact.rounded_difference(&base, 7).unwrap(), None);
    }

    #[test]
    fn what_is_no_difference_to_this_model_is_refused() {
        let mut random = SplitMix64::new(1);
        let (base, model) = (weights(&mut random, 0.1), weights(&mut random, 0.1));
        assert!(matches!(base.with_difference(&model.to_safetensors(None)), Err(WeightsError::Malformed(_))));
        let (file, _) = model.rounded_difference(&base, 1).unwrap().unwrap();
        let mut other = Weights::new();
        other.insert("a", Tensor::new([1], vec![0.0]));
        assert!(other.with_difference(&file).is_err() && other.rounded_difference(&base, 1).is_err());
    }
}
