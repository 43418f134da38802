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
    student.wait_for_engine("webgpu").await;
    student.wait_for_expressions().await;
    student.wait_for_clips(1).await;

    student.browser().kill_gpu_process();
    let reason = student.wait_for_engine("cpu").await;
    assert!(reason.to_lowercase().contains("lost"), "{reason}");
    // What was kept before is still there, and goes on to be learned from.
    let kept = student.clips_kept().await;
    assert!(kept >= 1);
    student.wait_for_clips(kept + 2).await;
    student.contribute().await;
    student.wait_for_acknowledgement(aggregator.manifest().await.round.unwrap().id).await;
}

#[tokio::test]
async fn the_probe_says_what_it_found() {
    let aggregator = Aggregator::start().await;
    let student = Student::open(aggregator.student_link(), "auto", Camera::Granted(Film::Portrait(3))).await;
    student.consent().await;
    // SwiftShader is no card: the probe must not take it.
    let reason = student.wait_for_engine("cpu").await;
    assert!(reason.len() > 20, "{reason}");
}
