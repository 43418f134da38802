//! The participants' calls, measured.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use emofed::protocol::{JoinRequest, JoinResponse, Manifest, Problem, ProblemCode, SAFETENSORS, path};
use emofed::weights::Weights;
use futures::{StreamExt as _, stream};
use reqwest::{Body, Client, RequestBuilder, Response, StatusCode, header};

use super::LoadError;
use super::report::{CallFigures, Samples};

/// How long a call may take, as in a tab.
const TIMEOUT: Duration = Duration::from_secs(120);
/// Parts of a body that is sent slowly, and the pause between two.
const SLOW_PARTS: usize = 10;
const SLOW_PAUSE: Duration = Duration::from_millis(500);

/// How an update's body travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sending {
    /// As fast as it goes.
    Whole,
    /// In parts, over some seconds.
    Slowly,
    /// Half of it; then the connection is closed.
    Half,
}

/// What an update is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Acknowledged,
    Refused(ProblemCode),
    /// None, or one that is no problem document.
    None,
}

/// Calls one address. Each event stream has a connection of its own; the other calls share as many as they need.
pub(super) struct Api {
    client: Client,
    origin: String,
    /// Of all addresses together.
    samples: Arc<Mutex<BTreeMap<&'static str, Samples>>>,
}

impl Api {
    /// The calls of each of `origins`, which are measured together.
    pub fn all(origins: &[String]) -> Vec<Self> {
        let (client, samples) = (Client::new(), Arc::default());
        let origins = origins.iter().map(|origin| origin.trim_end_matches('/').to_owned());
        origins.map(|origin| Self { client: client.clone(), origin, samples: Arc::clone(&samples) }).collect()
    }

    /// The figures of all calls so far.
    pub fn figures(&self) -> Vec<CallFigures> {
        let samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        samples.iter().map(|(call, samples)| samples.figures(call)).collect()
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    async fn send(&self, call: &'static str, request: RequestBuilder) -> Result<Response, LoadError> {
        let started = Instant::now();
        let answer = request.send().await;
        let status = answer.as_ref().ok().map(|answer| answer.status().as_u16());
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        samples.entry(call).or_default().add(status, started.elapsed());
        drop(samples);
        answer.map_err(|error| no_answer(call, error))
    }

    /// The manifest and its tag; `None` if it still has the tag `known`.
    pub async fn manifest(&self, known: Option<&str>) -> Result<Option<(Manifest, String)>, LoadError> {
        let request = self.client.get(self.url(path::MANIFEST)).timeout(TIMEOUT);
        let request = known.into_iter().fold(request, |request, tag| request.header(header::IF_NONE_MATCH, tag));
        let answer = self.send("manifest", request).await?;
        if answer.status() == StatusCode::NOT_MODIFIED {
            return Ok(None);
        }
        let answer = answer.error_for_status().map_err(|error| no_answer("manifest", error))?;
        let tag = answer.headers().get(header::ETAG).and_then(|tag| tag.to_str().ok()).unwrap_or_default().to_owned();
        Ok(Some((read("manifest", answer).await?, tag)))
    }

    /// The global model of `manifest`.
    pub async fn weights(&self, manifest: &Manifest) -> Result<Weights, LoadError> {
        let url = self.url(&path::blob(&manifest.model.vfer.sha256));
        let answer = self.send("weights", self.client.get(url).timeout(TIMEOUT)).await?;
        let answer = answer.error_for_status().map_err(|error| no_answer("weights", error))?;
        let bytes = answer.bytes().await.map_err(|error| no_answer("weights", error))?;
        Ok(Weights::from_safetensors(&bytes)?)
    }

    /// A new participant's token.
    pub async fn join(&self, join_code: &str) -> Result<String, LoadError> {
        let body = serde_json::to_vec(&JoinRequest { join_code: join_code.to_owned() })
            .map_err(|error| no_answer("join", error))?;
        let request = self.client.post(self.url(path::PARTICIPANTS)).header(header::CONTENT_TYPE, "application/json");
        let answer = self.send("join", request.body(body).timeout(TIMEOUT)).await?;
        let answer = answer.error_for_status().map_err(|error| no_answer("join", error))?;
        Ok(read::<JoinResponse>("join", answer).await?.token)
    }

    /// An event stream that goes on after `last_id`.
    pub async fn events(&self, last_id: Option<&str>) -> Result<Response, LoadError> {
        let request = self.client.get(self.url(path::EVENTS));
        let request = last_id.into_iter().fold(request, |request, id| request.header("last-event-id", id));
        let answer = self.send("events", request).await?;
        answer.error_for_status().map_err(|error| no_answer("events", error))
    }

    /// Sends an update.
    pub async fn update(&self, token: &str, round: u64, body: Vec<u8>, sending: Sending) -> Answer {
        let request = self.client.put(self.url(&path::update(round))).timeout(TIMEOUT);
        let request = request.bearer_auth(token).header(header::CONTENT_TYPE, SAFETENSORS);
        let length = body.len();
        let (call, request) = match sending {
            Sending::Whole => ("update", request.body(body)),
            Sending::Slowly => {
                let parts: Vec<Vec<u8>> = body.chunks(length.div_ceil(SLOW_PARTS).max(1)).map(<[u8]>::to_vec).collect();
                let parts = stream::iter(parts).then(|part| async {
                    tokio::time::sleep(SLOW_PAUSE).await;
                    Ok::<_, Infallible>(part)
                });
                ("update, slow", request.header(header::CONTENT_LENGTH, length).body(Body::wrap_stream(parts)))
            }
            Sending::Half => {
                let half = Ok(body[..length / 2].to_vec());
                let parts = stream::iter([half, Err(std::io::Error::other("closed on purpose"))]);
                ("update, broken off", request.header(header::CONTENT_LENGTH, length).body(Body::wrap_stream(parts)))
            }
        };
        let Ok(answer) = self.send(call, request).await else { return Answer::None };
        if answer.status().is_success() {
            return Answer::Acknowledged;
        }
        match read::<Problem>(call, answer).await {
            Ok(problem) => Answer::Refused(problem.code),
            Err(_) => Answer::None,
        }
    }
}

async fn read<T: serde::de::DeserializeOwned>(call: &'static str, answer: Response) -> Result<T, LoadError> {
    let bytes = answer.bytes().await.map_err(|error| no_answer(call, error))?;
    serde_json::from_slice(&bytes).map_err(|error| no_answer(call, error))
}

fn no_answer(call: &'static str, error: impl std::error::Error) -> LoadError {
    LoadError::NoAnswer { call, reason: error.to_string() }
}
