//! Joining, the manifest, blobs, events, headers.

use emofed::protocol::{CloseReason, Event, ProblemCode, path};
use reqwest::{Method, Response};

use super::harness::{CODE, INSTRUCTOR, TestServer, delta, fresh, problem};

async fn join(server: &TestServer, body: &str) -> Response {
    let request = server.client.post(server.url(path::PARTICIPANTS)).header("content-type", "application/json");
    request.body(body.to_owned()).send().await.unwrap()
}

#[tokio::test]
async fn joining_needs_the_code_and_guessing_is_slowed_down() {
    let folder = fresh();
    let server = TestServer::start(folder.path()).await;
    let kind = format!("{{\"join_code\":\" {} \"}}", CODE.to_lowercase().replace('-', ""));
    assert_eq!(join(&server, &kind).await.status(), 201);
    assert_eq!(problem(join(&server, "{").await).await.code, ProblemCode::BadRequest);
    assert_eq!(problem(join(&server, &"x".repeat(5_000)).await).await.code, ProblemCode::BadRequest);
    for _ in 0..10 {
        assert_eq!(problem(join(&server, r#"{"join_code":"x"}"#).await).await.code, ProblemCode::WrongJoinCode);
    }
    let limited = join(&server, r#"{"join_code":"x"}"#).await;
    assert!(limited.headers().contains_key("retry-after"));
    assert_eq!(problem(limited).await.code, ProblemCode::RateLimited);
    // Somebody else behind the same address has the right one.
    assert_eq!(join(&server, &kind).await.status(), 201);
}

#[tokio::test]
async fn the_manifest_is_not_sent_twice() {
    let folder = fresh();
    let server = TestServer::start(folder.path()).await;
    let get = |tag: String| server.client.get(server.url(path::MANIFEST)).header("if-none-match", tag).send();
    let etag = get(String::new()).await.unwrap().headers()["etag"].to_str().unwrap().to_owned();
    assert_eq!(get(etag.clone()).await.unwrap().status(), 304);
    let one = server.join().await;
    server.send(&one, &server.update(1, delta(0.1)).await).await;
    assert_eq!(get(etag.clone()).await.unwrap().status(), 304, "an update changes nothing in it");
    server.federation.close_round(1).unwrap();
    assert_eq!(get(etag).await.unwrap().status(), 200);
}

#[tokio::test]
async fn blobs_have_ranges_and_never_change() {
    let folder = fresh();
    let server = TestServer::start(folder.path()).await;
    let blob = server.manifest().await.model.vfer;
    let get = |range: &str| server.client.get(server.url(&path::blob(&blob.sha256))).header("range", range).send();
    let whole = get("").await.unwrap();
    assert!(whole.headers()["cache-control"].to_str().unwrap().contains("immutable"));
    assert_eq!(whole.headers()["etag"], format!("\"{}\"", blob.sha256));
    let whole = whole.bytes().await.unwrap();
    let part = get("bytes=4-7").await.unwrap();
    assert_eq!(part.status(), 206);
    assert_eq!(part.headers()["content-range"], format!("bytes 4-7/{}", blob.size));
    assert_eq!(part.bytes().await.unwrap(), whole.slice(4..8));
    assert_eq!(get("bytes=99999-").await.unwrap().status(), 416);
    for name in ["0".repeat(64), "../records.redb".to_owned(), "%2e%2e%2frecords.redb".to_owned(), "%FF".to_owned()] {
        let request = server.client.get(server.url(&path::blob(&name))).header("if-none-match", format!("\"{name}\""));
        assert_eq!(problem(request.send().await.unwrap()).await.code, ProblemCode::NotFound, "{name}");
    }
}

#[tokio::test]
async fn large_blobs_arrive_whole_although_they_are_read_in_parts() {
    let folder = fresh();
    let server = TestServer::start(folder.path()).await;
    let bytes: Vec<u8> = (0..700_001_u32).map(|index| (index % 251) as u8).collect();
    let blob = server.federation.records().put_blob(&bytes).unwrap();
    let get = |range: &str| server.client.get(server.url(&path::blob(&blob.sha256))).header("range", range).send();
    let whole = get("").await.unwrap();
    assert_eq!(whole.content_length(), Some(700_001));
    assert_eq!(whole.bytes().await.unwrap(), bytes);
    let part = get("bytes=262000-525000").await.unwrap();
    assert_eq!(part.content_length(), Some(263_001));
    assert_eq!(part.bytes().await.unwrap(), bytes[262_000..=525_000]);
    assert_eq!(get("bytes=-5").await.unwrap().bytes().await.unwrap(), bytes[699_996..]);
    let head = server.client.head(server.url(&path::blob(&blob.sha256))).send().await.unwrap();
    assert_eq!(head.headers()["content-length"], "700001");
}

#[tokio::test]
async fn a_damaged_blob_is_told_and_never_sent() {
    let folder = fresh();
    let server = TestServer::start(folder.path()).await;
    let bytes: Vec<u8> = (0..700_001_u32).map(|index| (index % 251) as u8).collect();
    let blob = server.federation.records().put_blob(&bytes).unwrap();
    let file = folder.path().join("blobs").join(&blob.sha256);
    let mut damaged = bytes.clone();
    damaged[699_000] ^= 1;
    std::fs::write(&file, &damaged).unwrap();
    let get = |range: &str| server.client.get(server.url(&path::blob(&blob.sha256))).header("range", range).send();
    for range in ["", "bytes=0-9"] {
        let problem = problem(get(range).await.unwrap()).await;
        assert_eq!((problem.code, problem.status), (ProblemCode::StorageDamaged, 500));
    }
    // Restored from a backup, it is served without a restart; cut after that, it is not.
    std::fs::write(&file, &bytes).unwrap();
    assert_eq!(get("").await.unwrap().bytes().await.unwrap(), bytes);
    std::fs::write(&file, &bytes[..99]).unwrap();
    assert_eq!(problem(get("").await.unwrap()).await.code, ProblemCode::StorageDamaged);
}

#[tokio::test]
async fn readiness_is_honest() {
    let folder = fresh();
    let server = TestServer::start(folder.path()).await;
    assert_eq!(server.client.get(server.url("/readyz")).send().await.unwrap().status(), 200);
    let vfer = server.manifest().await.model.vfer.sha256;
    std::fs::write(folder.path().join("blobs").join(vfer), b"cut").unwrap();
    let cut = server.client.get(server.url("/readyz")).send().await.unwrap();
    assert_eq!(problem(cut).await.code, ProblemCode::StorageUnavailable);
    assert_eq!(server.client.get(server.url("/healthz")).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn events_arrive_and_resume() {
    let folder = fresh();
    let server = TestServer::start(folder.path()).await;
    let stream = server.client.get(server.url(path::EVENTS)).send().await.unwrap();
    let one = server.join().await;
    server.send(&one, &server.update(1, delta(0.1)).await).await;
    let events = events_until(stream, |event| *event == Event::UpdateReceived { round: 1, received: 1 }).await;
    assert_eq!(events[0], (None, Event::UpdateReceived { round: 1, received: 0 }), "the count is told first");
    let first_id = events.last().unwrap().0.clone().unwrap();

    let two = server.join().await;
    server.send(&two, &server.update(1, delta(0.1)).await).await;
    server.wait_for_version(2).await;
    // Between the end of a round and the next one there is none for a moment, and no count.
    server.open_round().await;
    let request = server.client.get(server.url(path::EVENTS)).header("last-event-id", first_id);
    let is_opened = |event: &Event| matches!(event, Event::RoundOpened { .. });
    let events = events_until(request.send().await.unwrap(), is_opened).await;
    let told: Vec<Event> = events.into_iter().map(|(_, event)| event).collect();
    assert_eq!(
        told,
        [
            Event::UpdateReceived { round: 2, received: 0 },
            Event::RoundClosed { round: 1, reason: CloseReason::Complete },
            Event::ModelPublished { version: 2 },
            Event::RoundOpened { round: 2, base_version: 2 },
        ],
        "the present count, and the transitions that were missed"
    );
}

#[tokio::test]
async fn events_tell_why_a_round_closed_and_never_run_ahead_of_the_manifest() {
    let folder = fresh();
    let server = TestServer::start(folder.path()).await;
    let (_, mut events) = server.federation.events().subscribe(None);
    let one = server.join().await;
    server.send(&one, &server.update(1, delta(0.1)).await).await;
    server.federation.close_round(1).unwrap();
    let mut heard = Vec::new();
    while let Ok(numbered) = events.try_recv() {
        heard.push(numbered.message.event);
    }
    assert_eq!(
        heard,
        [
            Event::UpdateReceived { round: 1, received: 1 },
            Event::RoundClosed { round: 1, reason: CloseReason::Instructor },
            Event::ModelPublished { version: 2 },
            Event::RoundOpened { round: 2, base_version: 2 },
        ]
    );
}

#[tokio::test]
async fn what_is_asked_wrongly_is_told_so_in_a_problem_document() {
    let folder = fresh();
    let server = TestServer::start(folder.path()).await;
    let ask =
        |method: Method, path: &str| server.client.request(method, server.url(path)).bearer_auth(INSTRUCTOR).send();
    for (method, path, status) in [
        (Method::PUT, "/api/v2/rounds/first/update", 400),
        (Method::POST, "/api/v2/instructor/models/-1/restore", 400),
        (Method::DELETE, path::MANIFEST, 405),
        (Method::GET, "/api/v2/nothing", 404),
    ] {
        assert_eq!(problem(ask(method, path).await.unwrap()).await.status, status, "{path}");
    }
}

/// Events with their ids, up to the first that is `last`.
async fn events_until(mut stream: Response, last: impl Fn(&Event) -> bool) -> Vec<(Option<String>, Event)> {
    let (mut text, mut events) = (String::new(), Vec::new());
    loop {
        text += std::str::from_utf8(&stream.chunk().await.unwrap().unwrap()).unwrap();
        while let Some((block, rest)) = text.split_once("\n\n") {
            let field =
                |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(|it| it.trim().to_owned());
            if let Some(data) = field("data:") {
                events.push((field("id:"), serde_json::from_str(&data).unwrap()));
            }
            text = rest.to_owned();
            if events.last().is_some_and(|(_, event)| last(event)) {
                return events;
            }
        }
    }
}

#[tokio::test]
async fn every_answer_is_protected_and_foreign_hosts_are_refused() {
    let folder = fresh();
    let server = TestServer::start(folder.path()).await;
    for path in ["/api/v2/manifest", "/nothing", "/healthz", "/blobs/x"] {
        let response = server.client.get(server.url(path)).send().await.unwrap();
        assert!(response.headers()["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));
        assert_eq!(response.headers()["x-content-type-options"], "nosniff", "{path}");
    }
    let rebound =
        server.client.get(server.url("/api/v2/manifest")).header("host", "evil.example").send().await.unwrap();
    assert_eq!(rebound.status(), 400);
}

#[tokio::test]
async fn every_route_that_is_described_is_there() {
    let folder = fresh();
    let server = TestServer::start(folder.path()).await;
    let text = server.client.get(server.url("/api/v2/openapi.json")).send().await.unwrap().text().await.unwrap();
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let url =
            server.url(&path.replace("{round}", "1").replace("{version}", "1").replace("{sha256}", &"0".repeat(64)));
        for method in methods.as_object().unwrap().keys() {
            let method = method.to_uppercase().parse().unwrap();
            let request = server.client.request(method, &url).bearer_auth(INSTRUCTOR);
            let status = request.send().await.unwrap().status();
            assert!(
                status != 405 && (status != 404 || path.starts_with("/blobs/") || path.ends_with("{id}")),
                "{path}: {status}"
            );
        }
    }
}
