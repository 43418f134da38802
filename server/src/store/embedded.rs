//! The embedded store: one folder, with a redb database for records and files for objects.

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use redb::{Database, DatabaseError, ReadableDatabase as _, TableDefinition};

use super::{Store, StoreError, Write};

/// How files begin that are being written.
const UNFINISHED: &str = ".new-";

const RECORDS: TableDefinition<&str, &[u8]> = TableDefinition::new("records");

/// A folder that holds a class.
pub struct EmbeddedStore {
    folder: PathBuf,
    database: Database,
    /// Shared by who writes objects; who removes a folder has it alone, so that none vanishes under a writer.
    folders: RwLock<()>,
}

impl EmbeddedStore {
    /// Opens `folder`, which is created if need be, for its owner alone. Files that a crash left half-written go.
    ///
    /// # Errors
    /// [`StoreError::InUse`], or the disk fails.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let mut private = fs::DirBuilder::new();
        private.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut private, 0o700);
        for name in ["blobs", "updates"] {
            private.create(folder.join(name))?;
        }
        let database = match Database::create(folder.join("records.redb")) {
            Ok(database) => database,
            Err(DatabaseError::DatabaseAlreadyOpen) => return Err(StoreError::InUse),
            Err(error) => return Err(StoreError::Database(error.to_string())),
        };
        let store = Self { folder: folder.to_owned(), database, folders: RwLock::new(()) };
        let transaction = store.database.begin_write().map_err(database_error)?;
        transaction.open_table(RECORDS).map_err(database_error)?;
        transaction.commit().map_err(database_error)?;
        // The database is ours, so nobody is writing these.
        for name in ["blobs", "updates"] {
            delete_unfinished(&folder.join(name))?;
        }
        Ok(store)
    }

    /// The file of an object. Names are made of letters, digits, `-` and `.` in parts joined by `/`.
    fn path(&self, name: &str) -> Result<PathBuf, StoreError> {
        let is_part = |part: &str| {
            !part.is_empty()
                && !part.starts_with('.')
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
        };
        if name.split('/').all(is_part) {
            Ok(self.folder.join(name))
        } else {
            Err(StoreError::Missing(name.to_owned()))
        }
    }
}

impl Store for EmbeddedStore {
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let transaction = self.database.begin_read().map_err(database_error)?;
        let records = transaction.open_table(RECORDS).map_err(database_error)?;
        Ok(records.get(key).map_err(database_error)?.map(|value| value.value().to_vec()))
    }

    fn scan(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let transaction = self.database.begin_read().map_err(database_error)?;
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
    }

    fn commit(&self, writes: &[Write]) -> Result<(), StoreError> {
        // redb commits with immediate durability unless told otherwise; a dropped transaction changes nothing.
        let transaction = self.database.begin_write().map_err(database_error)?;
        {
            let mut records = transaction.open_table(RECORDS).map_err(database_error)?;
            for write in writes {
                let (Write::Put { key, value } | Write::Insert { key, value }) = write;
                let before = records.insert(key.as_str(), value.as_slice()).map_err(database_error)?;
                if before.is_some() && matches!(write, Write::Insert { .. }) {
                    return Err(StoreError::Exists(key.clone()));
                }
            }
        }
        transaction.commit().map_err(database_error)
    }

    fn put_object(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.path(name)?;
        let folder = path.parent().unwrap_or(&self.folder);
        let _shared = self.folders.read().unwrap_or_else(PoisonError::into_inner);
        fs::create_dir_all(folder)?;
        let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(&path).map_err(|error| error.error)?;
        // The rename is durable only once the folder is.
        File::open(folder)?.sync_all()?;
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
        match fs::remove_file(self.path(name)?) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn delete_objects(&self, folder: &str) -> Result<(), StoreError> {
        let path = self.path(folder)?;
        let _alone = self.folders.write().unwrap_or_else(PoisonError::into_inner);
        match fs::remove_dir_all(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}

fn delete_unfinished(folder: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            delete_unfinished(&entry.path())?;
        } else if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn object_error(name: &str, error: std::io::Error) -> StoreError {
    if error.kind() == ErrorKind::NotFound { StoreError::Missing(name.to_owned()) } else { error.into() }
}

fn database_error(error: impl Into<redb::Error>) -> StoreError {
    match error.into() {
        redb::Error::Io(error) => StoreError::Io(error),
        error => StoreError::Database(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::conformance;
    use super::*;

    fn with_store(test: impl FnOnce(&dyn Store)) {
        let folder = tempfile::tempdir().unwrap();
        test(&EmbeddedStore::open(folder.path()).unwrap());
    }

    #[test]
    fn conforms() {
        with_store(conformance::records_are_all_or_none);
        with_store(conformance::objects_come_and_go);
        with_store(conformance::objects_are_read_in_parts);
        with_store(conformance::folders_go_without_disturbing_who_writes);
        with_store(conformance::names_cannot_leave_the_store);
    }

    #[test]
    fn what_a_crash_left_half_written_goes() {
        let folder = tempfile::tempdir().unwrap();
        drop(EmbeddedStore::open(folder.path()).unwrap());
        let left = folder.path().join("updates/3/.new-x");
        fs::create_dir(left.parent().unwrap()).unwrap();
        fs::write(&left, b"half").unwrap();
        let store = EmbeddedStore::open(folder.path()).unwrap();
        assert!(!left.exists());
        store.put_object("updates/3/x", b"whole").unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn the_folder_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("data");
        drop(EmbeddedStore::open(&folder).unwrap());
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_second_process_is_refused_and_a_later_one_finds_everything() {
        let folder = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::open(folder.path()).unwrap();
        assert!(matches!(EmbeddedStore::open(folder.path()), Err(StoreError::InUse)));
        store.commit(&[Write::Put { key: "k".into(), value: b"v".to_vec() }]).unwrap();
        drop(store);
        let store = EmbeddedStore::open(folder.path()).unwrap();
        assert_eq!(store.get("k").unwrap(), Some(b"v".to_vec()));
    }
}
