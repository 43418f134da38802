//! Several tabs of one browser: one leads, the others say so.

use emofed_tests::e2e::aggregator::Aggregator;
use emofed_tests::e2e::browser::Camera;
use emofed_tests::e2e::camera::Film;
use emofed_tests::e2e::student::Student;
use hyper::Method;
use serde_json::Value;
use tokio::time::{Duration, sleep};

const CAMERA: Camera = Camera::Granted(Film::Portrait(9));

#[tokio::test]
async fn of_seven_tabs_one_leads_and_none_stalls() {
    let aggregator = Aggregator::start().await;
    let student = Student::join(aggregator.student_link(), CAMERA).await;
    let browser = student.browser();
    let leader = browser.tab().await;
    for _ in 2..=6 {
        browser.new_tab().await;
        student.open_here(aggregator.student_link(), "cpu").await;
        student.consent().await;
        student.wait_for_section("elsewhere").await;
        assert!(!student.camera_is_on().await);
    }
    // Nobody looks at the leader now: it holds no stream either.
    wait_for_streams(&aggregator, 0).await;
    browser.new_tab().await;
    student.open_here(aggregator.student_link(), "cpu").await;

    browser.look_at(&leader).await;
    wait_for_streams(&aggregator, 1).await;
    let kept = student.clips_kept().await;
    student.wait_for_clips(kept + 1).await;
    assert_eq!(count(&student, &Method::POST), 1, "one participant");
}

#[tokio::test]
async fn the_lead_is_taken_over_comes_back_and_ends_everywhere() {
    let aggregator = Aggregator::start().await;
    let student = Student::join(aggregator.student_link(), CAMERA).await;
    let browser = student.browser();
    let first = browser.tab().await;
    let second = browser.new_tab().await;
    student.open_here(aggregator.student_link(), "cpu").await;
    student.consent().await;
    student.wait_for_section("elsewhere").await;

    // A reload keeps the lead.
    browser.look_at(&first).await;
    browser.reload().await;
    student.wait_for_frames().await;

    browser.look_at(&second).await;
    browser.click("#take-over").await;
    student.wait_for_section("session").await;
    student.wait_for_frames().await;
    browser.look_at(&first).await;
    student.wait_for_section("elsewhere").await;
    assert!(!student.camera_is_on().await);

    browser.look_at(&second).await;
    browser.close_tab(&first).await;
    student.wait_for_section("session").await;
    student.wait_for_frames().await;
    assert_eq!(count(&student, &Method::POST), 1, "one participant all along");

    // Forgotten in a tab that does not lead.
    student.contribute().await;
    let third = browser.new_tab().await;
    student.open_here(aggregator.student_link(), "cpu").await;
    student.consent().await;
    student.forget("elsewhere-forget").await;
    assert_eq!(student.kept_on_the_device().await, [""; 0]);
    browser.look_at(&first).await;
    student.wait_for_section("left").await;
    assert!(!student.camera_is_on().await);
    sleep(Duration::from_secs(3)).await;
    let exchanges = browser.proxy().exchanges();
    let forgotten =
        exchanges.iter().position(|exchange| exchange.method == Method::DELETE).expect("the token was ended");
    let later: Vec<&Method> = exchanges[forgotten + 1..].iter().map(|exchange| &exchange.method).collect();
    assert!(later.iter().all(|method| *method == Method::GET), "{later:?}");
    assert_eq!(student.kept_on_the_device().await, [""; 0]);
    assert_eq!(browser.tabs().await.len(), 2);
    browser.look_at(&third).await;
}

#[tokio::test]
async fn a_copy_of_a_tab_asks_for_consent() {
    let aggregator = Aggregator::start().await;
    let student = Student::join(aggregator.student_link(), CAMERA).await;
    let browser = student.browser();
    let original = browser.tab().await;
    // As a browser does it that duplicates a tab: the copy has the session storage.
    browser.script::<Value>("sessionStorage.setItem('copied', 'yes'); window.open(location.href)").await;
    let tabs = browser.tabs().await;
    let copy = tabs.iter().find(|tab| **tab != original).expect("a second tab");
    browser.look_at(copy).await;
    browser.wait::<String>("the copied storage", 10, "sessionStorage.getItem('copied')").await;
    let forgot = "!document.querySelector('#join').disabled && sessionStorage.getItem('emofed.session') === null";
    browser.wait::<bool>("the choices of the original to be dropped", 20, forgot).await;
    student.wait_for_section("consent").await;
    assert!(!student.camera_is_on().await);

    browser.look_at(&original).await;
    browser.reload().await;
    student.wait_for_frames().await;
}

/// Waits until the aggregator has this number of open event streams.
async fn wait_for_streams(aggregator: &Aggregator, expected: u32) {
    let mut streams = String::new();
    for _ in 0..50 {
        let metrics = reqwest::get(aggregator.url("/metrics")).await.unwrap().text().await.unwrap();
        streams = metrics.lines().find(|line| line.starts_with("emofed_connected_tabs ")).unwrap_or("none").to_owned();
        if streams.ends_with(&format!(" {expected}")) {
            return;
        }
        sleep(Duration::from_millis(200)).await;
    }
    panic!("{streams} instead of {expected}");
}

fn count(student: &Student, method: &Method) -> usize {
    student.browser().proxy().exchanges().iter().filter(|exchange| exchange.method == *method).count()
}
