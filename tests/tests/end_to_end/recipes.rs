//! What a class may do beyond the paper, by the manifest's recipe.

use emofed::protocol::{ClientUpdate, path};
use emofed_tests::e2e::aggregator::Aggregator;
use emofed_tests::e2e::browser::Camera;
use emofed_tests::e2e::camera::Film;
use emofed_tests::e2e::proxy::Exchange;
use emofed_tests::e2e::student::Student;
use hyper::Method;
use serde_json::json;

#[tokio::test]
async fn a_head_of_ones_own_grows_in_the_tab_and_stays_there() {
    let aggregator = Aggregator::start_with(&Aggregator::with_own_heads()).await;
    let student = Student::join(aggregator.student_link(), Camera::Granted(Film::Portrait(5))).await;
    let words: String = student
        .browser()
        .wait(
            "a head of one's own",
            60,
            "/head of your own, from your last [4-9] clips/.exec(document.querySelector('#model-report').textContent)?.[0]",
        )
        .await;
    assert!(!words.is_empty());
    student.wait_for_expressions().await;
    let kept = student.kept_on_the_device().await;
    assert!(kept.iter().all(|key| !key.contains("head")), "{kept:?}");
    let exchanges = student.browser().proxy().exchanges();
    let sent: Vec<_> = exchanges.iter().filter(|exchange| !exchange.body.is_empty()).collect();
    assert!(sent.iter().all(|exchange| exchange.method == Method::POST), "only joining has a body");
    assert_eq!(sent.len(), 1);
}

#[tokio::test]
async fn an_update_in_eight_bits_takes_a_quarter_and_counts() {
    let aggregator = Aggregator::start_with(&Aggregator::with_int8_updates()).await;
    let student = Student::join(aggregator.student_link(), Camera::Granted(Film::Portrait(6))).await;
    aggregator.instruct("rounds", json!({})).await;
    let before = aggregator.manifest().await;
    let round = before.round.as_ref().unwrap().id;
    student.wait_for_clips(2).await;
    student.contribute().await;
    student.wait_for_acknowledgement(round).await;
    student.wait_for_version(before.model.version + 1).await;
    let exchanges = student.browser().proxy().exchanges();
    let is_update = |exchange: &&Exchange| exchange.url.path() == path::update(round);
    let body = &exchanges.iter().find(is_update).unwrap().body;
    assert!(body.len() < 200_000, "{}", body.len());

    let update = ClientUpdate::decode(body).unwrap();
    let after = aggregator.weights(&aggregator.manifest().await.model.vfer).await;
    let base = aggregator.weights(&before.model.vfer).await;
    let mut moved = 0;
    for (((name, base), (_, delta)), (_, after)) in base.iter().zip(update.delta.iter()).zip(after.iter()) {
        for ((base, delta), after) in base.values.iter().zip(&delta.values).zip(&after.values) {
            assert!((base + delta - after).abs() <= 1e-6 * base.abs().max(1e-2), "{name}: {base} + {delta} is {after}");
            moved += usize::from(*delta != 0.0);
        }
    }
    assert!(moved > 10_000, "{moved} values moved");
}
