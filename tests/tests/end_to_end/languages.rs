//! The pages in other languages than English: what the document says of itself, what stays over a reload, and axe-core.

use emofed_tests::e2e::aggregator::Aggregator;
use emofed_tests::e2e::browser::{Browser, Camera};
use emofed_tests::e2e::camera::Film;
use emofed_tests::e2e::student::Student;

/// Languages, their directions, and the consent's heading.
const LANGUAGES: [(&str, &str, &str); 2] = [("de", "ltr", "Bevor du beitrittst"), ("ar", "rtl", "قبل أن تنضم")];

#[tokio::test]
async fn the_pages_speak_german_and_arabic() {
    let aggregator = Aggregator::start_with(&Aggregator::of_one()).await;
    let student = Student::open(aggregator.student_link(), "cpu", Camera::Granted(Film::Portrait(10))).await;
    let desk = Browser::start(Camera::Missing).await;
    desk.open(aggregator.instructor_link()).await;
    desk.wait::<bool>("the instructor's page", 30, "document.querySelector('#models tr')?.checkVisibility()").await;
    for (language, direction, heading) in LANGUAGES {
        switch_to(student.browser(), language, direction).await;
        assert_eq!(student.browser().text("#consent-title").await, heading);
        assert_accessible(student.browser(), language).await;
        switch_to(&desk, language, direction).await;
        assert_accessible(&desk, language).await;
    }

    // The session goes on while the language changes, and what the code says changes along.
    student.consent().await;
    student.wait_for_expressions().await;
    assert_accessible(student.browser(), "session in Arabic").await;
    let joined = aggregator.manifest().await.round.unwrap().id;
    let round = format!("document.querySelector('#round').innerText.includes('{joined}')");
    student.browser().wait::<bool>("the round", 10, &round).await;
    let arabic = student.browser().text("#round").await;
    switch_to(student.browser(), "de", "ltr").await;
    let german = student.browser().text("#round").await;
    assert_ne!(german, arabic);
    assert!(german.starts_with(&format!("Runde {joined} ist offen")), "{german}");
    student.wait_for_frames().await;

    // The choice stays until the student is forgotten.
    student.browser().reload().await;
    let chosen = "document.documentElement.lang === 'de' && document.querySelector('#language').value === 'de'";
    student.browser().wait::<bool>("German after a reload", 20, chosen).await;
    student.wait_for_frames().await;
    student.forget("forget").await;
    assert_eq!(student.browser().script::<u32>("return localStorage.length").await, 0);
}

async fn switch_to(browser: &Browser, language: &str, direction: &str) {
    let choose = format!(
        "const choice = document.querySelector('#language'); choice.value = {language:?};
         choice.dispatchEvent(new Event('change')); return true"
    );
    assert!(browser.script::<bool>(&choose).await);
    let switched =
        format!("document.documentElement.lang === {language:?} && document.documentElement.dir === {direction:?}");
    browser.wait::<bool>("the other language", 10, &switched).await;
}

async fn assert_accessible(browser: &Browser, page: &str) {
    let violations = browser.accessibility_violations().await;
    assert!(violations.is_empty(), "{page}: {violations:#?}");
}
