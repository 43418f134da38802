//! FedAvg (McMahan et al. 2017): the mean of clients' models, weighted by their clips.

use crate::weights::{Weights, WeightsError};

/// A running weighted sum in `f64`. Its memory does not depend on the number of clients.
pub struct FedAvg {
    base: Weights,
    sums: Vec<Vec<f64>>,
    clips: u64,
    clients: u32,
}

impl FedAvg {
    /// Nothing added yet; updates are relative to `base`.
    pub fn new(base: Weights) -> Self {
        let sums = base.iter().map(|(_, tensor)| vec![0.0; tensor.values.len()]).collect();
        Self { base, sums, clips: 0, clients: 0 }
    }

    /// Adds a client's `delta`, trained on `clips` clips. A client without clips does not count.
    ///
    /// # Errors
    /// `delta` does not have the base's layout, or is not finite; nothing was added then.
    pub fn add(&mut self, delta: &Weights, clips: u32) -> Result<(), WeightsError> {
        delta.check_same_layout(&self.base)?;
        delta.check_finite()?;
        if clips == 0 {
            return Ok(());
        }
        for (sums, (_, tensor)) in self.sums.iter_mut().zip(delta.iter()) {
            for (sum, &value) in sums.iter_mut().zip(&tensor.values) {
                *sum += f64::from(clips) * f64::from(value);
            }
        }
        self.clips += u64::from(clips);
        self.clients += 1;
        Ok(())
    }

    /// Clips of all clients so far.
    pub fn clips(&self) -> u64 {
        self.clips
    }

    /// Clients that count so far.
    pub fn clients(&self) -> u32 {
        self.clients
    }

    /// Base plus the weighted mean; `None` if no client counted.
    pub fn finish(mut self) -> Option<Weights> {
        if self.clips == 0 {
            return None;
        }
        let clips = self.clips as f64;
        for ((_, tensor), sums) in self.base.iter_mut().zip(&self.sums) {
            for (value, sum) in tensor.values.iter_mut().zip(sums) {
                *value = (f64::from(*value) + sum / clips) as f32;
            }
        }
        Some(self.base)
    }
}
