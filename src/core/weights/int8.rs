//! Weights in eight bits: one scale a tensor, rounded at random so that the mean of many is unbiased (QSGD, Alistarh et al. 2017).

use std::collections::{BTreeMap, HashMap};

use safetensors::Dtype;

use super::{EncodedTensor, Weights, WeightsError, value_ranges, write_file};
use crate::random::SplitMix64;

/// Value of the largest step: −128 is not used, so that both signs have the same range.
const LARGEST: f32 = 127.0;

/// What a step of each tensor stands for, by name.
pub type Scales = BTreeMap<String, f32>;

/// Weights whose values are whole numbers of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Int8Weights {
    scales: Scales,
    tensors: BTreeMap<String, (Vec<usize>, Vec<i8>)>,
}

impl Int8Weights {
    /// Rounds finite `weights`, each value up or down with the chances that make its mean right.
    pub fn round(weights: &Weights, random: &mut SplitMix64) -> Self {
        let (mut scales, mut tensors) = (Scales::new(), BTreeMap::new());
        for (name, tensor) in weights.iter() {
            let largest = tensor.values.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
            let scale = largest / LARGEST;
            let mut round = |value: &f32| {
                let steps = if scale > 0.0 { value / scale } else { 0.0 };
                (steps + random.unit()).floor().clamp(-LARGEST, LARGEST) as i8
            };
            let values = tensor.values.iter().map(&mut round).collect();
            scales.insert(name.to_owned(), scale);
            tensors.insert(name.to_owned(), (tensor.shape.clone(), values));
        }
        Self { scales, tensors }
    }

    /// The steps, which the file does not have.
    pub fn scales(&self) -> &Scales {
        &self.scales
    }

    /// Writes all tensors as I8, with `metadata` beside them.
    pub fn to_safetensors(&self, metadata: Option<HashMap<String, String>>) -> Vec<u8> {
        let tensors: Vec<EncodedTensor<'_>> = self
            .tensors
            .iter()
            .map(|(name, (shape, values))| {
                (name.as_str(), shape.as_slice(), values.iter().map(|value| value.cast_unsigned()).collect())
            })
            .collect();
        write_file(Dtype::I8, &tensors, metadata)
    }
}

impl Weights {
    /// Reads a file of [`Int8Weights`] with these scales.
    ///
    /// # Errors
    /// [`WeightsError::Malformed`], [`WeightsError::Type`], or [`WeightsError::Scale`].
    pub fn from_int8(bytes: &[u8], scales: &Scales) -> Result<Self, WeightsError> {
        value_ranges::decode(bytes, Some(scales))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::Tensor;

    fn sample() -> Weights {
        let mut weights = Weights::new();
        weights.insert("a", Tensor::new([2, 2], vec![1.0, -2.0, 0.25, 0.0]));
        weights.insert("zero", Tensor::new([3], vec![0.0; 3]));
        weights
    }

    #[test]
    fn a_value_is_off_by_less_than_a_step_and_right_on_average() {
        let mut random = SplitMix64::new(1);
        let exact = sample();
        let mut sums = [0.0_f64; 4];
        const RUNS: usize = 4_000;
        for _ in 0..RUNS {
            let rounded = Int8Weights::round(&exact, &mut random);
            let read = Weights::from_int8(&rounded.to_safetensors(None), rounded.scales()).unwrap();
            assert_eq!(read.get("zero").unwrap().values, [0.0; 3]);
            let step = rounded.scales()["a"];
            let pairs = read.get("a").unwrap().values.iter().zip(&exact.get("a").unwrap().values);
            for ((found, exact), sum) in pairs.clone().zip(&mut sums) {
                assert!((found - exact).abs() < step * 1.000_1, "{found} for {exact}");
                *sum += f64::from(*found);
            }
        }
        for (sum, exact) in sums.iter().zip([1.0, -2.0, 0.25, 0.0]) {
            assert!((sum / RUNS as f64 - exact).abs() < 1e-3, "{} for {exact}", sum / RUNS as f64);
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let rounded = Int8Weights::round(&sample(), &mut SplitMix64::new(1));
        let bytes = rounded.to_safetensors(None);
        let with = |name: &str, scale: f32| {
            let mut scales = rounded.scales().clone();
            scales.insert(name.to_owned(), scale);
            Weights::from_int8(&bytes, &scales)
        };
        for (name, scale) in [("a", f32::NAN), ("a", f32::INFINITY), ("a", -1.0), ("other", 1.0)] {
            assert_eq!(with(name, scale), Err(WeightsError::Scale { name: name.to_owned() }), "{scale}");
        }
        assert!(matches!(Weights::from_int8(&bytes, &Scales::new()), Err(WeightsError::Scale { .. })));
        let floats = sample().to_safetensors(None);
        assert!(matches!(Weights::from_int8(&floats, rounded.scales()), Err(WeightsError::Type { .. })));
        assert!(matches!(Weights::from_int8(&bytes[..40], rounded.scales()), Err(WeightsError::Malformed(_))));
        assert!(matches!(Weights::from_safetensors(&bytes), Err(WeightsError::Type { .. })));
    }
}
