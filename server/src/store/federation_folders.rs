//! The folders of the federations that an operator made, below `federations` of the data folder: `federations/{id}`, each with a
//! store of its own. What is in the folder is what there is: a federation begins with a rename, and ends with a marker file.
//!
//! - `.new-{id}` is being made. A crash leaves it; the next start removes it.
//! - `{id}` is a federation.
//! - `{id}` with the file `ended` is none any more, and `.ended-{id}` neither: they are removed, now or at the next start.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::embedded::folders::{create_durably, subfolders, sync_folder};
use super::{EmbeddedStore, FederationRegistry, Store, StoreError};
use crate::secret::is_federation_id;

const FOLDER: &str = "federations";
const NEW: &str = ".new-";
const ENDED: &str = ".ended-";
/// The file that says that a federation has ended.
const MARKER: &str = "ended";

/// The folders below `federations`.
pub struct FederationFolders {
    /// The data folder, with the first federation.
    data: PathBuf,
    folder: PathBuf,
}

impl FederationFolders {
    /// The folders in the data folder `data`; what a crash left of those being made or removed goes.
    ///
    /// # Errors
    /// The disk fails.
    pub fn open(data: &Path) -> io::Result<Self> {
        let folders = Self { data: data.to_owned(), folder: data.join(FOLDER) };
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

    /// The folder of the federation `id`.
    fn path(&self, id: &str) -> PathBuf {
        self.folder.join(id)
    }

    fn new_path(&self, id: &str) -> PathBuf {
        self.folder.join(format!("{NEW}{id}"))
    }

    /// An empty folder to make the federation `id` in.
    ///
    /// # Errors
    /// The disk fails.
    pub fn begin_folder(&self, id: &str) -> io::Result<PathBuf> {
        create_durably(&self.folder, &sync_folder)?;
        make_private(&self.folder)?;
        let folder = self.new_path(id);
        fs::create_dir(&folder)?;
        make_private(&folder)?;
        Ok(folder)
    }

    /// Makes what was made in [`Self::begin_folder`]'s folder a federation: durably, or not at all. Nothing may have it open.
    ///
    /// # Errors
    /// The disk fails.
    pub fn complete_folder(&self, id: &str) -> io::Result<()> {
        fs::rename(self.new_path(id), self.path(id))?;
        sync_folder(&self.folder)
    }

    fn check_room(&self, limit: usize) -> Result<(), StoreError> {
        if self.ids()?.len() >= limit { Err(StoreError::Full(FOLDER.to_owned())) } else { Ok(()) }
    }
}

impl FederationRegistry for FederationFolders {
    fn is_used(&self) -> Result<bool, StoreError> {
        Ok(Self::are_in(&self.data))
    }

    fn ids(&self) -> Result<Vec<String>, StoreError> {
        // A copy beside its original, or a folder of the file system, is no federation.
        let is_id = |name: &String| is_federation_id(name) && !self.path(name).join(MARKER).exists();
        Ok(self.names()?.into_iter().filter(is_id).collect())
    }

    fn store(&self, id: &str) -> Result<Arc<dyn Store>, StoreError> {
        Ok(Arc::new(EmbeddedStore::open(&self.path(id))?))
    }

    fn begin(&self, id: &str, limit: usize, _now_s: u64) -> Result<Arc<dyn Store>, StoreError> {
        self.check_room(limit)?;
        Ok(Arc::new(EmbeddedStore::open(&self.begin_folder(id)?)?))
    }

    fn give_object(&self, id: &str, name: &str, _bytes: &[u8]) -> Result<(), StoreError> {
        Ok(link_object(&self.data, &self.new_path(id), name)?)
    }

    fn complete(&self, id: &str, limit: usize, _now_s: u64) -> Result<(), StoreError> {
        self.check_room(limit)?;
        Ok(self.complete_folder(id)?)
    }

    fn give_up(&self, id: &str, _now_s: u64) -> Result<(), StoreError> {
        Ok(remove(&self.new_path(id))?)
    }

    fn end(&self, id: &str, _now_s: u64) -> Result<(), StoreError> {
        let path = self.path(id);
        let marker = path.join(MARKER);
        if !path.is_dir() || marker.exists() {
            return Err(StoreError::Missing(format!("{FOLDER}/{id}")));
        }
        let marked = File::create(&marker).and_then(|file| file.sync_all()).and_then(|()| sync_folder(&path));
        // Who was told that it goes on must not lose it at the next start.
        Ok(marked.inspect_err(|_| _ = fs::remove_file(&marker))?)
    }

    fn release(&self, id: &str) -> Result<(), StoreError> {
        // The marker must not be what goes first.
        let ended = self.folder.join(format!("{ENDED}{id}"));
        fs::rename(self.path(id), &ended)?;
        sync_folder(&self.folder)?;
        Ok(remove(&ended)?)
    }

    fn tidy(&self, _now_s: u64) -> Result<(), StoreError> {
        // The next start does: until then the folders may be in use.
        Ok(())
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
fn link_object(from: &Path, to: &Path, name: &str) -> io::Result<()> {
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
    use crate::store::registry_conformance;

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
            fs::write(folders.begin_folder(id).unwrap().join("records"), id).unwrap();
            folders.complete_folder(id).unwrap();
        }
        folders.begin_folder("bbbbbbbbbbbb").unwrap();
        // A copy by hand, whose secrets would be those of the original.
        fs::create_dir(data.path().join("federations").join(format!("{MADE}.bak"))).unwrap();
        folders.end(ENDED_ONE, 0).unwrap();
        folders.end(REMOVING, 0).unwrap();
        fs::rename(folders.path(REMOVING), data.path().join(format!("federations/.ended-{REMOVING}"))).unwrap();
        assert_eq!(folders.ids().unwrap(), [MADE]);

        assert_eq!(open().ids().unwrap(), [MADE]);
        let left: Vec<_> = fs::read_dir(data.path().join("federations")).unwrap().collect();
        assert_eq!(left.len(), 2, "{left:?}");
        folders.end(MADE, 0).unwrap();
        folders.release(MADE).unwrap();
        assert!(open().ids().unwrap().is_empty());
    }

    fn fresh() -> (tempfile::TempDir, EmbeddedStore, FederationFolders) {
        let data = tempfile::tempdir().unwrap();
        let first = EmbeddedStore::open(data.path()).unwrap();
        first.put_object("blobs/x", b"weights").unwrap();
        let folders = FederationFolders::open(data.path()).unwrap();
        (data, first, folders)
    }

    #[test]
    fn conforms() {
        let (data, first, folders) = fresh();
        registry_conformance::federations_begin_and_end(&first, &folders);
        let left = fs::read_dir(data.path().join("federations")).unwrap().count();
        assert_eq!(left, 0, "nothing of what has ended is left");
        let (_data, _first, folders) = fresh();
        registry_conformance::what_is_given_up_or_too_many_is_nothing(&folders);
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
