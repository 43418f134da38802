//! Several federations of one aggregator, in one browser.

use emofed_tests::e2e::aggregator::Aggregator;
use emofed_tests::e2e::browser::{Browser, Camera};
use emofed_tests::e2e::camera::Film;
use emofed_tests::e2e::student::Student;
use tokio::time::{Duration, sleep};

const CAMERA: Camera = Camera::Granted(Film::Portrait(11));

/// The names of the caches with what federations have stored.
async fn stores(browser: &Browser) -> Vec<String> {
    let script = "return caches.keys().then(names => names.filter(name => !name.startsWith('page-')).sort())";
    browser.script(script).await
}

#[tokio::test]
async fn two_federations_in_one_browser_share_nothing() {
    let aggregator = Aggregator::start_with(&Aggregator::with_operator()).await;
    let second = aggregator.create_federation("Second").await;
    let prefix = format!("/f/{}", second.id);
    let student = Student::join(&second.student_link, CAMERA).await;
    student.wait_for_frames().await;
    let browser = student.browser();
    assert_eq!(browser.text("#federation-name").await, "Second");
    assert_eq!(stores(browser).await, [format!("emofed-v1{prefix}")]);
    for exchange in browser.proxy().exchanges() {
        let path = exchange.url.path();
        let is_call = ["/api/", "/blobs/"].iter().any(|part| path.contains(part));
        assert!(!is_call || path.starts_with(&format!("{prefix}/")), "{path}");
    }

    // The first one in another tab: it has its own session, and does not follow the other tab.
    let second_tab = browser.tab().await;
    browser.new_tab().await;
    student.open_here(aggregator.student_link(), "cpu").await;
    assert_ne!(browser.text("#federation-name").await, "Second");
    student.consent().await;
    student.wait_for_backend("cpu").await;
    student.wait_for_frames().await;
    assert_eq!(stores(browser).await, ["emofed-v1".to_owned(), format!("emofed-v1{prefix}")]);

    // Forgetting one leaves the other. The panel is closed: this browser has been in a class before.
    browser.click("#panel-toggle").await;
    student.forget("forget").await;
    assert_eq!(stores(browser).await, [format!("emofed-v1{prefix}")]);
    browser.close_tab(&second_tab).await;
    browser.reload().await;
    student.wait_for_backend("cpu").await;
    student.wait_for_frames().await;

    // Its instructor's page is below the prefix, too.
    let instructor = Browser::start(Camera::Missing).await;
    instructor.open(&second.instructor_link).await;
    let shown: String =
        instructor.wait("the student's link", 30, "document.querySelector('#student-link').value").await;
    assert!(shown.contains(&format!("{prefix}/#join=")), "{shown}");
}

#[tokio::test]
async fn a_tab_says_that_its_federation_has_ended_and_asks_for_nothing_more() {
    let aggregator = Aggregator::start_with(&Aggregator::with_operator()).await;
    let second = aggregator.create_federation("Second").await;
    let student = Student::join(&second.student_link, CAMERA).await;
    student.wait_for_frames().await;
    aggregator.end_federation(&second.id).await;
    student.wait_for_problem("has ended", 20).await;
    student.wait_for_section("consent").await;
    assert!(!student.camera_is_on().await);
    // The browser itself looks for a newer service worker now and then.
    let calls = || {
        let exchanges = student.browser().proxy().exchanges();
        exchanges.iter().filter(|exchange| exchange.url.path().contains("/api/")).count()
    };
    let before = calls();
    sleep(Duration::from_secs(8)).await;
    assert_eq!(calls(), before);
}
