//! Figures of labelling that students send along, if they have opted in: on the wire, in the ledger, and on the instructor's page as
//! the mean of five or more.

use std::time::Duration;

use emofed::protocol::{ClassMetrics, ClientMetrics};
use emofed_tests::e2e::aggregator::Aggregator;
use emofed_tests::e2e::browser::{Browser, Camera};
use emofed_tests::e2e::camera::Film;
use emofed_tests::e2e::protocol_client::contribute;
use emofed_tests::e2e::student::Student;
use serde_json::json;

#[tokio::test]
async fn figures_of_labelling_are_sent_only_on_request_and_shown_as_the_classs_mean() {
    let configuration = Aggregator::by_hand().replace("minimum_clients = 2", "minimum_clients = 6");
    let aggregator = Aggregator::start_with(&configuration).await;
    aggregator.instruct("rounds", json!({})).await;
    let round = aggregator.manifest().await.round.unwrap().id;
    let student = Student::join(aggregator.student_link(), Camera::Granted(Film::Portrait(6))).await;
    student.wait_for_clips(2).await;
    assert!(!student.browser().script::<bool>("return document.querySelector('#share-metrics').checked").await);
    student.browser().click("#share-metrics").await;
    student.contribute().await;
    student.wait_for_acknowledgement(round).await;
    let sent = student.acknowledged_updates(round)[0].metrics.expect("the student has opted in");
    sent.check().unwrap();
    for share in [sent.acceptance_rate, sent.class_balance] {
        assert!((share * 20.0 - (share * 20.0).round()).abs() < 1e-9, "{sent:?} is rounded");
    }
    assert!(sent.acceptance_rate > 0.0 && sent.loss_change.is_none(), "{sent:?}: there was no version before");
    student.browser().click("#ledger summary").await;
    student.browser().click("#ledger details summary").await;
    let listed = "document.querySelector('#ledger details li')?.innerText";
    let listed: String = student.browser().wait("what was in the update", 10, listed).await;
    assert!(listed.starts_with("Figures of your labelling"), "{listed}");
    assert!(student.browser().accessibility_violations().await.is_empty());

    let others = ClientMetrics { acceptance_rate: 0.5, class_balance: 0.5, loss_change: None };
    for _ in 0..5 {
        contribute(&aggregator, Some(others)).await;
    }
    student.wait_for_version(2).await;
    let published = aggregator.manifest().await.model.class_metrics.expect("six told");
    let mean = |figure: f64| (figure + 5.0 * 0.5) / 6.0;
    let ClassMetrics { clients, acceptance_rate, class_balance, loss_change } = published;
    assert_eq!((clients, loss_change), (6, None));
    assert!((acceptance_rate - mean(sent.acceptance_rate)).abs() < 1e-9);
    assert!((class_balance - mean(sent.class_balance)).abs() < 1e-9);

    let desk = Browser::start(Camera::Missing).await;
    desk.open(aggregator.instructor_link()).await;
    desk.wait::<bool>("the chart", 30, "document.querySelector('#acceptance-figure').checkVisibility()").await;
    assert!(!desk.script::<bool>("return document.querySelector('#f1-figure').checkVisibility()").await);
    let described = desk.text("#version-text").await;
    assert!(described.contains("Of 6 students who told"), "{described}");
    assert!(desk.accessibility_violations().await.is_empty());

    // Withdrawn: the next update is without.
    student.browser().click("#share-metrics").await;
    aggregator.instruct("rounds", json!({})).await;
    let round = aggregator.manifest().await.round.unwrap().id;
    student.wait_for_acknowledgement(round).await;
    assert_eq!(student.acknowledged_updates(round)[0].metrics, None);
}

#[tokio::test]
async fn a_change_of_loss_is_told_only_of_a_version_made_from_the_one_that_was_in_use() {
    let configuration = Aggregator::by_hand()
        .replace("minimum_clients = 2", "minimum_clients = 1")
        .replace("[learning]", "[learning]\nhold_out_share = 0.5");
    let aggregator = Aggregator::start_with(&configuration).await;
    aggregator.instruct("rounds", json!({})).await;
    let student = Student::join(aggregator.student_link(), Camera::Granted(Film::Portrait(6))).await;
    student.wait_for_clips(6).await;
    student.browser().click("#share-metrics").await;
    student.contribute().await;
    let told = async |round| {
        student.wait_for_acknowledgement(round).await;
        student.acknowledged_updates(round)[0].metrics.expect("the student has opted in").loss_change
    };
    assert_eq!(told(1).await, None, "there was no version before");
    student.wait_for_version(2).await;
    aggregator.instruct("rounds", json!({})).await;
    assert!(told(2).await.is_some(), "version 2 was made from version 1");
    student.wait_for_version(3).await;
    aggregator.instruct("models/1/restore", json!({})).await;
    student.wait_for_version(4).await;
    aggregator.instruct("rounds", json!({})).await;
    assert_eq!(told(3).await, None, "version 4 is version 1, and version 3 was in use");
}

#[tokio::test]
async fn an_instructor_is_told_why_a_version_was_rolled_back() {
    let configuration = Aggregator::by_hand().replace("minimum_clients = 2", "minimum_clients = 5");
    let aggregator = Aggregator::start_with(&configuration).await;
    let told = |loss_change| ClientMetrics { acceptance_rate: 0.5, class_balance: 0.5, loss_change };
    for (version, loss_change) in [(2, None), (3, Some(0.4))] {
        aggregator.instruct("rounds", json!({})).await;
        for _ in 0..5 {
            contribute(&aggregator, Some(told(loss_change))).await;
        }
        while aggregator.manifest().await.model.version < version {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    let desk = Browser::start(Camera::Missing).await;
    desk.open(aggregator.instructor_link()).await;
    let row = "[...document.querySelectorAll('#rounds tr')].map(row => row.innerText)\
               .find(text => text.includes('published again'))";
    let row: String = desk.wait("the round that was abandoned", 30, row).await;
    for said in ["most of 5 students who tell, version 2", "higher by more than 0.05", "version 1 was published"] {
        assert!(row.contains(said), "{row}");
    }
    assert!(desk.accessibility_violations().await.is_empty());
}
