//! An aggregator on a free port, over a store in a temporary folder, with a model of a few values.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use emofed::learning::{LearningSettings, Strategy};
use emofed::model::BackboneKind;
use emofed::model::vfer::VferArchitecture;
use emofed::protocol::{
    BackboneRef, BlobRef, CaptureSettings, ClientUpdate, JoinResponse, Manifest, ModelOrigin, OpenRound, Problem,
    RoundSettings, SAFETENSORS, UpdateLimits, path, sha256_hex,
};
use emofed::weights::{Tensor, Weights};
use emofed_server::clock::Clock;
use emofed_server::round::{Federation, FederationBounds, FederationConfig, SanityCheck, Stage, publish_made};
use emofed_server::serve::{
    Admission, App, ConnectionBounds, EventStreams, FederationDefaults, Federations, Host, JoinLimiter, Origins, Page,
    ServerParts, serve,
};
use emofed_server::store::{
    BackboneRecord, Candidate, EmbeddedStore, FederationFolders, FederationRecord, Phase, Records, Store,
};
use emofed_server::tls::{Tls, TlsError};
use reqwest::{Client, Response};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

pub const CODE: &str = "ABCD-EFGH";
/// Long after the clock's first time.
pub const CODE_EXPIRES_AT_S: u64 = 100_000;
pub const INSTRUCTOR: &str = "the instructor's token";

/// The operator's token, where there is an operator.
pub const OPERATOR: &str = "the operator's token";

/// A clock that stands still until it is set.
pub struct TestClock(pub AtomicU64);

impl Clock for TestClock {
    fn now_s(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// Rounds that close with two updates.
pub fn for_two() -> RoundSettings {
    RoundSettings { minimum_clients: 2, ..RoundSettings::default() }
}

/// Bounds of connections that a test reaches in a moment.
pub const TIGHT: ConnectionBounds = ConnectionBounds {
    head_timeout: Duration::from_secs(2),
    write_timeout: Duration::from_secs(2),
    body_timeout: Duration::from_secs(20),
    request_timeout: Duration::from_secs(60),
    total: 60,
    per_address: 40,
};

/// A running aggregator.
pub struct TestServer {
    pub address: SocketAddr,
    scheme: &'static str,
    pub client: Client,
    pub clock: Arc<TestClock>,
    pub federation: Arc<Federation>,
    federations: Option<Arc<Federations>>,
    stop: Option<oneshot::Sender<()>>,
    stopping: watch::Sender<bool>,
    server: JoinHandle<Result<(), TlsError>>,
}

/// What few tests change.
#[derive(Default)]
struct Special {
    limits: UpdateLimits,
    strategy: Strategy,
    stage: Stage,
    origins: Origins,
    tls: Option<Arc<Tls>>,
    page: Option<Page>,
    connections: Option<ConnectionBounds>,
    hosting: Option<Hosting>,
}

/// Several federations.
pub struct Hosting {
    pub data: PathBuf,
    pub max_federations: usize,
    pub code_uses: u32,
}

/// A participant.
pub struct Participant {
    pub token: String,
}

pub fn model() -> Weights {
    let mut weights = Weights::new();
    weights.insert("head.bias", Tensor::new([3], vec![0.5, -1.0, 0.25]));
    weights.insert("head.weight", Tensor::new([2, 2], vec![0.1, 0.2, 0.3, 0.4]));
    weights
}

/// An update for `round`, without client metrics.
pub fn update_for(round: &OpenRound, num_examples: u32, delta: Weights) -> ClientUpdate {
    ClientUpdate { round: round.id, base_version: round.base_version, num_examples, metrics: None, delta }
}

/// A round whose candidate is `weights`.
pub fn evaluating(weights: BlobRef, num_clients: u32, num_examples: u64) -> Phase {
    Phase::Evaluating(Candidate {
        weights,
        num_clients,
        num_examples,
        strategy_state: None,
        difference: None,
        class_metrics: None,
        loss_increased: None,
    })
}

/// The model's layout with every value `value`.
pub fn delta(value: f32) -> Weights {
    let mut weights = model();
    weights.iter_mut().for_each(|(_, tensor)| tensor.values.fill(value));
    weights
}

/// Puts a backbone, a detector and a first model into a new store.
pub fn prepare(folder: &Path) {
    prepare_with(folder, &model());
}

/// The same with the first model `base`.
pub fn prepare_with(folder: &Path, base: &Weights) {
    prepare_store(Arc::new(EmbeddedStore::open(folder).unwrap()), base);
}

/// The same in any new store.
pub fn prepare_store(store: Arc<dyn Store>, base: &Weights) {
    let records = Records::open(store).unwrap();
    let backbone =
        BackboneRef { kind: BackboneKind::Lite, blob: records.put_blob(&model().to_safetensors(None)).unwrap() };
    records.put_backbone(&BackboneRecord { backbone: backbone.clone(), imported_at_s: 0 }).unwrap();
    records.put_detector(&backbone.blob).unwrap();
    let vfer = base.to_safetensors(None);
    publish_made(&records, &backbone, ModelOrigin::Bootstrap, VferArchitecture::default(), &vfer, None, 0).unwrap();
}

pub fn fresh() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path());
    folder
}

impl TestServer {
    /// A demonstration for two.
    pub async fn start(folder: &Path) -> Self {
        Self::start_with(folder, for_two()).await
    }

    /// A demonstration, in which any number may contribute.
    pub async fn start_with(folder: &Path, rounds: RoundSettings) -> Self {
        Self::start_bounded(
            folder,
            rounds,
            true,
            FederationBounds { shortest_round_s: 0, ..FederationBounds::default() },
        )
        .await
    }

    /// A federation as it is served: with at least three contributors.
    pub async fn start_guarded(folder: &Path, rounds: RoundSettings) -> Self {
        Self::start_bounded(
            folder,
            rounds,
            false,
            FederationBounds { shortest_round_s: 0, ..FederationBounds::default() },
        )
        .await
    }

    pub async fn start_bounded(
        folder: &Path,
        rounds: RoundSettings,
        few_contributors: bool,
        bounds: FederationBounds,
    ) -> Self {
        let store = Arc::new(EmbeddedStore::open(folder).unwrap());
        Self::start_over(store, rounds, few_contributors, bounds).await
    }

    /// A demonstration under another strategy, written as in a configuration's section, and another limit of updates' norms.
    pub async fn start_strategy(folder: &Path, rounds: RoundSettings, strategy: &str, max_norm: f64) -> Self {
        let bounds = FederationBounds { shortest_round_s: 0, ..FederationBounds::default() };
        Self::start_strategy_bounded(folder, rounds, strategy, max_norm, bounds).await
    }

    /// The same with these bounds.
    pub async fn start_strategy_bounded(
        folder: &Path,
        rounds: RoundSettings,
        strategy: &str,
        max_norm: f64,
        bounds: FederationBounds,
    ) -> Self {
        let limits = UpdateLimits { max_norm, ..UpdateLimits::default() };
        let store = Arc::new(EmbeddedStore::open(folder).unwrap());
        let special = Special { limits, strategy: toml::from_str(strategy).unwrap(), ..Special::default() };
        Self::start_configured(store, rounds, true, bounds, special).await
    }

    /// An aggregator over any store.
    pub async fn start_over(
        store: Arc<dyn Store>,
        rounds: RoundSettings,
        few_contributors: bool,
        bounds: FederationBounds,
    ) -> Self {
        Self::start_configured(store, rounds, few_contributors, bounds, Special::default()).await
    }

    /// An aggregator with this stage.
    pub async fn start_staged(folder: &Path, stage: Stage, origins: Origins) -> Self {
        let store = Arc::new(EmbeddedStore::open(folder).unwrap());
        let special = Special { stage, origins, ..Special::default() };
        Self::start_configured(store, for_two(), true, FederationBounds::default(), special).await
    }

    /// A demonstration that speaks TLS with this certificate.
    pub async fn start_tls(folder: &Path, tls: Tls, client: Client) -> Self {
        let store = Arc::new(EmbeddedStore::open(folder).unwrap());
        let origins = Origins { is_tls: true, ..Origins::default() };
        let special = Special { origins, tls: Some(Arc::new(tls)), ..Special::default() };
        let bounds = FederationBounds { shortest_round_s: 0, ..FederationBounds::default() };
        let server = Self::start_configured(store, for_two(), true, bounds, special).await;
        Self { client, ..server }
    }

    /// A demonstration with this page.
    pub async fn start_page(folder: &Path, page: Page) -> Self {
        let store = Arc::new(EmbeddedStore::open(folder).unwrap());
        let special = Special { page: Some(page), ..Special::default() };
        Self::start_configured(store, for_two(), true, FederationBounds::default(), special).await
    }

    /// A demonstration with room for many connections.
    pub async fn start_roomy(folder: &Path, rounds: RoundSettings) -> Self {
        Self::start_connecting(folder, rounds, ConnectionBounds { total: 1_000, per_address: 1_000, ..TIGHT }).await
    }

    /// A demonstration with these bounds of connections.
    pub async fn start_connecting(folder: &Path, rounds: RoundSettings, connections: ConnectionBounds) -> Self {
        let store = Arc::new(EmbeddedStore::open(folder).unwrap());
        let special = Special { connections: Some(connections), ..Special::default() };
        let bounds = FederationBounds { shortest_round_s: 0, ..FederationBounds::default() };
        Self::start_configured(store, rounds, true, bounds, special).await
    }

    /// A demonstration with an operator.
    pub async fn start_hosting(hosting: Hosting) -> Self {
        let store = Arc::new(EmbeddedStore::open(&hosting.data).unwrap());
        let special = Special { hosting: Some(hosting), ..Special::default() };
        let bounds = FederationBounds { shortest_round_s: 0, ..FederationBounds::default() };
        Self::start_configured(store, for_two(), true, bounds, special).await
    }

    async fn start_configured(
        store: Arc<dyn Store>,
        rounds: RoundSettings,
        few_contributors: bool,
        bounds: FederationBounds,
        Special { limits, strategy, stage, origins, tls, page, connections, hosting }: Special,
    ) -> Self {
        let clock = Arc::new(TestClock(AtomicU64::new(1_000)));
        let config = FederationConfig {
            name: "test".to_owned(),
            deployment: None,
            stage,
            learning: LearningSettings::default(),
            capture: CaptureSettings::default(),
            rounds,
            limits,
            strategy,
            few_contributors,
            bounds,
        };
        let template = config.clone();
        let acceptance = Box::new(SanityCheck { max_norm: config.limits.max_norm });
        let federation =
            Arc::new(Federation::open(Records::open(store).unwrap(), clock.clone(), config, acceptance).unwrap());
        let (stopping, receiver) = watch::channel(false);
        let record = FederationRecord {
            join_code: CODE.to_owned(),
            join_code_expires_at_s: Some(CODE_EXPIRES_AT_S),
            instructor_token_sha256: sha256_hex(INSTRUCTOR.as_bytes()),
        };
        federation.records().put_federation(&record).unwrap();
        let code_uses = hosting.as_ref().map_or(0, |hosting| hosting.code_uses);
        let admission =
            Admission::new(federation.records().clone(), clock.clone(), record, 1).with_code_uses(code_uses);
        let app = App {
            federation: federation.clone(),
            admission: Arc::new(admission),
            joins: Arc::new(JoinLimiter::new(1_000)),
            origins,
            tls: tls.clone(),
            connections: connections.unwrap_or(TIGHT),
            streams: EventStreams::default(),
            stopping: receiver,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let federations = hosting.map(|hosting| {
            let defaults = FederationDefaults {
                registry: Arc::new(FederationFolders::open(&hosting.data).unwrap()),
                operator_token_sha256: Some(sha256_hex(OPERATOR.as_bytes())),
                data: hosting.data,
                base: federation.records().clone(),
                clock: clock.clone(),
                configure: Box::new(move |name, _| FederationConfig { name, ..template.clone() }),
                acceptance: Box::new(|config| Box::new(SanityCheck { max_norm: config.limits.max_norm })),
                code_days: 1,
                code_uses: hosting.code_uses,
                joins_per_address: 1_000,
                max_federations: hosting.max_federations,
                link_origin: format!("http://{address}"),
            };
            let parts = ServerParts {
                origins: app.origins.clone(),
                tls: app.tls.clone(),
                connections: app.connections,
                stopping: app.stopping.clone(),
            };
            Arc::new(Federations::open(defaults, parts).unwrap())
        });
        let host = Host { app, federations: federations.clone() };
        let server = tokio::spawn(serve(listener, host, page.unwrap_or(Page::None), async move {
            let _ = stopped.await;
        }));
        let scheme = if tls.is_some() { "https" } else { "http" };
        let stop = Some(stop);
        Self { address, scheme, client: Client::new(), clock, federation, federations, stop, stopping, server }
    }

    /// Stops the aggregator and lets go of the store.
    pub async fn stop(mut self) {
        let _ = self.stopping.send(true);
        let _ = self.stop.take().unwrap().send(());
        let Self { server, federation, federations, client, .. } = self;
        let others: Vec<Weak<Federation>> =
            federations.iter().flat_map(|all| all.available()).map(|one| Arc::downgrade(&one)).collect();
        drop((client, federations));
        server.await.unwrap().unwrap();
        while others.iter().any(|other| other.strong_count() > 0) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // The tick may hold the federation for a moment longer.
        while Arc::strong_count(&federation) > 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    pub async fn manifest(&self) -> Manifest {
        self.client.get(self.url(path::MANIFEST)).send().await.unwrap().json().await.unwrap()
    }

    pub async fn vfer(&self) -> Weights {
        let sha256 = self.manifest().await.model.vfer.sha256;
        let bytes = self.client.get(self.url(&path::blob(&sha256))).send().await.unwrap().bytes().await.unwrap();
        assert_eq!(sha256_hex(&bytes), sha256);
        Weights::from_safetensors(&bytes).unwrap()
    }

    pub async fn join(&self) -> Participant {
        let body = format!("{{\"join_code\":\"{CODE}\"}}");
        let request = self.client.post(self.url(path::PARTICIPANTS)).header("content-type", "application/json");
        let joined: JoinResponse = request.body(body).send().await.unwrap().json().await.unwrap();
        Participant { token: joined.token }
    }

    /// The open round. Between the end of one and the next there is none for a moment, so this waits for it.
    pub async fn open_round(&self) -> OpenRound {
        for _ in 0..1_000 {
            if let Some(round) = self.manifest().await.round {
                return round;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("no round was opened");
    }

    /// How many updates the open round has; 0 where none is open.
    pub fn received(&self) -> u32 {
        self.federation.snapshot().open_round().map_or(0, |round| round.received)
    }

    /// The same once a round is open.
    pub async fn received_in_open_round(&self) -> u32 {
        self.open_round().await;
        self.received()
    }

    /// An update for the open round.
    pub async fn update(&self, num_examples: u32, delta: Weights) -> ClientUpdate {
        let round = self.open_round().await;
        update_for(&round, num_examples, delta)
    }

    pub async fn put(&self, who: &Participant, round: u64, body: Vec<u8>) -> Response {
        let request = self.client.put(self.url(&path::update(round))).header("content-type", SAFETENSORS);
        request.bearer_auth(&who.token).body(body).send().await.unwrap()
    }

    pub async fn send(&self, who: &Participant, update: &ClientUpdate) -> Response {
        self.put(who, update.round, update.encode()).await
    }

    /// Waits until the global model has this version.
    pub async fn wait_for_version(&self, version: u64) {
        for _ in 0..1_000 {
            if self.manifest().await.model.version >= version {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("version {version} was not published");
    }
}

pub async fn problem(response: Response) -> Problem {
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let status = response.status().as_u16();
    let problem: Problem = response.json().await.unwrap();
    assert_eq!(problem.status, status);
    problem
}

/// All files below `folder`.
pub fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() { files.extend(walk(&entry)) } else { files.push(entry) }
    }
    files
}
