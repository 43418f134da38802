//! The first global model that comes with emofed, for the lite backbone: `server/models/README.md` is its card.

use emofed::protocol::ModelCard;
use emofed::weights::Weights;

use super::model_file;

/// F16 safetensors with the card as metadata, as `emofed pretrain` wrote it.
pub const MODEL: &[u8] = include_bytes!("../../models/lite-vfer.safetensors");

/// The shipped model and its card, if it reads the features of the backbone with this hash.
pub fn model_for(backbone_sha256: &str) -> Option<(Weights, ModelCard)> {
    model_file::decode(MODEL).ok().filter(|(_, card)| card.backbone_sha256 == backbone_sha256)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_small_finite_and_belongs_to_one_backbone() {
        let (vfer, card) = model_file::decode(MODEL).unwrap();
        assert!(MODEL.len() <= 400_000 && !card.synthetic && card.clips > 20_000);
        assert!(vfer.check_finite().is_ok());
        assert!(model_for(&card.backbone_sha256).is_some() && model_for("another").is_none());
    }
}
