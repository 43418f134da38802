//! Diagnostics: clips that could not be used, and why. The rest of the dataset is processed.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a clip could not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DiagnosticKind {
    /// Its file or folder is not there.
    MissingFile,
    /// It cannot be decoded, is empty, or is smaller than [`emofed::model::MIN_FRAME_SIDE_PX`].
    Unreadable,
    /// It can be decoded, but no frame shows a face.
    NoFace,
    /// It has more frames than a clip may have.
    TooLong,
    /// Nobody rated it, or its votes are no numbers.
    NoVotes,
    /// The set's own table of subjects does not give the subject's sex.
    NoSex,
    /// Another clip of the set has the same id.
    Duplicate,
    /// Its name carries an emotion that the set does not know.
    UnknownEmotion,
    /// What is said of it contradicts itself or another clip of the same subject, or is no known word.
    Contradiction,
}

impl DiagnosticKind {
    /// Its name in caches and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::MissingFile => "missing-file",
            Self::Unreadable => "unreadable",
            Self::NoFace => "no-face",
            Self::TooLong => "too-long",
            Self::NoVotes => "no-votes",
            Self::NoSex => "no-sex",
            Self::Duplicate => "duplicate",
            Self::UnknownEmotion => "unknown-emotion",
            Self::Contradiction => "contradiction",
        }
    }
}

impl fmt::Display for DiagnosticKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A clip that could not be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// The clip's id.
    pub clip: String,
    /// Why, for counting.
    pub kind: DiagnosticKind,
    /// Why, in a sentence. Caches of earlier versions call it `words`.
    #[serde(alias = "words")]
    pub message: String,
}

impl Diagnostic {
    /// A diagnostic about `clip`.
    pub fn new(clip: impl Into<String>, kind: DiagnosticKind, message: impl Into<String>) -> Self {
        Self { clip: clip.into(), kind, message: message.into() }
    }
}

/// How many diagnostics there are of each kind.
pub fn count_by_kind<'a>(diagnostics: impl IntoIterator<Item = &'a Diagnostic>) -> BTreeMap<DiagnosticKind, usize> {
    let mut counts = BTreeMap::new();
    for diagnostic in diagnostics {
        *counts.entry(diagnostic.kind).or_default() += 1;
    }
    counts
}
