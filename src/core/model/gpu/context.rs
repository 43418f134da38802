//! A GPU device and its queue.

use std::sync::Arc;

use burn_wgpu::wgpu;
use half::f16;

use crate::model::ModelError;

/// A GPU device and its queue, shared by all executors on it.
#[derive(Clone, Debug)]
pub struct GpuContext {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    #[cfg(feature = "burn-gpu")]
    pub(super) burn: Arc<super::burn_device::BurnDevice>,
    /// How feature maps and weights are stored.
    pub precision: Precision,
}

/// How values are stored on a GPU; sums are always f32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// 32 bits.
    F32,
    /// 16 bits: half the memory traffic; results change by less than 0.2 %.
    F16,
}

impl Precision {
    /// Bytes of so many values.
    pub(super) fn bytes(self, elements: usize) -> u64 {
        let size = if self == Self::F32 { size_of::<f32>() } else { size_of::<f16>() };
        (elements * size) as u64
    }

    pub(super) fn encode(self, values: &[f32]) -> Vec<u8> {
        match self {
            Self::F32 => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            Self::F16 => values.iter().flat_map(|value| f16::from_f32(*value).to_le_bytes()).collect(),
        }
    }

    fn decode(self, bytes: &[u8]) -> Vec<f32> {
        match self {
            Self::F32 => bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
            Self::F16 => bytes.as_chunks().0.iter().map(|bytes| f16::from_le_bytes(*bytes).to_f32()).collect(),
        }
    }
}

/// What is asked of an adapter that has it: 16-bit floats, and all by which burn's kernels are chosen. burn-wgpu looks at what
/// the adapter has, not at what the device was opened with.
const USED_FEATURES: wgpu::Features = wgpu::Features::SHADER_F16
    .union(wgpu::Features::SUBGROUP)
    .union(wgpu::Features::TIMESTAMP_QUERY)
    .union(wgpu::Features::SHADER_INT64)
    .union(wgpu::Features::SHADER_F64)
    .union(wgpu::Features::SHADER_FLOAT32_ATOMIC);

/// WebGPU's default limits, which every implementation has and our kernels keep to, but for those that let burn's kernels be
/// the adapter's own.
fn limits(adapter: &wgpu::Limits) -> wgpu::Limits {
    wgpu::Limits {
        max_compute_workgroup_storage_size: adapter.max_compute_workgroup_storage_size,
        max_compute_invocations_per_workgroup: adapter.max_compute_invocations_per_workgroup,
        max_compute_workgroup_size_x: adapter.max_compute_workgroup_size_x,
        max_compute_workgroup_size_y: adapter.max_compute_workgroup_size_y,
        max_compute_workgroup_size_z: adapter.max_compute_workgroup_size_z,
        ..wgpu::Limits::default()
    }
}

impl GpuContext {
    /// A device on the fastest adapter, with `precision`, or [`Precision::F32`] where the adapter has no 16-bit floats.
    /// `on_lost` is called, with the reason, when the device is lost or reports an error.
    ///
    /// # Errors
    /// [`ModelError::Device`] if there is no adapter, or it has less than WebGPU's default limits.
    pub async fn open(
        precision: Precision,
        on_lost: impl Fn(String) + Send + Sync + 'static,
    ) -> Result<Self, ModelError> {
        let failed = |error: &dyn std::fmt::Display| ModelError::Device(error.to_string());
        #[cfg(target_arch = "wasm32")]
        if !wgpu::util::is_browser_webgpu_supported().await {
            return Err(ModelError::Device("the browser has no WebGPU adapter".into()));
        }
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
        let options = wgpu::RequestAdapterOptions {
            power_preference: wgpu::PowerPreference::HighPerformance,
            ..Default::default()
        };
        let adapter = instance.request_adapter(&options).await.map_err(|error| failed(&error))?;
        let required_limits = limits(&adapter.limits());
        let required_features = adapter.features() & USED_FEATURES;
        let half = precision == Precision::F16 && required_features.contains(wgpu::Features::SHADER_F16);
        let descriptor = wgpu::DeviceDescriptor { required_features, required_limits, ..Default::default() };
        let (device, queue) = adapter.request_device(&descriptor).await.map_err(|error| failed(&error))?;
        let on_lost = Arc::new(on_lost);
        let on_error = on_lost.clone();
        device.set_device_lost_callback(move |_, message| on_lost(message));
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| on_error(error.to_string())));
        let precision = if half { Precision::F16 } else { Precision::F32 };
        Ok(Self {
            #[cfg(feature = "burn-gpu")]
            burn: Arc::new(super::burn_device::BurnDevice::new(instance, adapter)),
            device,
            queue,
            precision,
        })
    }

    /// Destroys the device, as when it is lost: for tests.
    pub fn destroy(&self) {
        self.device.destroy();
    }

    /// Waits for what was submitted and reads `buffer` back.
    pub(super) async fn read(&self, buffer: &wgpu::Buffer) -> Result<Vec<f32>, ModelError> {
        let (sender, receiver) = futures_channel::oneshot::channel();
        buffer.map_async(wgpu::MapMode::Read, .., move |result| {
            // The receiver is gone if the caller was dropped in the meantime.
            let _ = sender.send(result);
        });
        #[cfg(not(target_arch = "wasm32"))]
        self.device.poll(wgpu::PollType::wait_indefinitely()).map_err(|error| ModelError::Device(error.to_string()))?;
        let mapped = receiver.await.map_err(|_| ModelError::Device("the device was dropped".into()))?;
        mapped.map_err(|error| ModelError::Device(error.to_string()))?;
        let view = buffer.get_mapped_range(..).map_err(|error| ModelError::Device(error.to_string()))?;
        let values = self.precision.decode(&view);
        drop(view);
        buffer.unmap();
        Ok(values)
    }
}
