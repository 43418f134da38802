//! Backups of a federation: its records and objects at one moment, in one tar file that says the hash of each part.
//!
//! The parts, in this order: [`CONTENTS`], which lists the others; [`RECORDS`]; [`TOKEN`], where it is known; the objects of the
//! store under their names; and [`CONTENTS_HASH`]. Whoever reads one checks them all before anything is put in place.
//!
//! Of an aggregator with several federations there is a form in which each of these backups is a part: [`AllBackups`].

mod all;
mod error;
mod read;
mod restore;
mod write;

use serde::{Deserialize, Serialize};

pub use self::all::{
    AllBackups, AllContents, AllRestored, OtherBackups, Tokens, read_all, restore_all, restore_all_shared,
};
pub use self::error::BackupError;
pub use self::read::{Part, read};
pub use self::restore::{Restored, restore, restore_shared};
pub use self::write::Backup;

/// The form of backups that this program writes and reads.
pub const FORMAT: u32 = 1;
/// The first part: what is in the backup.
const CONTENTS: &str = "emofed-backup.json";
/// The last part: SHA-256 of the first one, in hexadecimal.
const CONTENTS_HASH: &str = "emofed-backup.sha256";
/// The records, one a line: a JSON array of key and value.
const RECORDS: &str = "records.jsonl";
/// The instructor's token, of which the records have the hash alone.
const TOKEN: &str = crate::secret::TOKEN_FILE;

/// What is in a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// [`FORMAT`].
    pub format: u32,
    /// The version of the program that made it.
    pub emofed: String,
    /// When it was made, in seconds since 1970.
    pub made_at_s: u64,
    /// Its parts, in their order, without those that are about the backup itself.
    pub files: Vec<ListedFile>,
}

/// A part of a backup as [`Contents`] lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedFile {
    /// Its name in the tar file.
    pub name: String,
    /// Its length in bytes.
    pub size: u64,
    /// SHA-256 in hexadecimal.
    pub sha256: String,
}

#[cfg(test)]
mod tests;
