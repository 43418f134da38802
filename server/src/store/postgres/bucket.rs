//! Objects in a bucket of S3, or in a folder that all replicas have.

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::{TryStreamExt as _, stream};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{Error, ObjectMeta, ObjectStore, ObjectStoreExt as _};

use super::bridge::Bridge;
use super::s3::S3Variables;
use crate::store::StoreError;

/// Where copies for backups are, beside `blobs` and `updates`.
const SNAPSHOTS: &str = "snapshots";
/// After how long a copy that nobody deleted was left by a crash.
const LONGEST_BACKUP: Duration = Duration::from_secs(24 * 3_600);
/// Objects that are deleted or copied at once.
const AT_ONCE: usize = 16;
/// Bytes that are read at once.
const PIECE: u64 = 1 << 20;

/// Where the objects of all federations are.
pub(super) struct Buckets {
    url: String,
    /// The bucket; absent where it is a folder.
    bucket: Option<Arc<dyn ObjectStore>>,
}

impl Buckets {
    /// Those below `url`: `file:///FOLDER` or `s3://BUCKET/PREFIX`, the latter with these variables.
    ///
    /// # Errors
    /// It is neither.
    pub fn open(url: &str, variables: &S3Variables) -> Result<Self, StoreError> {
        let bucket = match folder(url) {
            Some(_) => None,
            None => Some(Arc::new(variables.open(url)?) as Arc<dyn ObjectStore>),
        };
        Ok(Self { url: url.to_owned(), bucket })
    }

    /// The objects of `federation`.
    ///
    /// # Errors
    /// The folder cannot be used.
    pub fn of(&self, federation: &str) -> Result<Bucket, StoreError> {
        let told = |error: String| misplaced(&self.url, &error);
        if let Some(bucket) = &self.bucket {
            let prefix = self.url.trim_start_matches("s3://").split_once('/').map_or("", |(_, prefix)| prefix);
            let prefix = prefix.trim_matches('/');
            let prefix = Path::parse(format!("{prefix}/{federation}").trim_start_matches('/'))
                .map_err(|error| told(error.to_string()))?;
            return Ok(Bucket { objects: Arc::new(PrefixStore::new(bucket.clone(), prefix)), folder: None });
        }
        let folder = self.folder_of(federation).unwrap_or_default();
        let mut private = std::fs::DirBuilder::new();
        private.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut private, 0o700);
        private.create(&folder)?;
        let local = LocalFileSystem::new_with_prefix(&folder).map_err(|error| told(error.to_string()))?;
        Ok(Bucket { objects: Arc::new(local.with_fsync(true)), folder: Some(folder) })
    }

    /// The folder of a federation's objects, where they are in one, whether or not it is there.
    pub fn folder_of(&self, federation: &str) -> Option<PathBuf> {
        folder(&self.url).map(|folder| folder.join(federation))
    }
}

/// The objects of a federation.
#[derive(Clone)]
pub(super) struct Bucket {
    objects: Arc<dyn ObjectStore>,
    /// The folder, where it is one.
    pub folder: Option<PathBuf>,
}

impl Bucket {
    /// What `url` names, a folder or a bucket, of which nothing is asked.
    ///
    /// # Errors
    /// It is neither.
    pub fn describe(url: &str, variables: &S3Variables) -> Result<String, StoreError> {
        if folder(url).is_some() {
            return Ok(url.to_owned());
        }
        variables.open(url)?;
        variables.describe(url)
    }

    /// Does once what the store will do, so that a bucket that is not there, or keys that may not do it, are told at the start.
    ///
    /// # Errors
    /// The objects cannot be kept there.
    pub async fn try_out(&self, id: &str) -> Result<(), StoreError> {
        self.drop_old_copies().await?;
        if self.folder.is_none() {
            let name = copy_name(id, "probe");
            self.put(&name, b"emofed".to_vec()).await?;
            self.get(&name).await?;
            self.delete(&name).await?;
        }
        Ok(())
    }

    pub async fn put(&self, name: &str, bytes: Vec<u8>) -> Result<(), StoreError> {
        self.objects.put(&Path::from(name), bytes.into()).await.map(|_| ()).map_err(|error| lost(name, error))
    }

    pub async fn get(&self, name: &str) -> Result<Vec<u8>, StoreError> {
        let found = self.objects.get(&Path::from(name)).await.map_err(|error| lost(name, error))?;
        Ok(found.bytes().await.map_err(|error| lost(name, error))?.into())
    }

    pub async fn size(&self, name: &str) -> Result<u64, StoreError> {
        Ok(self.objects.head(&Path::from(name)).await.map_err(|error| lost(name, error))?.size)
    }

    pub async fn part(&self, name: &str, start: u64, length: u64) -> Result<Vec<u8>, StoreError> {
        let end = start.saturating_add(length);
        match self.objects.get_range(&Path::from(name), start..end).await {
            Ok(bytes) => Ok(bytes.into()),
            Err(error @ Error::NotFound { .. }) => Err(lost(name, error)),
            // Behind the end there is nothing to be read, which the object stores call an error.
            Err(error) if self.size(name).await? > start => Err(lost(name, error)),
            Err(_) => Ok(Vec::new()),
        }
    }

    pub async fn delete(&self, name: &str) -> Result<(), StoreError> {
        match self.objects.delete(&Path::from(name)).await {
            Err(Error::NotFound { .. }) | Ok(()) => Ok(()),
            Err(error) => Err(lost(name, error)),
        }
    }

    pub async fn folders(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let listed = self.objects.list_with_delimiter(Some(&Path::from(folder))).await;
        let listed = listed.map_err(|error| lost(folder, error))?;
        Ok(listed.common_prefixes.iter().filter_map(|path| path.filename().map(str::to_owned)).collect())
    }

    pub async fn delete_all(&self, folder: &str) -> Result<(), StoreError> {
        let listed = self.list(folder).await?;
        let deletions = stream::iter(listed.into_iter().map(Ok));
        let delete = |object: ObjectMeta| async move { self.delete(object.location.as_ref()).await };
        deletions.try_for_each_concurrent(AT_ONCE, delete).await
    }

    /// Deletes all objects of the federation.
    pub async fn delete_everything(&self) -> Result<(), StoreError> {
        self.delete_all("").await
    }

    async fn list(&self, folder: &str) -> Result<Vec<ObjectMeta>, StoreError> {
        // A folder without objects is an empty list: what is not there is the bucket.
        let listed = self.objects.list(Some(&Path::from(folder))).try_collect().await;
        listed.map_err(|error| StoreError::Io(std::io::Error::other(error.to_string())))
    }

    /// Copies all objects to a place of their own, called `id`; none may be deleted meanwhile. Gives their names.
    pub async fn copy_all(&self, id: &str) -> Result<Vec<String>, StoreError> {
        let mut names = Vec::new();
        for folder in ["blobs", "updates"] {
            let listed = self.list(folder).await?;
            names.extend(listed.iter().map(|object| object.location.as_ref().to_owned()));
            let copies = stream::iter(listed.into_iter().map(Ok));
            let copy = |object: ObjectMeta| async move {
                let name = object.location.as_ref();
                let copied = self.objects.copy(&object.location, &Path::from(copy_name(id, name))).await;
                copied.map_err(|error| lost(name, error))
            };
            copies.try_for_each_concurrent(AT_ONCE, copy).await?;
        }
        names.sort();
        Ok(names)
    }

    /// Whether a backup reads copies, or did within a day and crashed.
    pub async fn has_copies(&self) -> Result<bool, StoreError> {
        self.drop_old_copies().await?;
        Ok(!self.list(SNAPSHOTS).await?.is_empty())
    }

    /// Deletes copies that a crash left.
    pub async fn drop_old_copies(&self) -> Result<(), StoreError> {
        let now_s = std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_secs());
        for object in self.list(SNAPSHOTS).await? {
            let made_s = u64::try_from(object.last_modified.timestamp()).unwrap_or(0);
            if made_s.saturating_add(LONGEST_BACKUP.as_secs()) < now_s {
                self.delete(object.location.as_ref()).await?;
            }
        }
        Ok(())
    }
}

/// The folder that `url` names, if it does.
fn folder(url: &str) -> Option<PathBuf> {
    url.strip_prefix("file://").filter(|folder| folder.starts_with('/')).map(PathBuf::from)
}

pub(super) fn misplaced(url: &str, reason: &str) -> StoreError {
    StoreError::Settings(format!("the objects cannot be kept in {url}: {reason}"))
}

/// The folder of the copies called `id`.
pub(super) fn copies(id: &str) -> String {
    format!("{SNAPSHOTS}/{id}")
}

/// The name of the copy of an object.
pub(super) fn copy_name(id: &str, name: &str) -> String {
    format!("{}/{name}", copies(id))
}

fn lost(name: &str, error: Error) -> StoreError {
    match error {
        Error::NotFound { .. } => StoreError::Missing(name.to_owned()),
        error => StoreError::Io(std::io::Error::other(error.to_string())),
    }
}

/// Reads an object from its beginning to its end.
pub(super) struct ObjectReader {
    pub bridge: Arc<Bridge>,
    pub bucket: Bucket,
    pub name: String,
    pub at: u64,
    pub size: u64,
    pub piece: std::io::Cursor<Vec<u8>>,
}

impl Read for ObjectReader {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let read = self.piece.read(out)?;
        if read > 0 || out.is_empty() || self.at >= self.size {
            return Ok(read);
        }
        let (bucket, name, at, length) =
            (self.bucket.clone(), self.name.clone(), self.at, PIECE.min(self.size - self.at));
        let piece = self.bridge.run(async move { bucket.part(&name, at, length).await });
        let piece = piece.map_err(std::io::Error::other)?;
        self.at += piece.len() as u64;
        self.piece = std::io::Cursor::new(piece);
        self.piece.read(out)
    }
}
