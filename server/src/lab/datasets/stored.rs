//! Features of pictures that somebody else computed with the lite backbone.

use std::collections::HashMap;
use std::path::Path;

use emofed::emotion::EMOTIONS;
use emofed::model::vfer::FEATURES;
use emofed::protocol::sha256_hex;
use half::f16;
use safetensors::{Dtype, SafeTensors};

use crate::lab::LabError;
use crate::lab::diagnostic::DiagnosticKind;

/// `features` `[rows, FEATURES]` and `probabilities` `[rows, EMOTIONS]` in F16, and the names of the rows.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredFeatures {
    /// SHA-256 of the backbone that computed them, as the file says.
    pub backbone_sha256: String,
    /// SHA-256 of the file.
    pub sha256: String,
    features: Vec<f16>,
    probabilities: Vec<f16>,
    rows: HashMap<String, usize>,
}

impl StoredFeatures {
    /// Reads `features`, whose rows `names` lists line by line.
    ///
    /// # Errors
    /// A file cannot be read, or they do not fit each other.
    pub fn read(features: &Path, names: &Path) -> Result<Self, LabError> {
        let wrong = |reason: String| LabError::malformed(features, reason);
        let bytes = std::fs::read(features).map_err(|error| LabError::file(features, error))?;
        let list = std::fs::read_to_string(names).map_err(|error| LabError::file(names, error))?;
        let rows: HashMap<String, usize> = list.lines().map(|line| line.trim().to_owned()).zip(0..).collect();
        let count = list.lines().count();
        if rows.len() != count {
            return Err(LabError::malformed(names, "it names a picture twice"));
        }
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|error| wrong(error.to_string()))?;
        let backbone_sha256 = header.metadata().as_ref().and_then(|metadata| metadata.get("backbone_sha256"));
        let backbone_sha256 =
            backbone_sha256.cloned().ok_or_else(|| wrong("it does not say which backbone".to_owned()))?;
        let file = SafeTensors::deserialize(&bytes).map_err(|error| wrong(error.to_string()))?;
        let tensor = |name: &str, width: usize| {
            let view = file.tensor(name).map_err(|error| wrong(error.to_string()))?;
            if view.dtype() != Dtype::F16 || view.shape() != [count, width] {
                let found = format!("`{name}` is {:?} {:?}", view.dtype(), view.shape());
                return Err(wrong(format!("{found}, expected F16 [{count}, {width}] for {} names", rows.len())));
            }
            Ok(view.data().as_chunks::<2>().0.iter().map(|bytes| f16::from_le_bytes(*bytes)).collect())
        };
        Ok(Self {
            backbone_sha256,
            sha256: sha256_hex(&bytes),
            features: tensor("features", FEATURES)?,
            probabilities: tensor("probabilities", EMOTIONS)?,
            rows,
        })
    }

    /// The row of the picture called `name`.
    pub fn row(&self, name: &str) -> Option<usize> {
        self.rows.get(name).copied()
    }

    /// The features and probabilities in `row`, as a clip of one frame.
    ///
    /// # Errors
    /// They are not finite.
    #[allow(clippy::type_complexity, reason = "the same as what an extractor finds")]
    pub fn frame(&self, row: usize) -> Result<(Vec<f32>, Vec<[f32; EMOTIONS]>), (DiagnosticKind, String)> {
        let features: Vec<f32> =
            self.features[row * FEATURES..][..FEATURES].iter().map(|value| value.to_f32()).collect();
        let probabilities: [f32; EMOTIONS] = std::array::from_fn(|i| self.probabilities[row * EMOTIONS + i].to_f32());
        if features.iter().chain(&probabilities).any(|value| !value.is_finite()) {
            return Err((DiagnosticKind::Unreadable, "its stored features are not finite".to_owned()));
        }
        Ok((features, vec![probabilities]))
    }
}
