//! Video models of another architecture than the paper's: run, fine-tuned and averaged as the paper's are, on burn.

use emofed::model::vfer::{Pooling, VferArchitecture};
use emofed::protocol::{ClientUpdate, path};
use emofed_tests::e2e::aggregator::Aggregator;
use emofed_tests::e2e::browser::Camera;
use emofed_tests::e2e::camera::Film;
use emofed_tests::e2e::proxy::Exchange;
use emofed_tests::e2e::student::Student;
use serde_json::json;

#[tokio::test]
async fn a_larger_video_model_is_run_trained_and_published() {
    let architecture = VferArchitecture {
        hidden_size: 48,
        num_layers: 2,
        bidirectional: true,
        pooling: Pooling::Attention,
        ..VferArchitecture::default()
    };
    let configuration = Aggregator::by_hand()
        .replace("minimum_clients = 2", "minimum_clients = 1")
        .replace("[learning]", "[learning]\nhold_out_share = 0.0");
    let mut aggregator = Aggregator::start_with(&configuration).await;
    aggregator.publish(&architecture.random(1)).await;
    let before = aggregator.manifest().await;
    assert_eq!(before.model.architecture, architecture);

    let student = Student::join(aggregator.student_link(), Camera::Granted(Film::Portrait(6))).await;
    student.wait_for_expressions().await;
    let report: String = student
        .browser()
        .wait(
            "where the video model is trained",
            60,
            "/^the CPU: its architecture/.exec(document.querySelector('#video-model-report').textContent)?.[0]",
        )
        .await;
    assert!(!report.is_empty());
    aggregator.instruct("rounds", json!({})).await;
    let round = aggregator.manifest().await.round.unwrap().id;
    student.wait_for_clips(2).await;
    student.contribute().await;
    student.wait_for_acknowledgement(round).await;
    student.wait_for_version(before.model.version + 1).await;

    let exchanges = student.browser().proxy().exchanges();
    let is_update = |exchange: &&Exchange| exchange.url.path() == path::update(round);
    let update = ClientUpdate::decode(&exchanges.iter().find(is_update).unwrap().body).unwrap();
    assert_eq!(VferArchitecture::of(&update.delta), Ok(architecture.clone()));
    assert!(update.delta.norm() > 0.0);
    let after = aggregator.manifest().await;
    assert_eq!(after.model.architecture, architecture);
    assert_eq!(VferArchitecture::of(&aggregator.weights(&after.model.vfer).await), Ok(architecture));
}
