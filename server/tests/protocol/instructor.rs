//! The instructor's calls.

use std::sync::atomic::Ordering;

use emofed::protocol::{ClassCode, ClassStatus, ParticipantSummary, ProblemCode, RoundSettings, instructor_path, path};
use emofed_server::round::ClassBounds;
use reqwest::{Method, Response};

use super::class::{CODE, CODE_EXPIRES_AT_S, Class, INSTRUCTOR, delta, for_two, fresh, model, problem};

async fn call(class: &Class, method: Method, path: &str) -> Response {
    class.client.request(method, class.url(path)).bearer_auth(INSTRUCTOR).send().await.unwrap()
}

async fn status(class: &Class) -> ClassStatus {
    call(class, Method::GET, instructor_path::STATUS).await.json().await.unwrap()
}

fn by_hand() -> RoundSettings {
    RoundSettings { continuous: false, ..for_two() }
}

#[tokio::test]
async fn rounds_are_opened_and_closed_by_hand() {
    let folder = fresh();
    let class = Class::start_with(folder.path(), by_hand()).await;
    assert_eq!(class.manifest().await.round, None);
    assert_eq!(call(&class, Method::POST, instructor_path::ROUNDS).await.status(), 201);
    let again = call(&class, Method::POST, instructor_path::ROUNDS).await;
    assert_eq!(problem(again).await.code, ProblemCode::Conflict);
    let one = class.join().await;
    class.send(&one, &class.update(2, delta(0.5)).await).await;
    assert_eq!(call(&class, Method::POST, &instructor_path::close(1)).await.status(), 204);
    let status = status(&class).await;
    assert_eq!((status.models.len(), status.models[0].clients, status.participants), (2, 1, 1));
    assert_eq!((status.round, status.rounds[0].phase.as_str()), (None, "published as version 2"));
    let again = call(&class, Method::POST, &instructor_path::close(1)).await;
    assert_eq!(problem(again).await.code, ProblemCode::RoundNotOpen);
}

#[tokio::test]
async fn rolling_back_publishes_the_old_weights_anew() {
    let folder = fresh();
    let class = Class::start(folder.path()).await;
    for _ in 0..2 {
        let one = class.join().await;
        class.send(&one, &class.update(2, delta(0.5)).await).await;
    }
    class.wait_for_version(2).await;
    assert_ne!(class.vfer().await, model());
    assert_eq!(call(&class, Method::POST, &instructor_path::restore(1)).await.status(), 201);
    let manifest = class.manifest().await;
    assert_eq!((manifest.model.version, manifest.model.parent), (3, Some(1)));
    assert_eq!(class.vfer().await, model());
    assert_eq!(manifest.round.unwrap().base_version, 3);
    let missing = call(&class, Method::POST, &instructor_path::restore(9)).await;
    assert_eq!(problem(missing).await.code, ProblemCode::NotFound);
}

#[tokio::test]
async fn a_late_round_with_too_few_updates_is_abandoned_and_the_next_one_opens() {
    let folder = fresh();
    let class = Class::start(folder.path()).await;
    let one = class.join().await;
    class.send(&one, &class.update(2, delta(0.5)).await).await;
    class.clock.0.fetch_add(RoundSettings::default().duration_s, Ordering::SeqCst);
    class.room.advance().unwrap();
    let manifest = class.manifest().await;
    assert_eq!((manifest.model.version, manifest.round.unwrap().id), (1, 2));
    assert_eq!(status(&class).await.rounds[1].phase, "abandoned");
}

#[tokio::test]
async fn settings_are_merged_checked_and_kept() {
    let folder = fresh();
    let class = Class::start(folder.path()).await;
    let patch = |body: &'static str| {
        let request = class.client.patch(class.url(instructor_path::SETTINGS)).bearer_auth(INSTRUCTOR);
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
    class.stop().await;
    let class = Class::start(folder.path()).await;
    let expected = RoundSettings { minimum_clients: 5, ..for_two() };
    assert_eq!(status(&class).await.settings, expected);
}

#[tokio::test]
async fn a_round_is_not_set_shorter_than_the_shortest() {
    let folder = fresh();
    let class = Class::start_class(folder.path(), for_two(), true, ClassBounds::default()).await;
    let patch = |body: &'static str| {
        let request = class.client.patch(class.url(instructor_path::SETTINGS)).bearer_auth(INSTRUCTOR);
        request.header("content-type", "application/json").body(body).send()
    };
    let refused = problem(patch(r#"{"duration_s":9}"#).await.unwrap()).await;
    assert_eq!(refused.code, ProblemCode::BadRequest);
    assert!(refused.detail.contains("shortest_round_s"), "{}", refused.detail);
    assert_eq!(status(&class).await.settings, for_two());
    assert_eq!(patch(r#"{"duration_s":10}"#).await.unwrap().status(), 200);
}

#[tokio::test]
async fn changes_of_different_settings_at_once_all_hold() {
    let folder = fresh();
    let class = Class::start(folder.path()).await;
    for round in 0..8_u32 {
        let bodies = [
            format!(r#"{{"minimum_clients":{}}}"#, 10 + round),
            format!(r#"{{"duration_s":{}}}"#, 100 + round),
            format!(r#"{{"continuous":{}}}"#, round % 2 == 0),
        ];
        let patches = bodies.map(|body| {
            let request = class.client.patch(class.url(instructor_path::SETTINGS)).bearer_auth(INSTRUCTOR);
            request.header("content-type", "application/json").body(body).send()
        });
        for answer in futures::future::join_all(patches).await {
            assert_eq!(answer.unwrap().status(), 200);
        }
        let expected = RoundSettings {
            minimum_clients: 10 + round,
            duration_s: 100 + u64::from(round),
            continuous: round % 2 == 0,
        };
        assert_eq!(status(&class).await.settings, expected);
    }
}

#[tokio::test]
async fn long_lists_come_in_pages() {
    let folder = fresh();
    let class = Class::start_with(folder.path(), RoundSettings { minimum_clients: 1, ..by_hand() }).await;
    for _ in 0..60 {
        class.room.open_round().unwrap();
        class.room.restore(1).unwrap();
    }
    let first = status(&class).await;
    assert_eq!((first.rounds.len(), first.rounds[0].id, first.models[0].version), (50, 60, 61));
    let path = format!("{}?rounds_before=11&models_before=3", instructor_path::STATUS);
    let rest: ClassStatus = call(&class, Method::GET, &path).await.json().await.unwrap();
    assert_eq!((rest.rounds.len(), rest.rounds[0].id), (10, 10));
    assert_eq!((rest.models.len(), rest.models[0].version), (2, 2));
}

#[tokio::test]
async fn the_instructor_ends_all_tokens() {
    let folder = fresh();
    let class = Class::start(folder.path()).await;
    let one = class.join().await;
    let update = class.update(2, delta(0.5)).await;
    assert_eq!(call(&class, Method::DELETE, "/api/v1/instructor/participants").await.status(), 204);
    assert_eq!(problem(class.send(&one, &update).await).await.code, ProblemCode::Unauthorized);
    assert_eq!(status(&class).await.participants, 0);
    let again = class.join().await;
    assert!(class.send(&again, &update).await.status().is_success());
}

#[tokio::test]
async fn nobody_else_may() {
    let folder = fresh();
    let class = Class::start(folder.path()).await;
    let one = class.join().await;
    for (method, path) in [
        (Method::GET, instructor_path::STATUS.to_owned()),
        (Method::POST, instructor_path::ROUNDS.to_owned()),
        (Method::POST, instructor_path::close(1)),
        (Method::POST, instructor_path::restore(1)),
        (Method::PATCH, instructor_path::SETTINGS.to_owned()),
        (Method::DELETE, "/api/v1/instructor/participants".to_owned()),
    ] {
        for token in ["", "wrong", one.token.as_str()] {
            let request = class.client.request(method.clone(), class.url(&path)).bearer_auth(token);
            assert_eq!(problem(request.send().await.unwrap()).await.code, ProblemCode::Unauthorized, "{path}");
        }
    }
}

/// Tries to join with `code`.
async fn join_with(class: &Class, code: &str) -> Response {
    let request = class.client.post(class.url(path::PARTICIPANTS)).header("content-type", "application/json");
    request.body(format!("{{\"class_code\":\"{code}\"}}")).send().await.unwrap()
}

#[tokio::test]
async fn a_code_expires_and_a_new_one_opens_the_class_at_once() {
    let folder = fresh();
    let class = Class::start(folder.path()).await;
    assert_eq!(status(&class).await.class_code_expires_at_s, Some(CODE_EXPIRES_AT_S));
    let early = class.join().await;
    class.clock.0.store(CODE_EXPIRES_AT_S, Ordering::SeqCst);
    // However often: whoever has the right code guesses nothing.
    for _ in 0..20 {
        let refused = problem(join_with(&class, CODE).await).await;
        assert_eq!(refused.code, ProblemCode::WrongClassCode);
        assert!(refused.detail.contains("expired"), "{}", refused.detail);
    }

    let renewed = call(&class, Method::POST, instructor_path::CLASS_CODE).await;
    assert_eq!(renewed.status(), 201);
    let renewed: ClassCode = renewed.json().await.unwrap();
    assert_ne!(renewed.code, CODE);
    assert_eq!(renewed.expires_at_s, Some(CODE_EXPIRES_AT_S + 86_400));
    let told = status(&class).await;
    assert_eq!((told.class_code, told.class_code_expires_at_s), (renewed.code.clone(), renewed.expires_at_s));
    assert_eq!(join_with(&class, &renewed.code).await.status(), 201);
    let old = problem(join_with(&class, CODE).await).await;
    assert!(!old.detail.contains("expired"), "{}", old.detail);
    // Who had joined stays, and the code is on disk.
    assert_eq!(class.send(&early, &class.update(2, delta(0.5)).await).await.status(), 200);
    assert_eq!(class.room.records().class().unwrap().unwrap().code, renewed.code);
}

#[tokio::test]
async fn one_participant_is_revoked_and_the_others_stay() {
    let folder = fresh();
    let class = Class::start(folder.path()).await;
    let hostile = class.join().await;
    class.clock.0.fetch_add(5, Ordering::SeqCst);
    let other = class.join().await;
    let listed: Vec<ParticipantSummary> =
        call(&class, Method::GET, instructor_path::PARTICIPANTS).await.json().await.unwrap();
    let joined: Vec<_> = listed.iter().map(|participant| participant.joined_at_s).collect();
    assert_eq!(joined, [Some(1_005), Some(1_000)]);
    let path = instructor_path::participant(&listed[1].id);
    let stranger = class.client.delete(class.url(&path)).bearer_auth(&other.token).send().await.unwrap();
    assert_eq!(stranger.status(), 401);
    assert_eq!(call(&class, Method::DELETE, &path).await.status(), 204);
    assert_eq!(problem(call(&class, Method::DELETE, &path).await).await.code, ProblemCode::NotFound);
    let update = class.update(2, delta(0.5)).await;
    assert_eq!(class.send(&hostile, &update).await.status(), 401);
    assert_eq!(class.send(&other, &update).await.status(), 200);
    assert_eq!(status(&class).await.participants, 1);
}
