//! A consistent state of the folder: the records in memory, and a second link to the file of each object.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use tempfile::TempDir;

use super::errors::object_error;
use super::folders::{UNFINISHED, unfinished_folder};
use crate::store::{Snapshot, StoreError, check_listed};

/// Records of one moment. Objects are never changed in place, so that a link to one is a copy of it.
pub(super) struct EmbeddedSnapshot {
    records: Vec<(String, Vec<u8>)>,
    objects: Vec<String>,
    links: TempDir,
}

impl EmbeddedSnapshot {
    /// Links all objects in `folder`, none of which may be deleted meanwhile.
    ///
    /// # Errors
    /// The disk fails.
    pub fn link(folder: &Path, records: Vec<(String, Vec<u8>)>) -> std::io::Result<Self> {
        let links = unfinished_folder(folder)?;
        let mut objects = Vec::new();
        for name in ["blobs", "updates"] {
            link_all(folder, links.path(), name, &mut objects)?;
        }
        objects.sort();
        Ok(Self { records, objects, links })
    }
}

/// Links what is in the folder `name` of `from` in the same place of `to`.
fn link_all(from: &Path, to: &Path, name: &str, linked: &mut Vec<String>) -> std::io::Result<()> {
    fs::create_dir(to.join(name))?;
    for entry in fs::read_dir(from.join(name))? {
        let entry = entry?;
        let file_name = entry.file_name();
        // Names of objects are ASCII, and what is being written is no object yet.
        let Some(part) = file_name.to_str().filter(|part| !part.starts_with(UNFINISHED)) else { continue };
        let name = format!("{name}/{part}");
        if entry.file_type()?.is_dir() {
            link_all(from, to, &name, linked)?;
        } else {
            // A file system without links is copied from.
            fs::hard_link(entry.path(), to.join(&name))
                .or_else(|_| fs::copy(entry.path(), to.join(&name)).map(|_| ()))?;
            linked.push(name);
        }
    }
    Ok(())
}

impl Snapshot for EmbeddedSnapshot {
    fn records(&self) -> &[(String, Vec<u8>)] {
        &self.records
    }

    fn objects(&self) -> &[String] {
        &self.objects
    }

    fn open(&self, name: &str) -> Result<(Box<dyn Read + Send>, u64), StoreError> {
        check_listed(&self.objects, name)?;
        let file = File::open(self.links.path().join(name)).map_err(|error| object_error(name, error))?;
        let length = file.metadata()?.len();
        Ok((Box::new(file), length))
    }
}
