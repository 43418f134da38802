//! What a federation of the test is stored on: memory or a folder, and the failures of both.

use std::io::ErrorKind;
use std::sync::{Arc, Mutex};

use emofed_server::backup::{Part, read, restore};
use emofed_server::store::{EmbeddedStore, Snapshot, Store, StoreError, Write};
use tempfile::TempDir;

use super::super::harness::{model, prepare_store};
use super::memory::Memory;

/// What outlives a crash.
pub enum Disk {
    Memory(Arc<Memory>),
    Folder(TempDir),
}

impl Disk {
    /// With a backbone, a detector and a first model.
    pub fn memory() -> Self {
        let memory = Arc::new(Memory::default());
        prepare_store(memory.clone(), &model());
        Self::Memory(memory)
    }

    /// The same in a folder.
    pub fn folder() -> Self {
        let folder = tempfile::tempdir().unwrap();
        prepare_store(Arc::new(EmbeddedStore::open(folder.path()).unwrap()), &model());
        Self::Folder(folder)
    }

    /// The store after a start. Whoever had it open before has to be gone.
    pub fn open(&self) -> Arc<FailingStore> {
        let store: Arc<dyn Store> = match self {
            Self::Memory(memory) => memory.clone(),
            Self::Folder(folder) => Arc::new(EmbeddedStore::open(folder.path()).unwrap()),
        };
        Arc::new(FailingStore { store, failure: Mutex::default() })
    }

    /// Another disk with what is in a backup.
    pub fn restored(&self, backup: &[u8]) -> Self {
        match self {
            Self::Memory(_) => {
                let memory = Arc::new(Memory::default());
                let take = |part| {
                    match part {
                        Part::Records(records) => memory.put_records(records),
                        Part::Object { name, bytes } => memory.put_object(&name, &bytes).unwrap(),
                        Part::Token(_) => {}
                    }
                    Ok(())
                };
                read(backup, take).unwrap();
                Self::Memory(memory)
            }
            Self::Folder(_) => {
                let folder = tempfile::tempdir().unwrap();
                restore(backup, folder.path(), false).unwrap();
                // The specification numbers rounds and versions without gaps.
                let store = EmbeddedStore::open(folder.path()).unwrap();
                store.commit(&[Write::Delete { key: "newest".to_owned() }]).unwrap();
                drop(store);
                Self::Folder(folder)
            }
        }
    }
}

/// When and how a store fails.
#[derive(Clone, Copy, Debug)]
pub struct Failure {
    /// So many writes succeed first.
    pub writes: u32,
    /// The write that fails is made nevertheless, as when the disk fails after the last sync.
    pub is_made: bool,
    /// Nothing works any more after that, as when the process dies.
    pub is_crash: bool,
}

/// What is left of a failure.
#[derive(Default)]
struct Pending {
    failure: Option<Failure>,
    has_failed: bool,
    has_crashed: bool,
}

/// A store that fails when the test says so.
pub struct FailingStore {
    store: Arc<dyn Store>,
    failure: Mutex<Pending>,
}

impl FailingStore {
    /// Fails from now on, or no more; but what has crashed has crashed.
    pub fn fail(&self, failure: Option<Failure>) {
        let mut pending = self.failure.lock().unwrap();
        *pending = Pending { failure, has_failed: false, has_crashed: pending.has_crashed };
    }

    /// Whether it has failed since it was told to.
    pub fn has_failed(&self) -> bool {
        self.failure.lock().unwrap().has_failed
    }

    fn read(&self) -> Result<&dyn Store, StoreError> {
        if self.failure.lock().unwrap().has_crashed {
            return Err(std::io::Error::other("it has crashed").into());
        }
        Ok(self.store.as_ref())
    }

    fn write(&self, write: impl FnOnce(&dyn Store) -> Result<(), StoreError>) -> Result<(), StoreError> {
        let store = self.read()?;
        let failing = {
            let mut pending = self.failure.lock().unwrap();
            match &mut pending.failure {
                Some(Failure { writes: 0, .. }) => pending.failure.take(),
                Some(failure) => {
                    failure.writes -= 1;
                    None
                }
                None => None,
            }
        };
        let Some(Failure { is_made, is_crash, .. }) = failing else { return write(store) };
        {
            let mut pending = self.failure.lock().unwrap();
            (pending.has_failed, pending.has_crashed) = (true, is_crash);
        }
        if is_made {
            write(store)?;
        }
        Err(std::io::Error::from(ErrorKind::StorageFull).into())
    }
}

impl Store for FailingStore {
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.read()?.get(key)
    }

    fn scan(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        self.read()?.scan(prefix)
    }

    fn scan_back(
        &self,
        prefix: &str,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        self.read()?.scan_back(prefix, before, limit)
    }

    fn check_health(&self) -> Result<(), StoreError> {
        self.read()?.check_health()
    }

    fn free_bytes(&self) -> Result<Option<u64>, StoreError> {
        self.read()?.free_bytes()
    }

    fn commit(&self, writes: &[Write]) -> Result<(), StoreError> {
        self.write(|store| store.commit(writes))
    }

    fn put_object(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.write(|store| store.put_object(name, bytes))
    }

    fn object(&self, name: &str) -> Result<Vec<u8>, StoreError> {
        self.read()?.object(name)
    }

    fn object_size(&self, name: &str) -> Result<u64, StoreError> {
        self.read()?.object_size(name)
    }

    fn object_part(&self, name: &str, start: u64, length: usize) -> Result<Vec<u8>, StoreError> {
        self.read()?.object_part(name, start, length)
    }

    fn delete_object(&self, name: &str) -> Result<(), StoreError> {
        self.write(|store| store.delete_object(name))
    }

    fn folders(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        self.read()?.folders(folder)
    }

    fn delete_objects(&self, folder: &str) -> Result<(), StoreError> {
        self.write(|store| store.delete_objects(folder))
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        self.read()?.snapshot()
    }
}
