//! Where the paper's video model is trained: by hand on the CPU, or on burn on WebGPU.

use crate::messages::{Backend, ExtractorFailure, VideoModelReason, VideoModelReport};

/// The batch that is measured, as in `make bench`.
pub const MEASURED_CLIPS: usize = 8;
/// Frames of each of its clips.
pub const MEASURED_FRAMES: usize = 32;
/// Steps that are measured, behind a first one that compiles.
pub const MEASURED_STEPS: usize = 5;

/// Decides by what a training step takes. `webgpu` is absent where no backbone runs on WebGPU, whose device the video model
/// would share.
pub fn choose(cpu_step_ms: f64, webgpu: Option<Result<f64, ExtractorFailure>>) -> VideoModelReport {
    match webgpu {
        None => VideoModelReport { backend: Backend::Cpu, reason: VideoModelReason::NoWebgpu },
        Some(Err(failure)) => VideoModelReport { backend: Backend::Cpu, reason: VideoModelReason::Failed { failure } },
        Some(Ok(webgpu_step_ms)) => {
            let backend = if webgpu_step_ms < cpu_step_ms { Backend::Webgpu } else { Backend::Cpu };
            VideoModelReport { backend, reason: VideoModelReason::Measured { webgpu_step_ms, cpu_step_ms } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_faster_is_taken_and_whatever_fails_is_not() {
        let on = |webgpu| choose(10.0, webgpu).backend;
        assert_eq!(on(None), Backend::Cpu);
        assert_eq!(on(Some(Ok(3.0))), Backend::Webgpu);
        assert_eq!(on(Some(Ok(30.0))), Backend::Cpu);
        assert_eq!(on(Some(Ok(f64::NAN))), Backend::Cpu);
        assert_eq!(on(Some(Err(ExtractorFailure::Silent { timeout_s: 10 }))), Backend::Cpu);
    }
}
