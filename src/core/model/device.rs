//! Where backbones run.

/// Where a backbone runs.
#[derive(Clone, Debug)]
pub enum Device {
    /// On the CPU, by kernels of our own.
    Cpu,
    /// On a GPU, by kernels of our own.
    #[cfg(feature = "gpu")]
    Gpu(super::gpu::GpuContext),
    /// On a device of burn's: the reference that the others are tested against.
    #[cfg(feature = "burn")]
    Burn(burn::tensor::Device),
}

/// burn's CPU backend.
#[cfg(feature = "burn")]
pub fn flex() -> Device {
    Device::Burn(burn::tensor::Device::flex())
}
