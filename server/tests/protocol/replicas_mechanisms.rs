//! What replicas are quick by, and what they save work by: notifications and the lease. Nothing else fails without them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use emofed::protocol::{ClientUpdate, Event};
use emofed_server::round::FederationBounds;
use emofed_server::store::Store as _;

use super::harness::{TestServer, delta, for_two};
use super::replicas::{Shared, listen};

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
            let update = ClientUpdate { round: 1, base_version: 1, num_examples: 1, delta: delta(0.5) };
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
