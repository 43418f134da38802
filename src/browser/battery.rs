//! The device's battery, in browsers that tell of it.

use js_sys::Function;
use wasm_bindgen::prelude::*;

use gloo::utils::window;

use super::js;

/// What the browser tells of the battery.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Battery {
    /// Whether it is being charged, or is full on mains.
    pub charging: bool,
    /// Its charge, 0 to 1.
    pub level: f64,
}

/// Calls `on_change` with the battery's state now and whenever it changes, for as long as the page is open. Never, where the
/// browser does not tell of it.
pub async fn watch(on_change: impl Fn(Battery) + 'static) {
    let Some(manager) = js::call(&window().navigator(), "getBattery", &[]).await else { return };
    let read = manager.clone();
    let tell = move || {
        let charging = js::get(&read, "charging").and_then(|charging| charging.as_bool());
        let level = js::get(&read, "level").and_then(|level| level.as_f64());
        if let (Some(charging), Some(level)) = (charging, level) {
            on_change(Battery { charging, level });
        }
    };
    tell();
    let tell = Closure::<dyn Fn()>::new(tell).into_js_value();
    if let Some(listen) = js::get(&manager, "addEventListener").and_then(|listen| listen.dyn_into::<Function>().ok()) {
        for event in ["chargingchange", "levelchange"] {
            // A browser that has the battery has its events.
            let _ = listen.call2(&manager, &event.into(), &tell);
        }
    }
}
