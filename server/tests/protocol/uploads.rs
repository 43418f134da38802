//! How many updates a second are acknowledged, durable: over a data folder, and over Postgres by one replica and by two.
//!
//! `cargo test --release -p emofed-server --test protocol uploads -- --ignored --nocapture --test-threads 1` prints it.

use std::time::Instant;

use emofed::protocol::{ClientUpdate, SAFETENSORS, path};
use emofed::weights::{Tensor, Weights};
use futures::StreamExt as _;
use reqwest::Client;

use super::harness::prepare_with;
use super::program::Program;
use super::shared_store::Shared;

/// Updates of 0.2 MB, and how many are sent at a time.
const VALUES: usize = 50_000;
const UPDATES: usize = 500;
const AT_ONCE: usize = 32;

fn weights(value: f32) -> Weights {
    let mut weights = Weights::new();
    weights.insert("head", Tensor::new([VALUES], vec![value; VALUES]));
    weights
}

/// Sends updates to `programs` in turn, in two rounds, of which the first one warms up; prints the second one's rate.
async fn measure(what: &str, programs: &[&Program]) {
    let client = Client::new();
    for version in [1, 2] {
        let mut bodies = Vec::new();
        for index in 0..UPDATES {
            let delta = weights(index as f32 * 1e-5);
            let update = ClientUpdate { round: version, base_version: version, num_examples: 1, metrics: None, delta };
            bodies.push((index, programs[0].join().await, update.encode()));
        }
        let since = Instant::now();
        let sent = futures::stream::iter(bodies).map(|(index, token, body)| {
            let url = programs[index % programs.len()].url(&path::update(version));
            let request = client.put(url).header("content-type", SAFETENSORS).bearer_auth(token).body(body);
            async move {
                let sent = Instant::now();
                assert_eq!(request.send().await.unwrap().status(), 200);
                sent.elapsed()
            }
        });
        let mut times: Vec<_> = sent.buffer_unordered(AT_ONCE).collect().await;
        let took = since.elapsed();
        times.sort();
        if version == 2 {
            let rate = UPDATES as f64 / took.as_secs_f64();
            println!("{what}: {rate:.0} updates/s, p50 {:?}, p95 {:?}", times[UPDATES / 2], times[UPDATES * 95 / 100]);
        }
        for program in programs {
            while program.manifest().await.round.is_none_or(|round| round.id == version) {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn uploads_to_a_data_folder() {
    let folder = tempfile::tempdir().unwrap();
    prepare_with(folder.path(), &weights(0.5));
    let program = Program::start(folder.path(), &["--minimum-clients", &UPDATES.to_string()]);
    measure("data folder", &[&program]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn uploads_to_replicas() {
    let shared = Shared::over(&weights(0.5));
    let (a, b) = shared.two(&["--minimum-clients", &UPDATES.to_string()]);
    measure("Postgres, two replicas", &[&a, &b]).await;
    let shared = Shared::over(&weights(0.5));
    let only = shared.replica("a", None, &["--minimum-clients", &UPDATES.to_string()]);
    measure("Postgres, one replica", &[&only]).await;
}
