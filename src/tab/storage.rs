//! What stays on the device between visits: the weights in use, the session, the ledger, an update that is not acknowledged
//! yet.
//!
//! The Cache API is the one store: workers and the page have it, it holds bytes under addresses, and blobs have addresses
//! anyway. What a browser tab remembers of the student's choices over a reload is the page's (`page::student::remember`).
//! Frames, crops, features, labels and predictions are never written.

use js_sys::{Array, Uint8Array};
use serde::{Deserialize, Serialize};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Cache, CacheStorage, DomException, Request, Response, Url};

use super::js;
use super::ledger::Ledger;

/// The cache that has everything that stays on the device.
const CACHE: &str = "emofed-v1";
const BLOBS: &str = "/blobs/";
const LEDGER: &str = "/on-this-device/ledger.json";

const SESSION: &str = "/on-this-device/session.json";
const PENDING: &str = "/on-this-device/pending-update.safetensors";

/// Who this tab is, and how far it has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedSession {
    /// The code it joined with.
    #[serde(alias = "class_code")]
    pub join_code: String,
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
        let cache = async { JsFuture::from(caches()?.open(CACHE)).await.ok()?.dyn_into::<Cache>().ok() };
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

    /// The ledger, if one was kept.
    pub async fn ledger(&self) -> Option<Ledger> {
        serde_json::from_slice(&self.get(LEDGER).await?).ok()
    }

    /// Keeps the ledger.
    pub async fn save_ledger(&self, ledger: &Ledger) -> bool {
        let json = serde_json::to_vec(ledger).expect("strings and numbers always serialize");
        self.put(LEDGER, &json).await
    }

    /// Deletes all weights but those at `addresses`.
    pub async fn retain_blobs(&self, addresses: &[String]) {
        let Some(cache) = &self.0 else { return };
        let Ok(requests) = JsFuture::from(cache.keys()).await else { return };
        for request in requests.unchecked_into::<Array>().iter() {
            let path = Url::new(&request.unchecked_into::<Request>().url()).map(|url| url.pathname());
            if let Ok(path) = path
                && path.starts_with(BLOBS)
                && !addresses.contains(&path)
            {
                self.delete(&path).await;
            }
        }
    }

    /// Deletes everything.
    ///
    /// # Errors
    /// The browser will not.
    pub async fn forget() -> Result<(), JsValue> {
        let Some(caches) = caches() else { return Ok(()) };
        match JsFuture::from(caches.delete(CACHE)).await {
            // A browser that lets the page keep nothing has nothing to delete.
            Err(error) if error.dyn_ref::<DomException>().is_some_and(|error| error.name() == "SecurityError") => {
                Ok(())
            }
            result => result.map(|_| ()),
        }
    }
}

/// A page's and a worker's alike; absent outside of secure contexts.
fn caches() -> Option<CacheStorage> {
    js::get(&js_sys::global(), "caches").map(JsCast::unchecked_into)
}
