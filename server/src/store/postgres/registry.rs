//! Which federations there are beside the first, as records in Postgres that all replicas see.
//!
//! The records are in a key space of their own, `NAME.federations` of the first federation `NAME`; the federation `ID` has its records
//! and objects in that of `NAME.ID`. No first federation's name has a dot.
//!
//! - `new/ID`: it is being made, by who holds the lease `making/ID`. A crash ends the lease, and whoever tidies up next ends the federation.
//! - `made/ID`: it is there.
//! - `ended/ID`: it is none any more. What it has stored goes [`GRACE_S`] later.
//!
//! Each step deletes one of these records and inserts the next in one transaction that expects the former, so that of two who do the
//! same one is refused.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio_postgres::types::Type;

use super::PostgresStore;
use super::connections::Connections;
use super::pool::failed;
use crate::store::federation_registry::FederationRegistry;
use crate::store::records::{insert, put, read};
use crate::store::{Lease, Store, StoreError, Write};

/// How long an ended federation stays stored: replicas hear of the end within seconds, and finish the requests that they have begun.
const GRACE_S: u64 = 120;

/// How often copies are looked for that crashed backups left.
const COPIES_INTERVAL_S: u64 = 3_600;

const NEW: &str = "new/";
const MADE: &str = "made/";
const ENDED: &str = "ended/";
const OPERATOR: &str = "operator";
/// The lease of who tidies up.
const TIDYING: &str = "tidying";

/// When a federation was begun, made or ended, in seconds since 1970.
#[derive(Debug, Serialize, Deserialize)]
struct StepRecord {
    at_s: u64,
}

/// The operator of all replicas.
#[derive(Debug, Serialize, Deserialize)]
struct OperatorRecord {
    token_sha256: String,
}

/// The federations beside the first.
pub struct PostgresRegistry {
    connections: Arc<Connections>,
    /// The name of the first federation.
    first: String,
    /// The records; it has no objects.
    pub(super) steps: PostgresStore,
    /// The leases of those that this process makes.
    making: Mutex<BTreeMap<String, Lease>>,
    /// When copies that crashed backups left were last looked for, in seconds since 1970.
    looked_for_copies_at_s: AtomicU64,
}

impl PostgresRegistry {
    pub(super) fn new(connections: Arc<Connections>, of: &PostgresStore) -> Self {
        let federation = format!("{}.federations", of.federation);
        let changes = connections.listeners.subscribe(&federation);
        let (own, bucket) = (connections.clone(), of.bucket.clone());
        let steps = PostgresStore { connections: own, bucket, federation, changes };
        let (first, making) = (of.federation.clone(), Mutex::default());
        Self { connections, first, steps, making, looked_for_copies_at_s: AtomicU64::new(0) }
    }

    /// What the records and objects of the federation `id` are of.
    fn name_of(&self, id: &str) -> String {
        format!("{}.{id}", self.first)
    }

    fn open_store(&self, id: &str) -> Result<PostgresStore, StoreError> {
        PostgresStore::over(self.connections.clone(), self.name_of(id))
    }

    /// Makes the record at `before`, `after` at `now_s`, and expects the former to be there; `conditions` follow.
    fn step(&self, before: String, after: String, now_s: u64, conditions: &[Write]) -> Result<(), StoreError> {
        let value = self.steps.get(&before)?.ok_or_else(|| StoreError::Missing(before.clone()))?;
        let expected = Write::Expect { key: before.clone(), value: Some(value) };
        let mut writes = vec![expected, Write::Delete { key: before }, insert(after, &StepRecord { at_s: now_s })];
        writes.extend_from_slice(conditions);
        self.steps.commit(&writes)
    }

    fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<(Vec<u8>, T)>, StoreError> {
        let Some(value) = self.steps.get(key)? else { return Ok(None) };
        let record = read(key, &value)?;
        Ok(Some((value, record)))
    }

    /// The ids with a record below `prefix`, and what it says.
    fn all(&self, prefix: &str) -> Result<Vec<(String, StepRecord)>, StoreError> {
        let id = |key: &str| key.strip_prefix(prefix).unwrap_or(key).to_owned();
        self.steps.scan(prefix)?.iter().map(|(key, value)| Ok((id(key), read(key, value)?))).collect()
    }

    fn stop_making(&self, id: &str) {
        self.making.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }

    /// Ends what a process began to make that is gone.
    fn end_unfinished(&self, now_s: u64) -> Result<(), StoreError> {
        for (id, _) in self.all(NEW)? {
            // The lease of the one who makes it, this process included, is nobody else's.
            if let Some(_alone) = self.steps.lease(&format!("making/{id}"))? {
                match self.step(format!("{NEW}{id}"), format!("{ENDED}{id}"), now_s, &[]) {
                    // It was completed, or given up, meanwhile.
                    Err(StoreError::Missing(_) | StoreError::Conflict(_)) => continue,
                    ended => ended?,
                }
                tracing::info!(federation = id, "a federation that was being made when its replica ended has ended");
            }
        }
        Ok(())
    }

    /// Deletes copies that backups left which were broken off, in all federations, now and then.
    fn drop_old_copies(&self, now_s: u64) -> Result<(), StoreError> {
        if now_s.saturating_sub(self.looked_for_copies_at_s.swap(now_s, Ordering::Relaxed)) < COPIES_INTERVAL_S {
            return Ok(());
        }
        let hosted = self.ids()?.iter().map(|id| self.name_of(id)).collect::<Vec<_>>();
        for federation in hosted.iter().chain([&self.first]) {
            let bucket = self.connections.buckets.of(federation)?;
            self.connections.bridge.run_long(async move { bucket.drop_old_copies().await })?;
        }
        Ok(())
    }

    /// Deletes all that an ended federation has stored, and the record of its end last; not while a backup of it is being written, as it
    /// was when it had not ended. Whether it did.
    fn remove(&self, id: &str) -> Result<bool, StoreError> {
        let federation = self.name_of(id);
        let bucket = self.connections.buckets.of(&federation)?;
        if self.connections.bridge.run_long(async move { bucket.has_copies().await })? {
            return Ok(false);
        }
        match self.connections.buckets.folder_of(&federation) {
            Some(folder) => match std::fs::remove_dir_all(&folder) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            },
            None => {
                let bucket = self.connections.buckets.of(&federation)?;
                self.connections.bridge.run_long(async move { bucket.delete_everything().await })?;
            }
        }
        self.connections.with_client(move |client| async move {
            let delete = "delete from emofed_records where federation = $1";
            client.query_typed(delete, &[(&federation, Type::TEXT)]).await.map_err(|error| failed(&error))?;
            Ok(((), client))
        })?;
        self.steps.commit(&[Write::Delete { key: format!("{ENDED}{id}") }])?;
        Ok(true)
    }
}

impl FederationRegistry for PostgresRegistry {
    fn is_used(&self) -> Result<bool, StoreError> {
        Ok(self.steps.count("")? > 0)
    }

    fn ids(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.all(MADE)?.into_iter().map(|(id, _)| id).collect())
    }

    fn store(&self, id: &str) -> Result<Arc<dyn Store>, StoreError> {
        Ok(Arc::new(self.open_store(id)?))
    }

    fn begin(&self, id: &str, limit: usize, now_s: u64) -> Result<Arc<dyn Store>, StoreError> {
        if self.steps.count(MADE)? >= limit {
            return Err(StoreError::Full(MADE.to_owned()));
        }
        // Before the record, so that nobody takes it for what a crash has left.
        let lease = self.steps.lease(&format!("making/{id}"))?;
        let lease = lease.ok_or_else(|| StoreError::Exists(format!("{NEW}{id}")))?;
        self.making.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned(), lease);
        // One that has ended is still to be removed: what is made now would go with it.
        let has_not_ended = Write::Expect { key: format!("{ENDED}{id}"), value: None };
        let begun = self.steps.commit(&[has_not_ended, insert(format!("{NEW}{id}"), &StepRecord { at_s: now_s })]);
        begun.inspect_err(|_| self.stop_making(id))?;
        self.store(id)
    }

    fn give_object(&self, id: &str, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.open_store(id)?.put_object(name, bytes)
    }

    fn complete(&self, id: &str, limit: usize, now_s: u64) -> Result<(), StoreError> {
        let limit = Write::AtMost { prefix: MADE.to_owned(), limit: limit as u64 };
        self.step(format!("{NEW}{id}"), format!("{MADE}{id}"), now_s, &[limit])?;
        self.stop_making(id);
        Ok(())
    }

    fn give_up(&self, id: &str, now_s: u64) -> Result<(), StoreError> {
        self.stop_making(id);
        match self.step(format!("{NEW}{id}"), format!("{ENDED}{id}"), now_s, &[]) {
            // It was not begun, or another replica ends it.
            Err(StoreError::Missing(_) | StoreError::Conflict(_)) => Ok(()),
            given_up => given_up,
        }
    }

    fn end(&self, id: &str, now_s: u64) -> Result<(), StoreError> {
        self.stop_making(id);
        let made = format!("{MADE}{id}");
        match self.step(made.clone(), format!("{ENDED}{id}"), now_s, &[]) {
            // Another replica was faster.
            Err(StoreError::Conflict(_)) => Err(StoreError::Missing(made)),
            ended => ended,
        }
    }

    fn release(&self, _id: &str) -> Result<(), StoreError> {
        // Other replicas may still use it: it goes with the grace time.
        Ok(())
    }

    fn tidy(&self, now_s: u64) -> Result<(), StoreError> {
        self.drop_old_copies(now_s)?;
        if self.steps.count(NEW)? == 0 && self.steps.count(ENDED)? == 0 {
            return Ok(());
        }
        let Some(_lease) = self.steps.lease(TIDYING)? else { return Ok(()) };
        self.end_unfinished(now_s)?;
        for (id, StepRecord { at_s }) in self.all(ENDED)? {
            if at_s.saturating_add(GRACE_S) > now_s {
                continue;
            }
            match self.remove(&id) {
                Ok(true) => tracing::info!(federation = id, "what an ended federation had stored is deleted"),
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(federation = id, %error, "what an ended federation has stored stays for now")
                }
            }
        }
        Ok(())
    }

    fn changes(&self) -> Option<watch::Receiver<u64>> {
        self.steps.changes()
    }

    fn operator_token_sha256(&self) -> Result<Option<String>, StoreError> {
        Ok(self.get(OPERATOR)?.map(|(_, OperatorRecord { token_sha256 })| token_sha256))
    }

    fn change_operator_token(&self, before: Option<&str>, after: &str) -> Result<(), StoreError> {
        let found = self.get::<OperatorRecord>(OPERATOR)?;
        if found.as_ref().map(|(_, record)| record.token_sha256.as_str()) != before {
            return Err(StoreError::Conflict(OPERATOR.to_owned()));
        }
        let expected = Write::Expect { key: OPERATOR.to_owned(), value: found.map(|(value, _)| value) };
        self.steps.commit(&[expected, put(OPERATOR, &OperatorRecord { token_sha256: after.to_owned() })])
    }
}
