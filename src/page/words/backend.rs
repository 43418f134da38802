//! Where the backbone runs, and why.

use super::{bracketed, text, text_with};
use crate::messages::{Backend, BackendReason, BackendReport, ModelWorkerFailure, VideoModelReason, VideoModelReport};

/// A report, in two sentences.
pub fn report(report: &BackendReport) -> String {
    let place = match (report.backend, &report.adapter) {
        (Backend::Webgpu, Some(adapter)) => text_with("place-webgpu-adapter", &[("adapter", adapter.into())]),
        (Backend::Webgpu, None) => text("place-webgpu"),
        (Backend::Cpu, _) if report.workers > 1 => text_with("place-cpu-cores", &[("cores", report.workers.into())]),
        (Backend::Cpu, _) => text("place-cpu-simd"),
    };
    let (reason, ms) = (reason(report), report.frame_ms);
    text_with("backend-report", &[("place", place.into()), ("reason", reason.into()), ("ms", ms.into())])
}

/// Where the video model is trained, and why, in a sentence.
pub fn video_model(report: &VideoModelReport) -> String {
    let place = match report.backend {
        Backend::Webgpu => text("place-webgpu"),
        Backend::Cpu => text("place-cpu"),
    };
    let reason = match &report.reason {
        VideoModelReason::NoWebgpu => text("video-no-webgpu"),
        VideoModelReason::Measured { webgpu_step_ms, cpu_step_ms } => {
            text_with("video-measured", &[("webgpu", (*webgpu_step_ms).into()), ("cpu", (*cpu_step_ms).into())])
        }
        VideoModelReason::Deviates { deviation: Some(deviation) } => {
            text_with("video-deviates-by", &[("deviation", (*deviation).into())])
        }
        VideoModelReason::Deviates { deviation: None } => text("video-deviates"),
        VideoModelReason::Architecture => text("video-architecture"),
        VideoModelReason::Failed { failure } => {
            text_with("video-failed", &[("failure", self::failure(failure).into())])
        }
    };
    text_with("video-model-report", &[("place", place.into()), ("reason", reason.into())])
}

fn reason(report: &BackendReport) -> String {
    match &report.reason {
        BackendReason::Chosen => match report.backend {
            Backend::Webgpu => text("backend-chosen-webgpu"),
            Backend::Cpu => text("backend-chosen-cpu"),
        },
        BackendReason::NoWebgpu => text("backend-no-webgpu"),
        BackendReason::NoAdapter => text("backend-no-adapter"),
        BackendReason::AdapterLimits { adapter: Some(adapter) } => {
            text_with("backend-limits-named", &[("adapter", adapter.into())])
        }
        BackendReason::AdapterLimits { adapter: None } => text("backend-limits"),
        BackendReason::SoftwareAdapter { adapter: Some(adapter) } => {
            text_with("backend-software-named", &[("adapter", adapter.into())])
        }
        BackendReason::SoftwareAdapter { adapter: None } => text("backend-software"),
        BackendReason::Measured { webgpu_ms, cpu_ms } if report.backend == Backend::Webgpu => {
            text_with("backend-measured-webgpu", &[("webgpu", (*webgpu_ms).into()), ("cpu", (*cpu_ms).into())])
        }
        BackendReason::Measured { webgpu_ms, cpu_ms } => {
            text_with("backend-measured-cpu", &[("webgpu", (*webgpu_ms).into()), ("cpu", (*cpu_ms).into())])
        }
        BackendReason::LoadFailed { failure } => {
            text_with("backend-load-failed", &[("failure", self::failure(failure).into())])
        }
        BackendReason::Lost { failure } => {
            text_with("backend-webgpu-lost", &[("failure", self::failure(failure).into())])
        }
    }
}

/// How a worker that runs models failed, as part of a sentence.
pub fn failure(failure: &ModelWorkerFailure) -> String {
    match failure {
        ModelWorkerFailure::ScriptNotLoaded => text("failure-script"),
        ModelWorkerFailure::Stopped { detail } => text_with("failure-stopped", &[("detail", bracketed(detail))]),
        ModelWorkerFailure::Silent { timeout_s } => text_with("failure-silent", &[("seconds", (*timeout_s).into())]),
        ModelWorkerFailure::DeviceLost { detail } => text_with("failure-device-lost", &[("detail", bracketed(detail))]),
        ModelWorkerFailure::Failed { detail } => text_with("failure-failed", &[("detail", bracketed(detail))]),
    }
}
