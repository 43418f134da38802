//! The few untyped accesses to JavaScript that web-sys has no stable types for.

use js_sys::{Array, Function, Object, Promise, Reflect};
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{ErrorEvent, Event};

/// `object[key]`, unless it is undefined or null.
pub fn get(object: &JsValue, key: &str) -> Option<JsValue> {
    Reflect::get(object, &key.into()).ok().filter(|value| !value.is_undefined() && !value.is_null())
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

/// What an exception says.
pub fn words(error: &JsValue) -> String {
    get(error, "message")
        .and_then(|message| message.as_string())
        .or_else(|| error.as_string())
        .unwrap_or_else(|| format!("{error:?}"))
}

/// What the `error` event of a worker says. Where its script does not load, it says nothing.
pub fn error_words(event: &Event) -> String {
    let words = event.dyn_ref::<ErrorEvent>().map(ErrorEvent::message).filter(|words| !words.is_empty());
    words.unwrap_or_else(|| "its script does not load".to_owned())
}

/// Milliseconds on the tab's monotonic clock.
pub fn now_ms() -> f64 {
    get(&js_sys::global(), "performance")
        .and_then(|performance| performance.dyn_into::<web_sys::Performance>().ok())
        .map_or_else(js_sys::Date::now, |performance| performance.now())
}
