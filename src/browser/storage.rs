//! Persistent storage on the device: bytes and JSON records by address.
//!
//! It uses the Cache API, which both the page and workers have, which stores bytes by address, and where blobs have an
//! address anyway. Frames, crops and predictions are never written; clips' features and labels only if the student allows it,
//! and encrypted ([`super::encrypted_storage`]). What a tab keeps over a reload is in
//! its session storage instead (`page::student::tab_storage`).

use js_sys::{Array, Uint8Array};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Cache, CacheStorage, DomException, Request, Response, Url};

use super::encrypted_storage::EncryptedStorage;
use super::js;

/// The cache that holds everything that a federation has stored on the device; its name ends with the federation's prefix.
const CACHE: &str = "emofed-v1";

/// The device's storage. Where the browser refuses one, nothing is kept and everything else works.
pub struct Storage(Option<Cache>);

impl Storage {
    /// Opens the storage.
    pub async fn open() -> Self {
        let cache =
            async { JsFuture::from(caches()?.open(&js::of_federation(CACHE))).await.ok()?.dyn_into::<Cache>().ok() };
        Self(cache.await)
    }

    /// Whether the browser lets the page store anything.
    pub fn is_available(&self) -> bool {
        self.0.is_some()
    }

    /// The bytes stored at `address`.
    pub async fn get(&self, address: &str) -> Option<Vec<u8>> {
        let found = JsFuture::from(self.0.as_ref()?.match_with_str(address)).await.ok()?;
        let buffer = JsFuture::from(found.dyn_into::<Response>().ok()?.array_buffer().ok()?).await.ok()?;
        Some(Uint8Array::new(&buffer).to_vec())
    }

    /// Stores `bytes` at `address`; `false` if the browser refuses (no storage, or quota exceeded).
    pub async fn put(&self, address: &str, bytes: &[u8]) -> bool {
        let Some(cache) = &self.0 else { return false };
        let body = Uint8Array::from(bytes);
        let Ok(response) = Response::new_with_opt_js_u8_array(Some(&body)) else { return false };
        JsFuture::from(cache.put_with_str(address, &response)).await.is_ok()
    }

    /// The record stored at `address`; `None` also where it was written by a version whose records cannot be read.
    pub async fn get_json<T: DeserializeOwned>(&self, address: &str) -> Option<T> {
        js::from_json(std::str::from_utf8(&self.get(address).await?).ok()?).ok()
    }

    /// Stores a record at `address`; `false` if the browser refuses.
    pub async fn put_json<T: Serialize>(&self, address: &str, record: &T) -> bool {
        match js::to_json(record) {
            Ok(json) => self.put(address, json.as_bytes()).await,
            Err(_) => false,
        }
    }

    /// Deletes what is stored at `address`.
    pub async fn delete(&self, address: &str) {
        if let Some(cache) = &self.0 {
            // Nothing can be done if the browser refuses to delete one entry; `delete_all` drops the whole cache.
            let _ = JsFuture::from(cache.delete_with_str(address)).await;
        }
    }

    /// Deletes everything whose address starts with `prefix`, except what is at `kept`.
    pub async fn retain(&self, prefix: &str, kept: &[String]) {
        let Some(cache) = &self.0 else { return };
        let Ok(requests) = JsFuture::from(cache.keys()).await else { return };
        for request in requests.unchecked_into::<Array>().iter() {
            let path = Url::new(&request.unchecked_into::<Request>().url()).map(|url| url.pathname());
            if let Ok(path) = path
                && path.starts_with(prefix)
                && !kept.contains(&path)
            {
                self.delete(&path).await;
            }
        }
    }

    /// Deletes everything, the key of encrypted records first.
    ///
    /// # Errors
    /// The browser refuses.
    pub async fn delete_all() -> Result<(), JsValue> {
        let is_key_deleted = EncryptedStorage::delete_key().await;
        let Some(caches) = caches() else { return Ok(()) };
        match JsFuture::from(caches.delete(&js::of_federation(CACHE))).await {
            // A browser that lets the page store nothing has nothing to delete.
            Err(error) if error.dyn_ref::<DomException>().is_some_and(|error| error.name() == "SecurityError") => {
                Ok(())
            }
            result => result.map(|_| ()),
        }?;
        match is_key_deleted {
            true => Ok(()),
            false => Err("the key is not deleted".into()),
        }
    }
}

/// The cache storage of this page or worker; absent outside of secure contexts.
fn caches() -> Option<CacheStorage> {
    js::get(&js_sys::global(), "caches").map(JsCast::unchecked_into)
}
