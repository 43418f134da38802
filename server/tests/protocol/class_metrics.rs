//! Client metrics that come with updates: published as the mean of five or more, stored nowhere else.

use emofed::protocol::{
    AbandonReason, ClassMetrics, ClientMetrics, ClientUpdate, ModelVersion, ProblemCode, RoundPhase, RoundSettings,
};

use super::harness::{TestServer, delta, fresh, problem, walk};

const METRICS: ClientMetrics = ClientMetrics { acceptance_rate: 0.85, class_balance: 0.35, loss_change: Some(-0.02) };

/// The model of a round of six, of whom the first `told` tell their metrics.
async fn published(strategy: &str, told: usize) -> ModelVersion {
    let folder = fresh();
    let rounds = RoundSettings { minimum_clients: 6, ..RoundSettings::default() };
    let server = TestServer::start_strategy(folder.path(), rounds, strategy, 10.0).await;
    for client in 0..6 {
        let acceptance_rate = if client == 0 { 0.25 } else { 0.85 };
        let metrics = (client < told).then_some(ClientMetrics { acceptance_rate, ..METRICS });
        let update = ClientUpdate { metrics, ..server.update(1, delta(0.01 * client as f32)).await };
        assert!(server.send(&server.join().await, &update).await.status().is_success());
    }
    server.wait_for_version(2).await;
    let manifest = server.manifest().await;
    assert!(manifest.takes_metrics);
    // Nothing of a single client is kept once the next round is open: neither its body nor its figures in a record.
    server.open_round().await;
    assert!(walk(&folder.path().join("updates")).is_empty());
    server.stop().await;
    let stored: Vec<u8> = walk(folder.path()).iter().flat_map(|file| std::fs::read(file).unwrap()).collect();
    let holds = |text: &str| stored.windows(text.len()).any(|bytes| bytes == text.as_bytes());
    assert!(holds("num_examples") && !holds("0.85") && !holds("0.25"), "no figure of a single client is on the disk");
    manifest.model
}

#[tokio::test]
async fn five_students_metrics_are_published_as_their_mean() {
    for strategy in ["name = 'fedavg'", "name = 'median'"] {
        let ClassMetrics { clients, acceptance_rate, class_balance, loss_change } =
            published(strategy, 5).await.class_metrics.unwrap();
        assert_eq!((clients, class_balance), (5, 0.35));
        assert!((acceptance_rate - 0.73).abs() < 1e-12, "{acceptance_rate}");
        assert!((loss_change.unwrap() + 0.02).abs() < 1e-12);
    }
}

#[tokio::test]
async fn four_students_metrics_are_not() {
    assert_eq!(published("name = 'fedavg'", 4).await.class_metrics, None);
}

#[tokio::test]
async fn metrics_out_of_bounds_are_refused_with_their_update() {
    let folder = fresh();
    let server = TestServer::start(folder.path()).await;
    let update = server.update(1, delta(0.25)).await;
    let one = server.join().await;
    for wrong in [
        ClientMetrics { acceptance_rate: 1e38, ..METRICS },
        ClientMetrics { class_balance: -0.05, ..METRICS },
        ClientMetrics { loss_change: Some(1.5), ..METRICS },
    ] {
        let update = ClientUpdate { metrics: Some(wrong), ..update.clone() };
        assert_eq!(problem(server.send(&one, &update).await).await.code, ProblemCode::BadUpdate);
    }
    assert_eq!(server.received_in_open_round().await, 0);
}

/// What became of the second round, in which the clients of the first say how their loss changed when version 2 came; and the
/// server.
async fn second_round(folder: &std::path::Path, changes: [Option<f64>; 6]) -> (TestServer, RoundPhase) {
    let rounds = RoundSettings { minimum_clients: 6, ..RoundSettings::default() };
    let server = TestServer::start_strategy(folder, rounds, "name = 'fedavg'", 10.0).await;
    let mut clients = Vec::new();
    for _ in 0..6 {
        clients.push(server.join().await);
    }
    for client in &clients {
        assert!(server.send(client, &server.update(1, delta(0.5)).await).await.status().is_success());
    }
    server.wait_for_version(2).await;
    server.open_round().await;
    for (client, loss_change) in clients.iter().zip(changes) {
        let update = ClientUpdate {
            metrics: Some(ClientMetrics { loss_change, ..METRICS }),
            ..server.update(1, delta(0.25)).await
        };
        assert!(server.send(client, &update).await.status().is_success());
    }
    server.wait_for_version(3).await;
    let rounds = server.federation.rounds(None, 10).unwrap();
    let phase = rounds.into_iter().find(|round| round.id == 2).unwrap().phase;
    (server, phase)
}

#[tokio::test]
async fn a_version_that_most_tabs_find_worse_is_rolled_back() {
    let folder = fresh();
    let worse = [Some(0.2), Some(0.2), Some(0.2), Some(-0.5), Some(-0.5), None];
    let (server, phase) = second_round(folder.path(), worse).await;
    let reason = AbandonReason::BaseWorse { version: 2, restored: 1, clients: 5, limit: 0.05 };
    assert_eq!(phase, RoundPhase::Abandoned { reason });
    let manifest = server.manifest().await;
    assert_eq!((manifest.model.parent, manifest.model.round), (Some(1), None));
    // Neither round's updates are in it: the weights are those of version 1.
    let models = server.federation.models(None, 10).unwrap();
    assert_eq!(manifest.model.vfer, models.into_iter().find(|model| model.version == 1).unwrap().vfer);
    // What comes next is a round over it, whose base no round made: it is not rolled back again.
    assert_eq!(server.open_round().await.base_version, 3);
    for _ in 0..6 {
        let metrics = Some(ClientMetrics { loss_change: Some(0.9), ..METRICS });
        let update = ClientUpdate { metrics, ..server.update(1, delta(0.125)).await };
        assert!(server.send(&server.join().await, &update).await.status().is_success());
    }
    server.wait_for_version(4).await;
    assert_eq!(server.manifest().await.model.round, Some(3));
}

#[tokio::test]
async fn a_version_that_half_of_the_tabs_find_worse_stays() {
    let folder = fresh();
    let half = [Some(0.2), Some(0.2), Some(0.2), Some(0.0), Some(0.05), Some(-0.1)];
    let (server, phase) = second_round(folder.path(), half).await;
    assert_eq!(phase, RoundPhase::Published { version: 3 });
    assert_eq!(server.manifest().await.model.parent, Some(2));
}
