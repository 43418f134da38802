//! Several replicas of one federation: processes over one Postgres and one folder of objects.

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use emofed::protocol::{
    ClientUpdate, CloseReason, Event, FederationStatus, JoinCode, Problem, ProblemCode, RoundPhase, RoundSettings,
    SAFETENSORS, instructor_path, path,
};
use emofed::weights::Weights;
use emofed_server::clock::SystemClock;
use emofed_server::load::{Fault, run};
use emofed_server::round::{FederationBounds, Refusal, RoundError};
use emofed_server::serve::{Admission, RequestError, ServeError};
use emofed_server::store::{FederationRecord, Grant, Records, Store as _};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use reqwest::Client;

use super::harness::{TestServer, delta, for_two, model as base_model, prepare_store};
use super::load;
use super::program::Program;
use super::round_model::memory::Memory;
use super::shared_store::{Shared, listen, until};

fn until_sync(what: &str, is_so: impl Fn() -> bool) {
    let since = Instant::now();
    while !is_so() {
        assert!(since.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::sleep(Duration::from_millis(20));
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
    std::fs::create_dir_all(shared.folder.path().join("f/federations")).unwrap();
    let text = refused("f", &["--store", &url, "--blobs", &blobs]);
    assert!(text.contains("has federations that an operator made"), "{text}");
    let text = refused("c", &["--store", &url]);
    assert!(text.contains("--blobs"), "{text}");
    let first = shared.replica("a", None, &[]);
    let text = refused("c", &["--store", &url, "--blobs", &blobs]);
    assert!(text.contains("copy the file from the data folder of the replica"), "{text}");
    // What a replica reads when it starts is not changed under it.
    for command in [&["import", "lite", "nowhere"][..], &["publish", "nowhere"]] {
        let changed = shared.run(&[command, &["--data", "d"]].concat());
        assert!(changed.contains("replicas of this federation are running"), "{changed}");
    }
    drop(first);
    until_sync("a killed replica serves no more", || {
        !shared.run(&["import", "lite", "nowhere", "--data", "d"]).contains("are running")
    });
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
                    let update = ClientUpdate { round, base_version: round, num_examples: 1, metrics: None, delta };
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

/// Two replicas over a store in memory, whose rounds are opened by hand.
pub(super) async fn two_in_memory() -> (Arc<Memory>, Vec<TestServer>) {
    let memory = Arc::new(Memory::shared());
    prepare_store(memory.clone(), &base_model());
    let bounds = FederationBounds { shortest_round_s: 0, ..FederationBounds::default() };
    let rounds = RoundSettings { continuous: false, ..for_two() };
    let mut replicas = Vec::new();
    for _ in 0..2 {
        replicas.push(TestServer::start_over(memory.clone(), rounds.clone(), true, bounds).await);
    }
    (memory, replicas)
}

/// A round is open over the model that is the newest, however a restoration at the other replica falls.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_round_is_opened_over_a_model_that_is_replaced_at_the_same_time() {
    const TIMES: usize = 200;
    let (memory, replicas) = two_in_memory().await;
    let records = Records::open(memory).unwrap();
    let [one, two] = [&replicas[0].federation, &replicas[1].federation];
    let barrier = Barrier::new(2);
    for _ in 0..TIMES {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                barrier.wait();
                one.open_round().unwrap();
            });
            scope.spawn(|| {
                barrier.wait();
                two.restore(1).unwrap();
            });
        });
        let (round, model) =
            (records.newest_rounds(None, 1).unwrap().remove(0), records.newest_models(None, 1).unwrap());
        // What is open takes updates, which must not be lost; what is over was abandoned with the publication.
        assert!(round.phase.is_over() || round.base_version == model[0].version, "{round:?} {}", model[0].version);
        if !round.phase.is_over() {
            one.restore(1).unwrap();
        }
        one.follow().unwrap();
    }
    assert_eq!(records.rounds().unwrap().len(), TIMES);
}

/// A class with the join code `A`, of which two replicas admit `uses` each code.
fn admissions(records: &Records, uses: u32) -> [Admission; 2] {
    let record = FederationRecord {
        join_code: "A".to_owned(),
        join_code_expires_at_s: None,
        instructor_token_sha256: String::new(),
    };
    records.put_federation(&record).unwrap();
    [(); 2].map(|()| Admission::new(records.clone(), Arc::new(SystemClock), record.clone(), 1).with_code_uses(uses))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_admits_nobody_once_it_is_renewed_and_no_more_than_it_may() {
    const USES: u32 = 5;
    let shared = Shared::new();
    let bounds = FederationBounds::default();
    let mut replicas = Vec::new();
    for _ in 0..2 {
        replicas.push(TestServer::start_over(Arc::new(shared.store()), for_two(), true, bounds).await);
    }
    let federations = [replicas[0].federation.clone(), replicas[1].federation.clone()];
    let records = federations[0].records().clone();
    tokio::task::spawn_blocking(move || {
        // Renewed at the other replica between the check of the code and the commit.
        let [one, two] = admissions(&records, 0);
        let renewals = Cell::new(0);
        let refused = one.admit("A", |grant| {
            if renewals.replace(1) == 0 {
                two.renew_code().unwrap();
            }
            Ok(federations[0].add_participant("late", "late".to_owned(), Some(grant))?)
        });
        assert!(matches!(refused, Err(ServeError::Request(RequestError::WrongJoinCode))), "{refused:?}");
        assert_eq!(records.participant_count().unwrap(), 0);
        // Used at both at once.
        let admissions = admissions(&records, USES);
        let joined = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for who in 0..16 {
                let (admission, federation, joined) = (&admissions[who % 2], &federations[who % 2], &joined);
                scope.spawn(move || {
                    let (token, id) = (format!("token{who}"), format!("p{who}"));
                    let add = |grant: &Grant| Ok(federation.add_participant(&token, id.clone(), Some(grant))?);
                    match admission.admit("A", add) {
                        Ok(()) => joined.fetch_add(1, Ordering::SeqCst),
                        Err(ServeError::Request(RequestError::JoinCodeUsedUp)) => 0,
                        Err(error) => panic!("{error}"),
                    }
                });
            }
        });
        assert_eq!((joined.into_inner(), records.participant_count().unwrap()), (USES, USES));
        assert_eq!(admissions.map(|admission| admission.join_code().unwrap().uses_left), [Some(0); 2]);
    })
    .await
    .unwrap();
}

/// Who aggregates holds a lease of the database's; when it dies, another goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_round_is_aggregated_by_another_when_who_has_the_lease_dies() {
    let shared = Shared::new();
    let (a, b) = shared.two(&["--minimum-clients", "3"]);
    let held = shared.store();
    let lease = held.lease("aggregation").unwrap().unwrap();
    let clients = a.clients(3).await;
    for (token, update) in &clients {
        assert_eq!(a.put(token, update).await, Some(200));
    }
    let aggregating = |status: FederationStatus| status.rounds[0].phase == RoundPhase::Aggregating;
    until("the round closes", || async { aggregating(b.status().await) }).await;
    // Both look again each second, and leave it to who has the lease.
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!((a.manifest().await.model.version, b.manifest().await.model.version), (1, 1));
    a.kill();
    drop((lease, held));
    until("B aggregates", || async { b.manifest().await.model.version == 2 }).await;
    assert_eq!(b.status().await.models[0].num_clients, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shared_store_is_backed_up_while_replicas_run_and_restored_as_another_federation() {
    let shared = Shared::new();
    let (a, b) = shared.two(&["--minimum-clients", "3"]);
    let clients = a.clients(3).await;
    for ((token, update), replica) in clients.iter().zip([&a, &b]) {
        assert_eq!(replica.put(token, update).await, Some(200));
    }
    let told = shared.run(&["backup", "class.tar", "--data", "a"]);
    assert!(shared.folder.path().join("class.tar").is_file(), "{told}");
    let (code, instructor) = (a.code().to_owned(), a.instructor_token().to_owned());
    drop((a, b));
    let told = shared.run(&["restore", "class.tar", "--data", "r", "--federation", "again"]);
    assert!(told.contains("round 1 goes on with 2 updates"), "{told}");
    let told = shared.run(&["restore", "class.tar", "--data", "r", "--federation", "again"]);
    assert!(told.contains("error"), "it is not restored over a federation: {told}");
    let restored = shared.replica("r", None, &["--federation", "again"]);
    assert_eq!((restored.code(), restored.instructor_token()), (code.as_str(), instructor.as_str()));
    let (token, update) = &clients[2];
    assert_eq!(restored.put(token, update).await, Some(200));
    until("the round ends", || async { restored.manifest().await.model.version >= 2 }).await;
    assert_eq!(restored.status().await.models[0].num_clients, 3);
}

#[test]
fn a_configuration_is_checked_with_the_shared_store() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("emofed.toml");
    std::fs::write(&config, "name = \"class\"\n").unwrap();
    let check = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_emofed"));
        let output = command.arg("check-config").arg(&config).args(arguments).env_clear().output().unwrap();
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        (output.status.success(), text)
    };
    let store = ["--store", "postgres://emofed:secret@db.example/emofed", "--blobs", "file:///srv/emofed"];
    let (is_good, text) = check(&[&store[..], &["--operator"]].concat());
    assert!(is_good && text.contains("objects in file:///srv/emofed") && !text.contains("secret"), "{text}");
    let wrong = |arguments: &[&str], told: &str| {
        let (is_good, text) = check(arguments);
        assert!(!is_good && text.contains(told), "{text}");
    };
    wrong(&store[..2], "--blobs");
    wrong(&["--store", "mysql://x", "--blobs", "file:///x"], "Postgres");
    wrong(&[&store[..2], &["--blobs", "ftp://x"]].concat(), "s3://BUCKET");
    wrong(&[&store[..], &["--federation", "a/b"]].concat(), "federation");
}

/// A class whose participants begin at two replicas, one of which is killed in the middle of the round. Every update that was
/// acknowledged is in the model, once.
async fn crowd(clients: usize) {
    let limits = format!("max_participants = {}\nconnections_per_address = {}\n", clients + 10, 4 * clients + 100);
    let shared = Shared::new().limited(&limits);
    let (a, b) = shared.two(&["--minimum-clients", &clients.to_string()]);
    let origins = vec![a.url(""), b.url("")];
    let settings = load::settings(origins, a.code(), clients, vec![(Fault::Duplicate, 0.1)]);
    let mut a = Some(a);
    let report = run(settings, |progress| {
        if progress.acknowledged > clients / 3 {
            a.take().into_iter().for_each(Program::kill);
        }
    });
    let report = report.await.unwrap();
    println!("{report}");
    assert!(a.is_none(), "it was killed in the middle of the round");
    assert!(report.is_as_expected(1), "{report}");
    assert_eq!((report.acknowledged[&1] as usize, report.counted[&1] as usize), (clients, clients));
    assert_eq!(b.status().await.rounds.last().unwrap().received as usize, clients);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_update_of_a_crowd_counts_once_when_a_replica_is_killed() {
    crowd(60).await;
}

/// `cargo test --release -p emofed-server --test protocol a_crowd_of_a_thousand -- --ignored --nocapture` prints its figures.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a minute"]
async fn a_crowd_of_a_thousand_and_a_replica_that_is_killed() {
    crowd(1_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_update_is_taken_or_refused_by_what_the_records_say_not_by_what_was_heard() {
    let (memory, replicas) = two_in_memory().await;
    let [one, two] = [&replicas[0].federation, &replicas[1].federation];
    let body = |value: f32| {
        ClientUpdate { round: 1, base_version: 1, num_examples: 1, metrics: None, delta: delta(value) }.encode()
    };
    one.open_round().unwrap();
    two.submit("p0", 1, &body(0.1)).unwrap();
    one.submit("p1", 1, &body(0.2)).unwrap();
    let other = two.submit("p1", 1, &body(0.3));
    assert!(matches!(other, Err(RoundError::Refused(Refusal::AlreadyReceived { round: 1 }))), "{other:?}");
    one.advance().unwrap();
    assert_eq!(one.snapshot().manifest.model.version, 2);
    // Two has not heard that the round is over, and keeps nothing of who is late.
    assert_eq!(two.snapshot().manifest.round.as_ref().map(|round| round.id), Some(1));
    let late = two.submit("p2", 1, &body(0.4));
    assert!(matches!(late, Err(RoundError::Refused(Refusal::RoundNotOpen { round: 1 }))), "{late:?}");
    assert_eq!(memory.folders("updates").unwrap(), Vec::<String>::new());
    assert_eq!(Records::open(memory).unwrap().models().unwrap()[1].num_clients, 2);
}
