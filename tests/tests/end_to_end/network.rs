//! An aggregator that goes away, a tab that is reloaded, an instructor who decides otherwise.

use std::time::{Duration, Instant};

use emofed::protocol::path;
use emofed_tests::e2e::aggregator::Aggregator;
use emofed_tests::e2e::browser::Camera;
use emofed_tests::e2e::camera::Film;
use emofed_tests::e2e::proxy::Damage;
use emofed_tests::e2e::student::Student;
use hyper::Method;
use serde_json::json;
use tokio::time::sleep;

const CAMERA: Camera = Camera::Granted(Film::Portrait(4));

#[tokio::test]
async fn a_killed_aggregator_is_found_again_and_gets_the_update_once() {
    let mut aggregator = Aggregator::start().await;
    let student = Student::join(aggregator.student_link(), CAMERA).await;
    let round = aggregator.manifest().await.round.unwrap().id;
    student.wait_for_expressions().await;
    aggregator.kill();
    student.wait_for_connection(false).await;
    // Clips and training go on without it.
    student.wait_for_clips(2).await;
    student.contribute().await;
    student.wait_for_pending_update().await;

    aggregator.restart().await;
    student.wait_for_connection(true).await;
    student.wait_for_acknowledgement(round).await;
    assert_eq!(aggregator.status().await.round.unwrap().received, 1);
    assert_eq!(joins(&student), 1);
}

#[tokio::test]
async fn a_reload_resumes_as_the_same_participant_with_the_pending_update() {
    let aggregator = Aggregator::start().await;
    let student = Student::join(aggregator.student_link(), CAMERA).await;
    let round = aggregator.manifest().await.round.unwrap().id;
    student.wait_for_clips(2).await;
    student.browser().proxy().set_down(true);
    student.contribute().await;
    student.wait_for_pending_update().await;

    student.browser().proxy().set_down(false);
    student.browser().reload().await;
    student.wait_for_acknowledgement(round).await;
    assert_eq!(joins(&student), 1);
    assert_eq!(aggregator.status().await.round.unwrap().received, 1);
    student.wait_for_expressions().await;
}

#[tokio::test]
async fn the_instructor_closes_a_round_and_rolls_back() {
    let aggregator = Aggregator::start().await;
    let student = Student::join(aggregator.student_link(), CAMERA).await;
    let before = aggregator.manifest().await;
    student.wait_for_clips(2).await;
    student.contribute().await;
    student.wait_for_acknowledgement(before.round.as_ref().unwrap().id).await;
    student.contribute().await;

    let round = before.round.as_ref().unwrap().id;
    aggregator.instruct(&format!("rounds/{round}/close"), json!({})).await;
    student.wait_for_version(before.model.version + 1).await;
    assert_ne!(aggregator.manifest().await.model.vfer, before.model.vfer);

    aggregator.instruct(&format!("models/{}/restore", before.model.version), json!({})).await;
    student.wait_for_version(before.model.version + 2).await;
    assert_eq!(aggregator.manifest().await.model.vfer, before.model.vfer);
}

#[tokio::test]
async fn a_silent_aggregator_is_noticed_and_a_refused_event_stream_opened_again() {
    let aggregator = Aggregator::start().await;
    let student = Student::open(aggregator.student_link(), "cpu", CAMERA).await;
    student.browser().proxy().damage(Damage::Unavailable, path::EVENTS, 1);
    student.consent().await;
    student.wait_for_expressions().await;
    let streams = || {
        let exchanges = student.browser().proxy().exchanges();
        let streams = exchanges.iter().filter(|exchange| exchange.url.path() == path::EVENTS);
        streams.filter_map(|exchange| exchange.status).map(|status| status.as_u16()).collect::<Vec<_>>()
    };
    let deadline = Instant::now() + Duration::from_secs(10);
    while streams() != [503, 200] {
        assert!(Instant::now() < deadline, "{:?}", streams());
        sleep(Duration::from_millis(200)).await;
    }

    aggregator.freeze();
    let frozen = Instant::now();
    student.wait_for_connection(false).await;
    // The stream stays open, so that the next request comes within 66 s; it is given 15 s.
    assert!(frozen.elapsed() < Duration::from_secs(90), "{:?}", frozen.elapsed());
    aggregator.thaw();
    student.wait_for_connection(true).await;
}

/// How often this student's browser joined the class.
fn joins(student: &Student) -> usize {
    student.browser().proxy().exchanges().iter().filter(|exchange| exchange.method == Method::POST).count()
}
