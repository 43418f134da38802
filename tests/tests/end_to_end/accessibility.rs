//! One way through the pages with axe-core, and where the focus is.

use emofed_tests::e2e::aggregator::Aggregator;
use emofed_tests::e2e::browser::{Browser, Camera};
use emofed_tests::e2e::camera::Film;
use emofed_tests::e2e::student::Student;

#[tokio::test]
async fn every_page_is_accessible_and_the_focus_goes_along() {
    let aggregator = Aggregator::start_with(&Aggregator::of_one()).await;
    let student = Student::open(aggregator.student_link(), "cpu", Camera::Granted(Film::Portrait(10))).await;
    let address: String = student.browser().script("return location.href").await;
    assert_accessible(student.browser(), "consent").await;
    student.browser().click("#decline").await;
    student.assert_focus("declined-title").await;
    assert_accessible(student.browser(), "declined").await;
    student.browser().click("#reconsider").await;
    student.assert_focus("consent-title").await;

    student.consent().await;
    student.wait_for_expressions().await;
    student.assert_focus("tile-title").await;
    assert_eq!(student.browser().script::<String>("return location.href").await, address, "no form navigates");
    assert_accessible(student.browser(), "session").await;
    student.wait_for_clips(2).await;
    student.contribute().await;
    student.wait_for_acknowledgement(aggregator.manifest().await.round.unwrap().id).await;
    student.wait_for_version(2).await;
    assert_accessible(student.browser(), "contributed").await;

    let desk = Browser::start(Camera::Missing).await;
    desk.open(aggregator.instructor_link()).await;
    desk.wait::<bool>("the instructor's page", 30, "document.querySelector('#models tr')?.checkVisibility()").await;
    assert_accessible(&desk, "instructor").await;
    desk.wait::<bool>("one tab", 10, "document.querySelector('#connected').innerText === '1'").await;
    let address: String = desk.script("return location.href").await;
    desk.click("#settings-form button[type=submit]").await;
    desk.wait::<String>("the settings to be saved", 10, "document.querySelector('#settings-saved').innerText").await;
    assert_eq!(desk.script::<String>("return location.href").await, address, "no form navigates");

    student.browser().click("#leave").await;
    student.assert_focus("left-title").await;
    assert_accessible(student.browser(), "left").await;
    // The page asks every five seconds; its own stream is not a tab.
    desk.wait::<bool>("no tab", 15, "document.querySelector('#connected').innerText === '0'").await;
}

async fn assert_accessible(browser: &Browser, page: &str) {
    let violations = browser.accessibility_violations().await;
    assert!(violations.is_empty(), "{page}: {violations:#?}");
}
