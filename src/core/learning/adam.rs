//! Adam (Kingma and Ba 2015), as PyTorch computes it.

use crate::model::vfer::Parameters;
use crate::simd::{Isa, Operation, Simd, dispatch};

/// Adam's settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamSettings {
    /// Learning rate.
    pub learning_rate: f64,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
}

impl AdamSettings {
    /// The usual β and ε (0.9, 0.999, 1e-8) with a learning rate.
    pub fn with_learning_rate(learning_rate: f64) -> Self {
        Self { learning_rate, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }
    }
}

/// The running means that Adam keeps, a value for each parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    /// Of gradients.
    pub first: Parameters,
    /// Of squared gradients.
    pub second: Parameters,
}

/// The optimiser's state.
#[derive(Clone, Debug)]
pub struct Adam {
    settings: AdamSettings,
    moments: Moments,
    steps: i32,
}

impl Adam {
    /// Before the first step.
    pub fn new(settings: AdamSettings) -> Self {
        Self::resume(settings, Moments { first: Parameters::zeros(), second: Parameters::zeros() }, 0)
    }

    /// After `steps` steps, with the moments that they left.
    pub fn resume(settings: AdamSettings, moments: Moments, steps: i32) -> Self {
        Self { settings, moments, steps }
    }

    /// The moments as they are now.
    pub fn moments(&self) -> &Moments {
        &self.moments
    }

    /// Changes the learning rate from the next step on.
    pub fn set_learning_rate(&mut self, learning_rate: f64) {
        self.settings.learning_rate = learning_rate;
    }

    /// Moves `parameters` against `gradient`.
    pub fn step(&mut self, parameters: &mut Parameters, gradient: &Parameters) {
        self.steps += 1;
        let AdamSettings { learning_rate, beta1, beta2, epsilon } = self.settings;
        let step_size = (learning_rate / (1.0 - beta1.powi(self.steps))) as f32;
        let root_correction = (1.0 - beta2.powi(self.steps)).sqrt().recip() as f32;
        let (keep1, take1) = (beta1 as f32, (1.0 - beta1) as f32);
        let (keep2, take2) = (beta2 as f32, (1.0 - beta2) as f32);
        let epsilon = epsilon as f32;
        let factors = Factors { step_size, root_correction, keep1, take1, keep2, take2, epsilon };
        let moments = self.moments.first.slices_mut().into_iter().zip(self.moments.second.slices_mut());
        for ((values, gradients), (first, second)) in
            parameters.slices_mut().into_iter().zip(gradient.slices()).zip(moments)
        {
            dispatch!(Isa::best(), simd => simd.call(Move { factors, values, gradients, first, second }));
        }
    }
}

#[derive(Clone, Copy)]
struct Factors {
    step_size: f32,
    root_correction: f32,
    keep1: f32,
    take1: f32,
    keep2: f32,
    take2: f32,
    epsilon: f32,
}

/// [`Adam::step`] of one tensor. The compiler makes vectors of it, and rounds as without: results do not depend on them.
struct Move<'a> {
    factors: Factors,
    values: &'a mut [f32],
    gradients: &'a [f32],
    first: &'a mut [f32],
    second: &'a mut [f32],
}

impl Operation for Move<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Factors { step_size, root_correction, keep1, take1, keep2, take2, epsilon } = self.factors;
        let moments = self.first.iter_mut().zip(self.second);
        for ((value, gradient), (first, second)) in self.values.iter_mut().zip(self.gradients).zip(moments) {
            *first = keep1 * *first + take1 * gradient;
            *second = keep2 * *second + take2 * gradient * gradient;
            *value -= step_size * *first / (second.sqrt() * root_correction + epsilon);
        }
    }
}
