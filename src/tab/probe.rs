//! Is there an adapter that can run the backbone?

use super::message::EngineChoice;

/// Smallest `maxStorageBufferBindingSize` that holds every tensor of EmoNet: WebGPU's default limit.
const STORAGE_BINDING_BYTES: f64 = 128.0 * 1024.0 * 1024.0;
/// Smallest `maxComputeInvocationsPerWorkgroup`: WebGPU's default limit.
const WORKGROUP_INVOCATIONS: f64 = 256.0;

/// What the browser tells about its WebGPU adapter.
#[derive(Clone, Debug, PartialEq)]
pub struct Adapter {
    /// Vendor and architecture, as far as told.
    pub name: String,
    /// WebGPU in software.
    pub fallback: bool,
    /// The limit, in bytes.
    pub storage_binding_bytes: f64,
    /// The limit.
    pub workgroup_invocations: f64,
}

/// What the probe found.
#[derive(Clone, Debug, PartialEq)]
pub enum Probe {
    /// There is no `navigator.gpu`.
    NoWebGpu,
    /// The browser gives no adapter.
    NoAdapter,
    /// There is one.
    Adapter(Adapter),
}

/// Whether to try WebGPU: the adapter's name, or the reason not to.
pub fn decide(choice: EngineChoice, probe: &Probe) -> Result<String, String> {
    if choice == EngineChoice::Cpu {
        return Err("the CPU was chosen".to_owned());
    }
    let adapter = match probe {
        Probe::NoWebGpu => return Err("this browser has no WebGPU".to_owned()),
        Probe::NoAdapter => return Err("WebGPU finds no adapter".to_owned()),
        Probe::Adapter(adapter) => adapter,
    };
    let name = &adapter.name;
    if adapter.storage_binding_bytes < STORAGE_BINDING_BYTES || adapter.workgroup_invocations < WORKGROUP_INVOCATIONS {
        return Err(format!("the limits of the adapter {name} are below WebGPU's defaults"));
    }
    if adapter.fallback && choice == EngineChoice::Auto {
        return Err(format!("the adapter {name} is software"));
    }
    Ok(name.clone())
}

/// A backbone that takes longer than this on one core gets several.
const SLOW_FRAME_MS: f64 = 25.0;
/// More workers than these are more memory than they are worth.
const MOST_WORKERS: usize = 4;
/// What a machine should have for each worker: EmoNet takes a third of a gigabyte.
const GIGABYTES_PER_WORKER: f64 = 2.0;

/// How many workers run a backbone on the CPU that takes `frame_ms` on one of `cores`, with `memory_gb` of memory, as far as
/// that is known.
pub fn cpu_workers(frame_ms: f64, cores: usize, memory_gb: Option<f64>) -> usize {
    if frame_ms <= SLOW_FRAME_MS {
        return 1;
    }
    let affordable = memory_gb.map_or(2, |memory| (memory / GIGABYTES_PER_WORKER) as usize);
    cores.min(affordable).clamp(1, MOST_WORKERS)
}

/// How many cores the browser admits to.
#[cfg(all(target_arch = "wasm32", feature = "worker"))]
pub fn cores() -> usize {
    navigator("hardwareConcurrency").map_or(1, |cores| cores as usize)
}

/// How much memory the machine has, in gigabytes, rounded and cut off; not every browser tells.
#[cfg(all(target_arch = "wasm32", feature = "worker"))]
pub fn memory_gb() -> Option<f64> {
    navigator("deviceMemory")
}

#[cfg(all(target_arch = "wasm32", feature = "worker"))]
fn navigator(key: &str) -> Option<f64> {
    let navigator = super::js::get(&js_sys::global(), "navigator")?;
    super::js::get(&navigator, key)?.as_f64()
}

/// Asks the browser.
#[cfg(all(target_arch = "wasm32", feature = "worker"))]
pub async fn probe() -> Probe {
    use super::js;
    use wasm_bindgen::JsValue;

    let Some(gpu) = js::get(&js_sys::global(), "navigator").and_then(|navigator| js::get(&navigator, "gpu")) else {
        return Probe::NoWebGpu;
    };
    // As wgpu asks for it later (`model/gpu/card.rs`): on a machine with two, the other one might come.
    let options = js_sys::Object::new();
    js::set(&options, "powerPreference", &"high-performance".into());
    let Some(adapter) = js::call(&gpu, "requestAdapter", &[options.into()]).await else { return Probe::NoAdapter };
    let info = js::get(&adapter, "info").unwrap_or(JsValue::UNDEFINED);
    let text = |key| js::get(&info, key).and_then(|value| value.as_string()).filter(|text| !text.is_empty());
    let name = text("description")
        .or_else(|| Some([text("vendor"), text("architecture")].into_iter().flatten().collect::<Vec<_>>().join(" ")))
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "without a name".to_owned());
    let flag = |object: &JsValue| js::get(object, "isFallbackAdapter").is_some_and(|value| value.is_truthy());
    let limit = |key| {
        js::get(&adapter, "limits").and_then(|limits| js::get(&limits, key)).and_then(|v| v.as_f64()).unwrap_or(0.0)
    };
    Probe::Adapter(Adapter {
        name,
        fallback: flag(&info) || flag(&adapter),
        storage_binding_bytes: limit("maxStorageBufferBindingSize"),
        workgroup_invocations: limit("maxComputeInvocationsPerWorkgroup"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card() -> Adapter {
        Adapter {
            name: "card".to_owned(),
            fallback: false,
            storage_binding_bytes: STORAGE_BINDING_BYTES,
            workgroup_invocations: WORKGROUP_INVOCATIONS,
        }
    }

    #[test]
    fn a_fit_adapter_is_taken_unless_the_cpu_is_chosen() {
        let probe = Probe::Adapter(card());
        assert_eq!(decide(EngineChoice::Auto, &probe).as_deref(), Ok("card"));
        assert!(decide(EngineChoice::Cpu, &probe).is_err());
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
        let probe = Probe::Adapter(Adapter { fallback: true, ..card() });
        assert!(decide(EngineChoice::Auto, &probe).unwrap_err().contains("software"));
        assert!(decide(EngineChoice::Webgpu, &probe).is_ok());
    }

    #[test]
    fn limits_below_webgpus_defaults_are_never_waived() {
        for adapter in
            [Adapter { storage_binding_bytes: 1.0, ..card() }, Adapter { workgroup_invocations: 128.0, ..card() }]
        {
            assert!(decide(EngineChoice::Webgpu, &Probe::Adapter(adapter)).is_err());
        }
        for probe in [Probe::NoWebGpu, Probe::NoAdapter] {
            assert!(decide(EngineChoice::Webgpu, &probe).is_err());
        }
    }
}
