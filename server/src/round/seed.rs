//! Beginning another federation with what one has: backbone, detector, and the base video model, but nothing that its rounds made.

use std::path::Path;
use std::sync::Arc;

use emofed::protocol::{BackboneRef, ModelOrigin};

use super::models::newest_model;
use super::{Refusal, RoundError};
use crate::store::{EmbeddedStore, ModelRecord, Records, StoreError, blob_name, link_object};

/// Makes a store in the folder `to` that begins where `from`, in the folder `from_folder`, has begun at `now_s`.
///
/// # Errors
/// A store fails, or `from` has no backbone, detector, or model that no round made.
pub fn seed(from: &Records, from_folder: &Path, to: &Path, now_s: u64) -> Result<Records, RoundError> {
    let backbone = from.backbone()?.ok_or(Refusal::NoBackbone)?;
    let detector = from.detector()?.ok_or(Refusal::NoDetector)?;
    let model = base_model(from, &backbone.backbone)?.ok_or(Refusal::NoModel)?;
    for blob in [&backbone.backbone.blob, &detector, &model.vfer] {
        // Read, so that its hash is checked: what is damaged is not handed on.
        from.blob(&blob.sha256)?;
        link_object(from_folder, to, &blob_name(&blob.sha256)).map_err(StoreError::from)?;
    }
    let records = Records::open(Arc::new(EmbeddedStore::open(to)?))?;
    records.put_backbone(&backbone)?;
    records.put_detector(&detector)?;
    let model = ModelRecord { version: 1, parent: None, round: None, published_at_s: now_s, ..model };
    records.insert_model(None, &model, None)?;
    Ok(records)
}

/// The newest model over `backbone` that no round had a part in.
fn base_model(records: &Records, backbone: &BackboneRef) -> Result<Option<ModelRecord>, StoreError> {
    newest_model(records, |model| {
        model.backbone_sha256 == backbone.blob.sha256
            && matches!(model.origin, ModelOrigin::Bootstrap | ModelOrigin::Trained)
    })
}
