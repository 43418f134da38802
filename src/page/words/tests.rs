//! The English words of whole reports, with their parameters.

use super::{backend, contribution, ledger, model, problem, session};
use crate::emotion::Emotion;
use crate::messages::ledger::{Ledger, Payload, SentUpdate};
use crate::messages::{
    Asset, Backend, BackendReason, BackendReport, ClipDropReason, ClipOutcome, ClipReport, DropCounts, FrameDropReason,
    LabelHealthReport, ModelWorkerFailure, SessionProblem,
};
use crate::page::l10n;

#[test]
fn clips_and_drops() {
    l10n::use_english();
    let mut report = ClipReport {
        id: Some(1),
        started_at_ms: 0.0,
        ended_at_ms: 2_000.0,
        frames: 12,
        mean: [0.0, 0.0, 0.0, 0.571, 0.429, 0.0],
        label: Emotion::Happiness,
        video: [0.1, 0.0, 0.0, 0.2, 0.7, 0.0],
        personal_head_clips: None,
        outcome: ClipOutcome::Kept,
        waiting: 1,
    };
    assert_eq!(contribution::clip(&report), "happiness (57%), kept; 12 frames; the video model says neutral");
    for (reason, words) in [
        (ClipDropReason::LowConfidence, "dropped;"),
        (ClipDropReason::Disagreement, "dropped, since the models disagree;"),
        (ClipDropReason::TooShort, "dropped, since it is too short;"),
    ] {
        report.outcome = ClipOutcome::Dropped { reason };
        let said = contribution::clip(&report);
        assert_eq!(said, format!("happiness (57%), {words} 12 frames; the video model says neutral"));
    }
    report.outcome = ClipOutcome::HeldOut;
    assert!(contribution::clip(&report).starts_with("happiness (57%), set aside to check the training; 12 frames;"));

    let mut drops = DropCounts::default();
    assert_eq!(contribution::drops(&drops), "");
    drops.add_clip(ClipDropReason::TooShort);
    drops.add_frame(FrameDropReason::Blurred);
    drops.add_frame(FrameDropReason::Blurred);
    drops.add_frame(FrameDropReason::TooDark);
    let words = "Dropped clips: too few good frames (1). Frames not used: blurred (2), too dark (1).";
    assert_eq!(contribution::drops(&drops), words);

    let health = LabelHealthReport {
        clips: 20,
        acceptance_rate: 0.5,
        mean_confidence: 0.754,
        class_balance: 1.0,
        collapse: None,
    };
    let words = "Last 20 clips: 50% clear enough to learn from, 75% sure on average, balance of emotions 100%.";
    assert_eq!(contribution::label_health(&health), words);
}

#[test]
fn updates_and_the_ledger() {
    l10n::use_english();
    let words = "Your update for round 3 is not sent: on the 4 clips set aside it makes the model worse (loss 1.2500 instead of 1.0000).";
    assert_eq!(contribution::withheld(3, 4, 1.0, 1.25), words);
    assert_eq!(contribution::acknowledged(3, 1_234_567, 8), "Your update for round 3 is in (1235 kB, 8 clips).");
    let mut list = Ledger::default();
    assert_eq!(ledger::totals(&list), "Nothing yet.");
    let update = SentUpdate { round: 3, clips: 8, metrics: None, tensors: Vec::new() };
    let payload = Payload { join_code: false, token: true, update: Some(update) };
    list.open(5.0, "PUT", "/api/v2/rounds/3/update", 1_000, payload);
    assert_eq!(ledger::totals(&list), "One request, 1000 bytes.");
    let words = "@5: the token, the update for round 3 and its count of 8 clips; PUT /api/v2/rounds/3/update, 1000 bytes. No answer yet.";
    assert_eq!(ledger::entry(&list.entries[0]), words);
}

#[test]
fn where_models_run_and_how_they_fail() {
    l10n::use_english();
    let mut report = BackendReport {
        backend: Backend::Cpu,
        reason: BackendReason::Measured { webgpu_ms: 40.4, cpu_ms: 20.0 },
        adapter: None,
        frame_ms: 20.2,
        workers: 2,
    };
    let words = "the CPU, with SIMD on 2 cores: the CPU is faster: 40 ms a frame on WebGPU, 20 ms on the CPU. One frame takes 20 ms.";
    assert_eq!(backend::report(&report), words);
    report.reason = BackendReason::Lost { failure: ModelWorkerFailure::DeviceLost { detail: "gone.".into() } };
    let words = "the CPU, with SIMD on 2 cores: WebGPU was lost (its device is gone (gone)), and the CPU has taken over. One frame takes 20 ms.";
    assert_eq!(backend::report(&report), words);
    let failed = problem::session(&SessionProblem::ModelFailed { detail: String::new() });
    assert_eq!(failed.message, "A model failed.");
    assert_eq!(failed.way_out, "Reload the page; if that does not help, tell your instructor.");
    assert_eq!(session::loading(Asset::Detector, 1_230_000), "Loading the face detector (1.2 MB) …");
    assert_eq!(session::retry_in(1_001), " Trying again in 2 s.");
    assert_eq!(model::version(12), "Model 12");
}
