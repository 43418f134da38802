//! What a stop at a bad moment must not lose. Phases are entered by writing what a crash would have left.

use std::sync::Arc;

use emofed::model::vfer::VferArchitecture;
use emofed::protocol::{AbandonReason, CloseReason, ModelOrigin, Rejection, RoundPhase, RoundSettings, sha256_hex};
use emofed_server::round::publish_made;
use emofed_server::store::{EmbeddedStore, Phase, Records, RoundRecord, update_name};

use super::harness::{TestServer, delta, evaluating, for_two, fresh, model};

#[tokio::test]
async fn an_open_round_goes_on_with_what_was_acknowledged() {
    let folder = fresh();
    let server = TestServer::start(folder.path()).await;
    let one = server.join().await;
    let update = server.update(3, delta(0.25)).await;
    assert!(server.send(&one, &update).await.status().is_success());
    server.stop().await;

    let server = TestServer::start(folder.path()).await;
    assert_eq!(server.received_in_open_round().await, 1);
    // The tab did not hear the acknowledgement and sends again.
    assert!(server.send(&one, &update).await.status().is_success());
    assert_eq!(server.received_in_open_round().await, 1);
    let two = server.join().await;
    assert!(server.send(&two, &server.update(1, delta(0.25)).await).await.status().is_success());
    server.wait_for_version(2).await;
    let expected = f64::from(model().iter().next().unwrap().1.values[0]) + 0.25;
    assert_eq!(server.vfer().await.iter().next().unwrap().1.values[0], expected as f32);
}

/// Runs a round up to one update, then leaves it in the phase that `phase` makes of it, and starts again.
async fn restarted_in(phase: impl FnOnce(&Records, &RoundRecord) -> Phase) -> (tempfile::TempDir, TestServer) {
    let folder = fresh();
    let by_hand = RoundSettings { continuous: false, ..for_two() };
    let server = TestServer::start_with(folder.path(), by_hand.clone()).await;
    server.federation.open_round().unwrap();
    let one = server.join().await;
    assert!(server.send(&one, &server.update(3, delta(0.25)).await).await.status().is_success());
    server.stop().await;
    {
        let records = Records::open(Arc::new(EmbeddedStore::open(folder.path()).unwrap())).unwrap();
        let round = records.rounds().unwrap().pop().unwrap();
        let phase = phase(&records, &round);
        records.put_round(&RoundRecord { phase, ..round }).unwrap();
    }
    let server = TestServer::start_with(folder.path(), by_hand).await;
    (folder, server)
}

async fn assert_published_once(server: &TestServer) {
    let manifest = server.manifest().await;
    assert_eq!((manifest.model.version, manifest.model.num_clients, manifest.model.num_examples), (2, 1, None));
    for ((_, published), (_, base)) in server.vfer().await.iter().zip(model().iter()) {
        let expected: Vec<f32> = base.values.iter().map(|value| (f64::from(*value) + 0.25) as f32).collect();
        assert_eq!(published.values, expected);
    }
}

#[tokio::test]
async fn a_crash_while_aggregating_aggregates_again() {
    let (_folder, server) = restarted_in(|_, _| Phase::Aggregating { reason: CloseReason::Instructor }).await;
    assert_published_once(&server).await;
}

#[tokio::test]
async fn a_crash_while_evaluating_publishes_the_stored_candidate() {
    let (_folder, server) = restarted_in(|records, _| {
        let mut candidate = model();
        candidate.iter_mut().for_each(|(_, tensor)| {
            tensor.values.iter_mut().for_each(|value| *value = (f64::from(*value) + 0.25) as f32);
        });
        let weights = records.put_blob(&candidate.to_safetensors(None)).unwrap();
        evaluating(weights, 1, 3)
    })
    .await;
    assert_published_once(&server).await;
}

#[tokio::test]
async fn a_candidate_that_fails_the_acceptance_check_is_rejected_and_the_model_stays() {
    let (_folder, server) = restarted_in(|records, _| {
        let weights = records.put_blob(&delta(1e6).to_safetensors(None)).unwrap();
        evaluating(weights, 1, 3)
    })
    .await;
    assert_eq!(server.manifest().await.model.version, 1);
    let phase = server.federation.rounds(None, 9).unwrap()[0].phase.clone();
    let is_too_far =
        matches!(&phase, RoundPhase::Rejected { reason: Rejection::Norm { found, limit } } if found > limit);
    assert!(is_too_far, "{phase:?}");
}

#[tokio::test]
async fn a_crash_before_cleaning_up_leaves_nothing_behind() {
    let (folder, server) = restarted_in(|records, round| {
        // A body whose record was never written, as a crash between the two leaves it.
        records.store().put_object(&update_name(round.id, "nobody", "0"), b"half a story").unwrap();
        Phase::Abandoned { reason: AbandonReason::Unspecified }
    })
    .await;
    assert_eq!(server.manifest().await.model.version, 1);
    assert!(!folder.path().join("updates/1").exists());
}

#[tokio::test]
async fn a_damaged_update_costs_its_round_not_the_class() {
    let (_folder, server) = restarted_in(|records, round| {
        let update = records.updates(round.id).unwrap().remove(0);
        let name = update_name(round.id, &update.participant, &update.sha256);
        let mut body = records.store().object(&name).unwrap();
        // Still finite and well-formed: only the hash tells.
        let last = body.len() - 1;
        body[last] ^= 1;
        assert_ne!(sha256_hex(&body), update.sha256);
        records.store().put_object(&name, &body).unwrap();
        Phase::Aggregating { reason: CloseReason::Instructor }
    })
    .await;
    assert_eq!(server.manifest().await.model.version, 1);
    let phase = server.federation.rounds(None, 9).unwrap()[0].phase.clone();
    assert!(matches!(phase, RoundPhase::Rejected { reason: Rejection::StorageDamaged { .. } }), "{phase:?}");
    assert_eq!(server.federation.open_round().unwrap(), 2);
}

#[tokio::test]
async fn bodies_that_an_earlier_round_left_go_at_the_start() {
    let folder = fresh();
    let server = TestServer::start(folder.path()).await;
    server.stop().await;
    let left = folder.path().join("updates/77");
    std::fs::create_dir(&left).unwrap();
    std::fs::write(left.join("nobody-0"), b"of a round long ago").unwrap();
    let server = TestServer::start(folder.path()).await;
    assert!(!left.exists());
    // What the open round has stays.
    let one = server.join().await;
    assert!(server.send(&one, &server.update(1, delta(0.1)).await).await.status().is_success());
    server.stop().await;
    let server = TestServer::start(folder.path()).await;
    assert_eq!(server.received_in_open_round().await, 1);
    assert_eq!(std::fs::read_dir(folder.path().join("updates/1")).unwrap().count(), 1);
}

#[tokio::test]
async fn going_back_to_a_backbone_does_not_take_versions_down() {
    let folder = fresh();
    {
        let records = Records::open(Arc::new(EmbeddedStore::open(folder.path()).unwrap())).unwrap();
        let lite = records.backbone().unwrap().unwrap();
        let mut emonet = lite.backbone.clone();
        emonet.blob.sha256 = "e".repeat(64);
        let vfer = model().to_safetensors(None);
        publish_made(&records, &emonet, ModelOrigin::Bootstrap, VferArchitecture::default(), &vfer, None, 0).unwrap();
    }
    let server = TestServer::start(folder.path()).await;
    let model = server.manifest().await.model;
    assert_eq!((model.version, model.parent), (3, Some(1)));
}
