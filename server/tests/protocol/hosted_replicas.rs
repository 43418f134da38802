//! Several federations over several replicas: made, served, joined and ended at any of them.

use std::time::{Duration, Instant};

use emofed::protocol::{
    FederationLinks, FederationSummary, JoinResponse, Manifest, SAFETENSORS, instructor_path, operator_path, path,
};
use emofed_server::store::{FederationRegistry as _, Store as _, Write};
use futures::future::join_all;
use reqwest::Client;

use super::backup::{emofed, succeeded};
use super::federations_program::{create, token};
use super::harness::{delta, update_for};
use super::program::Program;
use super::shared_store::{Shared, until};

/// Within how long a replica follows another one.
const SOON: Duration = Duration::from_secs(2);

/// A federation that the operator made, at whatever replica.
struct Class(FederationLinks);

impl Class {
    async fn made(program: &Program, operator: &str) -> Self {
        Self(create(&program.url(operator_path::FEDERATIONS), operator).await.unwrap())
    }

    fn url(&self, program: &Program, path: &str) -> String {
        program.url(&format!("{}{path}", path::prefix(&self.0.id)))
    }

    /// The status of an answer to `token`.
    async fn get(&self, program: &Program, path: &str, token: &str) -> u16 {
        Client::new().get(self.url(program, path)).bearer_auth(token).send().await.unwrap().status().as_u16()
    }

    async fn manifest(&self, program: &Program) -> Manifest {
        Client::new().get(self.url(program, path::MANIFEST)).send().await.unwrap().json().await.unwrap()
    }

    /// A new participant's token.
    async fn join(&self, program: &Program) -> String {
        let code = self.0.student_link.rsplit("#join=").next().unwrap();
        let request = Client::new().post(self.url(program, path::PARTICIPANTS));
        let request = request.header("content-type", "application/json");
        let joined = request.body(format!("{{\"join_code\":\"{code}\"}}")).send().await.unwrap();
        joined.json::<JoinResponse>().await.unwrap().token
    }

    /// The status of the answer to an update for the open round.
    async fn contribute(&self, program: &Program, token: &str, value: f32) -> u16 {
        let is_open = || async { self.manifest(program).await.round.is_some() };
        until("a round opens", is_open).await;
        let update = update_for(&self.manifest(program).await.round.unwrap(), 1, delta(value));
        let request = Client::new().put(self.url(program, &path::update(update.round)));
        let request = request.header("content-type", SAFETENSORS).bearer_auth(token);
        request.body(update.encode()).send().await.unwrap().status().as_u16()
    }

    fn owner(&self) -> &str {
        self.0.instructor_link.rsplit("#token=").next().unwrap()
    }
}

async fn listed(program: &Program, operator: &str) -> Vec<String> {
    let request = Client::new().get(program.url(operator_path::FEDERATIONS)).bearer_auth(operator);
    let listed: Vec<FederationSummary> = request.send().await.unwrap().json().await.unwrap();
    assert!(listed.iter().all(|one| one.available), "{listed:?}");
    listed.into_iter().map(|one| one.id).collect()
}

async fn end(program: &Program, operator: &str, id: &str) -> u16 {
    let request = Client::new().delete(program.url(&operator_path::federation(id))).bearer_auth(operator);
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_federation_that_one_replica_makes_is_served_and_ended_by_all() {
    let shared = Shared::new();
    let (a, b) = shared.two(&["--operator", "--minimum-clients", "3"]);
    let operator = token(&shared.folder.path().join("a"));
    let one = Class::made(&a, &operator).await;
    // The other one may not have heard of it: it asks before it says that there is nothing.
    assert_eq!(one.get(&b, path::MANIFEST, "").await, 200);
    let since = Instant::now();
    let other = Class::made(&b, &operator).await;
    until("A hears of it without being asked", || async { listed(&a, &operator).await.len() == 2 }).await;
    assert!(since.elapsed() < SOON, "{:?}", since.elapsed());

    // Joined at A, sent to B, published at both.
    for value in [0.1, 0.2, 0.3] {
        let participant = one.join(&a).await;
        assert_eq!(other.contribute(&b, &participant, value).await, 401, "it is no participant of another one");
        assert_eq!(one.contribute(&b, &participant, value).await, 200);
    }
    for replica in [&a, &b] {
        until("the model is published", || async { one.manifest(replica).await.model.version == 2 }).await;
        assert_eq!(other.manifest(replica).await.model.version, 1);
        assert_eq!(replica.manifest().await.model.version, 1);
        for (class, owner, status) in [(&one, &one, 200), (&one, &other, 401), (&other, &one, 401)] {
            assert_eq!(class.get(replica, instructor_path::STATUS, owner.owner()).await, status);
        }
        assert_eq!(one.get(replica, instructor_path::STATUS, &operator).await, 401);
        assert_eq!(one.get(replica, instructor_path::STATUS, replica.instructor_token()).await, 401);
    }

    // Ended at A: told at B, whose tabs listen, and nothing anywhere.
    let mut stream = Client::new().get(one.url(&b, path::EVENTS)).send().await.unwrap();
    let listening = tokio::spawn(async move {
        let mut text = String::new();
        while let Some(chunk) = stream.chunk().await.unwrap() {
            text += std::str::from_utf8(&chunk).unwrap();
        }
        text
    });
    until("the stream is heard", || async { !listed(&b, &operator).await.is_empty() }).await;
    let since = Instant::now();
    assert_eq!(end(&a, &operator, &one.0.id).await, 204);
    assert_eq!(one.get(&a, path::MANIFEST, "").await, 404);
    until("B hears of the end", || async { one.get(&b, path::MANIFEST, "").await == 404 }).await;
    assert!(since.elapsed() < SOON, "{:?}", since.elapsed());
    let heard = tokio::time::timeout(Duration::from_secs(10), listening).await.unwrap().unwrap();
    assert!(heard.contains("federation-ended"), "{heard}");
    for replica in [&a, &b] {
        assert_eq!(listed(replica, &operator).await, [other.0.id.as_str()]);
        assert_eq!(end(replica, &operator, &one.0.id).await, 404, "it ends once");
        assert_eq!(other.get(replica, path::MANIFEST, "").await, 200);
    }

    // Ids that nobody made are looked for together, not one after the other.
    let (since, client) = (Instant::now(), Client::new());
    let guesses = (0..200).map(|_| {
        let id = emofed_server::secret::federation_id().unwrap();
        client.get(b.url(&format!("{}{}", path::prefix(&id), path::MANIFEST))).send()
    });
    assert!(join_all(guesses).await.into_iter().all(|answer| answer.unwrap().status() == 404));
    assert!(since.elapsed() < Duration::from_secs(10), "{:?}", since.elapsed());

    // Both are stopped; a new one has what there is.
    drop((a, b));
    let c = shared.replica("c", Some("a"), &["--operator"]);
    assert_eq!(listed(&c, &operator).await, [other.0.id.as_str()]);
    assert_eq!(other.get(&c, instructor_path::STATUS, other.owner()).await, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_together_make_no_more_than_there_may_be() {
    let shared = Shared::new().limited("max_federations = 3\n");
    let (a, b) = shared.two(&["--operator"]);
    let operator = token(&shared.folder.path().join("a"));
    let make = |program: &Program| {
        let request = Client::new().post(program.url(operator_path::FEDERATIONS)).bearer_auth(&operator);
        let request = request.header("content-type", "application/json").body(r#"{"name":"a class"}"#).send();
        async { request.await.unwrap().status().as_u16() }
    };
    let mut statuses = join_all([&a, &b, &a, &b, &a, &b, &a, &b].map(make)).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 201, 201, 409, 409, 409, 409, 409]);
    for replica in [&a, &b] {
        until("both have three", || async { listed(replica, &operator).await.len() == 3 }).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_is_killed_while_it_makes_some_leaves_each_whole_or_not_at_all() {
    let shared = Shared::new();
    let (mut a, b) = shared.two(&["--operator"]);
    let operator = token(&shared.folder.path().join("a"));
    let mut told = Vec::new();
    for kill in 0..4u64 {
        let (url, own) = (a.url(operator_path::FEDERATIONS), operator.clone());
        let making = tokio::spawn(async move {
            let mut made = Vec::new();
            while let Some(links) = create(&url, &own).await {
                made.push(links.id);
            }
            made
        });
        tokio::time::sleep(Duration::from_millis(250 + 90 * kill)).await;
        a.kill();
        told.extend(making.await.unwrap());
        let is_there = |ids: &[String]| told.iter().all(|id| ids.contains(id));
        until("B has what was told", || async { is_there(&listed(&b, &operator).await) }).await;
        a = shared.replica("a", None, &["--operator"]);
        let at_a = listed(&a, &operator).await;
        assert!(is_there(&at_a), "{told:?} in {at_a:?}");
        until("B has what was made and not told", || async { listed(&b, &operator).await == at_a }).await;
        for id in &at_a {
            let manifest = format!("{}{}", path::prefix(id), path::MANIFEST);
            for replica in [&a, &b] {
                let answer = Client::new().get(replica.url(&manifest)).send().await.unwrap();
                assert_eq!(answer.status(), 200, "{id}");
            }
        }
    }
    assert!(!told.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_have_one_operators_token() {
    let shared = Shared::new();
    let a = shared.replica("a", None, &["--operator"]);
    let operator = token(&shared.folder.path().join("a"));
    // Another one without the file does not begin, and makes no token of its own.
    let data = shared.folder.path().join("b");
    std::fs::create_dir_all(&data).unwrap();
    std::fs::copy(shared.folder.path().join("a/instructor-token"), data.join("instructor-token")).unwrap();
    let output = shared.command("b").arg("--operator").output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && text.contains("operator-token") && text.contains("copy the file"), "{text}");
    assert!(!data.join("operator-token").exists());
    let b = shared.replica("b", None, &["--operator", "--new-operator-token"]);
    let renewed = token(&data);
    assert_ne!(renewed, operator);
    let status = |program: &Program, token: &str| {
        let request = Client::new().get(program.url(operator_path::FEDERATIONS)).bearer_auth(token).send();
        async { request.await.unwrap().status().as_u16() }
    };
    assert_eq!((status(&b, &renewed).await, status(&b, &operator).await), (200, 401));
    until("A takes the new one alone", || async {
        (status(&a, &renewed).await, status(&a, &operator).await) == (200, 401)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_all_is_taken_from_the_shared_store_and_restored_into_a_data_folder() {
    let shared = Shared::new();
    let a = shared.replica("a", None, &["--operator", "--minimum-clients", "3"]);
    let operator = token(&shared.folder.path().join("a"));
    let class = Class::made(&a, &operator).await;
    let participant = class.join(&a).await;
    assert_eq!(class.contribute(&a, &participant, 0.1).await, 200);
    let told = shared.run(&["backup", "--all", "all.tar", "--data", "a"]);
    assert!(told.contains("2 federations"), "{told}");
    let sent = Client::new().get(a.url(operator_path::BACKUP)).bearer_auth(&operator).send().await.unwrap();
    assert_eq!(sent.status(), 200);
    std::fs::write(shared.folder.path().join("sent.tar"), sent.bytes().await.unwrap()).unwrap();
    for file in ["all", "sent"] {
        let restored = shared.folder.path().join(format!("restored-{file}"));
        let tar = shared.folder.path().join(format!("{file}.tar"));
        let told = succeeded(&emofed(&["restore"], &tar, &restored));
        assert!(told.contains("1 that an operator made"), "{told}");
        let program = Program::start(&restored, &["--operator"]);
        assert_eq!(token(&restored), operator);
        assert_eq!(class.contribute(&program, &participant, 0.1).await, 200, "acknowledged again");
        assert_eq!(class.get(&program, instructor_path::STATUS, class.owner()).await, 200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_all_is_restored_into_a_shared_store_even_after_a_restoration_that_broke_off() {
    let shared = Shared::new();
    let a = shared.replica("a", None, &["--operator", "--minimum-clients", "3"]);
    let operator = token(&shared.folder.path().join("a"));
    let classes = [Class::made(&a, &operator).await, Class::made(&a, &operator).await];
    let mut participants = Vec::new();
    for class in &classes {
        participants.push(class.join(&a).await);
        assert_eq!(class.contribute(&a, participants.last().unwrap(), 0.1).await, 200);
    }
    let expected = listed(&a, &operator).await;
    shared.run(&["backup", "--all", "all.tar", "--data", "a"]);
    let restore = |file: &str| shared.run(&["restore", file, "--data", "r", "--federation", "again"]);

    // One that is cut off leaves nothing.
    let bytes = std::fs::read(shared.folder.path().join("all.tar")).unwrap();
    std::fs::write(shared.folder.path().join("cut.tar"), &bytes[..bytes.len() - 2_048]).unwrap();
    let told = restore("cut.tar");
    assert!(told.contains("cut off"), "{told}");
    let again = shared.store_of("again");
    let registry = again.registry();
    assert!(again.count("").unwrap() == 0 && registry.ids().unwrap().is_empty());
    // What a restoration leaves that is killed while it fills the second class; the first has ended since.
    let [first, second] = classes.each_ref().map(|class| class.0.id.as_str());
    registry.begin(first, 2, 1).unwrap();
    registry.complete(first, 2, 1).unwrap();
    registry.begin(second, 2, 1).unwrap().put_object("blobs/left", b"over").unwrap();
    registry.end(first, 1).unwrap();
    drop((registry, again));
    let told = restore("all.tar");
    assert!(told.contains("2 that an operator made") && told.contains("goes on from here"), "{told}");
    // And one that is killed before the federation that the aggregator began with, which comes last.
    let again = shared.store_of("again");
    let records = again.scan("").unwrap().into_iter().map(|(key, _)| Write::Delete { key });
    again.commit(&records.collect::<Vec<_>>()).unwrap();
    drop(again);
    let told = restore("all.tar");
    assert!(told.contains("2 that an operator made") && told.contains("goes on from here"), "{told}");
    let told = restore("all.tar");
    assert!(told.contains("already"), "{told}");
    a.kill();
    let restored = shared.replica("r", None, &["--operator", "--minimum-clients", "3", "--federation", "again"]);
    assert_eq!(token(&shared.folder.path().join("r")), operator);
    assert_eq!(listed(&restored, &operator).await, expected);
    for (class, participant) in classes.iter().zip(&participants) {
        assert_eq!(class.contribute(&restored, participant, 0.1).await, 200, "acknowledged again");
        assert_eq!(class.get(&restored, instructor_path::STATUS, class.owner()).await, 200);
    }
    let told = restore("all.tar");
    assert!(told.contains("replicas of this federation are running"), "{told}");
}
