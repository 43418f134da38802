//! The instructor's calls.

use std::sync::atomic::Ordering;

use emofed::protocol::{
    AbandonReason, FederationStatus, JoinCode, ParticipantSummary, ProblemCode, RoundPhase, RoundSettings,
    instructor_path, path,
};
use emofed_server::round::FederationBounds;
use reqwest::{Method, Response};

use super::harness::{CODE, CODE_EXPIRES_AT_S, INSTRUCTOR, TestServer, delta, for_two, fresh, model, problem};

async fn call(server: &TestServer, method: Method, path: &str) -> Response {
    server.client.request(method, server.url(path)).bearer_auth(INSTRUCTOR).send().await.unwrap()
}

async fn status(server: &TestServer) -> FederationStatus {
    call(server, Method::GET, instructor_path::STATUS).await.json().await.unwrap()
}

fn by_hand() -> RoundSettings {
    RoundSettings { continuous: false, ..for_two() }
}

#[tokio::test]
async fn rounds_are_opened_and_closed_by_hand() {
    let folder = fresh();
    let server = TestServer::start_with(folder.path(), by_hand()).await;
    assert_eq!(server.manifest().await.round, None);
    assert_eq!(call(&server, Method::POST, instructor_path::ROUNDS).await.status(), 201);
    let again = call(&server, Method::POST, instructor_path::ROUNDS).await;
    assert_eq!(problem(again).await.code, ProblemCode::Conflict);
    let one = server.join().await;
    server.send(&one, &server.update(2, delta(0.5)).await).await;
    assert_eq!(call(&server, Method::POST, &instructor_path::close(1)).await.status(), 204);
    let status = status(&server).await;
    assert_eq!((status.models.len(), status.models[0].num_clients, status.participants), (2, 1, 1));
    assert_eq!((status.round, &status.rounds[0].phase), (None, &RoundPhase::Published { version: 2 }));
    let again = call(&server, Method::POST, &instructor_path::close(1)).await;
    assert_eq!(problem(again).await.code, ProblemCode::RoundNotOpen);
}

#[tokio::test]
async fn rolling_back_publishes_the_old_weights_anew() {
    let folder = fresh();
    let server = TestServer::start(folder.path()).await;
    for _ in 0..2 {
        let one = server.join().await;
        server.send(&one, &server.update(2, delta(0.5)).await).await;
    }
    server.wait_for_version(2).await;
    assert_ne!(server.vfer().await, model());
    assert_eq!(call(&server, Method::POST, &instructor_path::restore(1)).await.status(), 201);
    let manifest = server.manifest().await;
    assert_eq!((manifest.model.version, manifest.model.parent), (3, Some(1)));
    assert_eq!(server.vfer().await, model());
    assert_eq!(manifest.round.unwrap().base_version, 3);
    let missing = call(&server, Method::POST, &instructor_path::restore(9)).await;
    assert_eq!(problem(missing).await.code, ProblemCode::NotFound);
}

#[tokio::test]
async fn a_late_round_with_too_few_updates_is_abandoned_and_the_next_one_opens() {
    let folder = fresh();
    let server = TestServer::start(folder.path()).await;
    let one = server.join().await;
    server.send(&one, &server.update(2, delta(0.5)).await).await;
    server.clock.0.fetch_add(RoundSettings::default().duration_s, Ordering::SeqCst);
    server.federation.advance().unwrap();
    let manifest = server.manifest().await;
    assert_eq!((manifest.model.version, manifest.round.unwrap().id), (1, 2));
    let reason = AbandonReason::TooFewUpdates { found: 1, needed: 2 };
    assert_eq!(status(&server).await.rounds[1].phase, RoundPhase::Abandoned { reason });
}

#[tokio::test]
async fn settings_are_merged_checked_and_kept() {
    let folder = fresh();
    let server = TestServer::start(folder.path()).await;
    let patch = |body: &'static str| {
        let request = server.client.patch(server.url(instructor_path::SETTINGS)).bearer_auth(INSTRUCTOR);
        request.header("content-type", "application/json").body(body).send()
    };
    assert_eq!(patch(r#"{"minimum_clients":5}"#).await.unwrap().status(), 200);
    for bad in [
        r#"{"minimum_clients":0}"#,
        r#"{"minimum_client":3}"#,
        r#"{"continuous":"yes"}"#,
        r#"{"duration_s":18446744073709551615}"#,
        "[1]",
    ] {
        assert_eq!(problem(patch(bad).await.unwrap()).await.code, ProblemCode::BadRequest, "{bad}");
    }
    server.stop().await;
    let server = TestServer::start(folder.path()).await;
    let expected = RoundSettings { minimum_clients: 5, ..for_two() };
    assert_eq!(status(&server).await.settings, expected);
}

#[tokio::test]
async fn a_round_is_not_set_shorter_than_the_shortest() {
    let folder = fresh();
    let server = TestServer::start_bounded(folder.path(), for_two(), true, FederationBounds::default()).await;
    let patch = |body: &'static str| {
        let request = server.client.patch(server.url(instructor_path::SETTINGS)).bearer_auth(INSTRUCTOR);
        request.header("content-type", "application/json").body(body).send()
    };
    let refused = problem(patch(r#"{"duration_s":9}"#).await.unwrap()).await;
    assert_eq!(refused.code, ProblemCode::BadRequest);
    assert!(refused.detail.contains("shortest_round_s"), "{}", refused.detail);
    assert_eq!(status(&server).await.settings, for_two());
    assert_eq!(patch(r#"{"duration_s":10}"#).await.unwrap().status(), 200);
}

#[tokio::test]
async fn changes_of_different_settings_at_once_all_hold() {
    let folder = fresh();
    let server = TestServer::start(folder.path()).await;
    for round in 0..8_u32 {
        let bodies = [
            format!(r#"{{"minimum_clients":{}}}"#, 10 + round),
            format!(r#"{{"target_clients":{}}}"#, 20 + round),
            format!(r#"{{"duration_s":{}}}"#, 100 + round),
            format!(r#"{{"continuous":{}}}"#, round % 2 == 0),
        ];
        let patches = bodies.map(|body| {
            let request = server.client.patch(server.url(instructor_path::SETTINGS)).bearer_auth(INSTRUCTOR);
            request.header("content-type", "application/json").body(body).send()
        });
        for answer in futures::future::join_all(patches).await {
            assert_eq!(answer.unwrap().status(), 200);
        }
        let expected = RoundSettings {
            minimum_clients: 10 + round,
            target_clients: 20 + round,
            duration_s: 100 + u64::from(round),
            continuous: round % 2 == 0,
        };
        assert_eq!(status(&server).await.settings, expected);
    }
}

#[tokio::test]
async fn long_lists_come_in_pages() {
    let folder = fresh();
    let server = TestServer::start_with(folder.path(), RoundSettings { minimum_clients: 1, ..by_hand() }).await;
    for _ in 0..60 {
        server.federation.open_round().unwrap();
        server.federation.restore(1).unwrap();
    }
    let first = status(&server).await;
    assert_eq!((first.rounds.len(), first.rounds[0].id, first.models[0].version), (50, 60, 61));
    let path = format!("{}?rounds_before=11&models_before=3&of_a_newer_page=1", instructor_path::STATUS);
    let rest: FederationStatus = call(&server, Method::GET, &path).await.json().await.unwrap();
    assert_eq!((rest.rounds.len(), rest.rounds[0].id), (10, 10));
    assert_eq!((rest.models.len(), rest.models[0].version), (2, 2));
}

#[tokio::test]
async fn the_instructor_ends_all_tokens() {
    let folder = fresh();
    let server = TestServer::start(folder.path()).await;
    let one = server.join().await;
    let update = server.update(2, delta(0.5)).await;
    assert_eq!(call(&server, Method::DELETE, "/api/v2/instructor/participants").await.status(), 204);
    assert_eq!(problem(server.send(&one, &update).await).await.code, ProblemCode::Unauthorized);
    assert_eq!(status(&server).await.participants, 0);
    let again = server.join().await;
    assert!(server.send(&again, &update).await.status().is_success());
}

#[tokio::test]
async fn nobody_else_may() {
    let folder = fresh();
    let server = TestServer::start(folder.path()).await;
    let one = server.join().await;
    for (method, path) in [
        (Method::GET, instructor_path::STATUS.to_owned()),
        (Method::POST, instructor_path::ROUNDS.to_owned()),
        (Method::POST, instructor_path::close(1)),
        (Method::POST, instructor_path::restore(1)),
        (Method::PATCH, instructor_path::SETTINGS.to_owned()),
        (Method::DELETE, "/api/v2/instructor/participants".to_owned()),
    ] {
        for token in ["", "wrong", one.token.as_str()] {
            let request = server.client.request(method.clone(), server.url(&path)).bearer_auth(token);
            assert_eq!(problem(request.send().await.unwrap()).await.code, ProblemCode::Unauthorized, "{path}");
        }
    }
}

/// Tries to join with `code`.
async fn join_with(server: &TestServer, code: &str) -> Response {
    let request = server.client.post(server.url(path::PARTICIPANTS)).header("content-type", "application/json");
    request.body(format!("{{\"join_code\":\"{code}\"}}")).send().await.unwrap()
}

#[tokio::test]
async fn a_code_expires_and_a_new_one_opens_the_class_at_once() {
    let folder = fresh();
    let server = TestServer::start(folder.path()).await;
    assert_eq!(status(&server).await.join_code_expires_at_s, Some(CODE_EXPIRES_AT_S));
    let early = server.join().await;
    server.clock.0.store(CODE_EXPIRES_AT_S, Ordering::SeqCst);
    // However often: whoever has the right code guesses nothing.
    for _ in 0..20 {
        let refused = problem(join_with(&server, CODE).await).await;
        assert_eq!(refused.code, ProblemCode::WrongJoinCode);
        assert!(refused.detail.contains("expired"), "{}", refused.detail);
    }

    let renewed = call(&server, Method::POST, instructor_path::JOIN_CODE).await;
    assert_eq!(renewed.status(), 201);
    let renewed: JoinCode = renewed.json().await.unwrap();
    assert_ne!(renewed.code, CODE);
    assert_eq!(renewed.expires_at_s, Some(CODE_EXPIRES_AT_S + 86_400));
    let told = status(&server).await;
    assert_eq!((told.join_code, told.join_code_expires_at_s), (renewed.code.clone(), renewed.expires_at_s));
    assert_eq!(join_with(&server, &renewed.code).await.status(), 201);
    let old = problem(join_with(&server, CODE).await).await;
    assert!(!old.detail.contains("expired"), "{}", old.detail);
    // Who had joined stays, and the code is on disk.
    assert_eq!(server.send(&early, &server.update(2, delta(0.5)).await).await.status(), 200);
    assert_eq!(server.federation.records().federation().unwrap().unwrap().join_code, renewed.code);
}

#[tokio::test]
async fn one_participant_is_revoked_and_the_others_stay() {
    let folder = fresh();
    let server = TestServer::start(folder.path()).await;
    let hostile = server.join().await;
    server.clock.0.fetch_add(5, Ordering::SeqCst);
    let other = server.join().await;
    let listed: Vec<ParticipantSummary> =
        call(&server, Method::GET, instructor_path::PARTICIPANTS).await.json().await.unwrap();
    let joined: Vec<_> = listed.iter().map(|participant| participant.joined_at_s).collect();
    assert_eq!(joined, [Some(1_005), Some(1_000)]);
    let path = instructor_path::participant(&listed[1].id);
    let stranger = server.client.delete(server.url(&path)).bearer_auth(&other.token).send().await.unwrap();
    assert_eq!(stranger.status(), 401);
    assert_eq!(call(&server, Method::DELETE, &path).await.status(), 204);
    assert_eq!(problem(call(&server, Method::DELETE, &path).await).await.code, ProblemCode::NotFound);
    let update = server.update(2, delta(0.5)).await;
    assert_eq!(server.send(&hostile, &update).await.status(), 401);
    assert_eq!(server.send(&other, &update).await.status(), 200);
    assert_eq!(status(&server).await.participants, 1);
}
