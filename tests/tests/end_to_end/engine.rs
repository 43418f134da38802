//! Where models run: WebGPU, and what happens when its device is lost.

use emofed_tests::e2e::aggregator::Aggregator;
use emofed_tests::e2e::browser::Camera;
use emofed_tests::e2e::camera::Film;
use emofed_tests::e2e::student::Student;

#[tokio::test]
async fn a_lost_device_moves_the_session_to_the_cpu() {
    let aggregator = Aggregator::start().await;
    let student = Student::open(aggregator.student_link(), "webgpu", Camera::Granted(Film::Portrait(3))).await;
    student.consent().await;
    student.wait_for_backend("webgpu").await;
    student.wait_for_expressions().await;
    student.wait_for_clips(1).await;

    student.browser().kill_gpu_process();
    let reason = student.wait_for_backend("cpu").await;
    assert!(reason.to_lowercase().contains("lost"), "{reason}");
    // What was kept before is still there, and goes on to be learned from.
    let kept = student.clips_kept().await;
    assert!(kept >= 1);
    student.wait_for_clips(kept + 2).await;
    student.contribute().await;
    student.wait_for_acknowledgement(aggregator.manifest().await.round.unwrap().id).await;
}

/// The CPU's code is at hand before it is needed.
#[tokio::test]
async fn a_device_lost_while_the_aggregator_is_away_loses_nothing() {
    let mut aggregator = Aggregator::start().await;
    let student = Student::open(aggregator.student_link(), "webgpu", Camera::Granted(Film::Portrait(3))).await;
    student.consent().await;
    student.wait_for_backend("webgpu").await;
    student.wait_for_expressions().await;

    aggregator.kill();
    student.wait_for_connection(false).await;
    student.browser().kill_gpu_process();
    student.wait_for_backend("cpu").await;
    let kept = student.clips_kept().await;
    student.wait_for_clips(kept + 1).await;
}

/// With generated weights, in half the bytes: what EmoNet says of the face is arbitrary, that it says something is not.
#[tokio::test]
async fn emonet_runs_on_every_core() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("emonet.safetensors");
    std::fs::write(&file, emofed_tests::emonet_official().to_safetensors_f16(None)).unwrap();
    let mut aggregator = Aggregator::start().await;
    aggregator.import_emonet(&file).await;
    let student = Student::join(aggregator.student_link(), Camera::Granted(Film::Portrait(3))).await;
    let report = student.wait_for_backend("cpu").await;
    let cores: u32 = student.browser().script("return Math.min(navigator.hardwareConcurrency, 4)").await;
    assert!(cores == 1 || report.contains(&format!("on {cores} cores")), "{report}");
    student.wait_for_expressions().await;
    student.wait_for_first_clip().await;
}

#[tokio::test]
async fn the_probe_says_what_it_found() {
    let aggregator = Aggregator::start().await;
    let student = Student::open(aggregator.student_link(), "auto", Camera::Granted(Film::Portrait(3))).await;
    student.consent().await;
    // SwiftShader is no card: the probe must not take it.
    let reason = student.wait_for_backend("cpu").await;
    assert!(reason.len() > 20, "{reason}");
}

/// Before the paper's model is trained for the first time, a step is measured on WebGPU and on the CPU; times are told only
/// if both compute the same gradient.
#[tokio::test]
async fn the_video_model_computes_the_same_on_webgpu() {
    let aggregator = Aggregator::start().await;
    let student = Student::open(aggregator.student_link(), "webgpu", Camera::Granted(Film::Portrait(3))).await;
    student.consent().await;
    student.wait_for_backend("webgpu").await;
    student.contribute().await;
    student.wait_for_acknowledgement(aggregator.manifest().await.round.unwrap().id).await;
    let report: String =
        student.browser().script("return document.querySelector('#video-model-report').textContent").await;
    assert!(report.contains("ms a training step on WebGPU"), "{report}");
}
