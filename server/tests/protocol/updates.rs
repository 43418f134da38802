//! Client updates: good ones are averaged exactly, bad ones change nothing.

use std::time::Duration;

use emofed::protocol::{ClientUpdate, ProblemCode, RoundSettings, SAFETENSORS, UpdateReceipt, path, sha256_hex};
use emofed::weights::{Tensor, Weights};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::harness::{Participant, TestServer, delta, for_two, fresh, model, problem, walk};

#[tokio::test]
async fn a_round_publishes_the_weighted_mean_and_the_next_one_opens() {
    let folder = fresh();
    let server = TestServer::start(folder.path()).await;
    let (one, other) = (server.join().await, server.join().await);
    let first = server.update(3, delta(0.25)).await;
    let second = server.update(1, delta(-0.5)).await;
    let receipt: UpdateReceipt = server.send(&one, &first).await.json().await.unwrap();
    assert_eq!(receipt, UpdateReceipt { round: 1, sha256: sha256_hex(&first.encode()) });
    assert_eq!(server.received_in_open_round().await, 1);
    assert!(server.send(&other, &second).await.status().is_success());
    server.wait_for_version(2).await;

    let manifest = server.manifest().await;
    let latest = &manifest.model;
    assert_eq!((latest.parent, latest.round, latest.num_clients, latest.num_examples), (Some(1), Some(1), 2, None));
    let mean = (3.0 * 0.25 - 0.5) / 4.0;
    for ((name, published), (_, base)) in server.vfer().await.iter().zip(model().iter()) {
        let expected: Vec<f32> = base.values.iter().map(|value| (f64::from(*value) + mean) as f32).collect();
        assert_eq!(published.values, expected, "{name}");
    }
    let round = server.open_round().await;
    assert_eq!((round.id, round.base_version, server.received()), (2, 2, 0));
    // What was averaged is no longer kept.
    let bodies = walk(&folder.path().join("updates"));
    assert!(bodies.is_empty(), "{bodies:?}");
}

#[tokio::test]
async fn the_same_body_counts_once_and_another_is_refused() {
    let folder = fresh();
    let server = TestServer::start(folder.path()).await;
    let one = server.join().await;
    let update = server.update(3, delta(0.25)).await;
    for _ in 0..3 {
        assert!(server.send(&one, &update).await.status().is_success());
    }
    assert_eq!(server.received_in_open_round().await, 1);
    let other = ClientUpdate { num_examples: 4, ..update.clone() };
    assert_eq!(problem(server.send(&one, &other).await).await.code, ProblemCode::AlreadyReceived);
    // After the round, too: the first answer may have got lost.
    let second = server.join().await;
    assert!(server.send(&second, &update).await.status().is_success());
    server.wait_for_version(2).await;
    assert!(server.send(&one, &update).await.status().is_success());
    assert_eq!(server.received_in_open_round().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_update_that_is_sent_again_while_its_round_closes_is_acknowledged_each_time() {
    let folder = fresh();
    let rounds = RoundSettings { minimum_clients: 1, ..for_two() };
    let server = TestServer::start_with(folder.path(), rounds).await;
    for round in 1..=20 {
        let one = server.join().await;
        let update = server.update(1, delta(0.001)).await;
        let answers = (0..8).map(|_| server.send(&one, &update));
        for answer in futures::future::join_all(answers).await {
            assert_eq!(answer.status(), 200, "round {round}: {}", answer.text().await.unwrap());
        }
        server.wait_for_version(round + 1).await;
    }
    // The next round opens after the last one's bodies are gone.
    assert_eq!(server.open_round().await.id, 21);
    let bodies = walk(&folder.path().join("updates"));
    assert!(bodies.is_empty(), "{bodies:?}");
}

#[tokio::test]
async fn an_announced_length_that_is_too_large_is_refused_before_it_is_read() {
    let folder = fresh();
    let server = TestServer::start(folder.path()).await;
    let one = server.join().await;
    let mut stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let head = format!(
        "PUT {} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Type: {SAFETENSORS}\r\n\
         Content-Length: 1000000000\r\n\r\n",
        path::update(1),
        server.address,
        one.token
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    tokio::time::timeout(Duration::from_secs(5), stream.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
}

#[tokio::test]
async fn hostile_updates_change_nothing() {
    let folder = fresh();
    let server = TestServer::start(folder.path()).await;
    let one = server.join().await;
    let good = server.update(3, delta(0.25)).await;
    let with = |name: &str, tensor: Tensor| {
        let mut weights = delta(0.25);
        weights.insert(name, tensor);
        ClientUpdate { delta: weights, ..good.clone() }.encode()
    };
    let mut without = Weights::new();
    without.insert("head.bias", Tensor::new([3], vec![0.0; 3]));
    let whole = good.encode();

    let bad: Vec<(&str, Vec<u8>, ProblemCode, Option<&str>)> = vec![
        (
            "NaN",
            with("head.bias", Tensor::new([3], vec![0.0, f32::NAN, 0.0])),
            ProblemCode::BadUpdate,
            Some("head.bias"),
        ),
        (
            "infinity",
            with("head.weight", Tensor::new([2, 2], vec![f32::INFINITY; 4])),
            ProblemCode::BadUpdate,
            Some("head.weight"),
        ),
        ("1e38", with("head.weight", Tensor::new([2, 2], vec![1e38; 4])), ProblemCode::BadUpdate, None),
        ("shape", with("head.weight", Tensor::new([4], vec![0.0; 4])), ProblemCode::BadUpdate, Some("head.weight")),
        ("more", with("extra", Tensor::new([1], vec![0.0])), ProblemCode::BadUpdate, Some("extra")),
        ("less", ClientUpdate { delta: without, ..good.clone() }.encode(), ProblemCode::BadUpdate, Some("head.weight")),
        ("no examples", ClientUpdate { num_examples: 0, ..good.clone() }.encode(), ProblemCode::BadUpdate, None),
        (
            "many examples",
            ClientUpdate { num_examples: u32::MAX, ..good.clone() }.encode(),
            ProblemCode::BadUpdate,
            None,
        ),
        ("stale", ClientUpdate { base_version: 7, ..good.clone() }.encode(), ProblemCode::StaleBase, None),
        ("other round", ClientUpdate { round: 9, ..good.clone() }.encode(), ProblemCode::StaleBase, None),
        ("empty", Vec::new(), ProblemCode::BadUpdate, None),
        ("one byte", vec![b'x'], ProblemCode::BadUpdate, None),
        ("huge header", [u64::MAX.to_le_bytes().to_vec(), vec![b'{'; 100]].concat(), ProblemCode::BadUpdate, None),
        ("cut", whole[..whole.len() - 1].to_vec(), ProblemCode::BadUpdate, None),
        ("no header", delta(0.0).to_safetensors(None), ProblemCode::BadUpdate, None),
        ("too large", vec![0; ClientUpdate::max_size(&model()) + 1], ProblemCode::TooLarge, None),
    ];
    for (what, body, code, tensor) in bad {
        let problem = problem(server.put(&one, 1, body).await).await;
        assert_eq!((problem.code, problem.tensor.as_deref()), (code, tensor), "{what}: {}", problem.detail);
    }
    assert_eq!(problem(server.put(&one, 2, whole.clone()).await).await.code, ProblemCode::RoundNotOpen);

    let request = server.client.put(server.url(&path::update(1))).bearer_auth(&one.token);
    let response = request.header("content-type", "application/json").body(whole.clone()).send().await.unwrap();
    assert_eq!(problem(response).await.code, ProblemCode::BadRequest);
    let stranger = Participant { token: "made up".to_owned() };
    assert_eq!(problem(server.put(&stranger, 1, whole.clone()).await).await.code, ProblemCode::Unauthorized);
    let request = server.client.put(server.url(&path::update(1))).header("content-type", SAFETENSORS);
    let response = request.body(whole.clone()).send().await.unwrap();
    assert_eq!(problem(response).await.code, ProblemCode::Unauthorized);

    for body in [twice(&whole, "\"head.bias\"", "}"), twice(&whole, "\"emofed.update\"", "}\"")] {
        let problem = problem(server.put(&one, 1, body).await).await;
        assert!(problem.code == ProblemCode::BadUpdate && problem.detail.contains("twice"), "{}", problem.detail);
    }
    // What a sender wrote is not sent back to it at any length.
    for (name, tensor) in [
        ("head.bias", Tensor::new(vec![0; 1_500], Vec::new())),
        ("x".repeat(2_000).as_str(), Tensor::new([0], Vec::new())),
    ] {
        let problem = problem(server.put(&one, 1, with(name, tensor)).await).await;
        assert_eq!(problem.code, ProblemCode::BadUpdate);
        assert!(
            problem.detail.len() <= 200 && problem.tensor.is_some_and(|name| name.len() <= 200),
            "{}",
            problem.detail
        );
    }

    let manifest = server.manifest().await;
    assert_eq!((manifest.model.version, server.received()), (1, 0));
    assert_eq!(server.vfer().await, model());
    assert!(walk(&folder.path().join("updates")).is_empty());
    assert!(server.send(&one, &good).await.status().is_success());
}

/// The body with an entry of the header written twice: the one from `start` to the next `end`.
fn twice(body: &[u8], start: &str, end: &str) -> Vec<u8> {
    let length = u64::from_le_bytes(body[..8].try_into().unwrap()) as usize;
    let header = std::str::from_utf8(&body[8..8 + length]).unwrap();
    let (before, rest) = header.split_at(header.find(start).unwrap());
    let entry = &rest[..rest.find(end).unwrap() + end.len()];
    let header = format!("{before}{entry},{rest}");
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &body[8 + length..]].concat()
}
