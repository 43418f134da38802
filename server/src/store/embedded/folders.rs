//! Folders on the disk: made durably, for their owner alone, without what a crash left.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::Path;

use tempfile::TempDir;

/// How files begin that are being written.
pub(super) const UNFINISHED: &str = ".new-";

/// Creates `folder`. A new folder is durable only once the one that it is in has been synced, too.
pub(in crate::store) fn create_durably(
    folder: &Path,
    sync: &dyn Fn(&Path) -> std::io::Result<()>,
) -> std::io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let Some(parent) = folder.parent() else { return Ok(()) };
    create_durably(parent, sync)?;
    match fs::create_dir(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    sync(parent)
}

/// The names of the folders in `folder`; none where it is missing.
pub(in crate::store) fn subfolders(folder: &Path) -> std::io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            names.extend(entry.file_name().to_str().map(str::to_owned));
        }
    }
    Ok(names)
}

/// Makes the names in a folder durable.
pub(in crate::store) fn sync_folder(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Takes what is stored from everybody but its owner, also where the folder was there before and is open to all.
#[cfg(unix)]
pub(super) fn make_private(folder: &Path, database: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
    for name in ["blobs", "updates"] {
        fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o700))?;
    }
    // Made here if need be, so that it is never open to others, not even for a moment.
    fs::OpenOptions::new().append(true).create(true).mode(0o600).open(database)?;
    fs::set_permissions(database, fs::Permissions::from_mode(0o600))
}

#[cfg(not(unix))]
pub(super) fn make_private(_folder: &Path, _database: &Path) -> std::io::Result<()> {
    Ok(())
}

/// Deletes what was being written when the process ended.
pub(super) fn delete_unfinished(folder: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            delete_unfinished(&entry.path())?;
        } else if is_unfinished(&entry.file_name()) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Whether this is the name of something that was being written.
pub fn is_unfinished(name: &OsStr) -> bool {
    name.to_string_lossy().starts_with(UNFINISHED)
}

/// Deletes folders directly in `folder` that were being filled when the process ended.
pub(super) fn delete_unfinished_folders(folder: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() && is_unfinished(&entry.file_name()) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// A new folder in `folder`, for its owner alone, that goes when it is dropped, or else at the next start.
pub fn unfinished_folder(folder: &Path) -> std::io::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(UNFINISHED);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    builder.tempdir_in(folder)
}
