//! Weights: from the device or the aggregator, never used before their hash is right.

use super::{Session, post};
use crate::model::FaceDetector;
use crate::model::vfer::Vfer;
use crate::protocol::{BlobRef, Manifest, path, sha256_hex};
use crate::tab::error::TabError;
use crate::tab::message::{Asset, FromWorker};
use crate::weights::Weights;

impl Asset {
    fn words(self) -> &'static str {
        match self {
            Self::Backbone => "with the backbone's weights",
            Self::Detector => "with the face detector's weights",
            Self::Vfer => "with the video model's weights",
        }
    }
}

impl Session {
    /// A blob with the hash that names it. What does not match is fetched once more.
    ///
    /// # Errors
    /// [`TabError::Altered`] if it does not match then either, or the aggregator does not answer.
    pub(super) async fn blob(&self, asset: Asset, blob: &BlobRef) -> Result<Vec<u8>, TabError> {
        let address = path::blob(&blob.sha256);
        let is_right = |bytes: &[u8]| sha256_hex(bytes) == blob.sha256;
        if let Some(kept) = self.storage.get(&address).await {
            if is_right(&kept) {
                return Ok(kept);
            }
            self.storage.delete(&address).await;
        }
        let progress = |received, total| post(&FromWorker::Loading { what: asset, received, total });
        let mut bytes = self.aggregator.blob(blob, &progress).await?;
        if !is_right(&bytes) {
            bytes = self.aggregator.blob(blob, &progress).await?;
        }
        if !is_right(&bytes) {
            return Err(TabError::Altered { what: asset.words() });
        }
        self.storage.put(&address, &bytes).await;
        Ok(bytes)
    }

    /// Deletes the weights that the manifest names no more, such as those of earlier versions.
    pub(super) async fn drop_old_blobs(&self, manifest: &Manifest) {
        let used = [&manifest.detector, &manifest.backbone.blob, &manifest.model.vfer];
        self.storage.retain_blobs(&used.map(|blob| path::blob(&blob.sha256))).await;
    }

    pub(super) async fn detector(&self, manifest: &Manifest) -> Result<FaceDetector, TabError> {
        let bytes = self.blob(Asset::Detector, &manifest.detector).await?;
        // Small and needed for each frame: a trip to another worker would cost more than it saves.
        Ok(FaceDetector::load(&Weights::from_safetensors(&bytes)?)?)
    }

    pub(super) async fn vfer(&self, manifest: &Manifest) -> Result<Vfer, TabError> {
        if manifest.model.backbone_sha256 != manifest.backbone.blob.sha256 {
            return Err(TabError::answer("the central model belongs to another backbone"));
        }
        let bytes = self.blob(Asset::Vfer, &manifest.model.vfer).await?;
        let weights = Weights::from_safetensors(&bytes)?;
        weights.check_finite()?;
        Ok(Vfer::from_weights(&weights)?)
    }
}
