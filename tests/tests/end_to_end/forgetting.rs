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
    let kept = "return caches.keys().then(names => names.length > 0 && sessionStorage.length > 0)";
    assert!(student.browser().script::<bool>(kept).await, "there is something to forget");

    // It ends without a word.
    student.browser().script::<Value>("emofedWorkers.forEach(worker => worker.terminate())").await;
    student.browser().click("#forget").await;
    student.browser().click("#forget-confirm").await;
    student.browser().wait::<bool>("leaving", 10, "document.querySelector('#left').checkVisibility()").await;
    let words = student.browser().text("#left-text").await;
    assert!(words.contains("deleted"), "{words}");
    student.assert_focus("left-title").await;
    let nothing = "return caches.keys().then(names => names.length + sessionStorage.length + localStorage.length)";
    assert_eq!(student.browser().script::<usize>(nothing).await, 0);
}
