//! Where the paper's video model is trained: by hand on the CPU, or on burn on WebGPU, where that is faster and computes the
//! same.

use crate::emotion::EMOTIONS;
use crate::learning::Clip;
use crate::messages::{Backend, ModelWorkerFailure, VideoModelReason, VideoModelReport};
use crate::model::vfer::FEATURES;
use crate::random::SplitMix64;
use crate::weights::Weights;

/// Clips of the batch that is measured, as in `make bench`.
const CLIPS: usize = 8;
/// Frames of each.
const FRAMES: usize = 32;
/// Steps that are measured, behind a first one that compiles.
pub const MEASURED_STEPS: usize = 5;
/// Largest deviation of WebGPU's gradient, relative to the largest value of a tensor: what two orders of the same sums differ
/// by is a tenth of it.
const MAX_DEVIATION: f64 = 1e-3;

/// What a backend makes of [`measured_batch`].
pub struct Measured {
    /// Median time of a training step, in milliseconds.
    pub step_ms: f64,
    /// Of the loss, at the weights that the model was loaded with.
    pub gradient: Weights,
}

/// Made-up clips: how long a step takes depends on their sizes alone.
pub fn measured_batch() -> Vec<Clip> {
    let mut random = SplitMix64::new(1);
    let mut clip = |index: usize| {
        let mut target = [0.1; EMOTIONS];
        target[index % EMOTIONS] = 0.5;
        Clip { features: (0..FRAMES * FEATURES).map(|_| random.signed()).collect(), target }
    };
    (0..CLIPS).map(&mut clip).collect()
}

/// Decides.
pub fn choose(cpu: &Measured, webgpu: Result<Measured, ModelWorkerFailure>) -> VideoModelReport {
    let on_cpu = |reason| VideoModelReport { backend: Backend::Cpu, reason };
    let webgpu = match webgpu {
        Err(failure) => return on_cpu(VideoModelReason::Failed { failure }),
        Ok(measured) => measured,
    };
    let deviation = deviation(&webgpu.gradient, &cpu.gradient);
    if deviation.is_none_or(|deviation| deviation > MAX_DEVIATION) {
        return on_cpu(VideoModelReason::Deviates { deviation });
    }
    let backend = if webgpu.step_ms < cpu.step_ms { Backend::Webgpu } else { Backend::Cpu };
    let (webgpu_step_ms, cpu_step_ms) = (webgpu.step_ms, cpu.step_ms);
    VideoModelReport { backend, reason: VideoModelReason::Measured { webgpu_step_ms, cpu_step_ms } }
}

/// Largest difference, relative to the largest value of its tensor; `None` if a tensor is missing, of another length or not
/// finite.
fn deviation(found: &Weights, expected: &Weights) -> Option<f64> {
    let mut largest = 0.0_f64;
    for (name, expected) in expected.iter() {
        let found = &found.get(name).ok()?.values;
        if found.len() != expected.values.len() || !found.iter().all(|value| value.is_finite()) {
            return None;
        }
        let scale = expected.values.iter().fold(f32::MIN_POSITIVE, |scale, value| scale.max(value.abs()));
        let differences = found.iter().zip(&expected.values).map(|(found, expected)| (found - expected).abs());
        largest = largest.max(f64::from(differences.fold(0.0, f32::max) / scale));
    }
    Some(largest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::Tensor;

    fn measured(step_ms: f64, gradient: &[f32]) -> Measured {
        let mut weights = Weights::new();
        weights.insert("w".to_owned(), Tensor { shape: vec![gradient.len()], values: gradient.to_vec() });
        Measured { step_ms, gradient: weights }
    }

    #[test]
    fn the_faster_is_taken_and_whatever_fails_or_computes_wrong_is_not() {
        let cpu = measured(10.0, &[4.0, -2.0]);
        let on = |webgpu| choose(&cpu, webgpu).backend;
        assert_eq!(on(Ok(measured(3.0, &[4.0, -2.0]))), Backend::Webgpu);
        assert_eq!(on(Ok(measured(3.0, &[4.0, -2.003]))), Backend::Webgpu);
        assert_eq!(on(Ok(measured(30.0, &[4.0, -2.0]))), Backend::Cpu);
        assert_eq!(on(Ok(measured(f64::NAN, &[4.0, -2.0]))), Backend::Cpu);
        assert_eq!(on(Err(ModelWorkerFailure::Silent { timeout_s: 10 })), Backend::Cpu);
        for wrong in [&[4.0, -2.1][..], &[4.0, f32::NAN], &[4.0]] {
            let report = choose(&cpu, Ok(measured(3.0, wrong)));
            assert!(matches!(report.reason, VideoModelReason::Deviates { .. }), "{wrong:?}");
            assert_eq!(report.backend, Backend::Cpu);
        }
    }

    #[test]
    fn the_measured_clips_are_whole_and_differ() {
        let batch = measured_batch();
        assert!(batch.iter().all(|clip| clip.features.len() == FRAMES * FEATURES));
        assert!(batch.windows(2).all(|pair| pair[0].features != pair[1].features));
    }
}
