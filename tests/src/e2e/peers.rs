//! A browser with the peers' page, for benchmarks.

use std::path::Path;
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::{HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::{Value, json};
use tower_http::services::ServeDir;
use tower_http::set_header::SetResponseHeaderLayer;

use super::browser::{Browser, Camera};
use super::camera::Film;
use super::{page_files, path_from_env};

/// How long one benchmark may take: a peer on WebGPU without a card takes minutes.
const LIMIT: Duration = Duration::from_secs(900);

/// The page `tests/peers/bench.html`, which can run ours and the peers.
pub struct Peers {
    browser: Browser,
    address: String,
}

/// What a function of `tests/peers/bench.mjs` gives.
#[derive(Debug, Deserialize)]
pub struct Measured {
    /// Milliseconds.
    pub times: Vec<f64>,
    /// The first result.
    pub features: Vec<f64>,
}

impl Peers {
    /// Serves the built page, the peers and the files in `data`, and opens a browser on them.
    pub async fn start(data: &Path) -> Self {
        let isolated = |name: &'static str, value: &'static str| {
            SetResponseHeaderLayer::overriding(HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        // Without these two a page has no threads.
        let router = Router::new()
            .nest_service("/npm", ServeDir::new(path_from_env("EMOFED_NODE_MODULES")))
            .nest_service("/peers", ServeDir::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("peers")))
            .nest_service("/data", ServeDir::new(data))
            .fallback_service(ServeDir::new(page_files()))
            .layer(isolated("cross-origin-opener-policy", "same-origin"))
            .layer(isolated("cross-origin-embedder-policy", "require-corp"));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = format!("http://{}", listener.local_addr().expect("it is bound"));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { browser: Browser::start(Camera::Granted(Film::Portrait(1))).await, address }
    }

    /// Runs `function` on a fresh page.
    ///
    /// # Errors
    /// What the page says.
    pub async fn run(&self, function: &str, inputs: Value) -> Result<Measured, String> {
        self.browser.open(&format!("{}/peers/bench.html", self.address)).await;
        self.browser.wait::<bool>("the page of the peers", 30, "!!globalThis.bench").await;
        self.browser.script::<bool>(&format!("bench.start({}, {inputs}); return true", json!(function))).await;
        let deadline = Instant::now() + LIMIT;
        loop {
            let outcome: Value = self.browser.script("return bench.outcome").await;
            if let Some(error) = outcome["error"].as_str() {
                return Err(error.to_owned());
            }
            if !outcome.is_null() {
                return serde_json::from_value(outcome["result"].clone()).map_err(|error| error.to_string());
            }
            if Instant::now() > deadline {
                return Err(format!("no result in {} s", LIMIT.as_secs()));
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }
}
