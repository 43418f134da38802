//! The extractor itself: a worker that holds the backbone and no other state. Built with the feature `burn-gpu` it runs on
//! WebGPU and holds a video model, too; else on the CPU. [`super`] documents its messages.

use std::cell::RefCell;
use std::hint::black_box;
use std::rc::Rc;

use js_sys::{Array, Float32Array, Object, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::{DedicatedWorkerGlobalScope, MessageEvent};

use super::WORKER_NAME;
use crate::browser::js;
#[cfg(feature = "burn-gpu")]
use crate::model::gpu::{GpuContext, Precision};
use crate::model::{Backbone, BackboneKind, Device, ModelError};
use crate::weights::Weights;
#[cfg(feature = "burn-gpu")]
use crate::worker::video_model::service::VideoModelService;

/// Upper bound of a loaded backbone's memory, as a multiple of its file's size: while it loads, the weights exist in three
/// forms, and Winograd's transformed filters are four times as large.
const MEMORY_PER_FILE_BYTE: usize = if cfg!(feature = "burn-gpu") { 3 } else { 5 };

/// What the worker holds.
#[derive(Default)]
struct Service {
    backbone: RefCell<Option<Rc<Backbone>>>,
    #[cfg(feature = "burn-gpu")]
    video_model: VideoModelService,
}

/// Whether this worker was started as an extractor.
pub fn is_requested() -> bool {
    js_sys::global().unchecked_into::<DedicatedWorkerGlobalScope>().name() == WORKER_NAME
}

/// Listens until the worker is terminated.
pub fn run() {
    console_error_panic_hook::set_once();
    let scope = js_sys::global().unchecked_into::<DedicatedWorkerGlobalScope>();
    let service: Rc<Service> = Rc::default();
    let on_message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        let data = event.data();
        let service = service.clone();
        spawn_local(async move {
            let (response, kind) = match service.respond(&data).await {
                Ok(response) => (response, "done"),
                Err(detail) => {
                    let failed = Object::new();
                    js::set(&failed, "detail", &detail.into());
                    (failed, "failed")
                }
            };
            js::set(&response, "kind", &kind.into());
            if let Some(id) = js::get(&data, "id") {
                js::set(&response, "id", &id);
            }
            post(&response);
        });
    });
    scope.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
    on_message.forget();
    post(&message("listening"));
}

impl Service {
    async fn respond(&self, data: &JsValue) -> Result<Object, String> {
        let kind = js::get(data, "kind").and_then(|kind| kind.as_string()).unwrap_or_default();
        match kind.as_str() {
            "load" => self.load(data).await,
            "extract" => self.extract(data).await,
            #[cfg(feature = "burn-gpu")]
            other => self.video_model.respond(other, data).await,
            #[cfg(not(feature = "burn-gpu"))]
            other => Err(format!("unknown message kind {other}")),
        }
    }

    async fn load(&self, data: &JsValue) -> Result<Object, String> {
        let field = |key| js::get(data, key).ok_or_else(|| format!("the message has no {key}"));
        let kind: BackboneKind =
            serde_wasm_bindgen::from_value(field("backbone")?).map_err(|error| error.to_string())?;
        let bytes = Uint8Array::new(&field("weights")?).to_vec();
        // Growing the memory once is instant; growing it in the many steps below takes a third of a second.
        drop(black_box(Vec::<u8>::with_capacity(bytes.len() * MEMORY_PER_FILE_BYTE)));
        let weights = Weights::from_safetensors(&bytes).map_err(|error| error.to_string())?;
        drop(bytes);
        let device = self.device().await.map_err(|error| error.to_string())?;
        let backbone = Backbone::load(kind, &weights, &device).map_err(|error| error.to_string())?;
        let loaded = Object::new();
        js::set(&loaded, "input_size", &(backbone.input_size() as f64).into());
        *self.backbone.borrow_mut() = Some(Rc::new(backbone));
        Ok(loaded)
    }

    #[cfg(feature = "burn-gpu")]
    async fn device(&self) -> Result<Device, ModelError> {
        let context = GpuContext::open(Precision::F16, |detail| {
            let lost = message("lost");
            js::set(&lost, "detail", &detail.into());
            post(&lost);
        });
        let context = context.await?;
        self.video_model.share(context.clone());
        Ok(Device::Gpu(context))
    }

    #[cfg(not(feature = "burn-gpu"))]
    async fn device(&self) -> Result<Device, ModelError> {
        Ok(Device::Cpu)
    }

    async fn extract(&self, data: &JsValue) -> Result<Object, String> {
        let backbone = self.backbone.borrow().clone().ok_or("no backbone is loaded")?;
        let crops = Float32Array::new(&js::get(data, "crops").ok_or("the message has no crops")?).to_vec();
        let extraction = backbone.extract(&crops).await.map_err(|error| error.to_string())?;
        let extracted = Object::new();
        let floats = |values: &[f32]| Float32Array::from(values);
        js::set(&extracted, "memory_bytes", &js::memory_bytes().into());
        js::set(&extracted, "features", &floats(&extraction.features));
        js::set(&extracted, "logits", &floats(&extraction.logits));
        js::set(&extracted, "probabilities", &floats(extraction.probabilities.as_flattened()));
        Ok(extracted)
    }
}

fn message(kind: &str) -> Object {
    let object = Object::new();
    js::set(&object, "kind", &kind.into());
    object
}

fn post(message: &Object) {
    let scope = js_sys::global().unchecked_into::<DedicatedWorkerGlobalScope>();
    if let Err(error) = scope.post_message(message) {
        web_sys::console::error_2(&"the extractor cannot respond".into(), &Array::of1(&error));
    }
}
