//! FER+ (Barsoum et al. 2016): ten people's opinions of each picture of FER2013.

use std::path::Path;

use emofed::emotion::EMOTIONS;

use super::table::{Row, Table};
use super::{ClipSource, Content, Entry, SourceList, StoredFeatures, find, table_folders};
use crate::lab::LabError;
use crate::lab::dataset::Subset;
use crate::lab::diagnostic::{Diagnostic, DiagnosticKind};
use crate::lab::media::Media;

/// The set's name.
pub const NAME: &str = "ferplus";
const TABLE: &str = "fer2013new.csv";
const FEATURES: &str = "lite_features.safetensors";
const IMAGES: &str = "images.txt";
/// The columns with votes for CREMA-D's six, in [`emofed::emotion::Emotion::ALL`]'s order.
const SIX: [&str; EMOTIONS] = ["anger", "disgust", "fear", "happiness", "neutral", "sadness"];
/// The others.
const OTHERS: [&str; 4] = ["surprise", "contempt", "unknown", "NF"];

/// Lists the pictures in `folder`, or, where there are none, the rows of features computed of them by the lite backbone,
/// which has to be `lite_sha256` if that is given. Every picture is a subject of its own.
///
/// # Errors
/// The table or both pictures and features are missing, not as they should be, or of another backbone.
pub fn list(folder: &Path, tables: Option<&Path>, lite_sha256: Option<&str>) -> Result<SourceList, LabError> {
    let table = find(TABLE, &table_folders(folder, tables)).ok_or_else(|| LabError::Missing {
        what: format!("FER+'s {TABLE}"),
        way_out: format!(
            "get it from https://github.com/microsoft/FERPlus and put it into {}, or name its folder with --tables DIR",
            folder.display()
        ),
    })?;
    let table = Table::read(&table)?;
    table.require(&[&["Usage", "Image name"], SIX.as_slice(), OTHERS.as_slice()].concat())?;
    let stored =
        if table.rows().any(|row| has_picture(folder, row)) { None } else { Some(stored(folder, lite_sha256)?) };
    let (mut entries, mut left_out) = (Vec::new(), 0);
    for row in table.rows() {
        match entry(folder, row, stored.as_ref()) {
            Some(entry) => entries.push(entry),
            None => left_out += 1,
        }
    }
    Ok(SourceList { left_out, stored, ..SourceList::new(NAME, entries) })
}

fn has_picture(folder: &Path, row: Row<'_>) -> bool {
    let name = row.get("Image name");
    is_plain(name) && folder.join(name).is_file()
}

/// Whether `name` cannot lead out of the folder.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.contains(['/', '\\']) && name != ".."
}

fn stored(folder: &Path, lite_sha256: Option<&str>) -> Result<StoredFeatures, LabError> {
    let (features, images) = (folder.join(FEATURES), folder.join(IMAGES));
    if !features.is_file() || !images.is_file() {
        return Err(LabError::Missing {
            what: format!("FER2013's pictures (fer0000000.png …) in {}", folder.display()),
            way_out: format!("write them with FER+'s generate_training_data.py, or put {FEATURES} and {IMAGES} there"),
        });
    }
    let stored = StoredFeatures::read(&features, &images)?;
    match lite_sha256.filter(|sha256| *sha256 != stored.backbone_sha256) {
        None => Ok(stored),
        Some(sha256) => Err(LabError::Mismatch {
            what: format!(
                "{} is of backbone {}, and the data folder has {sha256}",
                features.display(),
                stored.backbone_sha256
            ),
            way_out: "import the lite backbone of the package @vladmandic/face-api 1.7.15, or use the pictures"
                .to_owned(),
        }),
    }
}

/// A row's clip; `None` where it is left out.
fn entry(folder: &Path, row: Row<'_>, stored: Option<&StoredFeatures>) -> Option<Entry> {
    let name = row.get("Image name");
    if name.is_empty() {
        // FER+ found these to show no face.
        return None;
    }
    let id = name.rsplit_once('.').map_or(name, |(stem, _)| stem).to_owned();
    let diagnostic = |kind, message: String| Some(Entry::Diagnostic(Diagnostic::new(&id, kind, message)));
    let counts =
        |columns: &[&str]| columns.iter().map(|column| row.count(column)).collect::<Result<Vec<u32>, String>>();
    let (six, others) = match (counts(&SIX), counts(&OTHERS)) {
        (Ok(six), Ok(others)) => (six, others),
        (Err(message), _) | (_, Err(message)) => return diagnostic(DiagnosticKind::NoVotes, message),
    };
    let most = six.iter().copied().max().unwrap_or(0);
    if most == 0 && others.iter().all(|&count| count == 0) {
        return diagnostic(DiagnosticKind::NoVotes, "nobody rated it".to_owned());
    }
    // A draw between one of the six and another class is no vote for the six.
    if others.iter().any(|&count| count >= most) {
        return None;
    }
    let subset = match row.get("Usage") {
        "Training" => Subset::Train,
        "PublicTest" => Subset::Validation,
        "PrivateTest" => Subset::Test,
        other => return diagnostic(DiagnosticKind::Contradiction, format!("its Usage is `{other}`")),
    };
    let content = match stored {
        Some(stored) => stored.row(name).map(Content::Stored),
        None => has_picture(folder, row).then(|| Content::Media(Media::Picture(folder.join(name)))),
    };
    let Some(content) = content else {
        return diagnostic(DiagnosticKind::MissingFile, format!("{name} is not there"));
    };
    let votes = std::array::from_fn(|emotion| six[emotion]);
    Some(Entry::Clip(ClipSource { subject: id.clone(), id, sex: None, subset: Some(subset), votes, content }))
}
