//! Updates that would do harm: worse than their base on the hold-out, or of labels that have collapsed to one emotion.

use std::time::Duration;

use emofed_tests::e2e::aggregator::Aggregator;
use emofed_tests::e2e::browser::Camera;
use emofed_tests::e2e::camera::Film;
use emofed_tests::e2e::student::Student;
use hyper::Method;
use tokio::time::sleep;

const CAMERA: Camera = Camera::Granted(Film::Portrait(1));
/// The schedule comes to the clips within this time, and a bit.
const SCHEDULE: Duration = Duration::from_secs(8);

#[tokio::test]
async fn an_update_that_is_worse_than_its_base_is_withheld_until_the_student_wants_it_sent() {
    let aggregator = Aggregator::start_with(&Aggregator::with_harmful_training()).await;
    let student = Student::join(aggregator.student_link(), CAMERA).await;
    let round = aggregator.manifest().await.round.unwrap().id;
    student.wait_for_clips(3).await;
    student.contribute().await;
    let words = student.wait_for_upload_state("withheld").await;
    assert!(words.contains("is not sent") && words.contains("worse"), "{words}");
    let held_out: u32 = student.browser().text("#clips-held-out").await.parse().unwrap();
    assert!(held_out >= 2, "{held_out} clips are set aside");
    sleep(SCHEDULE).await;
    assert_eq!(updates(&student), 0);
    assert_eq!(aggregator.status().await.round.unwrap().received, 0);

    student.browser().click("#send-withheld").await;
    student.wait_for_acknowledgement(round).await;
    student.wait_for_upload_state("acknowledged").await;
    assert_eq!(aggregator.status().await.round.unwrap().received, 1);
    assert!(!is_shown(&student, "withheld").await);
}

#[tokio::test]
async fn labels_of_one_emotion_pause_contributing_until_the_student_overrules_that() {
    let aggregator = Aggregator::start_with(&Aggregator::with_collapse_alarm()).await;
    let student = Student::join(aggregator.student_link(), CAMERA).await;
    let round = aggregator.manifest().await.round.unwrap().id;
    // Who does not contribute is not bothered.
    student.wait_for_clips(3).await;
    assert!(!is_shown(&student, "collapse").await);
    student.contribute().await;
    student.wait_for_section("collapse").await;
    let words = student.browser().text("#collapse-text").await;
    assert!(words.contains("happiness") && words.contains("paused"), "{words}");
    sleep(SCHEDULE).await;
    assert_eq!(updates(&student), 0);

    student.browser().click("#overrule-collapse").await;
    student.wait_for_acknowledgement(round).await;
    assert!(!is_shown(&student, "collapse").await);
}

#[tokio::test]
async fn clips_whose_labels_have_collapsed_can_be_forgotten() {
    let aggregator = Aggregator::start_with(&Aggregator::with_collapse_alarm()).await;
    let student = Student::join(aggregator.student_link(), CAMERA).await;
    student.wait_for_clips(3).await;
    student.browser().click("#pause").await;
    student.contribute().await;
    student.wait_for_section("collapse").await;

    student.browser().click("#clear-clips").await;
    student.assert_focus("contribution-title").await;
    assert!(!is_shown(&student, "collapse").await);
    sleep(SCHEDULE).await;
    assert_eq!(updates(&student), 0, "there are no clips any more");
    // The same face again: after as many clips as before, the alarm is raised again.
    student.browser().click("#pause").await;
    student.wait_for_section_within("collapse", 120).await;
}

async fn is_shown(student: &Student, id: &str) -> bool {
    student.browser().script(&format!("return document.getElementById({id:?}).checkVisibility()")).await
}

fn updates(student: &Student) -> usize {
    student.browser().proxy().exchanges().iter().filter(|exchange| exchange.method == Method::PUT).count()
}
