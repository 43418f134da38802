//! A [`GpuContext`]'s device as one of burn's.

use std::sync::OnceLock;

use burn::tensor::Device;
use burn_wgpu::{RuntimeOptions, WgpuSetup, try_init_device, wgpu};

use super::GpuContext;
use crate::model::ModelError;

/// Workgroup memory that burn's matrix products take at most, in bytes. They panic where there is less.
const WORKGROUP_MEMORY_BYTES: u32 = 32 * 1024;

/// What burn wants of a device beside its handles.
#[derive(Debug)]
pub(super) struct BurnDevice {
    instance: wgpu::Instance,
    adapter: wgpu::Adapter,
    /// burn's name for it, once it is asked for.
    registered: OnceLock<Device>,
}

impl BurnDevice {
    pub(super) fn new(instance: wgpu::Instance, adapter: wgpu::Adapter) -> Self {
        Self { instance, adapter, registered: OnceLock::new() }
    }
}

impl GpuContext {
    /// This very device as one of burn's, so that video models run beside the backbone. Its tensors are f32.
    ///
    /// # Errors
    /// [`ModelError::Device`] if the device has less workgroup memory than burn's matrix products may take, or burn-wgpu
    /// cannot use it.
    pub fn burn_device(&self) -> Result<Device, ModelError> {
        let found = self.device.limits().max_compute_workgroup_storage_size;
        if found < WORKGROUP_MEMORY_BYTES {
            let detail = format!("{found} bytes of workgroup memory; video models need {WORKGROUP_MEMORY_BYTES}");
            return Err(ModelError::Device(detail));
        }
        if let Some(device) = self.burn.registered.get() {
            return Ok(device.clone());
        }
        let setup = WgpuSetup {
            instance: self.burn.instance.clone(),
            adapter: self.burn.adapter.clone(),
            device: self.device.clone(),
            queue: self.queue.clone(),
            backend: self.burn.adapter.get_info().backend,
        };
        let registered = try_init_device(setup, RuntimeOptions::default());
        let device = registered.map_err(|error| ModelError::Device(error.to_string()))?;
        Ok(self.burn.registered.get_or_init(|| device.into()).clone())
    }
}
