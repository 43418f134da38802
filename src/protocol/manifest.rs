//! The manifest: everything a tab has to know before it can take part.

use serde::{Deserialize, Serialize};

use super::{ClassMetrics, EndedRound, Lecture, OpenRound};
use crate::learning::LearningSettings;
use crate::model::BackboneKind;
use crate::model::vfer::VferArchitecture;

/// `GET /api/v2/manifest`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Manifest {
    /// [`super::PROTOCOL`] of the aggregator.
    pub protocol: u32,
    /// The federation's name, which the pages show.
    pub name: String,
    /// Who runs this and why; absent only on loopback.
    pub deployment: Option<Deployment>,
    /// What is on the stage.
    #[serde(default)]
    pub lecture: Lecture,
    /// The frozen feature extractor and image model.
    pub backbone: BackboneRef,
    /// The face detector's weights.
    pub detector: BlobRef,
    /// The global model.
    pub model: ModelVersion,
    /// How tabs learn.
    #[cfg_attr(feature = "openapi", schema(schema_with = super::schema::of_default::<LearningSettings>))]
    pub learning: LearningSettings,
    /// How tabs look and cut clips.
    pub capture: CaptureSettings,
    /// The round that takes updates now, if any.
    pub round: Option<OpenRound>,
    /// The last [`super::RECENT_ROUNDS`] ended rounds, newest first. A round that is being aggregated is in neither.
    #[serde(default)]
    pub recent_rounds: Vec<EndedRound>,
    /// A demonstration with fewer than [`MINIMUM_CONTRIBUTORS`]: a published model can then give away what a single
    /// participant's update was. Only on loopback; the pages say so.
    #[serde(default)]
    pub few_contributors: bool,
    /// Whether updates may carry [`super::ClientMetrics`]: an aggregator that does not know them refuses such an update.
    #[serde(default)]
    pub takes_metrics: bool,
}

/// Fewest distinct participants whose updates may be published as one model. With two, each can subtract its own part
/// from the published mean and is left with the other's update.
pub const MINIMUM_CONTRIBUTORS: u32 = 3;

/// The written statement that serving beyond loopback needs; the consent screen shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Deployment {
    /// What the emotion inference is for.
    pub purpose: String,
    /// Country or state whose law applies.
    pub jurisdiction: String,
    /// Ethics approval or other legal basis.
    pub legal_basis: String,
    /// Whom students can ask.
    pub contact: String,
}

/// An immutable file, served at [`super::path::blob`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BlobRef {
    /// SHA-256 in lower-case hexadecimal.
    pub sha256: String,
    /// Length in bytes.
    pub size: u64,
}

/// The file of a rounded difference ([`super::with_difference`]) from one model to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ModelDifference {
    /// SHA-256 of the weights that it is added to.
    pub base_sha256: String,
    /// The file.
    pub blob: BlobRef,
}

/// The frozen backbone, by kind and hash. A VFER belongs to exactly one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(from = "BackboneFields")]
pub struct BackboneRef {
    /// Its architecture.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub kind: BackboneKind,
    /// Its weights.
    #[serde(flatten)]
    pub blob: BlobRef,
}

/// A [`BackboneRef`] as it is read: serde reads flattened structs by way of a tree of values, in much more code.
#[derive(Deserialize)]
struct BackboneFields {
    kind: BackboneKind,
    sha256: String,
    size: u64,
}

impl From<BackboneFields> for BackboneRef {
    fn from(BackboneFields { kind, sha256, size }: BackboneFields) -> Self {
        Self { kind, blob: BlobRef { sha256, size } }
    }
}

/// Where a VFER comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum ModelOrigin {
    /// Distilled from the image head without any labelled video: a start, not a result.
    Bootstrap,
    /// Trained on a labelled corpus.
    Trained,
    /// Made by a round.
    Federated,
    /// An origin of a newer protocol.
    #[serde(other)]
    Unknown,
}

/// A published VFER and where it stands in the lineage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ModelVersion {
    /// Counts up by one with every publication; never reused.
    pub version: u64,
    /// The version it was made from.
    pub parent: Option<u64>,
    /// Where it comes from.
    pub origin: ModelOrigin,
    /// The round that made it.
    pub round: Option<u64>,
    /// How many client updates went into it.
    pub num_clients: u32,
    /// The sum of those updates' `num_examples`. Absent where fewer than [`MINIMUM_CONTRIBUTORS`] contributed: together
    /// with one's own count it gives another's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num_examples: Option<u64>,
    /// Seconds since 1970 when it was published.
    pub published_at_s: u64,
    /// SHA-256 of the backbone whose features it reads.
    pub backbone_sha256: String,
    /// What it consists of; the paper's where it is not said.
    #[cfg_attr(feature = "openapi", schema(schema_with = super::schema::of_default::<VferArchitecture>))]
    #[serde(default)]
    pub architecture: VferArchitecture,
    /// Its weights.
    pub vfer: BlobRef,
    /// The same for who has the weights of its parent; absent where it was published whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference: Option<ModelDifference>,
    /// How labelling went in the tabs of its round that told: of five or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_metrics: Option<ClassMetrics>,
    /// What the acceptance check measured on the instructor's held-out set, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acceptance_report: Option<AcceptanceReport>,
    /// What it was trained on, where it was trained in the lab.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<ModelCard>,
}

/// Figures of the acceptance check: a candidate and the model before it on a held-out set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AcceptanceReport {
    /// The dataset's name.
    pub dataset: String,
    /// Its number of clips.
    pub clips: u32,
    /// Macro F1 of the model before, 0 to 1.
    pub macro_f1_before: f64,
    /// Macro F1 of this model.
    pub macro_f1_after: f64,
    /// Mean negative log-probability of the majority emotion before, in nats.
    pub loss_before: f64,
    /// The same of this model.
    pub loss_after: f64,
}

/// What a trained model was made of and what it is worth, in short.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ModelCard {
    /// The dataset it was trained on.
    pub dataset: String,
    /// Generated clips: no figure is a statement about people.
    pub synthetic: bool,
    /// How votes became targets.
    pub labels: String,
    /// Training clips.
    pub clips: u64,
    /// Their subjects.
    pub subjects: u64,
    /// The seed that makes it again.
    pub seed: u64,
    /// SHA-256 of the backbone whose features it reads.
    pub backbone_sha256: String,
    /// The command that makes it again.
    pub command: String,
    /// Figures by name, with the subset they were measured on: `test macro F1`.
    pub metrics: std::collections::BTreeMap<String, f64>,
}

/// How a tab samples frames and cuts clips.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct CaptureSettings {
    /// Most frames a second to look at; a slower tab looks at fewer.
    pub max_frames_per_second: f64,
    /// Length of a clip; where frames come too seldom for `minimum_frames`, up to four times as long.
    pub clip_ms: u64,
    /// Share of a clip's frames, 0 to 0.5, that the next clip of the same face begins with.
    pub clip_overlap: f64,
    /// A clip with fewer frames than this is dropped.
    pub minimum_frames: usize,
    /// A clip ends where the face is gone for longer.
    pub face_lost_ms: u64,
}

impl Default for CaptureSettings {
    fn default() -> Self {
        Self { max_frames_per_second: 10.0, clip_ms: 3_000, clip_overlap: 0.0, minimum_frames: 8, face_lost_ms: 500 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learning::{Recipe, UpdateEncoding};
    use crate::protocol::{Event, RoundOutcome};

    /// A manifest of a newer aggregator: fields and values that this version does not know.
    const NEWER: &str = r#"{
        "protocol": 2, "name": "federation", "deployment": null, "motto": "new",
        "backbone": { "kind": "lite", "sha256": "b", "size": 4, "licence": "new" },
        "detector": { "sha256": "d", "size": 4 },
        "model": {
            "version": 2, "parent": 1, "origin": "distilled-again", "round": null, "num_clients": 3, "published_at_s": 9,
            "backbone_sha256": "b", "vfer": { "sha256": "v", "size": 4 }, "signature": "new",
            "card": {
                "dataset": "d", "synthetic": false, "labels": "softmax", "clips": 1, "subjects": 1, "seed": 1,
                "backbone_sha256": "b", "command": "c", "metrics": {}, "notes": "new"
            }
        },
        "learning": { "recipe": "adapters", "update_encoding": "int4", "epochs": 2, "dropout": 0.1 },
        "capture": { "clip_ms": 2000, "resolution": 720 },
        "round": {
            "id": 5, "base_version": 2, "minimum_clients": 3, "received": 0, "deadline_s": 99, "strategy": "new"
        },
        "recent_rounds": [{ "round": 4, "outcome": "postponed", "until_s": 1 }]
    }"#;

    #[test]
    fn unknown_fields_and_values_of_a_newer_aggregator_are_read_over() {
        let manifest: Manifest = serde_json::from_str(NEWER).unwrap();
        assert_eq!(manifest.model.origin, ModelOrigin::Unknown);
        assert_eq!((manifest.learning.recipe, manifest.learning.epochs), (Recipe::Paper, 2));
        assert_eq!(manifest.learning.update_encoding, UpdateEncoding::F32);
        assert_eq!((manifest.capture.clip_ms, manifest.capture.minimum_frames), (2_000, 8));
        assert_eq!(manifest.recent_rounds[0].outcome, RoundOutcome::Unknown);
        assert_eq!(manifest.round.unwrap().id, 5);
        assert_eq!(serde_json::from_str::<Event>(r#"{"event":"model-signed","version":1}"#).unwrap(), Event::Unknown);
    }

    #[test]
    fn known_values_survive_a_round_trip() {
        for recipe in [Recipe::Paper, Recipe::PersonalHead] {
            let json = serde_json::to_string(&recipe).unwrap();
            assert_eq!(serde_json::from_str::<Recipe>(&json).unwrap(), recipe);
        }
        for encoding in [UpdateEncoding::F32, UpdateEncoding::F16, UpdateEncoding::Int8] {
            let json = serde_json::to_string(&encoding).unwrap();
            assert_eq!(serde_json::from_str::<UpdateEncoding>(&json).unwrap(), encoding);
        }
    }
}
