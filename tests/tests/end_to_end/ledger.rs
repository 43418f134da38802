//! “Everything that left this tab”, against what the network saw.

use emofed::protocol::path;
use emofed_tests::e2e::aggregator::Aggregator;
use emofed_tests::e2e::browser::Camera;
use emofed_tests::e2e::camera::Film;
use emofed_tests::e2e::proxy::Damage;
use emofed_tests::e2e::student::Student;

/// Method, path, bytes and the answer's status, 0 for none.
type Sent = (String, String, usize, u16);

#[tokio::test]
async fn the_ledger_has_what_the_network_saw_refused_unanswered_and_after_a_reload() {
    let aggregator = Aggregator::start().await;
    let student = Student::join(aggregator.student_link(), Camera::Granted(Film::Portrait(5))).await;
    let round = aggregator.manifest().await.round.unwrap().id;
    student.wait_for_clips(2).await;
    // First there is no answer, then a refusal: the token is not valid any more. The tab joins again, and sends again.
    student.browser().proxy().set_down(true);
    student.contribute().await;
    student.wait_for_pending_update().await;
    student.browser().wait::<bool>("an entry without answer", 20, &has_outcome("no-answer")).await;
    aggregator.end_all_tokens().await;
    student.browser().proxy().set_down(false);
    student.wait_for_acknowledgement(round).await;
    let acknowledged = "document.querySelector('#ledger-list > li')?.dataset.outcome === 'acknowledged'";
    student.browser().wait::<bool>("the acknowledgement", 10, acknowledged).await;

    let shown = shown(&student).await;
    assert_eq!(shown, seen(&student));
    let statuses: Vec<u16> = shown.iter().map(|(.., status)| *status).filter(|status| *status != 0).collect();
    assert_eq!(statuses, [201, 401, 201, 200]);

    student.browser().reload().await;
    student.wait_for_section("session").await;
    student.browser().wait::<bool>("the ledger of before", 30, &has_outcome("refused")).await;
    assert_eq!(self::shown(&student).await, shown);
    // What was in it is listed once the student looks into it.
    let look = "document.querySelectorAll('#ledger details').forEach(details => { details.open = true; }); return true";
    student.browser().script::<bool>(look).await;
    student.browser().wait::<bool>("tensors", 10, "!!document.querySelector('#ledger-list .histogram')").await;
    let carried: String = student.browser().script("return document.querySelector('#ledger-list').textContent").await;
    for words in ["the join code", "the token", "weight_ih", "count of"] {
        assert!(carried.contains(words), "{words}: {carried}");
    }
}

#[tokio::test]
async fn what_opting_out_broke_off_is_in_the_ledger_too() {
    let aggregator = Aggregator::start().await;
    let student = Student::join(aggregator.student_link(), Camera::Granted(Film::Portrait(5))).await;
    let round = aggregator.manifest().await.round.unwrap().id;
    student.browser().proxy().damage(Damage::Silence, path::update(round), 1);
    student.wait_for_clips(2).await;
    student.contribute().await;
    student.browser().wait::<bool>("an update under way", 60, &has_outcome("under-way")).await;
    student.contribute().await;
    student.browser().wait::<bool>("an update broken off", 10, &has_outcome("aborted")).await;
    assert_eq!(shown(&student).await, seen(&student));
}

fn has_outcome(outcome: &str) -> String {
    format!("!!document.querySelector('#ledger-list > [data-outcome={outcome}]')")
}

/// What the page lists, oldest first.
async fn shown(student: &Student) -> Vec<Sent> {
    let script = "return [...document.querySelectorAll('#ledger-list > li')].reverse()
        .map(({ dataset: { method, path, bytes, status } }) => [method, path, +bytes, +(status ?? 0)])";
    student.browser().script(script).await
}

/// What the proxy saw with a body or a credential.
fn seen(student: &Student) -> Vec<Sent> {
    let exchanges = student.browser().proxy().exchanges().into_iter();
    exchanges
        .filter(|exchange| !exchange.body.is_empty() || exchange.headers.contains_key("authorization"))
        .map(|exchange| {
            let status = exchange.status.map_or(0, |status| status.as_u16());
            (exchange.method.to_string(), exchange.url.path().to_owned(), exchange.body.len(), status)
        })
        .collect()
}
