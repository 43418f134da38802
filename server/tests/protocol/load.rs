//! The load generator, against a real aggregator.

use std::time::Duration;

use emofed::protocol::RoundSettings;
use emofed_server::load::{Fault, LoadReport, LoadSettings, run};

use super::harness::{CODE, TestServer, fresh};

const CLIENTS: usize = 50;

async fn load(server: &TestServer, faults: Vec<(Fault, f64)>) -> LoadReport {
    run(settings(vec![server.url("")], CODE, CLIENTS, faults), |_| {}).await.unwrap()
}

/// A round of all `clients`.
pub fn settings(origins: Vec<String>, code: &str, clients: usize, faults: Vec<(Fault, f64)>) -> LoadSettings {
    LoadSettings {
        origins,
        join_code: code.to_owned(),
        participants: clients,
        updates: clients,
        rounds: 1,
        faults,
        seed: 1,
        polls: true,
        fetches_weights: true,
        timeout: Duration::from_secs(120),
    }
}

/// A round that all updates with `fault` but those that are refused complete; by itself it takes as many as it waits for.
async fn completed_with(fault: Fault, minimum_clients: u32) -> LoadReport {
    let folder = fresh();
    let rounds = RoundSettings { minimum_clients, ..RoundSettings::default() };
    let server = TestServer::start_roomy(folder.path(), rounds).await;
    let report = load(&server, vec![(fault, 0.5)]).await;
    assert!(report.is_as_expected(1), "{fault:?}: {report}");
    assert_eq!(report.counted[&1], report.acknowledged[&1], "{report}");
    assert!(report.counted[&1] >= minimum_clients, "{report}");
    report
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn good_and_repeated_updates_count_once_each() {
    for (fault, told) in [
        (Fault::Slow, "acknowledged"),
        (Fault::Dropping, "broken off, as intended"),
        (Fault::Duplicate, "sent twice, answered alike"),
    ] {
        let report = completed_with(fault, CLIENTS as u32).await;
        assert_eq!(report.acknowledged[&1] as usize, CLIENTS, "{report}");
        assert!(report.outcomes[told] >= 4, "{report}");
        assert!(
            report.events["model-published"] >= 1 && report.events["update-received"] >= CLIENTS as u64,
            "{report}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stale_and_hostile_updates_are_refused_with_their_codes() {
    for (fault, told) in [(Fault::Stale, "stale, refused"), (Fault::Hostile, "hostile, refused")] {
        let report = completed_with(fault, 6).await;
        assert!(report.outcomes[told] >= 1, "{report}");
    }
}
