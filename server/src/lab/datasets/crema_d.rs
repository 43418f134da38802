//! CREMA-D (Cao et al. 2014): 91 actors say twelve sentences in six emotions; people who saw the videos without sound
//! said which emotion they saw.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use emofed::emotion::EMOTIONS;

use super::table::Table;
use super::{ClipSource, Content, Entry, SourceList, find, table_folders};
use crate::lab::LabError;
use crate::lab::dataset::Sex;
use crate::lab::diagnostic::{Diagnostic, DiagnosticKind};
use crate::lab::media::{Media, is_video};

/// The set's name.
pub const NAME: &str = "crema-d";
const VOTES: &str = "tabulatedVotes.csv";
const ACTORS: &str = "VideoDemographics.csv";
/// The emotions in file names.
const CODES: [&str; EMOTIONS] = ["ANG", "DIS", "FEA", "HAP", "NEU", "SAD"];
/// The columns with votes, in [`emofed::emotion::Emotion::ALL`]'s order.
const LETTERS: [&str; EMOTIONS] = ["A", "D", "F", "H", "N", "S"];
/// How deep folders are searched.
const MAX_DEPTH: usize = 16;

/// Lists the videos anywhere below `folder`, with the votes of the people who saw the face alone. The tables are looked
/// for in `tables`, `folder` and its parent.
///
/// # Errors
/// A table or all videos are missing, or a table is not as it should be.
pub fn list(folder: &Path, tables: Option<&Path>) -> Result<SourceList, LabError> {
    let videos = videos(folder)?;
    if videos.is_empty() {
        return Err(LabError::Missing {
            what: format!("a video of CREMA-D in {}", folder.display()),
            way_out:
                "get them from https://github.com/CheyneyComputerScience/CREMA-D (folder VideoFlash, with git-lfs)"
                    .to_owned(),
        });
    }
    let votes = votes(&find_table(VOTES, folder, tables)?)?;
    let actors = actors(&find_table(ACTORS, folder, tables)?)?;
    let entries: Vec<Entry> = videos.into_iter().map(|path| entry(path, &votes, &actors)).collect();
    let mut list = SourceList::new(NAME, entries);
    let absent = votes.keys().filter(|id| list.entries.binary_search_by(|entry| entry.id().cmp(id)).is_err()).count();
    if absent > 0 {
        list.notes.push(format!("{absent} of {} rated clips have no video in {}.", votes.len(), folder.display()));
    }
    Ok(list)
}

fn find_table(name: &str, folder: &Path, tables: Option<&Path>) -> Result<PathBuf, LabError> {
    find(name, &table_folders(folder, tables)).ok_or_else(|| LabError::Missing {
        what: format!("CREMA-D's {name}"),
        way_out: format!(
            "get it from https://github.com/CheyneyComputerScience/CREMA-D (processedResults/tabulatedVotes.csv, \
             VideoDemographics.csv) and put it into {}, or name its folder with --tables DIR",
            folder.display()
        ),
    })
}

/// All videos below `folder`, in the order of their paths.
fn videos(folder: &Path) -> Result<Vec<PathBuf>, LabError> {
    let mut videos = Vec::new();
    let mut folders = vec![(folder.to_owned(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        let in_folder = |error| LabError::file(&folder, error);
        for entry in std::fs::read_dir(&folder).map_err(in_folder)? {
            let path = entry.map_err(in_folder)?.path();
            if path.is_dir() && depth < MAX_DEPTH {
                folders.push((path, depth + 1));
            } else if is_video(&path) && path.is_file() {
                videos.push(path);
            }
        }
    }
    videos.sort();
    Ok(videos)
}

/// By clip, the votes of the people who saw the face alone.
fn votes(path: &Path) -> Result<HashMap<String, [u32; EMOTIONS]>, LabError> {
    let table = Table::read(path)?;
    table.require(&[&["", "fileName"], LETTERS.as_slice()].concat())?;
    let mut votes = HashMap::new();
    // Row ids 1xxxxx are of the voice alone, 3xxxxx of both.
    for row in table.rows().filter(|row| row.get("").len() == 6 && row.get("").starts_with('2')) {
        let mut counts = [0; EMOTIONS];
        for (count, letter) in counts.iter_mut().zip(LETTERS) {
            *count = row
                .count(letter)
                .map_err(|message| LabError::malformed(path, format!("row {}: {message}", row.get(""))))?;
        }
        votes.insert(row.get("fileName").to_owned(), counts);
    }
    if votes.is_empty() {
        return Err(LabError::malformed(path, "it has no rows 2xxxxx, the votes of those who saw the face alone"));
    }
    Ok(votes)
}

/// The actors' sexes.
fn actors(path: &Path) -> Result<HashMap<String, Sex>, LabError> {
    let table = Table::read(path)?;
    table.require(&["ActorID", "Sex"])?;
    let sex = |word: &str| match word.to_ascii_lowercase().as_str() {
        "female" => Some(Sex::Female),
        "male" => Some(Sex::Male),
        _ => None,
    };
    Ok(table.rows().filter_map(|row| Some((row.get("ActorID").to_owned(), sex(row.get("Sex"))?))).collect())
}

fn entry(path: PathBuf, votes: &HashMap<String, [u32; EMOTIONS]>, actors: &HashMap<String, Sex>) -> Entry {
    let id = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let diagnostic = |kind, message: String| Entry::Diagnostic(Diagnostic::new(&id, kind, message));
    // 1001_DFA_ANG_XX: actor, sentence, emotion, level.
    let mut parts = id.split('_');
    let (actor, emotion) = (parts.next().unwrap_or_default(), parts.nth(1).unwrap_or_default());
    if !CODES.contains(&emotion) {
        let message = format!("its name says emotion `{emotion}`, which is none of {}", CODES.join(", "));
        return diagnostic(DiagnosticKind::UnknownEmotion, message);
    }
    let Some(&counts) = votes.get(&id).filter(|counts| counts.iter().any(|&count| count > 0)) else {
        return diagnostic(DiagnosticKind::NoVotes, format!("{VOTES} has no face-only votes for it"));
    };
    let Some(&sex) = actors.get(actor) else {
        return diagnostic(DiagnosticKind::NoSex, format!("{ACTORS} does not give the sex of actor {actor}"));
    };
    let subject = actor.to_owned();
    Entry::Clip(ClipSource {
        id,
        subject,
        sex: Some(sex),
        subset: None,
        votes: counts,
        content: Content::Media(Media::Video(path)),
    })
}
