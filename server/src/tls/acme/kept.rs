//! A file that is not lost while it cannot be written: its content stays in memory until then.

use std::fmt;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::NamedTempFile;

use super::super::TlsError;

/// One file, and what it should hold.
pub(super) struct Kept {
    /// What it is, for the log.
    what: &'static str,
    file: PathBuf,
    /// What was stored last, if it could not be written.
    unwritten: Mutex<Option<Vec<u8>>>,
}

impl fmt::Debug for Kept {
    /// Without its content, which has a private key in it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Kept").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Kept {
    pub(super) fn new(what: &'static str, file: PathBuf) -> Self {
        Self { what, file, unwritten: Mutex::default() }
    }

    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// What was stored last, or else what an earlier process has left in the file. What could not be written is tried again. Blocks.
    ///
    /// # Errors
    /// The file is there and cannot be read.
    pub(super) fn load(&self) -> Result<Option<Vec<u8>>, TlsError> {
        let mut unwritten = self.unwritten();
        self.try_again(&mut unwritten);
        unwritten.clone().map_or_else(|| read(&self.file), |content| Ok(Some(content)))
    }

    /// Writes `content`, or tells that it cannot be written, and keeps it in memory. Blocks.
    pub(super) fn store(&self, content: Vec<u8>) {
        let mut unwritten = self.unwritten();
        *unwritten = match write(&self.file, &content) {
            Ok(()) => None,
            Err(error) => {
                let way_out = "see that the data folder can be written to and that its disk has room; it is tried again until it is \
                               kept, and then the log says so";
                tracing::error!(%error, way_out, "{} is in memory alone, and lost if emofed ends now", self.what);
                Some(content)
            }
        };
    }

    /// Tries again to write what could not be written; gives whether nothing is left to write. Blocks.
    pub(super) fn write_again(&self) -> bool {
        let mut unwritten = self.unwritten();
        self.try_again(&mut unwritten);
        unwritten.is_none()
    }

    fn try_again(&self, unwritten: &mut Option<Vec<u8>>) {
        // A failure was told when it was stored.
        if unwritten.as_ref().is_some_and(|content| write(&self.file, content).is_ok()) {
            *unwritten = None;
            tracing::info!(file = %self.file.display(), "{} could be written now, and is kept", self.what);
        }
    }

    fn unwritten(&self) -> MutexGuard<'_, Option<Vec<u8>>> {
        self.unwritten.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(file: &Path) -> Result<Option<Vec<u8>>, TlsError> {
    match std::fs::read(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        read => read.map(Some).map_err(|error| TlsError::file(file, error)),
    }
}

/// Writes a file that is complete or absent, for its owner alone.
fn write(file: &Path, bytes: &[u8]) -> Result<(), TlsError> {
    let written = || {
        let mut temporary = NamedTempFile::new_in(file.parent().unwrap_or(Path::new(".")))?;
        temporary.write_all(bytes)?;
        temporary.as_file().sync_all()?;
        temporary.persist(file).map_err(|error| error.error)
    };
    written().map(drop).map_err(|error| TlsError::file(file, error))
}
