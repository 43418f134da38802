//! New versions as small differences: a real tab that has the version before fetches no more.

use emofed::protocol::path;
use emofed_tests::e2e::aggregator::Aggregator;
use emofed_tests::e2e::browser::Camera;
use emofed_tests::e2e::camera::Film;
use emofed_tests::e2e::student::Student;
use serde_json::json;

#[tokio::test]
async fn a_tab_fetches_the_difference_to_the_version_that_it_has() {
    let one = Aggregator::by_hand().replace("minimum_clients = 2", "minimum_clients = 1");
    let aggregator =
        Aggregator::start_with(&format!("{one}\n[strategy]\nname = \"fedavg\"\ndifference = \"int8\"\n")).await;
    let student = Student::join(aggregator.student_link(), Camera::Granted(Film::Portrait(4))).await;
    student.wait_for_first_clip().await;
    student.contribute().await;
    for round in 1..=2 {
        aggregator.instruct("rounds", json!({})).await;
        student.wait_for_acknowledgement(round).await;
        student.wait_for_version(round + 1).await;
    }
    let model = aggregator.manifest().await.model;
    let difference = model.difference.expect("the round's model has a difference to its base");
    assert!(difference.blob.size * 3 < model.vfer.size, "{} bytes of {}", difference.blob.size, model.vfer.size);
    let exchanges = student.browser().proxy().exchanges();
    let asked_for = |sha256: &str| exchanges.iter().filter(|e| e.url.path() == path::blob(sha256)).count();
    assert_eq!((asked_for(&difference.blob.sha256), asked_for(&model.vfer.sha256)), (1, 0));

    // Who comes now has no version before.
    let newcomer = Student::join(aggregator.student_link(), Camera::Granted(Film::Portrait(5))).await;
    newcomer.wait_for_first_clip().await;
    newcomer.wait_for_version(3).await;
    let exchanges = newcomer.browser().proxy().exchanges();
    let asked_for = |sha256: &str| exchanges.iter().filter(|e| e.url.path() == path::blob(sha256)).count();
    assert_eq!((asked_for(&difference.blob.sha256), asked_for(&model.vfer.sha256)), (0, 1));
}
