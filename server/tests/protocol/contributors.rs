//! How many contribute: no published model gives a single update away.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use emofed::protocol::{CloseReason, EndedRound, ProblemCode, RoundOutcome, RoundSettings, instructor_path};
use emofed_server::round::{FederationBounds, Refusal, RoundError};
use emofed_server::store::{EmbeddedStore, Phase, Records, RoundRecord};

use super::harness::{INSTRUCTOR, TestServer, delta, evaluating, for_two, fresh, problem};

/// Sends an update of a new participant.
async fn contribute(server: &TestServer) {
    let one = server.join().await;
    let update = server.update(2, delta(0.01)).await;
    assert!(server.send(&one, &update).await.status().is_success());
}

#[tokio::test]
async fn two_are_never_enough_whatever_the_settings_say() {
    let folder = fresh();
    // As configured, and as an earlier program stored it.
    let server = TestServer::start_guarded(folder.path(), for_two()).await;
    assert_eq!(server.open_round().await.minimum_clients, 3);
    let request = server.client.patch(server.url(instructor_path::SETTINGS)).bearer_auth(INSTRUCTOR);
    let request = request.header("content-type", "application/json").body(r#"{"minimum_clients":2}"#);
    let refused = problem(request.send().await.unwrap()).await;
    assert_eq!(refused.code, ProblemCode::BadRequest);
    assert!(refused.detail.contains("minimum_clients"), "{}", refused.detail);
    for _ in 0..2 {
        contribute(&server).await;
    }
    server.federation.advance().unwrap();
    assert_eq!((server.manifest().await.model.version, server.received()), (1, 2));

    // Closed by hand.
    let close = server.client.post(server.url(&instructor_path::close(1))).bearer_auth(INSTRUCTOR);
    let refused = problem(close.send().await.unwrap()).await;
    assert_eq!(refused.code, ProblemCode::Conflict);
    assert!(refused.detail.contains("2 of the 3"), "{}", refused.detail);
    // At the deadline.
    server.clock.0.fetch_add(RoundSettings::default().duration_s, Ordering::SeqCst);
    server.federation.advance().unwrap();
    let manifest = server.manifest().await;
    assert_eq!((manifest.model.version, manifest.round.unwrap().id), (1, 2));
    assert_eq!(manifest.recent_rounds, [EndedRound { round: 1, outcome: RoundOutcome::Abandoned, version: None }]);
    assert!(!manifest.few_contributors);

    for _ in 0..3 {
        contribute(&server).await;
    }
    server.wait_for_version(2).await;
    let model = server.manifest().await.model;
    assert_eq!((model.num_clients, model.num_examples), (3, Some(6)));
}

#[tokio::test]
async fn a_round_closes_at_its_target_or_at_its_end_with_the_minimum() {
    let folder = fresh();
    let rounds = RoundSettings { target_clients: 5, ..RoundSettings::default() };
    let server = TestServer::start_guarded(folder.path(), rounds).await;
    let open = server.open_round().await;
    assert_eq!((open.minimum_clients, open.target_clients, open.closes_at()), (3, 5, 5));
    let end = || {
        server.clock.0.fetch_add(RoundSettings::default().duration_s, Ordering::SeqCst);
        server.federation.advance().unwrap();
    };
    // More than the minimum, fewer than the target: it waits for more, until its end.
    for _ in 0..4 {
        contribute(&server).await;
    }
    server.federation.advance().unwrap();
    assert_eq!((server.manifest().await.model.version, server.received()), (1, 4));
    end();
    let manifest = server.manifest().await;
    assert_eq!((manifest.model.version, manifest.model.num_clients), (2, 4));
    // Fewer than the minimum.
    for _ in 0..2 {
        contribute(&server).await;
    }
    end();
    let manifest = server.manifest().await;
    let abandoned = EndedRound { round: 2, outcome: RoundOutcome::Abandoned, version: None };
    assert_eq!((manifest.model.version, manifest.recent_rounds[0].clone()), (2, abandoned));
    // As many as the target: it waits for nothing. Who comes next contributes to the next one.
    for _ in 0..5 {
        contribute(&server).await;
    }
    server.wait_for_version(3).await;
    contribute(&server).await;
    assert_eq!((server.manifest().await.model.num_clients, server.received()), (5, 1));
    // A target below the minimum says nothing.
    let request = server.client.patch(server.url(instructor_path::SETTINGS)).bearer_auth(INSTRUCTOR);
    let request = request.header("content-type", "application/json").body(r#"{"target_clients":2}"#);
    assert_eq!(request.send().await.unwrap().status(), 200);
    end();
    assert_eq!(server.open_round().await.closes_at(), 3);
}

/// Takes two updates in a demonstration, and then goes on as a federation with the usual minimum, in the phase that `phase` makes.
async fn demonstration_goes_on_as_class(phase: impl FnOnce(&Records, &RoundRecord) -> Phase) {
    let folder = fresh();
    let rounds = RoundSettings { minimum_clients: 9, continuous: false, ..RoundSettings::default() };
    let server = TestServer::start_with(folder.path(), rounds.clone()).await;
    server.federation.open_round().unwrap();
    for _ in 0..2 {
        contribute(&server).await;
    }
    server.stop().await;
    {
        let records = Records::open(Arc::new(EmbeddedStore::open(folder.path()).unwrap())).unwrap();
        let round = records.rounds().unwrap().pop().unwrap();
        let phase = phase(&records, &round);
        records.put_round(&RoundRecord { phase, minimum_clients: 2, ..round }).unwrap();
    }
    let server = TestServer::start_guarded(folder.path(), rounds).await;
    let manifest = server.manifest().await;
    assert_eq!(manifest.model.version, 1);
    match manifest.round {
        Some(round) => assert_eq!(round.minimum_clients, 3),
        None => assert_eq!(manifest.recent_rounds[0].outcome, RoundOutcome::Abandoned),
    }
}

#[tokio::test]
async fn a_round_of_two_that_was_under_way_is_not_published() {
    demonstration_goes_on_as_class(|_, _| Phase::Open).await;
    demonstration_goes_on_as_class(|_, _| Phase::Aggregating { reason: CloseReason::Instructor }).await;
    demonstration_goes_on_as_class(|records, _| {
        let weights = records.put_blob(&super::harness::model().to_safetensors(None)).unwrap();
        evaluating(weights, 2, 4)
    })
    .await;
}

#[tokio::test]
async fn a_demonstration_says_so_and_withholds_the_number_of_examples() {
    let folder = fresh();
    let server = TestServer::start(folder.path()).await;
    for _ in 0..2 {
        contribute(&server).await;
    }
    server.wait_for_version(2).await;
    let manifest = server.manifest().await;
    assert!(manifest.few_contributors);
    assert_eq!((manifest.model.num_clients, manifest.model.num_examples), (2, None));
}

#[tokio::test]
async fn the_manifest_tells_what_became_of_the_last_rounds_also_after_a_restart() {
    let folder = fresh();
    let server = TestServer::start(folder.path()).await;
    for round in 1..=18 {
        for _ in 0..2 {
            contribute(&server).await;
        }
        server.wait_for_version(round + 1).await;
        server.open_round().await;
    }
    // A roll-back: the round that was open came to nothing, and its number tells, not the version.
    server.federation.restore(1).unwrap();
    let fates = server.manifest().await.recent_rounds;
    assert_eq!(fates.len(), 16);
    assert_eq!(fates[0], EndedRound { round: 19, outcome: RoundOutcome::Abandoned, version: None });
    assert_eq!(fates[1], EndedRound { round: 18, outcome: RoundOutcome::Published, version: Some(19) });
    assert_eq!(fates[15].round, 4);
    server.stop().await;
    assert_eq!(TestServer::start(folder.path()).await.manifest().await.recent_rounds, fates);
}

#[tokio::test]
async fn rounds_take_their_time_and_old_weights_go() {
    let folder = fresh();
    let bounds = FederationBounds { shortest_round_s: 30, kept_models: 3, ..FederationBounds::default() };
    let server = TestServer::start_bounded(folder.path(), for_two(), true, bounds).await;
    let mut published = Vec::new();
    for round in 1..=6 {
        for _ in 0..2 {
            contribute(&server).await;
        }
        server.federation.advance().unwrap();
        assert_eq!(server.manifest().await.model.version, round, "a full round closed too early");
        server.clock.0.fetch_add(30, Ordering::SeqCst);
        server.federation.advance().unwrap();
        let model = server.manifest().await.model;
        assert_eq!(model.version, round + 1);
        published.push(model.vfer.sha256);
    }
    let is_kept = |sha256: &String| folder.path().join("blobs").join(sha256).exists();
    let kept: Vec<bool> = published.iter().map(is_kept).collect();
    assert_eq!(kept, [false, false, false, true, true, true]);
    // The first model, which no round made, stays, and so do all records.
    assert_eq!(server.federation.restore(1).unwrap(), 8);
    let gone = server.federation.restore(2).unwrap_err();
    assert!(matches!(gone, RoundError::Refused(Refusal::WeightsUnavailable { version: 2 })), "{gone:?}");
    assert_eq!(server.federation.records().models().unwrap().len(), 8);
}

#[tokio::test]
async fn a_class_has_room_for_so_many_and_leaving_makes_some() {
    let folder = fresh();
    let bounds = FederationBounds { max_participants: 3, ..FederationBounds::default() };
    let server = TestServer::start_bounded(folder.path(), RoundSettings::default(), false, bounds).await;
    let mut last = None;
    for _ in 0..3 {
        last = Some(server.join().await);
    }
    let code = super::harness::CODE;
    let join = || {
        let request = server.client.post(server.url(emofed::protocol::path::PARTICIPANTS));
        request.header("content-type", "application/json").body(format!("{{\"join_code\":\"{code}\"}}")).send()
    };
    assert_eq!(problem(join().await.unwrap()).await.code, ProblemCode::Conflict);
    let last = last.unwrap();
    let leave = || server.client.delete(server.url("/api/v2/participants/me")).bearer_auth(&last.token).send();
    assert_eq!(leave().await.unwrap().status(), 204);
    assert_eq!(problem(leave().await.unwrap()).await.code, ProblemCode::Unauthorized);
    let update = server.update(1, delta(0.01)).await;
    assert_eq!(problem(server.send(&last, &update).await).await.code, ProblemCode::Unauthorized);
    assert_eq!(join().await.unwrap().status(), 201);
}
