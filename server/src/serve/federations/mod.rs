//! The federations that an operator made, each over a store of its own: opened at the start, made and ended while the aggregator runs,
//! here (`making.rs`) or by another replica (`following.rs`). What goes wrong in one is its own.

mod following;
mod hosted;
mod making;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use axum::Router;
use emofed::protocol::{FederationSummary, sha256_hex};
use tokio::runtime::Handle;
use tokio::sync::watch;

use self::following::Inquiry;
use self::hosted::Hosted;
use super::EventStreams;
use super::connections::{ConnectionBounds, OpenCounts};
use super::error::{RequestError, ServeError};
use super::security::Origins;
use crate::backup::{Backup, OtherBackups};
use crate::clock::Clock;
use crate::round::{AcceptanceCheck, Federation, FederationConfig};
use crate::secret;
use crate::store::{FederationRegistry, Records, StoreError};
use crate::tls::Tls;

/// In how many ticks the stores are tried again that could not be opened.
const RETRY_TICKS: u64 = 30;
/// In how many ticks what nobody uses any more is removed.
const TIDY_TICKS: u64 = 10;

/// Makes the acceptance check of a federation.
type MakeCheck = dyn Fn(&FederationConfig) -> Box<dyn AcceptanceCheck> + Send + Sync;
/// Makes the configuration of a federation from its name and the number of its model's values.
type Configure = dyn Fn(String, usize) -> FederationConfig + Send + Sync;

/// What federations begin with, and by which they are run.
pub struct FederationDefaults {
    /// The data folder.
    pub data: PathBuf,
    /// Which federations there are.
    pub registry: Arc<dyn FederationRegistry>,
    /// SHA-256 of the operator's token; absent: nobody makes or ends federations.
    pub operator_token_sha256: Option<String>,
    /// The first federation's records: others begin with its backbone, detector and base model.
    pub base: Records,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The configuration.
    pub configure: Box<Configure>,
    /// The acceptance check.
    pub acceptance: Box<MakeCheck>,
    /// For how many days a new join code is valid.
    pub code_days: u32,
    /// How many may join with a code; 0: as many as the federation takes.
    pub code_uses: u32,
    /// Most joins of an address in an hour.
    pub joins_per_address: u32,
    /// Most federations.
    pub max_federations: usize,
    /// The origin in links.
    pub link_origin: String,
}

/// What all federations of an aggregator share.
#[derive(Clone)]
pub struct ServerParts {
    /// Where requests may come from.
    pub origins: Origins,
    /// The certificate.
    pub tls: Option<Arc<Tls>>,
    /// Bounds of connections.
    pub connections: ConnectionBounds,
    /// Becomes true when the aggregator stops.
    pub stopping: watch::Receiver<bool>,
}

/// The federations beside the first.
pub struct Federations {
    defaults: FederationDefaults,
    parts: ServerParts,
    /// SHA-256 of the operator's token.
    operator_token_sha256: RwLock<Option<String>>,
    runtime: Handle,
    /// Event streams of all federations together.
    streams: OpenCounts,
    /// By id.
    hosted: RwLock<BTreeMap<String, Arc<Hosted>>>,
    /// Held while one is made or ended.
    changing: Mutex<()>,
    /// Of requests for federations that are not known here.
    inquiry: Inquiry,
    ticks: AtomicU64,
}

impl Federations {
    /// Opens all that there are. One whose store cannot be opened is not available, and is tried again. Runs its tasks on the
    /// runtime that this is called on.
    ///
    /// # Errors
    /// It cannot be read which there are.
    pub fn open(defaults: FederationDefaults, parts: ServerParts) -> Result<Self, StoreError> {
        let operator_token_sha256 = RwLock::new(defaults.operator_token_sha256.clone());
        let federations = Self {
            defaults,
            parts,
            operator_token_sha256,
            runtime: Handle::current(),
            streams: OpenCounts::default(),
            hosted: RwLock::default(),
            changing: Mutex::default(),
            inquiry: Inquiry::default(),
            ticks: AtomicU64::new(0),
        };
        for id in federations.registry().ids()? {
            federations.add(id);
        }
        Ok(federations)
    }

    fn registry(&self) -> &dyn FederationRegistry {
        self.defaults.registry.as_ref()
    }

    /// Whether `token` is the operator's. Where there is none, no token is.
    pub(super) fn is_operator(&self, token: &str) -> bool {
        let sha256 = self.operator_token_sha256.read().unwrap_or_else(PoisonError::into_inner).clone();
        sha256.is_some_and(|sha256| secret::same(&sha256_hex(token.as_bytes()), &sha256))
    }

    /// Has the federation `id` served, as soon as its store can be opened.
    fn add(&self, id: String) {
        let hosted = Arc::new(Hosted::new(id.clone()));
        self.try_open(&hosted);
        self.hosted.write().unwrap_or_else(PoisonError::into_inner).insert(id, hosted);
    }

    /// The event streams of the first federation, counted with those of the others.
    pub fn event_streams(&self) -> EventStreams {
        EventStreams::among(self.streams.clone())
    }

    /// How many there are, and how many of them are not available.
    pub fn counts(&self) -> (usize, usize) {
        let all = self.all();
        (all.len(), all.iter().filter(|hosted| hosted.federation().is_none()).count())
    }

    /// Those that are available.
    pub fn available(&self) -> Vec<Arc<Federation>> {
        self.all().iter().filter_map(|hosted| hosted.federation()).collect()
    }

    /// The data folder.
    pub(super) fn data(&self) -> &Path {
        &self.defaults.data
    }

    /// A backup of each of them that is available. What ends meanwhile stays stored until its backup is written.
    pub(super) fn backups(&self) -> OtherBackups {
        let mut others = OtherBackups::default();
        for hosted in self.all() {
            let id = hosted.id().to_owned();
            let Some(federation) = hosted.federation() else {
                others.unavailable.push(id);
                continue;
            };
            // Its owner's token is known to nobody here: the records have the hash, by which it goes on being right.
            match Backup::take(federation.records().store(), None, federation.now_s()) {
                Ok(backup) => others.backups.push((id, backup.while_using(federation))),
                Err(error) => {
                    tracing::error!(federation = id, %error, "no backup can be made; those of the others are");
                    others.unavailable.push(id);
                }
            }
        }
        others
    }

    fn all(&self) -> Vec<Arc<Hosted>> {
        self.hosted.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    fn find(&self, id: &str) -> Option<Arc<Hosted>> {
        self.hosted.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// The routes of the federation `id`, with `page` behind them.
    ///
    /// # Errors
    /// There is none, or it is not available.
    pub(super) async fn router(self: &Arc<Self>, id: &str, page: &Router) -> Result<Router, ServeError> {
        let hosted = match self.find(id) {
            Some(hosted) => hosted,
            None => self.inquire(id).await?.ok_or(RequestError::UnknownFederation)?,
        };
        Ok(hosted.router(page).ok_or(RequestError::FederationUnavailable)?)
    }

    fn try_open(&self, hosted: &Hosted) {
        let id = hosted.id();
        let opened = self.registry().store(id).map_err(ServeError::from);
        let opened =
            opened.and_then(|store| hosted.open(store, &self.defaults, &self.parts, &self.streams, &self.runtime));
        if let Err(error) = opened {
            tracing::error!(federation = id, %error, "a federation cannot be opened; the others go on");
        }
    }

    /// Does what is due in each.
    pub(super) fn tick(self: &Arc<Self>) {
        let ticks = self.ticks.fetch_add(1, Ordering::Relaxed);
        let retries = ticks % RETRY_TICKS == RETRY_TICKS - 1;
        if ticks.is_multiple_of(TIDY_TICKS) {
            let federations = self.clone();
            self.runtime.spawn_blocking(move || {
                if let Err(error) = federations.registry().tidy(federations.defaults.clock.now_s()) {
                    tracing::warn!(%error, "what ended federations have left is not removed now; trying again");
                }
            });
        }
        for hosted in self.all() {
            if !hosted.advance() && retries {
                let federations = self.clone();
                self.runtime.spawn_blocking(move || {
                    let _one_at_a_time = federations.lock();
                    // It may have ended in the meantime.
                    if federations.find(hosted.id()).is_some() && hosted.federation().is_none() {
                        federations.try_open(&hosted);
                    }
                });
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the operator is told of each.
    pub fn list(&self) -> Vec<FederationSummary> {
        self.all().iter().map(|hosted| hosted.summary()).collect()
    }
}
