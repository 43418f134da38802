//! A disk that fails while the aggregator runs: what it tells, and that it goes on.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use emofed::protocol::{ClientMetrics, ClientUpdate, ProblemCode, RoundSettings};
use emofed_server::round::FederationBounds;
use emofed_server::store::{EmbeddedStore, Snapshot, Store, StoreError, Write};

use super::harness::{TestServer, delta, for_two, fresh, problem};

/// The embedded store over a disk whose faults the test decides.
struct FaultyStore {
    store: EmbeddedStore,
    /// Nothing can be read or written.
    is_gone: AtomicBool,
    /// Commits are made, and told as failed: as when the disk fails after the last sync.
    commits_fail_late: AtomicBool,
    free_bytes: AtomicU64,
    /// The object that cannot be read now.
    unreadable: Mutex<Option<String>>,
    /// Calls that wrote or deleted something.
    writes: AtomicUsize,
}

impl FaultyStore {
    fn open(folder: &Path) -> Arc<Self> {
        Arc::new(Self {
            store: EmbeddedStore::open(folder).unwrap(),
            is_gone: AtomicBool::new(false),
            commits_fail_late: AtomicBool::new(false),
            free_bytes: AtomicU64::new(u64::MAX),
            unreadable: Mutex::default(),
            writes: AtomicUsize::new(0),
        })
    }

    fn read(&self) -> Result<&EmbeddedStore, StoreError> {
        if self.is_gone.load(Ordering::SeqCst) {
            return Err(std::io::Error::other("the disk is gone").into());
        }
        Ok(&self.store)
    }

    fn write(&self) -> Result<&EmbeddedStore, StoreError> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        self.read()
    }
}

impl Store for FaultyStore {
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.read()?.get(key)
    }

    fn scan(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        self.read()?.scan(prefix)
    }

    fn scan_back(
        &self,
        prefix: &str,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        self.read()?.scan_back(prefix, before, limit)
    }

    fn check_health(&self) -> Result<(), StoreError> {
        self.read()?.check_health()
    }

    fn free_bytes(&self) -> Result<Option<u64>, StoreError> {
        Ok(Some(self.free_bytes.load(Ordering::SeqCst)))
    }

    fn commit(&self, writes: &[Write]) -> Result<(), StoreError> {
        self.write()?.commit(writes)?;
        if self.commits_fail_late.load(Ordering::SeqCst) {
            return Err(std::io::Error::other("the disk failed after the commit").into());
        }
        Ok(())
    }

    fn put_object(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.write()?.put_object(name, bytes)
    }

    fn object(&self, name: &str) -> Result<Vec<u8>, StoreError> {
        if self.unreadable.lock().unwrap().as_deref() == Some(name) {
            return Err(std::io::Error::other("it takes too long").into());
        }
        self.read()?.object(name)
    }

    fn object_size(&self, name: &str) -> Result<u64, StoreError> {
        self.read()?.object_size(name)
    }

    fn object_part(&self, name: &str, start: u64, length: usize) -> Result<Vec<u8>, StoreError> {
        self.read()?.object_part(name, start, length)
    }

    fn delete_object(&self, name: &str) -> Result<(), StoreError> {
        self.write()?.delete_object(name)
    }

    fn folders(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        self.read()?.folders(folder)
    }

    fn delete_objects(&self, folder: &str) -> Result<(), StoreError> {
        self.write()?.delete_objects(folder)
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        self.read()?.snapshot()
    }
}

async fn start(store: &Arc<FaultyStore>, rounds: RoundSettings) -> TestServer {
    let bounds = FederationBounds { shortest_round_s: 0, ..FederationBounds::default() };
    TestServer::start_over(store.clone(), rounds, true, bounds).await
}

async fn status_of(server: &TestServer, path: &str) -> u16 {
    server.client.get(server.url(path)).send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn health_tells_a_failing_disk_and_its_return() {
    let folder = fresh();
    let store = FaultyStore::open(folder.path());
    let server = start(&store, for_two()).await;
    let student = server.join().await;
    let update = server.update(2, delta(0.5)).await;
    store.is_gone.store(true, Ordering::SeqCst);
    for path in ["/healthz", "/readyz"] {
        let told = server.client.get(server.url(path)).send().await.unwrap();
        assert_eq!(problem(told).await.code, ProblemCode::StorageUnavailable, "{path}");
    }
    assert_eq!(server.send(&student, &update).await.status(), 503, "nothing is acknowledged");
    store.is_gone.store(false, Ordering::SeqCst);
    for path in ["/healthz", "/readyz"] {
        assert_eq!(status_of(&server, path).await, 200, "{path}");
    }
    assert_eq!(server.send(&student, &update).await.status(), 200);
}

#[tokio::test]
async fn readiness_writes_nothing_and_wants_room() {
    let folder = fresh();
    let store = FaultyStore::open(folder.path());
    let server = start(&store, for_two()).await;
    let writes = store.writes.load(Ordering::SeqCst);
    for _ in 0..20 {
        assert_eq!((status_of(&server, "/healthz").await, status_of(&server, "/readyz").await), (200, 200));
    }
    assert_eq!(store.writes.load(Ordering::SeqCst), writes);
    store.free_bytes.store(1 << 20, Ordering::SeqCst);
    assert_eq!((status_of(&server, "/healthz").await, status_of(&server, "/readyz").await), (200, 503));
    let metrics = server.client.get(server.url("/metrics")).send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("emofed_disk_free_bytes 1048576\n"), "{metrics}");
}

#[tokio::test]
async fn a_commit_that_failed_and_holds_nevertheless_is_seen() {
    let folder = fresh();
    let store = FaultyStore::open(folder.path());
    let server = start(&store, RoundSettings { continuous: false, ..for_two() }).await;
    store.commits_fail_late.store(true, Ordering::SeqCst);
    assert!(server.federation.open_round().is_err());
    store.commits_fail_late.store(false, Ordering::SeqCst);
    // The round is open on disk: it goes on, and no second one takes its place.
    assert!(server.federation.open_round().is_err(), "a second round was opened over the first");
    assert_eq!(server.open_round().await.id, 1);

    let students = [server.join().await, server.join().await];
    let update = server.update(2, delta(0.5)).await;
    store.commits_fail_late.store(true, Ordering::SeqCst);
    assert_eq!(server.send(&students[0], &update).await.status(), 503);
    store.commits_fail_late.store(false, Ordering::SeqCst);
    // The tab sends again, and is counted once.
    assert_eq!(server.send(&students[0], &update).await.status(), 200);
    assert_eq!(server.send(&students[1], &update).await.status(), 200);
    server.wait_for_version(2).await;
    assert_eq!(server.manifest().await.model.num_clients, 2);
}

#[tokio::test]
async fn a_version_that_cannot_be_read_now_is_gone_back_to_later() {
    let folder = fresh();
    let store = FaultyStore::open(folder.path());
    let server = start(&store, RoundSettings { minimum_clients: 6, ..RoundSettings::default() }).await;
    let mut students = Vec::new();
    for _ in 0..6 {
        students.push(server.join().await);
    }
    let first = server.manifest().await.model.vfer.sha256;
    for student in &students {
        assert_eq!(server.send(student, &server.update(1, delta(0.5)).await).await.status(), 200);
    }
    server.wait_for_version(2).await;
    server.open_round().await;
    *store.unreadable.lock().unwrap() = Some(format!("blobs/{first}"));
    let metrics = ClientMetrics { acceptance_rate: 0.5, class_balance: 0.5, loss_change: Some(0.9) };
    for student in &students {
        let update = ClientUpdate { metrics: Some(metrics), ..server.update(1, delta(0.25)).await };
        assert_eq!(server.send(student, &update).await.status(), 200);
    }
    assert!(server.federation.advance().is_err(), "the round waits");
    assert_eq!(server.manifest().await.model.version, 2);
    *store.unreadable.lock().unwrap() = None;
    server.wait_for_version(3).await;
    assert_eq!(server.manifest().await.model.vfer.sha256, first);
    // Nothing is left of the model that was made of the second round.
    let stored = std::fs::read_dir(folder.path().join("blobs")).unwrap();
    let stored: BTreeSet<_> = stored.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let manifest = server.manifest().await;
    let models = server.federation.models(None, 10).unwrap().into_iter().map(|model| model.vfer.sha256);
    let known: BTreeSet<_> = models.chain([manifest.backbone.blob.sha256, manifest.detector.sha256]).collect();
    assert_eq!(stored, known);
}
