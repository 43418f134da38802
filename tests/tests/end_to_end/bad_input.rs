//! Cameras that give nothing to work with, and files that come damaged: words, and a way on.

use emofed::protocol::path;
use emofed_tests::e2e::aggregator::Aggregator;
use emofed_tests::e2e::browser::Camera;
use emofed_tests::e2e::camera::Film;
use emofed_tests::e2e::proxy::Damage;
use emofed_tests::e2e::student::Student;
use hyper::Method;

#[tokio::test]
async fn a_refused_camera_can_be_allowed_after_all() {
    let aggregator = Aggregator::start().await;
    let student = Student::open(aggregator.student_link(), "cpu", Camera::Refused).await;
    student.consent().await;
    student.wait_for_camera_problem("allow").await;
    student.browser().grant_camera().await;
    student.browser().click("#camera-retry").await;
    student.wait_for_expressions().await;
    let hidden = "return ['#problem', '#camera-problem'].every(id => !document.querySelector(id).checkVisibility())";
    assert!(student.browser().script::<bool>(hidden).await);
}

#[tokio::test]
async fn a_machine_without_camera_is_told_so() {
    let aggregator = Aggregator::start().await;
    let student = Student::open(aggregator.student_link(), "cpu", Camera::Missing).await;
    student.consent().await;
    student.wait_for_camera_problem("no camera").await;
    assert!(student.browser().script::<bool>("return document.querySelector('#camera-retry').checkVisibility()").await);
}

#[tokio::test]
async fn a_covered_lens_makes_no_clips() {
    let aggregator = Aggregator::start().await;
    let student = Student::join(aggregator.student_link(), Camera::Granted(Film::Black)).await;
    student.wait_for_face_status("dark").await;
    student.assert_no_clips_for(5).await;
}

#[tokio::test]
async fn a_picture_without_a_face_makes_no_clips() {
    let aggregator = Aggregator::start().await;
    let student = Student::join(aggregator.student_link(), Camera::Granted(Film::NoFace)).await;
    student.wait_for_face_status("no face").await;
    student.assert_no_clips_for(5).await;
}

#[tokio::test]
async fn of_two_faces_the_larger_counts() {
    let aggregator = Aggregator::start().await;
    let student = Student::join(aggregator.student_link(), Camera::Granted(Film::TwoFaces)).await;
    student.wait_for_expressions().await;
    student.wait_for_face_status("largest").await;
    // The large face takes 0.36 of the film's width, the small one 0.19.
    let width: f64 = student.browser().script("return +document.querySelector('#face-box').dataset.width").await;
    assert!((0.27..0.6).contains(&width), "the box is {width} of the picture");
}

#[tokio::test]
async fn a_tiny_picture_does_not_stop_the_session() {
    let aggregator = Aggregator::start().await;
    let student = Student::join(aggregator.student_link(), Camera::Granted(Film::Tiny)).await;
    student.wait_for_frames().await;
}

#[tokio::test]
async fn a_wrong_join_code_can_be_corrected() {
    let aggregator = Aggregator::start().await;
    let (origin, code) = aggregator.student_link().split_once("#join=").unwrap();
    let camera = Camera::Granted(Film::Portrait(1));
    let student = Student::open(&format!("{origin}#join=WRONG"), "cpu", camera).await;
    student.consent().await;
    student.wait_for_problem("code", 60).await;
    student.type_join_code(code).await;
    student.consent().await;
    student.wait_for_expressions().await;
}

#[tokio::test]
async fn weights_damaged_once_are_fetched_again() {
    for damage in [Damage::Flip, Damage::Truncate] {
        let aggregator = Aggregator::start().await;
        let blob = path::blob(&aggregator.manifest().await.model.vfer.sha256);
        let camera = Camera::Granted(Film::Portrait(1));
        let student = Student::open(aggregator.student_link(), "cpu", camera).await;
        student.browser().proxy().damage(damage, &blob, 1);
        student.consent().await;
        student.wait_for_expressions().await;
        assert_eq!(requests(&student, &blob), 2, "{damage:?}");
    }
}

#[tokio::test]
async fn weights_damaged_again_are_a_clear_error() {
    let aggregator = Aggregator::start().await;
    let blob = path::blob(&aggregator.manifest().await.backbone.blob.sha256);
    let student = Student::open(aggregator.student_link(), "cpu", Camera::Granted(Film::Portrait(1))).await;
    student.browser().proxy().damage(Damage::Flip, &blob, usize::MAX);
    student.consent().await;
    student.wait_for_problem("altered", 60).await;
    assert_eq!(requests(&student, &blob), 2);
}

/// How often this student's browser asked for `path`.
fn requests(student: &Student, path: &str) -> usize {
    let exchanges = student.browser().proxy().exchanges();
    exchanges.iter().filter(|exchange| exchange.method == Method::GET && exchange.url.path() == path).count()
}
