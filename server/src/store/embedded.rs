//! The embedded store: one folder, with a redb database for records and files for objects.

mod errors;
pub(super) mod folders;
mod snapshot;

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};

use redb::{Database, DatabaseError, ReadableDatabase as _, ReadableTable as _, TableDefinition};

use self::errors::{database_error, object_error, opening_error};
use self::folders::{UNFINISHED, delete_unfinished, delete_unfinished_folders, make_private, subfolders};
pub(super) use self::folders::{create_durably, sync_folder};
use self::snapshot::EmbeddedSnapshot;
use super::{Snapshot, Store, StoreError, Write, checked_name, end_of};

/// Records are small, and an aggregator may have many stores; redb's default is 1 GiB for each.
const CACHE_BYTES: usize = 16 << 20;

const RECORDS: TableDefinition<&str, &[u8]> = TableDefinition::new("records");

/// Opens the database in a file.
type OpenDatabase = dyn Fn(&Path) -> Result<Database, DatabaseError> + Send + Sync;

/// A folder that holds a federation.
pub struct EmbeddedStore {
    folder: PathBuf,
    /// Absent only after it failed and could not be opened again.
    database: RwLock<Option<Database>>,
    /// Whether the database has failed: redb then refuses everything until it is opened again.
    has_failed: AtomicBool,
    open_database: Box<OpenDatabase>,
    /// Shared by who writes objects; who removes a folder has it alone, so that none vanishes under a writer.
    folders: RwLock<()>,
    /// Held by who deletes objects, and by who makes a snapshot of those that the records name.
    deletions: Mutex<()>,
}

impl EmbeddedStore {
    /// The file with the records, in the data folder.
    pub const DATABASE: &str = "records.redb";

    /// Opens `folder`, which is created if need be, for its owner alone. Files that a crash left half-written go.
    ///
    /// # Errors
    /// [`StoreError::InUse`], or the disk fails.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        Self::open_with(folder, Box::new(|file| Database::builder().set_cache_size(CACHE_BYTES).create(file)))
    }

    fn open_with(folder: &Path, open_database: Box<OpenDatabase>) -> Result<Self, StoreError> {
        let mut private = fs::DirBuilder::new();
        private.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut private, 0o700);
        for name in ["blobs", "updates"] {
            private.create(folder.join(name))?;
        }
        let file = folder.join(Self::DATABASE);
        make_private(folder, &file)?;
        let database = open_database(&file).map_err(opening_error)?;
        let store = Self {
            folder: folder.to_owned(),
            database: RwLock::new(Some(database)),
            has_failed: AtomicBool::new(false),
            open_database,
            folders: RwLock::new(()),
            deletions: Mutex::new(()),
        };
        store.with_database(|database| {
            let transaction = database.begin_write().map_err(database_error)?;
            transaction.open_table(RECORDS).map_err(database_error)?;
            transaction.commit().map_err(database_error)
        })?;
        // The database is ours, so nobody is writing these.
        for name in ["blobs", "updates"] {
            delete_unfinished(&folder.join(name))?;
        }
        delete_unfinished_folders(folder)?;
        Ok(store)
    }

    /// Works with the database, which is opened again first if it has failed: redb refuses everything after an I/O error,
    /// a disk that was full for a moment included.
    fn with_database<T>(&self, work: impl FnOnce(&Database) -> Result<T, StoreError>) -> Result<T, StoreError> {
        if self.has_failed.load(Ordering::SeqCst) {
            self.reopen()?;
        }
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let closed = || StoreError::Database("it is closed".to_owned());
        let result = work(database.as_ref().ok_or_else(closed)?);
        if matches!(result, Err(StoreError::Io(_) | StoreError::Database(_))) {
            self.has_failed.store(true, Ordering::SeqCst);
        }
        result
    }

    fn reopen(&self) -> Result<(), StoreError> {
        let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
        if !self.has_failed.load(Ordering::SeqCst) {
            // Another call was faster.
            return Ok(());
        }
        // Closed first: the file is locked by who has it open.
        *database = None;
        *database = Some((self.open_database)(&self.folder.join(Self::DATABASE)).map_err(opening_error)?);
        self.has_failed.store(false, Ordering::SeqCst);
        tracing::warn!("the database had failed and was opened again");
        Ok(())
    }

    /// The file of an object.
    fn path(&self, name: &str) -> Result<PathBuf, StoreError> {
        Ok(self.folder.join(checked_name(name)?))
    }
}

impl Store for EmbeddedStore {
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.with_database(|database| {
            let transaction = database.begin_read().map_err(database_error)?;
            let records = transaction.open_table(RECORDS).map_err(database_error)?;
            Ok(records.get(key).map_err(database_error)?.map(|value| value.value().to_vec()))
        })
    }

    fn scan(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        self.with_database(|database| {
            let transaction = database.begin_read().map_err(database_error)?;
            let records = transaction.open_table(RECORDS).map_err(database_error)?;
            let mut found = Vec::new();
            for record in records.range(prefix..).map_err(database_error)? {
                let (key, value) = record.map_err(database_error)?;
                if !key.value().starts_with(prefix) {
                    break;
                }
                found.push((key.value().to_owned(), value.value().to_vec()));
            }
            Ok(found)
        })
    }

    fn scan_back(
        &self,
        prefix: &str,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let end = before.map_or_else(|| end_of(prefix), str::to_owned);
        self.with_database(|database| {
            let transaction = database.begin_read().map_err(database_error)?;
            let records = transaction.open_table(RECORDS).map_err(database_error)?;
            let mut found = Vec::new();
            for record in records.range(prefix..end.as_str()).map_err(database_error)?.rev().take(limit) {
                let (key, value) = record.map_err(database_error)?;
                found.push((key.value().to_owned(), value.value().to_vec()));
            }
            Ok(found)
        })
    }

    fn count(&self, prefix: &str) -> Result<usize, StoreError> {
        self.with_database(|database| {
            let transaction = database.begin_read().map_err(database_error)?;
            let records = transaction.open_table(RECORDS).map_err(database_error)?;
            Ok(records.range(prefix..end_of(prefix).as_str()).map_err(database_error)?.count())
        })
    }

    fn check_health(&self) -> Result<(), StoreError> {
        self.get("").map(|_| ())
    }

    fn free_bytes(&self) -> Result<Option<u64>, StoreError> {
        #[cfg(unix)]
        {
            let disk = rustix::fs::statvfs(&self.folder).map_err(std::io::Error::from)?;
            Ok(Some(disk.f_bavail.saturating_mul(disk.f_frsize)))
        }
        #[cfg(not(unix))]
        Ok(None)
    }

    fn commit(&self, writes: &[Write]) -> Result<(), StoreError> {
        // redb commits with immediate durability unless told otherwise; a dropped transaction changes nothing.
        self.with_database(|database| {
            let transaction = database.begin_write().map_err(database_error)?;
            {
                let mut records = transaction.open_table(RECORDS).map_err(database_error)?;
                for write in writes {
                    match write {
                        Write::Put { key, value } | Write::Insert { key, value } => {
                            let before = records.insert(key.as_str(), value.as_slice()).map_err(database_error)?;
                            if before.is_some() && matches!(write, Write::Insert { .. }) {
                                return Err(StoreError::Exists(key.clone()));
                            }
                        }
                        Write::Delete { key } => {
                            records.remove(key.as_str()).map_err(database_error)?;
                        }
                        Write::Expect { key, value } => {
                            let found = records.get(key.as_str()).map_err(database_error)?;
                            if found.as_ref().map(|found| found.value()) != value.as_deref() {
                                return Err(StoreError::Conflict(key.clone()));
                            }
                        }
                        Write::AtMost { prefix, limit } => {
                            let keys =
                                records.range(prefix.as_str()..end_of(prefix).as_str()).map_err(database_error)?;
                            if keys.count() as u64 > *limit {
                                return Err(StoreError::Full(prefix.clone()));
                            }
                        }
                    }
                }
            }
            transaction.commit().map_err(database_error)
        })
    }

    fn put_object(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.path(name)?;
        let folder = path.parent().unwrap_or(&self.folder);
        let _shared = self.folders.read().unwrap_or_else(PoisonError::into_inner);
        create_durably(folder, &sync_folder)?;
        let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(&path).map_err(|error| error.error)?;
        // The rename is durable only once the folder is.
        sync_folder(folder)?;
        Ok(())
    }

    fn object(&self, name: &str) -> Result<Vec<u8>, StoreError> {
        fs::read(self.path(name)?).map_err(|error| object_error(name, error))
    }

    fn object_size(&self, name: &str) -> Result<u64, StoreError> {
        Ok(fs::metadata(self.path(name)?).map_err(|error| object_error(name, error))?.len())
    }

    fn object_part(&self, name: &str, start: u64, length: usize) -> Result<Vec<u8>, StoreError> {
        let mut file = File::open(self.path(name)?).map_err(|error| object_error(name, error))?;
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::with_capacity(length);
        file.take(length as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn delete_object(&self, name: &str) -> Result<(), StoreError> {
        let path = self.path(name)?;
        let _alone = self.deletions.lock().unwrap_or_else(PoisonError::into_inner);
        match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn folders(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        Ok(subfolders(&self.path(folder)?)?)
    }

    fn delete_objects(&self, folder: &str) -> Result<(), StoreError> {
        let path = self.path(folder)?;
        let _no_snapshot = self.deletions.lock().unwrap_or_else(PoisonError::into_inner);
        let _alone = self.folders.write().unwrap_or_else(PoisonError::into_inner);
        match fs::remove_dir_all(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        // An object is stored before the record that names it, and deleted after that record: with no deletion between, all
        // that the records name are there.
        let _no_deletion = self.deletions.lock().unwrap_or_else(PoisonError::into_inner);
        let records = self.scan("")?;
        Ok(Box::new(EmbeddedSnapshot::link(&self.folder, records)?))
    }
}

#[cfg(test)]
mod tests;
