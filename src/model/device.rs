//! Where backbones run.

#[cfg(feature = "gpu")]
use super::ModelError;

/// Where a backbone runs.
#[derive(Clone, Debug)]
pub enum Device {
    /// On the CPU, by kernels of our own.
    Cpu,
    /// On a device of burn's.
    #[cfg(feature = "burn")]
    Burn(burn::tensor::Device),
}

/// SIMD on the CPU.
pub fn cpu() -> Device {
    Device::Cpu
}

/// The same CPU through burn's backend flex: the reference that [`cpu`] is tested against.
#[cfg(feature = "burn")]
pub fn flex() -> Device {
    Device::Burn(burn::tensor::Device::flex())
}

/// The graphics card, through WebGPU. `on_lost` is called once, with the reason, when the device is lost.
/// Call this once in a process (or worker) and before any tensor is made on a graphics card.
///
/// # Errors
/// [`ModelError::Device`] if there is no adapter, or none that burn can use.
#[cfg(feature = "gpu")]
pub async fn webgpu(on_lost: impl Fn(String) + Send + 'static) -> Result<Device, ModelError> {
    #[cfg(target_arch = "wasm32")]
    check_adapter().await?;
    let (device, setup) = burn::tensor::Device::wgpu_options()
        .init_with_setup_async()
        .await
        .map_err(|error| ModelError::Device(error.to_string()))?;
    setup.device.set_device_lost_callback(move |_, message| on_lost(message));
    Ok(Device::Burn(device))
}

/// Looks whether the browser has an adapter that will do: burn panics where there is none.
#[cfg(all(feature = "gpu", target_arch = "wasm32"))]
async fn check_adapter() -> Result<(), ModelError> {
    use burn::tensor::wgpu::wgpu;

    if !wgpu::util::is_browser_webgpu_supported().await {
        return Err(ModelError::Device("the browser has no WebGPU adapter".into()));
    }
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let options =
        wgpu::RequestAdapterOptions { power_preference: wgpu::PowerPreference::HighPerformance, ..Default::default() };
    let adapter = instance.request_adapter(&options).await.map_err(|error| ModelError::Device(error.to_string()))?;
    // burn times its kernels with them.
    if !adapter.features().contains(wgpu::Features::TIMESTAMP_QUERY) {
        return Err(ModelError::Device("the WebGPU adapter has no timestamp queries".into()));
    }
    Ok(())
}
