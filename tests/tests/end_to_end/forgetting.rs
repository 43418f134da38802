//! Forgetting works without the models.

use emofed_tests::e2e::aggregator::Aggregator;
use emofed_tests::e2e::browser::Camera;
use emofed_tests::e2e::camera::Film;
use emofed_tests::e2e::student::Student;
use serde_json::Value;

#[tokio::test]
async fn a_dead_worker_does_not_keep_anything() {
    let aggregator = Aggregator::start().await;
    let student = Student::open(aggregator.student_link(), "cpu", Camera::Granted(Film::Portrait(8))).await;
    let recorded = "
        window.emofedWorkers = [];
        window.Worker = class extends Worker {
            constructor(...all) { super(...all); emofedWorkers.push(this); }
        };";
    student.browser().script::<Value>(recorded).await;
    student.consent().await;
    student.wait_for_expressions().await;
    assert!(!student.kept_on_the_device().await.is_empty(), "there is something to forget");
    assert!(student.browser().script::<bool>("return sessionStorage.length > 0").await);

    // It ends without a word.
    student.browser().script::<Value>("emofedWorkers.forEach(worker => worker.terminate())").await;
    student.browser().click("#forget").await;
    student.browser().click("#forget-confirm").await;
    student.browser().wait::<bool>("leaving", 10, "document.querySelector('#left').checkVisibility()").await;
    let words = student.browser().text("#left-text").await;
    assert!(words.contains("deleted"), "{words}");
    student.assert_focus("left-title").await;
    assert_eq!(student.kept_on_the_device().await, [""; 0]);
    let nothing = "return sessionStorage.length + localStorage.length";
    assert_eq!(student.browser().script::<usize>(nothing).await, 0);
}
