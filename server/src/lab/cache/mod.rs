//! The feature cache: one append-only file, from which a killed run goes on to the same bytes.
//!
//! [`MAGIC`], then [`record`]s: a header, one record for each clip in the order of ids, and a last one with counts. What
//! a crash left half-written at the end is cut off before a run goes on.

mod reader;
pub mod record;
mod writer;

use std::fs::File;
use std::path::Path;

use reader::{Next, Reader};
use record::{Counts, Outcome};
pub use writer::Cache;

use super::LabError;
use super::dataset::Dataset;
use super::diagnostic::Diagnostic;

/// How every cache begins.
pub const MAGIC: &[u8; 16] = b"emofed features\n";

/// A cache's contents.
#[derive(Clone, Debug, PartialEq)]
pub struct Contents {
    /// The clips with features.
    pub dataset: Dataset,
    /// The others.
    pub diagnostics: Vec<Diagnostic>,
    /// The last record; `None` where the run that makes the cache has not ended.
    pub complete: Option<Counts>,
}

/// Reads a cache, complete or not.
///
/// # Errors
/// The file cannot be read, is no cache, or is damaged before its end.
pub fn read(path: &Path) -> Result<Contents, LabError> {
    let file = File::open(path).map_err(|error| LabError::file(path, error))?;
    let mut reader = Reader::start(path, file)?;
    let provenance = reader.header.provenance.clone();
    let mut contents =
        Contents { dataset: Dataset { provenance, clips: Vec::new() }, diagnostics: Vec::new(), complete: None };
    loop {
        match reader.next()? {
            Next::Outcome(Outcome::Clip(clip)) => contents.dataset.clips.push(clip),
            Next::Outcome(Outcome::Diagnostic(diagnostic)) => contents.diagnostics.push(diagnostic),
            Next::Complete(counts) => contents.complete = Some(counts),
            Next::End { torn: None } => return Ok(contents),
            Next::End { torn: Some(reason) } if contents.complete.is_some() => {
                return Err(LabError::malformed(path, format!("behind its last record: {reason}")));
            }
            Next::End { torn: Some(_) } => return Ok(contents),
        }
    }
}

impl Dataset {
    /// Reads a complete cache.
    ///
    /// # Errors
    /// As [`read`], or the cache is not complete.
    pub fn read(path: &Path) -> Result<Self, LabError> {
        let contents = read(path)?;
        match contents.complete {
            Some(_) => Ok(contents.dataset),
            None => Err(LabError::malformed(
                path,
                "the run that makes it has not ended, or the file was cut short; run the same `emofed features` again",
            )),
        }
    }

    /// Reads what there is of a cache that may still grow.
    ///
    /// # Errors
    /// As [`read`].
    pub fn read_unfinished(path: &Path) -> Result<Self, LabError> {
        read(path).map(|contents| contents.dataset)
    }
}
