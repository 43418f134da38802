//! Where the records and objects of a federation are: in the data folder, or in a store that several replicas share.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use emofed_server::store::{EmbeddedStore, Lease, PostgresSettings, PostgresStore, Store};

use super::{DataFolder, Failure};

/// How long a replica waits for another one that starts.
const START_TIMEOUT: Duration = Duration::from_secs(120);

/// The data folder, and the shared store if there is one.
#[derive(clap::Args, Clone)]
pub struct Storage {
    /// Keep the federation in this Postgres database instead of the data folder, so that several replicas can serve it:
    /// postgres://USER:PASSWORD@HOST/DATABASE. Others see a command line: rather set the variable
    #[arg(long, env = "EMOFED_STORE", hide_env_values = true, value_name = "URL", requires = "blobs")]
    store: Option<String>,
    /// Where that federation's weights and updates are: s3://BUCKET/PREFIX (with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION,
    /// AWS_ENDPOINT, AWS_ALLOW_HTTP), or file:///FOLDER, a folder that all replicas have
    #[arg(long, env = "EMOFED_BLOBS", value_name = "URL", requires = "store")]
    blobs: Option<String>,
    /// Which federation of the database
    #[arg(long, env = "EMOFED_FEDERATION", default_value = "class", value_name = "NAME")]
    federation: String,
    #[command(flatten)]
    data: DataFolder,
}

impl Storage {
    /// Whether several replicas share it.
    pub fn is_shared(&self) -> bool {
        self.store.is_some()
    }

    /// Opens it.
    pub fn open(&self) -> Result<Arc<dyn Store>, Failure> {
        match (&self.store, &self.blobs) {
            (Some(url), Some(blobs)) => {
                let (url, blobs, federation) = (url.clone(), blobs.clone(), self.federation.clone());
                Ok(Arc::new(PostgresStore::open(&PostgresSettings { url, blobs, federation })?))
            }
            _ => Ok(Arc::new(EmbeddedStore::open(&self.folder()?)?)),
        }
    }

    /// The data folder, which is made if need be. Of a shared store it has the instructor's token, the links and the certificate.
    pub fn folder(&self) -> Result<PathBuf, Failure> {
        let folder = self.data.path()?;
        if self.store.is_some() {
            std::fs::create_dir_all(&folder).map_err(|error| super::credentials::unwritable(&folder, &error))?;
        }
        Ok(folder)
    }
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
