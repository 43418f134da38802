//! A round over HTTP with a durable store, beside flwr's over gRPC, whose clients are threads of its process as ours are tasks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use emofed::learning::{LearningSettings, Strategy};
use emofed::model::BackboneKind;
use emofed::model::vfer::VferArchitecture;
use emofed::protocol::{
    BackboneRef, CaptureSettings, ClientUpdate, JoinRequest, JoinResponse, Manifest, ModelOrigin, RoundSettings,
    SAFETENSORS, path, sha256_hex,
};
use emofed::weights::Weights;
use emofed_server::clock::SystemClock;
use emofed_server::round::{Federation, FederationBounds, FederationConfig, SanityCheck, Stage, publish_made};
use emofed_server::secret;
use emofed_server::serve::{
    Admission, App, ConnectionBounds, EventStreams, JoinLimiter, Origins, PER_ADDRESS, Page, serve,
};
use emofed_server::store::{BackboneRecord, EmbeddedStore, FederationRecord, Records};
use reqwest::{Client, Response, header};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::aggregation::{FLWR, check, deltas, limits, peer, zeros};
use super::{Outcome, median};

const CLIENTS: usize = 50;
const ROUNDS: usize = 5;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Milliseconds from the first client's request for the model to the next model: every client fetches the model, and sends an update.
pub fn milliseconds() -> Result<Outcome, String> {
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    let (times, first) = runtime.block_on(rounds()).map_err(|error| error.to_string())?;
    let (theirs, expected) = peer("round", CLIENTS, ROUNDS)?;
    check(&first, &expected)?;
    Ok(Outcome { ours: median(times), peer: Some((FLWR, median(theirs.times))) })
}

/// Times of rounds, and the model that the first made.
async fn rounds() -> Result<(Vec<f64>, Vec<u8>), Failure> {
    let folder = tempfile::tempdir()?;
    let join_code = secret::join_code()?;
    let (stop, stopping) = watch::channel(false);
    let app = app(Records::open(Arc::new(EmbeddedStore::open(folder.path())?))?, &join_code, stopping.clone())?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let origin = format!("http://{}", listener.local_addr()?);
    let mut stopped = stopping;
    let server = tokio::spawn(serve(listener, app, Page::None, async move {
        let _ = stopped.wait_for(|stop| *stop).await;
    }));
    let desk = Desk { client: Client::new(), origin };
    let mut participants = Vec::new();
    for (delta, num_examples) in deltas(CLIENTS) {
        let body = serde_json::to_vec(&JoinRequest { join_code: join_code.clone() })?;
        let request = desk.client.post(desk.url(path::PARTICIPANTS)).header(header::CONTENT_TYPE, "application/json");
        let answer = request.body(body).send().await?.error_for_status()?;
        let JoinResponse { token, .. } = serde_json::from_slice(&answer.bytes().await?)?;
        participants.push(Arc::new(Participant { desk: desk.clone(), token, delta, num_examples }));
    }
    let (mut times, mut first) = (Vec::new(), None);
    for _ in 0..ROUNDS {
        let (version, round) = loop {
            let manifest = desk.manifest().await?;
            if let Some(round) = manifest.round {
                break (manifest.model, round.id);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        let started = Instant::now();
        let calls = participants.iter().cloned().map(|participant| {
            let sha256 = version.vfer.sha256.clone();
            tokio::spawn(async move { participant.contribute(&sha256, round, version.version).await })
        });
        for call in calls.collect::<Vec<_>>() {
            call.await??;
        }
        let made = loop {
            let made = desk.manifest().await?.model;
            if made.version > version.version {
                break made;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        };
        times.push(1_000.0 * started.elapsed().as_secs_f64());
        if first.is_none() {
            first = Some(desk.get(&path::blob(&made.vfer.sha256)).await?.bytes().await?.to_vec());
        }
    }
    let _ = stop.send(true);
    server.await??;
    Ok((times, first.ok_or("no round was run")?))
}

/// Where requests go.
#[derive(Clone)]
struct Desk {
    client: Client,
    origin: String,
}

impl Desk {
    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    async fn get(&self, path: &str) -> Result<Response, Failure> {
        Ok(self.client.get(self.url(path)).send().await?.error_for_status()?)
    }

    async fn manifest(&self) -> Result<Manifest, Failure> {
        Ok(serde_json::from_slice(&self.get(path::MANIFEST).await?.bytes().await?)?)
    }
}

struct Participant {
    desk: Desk,
    token: String,
    delta: Weights,
    num_examples: u32,
}

impl Participant {
    /// Fetches the model and sends the update.
    async fn contribute(&self, model_sha256: &str, round: u64, base_version: u64) -> Result<(), Failure> {
        let model = self.desk.get(&path::blob(model_sha256)).await?.bytes().await?;
        Weights::from_safetensors(&model)?;
        let delta = self.delta.clone();
        let body = ClientUpdate { round, base_version, num_examples: self.num_examples, metrics: None, delta }.encode();
        let request = self.desk.client.put(self.desk.url(&path::update(round))).bearer_auth(&self.token);
        request.header(header::CONTENT_TYPE, SAFETENSORS).body(body).send().await?.error_for_status()?;
        Ok(())
    }
}

/// An aggregator of a model of a million values, in whose rounds everybody has to be.
fn app(records: Records, join_code: &str, stopping: watch::Receiver<bool>) -> Result<App, Failure> {
    let model = zeros().to_safetensors(None);
    let backbone = BackboneRef { kind: BackboneKind::Lite, blob: records.put_blob(&model)? };
    records.put_backbone(&BackboneRecord { backbone: backbone.clone(), imported_at_s: 0 })?;
    records.put_detector(&backbone.blob)?;
    publish_made(&records, &backbone, ModelOrigin::Bootstrap, VferArchitecture::default(), &model, None, 0)?;
    let config = FederationConfig {
        name: "benchmark".to_owned(),
        deployment: None,
        stage: Stage::default(),
        learning: LearningSettings::default(),
        capture: CaptureSettings::default(),
        rounds: RoundSettings { minimum_clients: CLIENTS as u32, ..RoundSettings::default() },
        limits: limits(),
        strategy: Strategy::default(),
        few_contributors: false,
        bounds: FederationBounds { shortest_round_s: 0, ..FederationBounds::default() },
    };
    let acceptance = Box::new(SanityCheck { max_norm: config.limits.max_norm });
    let federation = Arc::new(Federation::open(records, Arc::new(SystemClock), config, acceptance)?);
    let record = FederationRecord {
        join_code: join_code.to_owned(),
        join_code_expires_at_s: None,
        instructor_token_sha256: sha256_hex(secret::token()?.as_bytes()),
    };
    federation.records().put_federation(&record)?;
    Ok(App {
        admission: Arc::new(Admission::new(federation.records().clone(), Arc::new(SystemClock), record, 1)),
        federation,
        joins: Arc::new(JoinLimiter::new(u32::MAX)),
        origins: Origins::default(),
        tls: None,
        connections: ConnectionBounds::for_this_process(PER_ADDRESS),
        streams: EventStreams::default(),
        stopping,
    })
}
