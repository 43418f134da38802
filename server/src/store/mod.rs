//! What the aggregator must not lose: records, and objects (weights and updates).
//!
//! One trait, so that an embedded folder and a database with an object store are the same to everything above. Calls block;
//! `serve` makes them on the blocking pool.

mod access;
mod embedded;
mod federation_folders;
mod postgres;
mod record;
mod records;
pub mod schema;

use std::any::Any;
use std::io::Read;

pub use access::CodeUse;
pub use embedded::EmbeddedStore;
pub(crate) use embedded::folders::{is_unfinished, unfinished_folder};
pub use federation_folders::{FederationFolders, link_object};
pub use postgres::{PostgresSettings, PostgresStore};
pub use record::{
    AssistantRecord, BackboneRecord, CodeUsesRecord, FederationRecord, HostedRecord, ModelRecord, ParticipantRecord,
    Phase, RoundRecord, SettingsRecord, UpdateRecord,
};
use tokio::sync::watch;

pub use records::{Records, blob_name, update_name, updates_folder};

/// Why the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk (or whatever is behind the store) failed: full, read-only, gone.
    #[error("the store failed: {0}")]
    Io(#[from] std::io::Error),
    /// The database failed.
    #[error("the store's database failed: {0}")]
    Database(String),
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

    /// A number that changes with what other processes commit, where there can be any.
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

#[cfg(test)]
mod conformance {
    //! What every store must do. A second implementation runs the same functions.

    use std::sync::atomic::Ordering;

    use super::*;

    pub fn records_are_all_or_none(store: &dyn Store) {
        let put = |key: &str| Write::Put { key: key.into(), value: b"1".to_vec() };
        store.commit(&[put("a/1"), put("a/2"), put("b/1")]).unwrap();
        let insert = Write::Insert { key: "a/1".into(), value: b"2".to_vec() };
        assert!(matches!(store.commit(&[put("c"), insert]), Err(StoreError::Exists(_))));
        assert_eq!(store.get("c").unwrap(), None);
        assert_eq!(store.get("a/1").unwrap(), Some(b"1".to_vec()));
        let keys: Vec<String> = store.scan("a/").unwrap().into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["a/1", "a/2"]);
    }

    pub fn records_are_listed_from_the_end_and_deleted(store: &dyn Store) {
        let put = |key: &str| Write::Put { key: key.into(), value: b"1".to_vec() };
        store.commit(&[put("l/1"), put("l/2"), put("l/3"), put("m/1"), put("k/1")]).unwrap();
        let keys = |before, limit| -> Vec<String> {
            store.scan_back("l/", before, limit).unwrap().into_iter().map(|(key, _)| key).collect()
        };
        assert_eq!(keys(None, 2), ["l/3", "l/2"]);
        assert_eq!(keys(Some("l/2"), 9), ["l/1"]);
        store.commit(&[Write::Delete { key: "l/3".into() }, Write::Delete { key: "l/9".into() }]).unwrap();
        assert_eq!(keys(None, 9), ["l/2", "l/1"]);
        store.check_health().unwrap();
        assert!(store.free_bytes().unwrap().is_none_or(|bytes| bytes > 0));
    }

    pub fn a_commit_waits_for_what_it_expects(store: &dyn Store) {
        let value = |text: &str| text.as_bytes().to_vec();
        let put = |key: &str, text: &str| Write::Put { key: key.into(), value: value(text) };
        let expect = |key: &str, text: Option<&str>| Write::Expect { key: key.into(), value: text.map(value) };
        let conflict = |writes: &[Write]| matches!(store.commit(writes), Err(StoreError::Conflict(_)));
        store.commit(&[expect("e/1", None), put("e/1", "a"), put("e/2", "x")]).unwrap();
        assert!(conflict(&[expect("e/1", None), put("e/1", "b"), put("e/2", "y")]));
        assert!(conflict(&[put("e/2", "y"), expect("e/1", Some("b"))]));
        assert!(conflict(&[expect("e/3", Some("b")), put("e/2", "y")]));
        assert_eq!(store.get("e/2").unwrap().unwrap(), b"x");
        store.commit(&[expect("e/1", Some("a")), put("e/1", "b"), expect("e/2", Some("x")), put("e/3", "z")]).unwrap();
        assert_eq!(store.get("e/1").unwrap().unwrap(), b"b");
        assert_eq!((store.count("e/").unwrap(), store.count("").unwrap() >= 3), (3, true));
    }

    pub fn no_more_records_than_allowed(store: &dyn Store) {
        let writes = |key: &str| {
            [
                Write::Insert { key: key.into(), value: b"1".to_vec() },
                Write::AtMost { prefix: "full/".into(), limit: 2 },
            ]
        };
        store.commit(&writes("full/1")).unwrap();
        store.commit(&writes("full/2")).unwrap();
        assert!(matches!(store.commit(&writes("full/3")), Err(StoreError::Full(_))));
        assert_eq!(store.count("full/").unwrap(), 2);
        store.commit(&[Write::Delete { key: "full/1".into() }]).unwrap();
        store.commit(&writes("full/3")).unwrap();
    }

    /// Many change one record at once, each from what it has read: none of the changes is lost.
    pub fn changes_at_once_are_all_there(stores: &[&dyn Store]) {
        const EACH: u32 = 20;
        stores[0].commit(&[Write::Put { key: "sum".into(), value: b"0".to_vec() }]).unwrap();
        let add = |store: &dyn Store| {
            let before = store.get("sum").unwrap().unwrap();
            let sum: u32 = std::str::from_utf8(&before).unwrap().parse().unwrap();
            let value = (sum + 1).to_string().into_bytes();
            store.commit(&[
                Write::Expect { key: "sum".into(), value: Some(before) },
                Write::Put { key: "sum".into(), value },
            ])
        };
        std::thread::scope(|scope| {
            for store in stores.iter().chain(stores) {
                scope.spawn(move || {
                    for _ in 0..EACH {
                        while let Err(error) = add(*store) {
                            assert!(error.is_conflict(), "{error}");
                        }
                    }
                });
            }
        });
        let sum = stores[0].get("sum").unwrap().unwrap();
        assert_eq!(std::str::from_utf8(&sum).unwrap(), (EACH * 2 * stores.len() as u32).to_string());
    }

    pub fn folders_are_listed(store: &dyn Store) {
        store.put_object("listed/1/x", b"1").unwrap();
        store.put_object("listed/20/y", b"1").unwrap();
        let mut names = store.folders("listed").unwrap();
        names.sort();
        assert_eq!(names, ["1", "20"]);
        assert!(store.folders("nothing").unwrap().is_empty());
    }

    pub fn objects_come_and_go(store: &dyn Store) {
        assert!(matches!(store.object("updates/1/x"), Err(StoreError::Missing(_))));
        store.put_object("updates/1/x", b"weights").unwrap();
        store.put_object("updates/1/x", b"newer").unwrap();
        assert_eq!(store.object("updates/1/x").unwrap(), b"newer");
        store.delete_object("updates/1/x").unwrap();
        store.delete_object("updates/1/x").unwrap();
        assert!(matches!(store.object("updates/1/x"), Err(StoreError::Missing(_))));
        store.delete_objects("updates/1").unwrap();
        store.put_object("updates/1/x", b"1").unwrap();
        store.put_object("updates/1/y", b"2").unwrap();
        store.put_object("updates/10/x", b"3").unwrap();
        store.delete_objects("updates/1").unwrap();
        assert!(matches!(store.object("updates/1/y"), Err(StoreError::Missing(_))));
        assert_eq!(store.object("updates/10/x").unwrap(), b"3");
    }

    pub fn folders_go_without_disturbing_who_writes(store: &dyn Store) {
        let writing = std::sync::atomic::AtomicUsize::new(4);
        std::thread::scope(|scope| {
            for writer in 0..writing.load(Ordering::SeqCst) {
                let writing = &writing;
                scope.spawn(move || {
                    let name = format!("updates/2/{writer}");
                    let result = (0..200).try_for_each(|_| store.put_object(&name, b"weights"));
                    writing.fetch_sub(1, Ordering::SeqCst);
                    result.unwrap();
                });
            }
            while writing.load(Ordering::SeqCst) > 0 {
                store.delete_objects("updates/2").unwrap();
            }
        });
    }

    pub fn objects_are_read_in_parts(store: &dyn Store) {
        store.put_object("blobs/x", b"weights").unwrap();
        assert_eq!(store.object_size("blobs/x").unwrap(), 7);
        assert_eq!(store.object_part("blobs/x", 2, 3).unwrap(), b"igh");
        assert_eq!(store.object_part("blobs/x", 5, 9).unwrap(), b"ts");
        assert_eq!(store.object_part("blobs/x", 7, 1).unwrap(), b"");
        assert!(matches!(store.object_size("blobs/y"), Err(StoreError::Missing(_))));
        assert!(matches!(store.object_part("blobs/y", 0, 1), Err(StoreError::Missing(_))));
    }

    pub fn a_snapshot_stays_as_it_was(store: &dyn Store) {
        let put = |value: &[u8]| store.commit(&[Write::Put { key: "s".into(), value: value.to_vec() }]).unwrap();
        let object = |snapshot: &dyn Snapshot, name: &str| {
            let (mut object, length) = snapshot.open(name)?;
            let mut bytes = Vec::new();
            object.read_to_end(&mut bytes)?;
            assert_eq!(bytes.len() as u64, length);
            Ok::<_, StoreError>(bytes)
        };
        put(b"then");
        store.put_object("updates/5/x", b"whole").unwrap();
        store.put_object("blobs/y", b"weights").unwrap();
        let snapshot = store.snapshot().unwrap();
        put(b"now");
        store.delete_objects("updates/5").unwrap();
        store.delete_object("blobs/y").unwrap();
        store.put_object("blobs/z", b"later").unwrap();
        let then = ("s".to_owned(), b"then".to_vec());
        assert!(snapshot.records().contains(&then) && snapshot.records().is_sorted());
        assert!(snapshot.objects().is_sorted() && !snapshot.objects().contains(&"blobs/z".to_owned()));
        assert_eq!(object(snapshot.as_ref(), "updates/5/x").unwrap(), b"whole");
        assert_eq!(object(snapshot.as_ref(), "blobs/y").unwrap(), b"weights");
        assert!(matches!(object(snapshot.as_ref(), "blobs/z"), Err(StoreError::Missing(_))));
        assert_eq!(store.get("s").unwrap().unwrap(), b"now");
    }

    pub fn names_cannot_leave_the_store(store: &dyn Store) {
        for name in ["../x", "/etc/passwd", "a/../../b", "a//b", "", "a\\b"] {
            assert!(store.put_object(name, b"x").is_err(), "{name}");
            assert!(store.object(name).is_err(), "{name}");
            assert!(store.delete_objects(name).is_err(), "{name}");
        }
    }
}
