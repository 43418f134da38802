//! Restoring a backup: into a folder beside the data, which takes its place only when everything has been checked.

use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;

use super::{BackupError, Contents, Part, TOKEN, read};
use crate::clock::{Clock as _, SystemClock};
use crate::secret::write_private;
use crate::store::{EmbeddedStore, Records, Store, StoreError, is_unfinished, restored, unfinished_folder};

/// What emofed keeps in a data folder and a backup has, in the order in which it is put in place: the records last.
pub(super) const OWN: [&str; 4] = [TOKEN, "blobs", "updates", EmbeddedStore::DATABASE];

/// What was restored.
#[derive(Debug)]
pub struct Restored {
    /// What was in the backup.
    pub contents: Contents,
    /// The newest version of the model, if there is one.
    pub version: Option<u64>,
    /// The round that has not ended and its updates, if there is one.
    pub round: Option<(u64, usize)>,
    /// Where the data went that was there before.
    pub before: Option<PathBuf>,
}

/// Restores `backup` into `folder`, which has to be empty; with `replace` the data that is there is moved into a folder in it.
///
/// # Errors
/// The backup is no whole one, the folder is in use or not empty, or the disk fails: nothing that was there before is lost.
pub fn restore(backup: impl Read, folder: &Path, replace: bool) -> Result<Restored, BackupError> {
    let staging = stage(folder, replace)?;
    let mut restored = fill_folder(backup, staging.path())?;
    restored.before = put_in_place(staging.path(), folder, &OWN, replace, restored.contents.made_at_s)?;
    Ok(restored)
}

/// A folder in `folder`, which is made, to restore into; a backup may be restored there.
pub(super) fn stage(folder: &Path, replace: bool) -> Result<TempDir, BackupError> {
    let failed = |error| BackupError::Folder { folder: folder.to_owned(), error };
    let mut private = fs::DirBuilder::new();
    private.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut private, 0o700);
    private.create(folder).map_err(failed)?;
    check_folder(folder, replace)?;
    unfinished_folder(folder).map_err(failed)
}

/// Restores the backup of one federation into `folder`, which has nothing of one.
pub(super) fn fill_folder(backup: impl Read, folder: &Path) -> Result<Restored, BackupError> {
    fill(backup, Arc::new(EmbeddedStore::open(folder)?), |token| {
        let file = folder.join(TOKEN);
        write_private(&file, &token).map_err(|error| BackupError::Folder { folder: file, error })
    })
}

/// Moves what is named in `own` from `staging` into `folder`. Gives where it went what was there before, if it is to be replaced.
pub(super) fn put_in_place(
    staging: &Path,
    folder: &Path,
    own: &[&str],
    replace: bool,
    made_at_s: u64,
) -> Result<Option<PathBuf>, BackupError> {
    let failed = |error| BackupError::Folder { folder: folder.to_owned(), error };
    let before = if replace { move_aside(folder, own, made_at_s).map_err(failed)? } else { None };
    for name in own {
        move_if_there(&staging.join(name), &folder.join(name)).map_err(failed)?;
    }
    fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
    Ok(before)
}

/// Restores `backup` into a store that several replicas share, which has to be empty. Gives the instructor's token beside what was
/// restored, for the replicas' data folders.
///
/// # Errors
/// The backup is no whole one, the store has a federation or fails: then it has none of the backup's records.
pub fn restore_shared(backup: impl Read, store: Arc<dyn Store>) -> Result<(Restored, Option<String>), BackupError> {
    if store.count("")? > 0 {
        return Err(BackupError::StoreNotEmpty);
    }
    let mut token = None;
    let restored = fill(backup, store, |found| {
        token = Some(found);
        Ok(())
    })?;
    Ok((restored, token))
}

/// Whether a backup may be restored into `folder`.
fn check_folder(folder: &Path, replace: bool) -> Result<(), BackupError> {
    let failed = |error| BackupError::Folder { folder: folder.to_owned(), error };
    if replace {
        if !folder.join(EmbeddedStore::DATABASE).exists() {
            return Ok(());
        }
        // One that is damaged may be replaced, one that is served may not.
        return match EmbeddedStore::open(folder) {
            Err(StoreError::InUse) => Err(StoreError::InUse.into()),
            _ => Ok(()),
        };
    }
    for entry in fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        // A disk's own folder, and what an interrupted restoration left.
        if name != "lost+found" && !is_unfinished(&name) {
            let found = name.to_string_lossy().into_owned();
            return Err(BackupError::FolderNotEmpty { folder: folder.to_owned(), found });
        }
    }
    Ok(())
}

/// Puts a backup into a store that is empty; `keep` gets the instructor's token.
pub(super) fn fill(
    backup: impl Read,
    store: Arc<dyn Store>,
    mut keep: impl FnMut(String) -> Result<(), BackupError>,
) -> Result<Restored, BackupError> {
    let mut records = None;
    let contents = read(backup, |part| {
        match part {
            Part::Records(found) => records = Some(found),
            Part::Object { name, bytes } => store.put_object(&name, &bytes)?,
            Part::Token(token) => keep(token)?,
        }
        Ok(())
    })?;
    let missing = || BackupError::Altered { name: super::CONTENTS.to_owned() };
    let records = records.ok_or_else(missing)?;
    let age_s = SystemClock.now_s().saturating_sub(contents.made_at_s);
    store.commit(&restored(records, age_s))?;
    // Whether this program can read them is told now, not at the next start.
    let records = Records::open(store)?;
    let round = records.newest_rounds(None, 1)?.pop().filter(|round| !round.phase.is_over());
    let round = round.map(|round| Ok::<_, StoreError>((round.id, records.updates(round.id)?.len()))).transpose()?;
    let version = records.newest_models(None, 1)?.pop().map(|model| model.version);
    Ok(Restored { contents, version, round, before: None })
}

/// Moves the data in `folder` into a new folder in it; gives that, if there was any.
fn move_aside(folder: &Path, own: &[&str], made_at_s: u64) -> std::io::Result<Option<PathBuf>> {
    if !own.iter().any(|name| folder.join(name).exists()) {
        return Ok(None);
    }
    for number in 0.. {
        let aside = folder.join(format!("before-restore-{made_at_s}-{number}"));
        match fs::create_dir(&aside) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
            made => made?,
        }
        // The records first: without them there is no federation, whatever happens next.
        for name in own.iter().rev() {
            move_if_there(&folder.join(name), &aside.join(name))?;
        }
        return Ok(Some(aside));
    }
    Ok(None)
}

fn move_if_there(from: &Path, to: &Path) -> std::io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
