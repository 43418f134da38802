//! Datasets of rated clips that others made, each by a small adapter: from its folder and tables to a list of clips.

pub mod crema_d;
pub mod csv_list;
pub mod ferplus;
pub mod sequences;
mod stored;
mod table;

use std::path::{Path, PathBuf};

use emofed::emotion::EMOTIONS;
use sha2::{Digest as _, Sha256};
pub use stored::StoredFeatures;

use super::dataset::{RatedClip, Sex, Subset};
use super::diagnostic::{Diagnostic, DiagnosticKind};
use super::media::Media;
use crate::hex::hex;

/// A rated clip before its features are extracted.
#[derive(Clone, Debug, PartialEq)]
pub struct ClipSource {
    /// As [`RatedClip::id`].
    pub id: String,
    /// As [`RatedClip::subject`].
    pub subject: String,
    /// As [`RatedClip::sex`].
    pub sex: Option<Sex>,
    /// As [`RatedClip::subset`].
    pub subset: Option<Subset>,
    /// As [`RatedClip::votes`].
    pub votes: [u32; EMOTIONS],
    /// Where its frames, or features, are.
    pub content: Content,
}

/// What a clip's features are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Frames.
    Media(Media),
    /// A row of the list's [`StoredFeatures`].
    Stored(usize),
}

impl ClipSource {
    /// The clip with its features and probabilities.
    pub fn with(&self, features: Vec<f32>, probabilities: Vec<[f32; EMOTIONS]>) -> RatedClip {
        RatedClip {
            id: self.id.clone(),
            subject: self.subject.clone(),
            sex: self.sex,
            subset: self.subset,
            votes: self.votes,
            features,
            probabilities,
        }
    }
}

/// One of a dataset's clips.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// A usable one.
    Clip(ClipSource),
    /// One that cannot be used, as the tables show already.
    Diagnostic(Diagnostic),
}

impl Entry {
    /// The clip's id.
    pub fn id(&self) -> &str {
        match self {
            Self::Clip(clip) => &clip.id,
            Self::Diagnostic(diagnostic) => &diagnostic.clip,
        }
    }
}

/// A dataset's clips in canonical order.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceList {
    /// The dataset's name.
    pub set: String,
    /// Sorted by id, and each id once, but for diagnostics about duplicates.
    pub entries: Vec<Entry>,
    /// Features that somebody else computed, where there are no pictures.
    pub stored: Option<StoredFeatures>,
    /// Clips that none of the six emotions describes best.
    pub left_out: usize,
    /// What else the user should know, in sentences.
    pub notes: Vec<String>,
}

impl SourceList {
    /// Brings `entries` into canonical order. Of clips with the same id the first is kept.
    pub fn new(set: &str, mut entries: Vec<Entry>) -> Self {
        // Stable: what came first stays first.
        entries.sort_by(|a, b| a.id().cmp(b.id()));
        for index in 1..entries.len() {
            let (before, rest) = entries.split_at_mut(index);
            if let (Some(last), Entry::Clip(clip)) = (before.last(), &rest[0])
                && last.id() == clip.id
            {
                let message = "the set has another clip of this name; the first is used".to_owned();
                rest[0] = Entry::Diagnostic(Diagnostic::new(&clip.id, DiagnosticKind::Duplicate, message));
            }
        }
        Self { set: set.to_owned(), entries, stored: None, left_out: 0, notes: Vec::new() }
    }

    /// SHA-256 of ids, subjects, sexes, subsets and votes, lower-case hexadecimal.
    pub fn sha256(&self) -> String {
        let mut hash = Sha256::new();
        for entry in &self.entries {
            let line = match entry {
                Entry::Clip(clip) => {
                    format!("{:?}", (&clip.id, &clip.subject, clip.sex, clip.subset, clip.votes))
                }
                Entry::Diagnostic(diagnostic) => format!("{:?}", (&diagnostic.clip, diagnostic.kind)),
            };
            hash.update(line);
            hash.update(b"\n");
        }
        hash.update(format!("{}", self.left_out));
        hex(hash.finalize())
    }
}

/// The first of `folders` that holds a file `name`.
fn find(name: &str, folders: &[&Path]) -> Option<PathBuf> {
    folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// Where a dataset's tables are searched: the folder that was named for them, the dataset's, and its parent.
fn table_folders<'a>(folder: &'a Path, tables: Option<&'a Path>) -> Vec<&'a Path> {
    tables.into_iter().chain([folder]).chain(folder.parent()).collect()
}
