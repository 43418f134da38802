//! The folders of the federations that an operator made, below `federations` of the data folder: `federations/{id}`, each with a
//! store of its own. What is in the folder is what there is: a federation begins with a rename, and ends with a marker file.
//!
//! - `.new-{id}` is being made. A crash leaves it; the next start removes it.
//! - `{id}` is a federation.
//! - `{id}` with the file `ended` is none any more, and `.ended-{id}` neither: they are removed, now or at the next start.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::embedded::folders::{create_durably, subfolders, sync_folder};
use crate::secret::is_federation_id;

const FOLDER: &str = "federations";
const NEW: &str = ".new-";
const ENDED: &str = ".ended-";
/// The file that says that a federation has ended.
const MARKER: &str = "ended";

/// The folders below `federations`.
pub struct FederationFolders {
    folder: PathBuf,
}

impl FederationFolders {
    /// The folders in the data folder `data`; what a crash left of those being made or removed goes.
    ///
    /// # Errors
    /// The disk fails.
    pub fn open(data: &Path) -> io::Result<Self> {
        let folders = Self { folder: data.join(FOLDER) };
        for name in folders.names()? {
            let folder = folders.folder.join(&name);
            if name.starts_with(NEW) || name.starts_with(ENDED) || folder.join(MARKER).exists() {
                tracing::info!(folder = name, "what is left of a federation that was being made or ended is removed");
                remove(&folder)?;
            }
        }
        Ok(folders)
    }

    /// Whether a federation was ever made in the data folder `data`.
    pub fn are_in(data: &Path) -> bool {
        data.join(FOLDER).is_dir()
    }

    fn names(&self) -> io::Result<Vec<String>> {
        let mut names = subfolders(&self.folder)?;
        names.sort();
        Ok(names)
    }

    /// The ids of the federations that there are.
    ///
    /// # Errors
    /// The disk fails.
    pub fn ids(&self) -> io::Result<Vec<String>> {
        // A copy beside its original, or a folder of the file system, is no federation.
        let is_id = |name: &String| is_federation_id(name) && !self.path(name).join(MARKER).exists();
        Ok(self.names()?.into_iter().filter(is_id).collect())
    }

    /// The folder of the federation `id`.
    pub fn path(&self, id: &str) -> PathBuf {
        self.folder.join(id)
    }

    /// An empty folder to make the federation `id` in.
    ///
    /// # Errors
    /// The disk fails.
    pub fn begin(&self, id: &str) -> io::Result<PathBuf> {
        create_durably(&self.folder, &sync_folder)?;
        make_private(&self.folder)?;
        let folder = self.folder.join(format!("{NEW}{id}"));
        fs::create_dir(&folder)?;
        make_private(&folder)?;
        Ok(folder)
    }

    /// Makes what was made in [`Self::begin`]'s folder a federation: durably, or not at all. Nothing may have it open.
    ///
    /// # Errors
    /// The disk fails.
    pub fn complete(&self, id: &str) -> io::Result<PathBuf> {
        let path = self.path(id);
        fs::rename(self.folder.join(format!("{NEW}{id}")), &path)?;
        sync_folder(&self.folder)?;
        Ok(path)
    }

    /// Removes what was begun and not completed.
    ///
    /// # Errors
    /// The disk fails; the next start tries again.
    pub fn give_up(&self, id: &str) -> io::Result<()> {
        remove(&self.folder.join(format!("{NEW}{id}")))
    }

    /// Ends the federation `id` durably. Its folder stays until [`Self::remove`].
    ///
    /// # Errors
    /// The disk fails.
    pub fn end(&self, id: &str) -> io::Result<()> {
        let path = self.path(id);
        let marker = path.join(MARKER);
        let marked = File::create(&marker).and_then(|file| file.sync_all()).and_then(|()| sync_folder(&path));
        // Who was told that it goes on must not lose it at the next start.
        marked.inspect_err(|_| _ = fs::remove_file(&marker))
    }

    /// Removes the folder of a federation that has ended. Nothing may have it open.
    ///
    /// # Errors
    /// The disk fails; the next start tries again.
    pub fn remove(&self, id: &str) -> io::Result<()> {
        // The marker must not be what goes first.
        let ended = self.folder.join(format!("{ENDED}{id}"));
        fs::rename(self.path(id), &ended)?;
        sync_folder(&self.folder)?;
        remove(&ended)
    }
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn make_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
fn make_private(_folder: &Path) -> io::Result<()> {
    Ok(())
}

/// Gives the object `name` of the store in folder `from` to the one in folder `to`, too: as a link to the same file, which no store
/// ever writes into, or as a copy where the file system has no links. Durable when this returns.
///
/// # Errors
/// The disk fails.
pub fn link_object(from: &Path, to: &Path, name: &str) -> io::Result<()> {
    let (from, to) = (from.join(name), to.join(name));
    let folder = to.parent().unwrap_or(&to);
    create_durably(folder, &sync_folder)?;
    match fs::hard_link(&from, &to) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(error),
        Err(_) => {
            fs::copy(&from, &to)?;
            File::open(&to)?.sync_all()?;
        }
        Ok(()) => {}
    }
    sync_folder(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MADE: &str = "kx7dq2mbw4ta";
    const ENDED_ONE: &str = "kx7dq2mbw4tb";
    const REMOVING: &str = "kx7dq2mbw4tc";

    #[test]
    fn a_crash_leaves_no_half_of_a_federation() {
        let data = tempfile::tempdir().unwrap();
        let open = || FederationFolders::open(data.path()).unwrap();
        let folders = open();
        assert!(folders.ids().unwrap().is_empty());
        for id in [MADE, ENDED_ONE, REMOVING] {
            fs::write(folders.begin(id).unwrap().join("records"), id).unwrap();
            folders.complete(id).unwrap();
        }
        folders.begin("bbbbbbbbbbbb").unwrap();
        // A copy by hand, whose secrets would be those of the original.
        fs::create_dir(data.path().join("federations").join(format!("{MADE}.bak"))).unwrap();
        folders.end(ENDED_ONE).unwrap();
        folders.end(REMOVING).unwrap();
        fs::rename(folders.path(REMOVING), data.path().join(format!("federations/.ended-{REMOVING}"))).unwrap();
        assert_eq!(folders.ids().unwrap(), [MADE]);

        assert_eq!(open().ids().unwrap(), [MADE]);
        let left: Vec<_> = fs::read_dir(data.path().join("federations")).unwrap().collect();
        assert_eq!(left.len(), 2, "{left:?}");
        folders.end(MADE).unwrap();
        folders.remove(MADE).unwrap();
        assert!(open().ids().unwrap().is_empty());
    }

    #[test]
    fn objects_are_shared_and_go_one_by_one() {
        let data = tempfile::tempdir().unwrap();
        let (from, to) = (data.path().join("from"), data.path().join("to"));
        fs::create_dir_all(from.join("blobs")).unwrap();
        fs::write(from.join("blobs/x"), "weights").unwrap();
        link_object(&from, &to, "blobs/x").unwrap();
        link_object(&from, &to, "blobs/x").unwrap();
        assert!(link_object(&from, &to, "blobs/y").is_err());
        fs::remove_file(from.join("blobs/x")).unwrap();
        assert_eq!(fs::read(to.join("blobs/x")).unwrap(), b"weights");
    }
}
