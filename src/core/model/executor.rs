//! Dispatch to the executor of a [`Device`].

use super::graph::Graph;
use super::{Device, ModelError, cpu};

/// A graph on a device.
// A worker has one, for as long as it runs: the variants' sizes do not matter.
#[allow(clippy::large_enum_variant)]
pub(super) enum Executor {
    Cpu(cpu::Executor),
    #[cfg(feature = "gpu")]
    Gpu(super::gpu::Executor),
    #[cfg(feature = "burn")]
    Burn(super::burn::Executor),
}

impl Executor {
    pub fn new(graph: &Graph, device: &Device) -> Self {
        match device {
            Device::Cpu => Self::Cpu(cpu::Executor::new(graph)),
            #[cfg(feature = "gpu")]
            Device::Gpu(context) => Self::Gpu(super::gpu::Executor::new(graph, context)),
            #[cfg(feature = "burn")]
            Device::Burn(device) => Self::Burn(super::burn::Executor::new(graph, device)),
        }
    }

    /// The graph's first output, NHWC `[images, height, width, channels]`, of images of `image_len` values, NCHW.
    ///
    /// # Errors
    /// [`ModelError::Device`] if the device fails.
    pub async fn run(&self, planes: &[f32], image_len: usize) -> Result<Vec<f32>, ModelError> {
        match self {
            Self::Cpu(executor) => {
                Ok(planes.chunks_exact(image_len).flat_map(|image| executor.run(image).swap_remove(0)).collect())
            }
            #[cfg(feature = "gpu")]
            Self::Gpu(executor) => Ok(executor.run(planes).await?.swap_remove(0)),
            #[cfg(feature = "burn")]
            Self::Burn(executor) => Ok(executor.run(planes).await?.swap_remove(0)),
        }
    }
}
