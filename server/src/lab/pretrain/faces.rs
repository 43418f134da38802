//! FER+'s faces as features: each training face as it is and in three altered views, and the faces that choose and test.

use std::path::Path;

use emofed::emotion::EMOTIONS;
use emofed::model::vfer::FEATURES;
use emofed::weights::Weights;

use crate::lab::LabError;
use crate::lab::dataset::{RatedClip, Subset};
use crate::lab::datasets::{Content, Entry, ferplus};

/// Views of a training face, the face itself first.
pub const VIEWS: usize = 4;

/// A training face.
pub struct Face {
    /// `[VIEWS, FEATURES]`.
    pub views: Vec<f32>,
    /// How many raters saw each emotion.
    pub votes: [u32; EMOTIONS],
}

/// What the first model is made from.
pub struct Faces {
    /// SHA-256 of the backbone whose features these are.
    pub backbone_sha256: String,
    /// Training faces.
    pub training: Vec<Face>,
    /// Faces that choose, as clips of one frame.
    pub validation: Vec<RatedClip>,
    /// Faces that test.
    pub test: Vec<RatedClip>,
}

/// Reads a folder with `fer2013new.csv`, `images.txt`, `train_views.txt` and `lite_features.safetensors`.
///
/// # Errors
/// One of them is missing, or they do not fit each other.
pub fn read(folder: &Path) -> Result<Faces, LabError> {
    let list = ferplus::list(folder, None, None)?;
    let stored = list.stored.as_ref().ok_or_else(|| LabError::Missing {
        what: "lite_features.safetensors with features of the faces' views".into(),
        way_out: "name a folder that has it; pictures alone have no altered views".into(),
    })?;
    let mut faces = Faces {
        backbone_sha256: stored.backbone_sha256.clone(),
        training: Vec::new(),
        validation: Vec::new(),
        test: Vec::new(),
    };
    let mut training = std::collections::HashMap::new();
    for entry in &list.entries {
        let Entry::Clip(source) = entry else { continue };
        let Content::Stored(row) = source.content else { continue };
        let Ok((features, probabilities)) = stored.frame(row) else { continue };
        let clip = source.with(features, probabilities);
        match clip.subset {
            Some(Subset::Validation) => faces.validation.push(clip),
            Some(Subset::Test) => faces.test.push(clip),
            _ => {
                training.insert(clip.id.clone(), clip);
            }
        }
    }
    let path = folder.join("train_views.txt");
    let names = std::fs::read_to_string(&path).map_err(|error| LabError::file(&path, error))?;
    let names: Vec<&str> = names.lines().map(str::trim).collect();
    let file = folder.join("lite_features.safetensors");
    let bytes = std::fs::read(&file).map_err(|error| LabError::file(&file, error))?;
    let weights = Weights::from_safetensors(&bytes).map_err(|error| LabError::malformed(&file, error))?;
    let altered = VIEWS - 1;
    let views = weights
        .get_shaped("train_view_features", &[altered * names.len(), FEATURES])
        .map_err(|error| LabError::malformed(&file, error))?;
    for (name, altered) in names.iter().zip(views.values.chunks_exact(altered * FEATURES)) {
        let id = name.rsplit_once('.').map_or(*name, |(stem, _)| stem);
        // A name that occurs twice in the table is one face.
        let Some(clip) = training.remove(id) else { continue };
        let views: Vec<f32> = clip.features.iter().chain(altered).copied().collect();
        if views.iter().all(|value| value.is_finite()) {
            faces.training.push(Face { views, votes: clip.votes });
        }
    }
    if faces.training.is_empty() || faces.validation.is_empty() || faces.test.is_empty() {
        return Err(LabError::malformed(&path, "it names none of the table's training faces, or a subset is empty"));
    }
    Ok(faces)
}
