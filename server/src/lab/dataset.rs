//! What the lab learns from: clips as features, with the votes of the people who rated them.

use emofed::emotion::{EMOTIONS, Emotion};
use emofed::learning::pseudo_label;
use emofed::model::BackboneKind;
use emofed::model::vfer::FEATURES;
use serde::{Deserialize, Serialize};

/// A subject's sex, as the set's own table gives it; splits are balanced by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sex {
    /// Female.
    Female,
    /// Male.
    Male,
}

/// The part of a split that a subject belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Subset {
    /// Weights are fitted on it.
    Train,
    /// The best epoch is chosen on it.
    Validation,
    /// Figures are reported on it.
    Test,
}

/// A rated clip.
#[derive(Clone, Debug, PartialEq)]
pub struct RatedClip {
    /// Unique within the set; the file's name without its extension where there is one.
    pub id: String,
    /// Whose face it shows. No subject is ever in two subsets.
    pub subject: String,
    /// The subject's sex, where the dataset says.
    pub sex: Option<Sex>,
    /// The subset that the set itself prescribes (FER+'s `Usage`), if it does.
    pub subset: Option<Subset>,
    /// How many raters saw each emotion, `[EMOTIONS]`; at least one did.
    pub votes: [u32; EMOTIONS],
    /// The backbone's features, `[frames, FEATURES]`, at least one frame.
    pub features: Vec<f32>,
    /// The image head's probabilities, `[frames, EMOTIONS]`.
    pub probabilities: Vec<[f32; EMOTIONS]>,
}

impl RatedClip {
    /// Number of frames with a face.
    pub fn frames(&self) -> usize {
        self.features.len() / FEATURES
    }

    /// The emotion with most votes; among equals the first in [`Emotion::ALL`]'s order.
    pub fn majority(&self) -> Emotion {
        let most = self.votes.iter().max().copied().unwrap_or(0);
        let index = self.votes.iter().position(|&count| count == most).unwrap_or(0);
        Emotion::ALL[index]
    }

    /// Mean image-head probabilities over the frames, `[EMOTIONS]` (paper, section 3.1); all 0 where one is not finite.
    pub fn mean_probabilities(&self) -> [f32; EMOTIONS] {
        pseudo_label(&self.probabilities, 0.0).map_or([0.0; EMOTIONS], |label| label.mean)
    }
}

/// Where a dataset's numbers come from: what has to be equal for two caches to be comparable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// The set's name: `crema-d`, `ferplus`, `csv`, `synthetic` …
    pub set: String,
    /// Generated, so that no figure on it is a statement about people.
    pub synthetic: bool,
    /// The backbone's architecture.
    pub backbone: BackboneKind,
    /// SHA-256 of the backbone's weights, lower-case hexadecimal.
    pub backbone_sha256: String,
    /// SHA-256 of the face detector's weights; `None` where no face was searched for.
    pub detector_sha256: Option<String>,
    /// Every other setting that decides the numbers, in words or JSON: sampling rate, crop margin, rendering of stills.
    pub settings: serde_json::Value,
}

/// Rated clips and where they come from.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// Where its numbers come from.
    pub provenance: Provenance,
    /// The clips, in the order of their ids.
    pub clips: Vec<RatedClip>,
}

impl Dataset {
    /// Subjects with their sexes, sorted, each once.
    pub fn subjects(&self) -> Vec<(&str, Option<Sex>)> {
        let mut subjects: Vec<(&str, Option<Sex>)> =
            self.clips.iter().map(|clip| (clip.subject.as_str(), clip.sex)).collect();
        subjects.sort_unstable();
        subjects.dedup_by_key(|(subject, _)| *subject);
        subjects
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A dataset of one-frame clips with the given subjects, sexes and prescribed subsets.
    pub fn dataset(clips: impl IntoIterator<Item = (String, Option<Sex>, Option<Subset>)>) -> Dataset {
        let clips = clips.into_iter().enumerate().map(|(index, (subject, sex, subset))| RatedClip {
            id: format!("{index:05}"),
            subject,
            sex,
            subset,
            votes: [1, 2, 2, 0, 0, 0],
            features: vec![0.5; FEATURES],
            probabilities: vec![[0.5, 0.5, 0.0, 0.0, 0.0, 0.0]],
        });
        let provenance = Provenance {
            set: "test".into(),
            synthetic: true,
            backbone: BackboneKind::Lite,
            backbone_sha256: "0".repeat(64),
            detector_sha256: None,
            settings: serde_json::Value::Null,
        };
        Dataset { provenance, clips: clips.collect() }
    }

    #[test]
    fn among_equal_votes_the_first_emotion_counts() {
        assert_eq!(dataset([("s".to_owned(), None, None)]).clips[0].majority(), Emotion::Disgust);
    }
}
