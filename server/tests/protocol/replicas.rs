//! Several replicas of one federation: processes over one Postgres and one folder of objects.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use emofed::protocol::{
    ClientUpdate, CloseReason, Event, EventMessage, JoinCode, Problem, ProblemCode, RoundSettings, SAFETENSORS,
    instructor_path, path,
};
use emofed::weights::Weights;
use emofed_server::round::FederationBounds;
use emofed_server::store::{PostgresSettings, PostgresStore, Records};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use reqwest::Client;
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::harness::{TestServer, delta, for_two, model as base_model, prepare_store};
use super::postgres::Postgres;
use super::program::Program;
use super::round_model::memory::Memory;

/// A database and a folder for objects, with a federation that can be served.
struct Shared {
    postgres: Postgres,
    folder: TempDir,
}

impl Shared {
    fn new() -> Self {
        let shared = Self { postgres: Postgres::start(), folder: tempfile::tempdir().unwrap() };
        prepare_store(Arc::new(shared.store()), &base_model());
        shared
    }

    fn blobs(&self) -> String {
        format!("file://{}", self.folder.path().join("objects").display())
    }

    fn store(&self) -> PostgresStore {
        let (url, blobs, federation) = (self.postgres.url(), self.blobs(), "class".to_owned());
        PostgresStore::open(&PostgresSettings { url, blobs, federation }).unwrap()
    }

    /// Starts the replica called `name`, which gets the instructor's token of the replica `first`.
    fn replica(&self, name: &str, first: Option<&str>, arguments: &[&str]) -> Program {
        let data = self.folder.path().join(name);
        std::fs::create_dir_all(&data).unwrap();
        if let Some(first) = first {
            let token = |folder: &Path| folder.join("instructor-token");
            std::fs::copy(token(&self.folder.path().join(first)), token(&data)).unwrap();
        }
        let (url, blobs) = (self.postgres.url(), self.blobs());
        let shared = ["--store", &url, "--blobs", &blobs];
        Program::start(&data, &[&shared, arguments].concat())
    }

    /// Two of them.
    fn two(&self, arguments: &[&str]) -> (Program, Program) {
        (self.replica("a", None, arguments), self.replica("b", Some("a"), arguments))
    }
}

/// Listens until `is_last`; gives what came.
async fn listen(program: &Program, is_last: fn(&Event) -> bool) -> JoinHandle<Vec<Event>> {
    let mut stream = Client::new().get(program.url(path::EVENTS)).send().await.unwrap();
    tokio::spawn(async move {
        let (mut text, mut heard) = (String::new(), Vec::new());
        loop {
            text += std::str::from_utf8(&stream.chunk().await.unwrap().unwrap()).unwrap();
            while let Some((block, rest)) = text.split_once("\n\n") {
                if let Some(data) = block.lines().find_map(|line| line.strip_prefix("data:")) {
                    heard.push(EventMessage::read(data).event);
                    if heard.last().is_some_and(is_last) {
                        return heard;
                    }
                }
                text = rest.to_owned();
            }
        }
    })
}

/// Waits until `is_so`, for half a minute at the most.
async fn until<F: Future<Output = bool>>(what: &str, is_so: impl Fn() -> F) {
    let since = Instant::now();
    while !is_so().await {
        assert!(since.elapsed() < Duration::from_secs(30), "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The status with which `program` lets somebody join with `code`.
async fn join_status(program: &Program, code: &str) -> u16 {
    let request = Client::new().post(program.url(path::PARTICIPANTS)).header("content-type", "application/json");
    request.body(format!("{{\"join_code\":\"{code}\"}}")).send().await.unwrap().status().as_u16()
}

/// The first value of the global model.
async fn first_value(program: &Program) -> f64 {
    let model = program.manifest().await.model;
    let bytes = Client::new().get(program.url(&path::blob(&model.vfer.sha256))).send().await.unwrap().bytes().await;
    f64::from(Weights::from_safetensors(&bytes.unwrap()).unwrap().iter().next().unwrap().1.values[0])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_are_one_federation() {
    let shared = Shared::new();
    let (a, b) = shared.two(&["--minimum-clients", "3"]);
    assert_eq!((a.code(), a.instructor_token()), (b.code(), b.instructor_token()));
    let is_next = |event: &Event| matches!(event, Event::RoundOpened { round: 2, .. });
    let (heard_a, heard_b) = (listen(&a, is_next).await, listen(&b, is_next).await);

    // All join at A. One sends to A, one to B, one the same to both at once.
    let clients = a.clients(3).await;
    let [(one, first), (two, second), (three, third)] = clients.as_slice() else { unreachable!() };
    assert_eq!(a.put(one, first).await, Some(200));
    until("B hears of A's update", || async { b.status().await.round.is_some_and(|round| round.received == 1) }).await;
    assert_eq!(b.put(one, first).await, Some(200), "the same again is acknowledged");
    let other = ClientUpdate { delta: delta(0.5), ..first.clone() };
    assert_eq!(b.put(one, &other).await, Some(409), "another one is not");
    assert_eq!(b.put(two, second).await, Some(200));
    assert_eq!(tokio::join!(a.put(three, third), b.put(three, third)), (Some(200), Some(200)));

    for (who, heard) in [("A", heard_a.await.unwrap()), ("B", heard_b.await.unwrap())] {
        let transitions: Vec<_> =
            heard.iter().filter(|event| !matches!(event, Event::UpdateReceived { .. })).cloned().collect();
        let expected = [
            Event::RoundClosed { round: 1, reason: CloseReason::Complete },
            Event::ModelPublished { version: 2 },
            Event::RoundOpened { round: 2, base_version: 2 },
        ];
        assert_eq!(transitions, expected, "{who}");
        assert!(heard.contains(&Event::UpdateReceived { round: 1, received: 1 }), "{who}: {heard:?}");
    }
    let (status_a, status_b) = (a.status().await, b.status().await);
    for status in [&status_a, &status_b] {
        assert_eq!((status.participants, status.models.len(), status.rounds.len()), (3, 2, 2));
        assert_eq!((status.models[0].num_clients, status.models[0].num_examples), (3, Some(6)));
        assert_eq!(status.rounds[1].received, 3);
    }
    let mean = (0.01 * 2.0 + 0.02 * 3.0) / 6.0;
    for replica in [&a, &b] {
        let base = f64::from(base_model().iter().next().unwrap().1.values[0]);
        assert!((first_value(replica).await - (base + mean)).abs() < 1e-6);
    }

    // A token that A ends opens nothing at B, and a code that B renews is A's, too.
    let left = Client::new().delete(a.url(path::ME)).bearer_auth(one).send().await.unwrap();
    assert!(left.status().is_success());
    assert_eq!(b.put(one, first).await, Some(401));
    let renew = Client::new().post(b.url(instructor_path::JOIN_CODE)).bearer_auth(b.instructor_token());
    let renewed: JoinCode = renew.send().await.unwrap().json().await.unwrap();
    assert_eq!((join_status(&a, a.code()).await, join_status(&a, &renewed.code).await), (403, 201));
    let links = shared.folder.path().join("a/links");
    until("A's file of links follows", || async { std::fs::read_to_string(&links).unwrap().contains(&renewed.code) })
        .await;

    // A restoration at B is told at A.
    let heard = listen(&a, |event| matches!(event, Event::RoundOpened { round: 3, .. })).await;
    let restore = Client::new().post(b.url(&instructor_path::restore(1))).bearer_auth(b.instructor_token());
    assert!(restore.send().await.unwrap().status().is_success());
    let heard = heard.await.unwrap();
    assert!(heard.contains(&Event::ModelRolledBack { version: 3, restored: 1 }), "{heard:?}");
    assert_eq!(a.manifest().await.model.parent, Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_round_goes_on_at_the_other_replica_when_one_is_killed() {
    const CLIENTS: u32 = 24;
    let shared = Shared::new();
    let (a, b) = shared.two(&["--minimum-clients", "24"]);
    let clients = a.clients(CLIENTS).await;
    let sending: FuturesUnordered<_> = clients.iter().map(|(token, update)| a.put(token, update)).collect();
    let acknowledged = sending.take(6).filter(|answer| std::future::ready(*answer == Some(200))).count().await;
    assert_eq!(acknowledged, 6);
    a.kill();
    // Nobody knows which answers got lost, so everybody sends again, to whoever is there.
    for (token, update) in &clients {
        assert_eq!(b.put(token, update).await, Some(200));
    }
    until("the round ends", || async { b.manifest().await.model.version == 2 }).await;
    let model = b.status().await.models.remove(0);
    assert_eq!((model.num_clients, model.num_examples), (CLIENTS, Some(u64::from(CLIENTS * (CLIENTS + 1) / 2))));
    let sum: f64 = (0..CLIENTS).map(|index| f64::from(index as f32 / 100.0) * f64::from(index + 1)).sum();
    let base = f64::from(base_model().iter().next().unwrap().1.values[0]);
    let expected = base + sum / f64::from(CLIENTS * (CLIENTS + 1) / 2);
    assert!((first_value(&b).await - expected).abs() < 1e-6);
    // It comes back, and is where the other is.
    let a = shared.replica("a", None, &[]);
    assert_eq!(a.manifest().await.model, b.manifest().await.model);
    assert_eq!(a.status().await.round.unwrap().id, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_was_away_is_told_and_costs_nothing() {
    let mut shared = Shared::new();
    let (a, b) = shared.two(&["--minimum-clients", "3"]);
    let clients = a.clients(3).await;
    assert_eq!(a.put(&clients[0].0, &clients[0].1).await, Some(200));
    shared.postgres.crash();
    for replica in [&a, &b] {
        let (token, update) = &clients[1];
        let request = Client::new().put(replica.url(&path::update(1))).header("content-type", SAFETENSORS);
        let answer = request.bearer_auth(token).body(update.encode()).send().await.unwrap();
        assert!(answer.status() == 503 && answer.headers().contains_key("retry-after"), "{answer:?}");
        assert_eq!(answer.json::<Problem>().await.unwrap().code, ProblemCode::StorageUnavailable);
        assert_eq!(Client::new().get(replica.url("/readyz")).send().await.unwrap().status(), 503);
        assert_eq!(replica.manifest().await.model.version, 1, "the manifest is there meanwhile");
    }
    shared.postgres.run();
    for ((token, update), replica) in clients.iter().zip([&b, &a, &b]) {
        assert_eq!(replica.put(token, update).await, Some(200));
    }
    for replica in [&a, &b] {
        until("both have the new model", || async { replica.manifest().await.model.version == 2 }).await;
    }
    assert_eq!(b.status().await.models[0].num_clients, 3);
}

#[test]
fn what_is_not_made_for_replicas_is_refused() {
    let shared = Shared::new();
    let (url, blobs) = (shared.postgres.url(), shared.blobs());
    let refused = |data: &str, arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_emofed"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(shared.folder.path().join(data)).env_clear();
        let output = command.args(arguments).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let text = refused("c", &["--store", &url, "--blobs", &blobs, "--operator"]);
    assert!(text.contains("--federation NAME"), "{text}");
    let text = refused("c", &["--store", &url]);
    assert!(text.contains("--blobs"), "{text}");
    let first = shared.replica("a", None, &[]);
    let text = refused("c", &["--store", &url, "--blobs", &blobs]);
    assert!(text.contains("copy the file from the data folder of the replica"), "{text}");
    drop(first);
    let again = shared.replica("c", None, &["--new-instructor-token"]);
    assert!(shared.folder.path().join("c/instructor-token").is_file() && !again.instructor_token().is_empty());
}

/// No lease holds them up, so that both do all of the work, and one has its transition refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_that_aggregate_at_once_make_one_model() {
    const ROUNDS: u64 = 30;
    let memory = Arc::new(Memory::shared());
    prepare_store(memory.clone(), &base_model());
    let bounds = FederationBounds { shortest_round_s: 0, ..FederationBounds::default() };
    let mut replicas = Vec::new();
    for _ in 0..2 {
        replicas.push(TestServer::start_over(memory.clone(), for_two(), true, bounds).await);
    }
    let federations = [replicas[0].federation.clone(), replicas[1].federation.clone()];
    let records = Records::open(memory).unwrap();
    for round in 1..=ROUNDS {
        std::thread::scope(|scope| {
            for (who, federation) in federations.iter().enumerate() {
                scope.spawn(move || {
                    federation.follow().unwrap();
                    let delta = delta(0.01 * (who + 1) as f32);
                    let update = ClientUpdate { round, base_version: round, num_examples: 1, delta };
                    federation.submit(&format!("p{who}"), round, &update.encode()).unwrap();
                    federation.advance().unwrap();
                });
            }
        });
        // Whoever was first may not have heard of the second.
        federations.iter().for_each(|federation| federation.follow().unwrap());
        let models = records.models().unwrap();
        assert_eq!(models.len() as u64, round + 1);
        assert_eq!((models[round as usize].num_clients, models[round as usize].round), (2, Some(round)));
        federations.iter().for_each(|federation| federation.follow().unwrap());
        let manifests = federations.each_ref().map(|federation| federation.snapshot().manifest.clone());
        assert_eq!(manifests[0].model, manifests[1].model);
        assert_eq!(manifests.map(|manifest| manifest.round.unwrap().id), [round + 1, round + 1]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_join_than_may_whoever_they_ask() {
    const MOST: u32 = 5;
    let shared = Shared::new();
    let bounds = FederationBounds { shortest_round_s: 0, max_participants: MOST, ..FederationBounds::default() };
    let rounds = RoundSettings { continuous: false, ..for_two() };
    let mut replicas = Vec::new();
    for _ in 0..2 {
        let store = Arc::new(shared.store());
        replicas.push(TestServer::start_over(store, rounds.clone(), true, bounds).await);
    }
    let joined: FuturesUnordered<_> = (0..20)
        .map(|who| {
            let federation = replicas[who % 2].federation.clone();
            tokio::task::spawn_blocking(move || {
                federation.add_participant(&format!("token{who}"), format!("p{who}"), None).is_ok()
            })
        })
        .collect();
    let joined = joined.filter(|joined| std::future::ready(*joined.as_ref().unwrap())).count().await;
    assert_eq!(joined, MOST as usize);
    let records = Records::open(Arc::new(shared.store())).unwrap();
    assert_eq!(records.participant_count().unwrap(), MOST);
    // Both open a round at once: it is one.
    let opened: FuturesUnordered<_> = replicas
        .iter()
        .map(|replica| {
            let federation = replica.federation.clone();
            tokio::task::spawn_blocking(move || federation.open_round().is_ok())
        })
        .collect();
    assert_eq!(opened.filter(|opened| std::future::ready(*opened.as_ref().unwrap())).count().await, 1);
    assert_eq!(records.rounds().unwrap().len(), 1);
}
