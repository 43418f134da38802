//! What all federations of a process share: connections to the database, one of which listens, and the way to the objects.

use std::sync::{Arc, OnceLock};

use super::bridge::Bridge;
use super::bucket::Buckets;
use super::listen::{self, Listeners, News};
use super::pool::{Pool, Pooled, failed};
use super::{CHANNEL, PostgresSettings, TABLE, lease_name};
use crate::secret;
use crate::store::{SERVING, StoreError};

/// A process's connections.
pub(super) struct Connections {
    pub bridge: Arc<Bridge>,
    pub pool: Arc<Pool>,
    pub buckets: Buckets,
    /// What was committed here is to be told.
    pub news: Arc<News>,
    /// Who waits for what others commit.
    pub listeners: Arc<Listeners>,
    /// The lock that is shared while this process listens: of the federation that it has begun with.
    serving: String,
    /// Random, so that a replica does not listen to itself.
    replica: String,
    is_listening: OnceLock<()>,
}

impl Connections {
    /// Connects to the database, and makes its table if need be.
    ///
    /// # Errors
    /// The settings make no sense, or the database cannot be reached.
    pub fn open(settings: &PostgresSettings) -> Result<Self, StoreError> {
        let replica = secret::id().map_err(|error| StoreError::Database(error.to_string()))?;
        let (bridge, pool) = (Arc::new(Bridge::start()?), Arc::new(Pool::new(&settings.url)?));
        let buckets = Buckets::open(&settings.blobs, &settings.s3)?;
        let (news, listeners) = (Arc::<News>::default(), Arc::<Listeners>::default());
        let connections = Self {
            bridge,
            pool,
            buckets,
            news,
            listeners,
            serving: lease_name(&settings.federation, SERVING),
            replica: replica.clone(),
            is_listening: OnceLock::new(),
        };
        connections.with_client(|mut client| async move {
            // Of two that make the table at once, one would fail.
            let transaction = client.transaction().await.map_err(|error| failed(&error))?;
            let make = format!("select pg_advisory_xact_lock(hashtextextended('{CHANNEL}', 0)); {TABLE}");
            transaction.batch_execute(&make).await.map_err(|error| failed(&error))?;
            transaction.commit().await.map_err(|error| failed(&error))?;
            Ok(((), client))
        })?;
        let (pool, news) = (connections.pool.clone(), connections.news.clone());
        connections.bridge.spawn(listen::announce(pool, replica, news));
        Ok(connections)
    }

    /// Does `work` with a connection, which it gives back if it can be used again.
    pub fn with_client<T, F>(&self, work: impl FnOnce(Pooled) -> F + Send + 'static) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<(T, Pooled), StoreError>> + Send,
    {
        let pool = self.pool.clone();
        self.bridge.run(async move {
            let (done, mut client) = work(pool.client().await?).await?;
            client.keep();
            Ok(done)
        })
    }

    /// Listens to other replicas from now on, for all federations.
    pub fn listen(&self) {
        self.is_listening.get_or_init(|| {
            let (pool, replica, serving) = (self.pool.clone(), self.replica.clone(), self.serving.clone());
            self.bridge.spawn(listen::listen(pool, replica, serving, self.listeners.clone()));
        });
    }
}
