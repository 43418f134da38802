//! What a class may do beyond the paper, by the manifest's recipe.

use emofed_tests::e2e::aggregator::Aggregator;
use emofed_tests::e2e::browser::Camera;
use emofed_tests::e2e::camera::Film;
use emofed_tests::e2e::student::Student;
use hyper::Method;

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
