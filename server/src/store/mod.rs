//! What the aggregator must not lose: records, and objects (weights and updates).
//!
//! One trait, so that an embedded folder and a database with an object store are the same to everything above. Calls block;
//! `serve` makes them on the blocking pool.

mod access;
#[cfg(test)]
mod conformance;
mod embedded;
mod federation_folders;
mod federation_registry;
mod objects;
mod postgres;
mod record;
mod records;
#[cfg(test)]
mod registry_conformance;
mod rounds;
pub mod schema;

use std::any::Any;
use std::io::Read;

use tokio::sync::watch;

pub use access::{CodeUse, Grant};
pub use embedded::EmbeddedStore;
pub(crate) use embedded::folders::{is_unfinished, unfinished_folder};
pub use federation_folders::FederationFolders;
pub use federation_registry::FederationRegistry;
pub use objects::{blob_name, update_name, updates_folder};
pub use postgres::{PostgresRegistry, PostgresSettings, PostgresStore, S3Variables};
pub use record::{
    AssistantRecord, BackboneRecord, Candidate, CodeUsesRecord, FederationRecord, HostedRecord, ModelRecord,
    NewestRecord, ParticipantRecord, Phase, RoundRecord, SettingsRecord, UpdateRecord,
};
pub use records::Records;
pub(crate) use rounds::restored;

/// Why the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk (or whatever is behind the store) failed: full, read-only, gone.
    #[error("the store failed: {0}")]
    Io(#[from] std::io::Error),
    /// The database failed.
    #[error("the store's database failed: {0}")]
    Database(String),
    /// Objects cannot be kept where a shared store has them.
    #[error("objects cannot be kept in {place}: {reason}")]
    Objects {
        /// The folder or the bucket.
        place: String,
        /// Why not.
        reason: String,
    },
    /// A record or an object is not what it should be.
    #[error("`{key}` in the store is damaged: {reason}")]
    Damaged {
        /// Its key or name.
        key: String,
        /// What is wrong.
        reason: String,
    },
    /// A newer program has written the records.
    #[error("the records have schema version {found}; this emofed reads up to {}", schema::SCHEMA_VERSION)]
    NewerSchema {
        /// Their version.
        found: u64,
    },
    /// An object is not there.
    #[error("the object `{0}` is missing")]
    Missing(String),
    /// Another process uses the folder.
    #[error("another emofed uses this data folder")]
    InUse,
    /// Something that must be new is there already.
    #[error("the record `{0}` exists already")]
    Exists(String),
    /// A record is not what the change was computed from: another process was faster. Read again, and try again.
    #[error("the record `{0}` has been changed meanwhile")]
    Conflict(String),
    /// There are as many records as there may be.
    #[error("there are as many records `{0}…` as there may be")]
    Full(String),
    /// The store is not described as it should be.
    #[error("{0}")]
    Settings(String),
}

impl StoreError {
    /// Whether another process was faster, so that the same is worth trying on what it has left.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict(_) | Self::Exists(_))
    }
}

/// A change of a record, or a condition of all changes that are committed with it.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// Sets `key` to `value`.
    Put {
        /// The record's key.
        key: String,
        /// Its new value.
        value: Vec<u8>,
    },
    /// Removes `key`, if it is there.
    Delete {
        /// The record's key.
        key: String,
    },
    /// Sets `key`, which must not exist.
    Insert {
        /// The record's key.
        key: String,
        /// Its value.
        value: Vec<u8>,
    },
    /// Changes nothing; `key` must have `value` when the changes are made, or not exist.
    Expect {
        /// The record's key.
        key: String,
        /// What it has to have.
        value: Option<Vec<u8>>,
    },
    /// Changes nothing; after the changes before this one there must be no more than `limit` records whose keys begin with `prefix`.
    AtMost {
        /// What their keys begin with.
        prefix: String,
        /// Most records.
        limit: u64,
    },
}

/// The lease of who changes what a process reads only when it begins to serve.
pub const SERVING: &str = "serving";

/// Held by one process at a time, as long as it is kept: it saves others the same work. Nothing may rest on it.
pub struct Lease(#[allow(dead_code, reason = "kept for its end")] Option<Box<dyn Any + Send>>);

/// Durable storage.
pub trait Store: Send + Sync + 'static {
    /// The record at `key`.
    ///
    /// # Errors
    /// The store fails.
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// All records whose keys begin with `prefix`, in the order of their keys.
    ///
    /// # Errors
    /// The store fails.
    fn scan(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError>;

    /// Up to `limit` records whose keys begin with `prefix` and come before `before`, the last one first.
    ///
    /// # Errors
    /// The store fails.
    fn scan_back(&self, prefix: &str, before: Option<&str>, limit: usize)
    -> Result<Vec<(String, Vec<u8>)>, StoreError>;

    /// How many records have keys that begin with `prefix`.
    ///
    /// # Errors
    /// The store fails.
    fn count(&self, prefix: &str) -> Result<usize, StoreError> {
        Ok(self.scan(prefix)?.len())
    }

    /// Whether other processes may change the records meanwhile.
    fn is_shared(&self) -> bool {
        false
    }

    /// A number that changes with what other processes commit, where there can be any. From its first change on, as long as the store
    /// is open, the lease [`SERVING`] is nobody's.
    fn changes(&self) -> Option<watch::Receiver<u64>> {
        None
    }

    /// The lease called `name`; absent while another process has it.
    ///
    /// # Errors
    /// The store fails.
    fn lease(&self, name: &str) -> Result<Option<Lease>, StoreError> {
        let _alone = name;
        Ok(Some(Lease(None)))
    }

    /// Whether records can be read now. Writes nothing; a database that failed is opened again first.
    ///
    /// # Errors
    /// They cannot.
    fn check_health(&self) -> Result<(), StoreError>;

    /// Bytes that can still be stored, where that is known.
    ///
    /// # Errors
    /// The store fails.
    fn free_bytes(&self) -> Result<Option<u64>, StoreError>;

    /// Makes all changes or none. They are durable when this returns.
    ///
    /// # Errors
    /// The store fails, [`StoreError::Exists`], [`StoreError::Conflict`] or [`StoreError::Full`]: then nothing has changed.
    fn commit(&self, writes: &[Write]) -> Result<(), StoreError>;

    /// Stores an object under a name. It is durable, and there as a whole, when this returns.
    ///
    /// # Errors
    /// The store fails: then the name is as it was.
    fn put_object(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError>;

    /// The object called `name`.
    ///
    /// # Errors
    /// [`StoreError::Missing`], or the store fails.
    fn object(&self, name: &str) -> Result<Vec<u8>, StoreError>;

    /// How many bytes the object called `name` has.
    ///
    /// # Errors
    /// [`StoreError::Missing`], or the store fails.
    fn object_size(&self, name: &str) -> Result<u64, StoreError>;

    /// A part of the object called `name`: fewer bytes than asked for where it ends, none behind its end.
    ///
    /// # Errors
    /// [`StoreError::Missing`], or the store fails.
    fn object_part(&self, name: &str, start: u64, length: usize) -> Result<Vec<u8>, StoreError>;

    /// Deletes an object, if it is there.
    ///
    /// # Errors
    /// The store fails.
    fn delete_object(&self, name: &str) -> Result<(), StoreError>;

    /// The names of folders directly in `folder`, such as `7` for `updates/7/x`.
    ///
    /// # Errors
    /// The store fails.
    fn folders(&self, folder: &str) -> Result<Vec<String>, StoreError>;

    /// Deletes every object whose name begins with `folder` and a `/`.
    ///
    /// # Errors
    /// The store fails; some may be deleted then.
    fn delete_objects(&self, folder: &str) -> Result<(), StoreError>;

    /// All records of this moment, and every object that they may name. What is written or deleted later does not change it.
    ///
    /// # Errors
    /// The store fails.
    fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError>;
}

/// What comes after every key that begins with `prefix`: keys are ASCII.
fn end_of(prefix: &str) -> String {
    format!("{prefix}\u{7f}")
}

/// The name of an object, which is made of letters, digits, `-` and `.` in parts joined by `/`.
fn checked_name(name: &str) -> Result<&str, StoreError> {
    let is_part = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
    };
    if name.split('/').all(is_part) { Ok(name) } else { Err(StoreError::Missing(name.to_owned())) }
}

/// Whether a snapshot has the object called `name`.
///
/// # Errors
/// [`StoreError::Missing`].
fn check_listed(objects: &[String], name: &str) -> Result<(), StoreError> {
    match objects.binary_search_by(|object| object.as_str().cmp(name)) {
        Ok(_) => Ok(()),
        Err(_) => Err(StoreError::Missing(name.to_owned())),
    }
}

/// A consistent state of a store, which goes on meanwhile.
pub trait Snapshot: Send {
    /// The records, in the order of their keys.
    fn records(&self) -> &[(String, Vec<u8>)];

    /// The names of the objects, in their order.
    fn objects(&self) -> &[String];

    /// Opens the object called `name` for reading, and gives its length in bytes.
    ///
    /// # Errors
    /// [`StoreError::Missing`], or the store fails.
    fn open(&self, name: &str) -> Result<(Box<dyn Read + Send>, u64), StoreError>;
}
