//! Why a backup is not made, not read or not restored.

use std::path::PathBuf;

use crate::store::StoreError;

/// Why a backup is not made, not read or not restored. Nothing was put in place.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The store failed: the one that is backed up, or the one that is restored.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The backup could not be written: a full disk, a connection that ended.
    #[error("the backup cannot be written: {0}")]
    Write(#[source] std::io::Error),
    /// The backup could not be read.
    #[error("the backup cannot be read: {0}")]
    Read(#[source] std::io::Error),
    /// An object of the federation is not what its name says, so that a backup of it would be refused.
    #[error("`{name}` in the data folder is damaged: its SHA-256 is another than that in its name")]
    Damaged {
        /// Its name in the data folder.
        name: String,
    },
    /// It does not begin as a backup does.
    #[error("this is no backup of emofed")]
    NotABackup,
    /// A later program made it.
    #[error("the backup has the form {found}; this emofed reads up to {}", super::FORMAT)]
    NewerFormat {
        /// Its form.
        found: u32,
    },
    /// It ends before everything that it lists is there.
    #[error("the backup is cut off: `{missing}` is not there as a whole")]
    Truncated {
        /// The first part that is missing.
        missing: String,
    },
    /// A part is not what was backed up.
    #[error("the backup is altered: `{name}` is not what was backed up")]
    Altered {
        /// The part's name.
        name: String,
    },
    /// The folder to restore into has something in it.
    #[error("{} is not empty: it has `{found}`", folder.display())]
    FolderNotEmpty {
        /// The folder.
        folder: PathBuf,
        /// One of the things in it.
        found: String,
    },
    /// The store to restore into has a federation.
    #[error("the store has a federation of this name already, or others beside it")]
    StoreNotEmpty,
    /// The folder to restore into cannot be read or written.
    #[error("{}: {error}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system says.
        #[source]
        error: std::io::Error,
    },
}
