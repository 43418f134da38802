//! A trained VFER as a file: its tensors as safetensors, with the model card as metadata.

use std::collections::HashMap;
use std::path::Path;

use emofed::model::vfer::VferArchitecture;
use emofed::protocol::ModelCard;
use emofed::weights::Weights;

use super::LabError;

/// The metadata's one entry; its value is a [`ModelCard`] as JSON, with [`CARD_VERSION`] as `schema_version`.
const CARD: &str = "emofed.card";

/// Of the cards that are written. Those of version 1 have no `schema_version` and call the dataset `set`; they are read, too.
const CARD_VERSION: u64 = 2;

/// How the values are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// As they are.
    F32,
    /// Rounded to the nearest, in half the bytes.
    F16,
}

/// The file's bytes.
pub fn encode(vfer: &Weights, card: &ModelCard, precision: Precision) -> Vec<u8> {
    let mut card = serde_json::to_value(card).expect("a card is plain data");
    card["schema_version"] = CARD_VERSION.into();
    let metadata = Some(HashMap::from([(CARD.to_owned(), card.to_string())]));
    match precision {
        Precision::F32 => vfer.to_safetensors(metadata),
        Precision::F16 => vfer.to_safetensors_f16(metadata),
    }
}

/// Writes a model.
///
/// # Errors
/// The disk fails.
pub fn write(path: &Path, vfer: &Weights, card: &ModelCard, precision: Precision) -> Result<(), LabError> {
    std::fs::write(path, encode(vfer, card, precision)).map_err(|error| LabError::file(path, error))
}

/// Reads a model and its card.
///
/// # Errors
/// The file cannot be read, is no VFER, is not finite, or has no card.
pub fn read(path: &Path) -> Result<(Weights, ModelCard), LabError> {
    let bytes = std::fs::read(path).map_err(|error| LabError::file(path, error))?;
    decode(&bytes).map_err(|reason| LabError::malformed(path, reason))
}

/// Reads a model and its card from a file's bytes.
///
/// # Errors
/// What is wrong with it, in words.
pub fn decode(bytes: &[u8]) -> Result<(Weights, ModelCard), String> {
    let weights = Weights::from_safetensors(bytes).map_err(|error| error.to_string())?;
    weights.check_finite().map_err(|error| error.to_string())?;
    VferArchitecture::of(&weights).map_err(|error| error.to_string())?;
    let metadata = Weights::metadata(bytes).map_err(|error| error.to_string())?;
    let card = metadata.get(CARD).ok_or("it has no model card; `emofed train` writes one")?;
    Ok((weights, decode_card(card)?))
}

fn decode_card(json: &str) -> Result<ModelCard, String> {
    let malformed = |error: serde_json::Error| format!("its model card: {error}");
    let mut card: serde_json::Map<String, serde_json::Value> = serde_json::from_str(json).map_err(malformed)?;
    match card.remove("schema_version").map_or(Some(1), |version| version.as_u64()) {
        Some(1) => {
            if let Some(dataset) = card.remove("set") {
                card.insert("dataset".to_owned(), dataset);
            }
        }
        Some(CARD_VERSION) => {}
        _ => return Err("its model card is of a newer emofed; read it with that one".to_owned()),
    }
    serde_json::from_value(card.into()).map_err(malformed)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A card with everything in it.
    pub fn card() -> ModelCard {
        ModelCard {
            dataset: "synthetic".into(),
            synthetic: true,
            labels: "softmax".into(),
            clips: 10,
            subjects: 2,
            seed: 1,
            backbone_sha256: "synthetic".into(),
            command: "emofed train synthetic".into(),
            metrics: [("test macro F1".to_owned(), 0.5)].into(),
        }
    }

    #[test]
    fn a_model_survives_in_both_precisions_and_damage_is_told() {
        let vfer = emofed::model::vfer::Vfer::random(1).to_weights();
        let whole = encode(&vfer, &card(), Precision::F32);
        assert_eq!(decode(&whole).unwrap(), (vfer.clone(), card()));
        let half = encode(&vfer, &card(), Precision::F16);
        assert!(half.len() < 400_000 && decode(&half).unwrap().1 == card());
        assert!(decode(&whole[..whole.len() - 1]).is_err());
        assert!(decode(&vfer.to_safetensors(None)).unwrap_err().contains("card"));
    }

    #[test]
    fn cards_of_version_1_are_read_and_newer_ones_refused() {
        let mut json = serde_json::to_value(card()).unwrap();
        json["schema_version"] = 3.into();
        assert!(decode_card(&json.to_string()).unwrap_err().contains("newer"));
        let fields = json.as_object_mut().unwrap();
        fields.remove("schema_version");
        let dataset = fields.remove("dataset").unwrap();
        fields.insert("set".to_owned(), dataset);
        assert_eq!(decode_card(&json.to_string()).unwrap(), card());
    }
}
