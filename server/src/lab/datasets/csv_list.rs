//! Clips of one's own, listed in a CSV file:
//! `clip,subject,sex,split,anger,disgust,fear,happiness,neutral,sadness`.
//!
//! A clip is a video, a picture or a folder of pictures, relative to the file; the emotions' columns count votes. Sex and
//! split may be empty, or their columns absent.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use emofed::emotion::{EMOTIONS, Emotion};

use super::table::{Row, Table};
use super::{ClipSource, Content, Entry, SourceList};
use crate::lab::LabError;
use crate::lab::dataset::{Sex, Subset};
use crate::lab::diagnostic::{Diagnostic, DiagnosticKind};
use crate::lab::media::Media;

/// The set's name.
pub const NAME: &str = "csv";
const FACTS: [&str; 4] = ["clip", "subject", "sex", "split"];

/// Lists the clips of the CSV file at `path`, or of the only one in the folder at `path` or in `tables`.
///
/// # Errors
/// There is no such file, or more than one; it lacks a column or has an unknown one.
pub fn list(path: &Path, tables: Option<&Path>) -> Result<SourceList, LabError> {
    let file = if path.is_file() { path.to_owned() } else { only_csv(tables.unwrap_or(path))? };
    let table = Table::read(&file)?;
    let emotions = Emotion::ALL.map(Emotion::name);
    if let Some(name) =
        table.names.iter().find(|name| !FACTS.contains(&name.as_str()) && !emotions.contains(&name.as_str()))
    {
        let known = [FACTS.as_slice(), emotions.as_slice()].concat().join(", ");
        return Err(LabError::malformed(&file, format!("its column `{name}` is unknown; known are {known}")));
    }
    table.require(&[&["clip", "subject"], emotions.as_slice()].concat())?;
    let below = if path.is_dir() { Some(path) } else { None };
    let folders: Vec<&Path> = file.parent().into_iter().chain(below).collect();
    let mut subjects = HashMap::new();
    let entries = table.rows().map(|row| entry(row, &folders, &mut subjects)).collect();
    Ok(SourceList::new(NAME, entries))
}

fn only_csv(folder: &Path) -> Result<PathBuf, LabError> {
    let in_folder = |error| LabError::file(folder, error);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(in_folder)? {
        let path = entry.map_err(in_folder)?.path();
        if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv")) {
            found.push(path);
        }
    }
    if found.len() == 1 {
        return Ok(found.swap_remove(0));
    }
    Err(LabError::Missing {
        what: format!("the list of clips in {} (it has {} CSV files)", folder.display(), found.len()),
        way_out: format!(
            "name the CSV file itself; its first line is {},anger,disgust,fear,happiness,neutral,sadness",
            FACTS.join(",")
        ),
    })
}

/// What the rows so far said of each subject.
type Subjects = HashMap<String, (Option<Sex>, Option<Subset>)>;

fn entry(row: Row<'_>, folders: &[&Path], subjects: &mut Subjects) -> Entry {
    let name = row.get("clip");
    let id = Path::new(name).with_extension("").to_string_lossy().into_owned();
    let id = if id.is_empty() { "(no name)".to_owned() } else { id };
    match clip(&id, row, folders, subjects) {
        Ok(clip) => Entry::Clip(clip),
        Err((kind, message)) => Entry::Diagnostic(Diagnostic::new(id, kind, message)),
    }
}

fn clip(
    id: &str,
    row: Row<'_>,
    folders: &[&Path],
    subjects: &mut Subjects,
) -> Result<ClipSource, (DiagnosticKind, String)> {
    let contradiction = |message: String| (DiagnosticKind::Contradiction, message);
    let mut votes = [0; EMOTIONS];
    for (count, emotion) in votes.iter_mut().zip(Emotion::ALL) {
        *count = row.count(emotion.name()).map_err(|message| (DiagnosticKind::NoVotes, message))?;
    }
    if votes.iter().all(|&count| count == 0) {
        return Err((DiagnosticKind::NoVotes, "nobody rated it".to_owned()));
    }
    let sex = match row.get("sex").to_ascii_lowercase().as_str() {
        "" => None,
        "female" | "f" => Some(Sex::Female),
        "male" | "m" => Some(Sex::Male),
        other => return Err(contradiction(format!("its sex is `{other}`; known are female, male and none"))),
    };
    let subset = match row.get("split").to_ascii_lowercase().as_str() {
        "" => None,
        "train" => Some(Subset::Train),
        "validation" => Some(Subset::Validation),
        "test" => Some(Subset::Test),
        other => return Err(contradiction(format!("its split is `{other}`; known are train, validation and test"))),
    };
    let subject = row.get("subject").to_owned();
    if subject.is_empty() {
        return Err(contradiction("it has no subject".to_owned()));
    }
    let facts = *subjects.entry(subject.clone()).or_insert((sex, subset));
    if facts != (sex, subset) {
        return Err(contradiction(format!("an earlier clip of subject {subject} has another sex or split")));
    }
    let name = row.get("clip");
    let place = folders.iter().map(|folder| folder.join(name)).find(|path| path.exists());
    let path = place.filter(|_| !name.is_empty());
    let path = path.ok_or_else(|| (DiagnosticKind::MissingFile, format!("`{name}` is not there")))?;
    let media = Media::of(&path).ok_or_else(|| {
        (DiagnosticKind::Unreadable, format!("`{name}` is neither a video nor a picture nor a folder"))
    })?;
    Ok(ClipSource { id: id.to_owned(), subject, sex, subset, votes, content: Content::Media(media) })
}
