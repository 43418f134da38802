//! Whoever opts out sends nothing, whenever it is.

use std::time::Duration;

use emofed::protocol::path;
use emofed_tests::e2e::aggregator::Aggregator;
use emofed_tests::e2e::browser::Camera;
use emofed_tests::e2e::camera::Film;
use emofed_tests::e2e::proxy::{Damage, Exchange};
use emofed_tests::e2e::student::Student;
use hyper::Method;
use serde_json::Value;
use tokio::time::sleep;

const CAMERA: Camera = Camera::Granted(Film::Portrait(5));

#[tokio::test]
async fn opting_out_while_the_tab_gets_ready_holds() {
    let aggregator = Aggregator::start().await;
    let student = Student::join(aggregator.student_link(), CAMERA).await;
    student.contribute().await;
    student.browser().proxy().damage(Damage::Hold, path::MANIFEST, usize::MAX);
    student.browser().reload().await;
    student.contribute().await;
    let is_starting = "return document.querySelector('#starting').checkVisibility()";
    assert!(student.browser().script::<bool>(is_starting).await);
    student.browser().proxy().release();
    student.wait_for_clips(2).await;
    // The schedule comes to the clips within six seconds.
    sleep(Duration::from_secs(7)).await;
    assert!(updates(&student).is_empty());
}

#[tokio::test]
async fn opting_out_breaks_training_and_sending_off() {
    let aggregator = Aggregator::start().await;
    let student = Student::join(aggregator.student_link(), CAMERA).await;
    let round = aggregator.manifest().await.round.unwrap().id;
    student.wait_for_clips(2).await;
    student.browser().proxy().damage(Damage::Hold, path::update(round), usize::MAX);

    // As soon as the page shows that it trains.
    let script = "
        const training = document.querySelector('#training');
        const observer = new MutationObserver(() => {
            if (training.hidden) return;
            observer.disconnect();
            document.querySelector('#contribute').click();
        });
        observer.observe(training, { attributes: true });";
    student.browser().script::<Value>(script).await;
    student.contribute().await;
    student.wait_for_upload_state("withdrawn").await;
    assert!(updates(&student).iter().all(|update| update.broken_off));

    student.contribute().await;
    student.wait_for_pending_update().await;
    student.contribute().await;
    let words = student.wait_for_upload_state("withdrawn").await;
    assert!(words.contains("may have arrived"), "{words}");
    sleep(Duration::from_secs(1)).await;
    let updates = updates(&student);
    assert!(!updates.is_empty() && updates.iter().all(|update| update.broken_off), "{updates:?}");
    assert_eq!(aggregator.status().await.round.unwrap().received, 0);
}

fn updates(student: &Student) -> Vec<Exchange> {
    let exchanges = student.browser().proxy().exchanges();
    exchanges.into_iter().filter(|exchange| exchange.method == Method::PUT).collect()
}
