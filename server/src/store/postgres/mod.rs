//! A store that several replicas share: records in Postgres, objects in a bucket or in a folder that all of them have.
//!
//! Postgres alone coordinates. A commit is a transaction with conditions (`commit.rs`); what others commit is heard (`listen.rs`).

mod bridge;
mod bucket;
mod commit;
mod connections;
mod listen;
mod pool;
mod registry;
mod s3;
mod snapshot;

use std::sync::Arc;

use tokio::sync::watch;
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use self::bucket::Bucket;
use self::connections::Connections;
use self::pool::{Pool, failed};
pub use self::registry::PostgresRegistry;
pub use self::s3::S3Variables;
use self::snapshot::PostgresSnapshot;
use super::{Lease, Snapshot, Store, StoreError, Write, checked_name, end_of};
use crate::secret;

/// Where commits are announced.
const CHANNEL: &str = "emofed_commits";
/// One table for all federations. Keys are compared by their bytes.
const TABLE: &str = "create table if not exists emofed_records (
    federation text not null, key text collate \"C\" not null, value bytea not null, primary key (federation, key))";

/// Where a shared store is.
#[derive(Clone)]
pub struct PostgresSettings {
    /// `postgres://USER:PASSWORD@HOST/DATABASE`.
    pub url: String,
    /// `s3://BUCKET/PREFIX` or `file:///FOLDER`.
    pub blobs: String,
    /// How a bucket is reached.
    pub s3: S3Variables,
    /// Which federation of the database: letters, digits and `-`.
    pub federation: String,
}

/// What the advisory lock of a lease of `federation` is named by.
fn lease_name(federation: &str, name: &str) -> String {
    format!("{federation}/lease/{name}")
}

impl PostgresSettings {
    /// Checks whatever can be known without a connection, and says where the objects are.
    ///
    /// # Errors
    /// The settings make no sense.
    pub fn check(&self) -> Result<String, StoreError> {
        self.check_name()?;
        Pool::new(&self.url)?;
        Bucket::describe(&self.blobs, &self.s3)
    }

    fn check_name(&self) -> Result<(), StoreError> {
        let name = &self.federation;
        let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if name.is_empty() || name.len() > 64 || !is_name {
            let told = format!("`{name}` is no name of a federation: it has up to 64 letters, digits and `-`");
            return Err(StoreError::Settings(told));
        }
        Ok(())
    }
}

/// A federation in Postgres.
pub struct PostgresStore {
    connections: Arc<Connections>,
    bucket: Bucket,
    federation: String,
    /// What other replicas commit here, since this was opened.
    changes: watch::Receiver<u64>,
}

impl PostgresStore {
    /// Connects to the database, and makes its table if need be.
    ///
    /// # Errors
    /// The settings make no sense, or the database or the objects cannot be reached.
    pub fn open(settings: &PostgresSettings) -> Result<Self, StoreError> {
        settings.check_name()?;
        let store = Self::over(Arc::new(Connections::open(settings)?), settings.federation.clone())?;
        let (bucket, id) = (store.bucket.clone(), secret::id());
        let id = id.map_err(|error| StoreError::Database(error.to_string()))?;
        let tried = store.connections.bridge.run_long(async move { bucket.try_out(&id).await });
        tried.map_err(|error| StoreError::Objects { place: settings.blobs.clone(), reason: error.to_string() })?;
        Ok(store)
    }

    /// A federation over the connections that a process has already.
    fn over(connections: Arc<Connections>, federation: String) -> Result<Self, StoreError> {
        let bucket = connections.buckets.of(&federation)?;
        let changes = connections.listeners.subscribe(&federation);
        Ok(Self { connections, bucket, federation, changes })
    }

    /// What there is of federations beside this one, which a process begins with: over the same connections.
    pub fn registry(&self) -> PostgresRegistry {
        PostgresRegistry::new(self.connections.clone(), self)
    }

    /// The rows of a query over keys.
    fn query(&self, query: &'static str, mut keys: Vec<String>, limit: Option<i64>) -> Result<Vec<Row>, StoreError> {
        keys.insert(0, self.federation.clone());
        self.connections.with_client(move |client| async move {
            let mut values: Vec<(&(dyn ToSql + Sync), Type)> = Vec::new();
            values.extend(keys.iter().map(|key| (key as _, Type::TEXT)));
            values.extend(limit.iter().map(|limit| (limit as _, Type::INT8)));
            let rows = client.query_typed(query, &values).await.map_err(|error| failed(&error))?;
            Ok((rows, client))
        })
    }

    fn on_objects<T, F>(&self, work: impl FnOnce(Bucket) -> F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        self.connections.bridge.run(work(self.bucket.clone()))
    }

    /// Works on objects while no other replica deletes any, or takes a snapshot.
    fn alone_on_objects<T, F>(&self, work: impl FnOnce(Bucket) -> F + Send + 'static) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let (bucket, name) = (self.bucket.clone(), format!("{}/objects", self.federation));
        let pool = self.connections.pool.clone();
        self.connections.bridge.run_long(async move {
            let mut client = pool.client().await?;
            let transaction = client.transaction().await.map_err(|error| failed(&error))?;
            let lock = "select pg_advisory_xact_lock(hashtextextended($1, 0))";
            transaction.query_typed(lock, &[(&name, Type::TEXT)]).await.map_err(|error| failed(&error))?;
            let done = work(bucket).await?;
            transaction.commit().await.map_err(|error| failed(&error))?;
            client.keep();
            Ok(done)
        })
    }
}

fn records(rows: &[Row]) -> Vec<(String, Vec<u8>)> {
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

impl Store for PostgresStore {
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let query = "select value from emofed_records where federation = $1 and key = $2";
        Ok(self.query(query, vec![key.to_owned()], None)?.first().map(|row| row.get(0)))
    }

    fn scan(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let query =
            "select key, value from emofed_records where federation = $1 and key >= $2 and key < $3 order by key";
        Ok(records(&self.query(query, vec![prefix.to_owned(), end_of(prefix)], None)?))
    }

    fn scan_back(
        &self,
        prefix: &str,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let query = "select key, value from emofed_records where federation = $1 and key >= $2 and key < $3 \
                     order by key desc limit $4";
        let end = before.map_or_else(|| end_of(prefix), str::to_owned);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        Ok(records(&self.query(query, vec![prefix.to_owned(), end], Some(limit))?))
    }

    fn count(&self, prefix: &str) -> Result<usize, StoreError> {
        let query = "select count(*) from emofed_records where federation = $1 and key >= $2 and key < $3";
        let rows = self.query(query, vec![prefix.to_owned(), end_of(prefix)], None)?;
        let count: i64 = rows.first().map_or(0, |row| row.get(0));
        Ok(usize::try_from(count).unwrap_or(0))
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn changes(&self) -> Option<watch::Receiver<u64>> {
        self.connections.listen();
        Some(self.changes.clone())
    }

    fn lease(&self, name: &str) -> Result<Option<Lease>, StoreError> {
        let (pool, name) = (self.connections.pool.clone(), lease_name(&self.federation, name));
        self.connections.bridge.run(async move {
            // A connection of its own: the lease ends with it, also when the process is killed.
            let client = pool.connect(|_| {}).await?;
            let lock = "select pg_try_advisory_lock(hashtextextended($1, 0))";
            let rows = client.query_typed(lock, &[(&name, Type::TEXT)]).await.map_err(|error| failed(&error))?;
            let is_mine = rows.first().is_some_and(|row| row.get(0));
            Ok(is_mine.then(|| Lease(Some(Box::new(client)))))
        })
    }

    fn check_health(&self) -> Result<(), StoreError> {
        self.get("").map(|_| ())
    }

    fn free_bytes(&self) -> Result<Option<u64>, StoreError> {
        #[cfg(unix)]
        if let Some(folder) = &self.bucket.folder {
            let disk = rustix::fs::statvfs(folder).map_err(std::io::Error::from)?;
            return Ok(Some(disk.f_bavail.saturating_mul(disk.f_frsize)));
        }
        Ok(None)
    }

    fn commit(&self, writes: &[Write]) -> Result<(), StoreError> {
        let (pool, federation, writes) = (self.connections.pool.clone(), self.federation.clone(), writes.to_vec());
        let committed = self.connections.bridge.run(async move {
            let mut client = pool.client().await?;
            let done = commit::commit(&mut client, &federation, &writes).await;
            if !matches!(done, Err(StoreError::Database(_) | StoreError::Io(_))) {
                client.keep();
            }
            done
        });
        // A commit that failed may hold.
        if !committed.as_ref().is_err_and(StoreError::is_conflict) {
            self.connections.news.add(&self.federation);
        }
        committed
    }

    fn put_object(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let (name, bytes) = (checked_name(name)?.to_owned(), bytes.to_owned());
        self.on_objects(|bucket| async move { bucket.put(&name, bytes).await })
    }

    fn object(&self, name: &str) -> Result<Vec<u8>, StoreError> {
        let name = checked_name(name)?.to_owned();
        self.on_objects(|bucket| async move { bucket.get(&name).await })
    }

    fn object_size(&self, name: &str) -> Result<u64, StoreError> {
        let name = checked_name(name)?.to_owned();
        self.on_objects(|bucket| async move { bucket.size(&name).await })
    }

    fn object_part(&self, name: &str, start: u64, length: usize) -> Result<Vec<u8>, StoreError> {
        let name = checked_name(name)?.to_owned();
        self.on_objects(move |bucket| async move { bucket.part(&name, start, length as u64).await })
    }

    fn delete_object(&self, name: &str) -> Result<(), StoreError> {
        let name = checked_name(name)?.to_owned();
        self.alone_on_objects(|bucket| async move { bucket.delete(&name).await })
    }

    fn folders(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let folder = checked_name(folder)?.to_owned();
        self.on_objects(|bucket| async move { bucket.folders(&folder).await })
    }

    fn delete_objects(&self, folder: &str) -> Result<(), StoreError> {
        let folder = checked_name(folder)?.to_owned();
        self.alone_on_objects(|bucket| async move { bucket.delete_all(&folder).await })
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        let id = secret::id().map_err(|error| StoreError::Database(error.to_string()))?;
        let (pool, federation, copies) = (self.connections.pool.clone(), self.federation.clone(), id.clone());
        // An object is stored before the record that names it, and deleted after that record: with no deletion between, all that
        // the records name are there. One statement reads the records of one moment.
        let (records, objects) = self.alone_on_objects(move |bucket| async move {
            // Outside of the pool, all of which may wait for this to end.
            let client = pool.connect(|_| {}).await?;
            let all = "select key, value from emofed_records where federation = $1 order by key";
            let rows = client.query_typed(all, &[(&federation, Type::TEXT)]).await.map_err(|error| failed(&error))?;
            Ok((records(&rows), bucket.copy_all(&copies).await?))
        })?;
        let (bridge, bucket) = (self.connections.bridge.clone(), self.bucket.clone());
        Ok(Box::new(PostgresSnapshot { bridge, bucket, id, records, objects }))
    }
}

#[cfg(test)]
mod tests;
