//! Web Locks: at most one tab of this origin holds the lock of a given name.

use std::cell::Cell;
use std::rc::Rc;

use gloo::utils::window;
use js_sys::{Function, Object, Promise};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::AbortSignal;

use super::js;

/// A lock; dropping it releases it. In a browser without Web Locks every request is granted.
#[derive(Default)]
pub struct Lock {
    release: Option<Function>,
    stolen: Rc<Cell<bool>>,
}

impl Lock {
    /// Whether no other tab has stolen it.
    pub fn is_held(&self) -> bool {
        !self.stolen.get()
    }
}

/// What to do while another tab holds the lock.
pub enum Wait<'a> {
    /// Do not wait.
    No,
    /// Queue for it until the signal aborts.
    Until(&'a AbortSignal),
    /// Steal it.
    Steal,
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Some(release) = &self.release {
            // A promise's own function; it does not throw.
            let _ = release.call0(&JsValue::NULL);
        }
    }
}

/// Requests the lock `name`; `None` if it is held elsewhere and waiting was declined or aborted. `on_stolen` is called if
/// another tab steals it later.
pub async fn acquire(name: &str, wait: Wait<'_>, on_stolen: impl FnOnce() + 'static) -> Option<Lock> {
    let Some(locks) = js::get(&window().navigator(), "locks") else { return Some(Lock::default()) };
    let options = Object::new();
    match wait {
        Wait::No => js::set(&options, "ifAvailable", &true.into()),
        Wait::Until(signal) => js::set(&options, "signal", signal),
        Wait::Steal => js::set(&options, "steal", &true.into()),
    }
    let (answered, answer) = promise();
    let granted = Rc::new(Cell::new(false));
    let lost: Rc<Cell<bool>> = Rc::default();
    let on_grant = Closure::once_into_js({
        let (answer, granted) = (answer.clone(), granted.clone());
        move |lock: JsValue| -> JsValue {
            if lock.is_null() {
                let _ = answer.call0(&JsValue::NULL);
                return JsValue::UNDEFINED;
            }
            granted.set(true);
            // The lock is held for as long as this promise is open.
            let (held, release) = promise();
            let _ = answer.call1(&JsValue::NULL, &release);
            held.into()
        }
    });
    let request: Function = js::get(&locks, "request")?.dyn_into().ok()?;
    let requested = request.call3(&locks, &name.into(), &options, &on_grant).ok()?;
    let lock_lost = lost.clone();
    spawn_local(async move {
        if JsFuture::from(Promise::resolve(&requested)).await.is_err() {
            if granted.get() {
                lock_lost.set(true);
                on_stolen();
            } else {
                let _ = answer.call0(&JsValue::NULL);
            }
        }
    });
    let release: Function = JsFuture::from(answered).await.ok()?.dyn_into().ok()?;
    Some(Lock { release: Some(release), stolen: lost })
}

/// A promise, and the function that resolves it.
fn promise() -> (Promise, Function) {
    let mut fulfil = None;
    let promise = Promise::new(&mut |resolve, _| fulfil = Some(resolve));
    (promise, fulfil.expect("the executor of a promise runs at once"))
}
