//! The probe: whether WebGPU has an adapter that can run the backbone, and how many extractors the CPU gets.

use crate::messages::{BackendChoice, BackendReason};

/// Smallest `maxStorageBufferBindingSize` that holds every tensor of EmoNet: WebGPU's default limit.
const STORAGE_BINDING_BYTES: f64 = 128.0 * 1024.0 * 1024.0;
/// Smallest `maxComputeInvocationsPerWorkgroup`: WebGPU's default limit.
const WORKGROUP_INVOCATIONS: f64 = 256.0;

/// What the browser tells about its WebGPU adapter.
#[derive(Clone, Debug, PartialEq)]
pub struct Adapter {
    /// Description, or vendor and architecture, as far as the browser tells them.
    pub name: Option<String>,
    /// WebGPU in software.
    pub is_fallback: bool,
    /// `maxStorageBufferBindingSize`, in bytes.
    pub storage_binding_bytes: f64,
    /// `maxComputeInvocationsPerWorkgroup`.
    pub workgroup_invocations: f64,
}

/// What the probe found.
#[derive(Clone, Debug, PartialEq)]
pub enum Probe {
    /// There is no `navigator.gpu`.
    NoWebGpu,
    /// `requestAdapter` gives none.
    NoAdapter,
    /// There is one.
    Adapter(Adapter),
}

/// The adapter to try WebGPU on.
///
/// # Errors
/// The reason to run on the CPU instead.
pub fn decide(choice: BackendChoice, probe: Probe) -> Result<Adapter, BackendReason> {
    if choice == BackendChoice::Cpu {
        return Err(BackendReason::Chosen);
    }
    let adapter = match probe {
        Probe::NoWebGpu => return Err(BackendReason::NoWebgpu),
        Probe::NoAdapter => return Err(BackendReason::NoAdapter),
        Probe::Adapter(adapter) => adapter,
    };
    if adapter.storage_binding_bytes < STORAGE_BINDING_BYTES || adapter.workgroup_invocations < WORKGROUP_INVOCATIONS {
        return Err(BackendReason::AdapterLimits { adapter: adapter.name });
    }
    if adapter.is_fallback && choice == BackendChoice::Auto {
        return Err(BackendReason::SoftwareAdapter { adapter: adapter.name });
    }
    Ok(adapter)
}

/// A backbone that takes longer than this on one core, in milliseconds, gets several workers.
const SLOW_FRAME_MS: f64 = 25.0;
/// More workers cost more memory than they are worth.
const MAX_WORKERS: usize = 4;
/// Memory of the machine per worker, in gigabytes: EmoNet takes a third of a gigabyte.
const GIGABYTES_PER_WORKER: f64 = 2.0;

/// Number of extractors for a backbone that takes `frame_ms` on one of `cores`, on a machine with `memory_gb` of memory where
/// that is known.
pub fn cpu_workers(frame_ms: f64, cores: usize, memory_gb: Option<f64>) -> usize {
    if frame_ms <= SLOW_FRAME_MS {
        return 1;
    }
    let affordable = memory_gb.map_or(2, |memory| (memory / GIGABYTES_PER_WORKER) as usize);
    cores.min(affordable).clamp(1, MAX_WORKERS)
}

/// The number of cores that the browser reports.
#[cfg(all(target_arch = "wasm32", feature = "worker"))]
pub fn cores() -> usize {
    navigator("hardwareConcurrency").map_or(1, |cores| cores as usize)
}

/// The machine's memory in gigabytes, as the browser rounds it; not every browser reports it.
#[cfg(all(target_arch = "wasm32", feature = "worker"))]
pub fn memory_gb() -> Option<f64> {
    navigator("deviceMemory")
}

#[cfg(all(target_arch = "wasm32", feature = "worker"))]
fn navigator(key: &str) -> Option<f64> {
    let navigator = crate::browser::js::get(&js_sys::global(), "navigator")?;
    crate::browser::js::get(&navigator, key)?.as_f64()
}

/// Asks the browser for its adapter.
#[cfg(all(target_arch = "wasm32", feature = "worker"))]
pub async fn probe() -> Probe {
    use crate::browser::js;
    use wasm_bindgen::JsValue;

    let Some(gpu) = js::get(&js_sys::global(), "navigator").and_then(|navigator| js::get(&navigator, "gpu")) else {
        return Probe::NoWebGpu;
    };
    // The same options as in `model::gpu`: on a machine with two adapters, others might select the other one.
    let options = js_sys::Object::new();
    js::set(&options, "powerPreference", &"high-performance".into());
    let Some(adapter) = js::call(&gpu, "requestAdapter", &[options.into()]).await else { return Probe::NoAdapter };
    let info = js::get(&adapter, "info").unwrap_or(JsValue::UNDEFINED);
    let text = |key| js::get(&info, key).and_then(|value| value.as_string()).filter(|text| !text.is_empty());
    let name = text("description")
        .or_else(|| Some([text("vendor"), text("architecture")].into_iter().flatten().collect::<Vec<_>>().join(" ")))
        .filter(|name| !name.is_empty());
    let flag = |object: &JsValue| js::get(object, "isFallbackAdapter").is_some_and(|value| value.is_truthy());
    let limit = |key| {
        js::get(&adapter, "limits").and_then(|limits| js::get(&limits, key)).and_then(|v| v.as_f64()).unwrap_or(0.0)
    };
    Probe::Adapter(Adapter {
        name,
        is_fallback: flag(&info) || flag(&adapter),
        storage_binding_bytes: limit("maxStorageBufferBindingSize"),
        workgroup_invocations: limit("maxComputeInvocationsPerWorkgroup"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adapter() -> Adapter {
        Adapter {
            name: Some("card".to_owned()),
            is_fallback: false,
            storage_binding_bytes: STORAGE_BINDING_BYTES,
            workgroup_invocations: WORKGROUP_INVOCATIONS,
        }
    }

    #[test]
    fn a_fit_adapter_is_taken_unless_the_cpu_is_chosen() {
        let probe = Probe::Adapter(adapter());
        assert_eq!(decide(BackendChoice::Auto, probe.clone()), Ok(adapter()));
        assert_eq!(decide(BackendChoice::Cpu, probe), Err(BackendReason::Chosen));
    }

    #[test]
    fn slow_backbones_get_the_cores_that_memory_allows() {
        assert_eq!(cpu_workers(3.0, 8, Some(8.0)), 1);
        assert_eq!(cpu_workers(300.0, 8, Some(8.0)), 4);
        assert_eq!(cpu_workers(300.0, 2, Some(8.0)), 2);
        assert_eq!(cpu_workers(300.0, 8, Some(2.0)), 1);
        assert_eq!(cpu_workers(300.0, 8, Some(0.5)), 1);
        assert_eq!(cpu_workers(300.0, 8, None), 2);
    }

    #[test]
    fn a_software_adapter_is_taken_only_on_request() {
        let probe = Probe::Adapter(Adapter { is_fallback: true, ..adapter() });
        let refused = BackendReason::SoftwareAdapter { adapter: adapter().name };
        assert_eq!(decide(BackendChoice::Auto, probe.clone()), Err(refused));
        assert!(decide(BackendChoice::Webgpu, probe).is_ok());
    }

    #[test]
    fn limits_below_webgpus_defaults_are_never_waived() {
        for adapter in
            [Adapter { storage_binding_bytes: 1.0, ..adapter() }, Adapter { workgroup_invocations: 128.0, ..adapter() }]
        {
            assert!(decide(BackendChoice::Webgpu, Probe::Adapter(adapter)).is_err());
        }
        for probe in [Probe::NoWebGpu, Probe::NoAdapter] {
            assert!(decide(BackendChoice::Webgpu, probe).is_err());
        }
    }
}
