//! Beginning another federation with what one has: backbone, detector, and the base video model, but nothing that its rounds made.

use std::sync::Arc;

use emofed::protocol::{BackboneRef, ModelOrigin};

use super::models::newest_model;
use super::{Refusal, RoundError};
use crate::store::{ModelRecord, Records, Store, StoreError, blob_name};

/// Has the empty store `to` begin where `from` has begun, at `now_s`. `give` gives it an object of `from` by its name and bytes.
///
/// # Errors
/// A store fails, or `from` has no backbone, detector, or model that no round made.
pub fn seed(
    from: &Records,
    to: Arc<dyn Store>,
    give: impl Fn(&str, &[u8]) -> Result<(), StoreError>,
    now_s: u64,
) -> Result<Records, RoundError> {
    let backbone = from.backbone()?.ok_or(Refusal::NoBackbone)?;
    let detector = from.detector()?.ok_or(Refusal::NoDetector)?;
    let model = base_model(from, &backbone.backbone)?.ok_or(Refusal::NoModel)?;
    for blob in [&backbone.backbone.blob, &detector, &model.vfer] {
        // Read, so that its hash is checked: what is damaged is not handed on.
        give(&blob_name(&blob.sha256), &from.blob(&blob.sha256)?)?;
    }
    let records = Records::open(to)?;
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
