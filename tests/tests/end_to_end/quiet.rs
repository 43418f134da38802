//! A class in which nothing happens: what the network sees, and what a screen reader hears.

use std::time::{Duration, Instant};

use emofed::protocol::path;
use emofed_tests::e2e::aggregator::Aggregator;
use emofed_tests::e2e::browser::Camera;
use emofed_tests::e2e::camera::Film;
use emofed_tests::e2e::student::Student;
use serde_json::Value;
use tokio::time::sleep;

/// How long it is watched, in seconds.
const WATCHED_S: u64 = 32;
/// What is read out in a minute at the most.
const ANNOUNCEMENTS_A_MINUTE: u64 = 12;

#[tokio::test]
async fn requests_follow_the_schedule_and_little_is_read_out() {
    let aggregator = Aggregator::start().await;
    let student = Student::join(aggregator.student_link(), Camera::Granted(Film::Portrait(9))).await;
    student.wait_for_first_clip().await;
    let count = "
        window.emofedAnnouncements = [];
        for (const region of document.querySelectorAll('[role=status], [role=alert], [aria-live]'))
            new MutationObserver(() => emofedAnnouncements.push(region.id + ': ' + region.textContent))
                .observe(region, { childList: true, characterData: true, subtree: true });";
    student.browser().script::<Value>(count).await;
    let (from, clips) = (Instant::now(), student.clips_kept().await);
    sleep(Duration::from_secs(WATCHED_S)).await;

    let kept = student.clips_kept().await - clips;
    assert!(kept >= 6, "{kept} clips were kept: there is something that requests could follow");
    let exchanges = student.browser().proxy().exchanges();
    let asked: Vec<Instant> =
        exchanges.iter().filter(|e| e.url.path() == path::MANIFEST && e.at > from).map(|e| e.at).collect();
    // Events come, so that it is asked for once a minute.
    assert!(asked.len() as u64 <= 1 + WATCHED_S / 60, "{} requests in {WATCHED_S} s", asked.len());
    // The browser itself looks some time after a page or a worker has loaded whether the service worker is a newer one.
    let scheduled = [path::MANIFEST, "/service-worker.js"];
    let other: Vec<&str> = exchanges
        .iter()
        .filter(|e| e.at > from)
        .map(|e| e.url.path())
        .filter(|path| !scheduled.contains(path))
        .collect();
    assert!(other.is_empty(), "asked for besides: {other:?}");

    let announcements: Vec<String> = student.browser().script("return emofedAnnouncements").await;
    assert!(announcements.len() as u64 <= ANNOUNCEMENTS_A_MINUTE * WATCHED_S / 60, "{announcements:#?}");
}
