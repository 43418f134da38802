//! An extractor: a worker with a backbone, and nothing that would be missed. Built with feature `gpu` it runs on
//! WebGPU, else on the CPU.
//!
//! [`super::extractor`] tells what it understands and answers.

use std::cell::RefCell;
use std::hint::black_box;
use std::rc::Rc;

use js_sys::{Array, Float32Array, Object, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::{DedicatedWorkerGlobalScope, MessageEvent};

use super::js;
#[cfg(feature = "gpu")]
use crate::model::gpu::{GpuContext, Precision};
use crate::model::{Backbone, BackboneKind, Device, ModelError};
use crate::weights::Weights;

/// How much more memory than its file a loaded backbone takes, at the most: on the way it is there in three forms, and
/// Winograd's filters are four times as large.
const MEMORY_PER_WEIGHT: usize = if cfg!(feature = "gpu") { 3 } else { 5 };

/// Whether this worker was started as an extractor.
pub fn is_wanted() -> bool {
    js_sys::global().unchecked_into::<DedicatedWorkerGlobalScope>().name() == super::extractor::NAME
}

/// Listens until the worker is terminated.
pub fn run() {
    console_error_panic_hook::set_once();
    let scope = js_sys::global().unchecked_into::<DedicatedWorkerGlobalScope>();
    let backbone: Rc<RefCell<Option<Rc<Backbone>>>> = Rc::default();
    let on_message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        let data = event.data();
        let kind = js::get(&data, "kind").and_then(|kind| kind.as_string()).unwrap_or_default();
        let backbone = backbone.clone();
        spawn_local(async move {
            let id = js::get(&data, "id");
            let result = match kind.as_str() {
                "load" => load(&data).await.map(|(loaded, answer)| {
                    *backbone.borrow_mut() = Some(Rc::new(loaded));
                    answer
                }),
                "extract" => {
                    let loaded = backbone.borrow().clone();
                    extract(loaded, &data).await
                }
                other => Err(format!("the extractor does not know {other}")),
            };
            post(&result.unwrap_or_else(|reason| {
                let failed = answer("failed");
                js::set(&failed, "reason", &reason.into());
                if let Some(id) = id {
                    js::set(&failed, "id", &id);
                }
                failed
            }));
        });
    });
    scope.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
    on_message.forget();
    post(&answer("listening"));
}

async fn load(data: &JsValue) -> Result<(Backbone, Object), String> {
    let field = |key| js::get(data, key).ok_or_else(|| format!("there is no {key}"));
    let kind: BackboneKind = serde_wasm_bindgen::from_value(field("backbone")?).map_err(|error| error.to_string())?;
    let bytes = Uint8Array::new(&field("weights")?).to_vec();
    // Memory that grows in one step is had at once; in the many steps of what follows it takes a third of a second.
    drop(black_box(Vec::<u8>::with_capacity(bytes.len() * MEMORY_PER_WEIGHT)));
    let weights = Weights::from_safetensors(&bytes).map_err(|error| error.to_string())?;
    drop(bytes);
    let device = device().await.map_err(|error| error.to_string())?;
    let backbone = Backbone::load(kind, &weights, &device).map_err(|error| error.to_string())?;
    let loaded = answer("loaded");
    js::set(&loaded, "input_size", &(backbone.input_size() as f64).into());
    Ok((backbone, loaded))
}

#[cfg(feature = "gpu")]
async fn device() -> Result<Device, ModelError> {
    let context = GpuContext::open(Precision::F16, |reason| {
        let lost = answer("lost");
        js::set(&lost, "reason", &format!("its device is gone: {reason}").into());
        post(&lost);
    });
    Ok(Device::Gpu(context.await?))
}

#[cfg(not(feature = "gpu"))]
async fn device() -> Result<Device, ModelError> {
    Ok(Device::Cpu)
}

async fn extract(backbone: Option<Rc<Backbone>>, data: &JsValue) -> Result<Object, String> {
    let backbone = backbone.ok_or("no backbone is loaded")?;
    let crops = Float32Array::new(&js::get(data, "crops").ok_or("there are no crops")?).to_vec();
    let extraction = backbone.extract(&crops).await.map_err(|error| error.to_string())?;
    let extracted = answer("extracted");
    js::set(&extracted, "id", &js::get(data, "id").ok_or("there is no id")?);
    let floats = |values: &[f32]| Float32Array::from(values);
    js::set(&extracted, "features", &floats(&extraction.features));
    js::set(&extracted, "logits", &floats(&extraction.logits));
    js::set(&extracted, "probabilities", &floats(extraction.probabilities.as_flattened()));
    Ok(extracted)
}

fn answer(kind: &str) -> Object {
    let object = Object::new();
    js::set(&object, "kind", &kind.into());
    object
}

fn post(message: &Object) {
    let scope = js_sys::global().unchecked_into::<DedicatedWorkerGlobalScope>();
    if let Err(error) = scope.post_message(message) {
        web_sys::console::error_2(&"the extractor cannot answer".into(), &Array::of1(&error));
    }
}
