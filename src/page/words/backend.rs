//! Where the backbone runs, and why.

use super::bracketed;
use crate::messages::{Backend, BackendReason, BackendReport, ModelWorkerFailure, VideoModelReason, VideoModelReport};

/// A report, in two sentences.
pub fn report(report: &BackendReport) -> String {
    let place = match (report.backend, &report.adapter) {
        (Backend::Webgpu, Some(adapter)) => format!("WebGPU ({adapter})"),
        (Backend::Webgpu, None) => "WebGPU".to_owned(),
        (Backend::Cpu, _) if report.workers > 1 => format!("the CPU, with SIMD on {} cores", report.workers),
        (Backend::Cpu, _) => "the CPU, with SIMD".to_owned(),
    };
    format!("{place}: {}. One frame takes {:.0} ms.", reason(report), report.frame_ms)
}

/// Where the video model is trained, and why, in a sentence.
pub fn video_model(report: &VideoModelReport) -> String {
    let place = match report.backend {
        Backend::Webgpu => "WebGPU",
        Backend::Cpu => "the CPU",
    };
    let reason = match &report.reason {
        VideoModelReason::NoWebgpu => "the backbone does not run on WebGPU".to_owned(),
        VideoModelReason::Measured { webgpu_step_ms, cpu_step_ms } => {
            format!("{webgpu_step_ms:.0} ms a training step on WebGPU, {cpu_step_ms:.0} ms on the CPU")
        }
        VideoModelReason::Deviates { deviation: Some(deviation) } => {
            format!("WebGPU computes wrong here, by up to {:.1} %", 100.0 * deviation)
        }
        VideoModelReason::Deviates { deviation: None } => "WebGPU computes wrong here".to_owned(),
        VideoModelReason::Architecture => "its architecture runs beside the backbone".to_owned(),
        VideoModelReason::Failed { failure } => format!("WebGPU failed ({})", self::failure(failure)),
    };
    format!("{place}: {reason}.")
}

fn reason(report: &BackendReport) -> String {
    match &report.reason {
        BackendReason::Chosen => match report.backend {
            Backend::Webgpu => "WebGPU was chosen".to_owned(),
            Backend::Cpu => "the CPU was chosen".to_owned(),
        },
        BackendReason::NoWebgpu => "this browser has no WebGPU".to_owned(),
        BackendReason::NoAdapter => "WebGPU finds no adapter".to_owned(),
        BackendReason::AdapterLimits { adapter } => {
            format!("the limits of {} are below WebGPU's defaults", name(adapter.as_deref()))
        }
        BackendReason::SoftwareAdapter { adapter } => format!("{} is software", name(adapter.as_deref())),
        BackendReason::Measured { webgpu_ms, cpu_ms } => {
            let faster = if report.backend == Backend::Webgpu { "WebGPU" } else { "the CPU" };
            format!("{faster} is faster: {webgpu_ms:.0} ms a frame on WebGPU, {cpu_ms:.0} ms on the CPU")
        }
        BackendReason::LoadFailed { failure } => {
            format!("the backbone does not load on WebGPU: {}", self::failure(failure))
        }
        BackendReason::Lost { failure } => {
            format!("WebGPU was lost ({}), and the CPU has taken over", self::failure(failure))
        }
    }
}

fn name(adapter: Option<&str>) -> String {
    adapter.map_or_else(|| "the adapter".to_owned(), |name| format!("the adapter {name}"))
}

/// How a worker that runs models failed, as part of a sentence.
pub fn failure(failure: &ModelWorkerFailure) -> String {
    match failure {
        ModelWorkerFailure::ScriptNotLoaded => "its script does not load".to_owned(),
        ModelWorkerFailure::Stopped { detail } => format!("its worker stopped{}", bracketed(detail)),
        ModelWorkerFailure::Silent { timeout_s } => format!("no answer for {timeout_s} s"),
        ModelWorkerFailure::DeviceLost { detail } => format!("its device is gone{}", bracketed(detail)),
        ModelWorkerFailure::Failed { detail } => format!("its worker failed{}", bracketed(detail)),
    }
}
