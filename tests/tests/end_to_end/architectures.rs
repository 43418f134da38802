//! Video models of another architecture than the paper's: run, fine-tuned and averaged as the paper's are, on burn.

use emofed::model::vfer::{Pooling, VferArchitecture};
use emofed::protocol::{ClientUpdate, path};
use emofed_tests::e2e::aggregator::Aggregator;
use emofed_tests::e2e::browser::Camera;
use emofed_tests::e2e::camera::Film;
use emofed_tests::e2e::proxy::Exchange;
use emofed_tests::e2e::student::Student;
use serde_json::json;

/// Hidden size 48, two layers, both directions, attention.
fn larger() -> VferArchitecture {
    VferArchitecture {
        hidden_size: 48,
        num_layers: 2,
        bidirectional: true,
        pooling: Pooling::Attention,
        ..VferArchitecture::default()
    }
}

#[tokio::test]
async fn a_larger_video_model_is_run_trained_and_published() {
    let architecture = larger();
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

#[tokio::test]
async fn training_of_a_larger_video_model_goes_on_after_a_reload() {
    let long = "[learning]\nhold_out_share = 0.0\nbatch_size = 1\nepochs = 60\nsend_worse_updates = true";
    let configuration =
        Aggregator::by_hand().replace("minimum_clients = 2", "minimum_clients = 1").replace("[learning]", long);
    let mut aggregator = Aggregator::start_with(&configuration).await;
    aggregator.publish(&larger().random(1)).await;
    aggregator.instruct("rounds", json!({})).await;
    let round = aggregator.manifest().await.round.unwrap().id;
    let student = Student::open(aggregator.student_link(), "cpu", Camera::Granted(Film::Portrait(3))).await;
    student.browser().click("#keep-clips-consent").await;
    student.consent().await;
    student.wait_for_clips(2).await;
    student.contribute().await;
    let checkpoint = "caches.match('/on-this-device/checkpoint').then(found => Boolean(found))";
    student.browser().wait::<bool>("a checkpoint of the training", 60, checkpoint).await;
    student.browser().reload().await;
    let first_step = "document.querySelector('#training').dataset.firstStep";
    let first_step: String = student.browser().wait("training that goes on", 60, first_step).await;
    assert!(first_step.parse::<u32>().unwrap() > 4, "it began again, with step {first_step}");
    student.wait_for_acknowledgement(round).await;
    let updates = student.acknowledged_updates(round);
    assert_eq!(VferArchitecture::of(&updates[0].delta), Ok(larger()));
}
