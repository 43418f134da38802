//! The graphics card.

use std::sync::Arc;

use burn_wgpu::wgpu;

use crate::model::ModelError;

/// A graphics card that networks can run on.
#[derive(Clone, Debug)]
pub struct Card {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    /// What it calls itself.
    pub name: String,
}

impl Card {
    /// The fastest card. `on_lost` is called, with the reason, when it is lost or does what it should not.
    ///
    /// # Errors
    /// [`ModelError::Device`] if there is none, or it has less than WebGPU's default limits.
    pub async fn open(on_lost: impl Fn(String) + Send + Sync + 'static) -> Result<Self, ModelError> {
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
        // The default limits and no features: what runs here runs on every WebGPU.
        let (device, queue) =
            adapter.request_device(&wgpu::DeviceDescriptor::default()).await.map_err(|error| failed(&error))?;
        let on_lost = Arc::new(on_lost);
        let on_error = on_lost.clone();
        device.set_device_lost_callback(move |_, message| on_lost(message));
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| on_error(error.to_string())));
        Ok(Self { device, queue, name: adapter.get_info().name })
    }

    /// Loses the card, for tests of what happens then.
    pub fn lose(&self) {
        self.device.destroy();
    }

    pub(super) fn write(&self, buffer: &wgpu::Buffer, values: &[f32]) {
        self.write_bytes(buffer, 0, values);
    }

    pub(super) fn write_bytes(&self, buffer: &wgpu::Buffer, offset: u64, values: &[f32]) {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.queue.write_buffer(buffer, offset, &bytes);
    }

    /// Waits for what was submitted and brings `buffer` back.
    pub(super) async fn read(&self, buffer: &wgpu::Buffer) -> Result<Vec<f32>, ModelError> {
        let (sender, receiver) = futures_channel::oneshot::channel();
        buffer.map_async(wgpu::MapMode::Read, .., move |result| {
            // Nobody waits any more if the session was left in the meantime.
            let _ = sender.send(result);
        });
        #[cfg(not(target_arch = "wasm32"))]
        self.device.poll(wgpu::PollType::wait_indefinitely()).map_err(|error| ModelError::Device(error.to_string()))?;
        let mapped = receiver.await.map_err(|_| ModelError::Device("the card was given up".into()))?;
        mapped.map_err(|error| ModelError::Device(error.to_string()))?;
        let view = buffer.get_mapped_range(..).map_err(|error| ModelError::Device(error.to_string()))?;
        let values = view.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        drop(view);
        buffer.unmap();
        Ok(values)
    }
}
