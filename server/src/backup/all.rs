//! A backup of all federations of an aggregator: one tar file whose parts are the backups of the single ones, as they are made for
//! an owner. Each is consistent in itself; they are made one after the other, within moments.
//!
//! The parts, in this order: [`CONTENTS`], which lists the others; [`OPERATOR_TOKEN`], where there is one; `first.tar`, the federation
//! that the aggregator began with; `{id}.tar` of each other; and [`CONTENTS_HASH`].

use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use emofed::protocol::sha256_hex;
use serde::{Deserialize, Serialize};

use super::read::{MAX_CONTENTS, Parts, contents, watched};
use super::restore::{OWN, fill, fill_folder, put_in_place, stage};
use super::write::{append, header};
use super::{Backup, BackupError, Contents, Restored, read};
use crate::clock::{Clock as _, SystemClock};
use crate::secret::{is_federation_id, write_private};
use crate::store::{FederationFolders, FederationRegistry, Store};

/// The first part: what is in the backup.
const CONTENTS: &str = "emofed-backups.json";
/// The last part: SHA-256 of the first one, in hexadecimal.
const CONTENTS_HASH: &str = "emofed-backups.sha256";
/// The operator's token.
const OPERATOR_TOKEN: &str = crate::secret::OPERATOR_TOKEN_FILE;
/// The backup of the federation that an aggregator begins with.
const FIRST: &str = "first.tar";

/// What is in a backup of all federations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllContents {
    /// [`super::FORMAT`].
    pub format: u32,
    /// The version of the program that made it.
    pub emofed: String,
    /// When it was made, in seconds since 1970.
    pub made_at_s: u64,
    /// Whether the operator's token is in it.
    pub operator_token: bool,
    /// The ids of the federations beside the first, in the order of their parts.
    pub federations: Vec<String>,
    /// The ids of those that are missing, since their store could not be opened or is damaged.
    pub unavailable: Vec<String>,
}

/// The federations beside the first.
#[derive(Default)]
pub struct OtherBackups {
    /// The backup of each, by id.
    pub backups: Vec<(String, Backup)>,
    /// The ids of those that are missing, since their store could not be opened or is damaged.
    pub unavailable: Vec<String>,
}

/// All federations, each at one moment.
pub struct AllBackups {
    contents: AllContents,
    operator_token: Option<String>,
    first: Backup,
    others: Vec<Backup>,
}

impl AllBackups {
    /// Puts together the backup of the `first` federation and those of the `others`.
    pub fn new(first: Backup, others: OtherBackups, operator_token: Option<String>) -> Self {
        let OtherBackups { backups, unavailable } = others;
        let (federations, others) = backups.into_iter().unzip();
        let Contents { format, emofed, made_at_s, .. } = first.contents().clone();
        let operator_token = operator_token.map(|token| format!("{}\n", token.trim()));
        let has_token = operator_token.is_some();
        let contents = AllContents { format, emofed, made_at_s, operator_token: has_token, federations, unavailable };
        Self { contents, operator_token, first, others }
    }

    /// What is in it.
    pub fn contents(&self) -> &AllContents {
        &self.contents
    }

    /// Writes it as a tar file.
    ///
    /// # Errors
    /// `out` cannot be written, or a store fails.
    pub fn write(&self, out: impl Write) -> Result<(), BackupError> {
        let at_s = self.contents.made_at_s;
        let mut archive = tar::Builder::new(out);
        let contents = serde_json::to_vec_pretty(&self.contents).expect("contents are plain data");
        append(&mut archive, CONTENTS, contents.len() as u64, contents.as_slice(), at_s)?;
        if let Some(token) = &self.operator_token {
            append(&mut archive, OPERATOR_TOKEN, token.len() as u64, token.as_bytes(), at_s)?;
        }
        append_backup(&mut archive, FIRST, &self.first, at_s)?;
        for (id, backup) in self.contents.federations.iter().zip(&self.others) {
            append_backup(&mut archive, &part_name(id), backup, at_s)?;
        }
        let hash = format!("{}\n", sha256_hex(&contents));
        append(&mut archive, CONTENTS_HASH, hash.len() as u64, hash.as_bytes(), at_s)?;
        archive.into_inner().and_then(|mut out| out.flush()).map_err(BackupError::Write)
    }
}

fn part_name(id: &str) -> String {
    format!("{id}.tar")
}

/// Adds a backup as a part, without having it in memory. It is a whole number of blocks long, so that nothing fills it up.
fn append_backup(
    archive: &mut tar::Builder<impl Write>,
    name: &str,
    backup: &Backup,
    at_s: u64,
) -> Result<(), BackupError> {
    let mut header = header(backup.size(), at_s);
    header.set_path(name).map_err(BackupError::Write)?;
    header.set_cksum();
    archive.get_mut().write_all(header.as_bytes()).map_err(BackupError::Write)?;
    backup.write(archive.get_mut())
}

/// Hands on the operator's token, and the backup of each federation with its id, `None` of the first. What came before an error is not to be
/// used: the backup is whole only when this returns.
///
/// # Errors
/// The file cannot be read, or is no whole backup of all federations, or `keep_token` or `take` fails.
fn parts(
    backup: impl Read,
    keep_token: impl FnOnce(&str) -> Result<(), BackupError>,
    mut take: impl FnMut(Option<&str>, &mut dyn Read) -> Result<(), BackupError>,
) -> Result<AllContents, BackupError> {
    let altered = |name: &str| BackupError::Altered { name: name.to_owned() };
    let (mut archive, seen) = watched(backup);
    let mut parts = Parts::new(&mut archive, seen)?;
    let first = parts.first(CONTENTS)?;
    let contents: AllContents = contents(&first, CONTENTS)?;
    // A name becomes a folder's.
    if !contents.federations.iter().all(|id| is_federation_id(id)) {
        return Err(altered(CONTENTS));
    }
    if contents.operator_token {
        let token = parts.next(OPERATOR_TOKEN, MAX_CONTENTS)?;
        keep_token(std::str::from_utf8(&token).map_err(|_| altered(OPERATOR_TOKEN))?.trim())?;
    }
    let mut take = |id: Option<&str>, name: &str, parts: &mut Parts<'_, _>| {
        take(id, &mut parts.entry(name, u64::MAX)?).map_err(|error| match error {
            // The file as a whole is one.
            BackupError::NotABackup => altered(name),
            error => error,
        })
    };
    take(None, FIRST, &mut parts)?;
    for id in &contents.federations {
        take(Some(id), &part_name(id), &mut parts)?;
    }
    let hash = format!("{}\n", sha256_hex(&first));
    if parts.next(CONTENTS_HASH, hash.len() as u64)? != hash.as_bytes() {
        return Err(altered(CONTENTS));
    }
    Ok(contents)
}

/// Checks a backup of all federations as a restoration would; gives what is in it, and how many files and bytes its parts have. `None`: it is
/// something else, most likely the backup of one federation.
///
/// # Errors
/// The file cannot be read, or is no whole backup.
pub fn read_all(backup: impl Read) -> Result<Option<(AllContents, usize, u64)>, BackupError> {
    let (mut files, mut bytes) = (0, 0);
    let add = |_: Option<&str>, part: &mut dyn Read| {
        let contents = read(part, |_| Ok(()))?;
        files += contents.files.len();
        bytes += contents.files.iter().map(|file| file.size).sum::<u64>();
        Ok(())
    };
    let contents = match parts(backup, |_| Ok(()), add) {
        Err(BackupError::NotABackup) => return Ok(None),
        contents => contents?,
    };
    Ok(Some((contents, files, bytes)))
}

/// What was restored.
#[derive(Debug)]
pub struct AllRestored {
    /// What was in the backup.
    pub contents: AllContents,
    /// The federation that the aggregator began with.
    pub first: Restored,
    /// Where the data went that was there before.
    pub before: Option<PathBuf>,
}

/// Restores all federations of `backup` into the data folder `folder`, which has to be empty; with `replace` the data that is there is moved
/// into a folder in it. `None`: this is no backup of all federations, most likely one of a single one, and nothing was done.
///
/// # Errors
/// The backup is no whole one, the folder is in use or not empty, or the disk fails: nothing that was there before is lost.
pub fn restore_all(backup: impl Read, folder: &Path, replace: bool) -> Result<Option<AllRestored>, BackupError> {
    const FEDERATIONS: &str = "federations";
    let staging = stage(folder, replace)?;
    let failed = |error| BackupError::Folder { folder: folder.to_owned(), error };
    let folders = FederationFolders::open(staging.path()).map_err(failed)?;
    let mut first = None;
    let keep_token = |token: &str| write_private(&staging.path().join(OPERATOR_TOKEN), token).map_err(failed);
    let take = |id: Option<&str>, part: &mut dyn Read| match id {
        None => {
            first = Some(fill_folder(part, staging.path())?);
            Ok(())
        }
        Some(id) => {
            fill_folder(part, &folders.begin_folder(id).map_err(failed)?)?;
            folders.complete_folder(id).map_err(failed)?;
            Ok(())
        }
    };
    let contents = match parts(backup, keep_token, take) {
        Err(BackupError::NotABackup) => return Ok(None),
        contents => contents?,
    };
    let first = first.ok_or_else(|| BackupError::Altered { name: FIRST.to_owned() })?;
    // The records of the first federation last: without them the folder has none.
    let own: Vec<&str> = [OPERATOR_TOKEN, FEDERATIONS].into_iter().chain(OWN).collect();
    let before = put_in_place(staging.path(), folder, &own, replace, contents.made_at_s)?;
    Ok(Some(AllRestored { contents, first, before }))
}

/// The tokens in a backup of all federations, for the data folders of replicas.
#[derive(Default)]
pub struct Tokens {
    /// The first federation's instructor's.
    pub instructor: Option<String>,
    /// The operator's.
    pub operator: Option<String>,
}

/// Restores all federations of `backup` into what replicas share: `store`, which has to be empty, and `registry`, which may have no others. No
/// replica may run. The first federation comes last: before it there is none, and a restoration that broke off can be repeated. `None`: as
/// of [`restore_all`].
///
/// # Errors
/// The backup is no whole one, there are other federations, or the store fails.
pub fn restore_all_shared(
    mut backup: impl Read + Seek,
    store: &Arc<dyn Store>,
    registry: &dyn FederationRegistry,
) -> Result<Option<(AllRestored, Tokens)>, BackupError> {
    // All of it is checked before anything is stored.
    let Some((contents, ..)) = read_all(&mut backup)? else { return Ok(None) };
    let there = registry.ids()?;
    let has_others = there.iter().any(|id| !contents.federations.contains(id));
    if store.count("")? > 0 || has_others || registry.operator_token_sha256()?.is_some() {
        return Err(BackupError::StoreNotEmpty);
    }
    // What a restoration began that broke off is ended, and then removed: no replica runs that needs time to hear of it.
    const DAY_S: u64 = 86_400;
    let now_s = SystemClock.now_s();
    registry.tidy(now_s)?;
    registry.tidy(now_s + DAY_S)?;
    let mut tokens = Tokens::default();
    let keep_operator = |token: &str| {
        tokens.operator = Some(token.to_owned());
        Ok(())
    };
    backup.rewind().map_err(BackupError::Read)?;
    parts(&mut backup, keep_operator, |id, part| match id {
        Some(id) if !there.iter().any(|there| there == id) => {
            let limit = contents.federations.len();
            let filled = registry.begin(id, limit, now_s).map_err(BackupError::from);
            let filled = filled.and_then(|store| fill(part, store, |_| Ok(())));
            filled.inspect_err(|_| drop(registry.give_up(id, now_s)))?;
            Ok(registry.complete(id, limit, now_s)?)
        }
        _ => Ok(()),
    })?;
    let mut first = None;
    backup.rewind().map_err(BackupError::Read)?;
    parts(
        backup,
        |_| Ok(()),
        |id, part| {
            if id.is_none() {
                let keep = |token| {
                    tokens.instructor = Some(token);
                    Ok(())
                };
                first = Some(fill(part, store.clone(), keep)?);
            }
            Ok(())
        },
    )?;
    let first = first.ok_or_else(|| BackupError::Altered { name: FIRST.to_owned() })?;
    Ok(Some((AllRestored { contents, first, before: None }, tokens)))
}
