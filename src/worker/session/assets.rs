//! Weights: read from the device or downloaded, and never used before their hash is verified.

use super::manifest::SessionManifest;
use super::{Session, post};
use crate::messages::{Asset, FromWorker, device};
use crate::model::FaceDetector;
use crate::protocol::{BlobRef, ModelDifference, path, sha256_hex, with_difference};
use crate::weights::Weights;
use crate::worker::error::WorkerError;

impl Session {
    /// A blob, verified by the hash that names it. If a download does not match, it is repeated once.
    ///
    /// # Errors
    /// [`WorkerError::Altered`] if the second download does not match, either, or an error of the request.
    pub(super) async fn blob(&self, asset: Asset, blob: &BlobRef) -> Result<Vec<u8>, WorkerError> {
        let address = path::blob(&blob.sha256);
        let is_intact = |bytes: &[u8]| sha256_hex(bytes) == blob.sha256;
        if let Some(kept) = self.storage.get(&address).await {
            if is_intact(&kept) {
                return Ok(kept);
            }
            self.storage.delete(&address).await;
        }
        let progress = |received, total| post(&FromWorker::Loading { asset, received, total });
        let mut bytes = self.aggregator.blob(blob, &progress).await?;
        if !is_intact(&bytes) {
            bytes = self.aggregator.blob(blob, &progress).await?;
        }
        if !is_intact(&bytes) {
            return Err(WorkerError::Altered(asset));
        }
        self.storage.put(&address, &bytes).await;
        Ok(bytes)
    }

    /// Stores the global model's weights on the device, from those of its parent, where these are there, and the difference. Verified by the hash of
    /// the whole; `None` if anything is amiss.
    async fn add_difference(&self, whole: &BlobRef, difference: &ModelDifference) -> Option<()> {
        let address = path::blob(&whole.sha256);
        if difference.blob.size > whole.size || self.storage.get(&address).await.is_some() {
            return None;
        }
        let base = self.storage.get(&path::blob(&difference.base_sha256)).await?;
        let file = self.aggregator.blob(&difference.blob, &|_, _| {}).await.ok()?;
        let bytes = with_difference(&Weights::from_safetensors(&base).ok()?, &file).ok()?.to_safetensors(None);
        if sha256_hex(&bytes) == whole.sha256 {
            self.storage.put(&address, &bytes).await;
        }
        Some(())
    }

    /// Deletes weights that the manifest does not name, such as those of earlier versions.
    pub(super) async fn delete_unused_blobs(&self, manifest: &SessionManifest) {
        let used = [&manifest.detector, &manifest.backbone.blob, &manifest.model.vfer];
        self.storage.retain(device::BLOBS, &used.map(|blob| path::blob(&blob.sha256))).await;
    }

    pub(super) async fn detector(&self, manifest: &SessionManifest) -> Result<FaceDetector, WorkerError> {
        let bytes = self.blob(Asset::Detector, &manifest.detector).await?;
        // It is small and runs on each frame: sending frames to another worker would cost more than it saves.
        Ok(FaceDetector::load(&Weights::from_safetensors(&bytes)?)?)
    }

    pub(super) async fn vfer_weights(&self, manifest: &SessionManifest) -> Result<Weights, WorkerError> {
        if manifest.model.backbone_sha256 != manifest.backbone.blob.sha256 {
            return Err(WorkerError::malformed("the global model belongs to another backbone"));
        }
        let whole = &manifest.model.vfer;
        if let Some(difference) = &manifest.model.difference {
            // From now on this device has it, unless something is amiss.
            self.add_difference(whole, difference).await;
        }
        let bytes = self.blob(Asset::Vfer, whole).await?;
        let weights = Weights::from_safetensors(&bytes)?;
        weights.check_finite()?;
        Ok(weights)
    }
}
