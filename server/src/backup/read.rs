//! Reading a backup: every part is compared with its hash, and nothing else may be in it.

use std::cell::RefCell;
use std::io::{self, Read};
use std::rc::Rc;

use emofed::protocol::sha256_hex;
use serde::de::DeserializeOwned;

use super::{BackupError, CONTENTS, CONTENTS_HASH, Contents, FORMAT, RECORDS, TOKEN};

/// The longest list of contents: some hundred thousand objects.
pub(super) const MAX_CONTENTS: u64 = 64 << 20;

/// A part whose hash is the listed one.
#[derive(Debug, PartialEq)]
pub enum Part {
    /// All records.
    Records(Vec<(String, Vec<u8>)>),
    /// The instructor's token.
    Token(String),
    /// An object of the store.
    Object {
        /// Its name.
        name: String,
        /// Its bytes.
        bytes: Vec<u8>,
    },
}

/// Hands on each part of a backup, one in memory at a time. What came before an error is not to be used: the backup is whole
/// only when this returns.
///
/// # Errors
/// The file cannot be read, or is no whole backup, or `take` fails.
pub fn read(backup: impl Read, mut take: impl FnMut(Part) -> Result<(), BackupError>) -> Result<Contents, BackupError> {
    let (mut archive, seen) = watched(backup);
    let mut parts = Parts::new(&mut archive, seen)?;
    let first = parts.first(CONTENTS)?;
    let contents: Contents = contents(&first, CONTENTS)?;
    for file in &contents.files {
        let bytes = parts.next(&file.name, file.size)?;
        if bytes.len() as u64 != file.size || sha256_hex(&bytes) != file.sha256 {
            return Err(BackupError::Altered { name: file.name.clone() });
        }
        take(part(&file.name, bytes)?)?;
    }
    let hash = format!("{}\n", sha256_hex(&first));
    if parts.next(CONTENTS_HASH, hash.len() as u64)? != hash.as_bytes() {
        return Err(BackupError::Altered { name: CONTENTS.to_owned() });
    }
    Ok(contents)
}

/// What the first part, `name`, says.
pub(super) fn contents<T: DeserializeOwned>(bytes: &[u8], name: &str) -> Result<T, BackupError> {
    #[derive(serde::Deserialize)]
    struct Form {
        format: u32,
    }
    let altered = |_| BackupError::Altered { name: name.to_owned() };
    // Asked first: of a later form nothing else is known.
    let Form { format } = serde_json::from_slice(bytes).map_err(altered)?;
    if format > FORMAT {
        return Err(BackupError::NewerFormat { found: format });
    }
    serde_json::from_slice(bytes).map_err(altered)
}

fn part(name: &str, bytes: Vec<u8>) -> Result<Part, BackupError> {
    let altered = || BackupError::Altered { name: name.to_owned() };
    match name {
        RECORDS => {
            let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            let record = |line: &[u8]| {
                let (key, value) = serde_json::from_slice::<(String, String)>(line).map_err(|_| altered())?;
                Ok((key, value.into_bytes()))
            };
            Ok(Part::Records(lines.map(record).collect::<Result<_, BackupError>>()?))
        }
        TOKEN => Ok(Part::Token(String::from_utf8(bytes).map_err(|_| altered())?.trim().to_owned())),
        name if name.starts_with("blobs/") || name.starts_with("updates/") => {
            Ok(Part::Object { name: name.to_owned(), bytes })
        }
        _ => Err(altered()),
    }
}

/// A tar file whose reading is watched, and what is seen.
pub(super) fn watched<R: Read>(inner: R) -> (tar::Archive<Watched<R>>, Rc<RefCell<Seen>>) {
    let watched = Watched { inner, seen: Rc::default() };
    let seen = watched.seen.clone();
    (tar::Archive::new(watched), seen)
}

/// The entries of the tar file, in the order in which they have to come.
pub(super) struct Parts<'a, R: Read> {
    entries: tar::Entries<'a, Watched<R>>,
    seen: Rc<RefCell<Seen>>,
}

impl<'a, R: Read> Parts<'a, R> {
    pub(super) fn new(archive: &'a mut tar::Archive<Watched<R>>, seen: Rc<RefCell<Seen>>) -> Result<Self, BackupError> {
        Ok(Self { entries: archive.entries().map_err(|_| BackupError::NotABackup)?, seen })
    }

    /// The bytes of the first entry; where that is not `name`, this is no backup.
    pub(super) fn first(&mut self, name: &str) -> Result<Vec<u8>, BackupError> {
        self.next(name, MAX_CONTENTS).map_err(|error| match error {
            BackupError::Altered { .. } => BackupError::NotABackup,
            error => error,
        })
    }

    /// The next entry, which has to be the file `name` of at most `limit` bytes.
    pub(super) fn entry(&mut self, name: &str, limit: u64) -> Result<tar::Entry<'a, Watched<R>>, BackupError> {
        let entry = match self.entries.next() {
            None => return Err(BackupError::Truncated { missing: name.to_owned() }),
            Some(entry) => entry.map_err(|_| self.failure(name))?,
        };
        let is_expected = entry.path_bytes() == name.as_bytes() && entry.header().entry_type().is_file();
        if !is_expected || entry.size() > limit {
            return Err(BackupError::Altered { name: name.to_owned() });
        }
        Ok(entry)
    }

    /// The bytes of the next entry, which has to be the file `name` of at most `limit` bytes.
    pub(super) fn next(&mut self, name: &str, limit: u64) -> Result<Vec<u8>, BackupError> {
        let mut entry = self.entry(name, limit)?;
        let mut bytes = Vec::new();
        let read = entry.read_to_end(&mut bytes);
        if read.is_err() || bytes.len() as u64 != entry.size() {
            return Err(self.failure(name));
        }
        Ok(bytes)
    }

    /// Why the tar file could not be read at the entry `name`.
    fn failure(&self, name: &str) -> BackupError {
        match std::mem::take(&mut *self.seen.borrow_mut()) {
            Seen { failed: Some(error), .. } => BackupError::Read(error),
            Seen { ended: true, .. } => BackupError::Truncated { missing: name.to_owned() },
            _ => BackupError::Altered { name: name.to_owned() },
        }
    }
}

/// What was seen of a file, so that one which cannot be read, one which ends too early and one which is altered are told apart.
#[derive(Default)]
pub(super) struct Seen {
    ended: bool,
    failed: Option<io::Error>,
}

/// A reader that says what it has seen.
pub(super) struct Watched<R> {
    inner: R,
    seen: Rc<RefCell<Seen>>,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(out);
        match &read {
            Ok(0) if !out.is_empty() => self.seen.borrow_mut().ended = true,
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                self.seen.borrow_mut().failed = Some(io::Error::new(error.kind(), error.to_string()));
            }
            _ => {}
        }
        read
    }
}
