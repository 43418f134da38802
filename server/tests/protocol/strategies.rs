//! Aggregation strategies in whole rounds: under attack, over a restart, with too few updates.

use std::sync::Arc;

use emofed::protocol::{
    AbandonReason, CloseReason, RoundPhase, RoundSettings, RoundSettingsChange, path, sha256_hex, with_difference,
};
use emofed::weights::Weights;
use emofed_server::round::{FederationBounds, Refusal, RoundError};
use emofed_server::store::{EmbeddedStore, Phase, Records, RoundRecord};

use super::harness::{TestServer, delta, fresh, model};

const MAX_NORM: f64 = 1e9;

fn five() -> RoundSettings {
    RoundSettings { minimum_clients: 5, ..RoundSettings::default() }
}

fn by_hand() -> RoundSettings {
    RoundSettings { continuous: false, ..five() }
}

/// The model with every value moved by `step`.
fn moved(step: f64) -> Weights {
    let mut moved = model();
    let values = moved.iter_mut().flat_map(|(_, tensor)| &mut tensor.values);
    values.for_each(|value| *value = (f64::from(*value) + step) as f32);
    moved
}

/// That every value has moved by `step`, to rounding.
fn assert_moved(found: &Weights, step: f64) {
    for ((_, found), (_, expected)) in found.iter().zip(moved(step).iter()) {
        let pairs = found.values.iter().zip(&expected.values);
        pairs.for_each(|(found, expected)| assert!((found - expected).abs() < 1e-6, "{found} for {expected}"));
    }
}

async fn contribute(server: &TestServer, steps: &[f32]) {
    for step in steps {
        let one = server.join().await;
        // Numbers of examples that would weight a mean.
        let update = server.update(1 + step.abs().min(9.0) as u32, delta(*step)).await;
        assert!(server.send(&one, &update).await.status().is_success());
    }
}

/// The model after a round in which these steps were sent, the last by an attacker.
async fn after_a_round(strategy: &str) -> Weights {
    let folder = fresh();
    let server = TestServer::start_strategy(folder.path(), five(), strategy, MAX_NORM).await;
    contribute(&server, &[0.5, 0.25, 0.375, 0.125, 1e6]).await;
    server.wait_for_version(2).await;
    server.vfer().await
}

#[tokio::test]
async fn an_attacker_decides_a_mean_and_not_what_is_robust() {
    assert!(after_a_round("name = 'fedavg'").await.iter().all(|(_, tensor)| tensor.values[0] > 5e5));
    let unweighted = after_a_round("name = 'fedavg'\nweighted = false").await;
    assert_eq!(unweighted, moved((0.5 + 0.25 + 0.375 + 0.125 + 1e6) / 5.0));
    assert_eq!(after_a_round("name = 'median'").await, moved(0.375));
    assert_eq!(after_a_round("name = 'trimmed-mean'\ntrim = 0.2").await, moved(0.375));
    // Distances of 0.125: f = 1 leaves two neighbours, and both middle ones have them on either side; the order of participants
    // decides between them.
    let krum = after_a_round("name = 'krum'\nbyzantine = 1").await;
    assert!([moved(0.25), moved(0.375)].contains(&krum));
    assert_eq!(after_a_round("name = 'multi-krum'\nbyzantine = 1\nselected = 4").await, moved(0.3125));
    // All deltas but the smallest are longer than 0.5 and count with this norm.
    let clipped = after_a_round("name = 'fedavg'\nweighted = false\nclip_norm = 0.5").await;
    let clip = 0.5 / 7.0_f64.sqrt();
    let expected = (4.0 * clip + 0.125) / 5.0;
    assert_moved(&clipped, expected);
    // And it can be combined: of two middle values, one clipped.
    assert_eq!(after_a_round("name = 'median'\nclip_norm = 1e3").await, moved(0.375));
}

#[tokio::test]
async fn an_optimizer_goes_on_from_the_last_rounds_state() {
    let folder = fresh();
    let strategy = "name = 'median'\nmomentum = 0.5";
    let server = TestServer::start_strategy(folder.path(), five(), strategy, MAX_NORM).await;
    contribute(&server, &[0.5, 0.25, 0.375, 0.125, 1e6]).await;
    server.wait_for_version(2).await;
    contribute(&server, &[0.0; 5]).await;
    server.wait_for_version(3).await;
    assert_moved(&server.vfer().await, 0.375 + 0.1875);
}

#[tokio::test]
async fn a_round_keeps_the_strategy_that_it_was_opened_with() {
    let folder = fresh();
    let server = TestServer::start_strategy(folder.path(), by_hand(), "name = 'median'", MAX_NORM).await;
    server.federation.open_round().unwrap();
    contribute(&server, &[0.5, 0.25, 0.375]).await;
    server.stop().await;
    let other = "name = 'fedadam'\nlearning_rate = 1.0\nbeta1 = 0.9\nbeta2 = 0.9\nepsilon = 1.0\nclip_norm = 0.001";
    let server = TestServer::start_strategy(folder.path(), by_hand(), other, MAX_NORM).await;
    contribute(&server, &[0.125, 1e6]).await;
    server.wait_for_version(2).await;
    assert_eq!(server.vfer().await, moved(0.375));
    // The next one has the new strategy.
    server.federation.open_round().unwrap();
    assert_eq!(server.federation.records().rounds().unwrap()[1].strategy, Some(toml::from_str(other).unwrap()));
}

#[tokio::test]
async fn a_round_of_an_earlier_version_gets_the_strategy_of_the_first_start() {
    let folder = fresh();
    let server = TestServer::start_strategy(folder.path(), by_hand(), "name = 'fedavg'", MAX_NORM).await;
    server.federation.open_round().unwrap();
    contribute(&server, &[0.5, 0.25, 0.375]).await;
    server.stop().await;
    {
        let records = Records::open(Arc::new(EmbeddedStore::open(folder.path()).unwrap())).unwrap();
        let round = records.rounds().unwrap().pop().unwrap();
        records.put_round(&RoundRecord { strategy: None, ..round }).unwrap();
    }
    TestServer::start_strategy(folder.path(), by_hand(), "name = 'median'", MAX_NORM).await.stop().await;
    let server = TestServer::start_strategy(folder.path(), by_hand(), "name = 'fedavg'", MAX_NORM).await;
    contribute(&server, &[0.125, 1e6]).await;
    server.wait_for_version(2).await;
    assert_eq!(server.vfer().await, moved(0.375));
}

#[tokio::test]
async fn fewer_updates_than_a_strategy_needs_abandon_the_round_and_say_so() {
    let folder = fresh();
    let strategy = "name = 'krum'\nbyzantine = 1";
    let few = RoundSettings { minimum_clients: 1, ..by_hand() };
    let server = TestServer::start_strategy(folder.path(), few, strategy, MAX_NORM).await;
    // The minimum is raised to what the strategy takes.
    assert_eq!(server.federation.settings().minimum_clients, 5);
    let lower = RoundSettingsChange { minimum_clients: Some(4), ..RoundSettingsChange::default() };
    let refused = server.federation.change_settings(lower).unwrap_err();
    let expected = Refusal::MinimumClientsBelowStrategy { found: 4, limit: 5, strategy: "krum" };
    assert!(matches!(&refused, RoundError::Refused(refusal) if *refusal == expected), "{refused}");
    server.federation.open_round().unwrap();
    contribute(&server, &[0.5, 0.25, 0.375, 0.125]).await;
    server.federation.close_round(1).unwrap();
    let reason = AbandonReason::TooFewForStrategy { strategy: "krum".to_owned(), found: 4, needed: 5 };
    assert_eq!(server.federation.rounds(None, 1).unwrap()[0].phase, RoundPhase::Abandoned { reason });
    assert_eq!(server.manifest().await.model.version, 1);
}

#[tokio::test]
async fn a_class_publishes_no_selection_of_fewer_than_three() {
    let folder = fresh();
    let strategy = "name = 'krum'\nbyzantine = 1";
    let server = TestServer::start_strategy(folder.path(), by_hand(), strategy, MAX_NORM).await;
    server.federation.open_round().unwrap();
    contribute(&server, &[0.5, 0.25, 0.375, 0.125]).await;
    server.stop().await;
    {
        let records = Records::open(Arc::new(EmbeddedStore::open(folder.path()).unwrap())).unwrap();
        let round = records.rounds().unwrap().pop().unwrap();
        let phase = Phase::Aggregating { reason: CloseReason::Complete };
        records.put_round(&RoundRecord { phase, ..round }).unwrap();
    }
    let server = TestServer::start_guarded(folder.path(), by_hand()).await;
    let reason = AbandonReason::TooFewUpdates { found: 1, needed: 3 };
    assert_eq!(server.federation.rounds(None, 1).unwrap()[0].phase, RoundPhase::Abandoned { reason });
}

#[tokio::test]
async fn a_difference_leads_from_the_base_to_the_published_model() {
    let folder = fresh();
    let strategy = "name = 'fedavg'\ndifference = 'int8'";
    let bounds = FederationBounds { kept_models: 2, shortest_round_s: 0, ..FederationBounds::default() };
    let rounds = RoundSettings { minimum_clients: 3, ..by_hand() };
    let server = TestServer::start_strategy_bounded(folder.path(), rounds, strategy, MAX_NORM, bounds).await;
    let blob = async |sha256: &str| server.client.get(server.url(&path::blob(sha256))).send().await.unwrap();
    let mut differences = Vec::new();
    for version in 2..=4 {
        let before = server.manifest().await.model;
        let base = server.vfer().await;
        server.federation.open_round().unwrap();
        let step = 0.125 * version as f32;
        contribute(&server, &[0.5 * step, 0.25 * step, 0.75 * step]).await;
        server.wait_for_version(version).await;
        let model = server.manifest().await.model;
        let difference = model.difference.unwrap();
        assert_eq!(difference.base_sha256, before.vfer.sha256);
        let file = blob(&difference.blob.sha256).await.bytes().await.unwrap();
        let found = with_difference(&base, &file).unwrap();
        assert_eq!(sha256_hex(&found.to_safetensors(None)), model.vfer.sha256);
        let moved = found.subtract(&base).unwrap().norm() / delta(0.5 * step).norm();
        assert!((moved - 1.0).abs() < 0.01, "{moved}");
        differences.push(difference.blob.sha256);
    }
    // A version that is published again has another parent, whose difference to it nobody has made.
    server.federation.restore(3).unwrap();
    assert_eq!(server.manifest().await.model.difference, None);
    // It goes with its model's weights.
    for (difference, status) in differences.iter().zip([404, 200, 200]) {
        assert_eq!(blob(difference).await.status().as_u16(), status);
    }
}
