//! Where the records and objects of a federation are: in the data folder, or in a store that several replicas share.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use emofed_server::store::{
    EmbeddedStore, FederationFolders, FederationRegistry, Lease, PostgresSettings, PostgresStore, S3Variables, SERVING,
    Store, StoreError,
};

use super::{DataFolder, Failure};

/// How long a replica waits for another one that starts.
const START_TIMEOUT: Duration = Duration::from_secs(120);

/// The store that several replicas share, if there is one.
#[derive(clap::Args, Clone)]
pub struct SharedStorage {
    /// Keep the federation in this Postgres database instead of the data folder, so that several replicas can serve it:
    /// postgres://USER:PASSWORD@HOST/DATABASE. Others see a command line: rather set the variable
    #[arg(long, env = "EMOFED_STORE", hide_env_values = true, value_name = "URL", requires = "blobs")]
    store: Option<String>,
    /// Where that federation's weights and updates are: file:///FOLDER, a folder that all replicas have, or s3://BUCKET/PREFIX, with the
    /// variables AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION, and for others than Amazon's AWS_ENDPOINT=https://HOST
    /// (for http://, AWS_ALLOW_HTTP=true, too). The bucket is there already; it is tried at the start
    #[arg(long, env = "EMOFED_BLOBS", value_name = "URL", requires = "store")]
    blobs: Option<String>,
    /// Which federation of the database
    #[arg(long, env = "EMOFED_FEDERATION", default_value = "class", value_name = "NAME")]
    federation: String,
}

/// The store of the federation that an aggregator begins with, and which there are beside it.
pub type StoreWithRegistry = (Arc<dyn Store>, Arc<dyn FederationRegistry>);

/// The data folder, and the shared store if there is one.
#[derive(clap::Args, Clone)]
pub struct Storage {
    #[command(flatten)]
    shared: SharedStorage,
    #[command(flatten)]
    data: DataFolder,
}

impl SharedStorage {
    /// Where it is.
    pub fn settings(&self) -> Option<PostgresSettings> {
        let (url, blobs) = (self.store.clone()?, self.blobs.clone()?);
        Some(PostgresSettings { url, blobs, s3: S3Variables::from_env(), federation: self.federation.clone() })
    }
}

impl Storage {
    /// Whether several replicas share it.
    pub fn is_shared(&self) -> bool {
        self.shared.settings().is_some()
    }

    /// Opens it.
    pub fn open(&self) -> Result<Arc<dyn Store>, Failure> {
        Ok(self.open_with_registry()?.0)
    }

    /// Opens it, and what says which federations an operator has made beside the one in it.
    pub fn open_with_registry(&self) -> Result<StoreWithRegistry, Failure> {
        match self.shared.settings() {
            Some(settings) => {
                let store = PostgresStore::open(&settings)?;
                let registry = Arc::new(store.registry());
                Ok((Arc::new(store), registry))
            }
            None => {
                let folder = self.folder()?;
                let store = Arc::new(EmbeddedStore::open(&folder)?);
                let folders = FederationFolders::open(&folder).map_err(StoreError::from)?;
                Ok((store, Arc::new(folders)))
            }
        }
    }

    /// The data folder, which is made if need be. Of a shared store it has the instructor's token, the links and the certificate.
    pub fn folder(&self) -> Result<PathBuf, Failure> {
        let folder = self.data.path()?;
        if self.is_shared() {
            std::fs::create_dir_all(&folder).map_err(|error| super::credentials::unwritable(&folder, &error))?;
        }
        Ok(folder)
    }
}

/// Held while a command changes what replicas read when they start: none may run.
pub fn without_replicas(store: &dyn Store) -> Result<[Lease; 2], Failure> {
    let none_starts = starting(store)?;
    let none_serves = store.lease(SERVING)?.ok_or_else(|| {
        let way_out = "stop all of them, run this command again, and start them again";
        Failure::new("replicas of this federation are running, and would not hear of it", way_out)
    })?;
    Ok([none_starts, none_serves])
}

/// Held while a replica starts, so that what a federation begins with is made once.
pub fn starting(store: &dyn Store) -> Result<Lease, Failure> {
    let since = Instant::now();
    loop {
        if let Some(lease) = store.lease("start")? {
            return Ok(lease);
        }
        if since.elapsed() > START_TIMEOUT {
            let message = "another replica has been starting for two minutes";
            return Err(Failure::new(message, "see its log, and start this one again when it serves"));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}
