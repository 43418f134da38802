//! FedAvg (McMahan et al. 2017): the mean of clients' models, weighted by their numbers of examples or not.

use super::joined;
use crate::weights::{CHUNK, EncodedWeights, Values, Weights, WeightsError, for_each_chunk, scale};

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
    /// Of the values of all tensors, in the order of the tensors' names.
    sums: Vec<f64>,
    num_examples: u64,
    num_clients: u32,
    is_weighted: bool,
}

/// Fewest coordinates of a thread.
const MIN_SHARE: usize = 1 << 15;

/// A client's delta as it came.
pub struct EncodedDelta<B> {
    /// The delta.
    pub delta: EncodedWeights<B>,
    /// Its weight.
    pub num_examples: u32,
    /// What each value is multiplied by: less than 1 where the delta is clipped.
    pub factor: f64,
}

impl FedAvg {
    /// Nothing added yet; updates are relative to `base`.
    pub fn new(base: Weights) -> Self {
        let sums = vec![0.0; base.value_count()];
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
        let mut rest = self.sums.as_mut_slice();
        let Some(weight) = count(num_examples, self.is_weighted) else { return Ok(()) };
        for (_, tensor) in delta.iter() {
            let (sums, others) = rest.split_at_mut(tensor.values.len());
            Values::Decoded(&tensor.values).add_weighted(sums, weight);
            rest = others;
        }
        self.num_examples += u64::from(num_examples);
        self.num_clients += 1;
        Ok(())
    }

    /// The same with deltas as they came, without decoding any as a whole, on `threads`. Several at once pass over the sums once. Gives the
    /// Euclidean norm of each. Sums have the same bits whatever `threads` is, norms nearly.
    ///
    /// # Errors
    /// One does not have the base's layout, and nothing was added; or it is not finite, and the sums are of no use any more.
    pub fn add_encoded<B: AsRef<[u8]> + Sync>(
        &mut self,
        deltas: &[EncodedDelta<B>],
        threads: usize,
    ) -> Result<Vec<f64>, WeightsError> {
        deltas.iter().try_for_each(|delta| delta.delta.check_same_layout(&self.base))?;
        let weights: Vec<_> = deltas.iter().map(|delta| count(delta.num_examples, self.is_weighted)).collect();
        let files: Vec<_> = deltas.iter().map(|delta| &delta.delta).collect();
        let work = |from: usize, sums: &mut [f64]| -> Vec<f64> {
            let mut squares = vec![0.0; deltas.len()];
            let mut buffer = [0.0; CHUNK];
            for_each_chunk(&files, from..from + sums.len(), |index, first, values| {
                let sums = &mut sums[first - from..][..values.len()];
                let factor = deltas[index].factor;
                let values = if factor == 1.0 {
                    values
                } else {
                    let decoded = values.decode(&mut buffer);
                    scale(decoded, factor);
                    Values::Decoded(decoded)
                };
                // What does not count is checked, too.
                squares[index] += values.add_weighted(sums, weights[index].unwrap_or(0.0));
            });
            squares
        };
        let share = self.sums.len().div_ceil(threads.max(1)).max(MIN_SHARE);
        let mut squares = vec![0.0; deltas.len()];
        let mut add = |part: Vec<f64>| squares.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
        std::thread::scope(|scope| {
            let mut shares = self.sums.chunks_mut(share).enumerate();
            let own = shares.next();
            let others: Vec<_> = shares.map(|(index, sums)| scope.spawn(move || work(index * share, sums))).collect();
            own.into_iter().for_each(|(_, sums)| add(work(0, sums)));
            others.into_iter().for_each(|part| add(joined(part)));
        });
        if let Some(index) = squares.iter().position(|squares| !squares.is_finite()) {
            return Err(files[index].not_finite());
        }
        self.num_examples += deltas.iter().map(|delta| u64::from(delta.num_examples)).sum::<u64>();
        self.num_clients += weights.iter().flatten().map(|_| 1).sum::<u32>();
        Ok(squares.into_iter().map(f64::sqrt).collect())
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
        let values = self.base.iter_mut().flat_map(|(_, tensor)| &mut tensor.values);
        values.zip(&self.sums).for_each(|(value, sum)| *value = (f64::from(*value) + sum / total) as f32);
        Some(self.base)
    }
}

/// What a client counts; `None` if it does not.
fn count(num_examples: u32, is_weighted: bool) -> Option<f64> {
    (num_examples > 0).then(|| if is_weighted { f64::from(num_examples) } else { 1.0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SplitMix64;
    use crate::weights::{EncodedWeights, Tensor};

    fn delta(random: &mut SplitMix64) -> Weights {
        let mut weights = Weights::new();
        for (name, count) in [("a", 70_000), ("b", 1), ("c", 50)] {
            weights.insert(name, Tensor::new([count], (0..count).map(|_| random.signed()).collect()));
        }
        weights
    }

    #[test]
    fn encoded_deltas_give_the_bits_that_decoded_ones_give() {
        let mut random = SplitMix64::new(1);
        let base = delta(&mut random);
        let deltas: Vec<(Weights, u32)> = (0..7).map(|client| (delta(&mut random), client)).collect();
        for (is_weighted, factor) in [(true, 0.3), (false, 0.3), (true, 1.0)] {
            let start = || if is_weighted { FedAvg::new(base.clone()) } else { FedAvg::unweighted(base.clone()) };
            let mut expected = start();
            for (delta, num_examples) in &deltas {
                let mut scaled = delta.clone();
                scaled.scale(factor);
                expected.add(&scaled, *num_examples).unwrap();
            }
            for batch in [1, 3, 7] {
                let mut found = start();
                for deltas in deltas.chunks(batch) {
                    let encode = |(delta, num_examples): &(Weights, u32)| {
                        let delta = EncodedWeights::parse(delta.to_safetensors(None), None).unwrap();
                        EncodedDelta { delta, num_examples: *num_examples, factor }
                    };
                    let encoded: Vec<_> = deltas.iter().map(encode).collect();
                    let norms = found.add_encoded(&encoded, batch).unwrap();
                    for (norm, (delta, _)) in norms.iter().zip(deltas) {
                        assert!((norm - factor * delta.norm()).abs() < 1e-6 * norm, "{norm}");
                    }
                }
                assert_eq!((found.num_clients(), found.num_examples()), (6, 21));
                assert_eq!((expected.num_clients(), expected.num_examples()), (6, 21));
                let expected = FedAvg { base: base.clone(), sums: expected.sums.clone(), ..expected };
                assert_eq!(found.finish(), expected.finish(), "{batch} at once");
            }
        }
    }

    #[test]
    fn a_value_that_is_not_finite_is_named_whatever_its_client_counts() {
        let mut random = SplitMix64::new(1);
        let (base, mut wrong) = (delta(&mut random), delta(&mut random));
        wrong.iter_mut().next().unwrap().1.values[69_999] = f32::NAN;
        let encoded = |weights: &Weights, num_examples| {
            let delta = EncodedWeights::parse(weights.to_safetensors(None), None).unwrap();
            EncodedDelta { delta, num_examples, factor: 1.0 }
        };
        for num_examples in [0, 1] {
            let deltas = [encoded(&base, 1), encoded(&wrong, num_examples)];
            let error = FedAvg::new(base.clone()).add_encoded(&deltas, 2).unwrap_err();
            assert_eq!(error, WeightsError::NotFinite { name: "a".into(), index: 69_999 });
        }
    }
}
