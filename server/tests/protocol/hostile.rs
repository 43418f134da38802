//! Hostile HTTP beside hostile updates: heads, numbers, slowness, floods of joins, and what somebody else's page or token may not do.

use std::time::{Duration, Instant};

use emofed::protocol::{ClientUpdate, ProblemCode, SAFETENSORS, path};
use emofed_server::serve::ConnectionBounds;
use reqwest::Client;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::authorisation::{Security, routes};
use super::harness::{CODE, Hosting, INSTRUCTOR, OPERATOR, TIGHT, TestServer, delta, for_two, fresh, problem};

/// What is answered to `sent`, a piece at a time with `pause` before each, and after how long the connection was closed.
async fn exchange(server: &TestServer, sent: &[&[u8]], pause: Duration) -> (String, Duration) {
    let started = Instant::now();
    let (mut reader, mut writer) = TcpStream::connect(server.address).await.unwrap().into_split();
    let answer = async {
        let mut answer = Vec::new();
        // A connection that is reset has ended, too.
        let _ = reader.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    };
    let sending = async {
        for piece in sent {
            tokio::time::sleep(pause).await;
            if writer.write_all(piece).await.is_err() {
                break;
            }
        }
        std::future::pending().await
    };
    let answer = tokio::select! {
        answer = tokio::time::timeout(Duration::from_secs(20), answer) => answer.expect("the connection is closed"),
        () = sending => unreachable!(),
    };
    (answer, started.elapsed())
}

#[tokio::test]
async fn giant_heads_are_refused_and_cost_nothing() {
    let folder = fresh();
    let server = TestServer::start(folder.path()).await;
    let head = format!("GET {} HTTP/1.1\r\nHost: {}\r\n", path::MANIFEST, server.address);
    let one_long = format!("{head}X-Long: {}\r\n\r\n", "x".repeat(1 << 20));
    let many = format!("{head}{}\r\n", "X-Many: x\r\n".repeat(5_000));
    let address = format!("GET /{} HTTP/1.1\r\nHost: {}\r\n\r\n", "x".repeat(1 << 20), server.address);
    for (what, sent) in [("a long header", one_long), ("many headers", many), ("a long address", address)] {
        let (answer, took) = exchange(&server, &[sent.as_bytes()], Duration::ZERO).await;
        let status = answer.split(' ').nth(1).unwrap_or("none").to_owned();
        // Whoever still sends when the connection closes may not get to read why.
        assert!(["414", "431", "none"].contains(&status.as_str()), "{what}: {answer}");
        assert!(took < Duration::from_secs(5), "{what}: {took:?}");
    }
    assert_eq!(server.manifest().await.model.version, 1);
}

/// The body with `examples` as its number of examples, in whatever form.
fn claiming(body: &[u8], before: u32, examples: &str) -> Vec<u8> {
    let length = u64::from_le_bytes(body[..8].try_into().unwrap()) as usize;
    let header = std::str::from_utf8(&body[8..8 + length]).unwrap();
    let entry = |number: &str| format!("\\\"num_examples\\\":{number}");
    assert!(header.contains(&entry(&before.to_string())), "{header}");
    let header = header.replace(&entry(&before.to_string()), &entry(examples));
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &body[8 + length..]].concat()
}

#[tokio::test]
async fn absurd_numbers_of_examples_are_refused() {
    let folder = fresh();
    let server = TestServer::start(folder.path()).await;
    let one = server.join().await;
    let good = server.update(77, delta(0.25)).await;
    let body = good.encode();
    for examples in [
        "-1",
        "-77",
        "0",
        "-0",
        "1.5",
        "77.0",
        "1e2",
        "1e999",
        "201",
        "4294967295",
        "4294967296",
        "18446744073709551617",
        "null",
        "true",
        "[77]",
        "\\\"77\\\"",
        "NaN",
        "077",
        "7 7",
    ] {
        let refused = problem(server.put(&one, 1, claiming(&body, 77, examples)).await).await;
        assert_eq!(refused.code, ProblemCode::BadUpdate, "{examples}: {}", refused.detail);
    }
    assert_eq!(server.received(), 0);
    assert!(server.send(&one, &good).await.status().is_success());
}

#[tokio::test]
async fn a_body_that_pauses_or_drips_is_given_up() {
    let folder = fresh();
    let bounds =
        ConnectionBounds { body_timeout: Duration::from_secs(1), request_timeout: Duration::from_secs(3), ..TIGHT };
    let server = TestServer::start_connecting(folder.path(), for_two(), bounds).await;
    let one = server.join().await;
    let update = server.update(1, delta(0.25)).await;
    let body = update.encode();
    for token in [one.token.as_str(), "nobody"] {
        let head = format!(
            "PUT {} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\nContent-Type: {SAFETENSORS}\r\n\
             Content-Length: {}\r\n\r\n",
            path::update(1),
            server.address,
            body.len()
        );
        let (_, took) = exchange(&server, &[head.as_bytes(), &body[..9]], Duration::ZERO).await;
        assert!(took >= bounds.body_timeout && took < bounds.request_timeout, "it pauses: {took:?}");
        let mut pieces = vec![head.as_bytes()];
        pieces.extend(body.chunks(1));
        let (answer, took) = exchange(&server, &pieces, bounds.body_timeout / 4).await;
        assert!(took >= bounds.request_timeout && took < bounds.request_timeout * 3, "it drips: {took:?} {answer}");
        assert!(!answer.contains(" 200 "), "{answer}");
    }
    assert_eq!(server.received(), 0);
    assert_eq!(server.send(&one, &update).await.status(), 200);
}

/// A flood of joins, with wrong codes and right ones, from one address.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_joins_are_bounded_and_leave_the_class_working() {
    use futures::StreamExt as _;
    const ATTEMPTS: usize = 10_000;
    /// Every so many attempts one has the right code.
    const RIGHT: usize = 20;
    const PARTICIPANTS: usize = 300;
    const JOINS: usize = 400;
    let folder = fresh();
    let limits = format!("max_participants = {PARTICIPANTS}\njoins_per_address_per_hour = {JOINS}\n");
    let program = super::program::Program::start_limited(folder.path(), &limits, &["--minimum-clients", "3"]);
    let (client, address, code) = (Client::new(), program.url(path::PARTICIPANTS), program.code().to_owned());
    let before = program.memory();
    let attempts = futures::stream::iter(0..ATTEMPTS).map(|attempt| {
        let code = if attempt % RIGHT == 0 { code.clone() } else { format!("wrong-{attempt}") };
        let request = client.post(&address).header("content-type", "application/json");
        let request = request.body(format!("{{\"join_code\":\"{code}\"}}"));
        async move {
            let answer = request.send().await.unwrap();
            let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
            let wait = headers.get("retry-after").map(|wait| wait.to_str().unwrap().parse::<u64>().unwrap());
            let token = answer.json::<serde_json::Value>().await.unwrap()["token"].as_str().map(str::to_owned);
            (attempt % RIGHT == 0, status, wait, token)
        }
    });
    let attempts: Vec<_> = attempts.buffer_unordered(700).collect().await;
    let grown = program.memory().saturating_sub(before);
    let count = |right: bool, status: u16| attempts.iter().filter(|it| (it.0, it.1) == (right, status)).count();
    // Ten guesses in each minute that this took.
    let guesses = count(false, 403);
    assert!((10..=30).contains(&guesses) && count(false, 429) + guesses == ATTEMPTS - ATTEMPTS / RIGHT, "{guesses}");
    let right = [201, 409, 429].map(|status| count(true, status));
    assert_eq!(right, [PARTICIPANTS, JOINS - PARTICIPANTS, ATTEMPTS / RIGHT - JOINS]);
    for (right, status, wait, _) in &attempts {
        let longest = if *right { 3_601 } else { 61 };
        assert!(
            (*status == 429) == wait.is_some_and(|wait| (1..=longest).contains(&wait)),
            "{right} {status} {wait:?}"
        );
    }
    assert!(grown < 48 << 20, "{grown} bytes more");
    let tokens: Vec<String> = attempts.into_iter().filter_map(|it| it.3).collect();
    assert_eq!((tokens.len(), program.status().await.participants as usize), (PARTICIPANTS, PARTICIPANTS));
    let round = program.manifest().await.round.unwrap();
    for token in &tokens[..3] {
        let (round, base_version) = (round.id, round.base_version);
        let update = ClientUpdate { round, base_version, num_examples: 1, metrics: None, delta: delta(0.01) };
        assert_eq!(program.put(token, &update).await, Some(200));
    }
    let since = Instant::now();
    while program.manifest().await.model.version == 1 {
        assert!(since.elapsed() < Duration::from_secs(20), "the round ends");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn an_update_for_another_classs_round_does_not_count_with_a_right_token() {
    let folder = fresh();
    let hosting = Hosting { data: folder.path().to_owned(), max_federations: 3, code_uses: 0 };
    let server = TestServer::start_hosting(hosting).await;
    // The first class is a round ahead.
    for value in [0.25, 0.5] {
        let one = server.join().await;
        assert_eq!(server.send(&one, &server.update(1, delta(value)).await).await.status(), 200);
    }
    server.wait_for_version(2).await;
    let request = server.client.post(server.url("/api/v2/operator/federations")).bearer_auth(OPERATOR);
    let request = request.header("content-type", "application/json").body(r#"{"name":"other"}"#);
    let made: serde_json::Value = request.send().await.unwrap().json().await.unwrap();
    let below = |path: &str| server.url(&format!("/f/{}{path}", made["id"].as_str().unwrap()));
    let code = made["student_link"].as_str().unwrap().split_once("#join=").unwrap().1;
    let request = server.client.post(below(path::PARTICIPANTS)).header("content-type", "application/json");
    let joined = request.body(format!("{{\"join_code\":\"{code}\"}}")).send().await.unwrap();
    let joined: serde_json::Value = joined.json().await.unwrap();
    let token = joined["token"].as_str().unwrap();

    let own = server.join().await;
    let update = server.update(1, delta(0.1)).await;
    assert_eq!((update.round, update.base_version), (2, 2));
    let send = |round: u64, token: &str| {
        let request = server.client.put(below(&path::update(round))).header("content-type", SAFETENSORS);
        request.bearer_auth(token).body(update.encode()).send()
    };
    // As it is, for the round that is open there, and with the token of where it belongs.
    let expected = [
        (2, token, ProblemCode::RoundNotOpen),
        (1, token, ProblemCode::StaleBase),
        (1, &own.token, ProblemCode::Unauthorized),
    ];
    for (round, token, code) in expected {
        assert_eq!(problem(send(round, token).await.unwrap()).await.code, code);
    }
    assert_eq!(server.send(&own, &update).await.status(), 200, "at home it counts");
}

#[tokio::test]
async fn a_token_is_worth_nothing_after_leaving() {
    let folder = fresh();
    let server = TestServer::start(folder.path()).await;
    let one = server.join().await;
    let update = server.update(1, delta(0.25)).await;
    assert_eq!(server.send(&one, &update).await.status(), 200);
    let leave = || server.client.delete(server.url(path::ME)).bearer_auth(&one.token).send();
    assert_eq!(leave().await.unwrap().status(), 204);
    let other = ClientUpdate { delta: delta(0.5), ..update.clone() };
    // Not even what was acknowledged is acknowledged again.
    for update in [&update, &other] {
        assert_eq!(problem(server.send(&one, update).await).await.code, ProblemCode::Unauthorized);
    }
    assert_eq!(leave().await.unwrap().status(), 401);
    let again = server.join().await;
    assert_ne!(again.token, one.token);
    assert_eq!((server.received(), server.federation.participants()), (1, 1));
    server.stop().await;
    let server = TestServer::start(folder.path()).await;
    assert_eq!(server.send(&one, &other).await.status(), 401, "nor after a restart");
    assert_eq!(server.send(&again, &other).await.status(), 200);
}

#[tokio::test]
async fn pages_of_other_origins_change_nothing_whatever_token_they_have() {
    let folder = fresh();
    let server = TestServer::start(folder.path()).await;
    let one = server.join().await;
    let own = format!("http://{}", server.address);
    let foreign = [
        ("origin", "https://evil.example".to_owned()),
        ("origin", "null".to_owned()),
        ("origin", "http://127.0.0.1:1".to_owned()),
        ("origin", format!("{own}.evil.example")),
        ("origin", own.replace("http:", "https:")),
        ("sec-fetch-site", "cross-site".to_owned()),
        ("sec-fetch-site", "same-site".to_owned()),
    ];
    let writing: Vec<_> = routes(&server).await.into_iter().filter(|route| route.method != "GET").collect();
    assert!(writing.len() >= 12, "{}", writing.len());
    for route in &writing {
        let token = match route.security {
            Security::Participant => one.token.as_str(),
            Security::Instructor => INSTRUCTOR,
            Security::Operator => OPERATOR,
            Security::Public => "",
        };
        for (header, value) in &foreign {
            let request = server.client.request(route.method.clone(), server.url(&route.path())).bearer_auth(token);
            let request = request.header(*header, value).header("content-type", "application/json");
            let answer = request.body(format!("{{\"join_code\":\"{CODE}\"}}")).send().await.unwrap();
            assert!(!answer.headers().contains_key("access-control-allow-origin"));
            assert_eq!(problem(answer).await.code, ProblemCode::BadRequest, "{} {header} {value}", route.name());
        }
    }
    assert_eq!((server.federation.participants(), server.manifest().await.model.version), (1, 1));
    assert!(server.federation.records().assistants().unwrap().is_empty());
    let leave = server.client.delete(server.url(path::ME)).bearer_auth(&one.token).header("origin", own);
    assert_eq!(leave.send().await.unwrap().status(), 204, "the token was right, and the aggregator's own page may");
}
