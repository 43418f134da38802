//! Making a backup: a snapshot of the store, whose objects are compared with their names first.

use std::any::Any;
use std::io::{Read, Write};
use std::sync::Arc;

use emofed::protocol::sha256_hex;
use sha2::{Digest as _, Sha256};

use super::{BackupError, CONTENTS, CONTENTS_HASH, Contents, FORMAT, ListedFile, RECORDS, TOKEN};
use crate::hex::hex;
use crate::store::{Snapshot, Store, StoreError};

/// Bytes of an object in memory at once.
const PIECE: usize = 256 * 1024;
/// The unit of tar files: each part has a header of one, and is filled up to whole ones.
const BLOCK: u64 = 512;
/// The length of [`CONTENTS_HASH`], with its line's end.
const HASH_BYTES: u64 = 65;

/// A federation at one moment. Whatever happens to it after that is not in here.
pub struct Backup {
    snapshot: Box<dyn Snapshot>,
    contents: Contents,
    records: Vec<u8>,
    token: Option<String>,
    /// What has to be there until it is written.
    _in_use: Option<Arc<dyn Any + Send + Sync>>,
}

impl Backup {
    /// The state of `store` now, to be restored with the instructor's `token` where that is known. Every update that was
    /// acknowledged before this call is in it.
    ///
    /// # Errors
    /// [`BackupError::Damaged`], or the store fails.
    pub fn take(store: &dyn Store, token: Option<String>, now_s: u64) -> Result<Self, BackupError> {
        let snapshot = store.snapshot()?;
        let records = lines(snapshot.records())?;
        let token = token.map(|token| format!("{}\n", token.trim()));
        let mut files = vec![listed(RECORDS, &records)];
        files.extend(token.as_ref().map(|token| listed(TOKEN, token.as_bytes())));
        for name in snapshot.objects() {
            let (object, size) = snapshot.open(name)?;
            let sha256 = hash_of(object).map_err(StoreError::from)?;
            if !name.ends_with(&sha256) {
                return Err(BackupError::Damaged { name: name.clone() });
            }
            files.push(ListedFile { name: name.clone(), size, sha256 });
        }
        let emofed = env!("CARGO_PKG_VERSION").to_owned();
        let contents = Contents { format: FORMAT, emofed, made_at_s: now_s, files };
        Ok(Self { snapshot, contents, records, token, _in_use: None })
    }

    /// The same, which keeps `user` of the store for as long as it is there.
    pub fn while_using(self, user: Arc<dyn Any + Send + Sync>) -> Self {
        Self { _in_use: Some(user), ..self }
    }

    /// What is in it.
    pub fn contents(&self) -> &Contents {
        &self.contents
    }

    /// How long [`Self::write`]'s tar file is, in bytes.
    pub fn size(&self) -> u64 {
        let contents = self.contents_json().len() as u64;
        let parts = self.contents.files.iter().map(|file| file.size);
        let parts: u64 = parts.chain([contents, HASH_BYTES]).map(|size| BLOCK + size.next_multiple_of(BLOCK)).sum();
        // Two empty blocks end it.
        parts + 2 * BLOCK
    }

    fn contents_json(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(&self.contents).expect("contents are plain data")
    }

    /// Writes it as a tar file.
    ///
    /// # Errors
    /// `out` cannot be written, or the store fails.
    pub fn write(&self, out: impl Write) -> Result<(), BackupError> {
        let mut archive = tar::Builder::new(out);
        let contents = self.contents_json();
        append(&mut archive, CONTENTS, contents.len() as u64, contents.as_slice(), self.contents.made_at_s)?;
        for ListedFile { name, size, .. } in &self.contents.files {
            let object: Box<dyn Read> = match (name.as_str(), &self.token) {
                (RECORDS, _) => Box::new(self.records.as_slice()),
                (TOKEN, Some(token)) => Box::new(token.as_bytes()),
                _ => self.snapshot.open(name)?.0,
            };
            append(&mut archive, name, *size, object, self.contents.made_at_s)?;
        }
        let hash = format!("{}\n", sha256_hex(&contents));
        append(&mut archive, CONTENTS_HASH, hash.len() as u64, hash.as_bytes(), self.contents.made_at_s)?;
        archive.into_inner().and_then(|mut out| out.flush()).map_err(BackupError::Write)
    }
}

/// Adds a file of `size` bytes for its owner alone.
pub(super) fn append(
    archive: &mut tar::Builder<impl Write>,
    name: &str,
    size: u64,
    bytes: impl Read,
    at_s: u64,
) -> Result<(), BackupError> {
    archive.append_data(&mut header(size, at_s), name, bytes).map_err(BackupError::Write)
}

/// The header of a file of `size` bytes for its owner alone.
pub(super) fn header(size: u64, at_s: u64) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    header.set_size(size);
    header.set_mode(0o600);
    header.set_mtime(at_s);
    header
}

/// Records as lines. Their bytes stay what they are: no number is read and written again.
fn lines(records: &[(String, Vec<u8>)]) -> Result<Vec<u8>, StoreError> {
    let mut lines = Vec::new();
    for (key, value) in records {
        let damaged = |reason: String| StoreError::Damaged { key: key.clone(), reason };
        let value = std::str::from_utf8(value).map_err(|error| damaged(error.to_string()))?;
        serde_json::to_writer(&mut lines, &(key, value)).map_err(|error| damaged(error.to_string()))?;
        lines.push(b'\n');
    }
    Ok(lines)
}

fn listed(name: &str, bytes: &[u8]) -> ListedFile {
    ListedFile { name: name.to_owned(), size: bytes.len() as u64, sha256: sha256_hex(bytes) }
}

fn hash_of(mut object: impl Read) -> std::io::Result<String> {
    let (mut hash, mut piece) = (Sha256::new(), vec![0; PIECE]);
    loop {
        match object.read(&mut piece)? {
            0 => return Ok(hex(hash.finalize())),
            length => hash.update(&piece[..length]),
        }
    }
}
