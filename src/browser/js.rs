//! Untyped access to JavaScript values, where web-sys has no stable types.

use js_sys::{Array, Function, JSON, Object, Promise, Reflect};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{ErrorEvent, Event};

/// `object[key]`, unless it is undefined or null.
pub fn get(object: &JsValue, key: &str) -> Option<JsValue> {
    Reflect::get(object, &key.into()).ok().filter(|value| !value.is_undefined() && !value.is_null())
}

/// The WebAssembly memory of this page or worker, in bytes.
#[cfg(target_arch = "wasm32")]
pub fn memory_bytes() -> f64 {
    const PAGE_BYTES: usize = 1 << 16;
    (core::arch::wasm32::memory_size::<0>() * PAGE_BYTES) as f64
}

/// `object[key] = value` on an object of our own.
pub fn set(object: &Object, key: &str, value: &JsValue) {
    Reflect::set(object, &key.into(), value).expect("a plain object takes every property");
}

/// `await object[method](...arguments)`, unless it throws, rejects, or gives nothing.
pub async fn call(object: &JsValue, method: &str, arguments: &[JsValue]) -> Option<JsValue> {
    let function = get(object, method)?.dyn_into::<Function>().ok()?;
    let result = function.apply(object, &arguments.iter().collect::<Array>()).ok()?;
    let value = JsFuture::from(Promise::resolve(&result)).await.ok()?;
    (!value.is_undefined() && !value.is_null()).then_some(value)
}

/// The address of one of the page's files: they have another one in each version (`.tools/version-page.mjs`), which the page
/// is told by its markup, and a worker by its own address.
pub fn page_file(name: &str) -> String {
    let global = js_sys::global();
    let text = |value: JsValue| value.as_string();
    let folder = match get(&global, "document").and_then(|document| get(&document, "body")) {
        Some(body) => get(&body, "dataset").and_then(|data| get(&data, "files")).and_then(text),
        None => get(&global, "location").and_then(|location| get(&location, "pathname")).and_then(text),
    };
    let folder = folder.as_deref().and_then(|folder| folder.rsplit_once('/')).map_or("", |(folder, _)| folder);
    format!("{folder}/{name}")
}

/// Below which the addresses of this tab's federation are on its origin, such as `/f/kx7dq2mbw4ta`; empty for the one that the
/// aggregator began with. A page has it from its address, and a worker from the fragment of its own ([`worker_file`]). The names of
/// what is stored on the device, and of locks, end with it: federations share none. How the page looks, and in which language, is
/// the browser's, whichever federation it was chosen in.
pub fn prefix() -> String {
    let global = js_sys::global();
    let part = if get(&global, "document").is_some() { "pathname" } else { "hash" };
    let address = get(&global, "location").and_then(|location| get(&location, part)?.as_string()).unwrap_or_default();
    let id = address.trim_start_matches('#').strip_prefix("/f/").and_then(|rest| rest.split('/').next());
    id.map(|id| format!("/f/{id}")).unwrap_or_default()
}

/// A name of something on the device that is a federation's own.
pub fn of_federation(name: &str) -> String {
    name.to_owned() + &prefix()
}

/// The address of a worker's script, which tells the worker the [`prefix`] of its federation.
pub fn worker_file(name: &str) -> String {
    format!("{}#{}", page_file(name), prefix())
}

/// The message of an exception or rejection, for logs and diagnostics.
pub fn error_message(error: &JsValue) -> String {
    get(error, "message")
        .and_then(|message| message.as_string())
        .or_else(|| error.as_string())
        .unwrap_or_else(|| format!("{error:?}"))
}

/// The message of a worker's `error` event. `None` where its script did not load: such an event has no message.
pub fn worker_error_message(event: &Event) -> Option<String> {
    event.dyn_ref::<ErrorEvent>().map(ErrorEvent::message).filter(|message| !message.is_empty())
}

/// `value` as a plain JavaScript object, as for `postMessage`.
///
/// # Errors
/// A number that JavaScript cannot represent.
pub fn to_js<T: Serialize>(value: &T) -> Result<JsValue, serde_wasm_bindgen::Error> {
    value.serialize(&serde_wasm_bindgen::Serializer::json_compatible())
}

/// The value that a plain JavaScript object represents.
///
/// # Errors
/// The object is of another shape.
pub fn from_js<T: DeserializeOwned>(object: JsValue) -> Result<T, serde_wasm_bindgen::Error> {
    serde_wasm_bindgen::from_value(object)
}

/// `value` as JSON, by the browser's own serializer, so that no other has to be downloaded.
///
/// # Errors
/// A number that JavaScript cannot represent.
pub fn to_json<T: Serialize>(value: &T) -> Result<String, serde_wasm_bindgen::Error> {
    Ok(JSON::stringify(&to_js(value)?)?.into())
}

/// The value that a JSON text represents.
///
/// # Errors
/// The text is no JSON, or of another shape.
pub fn from_json<T: DeserializeOwned>(json: &str) -> Result<T, serde_wasm_bindgen::Error> {
    from_js(JSON::parse(json)?)
}

/// Milliseconds on the monotonic clock of this page or worker (`performance.now()`).
pub fn now_ms() -> f64 {
    get(&js_sys::global(), "performance")
        .and_then(|performance| performance.dyn_into::<web_sys::Performance>().ok())
        .map_or_else(js_sys::Date::now, |performance| performance.now())
}
