//! A training step on several threads: natively only, for the aggregator and the lab.
//!
//! A batch is cut into parts of [`PART`] clips, whatever the number of threads; their gradients are added in the order of
//! the parts. So the same batch gives the same bits on any number of threads, if not those of [`super::Trainer`], which
//! adds in another order.

use std::sync::{Mutex, PoisonError};

use super::loss::kl_divergence_sum;
use super::{Adam, AdamSettings, Clip};
use crate::emotion::EMOTIONS;
use crate::model::vfer::{Parameters, Vfer, Workspace};
use crate::simd::Isa;

/// Clips of a part: few enough for several threads to share a batch, many enough for wide products.
const PART: usize = 16;

/// A VFER in training on several threads.
pub struct ParallelTrainer {
    vfer: Vfer,
    adam: Adam,
    isa: Isa,
    threads: usize,
    parts: Vec<Part>,
}

/// A part's buffers and results.
struct Part {
    workspace: Workspace,
    gradient: Parameters,
    logit_gradients: Vec<[f32; EMOTIONS]>,
    targets: Vec<[f32; EMOTIONS]>,
    /// Sum over its clips.
    loss: f64,
}

impl ParallelTrainer {
    /// Starts from `vfer`, on at most `threads` threads.
    pub fn new(vfer: Vfer, settings: AdamSettings, threads: usize) -> Self {
        Self::with_isa(vfer, settings, threads, Isa::best())
    }

    /// The same on `isa`: for tests, and for comparisons. By default it is the best that there is.
    pub fn with_isa(vfer: Vfer, settings: AdamSettings, threads: usize, isa: Isa) -> Self {
        Self { vfer, adam: Adam::new(settings), isa, threads: threads.max(1), parts: Vec::new() }
    }

    /// The model as it is now.
    pub fn vfer(&self) -> &Vfer {
        &self.vfer
    }

    /// The model, when training is over.
    pub fn into_vfer(self) -> Vfer {
        self.vfer
    }

    /// Loss of a batch of whole, finite clips; its gradient is then at [`Self::gradient`].
    pub fn loss_and_gradient(&mut self, batch: &[&Clip]) -> f32 {
        let count = batch.len().div_ceil(PART);
        while self.parts.len() < count {
            self.parts.push(Part::new(self.isa));
        }
        let (vfer, scale) = (&self.vfer, 1.0 / batch.len() as f32);
        let work = Mutex::new(self.parts.iter_mut().zip(batch.chunks(PART)));
        let next = || work.lock().unwrap_or_else(PoisonError::into_inner).next();
        let run = || {
            while let Some((part, clips)) = next() {
                part.run(vfer, clips, scale);
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..self.threads.min(count) {
                scope.spawn(run);
            }
            run();
        });
        let Some((first, rest)) = self.parts[..count].split_first_mut() else { return 0.0 };
        let mut loss = first.loss;
        for part in rest {
            loss += part.loss;
            for (sum, values) in first.gradient.slices_mut().into_iter().zip(part.gradient.slices()) {
                sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
            }
        }
        (loss * f64::from(scale)) as f32
    }

    /// The gradient that the last batch gave, if there was one.
    pub fn gradient(&self) -> Option<&Parameters> {
        self.parts.first().map(|part| &part.gradient)
    }

    /// One step on a batch of whole, finite clips; gives the loss before it. Without a clip it does nothing.
    pub fn step(&mut self, batch: &[&Clip]) -> f32 {
        let loss = self.loss_and_gradient(batch);
        if let (false, Some(part)) = (batch.is_empty(), self.parts.first()) {
            self.adam.step(&mut self.vfer.parameters, &part.gradient);
        }
        loss
    }
}

impl Part {
    fn new(isa: Isa) -> Self {
        Self {
            workspace: Workspace::with_isa(isa),
            gradient: Parameters::zeros(),
            logit_gradients: Vec::new(),
            targets: Vec::new(),
            loss: 0.0,
        }
    }

    /// Forward, loss and backward of its clips; gradients times `scale`.
    fn run(&mut self, vfer: &Vfer, clips: &[&Clip], scale: f32) {
        let features: Vec<&[f32]> = clips.iter().map(|clip| clip.features.as_slice()).collect();
        self.targets.clear();
        self.targets.extend(clips.iter().map(|clip| clip.target));
        let logits = self.workspace.forward(vfer, &features);
        self.loss = kl_divergence_sum(logits, &self.targets, scale, &mut self.logit_gradients);
        self.workspace.backward(vfer, &self.logit_gradients, &mut self.gradient);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Trainer;
    use super::*;
    use crate::model::vfer::FEATURES;
    use crate::random::SplitMix64;

    fn clips(count: usize) -> Vec<Clip> {
        let mut random = SplitMix64::new(5);
        (0..count)
            .map(|i| {
                let mut target = [0.0; EMOTIONS];
                target[i % EMOTIONS] = 1.0;
                let frames = 1 + i % 5;
                Clip { features: (0..frames * FEATURES).map(|_| random.signed()).collect(), target }
            })
            .collect()
    }

    #[test]
    fn bits_do_not_depend_on_the_number_of_threads() {
        let clips = clips(50);
        let batch: Vec<&Clip> = clips.iter().collect();
        let settings = AdamSettings::with_learning_rate(1e-3);
        let train = |threads| {
            let mut trainer = ParallelTrainer::new(Vfer::random(1), settings, threads);
            let losses: Vec<f32> = batch.chunks(33).map(|batch| trainer.step(batch)).collect();
            (losses, trainer.into_vfer())
        };
        let one = train(1);
        for threads in [2, 3, 8] {
            assert_eq!(one, train(threads), "{threads} threads");
        }
    }

    #[test]
    fn every_instruction_set_gives_the_gradient_of_the_plain_trainer() {
        let clips = clips(41);
        let batch: Vec<&Clip> = clips.iter().collect();
        let settings = AdamSettings::with_learning_rate(1e-3);
        let mut plain = Trainer::with_isa(Vfer::random(1), settings, Isa::Four(crate::simd::Four));
        let loss = plain.loss_and_gradient(&batch);
        for isa in Isa::available() {
            let mut alone = Trainer::with_isa(Vfer::random(1), settings, isa);
            let mut parallel = ParallelTrainer::with_isa(Vfer::random(1), settings, 2, isa);
            assert!((alone.loss_and_gradient(&batch) - loss).abs() < 1e-5 * loss, "{isa:?}");
            assert!((parallel.loss_and_gradient(&batch) - loss).abs() < 1e-5 * loss, "{isa:?}");
            for gradient in [alone.gradient(), parallel.gradient().unwrap()] {
                for (found, expected) in gradient.slices().into_iter().zip(plain.gradient().slices()) {
                    let largest = expected.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
                    let close = |(found, expected): (&f32, &f32)| (found - expected).abs() <= 1e-5 * largest;
                    assert!(found.iter().zip(expected).all(close), "{isa:?}");
                }
            }
        }
    }

    #[test]
    fn a_batch_without_clips_changes_nothing() {
        let mut trainer = ParallelTrainer::new(Vfer::random(1), AdamSettings::with_learning_rate(1e-3), 2);
        assert_eq!(trainer.step(&[]), 0.0);
        assert_eq!(*trainer.vfer(), Vfer::random(1));
    }
}
