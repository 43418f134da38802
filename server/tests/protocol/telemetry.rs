//! Spans by OTLP: what a collector gets, and what it does not.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use emofed::protocol::{ClientUpdate, JoinResponse, path};
use reqwest::Client;
use tokio::net::TcpListener;

use super::harness::{delta, fresh};
use super::program::Program;

/// What has come to a collector, and where it listens.
async fn collector() -> (Arc<Mutex<Vec<u8>>>, String) {
    let received = Arc::new(Mutex::new(Vec::new()));
    let kept = received.clone();
    let keep = move |body: Bytes| {
        kept.lock().unwrap().extend_from_slice(&body);
        async {}
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/v1/traces", post(keep));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (received, address)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_gets_rounds_and_uploads_and_nothing_of_a_participant() {
    let folder = fresh();
    let (received, address) = collector().await;
    let program = Program::start(folder.path(), &["--otlp-endpoint", &address, "--minimum-clients", "3"]);
    let mut secrets = vec![program.code().to_owned(), program.instructor_token().to_owned()];
    for index in 0..3 {
        let body = format!("{{\"join_code\":\"{}\"}}", program.code());
        let request = Client::new().post(program.url(path::PARTICIPANTS)).header("content-type", "application/json");
        let joined: JoinResponse = request.body(body).send().await.unwrap().json().await.unwrap();
        let round = program.manifest().await.round.unwrap();
        let good = ClientUpdate {
            round: round.id,
            base_version: round.base_version,
            num_examples: 1,
            metrics: None,
            delta: delta(0.25 + index as f32),
        };
        // One that is refused is logged with the participant's id.
        let refused = ClientUpdate { num_examples: 0, ..good.clone() };
        assert_eq!(program.put(&joined.token, &refused).await, Some(422));
        assert_eq!(program.put(&joined.token, &good).await, Some(200));
        secrets.extend([joined.participant, joined.token]);
    }
    program.stop();
    let received = received.lock().unwrap();
    let has = |text: &str| received.windows(text.len()).any(|bytes| bytes == text.as_bytes());
    for told in ["emofed", "round", "upload", "aggregating"] {
        assert!(has(told), "{told} is told");
    }
    for secret in secrets {
        assert!(!has(&secret), "{secret} is not told");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_is_not_there_holds_nothing_up() {
    let folder = fresh();
    // Accepts connections and answers nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", silent.local_addr().unwrap());
    let program = Program::start(folder.path(), &["--otlp-endpoint", &address, "--minimum-clients", "3"]);
    for (token, update) in program.clients(3).await {
        assert_eq!(program.put(&token, &update).await, Some(200));
    }
    let since = Instant::now();
    program.stop();
    assert!(since.elapsed() < Duration::from_secs(9), "{:?}", since.elapsed());
}
