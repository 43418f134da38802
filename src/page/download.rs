//! Gives the user a file. Nothing leaves the device.

use gloo::timers::callback::Timeout;
use js_sys::{Array, Uint8Array};
use wasm_bindgen::JsCast as _;
use web_sys::{Blob, HtmlElement, Url};

use super::dom;

/// Saves `bytes` under `name` where the browser saves downloads.
pub fn save(name: &str, bytes: &[u8]) {
    let blob = Blob::new_with_u8_slice_sequence(&Array::of1(&Uint8Array::from(bytes)));
    let Some(address) = blob.ok().and_then(|blob| Url::create_object_url_with_blob(&blob).ok()) else { return };
    let link = dom::element("a", "");
    for (attribute, value) in [("href", address.as_str()), ("download", name)] {
        // The names are constants, and valid.
        let _ = link.set_attribute(attribute, value);
    }
    link.unchecked_ref::<HtmlElement>().click();
    // The browser has taken the address over by then.
    Timeout::new(10_000, move || {
        let _ = Url::revoke_object_url(&address);
    })
    .forget();
}
