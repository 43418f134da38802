//! FedAvg (McMahan et al. 2017): the mean of clients' models, weighted by their numbers of examples or not.

use crate::weights::{Weights, WeightsError};

/// A running weighted sum in `f64`. Its memory does not depend on the number of clients.
///
/// ```
/// use emofed_core::learning::FedAvg;
/// use emofed_core::weights::{Tensor, Weights};
///
/// let bias = |value: f32| {
///     let mut weights = Weights::new();
///     weights.insert("head.bias", Tensor::new([1], vec![value]));
///     weights
/// };
/// let mut average = FedAvg::new(bias(1.0));
/// average.add(&bias(0.5), 3)?; // an update of 3 examples
/// average.add(&bias(-0.5), 1)?;
/// assert_eq!((average.num_clients(), average.num_examples()), (2, 4));
/// assert_eq!(average.finish(), Some(bias(1.25)));
/// # Ok::<(), emofed_core::weights::WeightsError>(())
/// ```
pub struct FedAvg {
    base: Weights,
    sums: Vec<Vec<f64>>,
    num_examples: u64,
    num_clients: u32,
    is_weighted: bool,
}

impl FedAvg {
    /// Nothing added yet; updates are relative to `base`.
    pub fn new(base: Weights) -> Self {
        let sums = base.iter().map(|(_, tensor)| vec![0.0; tensor.values.len()]).collect();
        Self { base, sums, num_examples: 0, num_clients: 0, is_weighted: true }
    }

    /// The same, but each client that has examples counts once, however many they are.
    pub fn unweighted(base: Weights) -> Self {
        Self { is_weighted: false, ..Self::new(base) }
    }

    /// Adds a client's `delta`, weighted by `num_examples`. A client without examples does not count.
    ///
    /// # Errors
    /// `delta` does not have the base's layout, or is not finite; nothing was added then.
    pub fn add(&mut self, delta: &Weights, num_examples: u32) -> Result<(), WeightsError> {
        delta.check_same_layout(&self.base)?;
        delta.check_finite()?;
        if num_examples == 0 {
            return Ok(());
        }
        let weight = if self.is_weighted { f64::from(num_examples) } else { 1.0 };
        for (sums, (_, tensor)) in self.sums.iter_mut().zip(delta.iter()) {
            for (sum, &value) in sums.iter_mut().zip(&tensor.values) {
                *sum += weight * f64::from(value);
            }
        }
        self.num_examples += u64::from(num_examples);
        self.num_clients += 1;
        Ok(())
    }

    /// Examples of all clients so far.
    pub fn num_examples(&self) -> u64 {
        self.num_examples
    }

    /// Clients that count so far.
    pub fn num_clients(&self) -> u32 {
        self.num_clients
    }

    /// Base plus the mean; `None` if no client counted.
    pub fn finish(mut self) -> Option<Weights> {
        if self.num_examples == 0 {
            return None;
        }
        let total = if self.is_weighted { self.num_examples as f64 } else { f64::from(self.num_clients) };
        for ((_, tensor), sums) in self.base.iter_mut().zip(&self.sums) {
            for (value, sum) in tensor.values.iter_mut().zip(sums) {
                *value = (f64::from(*value) + sum / total) as f32;
            }
        }
        Some(self.base)
    }
}
