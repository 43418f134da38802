//! The federations that an operator made, each over a store of its own below the data folder: opened at the start, made and ended
//! while the aggregator runs. What goes wrong in one is its own.

mod hosted;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use axum::Router;
use emofed::protocol::{FederationLinks, FederationSummary, path, sha256_hex};
use tokio::runtime::Handle;
use tokio::sync::watch;

use self::hosted::Hosted;
use super::EventStreams;
use super::connections::{ConnectionBounds, OpenCounts};
use super::error::{RequestError, ServeError};
use super::security::Origins;
use crate::backup::{Backup, BackupError, OtherBackups};
use crate::clock::Clock;
use crate::round::{AcceptanceCheck, Federation, FederationConfig, seed};
use crate::secret;
use crate::store::{FederationFolders, FederationRecord, HostedRecord, Records, StoreError};
use crate::tls::Tls;

/// Most characters of a federation's name.
const MAX_NAME: usize = 100;
/// In how many ticks the stores are tried again that could not be opened.
const RETRY_TICKS: u64 = 30;

/// Makes the acceptance check of a federation.
type MakeCheck = dyn Fn(&FederationConfig) -> Box<dyn AcceptanceCheck> + Send + Sync;
/// Makes the configuration of a federation from its name and the number of its model's values.
type Configure = dyn Fn(String, usize) -> FederationConfig + Send + Sync;

/// What federations begin with, and by which they are run.
pub struct FederationDefaults {
    /// The data folder, which is the first federation's store, too.
    pub data: PathBuf,
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
    folders: FederationFolders,
    runtime: Handle,
    /// Event streams of all federations together.
    streams: OpenCounts,
    /// By id.
    hosted: RwLock<BTreeMap<String, Arc<Hosted>>>,
    /// Held while one is made or ended.
    changing: Mutex<()>,
    ticks: AtomicU64,
}

impl Federations {
    /// Opens all that there are. One whose store cannot be opened is not available, and is tried again. Runs its tasks on the
    /// runtime that this is called on.
    ///
    /// # Errors
    /// The folders cannot be read.
    pub fn open(defaults: FederationDefaults, parts: ServerParts) -> Result<Self, StoreError> {
        let folders = FederationFolders::open(&defaults.data)?;
        let ids = folders.ids()?;
        let federations = Self {
            defaults,
            parts,
            folders,
            runtime: Handle::current(),
            streams: OpenCounts::default(),
            hosted: RwLock::default(),
            changing: Mutex::default(),
            ticks: AtomicU64::new(0),
        };
        for id in ids {
            let hosted = Arc::new(Hosted::new(id.clone()));
            federations.try_open(&hosted);
            federations.hosted.write().unwrap_or_else(PoisonError::into_inner).insert(id, hosted);
        }
        Ok(federations)
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

    /// A backup of each of them that is available. None is made or ended meanwhile.
    ///
    /// # Errors
    /// A store fails, or something in it is damaged.
    pub(super) fn backups(&self) -> Result<OtherBackups, BackupError> {
        let _one_at_a_time = self.lock();
        let mut others = OtherBackups::default();
        for hosted in self.all() {
            let id = hosted.id().to_owned();
            let Some(federation) = hosted.federation() else {
                others.unavailable.push(id);
                continue;
            };
            // Its owner's token is known to nobody here: the records have the hash, by which it goes on being right.
            let backup = Backup::take(federation.records().store(), None, federation.now_s());
            let backup =
                backup.inspect_err(|error| tracing::error!(federation = id, %error, "no backup can be made"))?;
            others.backups.push((id, backup));
        }
        Ok(others)
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
    pub(super) fn router(&self, id: &str, page: &Router) -> Result<Router, RequestError> {
        let hosted = self.find(id).ok_or(RequestError::UnknownFederation)?;
        hosted.router(page).ok_or(RequestError::FederationUnavailable)
    }

    fn try_open(&self, hosted: &Hosted) {
        let id = hosted.id();
        if let Err(error) =
            hosted.open(&self.folders.path(id), &self.defaults, &self.parts, &self.streams, &self.runtime)
        {
            tracing::error!(federation = id, %error, "a federation cannot be opened; the others go on");
        }
    }

    /// Does what is due in each.
    pub(super) fn tick(self: &Arc<Self>) {
        let retries = self.ticks.fetch_add(1, Ordering::Relaxed) % RETRY_TICKS == RETRY_TICKS - 1;
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

    /// Makes a federation called `name`. Blocks on the disk.
    ///
    /// # Errors
    /// The name is none, there are as many as there may be, or the store fails: then there is no new federation.
    pub fn create(&self, name: &str) -> Result<FederationLinks, ServeError> {
        let name = name.trim();
        if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
            return Err(RequestError::FederationName { limit: MAX_NAME }.into());
        }
        let _one_at_a_time = self.lock();
        let limit = self.defaults.max_federations;
        if self.all().len() >= limit {
            return Err(RequestError::TooManyFederations { limit }.into());
        }
        let (id, token) = (secret::federation_id()?, secret::token()?);
        let made = self.make(&id, name, &token).inspect_err(|_| {
            // What cannot be removed now is at the next start.
            let _ = self.folders.give_up(&id);
        })?;
        let hosted = Arc::new(Hosted::new(id.clone()));
        let path = self.folders.complete(&id).map_err(|error| {
            // Nobody was told its links: it must not be there at the next start.
            let _ = self.folders.end(&id).and_then(|()| self.folders.remove(&id));
            StoreError::from(error)
        })?;
        if let Err(error) = hosted.open(&path, &self.defaults, &self.parts, &self.streams, &self.runtime) {
            self.folders.end(&id).and_then(|()| self.folders.remove(&id)).map_err(StoreError::from)?;
            return Err(error);
        }
        self.hosted.write().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), hosted);
        tracing::info!(federation = id, "a federation was made");
        let below = format!("{}{}", self.defaults.link_origin, path::prefix(&id));
        Ok(FederationLinks {
            student_link: format!("{below}/#join={}", made.join_code),
            instructor_link: format!("{below}/instructor.html#token={token}"),
            id,
            name: name.to_owned(),
        })
    }

    /// Makes the store of a federation, and closes it.
    fn make(&self, id: &str, name: &str, token: &str) -> Result<FederationRecord, ServeError> {
        let FederationDefaults { data, base, clock, code_days, .. } = &self.defaults;
        let now_s = clock.now_s();
        let folder = self.folders.begin(id).map_err(StoreError::from)?;
        let records = seed(base, data, &folder, now_s)?;
        records.put_hosted(&HostedRecord { name: name.to_owned(), made_at_s: now_s })?;
        let record = FederationRecord {
            join_code: String::new(),
            join_code_expires_at_s: None,
            instructor_token_sha256: sha256_hex(token.as_bytes()),
        }
        .with_new_code(now_s, *code_days)?;
        records.put_federation(&record)?;
        Ok(record)
    }

    /// Ends the federation `id`: from now on there is none, also after a crash. Its event streams hear of it; its folder is removed
    /// once nothing uses it any more.
    ///
    /// # Errors
    /// There is none, or the disk fails: then it goes on.
    pub fn end(self: &Arc<Self>, id: &str) -> Result<(), ServeError> {
        let _one_at_a_time = self.lock();
        let hosted = self.find(id).ok_or(RequestError::UnknownFederation)?;
        self.folders.end(id).map_err(StoreError::from)?;
        self.hosted.write().unwrap_or_else(PoisonError::into_inner).remove(id);
        tracing::info!(federation = id, "a federation has ended");
        let federations = self.clone();
        self.runtime.spawn(async move {
            hosted.end().await;
            let id = hosted.id().to_owned();
            drop(hosted);
            let removed = tokio::task::spawn_blocking(move || federations.folders.remove(&id)).await;
            match removed {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::warn!(%error, "the folder of an ended federation stays until the next start")
                }
                Err(error) => tracing::warn!(%error, "the folder of an ended federation stays until the next start"),
            }
        });
        Ok(())
    }
}
