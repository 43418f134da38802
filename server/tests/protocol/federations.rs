//! Several federations of one aggregator: apart from each other in everything, and each with its own rounds, codes and tokens.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use emofed::protocol::{
    AssistantToken, ClientUpdate, Event, EventMessage, FederationLinks, FederationStatus, FederationSummary, JoinCode,
    JoinResponse, Manifest, Problem, ProblemCode, Role, SAFETENSORS, instructor_path, operator_path, path,
};
use emofed::weights::Weights;
use reqwest::{Client, Method, Response};
use serde_json::Value;

use super::harness::{CODE, Hosting, INSTRUCTOR, OPERATOR, TestServer, delta, fresh, problem};

fn hosting(folder: &Path) -> Hosting {
    Hosting { data: folder.to_owned(), max_federations: 10, code_uses: 0 }
}

async fn create(server: &TestServer, name: &str) -> Response {
    let body = serde_json::json!({ "name": name }).to_string();
    let request = server.client.post(server.url(operator_path::FEDERATIONS)).bearer_auth(OPERATOR);
    request.header("content-type", "application/json").body(body).send().await.unwrap()
}

async fn list(server: &TestServer) -> Vec<FederationSummary> {
    let request = server.client.get(server.url(operator_path::FEDERATIONS)).bearer_auth(OPERATOR);
    request.send().await.unwrap().json().await.unwrap()
}

async fn end(server: &TestServer, id: &str) -> u16 {
    let request = server.client.delete(server.url(&operator_path::federation(id))).bearer_auth(OPERATOR);
    request.send().await.unwrap().status().as_u16()
}

/// A federation that the operator made, as its own people see it.
struct Class {
    id: String,
    prefix: String,
    code: String,
    owner: String,
    client: Client,
}

impl Class {
    async fn made(server: &TestServer, name: &str) -> Self {
        let answer = create(server, name).await;
        assert_eq!(answer.status(), 201);
        let links: FederationLinks = answer.json().await.unwrap();
        let (page, code) = links.student_link.split_once("/#join=").unwrap();
        let (desk, owner) = links.instructor_link.split_once("/instructor.html#token=").unwrap();
        assert_eq!((page, desk), (server.url(&path::prefix(&links.id)).as_str(), page));
        Self {
            id: links.id,
            prefix: page.to_owned(),
            code: code.to_owned(),
            owner: owner.to_owned(),
            client: Client::new(),
        }
    }

    /// The same federation of an aggregator that was started again.
    fn again(self, server: &TestServer) -> Self {
        Self { prefix: server.url(&path::prefix(&self.id)), client: Client::new(), ..self }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }

    async fn call(&self, method: Method, path: &str, token: &str) -> Response {
        self.client.request(method, self.url(path)).bearer_auth(token).send().await.unwrap()
    }

    async fn try_join(&self, code: &str) -> Response {
        let body = serde_json::json!({ "join_code": code }).to_string();
        let request = self.client.post(self.url(path::PARTICIPANTS)).header("content-type", "application/json");
        request.body(body).send().await.unwrap()
    }

    /// A new participant's token.
    async fn join(&self) -> String {
        self.try_join(&self.code).await.json::<JoinResponse>().await.unwrap().token
    }

    async fn assistant(&self) -> AssistantToken {
        self.call(Method::POST, instructor_path::ASSISTANTS, &self.owner).await.json().await.unwrap()
    }

    async fn status(&self, token: &str) -> FederationStatus {
        self.call(Method::GET, instructor_path::STATUS, token).await.json().await.unwrap()
    }

    async fn manifest(&self) -> Manifest {
        self.client.get(self.url(path::MANIFEST)).send().await.unwrap().json().await.unwrap()
    }

    async fn manifest_with(&self, what: impl Fn(&Manifest) -> bool) -> Manifest {
        for _ in 0..1_000 {
            let manifest = self.manifest().await;
            if what(&manifest) {
                return manifest;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("the manifest did not become what it has to be");
    }

    async fn blob(&self, sha256: &str) -> Response {
        self.client.get(self.url(&path::blob(sha256))).send().await.unwrap()
    }

    /// Sends an update of `value` for the open round.
    async fn contribute(&self, token: &str, value: f32) -> Response {
        let round = self.manifest_with(|manifest| manifest.round.is_some()).await.round.unwrap();
        let (round, base_version) = (round.id, round.base_version);
        let body = ClientUpdate { round, base_version, num_examples: 1, metrics: None, delta: delta(value) }.encode();
        let request = self.client.put(self.url(&path::update(round))).header("content-type", SAFETENSORS);
        request.bearer_auth(token).body(body).send().await.unwrap()
    }

    /// Has two new participants complete the open round.
    async fn complete_round(&self, value: f32) {
        let version = self.manifest().await.model.version;
        for _ in 0..2 {
            assert_eq!(self.contribute(&self.join().await, value).await.status(), 200);
        }
        self.manifest_with(|manifest| manifest.model.version > version).await;
    }

    /// The first value of the global model.
    async fn first_value(&self) -> f32 {
        let sha256 = self.manifest().await.model.vfer.sha256;
        let bytes = self.blob(&sha256).await.bytes().await.unwrap();
        Weights::from_safetensors(&bytes).unwrap().iter().next().unwrap().1.values[0]
    }

    async fn listen(&self) -> Response {
        let stream = self.client.get(self.url(path::EVENTS)).send().await.unwrap();
        assert_eq!(stream.status(), 200);
        stream
    }
}

/// The events of a stream up to its end, or up to `last`.
async fn events(mut stream: Response, last: Option<Event>) -> Vec<Event> {
    let mut text = String::new();
    while let Some(chunk) = stream.chunk().await.unwrap() {
        text += std::str::from_utf8(&chunk).unwrap();
        if last.is_some() && heard(&text).last() == last.as_ref() {
            break;
        }
    }
    heard(&text)
}

fn heard(text: &str) -> Vec<Event> {
    text.lines().filter_map(|line| line.strip_prefix("data:")).map(|data| EventMessage::read(data).event).collect()
}

/// No blob has this name.
const HASH_OF_NOTHING: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The routes below a federation's prefix, as described: method, path, and the security that they need.
async fn routes(server: &TestServer) -> Vec<(Method, String, Value)> {
    let text = server.client.get(server.url("/api/v2/openapi.json")).send().await.unwrap().text().await.unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    let mut routes = Vec::new();
    for (template, methods) in document["paths"].as_object().unwrap() {
        let is_shared = template.starts_with("/api/v2/operator") || template.ends_with("openapi.json");
        if is_shared || ["/healthz", "/readyz", "/metrics"].contains(&template.as_str()) {
            continue;
        }
        for (method, operation) in methods.as_object().unwrap() {
            let path =
                ["{round}", "{version}", "{id}"].iter().fold(template.clone(), |path, name| path.replace(name, "1"));
            let path = path.replace("{sha256}", HASH_OF_NOTHING);
            routes.push((method.to_uppercase().parse().unwrap(), path, operation["security"][0].clone()));
        }
    }
    assert!(routes.len() >= 20, "{} routes", routes.len());
    routes
}

#[tokio::test]
async fn tokens_codes_and_blobs_of_one_federation_are_worth_nothing_in_another() {
    let folder = fresh();
    let server = TestServer::start_hosting(hosting(folder.path())).await;
    let (one, other) = (Class::made(&server, "one").await, Class::made(&server, "other").await);
    let of_first = server.join().await.token;
    let strangers = [
        ("the other's owner", other.owner.clone()),
        ("the other's assistant", other.assistant().await.token),
        ("the other's participant", other.join().await),
        ("the first's owner", INSTRUCTOR.to_owned()),
        ("the first's participant", of_first),
        ("the operator", OPERATOR.to_owned()),
    ];
    let before = one.status(&one.owner).await;
    for (method, path, security) in routes(&server).await {
        for (who, token) in strangers.iter().filter(|_| !security.is_null()) {
            let answer = one.call(method.clone(), &path, token).await;
            assert_eq!(answer.status(), 401, "{method} {path} with the token of {who}");
            assert_eq!(problem(answer).await.code, ProblemCode::Unauthorized);
        }
        // And nothing of a federation answers where there is none.
        let answer =
            server.client.request(method.clone(), server.url(&format!("/f/nobody{path}"))).send().await.unwrap();
        assert_eq!(answer.status(), 404, "{method} {path}");
        assert_eq!(problem(answer).await.code, ProblemCode::NotFound);
    }
    assert_eq!(one.status(&one.owner).await, before, "none of these calls did anything");
    for token in [&one.owner, &other.owner, INSTRUCTOR] {
        let request = server.client.get(server.url(operator_path::FEDERATIONS)).bearer_auth(token);
        assert_eq!(request.send().await.unwrap().status(), 401);
    }

    for (code, status) in [(other.code.as_str(), 403), (CODE, 403), (one.code.as_str(), 201)] {
        assert_eq!(one.try_join(code).await.status(), status, "{code}");
    }
    // What both begin with, each has; what a round of the other made, the other alone.
    let shared = one.manifest().await.model.vfer.sha256;
    assert_eq!(
        (one.blob(&shared).await.status(), other.blob(&shared).await.status()),
        (200.try_into().unwrap(), 200.try_into().unwrap())
    );
    other.complete_round(0.25).await;
    let own = other.manifest().await.model.vfer.sha256;
    assert_eq!(other.blob(&own).await.status(), 200);
    let answer = one.blob(&own).await;
    assert_eq!(problem(answer).await.code, ProblemCode::NotFound);
    assert_eq!(server.client.get(server.url(&path::blob(&own))).send().await.unwrap().status(), 404);
    for path in ["/healthz", "/readyz", "/metrics", "/api/v2/openapi.json", "/api/v2/operator/federations"] {
        assert_eq!(one.call(Method::GET, path, OPERATOR).await.status(), 404, "{path}");
    }
}

#[tokio::test]
async fn federations_run_their_rounds_side_by_side_and_over_a_restart() {
    let folder = fresh();
    let server = TestServer::start_hosting(hosting(folder.path())).await;
    let (one, other) = (Class::made(&server, "one").await, Class::made(&server, " other ").await);
    let base = one.first_value().await;
    let listening = tokio::spawn(events(one.listen().await, Some(Event::ModelPublished { version: 3 })));
    // Interleaved: each round gets its own updates alone.
    let (a, b) = (one.join().await, other.join().await);
    assert_eq!(one.contribute(&a, 0.25).await.status(), 200);
    assert_eq!(other.contribute(&b, -0.5).await.status(), 200);
    assert_eq!(one.contribute(&one.join().await, 0.25).await.status(), 200);
    one.manifest_with(|manifest| manifest.model.version == 2).await;
    assert_eq!(other.manifest().await.model.version, 1);
    assert_eq!(other.contribute(&other.join().await, -0.5).await.status(), 200);
    other.manifest_with(|manifest| manifest.model.version == 2).await;
    assert_eq!((one.first_value().await, other.first_value().await), (base + 0.25, base - 0.5));
    assert_eq!(server.manifest().await.model.version, 1);
    one.complete_round(0.25).await;
    let names = (one.manifest().await.name, other.manifest().await.name);
    assert_eq!((names.0.as_str(), names.1.as_str()), ("one", "other"));
    let summaries = list(&server).await;
    let participants: BTreeMap<&str, u32> =
        summaries.iter().map(|one| (one.name.as_deref().unwrap(), one.participants)).collect();
    assert_eq!(participants, BTreeMap::from([("one", 4), ("other", 2)]));

    let heard = listening.await.unwrap();
    let published: Vec<&Event> = heard.iter().filter(|event| matches!(event, Event::ModelPublished { .. })).collect();
    assert_eq!(published, [&Event::ModelPublished { version: 2 }, &Event::ModelPublished { version: 3 }]);
    server.stop().await;

    let server = TestServer::start_hosting(hosting(folder.path())).await;
    let (one, other) = (one.again(&server), other.again(&server));
    assert_eq!((one.manifest().await.model.version, other.manifest().await.model.version), (3, 2));
    assert_eq!(one.contribute(&a, 0.25).await.status(), 200, "a participant's token is still valid");
    assert_eq!(one.status(&one.owner).await.join_code, one.code);
    assert_eq!(one.contribute(&b, 0.25).await.status(), 401);
    assert_eq!(list(&server).await.len(), 2);
    other.complete_round(0.125).await;
}

#[tokio::test]
async fn a_damaged_store_is_its_own_federations_alone() {
    let folder = fresh();
    let server = TestServer::start_hosting(hosting(folder.path())).await;
    let (one, damaged) = (Class::made(&server, "one").await, Class::made(&server, "damaged").await);
    assert_eq!(damaged.contribute(&damaged.join().await, 0.25).await.status(), 200);
    // While it runs: the bodies of its updates are gone.
    std::fs::remove_dir_all(folder.path().join("federations").join(&damaged.id).join("updates/1")).unwrap();
    assert_eq!(damaged.contribute(&damaged.join().await, 0.25).await.status(), 200);
    damaged.manifest_with(|manifest| !manifest.recent_rounds.is_empty()).await;
    assert_eq!(damaged.manifest().await.model.version, 1);
    one.complete_round(0.25).await;
    server.stop().await;

    // Over a start: its database is.
    std::fs::write(folder.path().join("federations").join(&damaged.id).join("records.redb"), "damaged").unwrap();
    let server = TestServer::start_hosting(hosting(folder.path())).await;
    let (one, damaged) = (one.again(&server), damaged.again(&server));
    one.complete_round(0.25).await;
    assert_eq!(server.manifest().await.model.version, 1);
    let answer = damaged.call(Method::GET, path::MANIFEST, "").await;
    assert_eq!(answer.status(), 503);
    assert_eq!(problem(answer).await.code, ProblemCode::StorageUnavailable);
    let ready = server.client.get(server.url("/readyz")).send().await.unwrap();
    assert_eq!(ready.status(), 200);
    assert!(ready.text().await.unwrap().contains("1 of 2 other federations"));
    let metrics = server.client.get(server.url("/metrics")).send().await.unwrap().text().await.unwrap();
    for line in ["emofed_federations 3", "emofed_federations_unavailable 1", "emofed_model_version 3"] {
        assert!(metrics.lines().any(|found| found == line), "{line} in {metrics}");
    }
    assert!(!metrics.contains(&one.id) && !metrics.contains(&damaged.id));
    let available: Vec<bool> = list(&server).await.iter().map(|one| one.available).collect();
    assert_eq!(available.iter().filter(|available| **available).count(), 1);
    assert_eq!(end(&server, &damaged.id).await, 204);
    assert_eq!(list(&server).await.len(), 1);
}

#[tokio::test]
async fn ending_a_federation_is_told_to_its_tabs_and_leaves_nothing_of_it() {
    let folder = fresh();
    let server = TestServer::start_hosting(hosting(folder.path())).await;
    let (one, other) = (Class::made(&server, "one").await, Class::made(&server, "other").await);
    let participant = one.join().await;
    assert_eq!(one.contribute(&participant, 0.25).await.status(), 200);
    let (streams, mut others) = ([one.listen().await, one.listen().await], other.listen().await);
    let own = folder.path().join("federations").join(&one.id);
    assert!(own.is_dir());
    assert_eq!(end(&server, &one.id).await, 204);
    for (method, path, _) in routes(&server).await {
        assert_eq!(one.call(method.clone(), &path, &one.owner).await.status(), 404, "{method} {path}");
    }
    for stream in streams {
        let heard = tokio::time::timeout(Duration::from_secs(10), events(stream, None)).await.unwrap();
        assert_eq!(heard.last(), Some(&Event::FederationEnded), "{heard:?}");
    }
    assert_eq!(end(&server, &one.id).await, 404);
    let left = || -> Vec<String> {
        let entries = std::fs::read_dir(folder.path().join("federations")).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    for _ in 0..1_000 {
        if left().len() == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(left(), std::slice::from_ref(&other.id));
    // The other's stream goes on.
    other.complete_round(0.25).await;
    assert!(others.chunk().await.unwrap().is_some());
    assert_eq!(other.status(&other.owner).await.connected, 1);
    // What all began with is still there.
    assert_eq!(server.vfer().await.iter().count(), 2);
}

#[tokio::test]
async fn each_federation_has_limits_of_its_own() {
    let folder = fresh();
    let server = TestServer::start_hosting(Hosting { max_federations: 2, ..hosting(folder.path()) }).await;
    let (one, other) = (Class::made(&server, "one").await, Class::made(&server, "other").await);
    let refused = create(&server, "a third").await;
    assert_eq!(refused.status(), 409);
    assert_eq!(problem(refused).await.params["limit"], 2);
    for name in ["", "  ", "line\nbreak", &"x".repeat(101)] {
        assert_eq!(create(&server, name).await.status(), 400, "{name:?}");
    }
    // Guesses in one federation slow down guesses there alone.
    let mut last = 403;
    for _ in 0..11 {
        last = one.try_join("WRONG-CODE").await.status().as_u16();
    }
    assert_eq!((last, other.try_join("WRONG-CODE").await.status().as_u16()), (429, 403));
    // Event streams of one leave room for the other.
    let mut streams = Vec::new();
    let refused = loop {
        let answer = one.client.get(one.url(path::EVENTS)).send().await.unwrap();
        if answer.status() != 200 {
            break answer;
        }
        streams.push(answer);
    };
    assert_eq!((refused.status(), streams.len()), (429.try_into().unwrap(), 22));
    let _stream = other.listen().await;
    assert_eq!((one.status(&one.owner).await.connected, other.status(&other.owner).await.connected), (22, 1));
    // One that has ended makes room.
    assert_eq!(end(&server, &one.id).await, 204);
    assert_eq!(create(&server, "a third").await.status(), 201);
}

#[tokio::test]
async fn assistants_open_and_close_rounds_and_set_the_lecture_and_that_is_all() {
    let folder = fresh();
    let server = TestServer::start_hosting(hosting(folder.path())).await;
    let one = Class::made(&server, "one").await;
    let (assistant, second) = (one.assistant().await, one.assistant().await);
    assert_eq!(
        (one.status(&one.owner).await.role, one.status(&assistant.token).await.role),
        (Role::Owner, Role::Assistant)
    );
    let before = one.status(&one.owner).await;
    let mut owners = 0;
    for (method, path, security) in routes(&server).await {
        let answer = one.call(method.clone(), &path, &assistant.token).await;
        let status = answer.status().as_u16();
        match security.as_object().and_then(|schemes| schemes.keys().next()).map(String::as_str) {
            None => {}
            Some("owner") => {
                owners += 1;
                assert_eq!(status, 403, "{method} {path}");
                assert_eq!(problem(answer).await.code, ProblemCode::OwnerOnly);
            }
            Some("instructor") => assert!(!matches!(status, 401 | 403 | 405), "{method} {path}: {status}"),
            Some(_) => assert_eq!(status, 401, "{method} {path}"),
        }
    }
    assert_eq!(owners, 11, "restoring, settings, the code, a backup, three of participants, four of assistants");
    let after = one.status(&one.owner).await;
    assert_eq!((&after.join_code, after.settings, after.models), (&before.join_code, before.settings, before.models));
    // What an assistant may do works.
    let round = one.manifest_with(|manifest| manifest.round.is_some()).await.round.unwrap();
    assert_eq!(one.contribute(&one.join().await, 0.25).await.status(), 200);
    assert_eq!(one.call(Method::POST, &instructor_path::close(round.id), &assistant.token).await.status(), 204);

    let listed: Vec<Value> = one.call(Method::GET, instructor_path::ASSISTANTS, &one.owner).await.json().await.unwrap();
    assert_eq!(listed.len(), 2);
    server.stop().await;
    let server = TestServer::start_hosting(hosting(folder.path())).await;
    let one = one.again(&server);
    assert_eq!(one.status(&assistant.token).await.role, Role::Assistant);
    let ended = one.call(Method::DELETE, &instructor_path::assistant(&assistant.id), &one.owner).await;
    assert_eq!(ended.status(), 204);
    let again = one.call(Method::DELETE, &instructor_path::assistant(&assistant.id), &one.owner).await;
    assert_eq!(problem(again).await.code, ProblemCode::NotFound);
    assert_eq!(one.call(Method::GET, instructor_path::STATUS, &assistant.token).await.status(), 401);
    assert_eq!(one.status(&second.token).await.role, Role::Assistant);
    assert_eq!(one.call(Method::DELETE, instructor_path::ASSISTANTS, &one.owner).await.status(), 204);
    assert_eq!(one.call(Method::GET, instructor_path::STATUS, &second.token).await.status(), 401);
}

#[tokio::test]
async fn a_code_is_used_as_often_as_it_may_be_over_a_restart_too() {
    let folder = fresh();
    let limited = || Hosting { code_uses: 3, ..hosting(folder.path()) };
    let server = TestServer::start_hosting(limited()).await;
    let one = Class::made(&server, "one").await;
    let first = one.join().await;
    // Who leaves again has used it.
    assert_eq!(one.call(Method::DELETE, path::ME, &first).await.status(), 204);
    one.join().await;
    assert_eq!(one.status(&one.owner).await.join_code_uses_left, Some(1));
    server.stop().await;

    let server = TestServer::start_hosting(limited()).await;
    let one = one.again(&server);
    // Of several at once, one gets the last use.
    let joins = futures::future::join_all((0..4).map(|_| one.try_join(&one.code))).await;
    let joined = joins.iter().filter(|answer| answer.status() == 201).count();
    assert_eq!(joined, 1);
    let refused: Problem = problem(one.try_join(&one.code).await).await;
    assert_eq!((refused.code, refused.status), (ProblemCode::WrongJoinCode, 403));
    assert!(refused.detail.contains("as often as it may be"), "{refused}");
    assert_eq!(one.status(&one.owner).await.join_code_uses_left, Some(0));
    let renewed = one.call(Method::POST, instructor_path::JOIN_CODE, &one.owner).await;
    let renewed: JoinCode = renewed.json().await.unwrap();
    assert_eq!(renewed.uses_left, Some(3));
    assert_eq!(one.try_join(&renewed.code).await.status(), 201);
    assert_eq!(one.status(&one.owner).await.join_code_uses_left, Some(2));
}
