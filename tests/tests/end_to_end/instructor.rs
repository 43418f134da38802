//! What the instructor does on the page.

use emofed::protocol::Lecture;
use emofed_tests::e2e::aggregator::Aggregator;
use emofed_tests::e2e::browser::{Browser, Camera};
use serde_json::json;

#[tokio::test]
async fn a_participant_is_revoked_and_the_code_renewed_on_the_page() {
    let aggregator = Aggregator::start().await;
    let link = aggregator.student_link().to_owned();
    let join = async |code: &str| {
        let request = reqwest::Client::new().post(aggregator.url("/api/v2/participants"));
        let answer = request.json(&json!({ "join_code": code })).send().await.unwrap();
        answer.status().as_u16()
    };
    let code = link.split_once("#join=").unwrap().1;
    assert_eq!((join(code).await, join(code).await), (201, 201));

    let desk = Browser::start(Camera::Missing).await;
    desk.open(aggregator.instructor_link()).await;
    let shown = "document.querySelector('#student-link')?.value";
    assert_eq!(desk.wait::<String>("the students' link", 30, shown).await, link);
    desk.click("#participants-list summary").await;
    let rows = |count: usize| format!("document.querySelectorAll('#participants-rows tr').length === {count}");
    desk.wait::<bool>("both participants", 10, &rows(2)).await;
    desk.click("#participants-rows button").await;
    desk.click("#confirm-yes").await;
    desk.wait::<bool>("one to be gone", 10, &rows(1)).await;
    desk.wait::<bool>("the count", 10, "document.querySelector('#participants').innerText === '1'").await;

    desk.click("#renew-code").await;
    desk.click("#confirm-yes").await;
    let renewed = format!("(value => value !== {link:?} && value)({shown})");
    let renewed: String = desk.wait("a new link", 10, &renewed).await;
    assert_eq!(join(code).await, 403);
    assert_eq!(join(renewed.split_once("#join=").unwrap().1).await, 201);
    let violations = desk.accessibility_violations().await;
    assert!(violations.is_empty(), "{violations:#?}");
}

#[tokio::test]
async fn the_link_is_shown_as_a_qr_code_and_to_the_whole_class() {
    let aggregator = Aggregator::start().await;
    let desk = Browser::start(Camera::Missing).await;
    desk.open(aggregator.instructor_link()).await;
    let label = "document.querySelector('#qr svg[role=img]')?.getAttribute('aria-label')";
    let label: String = desk.wait("the QR code", 30, label).await;
    assert!(label.ends_with(aggregator.student_link()), "{label}");
    // Dark on light whatever the page looks like, with the margin of four modules that scanners need.
    let drawn = "return (svg => ({
        colors: [...svg.children].map(child => child.getAttribute('fill')),
        size: svg.viewBox.baseVal.width, box: svg.querySelector('path').getBBox().x
    }))(document.querySelector('#qr svg'))";
    let drawn: serde_json::Value = desk.script(drawn).await;
    assert_eq!(drawn["colors"], json!(["#fff", "#000"]));
    assert_eq!(drawn["box"], json!(4));
    // 21 modules and four more for each version of the code, and the margin on both sides.
    assert_eq!((drawn["size"].as_f64().unwrap() as u32 - 8 - 21) % 4, 0, "{drawn}");

    desk.click("#show-class").await;
    desk.wait::<bool>("the class's view", 10, "document.querySelector('#class-qr svg').checkVisibility()").await;
    let code = aggregator.student_link().split_once("#join=").unwrap().1;
    assert_eq!(desk.text("#class-code").await, code);
    let violations = desk.accessibility_violations().await;
    assert!(violations.is_empty(), "{violations:#?}");
    desk.click("#class-view button").await;
    desk.wait::<bool>("the view to be closed", 10, "!document.querySelector('#class-view').open").await;
}

#[tokio::test]
async fn a_lecture_is_put_on_the_stage_or_refused_in_place() {
    let aggregator = Aggregator::start_with("[stage]\norigins = [\"https://meet.example\"]\n").await;
    let desk = Browser::start(Camera::Missing).await;
    desk.open(aggregator.instructor_link()).await;
    desk.wait::<bool>("the form", 30, "document.querySelector('#stage-now')?.innerText !== ''").await;
    let choose = "const kind = document.querySelector('#stage-kind'); kind.value = 'page';
        kind.dispatchEvent(new Event('change')); return true";
    desk.script::<bool>(choose).await;
    let put = async |address: &str| {
        let write = format!("document.querySelector('#stage-address').value = {address:?}; return true");
        desk.script::<bool>(&write).await;
        desk.click("#stage-form [type=submit]").await;
    };
    let problem = "document.querySelector('#stage-problem').innerText";
    put("").await;
    let missing: String = desk.wait("the missing address", 10, problem).await;
    put("https://elsewhere.example/").await;
    desk.wait::<bool>("the refusal", 10, &format!("![{missing:?}, ''].includes({problem})")).await;
    assert_eq!(aggregator.manifest().await.lecture, Lecture::None);

    put("https://meet.example/room").await;
    let now = "document.querySelector('#stage-now').innerText.includes('https://meet.example/room')";
    desk.wait::<bool>("the page on the stage", 10, now).await;
    assert_eq!(desk.text("#stage-problem").await, "");
    let address = "https://meet.example/room".to_owned();
    assert_eq!(aggregator.manifest().await.lecture, Lecture::Page { address });
    desk.wait::<bool>("it in the log", 10, "document.querySelectorAll('#log-entries li').length > 0").await;
}

#[tokio::test]
async fn versions_are_a_graph_and_the_report_tells_what_happened() {
    let aggregator = Aggregator::start().await;
    let desk = Browser::start(Camera::Missing).await;
    desk.open(aggregator.instructor_link()).await;
    let nodes = |count: usize| format!("document.querySelectorAll('#lineage [role=option]').length === {count}");
    desk.wait::<bool>("the first version", 30, &nodes(1)).await;
    aggregator.instruct("models/1/restore", json!({})).await;
    desk.wait::<bool>("the second", 10, &nodes(2)).await;
    // The keyboard chooses an earlier version, which can be made the global model again.
    let press = "document.querySelector('#lineage').dispatchEvent(
        new KeyboardEvent('keydown', { key: 'ArrowLeft', bubbles: true, cancelable: true })); return true";
    desk.script::<bool>(press).await;
    let chosen = "document.querySelector('#node-1').getAttribute('aria-selected') === 'true'";
    desk.wait::<bool>("version 1 to be chosen", 10, chosen).await;
    desk.click("#restore-version").await;
    desk.click("#confirm-yes").await;
    desk.wait::<bool>("the third", 10, &nodes(3)).await;
    desk.wait::<bool>("both in the log", 10, "document.querySelectorAll('#log-entries li').length >= 2").await;

    let capture = "window.saved = new Promise(resolve => {
        URL.createObjectURL = blob => (resolve(blob.text()), 'data:,'); }); return true";
    desk.script::<bool>(capture).await;
    desk.click("#download-report").await;
    desk.script::<bool>("window.saved.then(text => window.report = text); return true").await;
    let report: String = desk.wait("the report", 10, "window.report").await;
    assert!(report.starts_with("<!doctype html>"), "{report}");
    let log = desk.text("#log-entries li span:last-child").await;
    assert!(report.contains(&log), "{log} is not in {report}");
    let code = aggregator.student_link().split_once("#join=").unwrap().1;
    assert!(!report.contains(code), "who has the report cannot join with it");
}

#[tokio::test]
async fn an_instructor_sets_what_a_round_needs_and_when_it_closes() {
    let aggregator = Aggregator::start_with(&Aggregator::by_hand()).await;
    let desk = Browser::start(Camera::Missing).await;
    desk.open(aggregator.instructor_link()).await;
    // Without a target of its own, it is the minimum.
    desk.wait::<bool>("the settings", 30, "document.querySelector('#target-clients').value === '2'").await;
    assert!(desk.script::<bool>("document.querySelector('#target-clients').value = 7; return true").await);
    desk.click("#settings-form button[type=submit]").await;
    desk.wait::<String>("the settings to be saved", 10, "document.querySelector('#settings-saved').innerText").await;
    aggregator.instruct("rounds", json!({})).await;
    let round = aggregator.manifest().await.round.unwrap();
    assert_eq!((round.minimum_clients, round.closes_at()), (2, 7));
    let shown = "document.querySelector('#round-received').innerText === '0 of 7'";
    desk.wait::<bool>("what the round waits for", 10, shown).await;
}
