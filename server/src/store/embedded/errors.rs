//! Failures of the disk and of redb as those of the store.

use std::io::ErrorKind;

use redb::DatabaseError;

use super::{EmbeddedStore, StoreError};

/// Why an object was not read.
pub(super) fn object_error(name: &str, error: std::io::Error) -> StoreError {
    if error.kind() == ErrorKind::NotFound { StoreError::Missing(name.to_owned()) } else { error.into() }
}

/// Why a database was not opened.
pub(super) fn opening_error(error: DatabaseError) -> StoreError {
    match error {
        DatabaseError::DatabaseAlreadyOpen => StoreError::InUse,
        DatabaseError::Storage(redb::StorageError::Io(error)) if error.kind() == ErrorKind::InvalidData => {
            StoreError::Damaged { key: EmbeddedStore::DATABASE.to_owned(), reason: error.to_string() }
        }
        error => database_error(error),
    }
}

/// Why the database failed.
pub(super) fn database_error(error: impl Into<redb::Error>) -> StoreError {
    match error.into() {
        redb::Error::Io(error) => StoreError::Io(error),
        redb::Error::Corrupted(reason) => StoreError::Damaged { key: EmbeddedStore::DATABASE.to_owned(), reason },
        error => StoreError::Database(error.to_string()),
    }
}
