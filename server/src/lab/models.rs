//! The frozen models of the lab: those of the data folder, which `emofed import` put there.

use std::path::Path;
use std::sync::Arc;

use emofed::model::{Backbone, BackboneKind, Device, FaceDetector};
use emofed::weights::Weights;

use super::LabError;
use crate::import::lite::LitePack;
use crate::store::{EmbeddedStore, Records};

/// Weights of a backbone and the face detector, checked against their hashes.
#[derive(Clone, Debug)]
pub struct Models {
    /// The backbone's architecture.
    pub kind: BackboneKind,
    /// Its weights.
    pub backbone: Weights,
    /// SHA-256 of its file, lower-case hexadecimal.
    pub backbone_sha256: String,
    /// The face detector's weights.
    pub detector: Weights,
    /// SHA-256 of its file, lower-case hexadecimal.
    pub detector_sha256: String,
}

impl Models {
    /// Reads the models in use from the data folder, which is open no longer than that.
    ///
    /// # Errors
    /// There are none, the folder is in use, or its files are damaged.
    pub fn read(data: &Path) -> Result<Self, LabError> {
        let missing = |what: &str| LabError::Missing {
            what: format!("{what} in {}", data.display()),
            way_out: "run `emofed import lite FOLDER` (or `make serve` once), or name another folder with --data DIR"
                .to_owned(),
        };
        if !data.join("records.redb").is_file() {
            return Err(missing("a backbone"));
        }
        let records = Records::open(Arc::new(EmbeddedStore::open(data)?))?;
        let backbone = records.backbone()?.ok_or_else(|| missing("a backbone"))?.backbone;
        let detector = records.detector()?.ok_or_else(|| missing("a face detector"))?;
        Ok(Self {
            kind: backbone.kind,
            backbone: Weights::from_safetensors(&records.blob(&backbone.blob.sha256)?)?,
            backbone_sha256: backbone.blob.sha256,
            detector: Weights::from_safetensors(&records.blob(&detector.sha256)?)?,
            detector_sha256: detector.sha256,
        })
    }

    /// The lite models as imported from their package.
    pub fn lite(pack: LitePack) -> Self {
        let sha256 = |weights: &Weights| emofed::protocol::sha256_hex(&weights.to_safetensors(None));
        Self {
            kind: BackboneKind::Lite,
            backbone_sha256: sha256(&pack.backbone),
            detector_sha256: sha256(&pack.detector),
            backbone: pack.backbone,
            detector: pack.detector,
        }
    }

    /// The backbone on `device`.
    ///
    /// # Errors
    /// The weights are not those of such a backbone.
    pub fn load_backbone(&self, device: &Device) -> Result<Backbone, LabError> {
        Ok(Backbone::load(self.kind, &self.backbone, device)?)
    }

    /// The face detector.
    ///
    /// # Errors
    /// The weights are not the detector's.
    pub fn load_detector(&self) -> Result<FaceDetector, LabError> {
        Ok(FaceDetector::load(&self.detector)?)
    }
}

/// The GPU, where emofed was built with the feature `gpu`.
///
/// # Errors
/// There is none, or emofed was built without.
#[cfg(feature = "gpu")]
pub fn gpu_device() -> Result<Device, LabError> {
    gpu_context().map(Device::Gpu)
}

/// The GPU as a device of burn's, where emofed was built with the feature `gpu`.
///
/// # Errors
/// There is none, or emofed was built without.
#[cfg(feature = "gpu")]
pub fn gpu_burn_device() -> Result<burn::tensor::Device, LabError> {
    Ok(gpu_context()?.burn_device()?)
}

#[cfg(feature = "gpu")]
fn gpu_context() -> Result<emofed::model::gpu::GpuContext, LabError> {
    use emofed::model::gpu::{GpuContext, Precision};
    // A lost device shows in the next operation's error, which ends the run.
    let lost = |reason| tracing::warn!(%reason, "the GPU device was lost");
    Ok(futures::executor::block_on(GpuContext::open(Precision::F32, lost))?)
}

/// The GPU, where emofed was built with the feature `gpu`.
///
/// # Errors
/// There is none, or emofed was built without.
#[cfg(not(feature = "gpu"))]
pub fn gpu_device() -> Result<Device, LabError> {
    Err(built_without_gpu())
}

/// The GPU as a device of burn's, where emofed was built with the feature `gpu`.
///
/// # Errors
/// There is none, or emofed was built without.
#[cfg(not(feature = "gpu"))]
pub fn gpu_burn_device() -> Result<burn::tensor::Device, LabError> {
    Err(built_without_gpu())
}

#[cfg(not(feature = "gpu"))]
fn built_without_gpu() -> LabError {
    LabError::Missing {
        what: "support for GPUs".to_owned(),
        way_out: "build with `cargo build --release -p emofed-server --features gpu`, or leave out --device gpu"
            .to_owned(),
    }
}
