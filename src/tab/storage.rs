//! What stays on the device between visits: weights, the session, an update that is not acknowledged yet.
//!
//! The Cache API is the one store: workers have it, it holds bytes under addresses, and blobs have addresses anyway.
//! Frames, crops, features, labels and predictions are never written.

use js_sys::Uint8Array;
use serde::{Deserialize, Serialize};
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Cache, CacheStorage, Response, WorkerGlobalScope};

use super::CACHE;

const SESSION: &str = "/on-this-device/session.json";
const PENDING: &str = "/on-this-device/pending-update.safetensors";

/// Who this tab is, and how far it has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedSession {
    /// The class it joined with.
    pub class_code: String,
    /// Participant id.
    pub participant: String,
    /// Bearer token.
    pub token: String,
    /// The last round that acknowledged an update of this participant.
    pub acknowledged_round: Option<u64>,
}

/// The device's store. Where the browser refuses one, nothing is kept and everything else works.
pub struct Storage(Option<Cache>);

impl Storage {
    /// Opens the store.
    pub async fn open() -> Self {
        let cache = async {
            let caches: CacheStorage = js_sys::global().dyn_into::<WorkerGlobalScope>().ok()?.caches().ok()?;
            JsFuture::from(caches.open(CACHE)).await.ok()?.dyn_into::<Cache>().ok()
        };
        Self(cache.await)
    }

    /// Whether anything can be kept.
    pub fn is_available(&self) -> bool {
        self.0.is_some()
    }

    /// The bytes kept under `address`.
    pub async fn get(&self, address: &str) -> Option<Vec<u8>> {
        let found = JsFuture::from(self.0.as_ref()?.match_with_str(address)).await.ok()?;
        let buffer = JsFuture::from(found.dyn_into::<Response>().ok()?.array_buffer().ok()?).await.ok()?;
        Some(Uint8Array::new(&buffer).to_vec())
    }

    /// Keeps `bytes` under `address`; `false` where the browser would not (no store, no room).
    pub async fn put(&self, address: &str, bytes: &[u8]) -> bool {
        let Some(cache) = &self.0 else { return false };
        let body = Uint8Array::from(bytes);
        let Ok(response) = Response::new_with_opt_js_u8_array(Some(&body)) else { return false };
        JsFuture::from(cache.put_with_str(address, &response)).await.is_ok()
    }

    /// Deletes what is kept under `address`.
    pub async fn delete(&self, address: &str) {
        if let Some(cache) = &self.0 {
            // There is nothing to do about a browser that will not delete one entry; `forget` drops the whole store.
            let _ = JsFuture::from(cache.delete_with_str(address)).await;
        }
    }

    /// The session, if one was saved.
    pub async fn session(&self) -> Option<SavedSession> {
        serde_json::from_slice(&self.get(SESSION).await?).ok()
    }

    /// Saves the session.
    pub async fn save_session(&self, session: &SavedSession) -> bool {
        let json = serde_json::to_vec(session).expect("strings and numbers always serialize");
        self.put(SESSION, &json).await
    }

    /// Forgets the session, as when its token is no longer valid.
    pub async fn delete_session(&self) {
        self.delete(SESSION).await;
    }

    /// The body of an update that was not acknowledged.
    pub async fn pending(&self) -> Option<Vec<u8>> {
        self.get(PENDING).await
    }

    /// Saves an update's body until it is acknowledged.
    pub async fn save_pending(&self, body: &[u8]) -> bool {
        self.put(PENDING, body).await
    }

    /// The update is settled.
    pub async fn delete_pending(&self) {
        self.delete(PENDING).await;
    }

    /// Deletes everything.
    pub async fn forget(&self) -> Result<(), JsValue> {
        if self.0.is_some() {
            let caches = js_sys::global().unchecked_into::<WorkerGlobalScope>().caches()?;
            JsFuture::from(caches.delete(CACHE)).await?;
        }
        Ok(())
    }
}
