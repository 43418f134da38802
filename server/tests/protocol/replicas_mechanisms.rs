//! What replicas are quick by, what they save work by, and what one of them must not delete under another.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use emofed::protocol::{ClientUpdate, CloseReason, Event};
use emofed_server::round::FederationBounds;
use emofed_server::store::{Phase, Records, RoundRecord, Store as _};

use super::harness::{TestServer, delta, for_two, model, prepare_store};
use super::replicas::two_in_memory;
use super::round_model::memory::Memory;
use super::shared_store::{Shared, listen};

/// Without a notification the other replica reads the records again after ten seconds of silence.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_that_one_replica_publishes_is_told_at_the_other_at_once() {
    let shared = Shared::new();
    let (a, b) = shared.two(&["--minimum-clients", "3"]);
    let heard = listen(&b, |event| matches!(event, Event::ModelPublished { version: 2 })).await;
    let clients = a.clients(3).await;
    let (last, others) = clients.split_last().unwrap();
    for (token, update) in others {
        assert_eq!(a.put(token, update).await, Some(200));
    }
    // B's silence begins again, whatever it did when it started.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let since = Instant::now();
    assert_eq!(a.put(&last.0, &last.1).await, Some(200));
    heard.await.unwrap();
    assert!(since.elapsed() < Duration::from_secs(2), "{:?}", since.elapsed());
}

/// Whoever has the lease may hang. After a minute others do the work, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_that_is_held_for_too_long_is_not_waited_for() {
    let shared = Shared::new();
    let bounds = FederationBounds { shortest_round_s: 0, ..FederationBounds::default() };
    let server = TestServer::start_over(Arc::new(shared.store()), for_two(), true, bounds).await;
    let (held, federation, clock) = (shared.store(), server.federation.clone(), server.clock.clone());
    tokio::task::spawn_blocking(move || {
        let _lease = held.lease("aggregation").unwrap().unwrap();
        for who in ["p0", "p1"] {
            let update = ClientUpdate { round: 1, base_version: 1, num_examples: 1, metrics: None, delta: delta(0.5) };
            federation.submit(who, 1, &update.encode()).unwrap();
        }
        let version_at = |now_s: u64| {
            clock.0.store(now_s, Ordering::SeqCst);
            federation.advance().unwrap();
            federation.snapshot().manifest.model.version
        };
        // The clock is set back meanwhile.
        let versions = [1_000, 1_059, 900, 959, 960].map(version_at);
        assert_eq!(versions, [1, 1, 1, 1, 2]);
    })
    .await
    .unwrap();
}

fn body(round: u64) -> Vec<u8> {
    ClientUpdate { round, base_version: round, num_examples: 1, metrics: None, delta: delta(0.5) }.encode()
}

/// A tab that had no answer sends again, to another replica. While it does so, its first request counts and the round closes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_update_at_two_replicas_is_acknowledged_by_both_while_the_round_closes() {
    let (memory, replicas) = two_in_memory().await;
    let [one, two] = [replicas[0].federation.clone(), replicas[1].federation.clone()];
    one.open_round().unwrap();
    two.submit("p0", 1, &body(1)).unwrap();
    let records = Records::open(memory.clone()).unwrap();
    let second = two.clone();
    memory.before("put_object", move || {
        one.submit("p1", 1, &body(1)).unwrap();
        let open = records.rounds().unwrap().remove(0);
        let phase = Phase::Aggregating { reason: CloseReason::Complete };
        records.change_round(&open, &RoundRecord { phase, received: Some(2), ..open.clone() }).unwrap();
        // It hears of that, and nothing else is due here.
        second.open_round().unwrap_err();
    });
    two.submit("p1", 1, &body(1)).unwrap();
    two.advance().unwrap();
    let model = two.snapshot().manifest.model.clone();
    assert_eq!((model.version, model.num_clients), (2, 2), "the body is there");
}

/// A replica that starts sweeps up what earlier rounds left, and nothing of a round that another one opens meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_starts_deletes_nothing_of_a_round_that_another_opens() {
    let memory = Arc::new(Memory::shared());
    prepare_store(memory.clone(), &model());
    let bounds = FederationBounds { shortest_round_s: 0, ..FederationBounds::default() };
    let first = TestServer::start_over(memory.clone(), for_two(), true, bounds).await;
    let one = first.federation.clone();
    one.submit("p0", 1, &body(1)).unwrap();
    memory.before("folders", move || {
        one.submit("p1", 1, &body(1)).unwrap();
        one.advance().unwrap();
        one.submit("p0", 2, &body(2)).unwrap();
    });
    let second = TestServer::start_over(memory, for_two(), true, bounds).await;
    second.federation.submit("p1", 2, &body(2)).unwrap();
    second.federation.advance().unwrap();
    let model = second.federation.snapshot().manifest.model.clone();
    assert_eq!((model.version, model.num_clients), (3, 2));
}
