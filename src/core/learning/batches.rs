//! The order in which fine-tuning sees its clips.

use super::LearningSettings;
use crate::random::SplitMix64;

/// Batches of an epoch's clips, which are shuffled before each epoch. The same settings give the same order everywhere.
#[derive(Clone, Debug)]
pub struct Batches {
    order: Vec<usize>,
    random: SplitMix64,
    batch_size: usize,
    steps_per_epoch: usize,
    steps: usize,
    done: usize,
}

impl Batches {
    /// Of so many clips, for the settings' epochs, batch size and seed.
    pub fn new(num_clips: usize, settings: &LearningSettings) -> Self {
        let batch_size = settings.batch_size.max(1);
        let steps_per_epoch = num_clips.div_ceil(batch_size);
        Self {
            order: (0..num_clips).collect(),
            random: SplitMix64::new(settings.seed),
            batch_size,
            steps_per_epoch,
            steps: steps_per_epoch * settings.epochs as usize,
            done: 0,
        }
    }

    /// The same after so many batches were given, or all if there are fewer.
    pub fn skip(mut self, batches: usize) -> Self {
        while self.done < batches && self.next_batch().is_some() {}
        self
    }

    /// How many there are in all epochs.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// How many [`Self::next_batch`] has given.
    pub fn done(&self) -> usize {
        self.done
    }

    /// The clips of the next step, or `None` when there is none left.
    pub fn next_batch(&mut self) -> Option<&[usize]> {
        if self.done == self.steps {
            return None;
        }
        let position = self.done % self.steps_per_epoch;
        if position == 0 {
            self.random.shuffle(&mut self.order);
        }
        self.done += 1;
        let start = position * self.batch_size;
        Some(&self.order[start..(start + self.batch_size).min(self.order.len())])
    }
}
