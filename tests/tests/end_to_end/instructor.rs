//! What the instructor does on the page.

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
