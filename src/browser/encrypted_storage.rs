//! Records that are encrypted at rest: AES-GCM by WebCrypto, under a key that cannot be exported and dies with the permission.
//!
//! The key is in IndexedDB, which is the only place that stores a key without its bytes; the records are in [`Storage`]. Without
//! the key they are noise, wherever a browser or a disk still has copies of them. A record is the version of its form (one
//! byte), a nonce of its own, and ciphertext with its tag, which also covers the record's address.

use std::rc::Rc;

use js_sys::{Array, Function, Object, Promise, Uint8Array};
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;

use super::js;
use super::storage::Storage;

/// The database that has the key, and nothing else.
const DATABASE: &str = "emofed-key";
/// Its one object store.
const KEYS: &str = "keys";
/// Address of the key in the store.
const KEY: &str = "kept-clips";
/// Version of the form of a record.
const FORM: u8 = 1;
/// Bytes of a nonce.
const NONCE: usize = 12;

/// Encrypted records on the device.
pub struct EncryptedStorage {
    storage: Rc<Storage>,
    key: JsValue,
}

/// Why a record could not be read: it is of no use any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the record cannot be decrypted")]
pub struct Undecryptable;

impl EncryptedStorage {
    /// Opens the storage under the device's key, which is made if there is none. `None` where the browser has no encryption or no
    /// place for a key.
    pub async fn open(storage: Rc<Storage>) -> Option<Self> {
        let key = match stored_key().await {
            Some(key) => key,
            None => {
                let key = new_key().await?;
                // Another worker may have made one meanwhile: the first one counts.
                store_key(&key).await?;
                stored_key().await?
            }
        };
        Some(Self { storage, key })
    }

    /// Encrypts and stores a record; `false` if the browser refuses.
    pub async fn put(&self, address: &str, record: &[u8]) -> bool {
        let Some(crypto) = js::get(&js_sys::global(), "crypto") else { return false };
        let nonce = Uint8Array::new_with_length(NONCE as u32);
        if method(&crypto, "getRandomValues").and_then(|random| random.call1(&crypto, &nonce).ok()).is_none() {
            return false;
        }
        let parameters = algorithm(&nonce, address);
        let Some(subtle) = js::get(&crypto, "subtle") else { return false };
        let plain = Uint8Array::from(record);
        let sealed = js::call(&subtle, "encrypt", &[parameters.into(), self.key.clone(), plain.into()]).await;
        let Some(sealed) = sealed else { return false };
        let record = [&[FORM][..], &nonce.to_vec(), &Uint8Array::new(&sealed).to_vec()].concat();
        self.storage.put(address, &record).await
    }

    /// The record at `address`, if there is one.
    ///
    /// # Errors
    /// [`Undecryptable`] if it was cut or altered, or has another key.
    pub async fn get(&self, address: &str) -> Result<Option<Vec<u8>>, Undecryptable> {
        let Some(record) = self.storage.get(address).await else { return Ok(None) };
        let (nonce, sealed) = record
            .split_first()
            .filter(|(form, _)| **form == FORM)
            .and_then(|(_, rest)| rest.split_at_checked(NONCE))
            .ok_or(Undecryptable)?;
        let parameters = algorithm(&Uint8Array::from(nonce), address);
        let subtle = subtle().ok_or(Undecryptable)?;
        let arguments = [parameters.into(), self.key.clone(), Uint8Array::from(sealed).into()];
        let plain = js::call(&subtle, "decrypt", &arguments).await.ok_or(Undecryptable)?;
        Ok(Some(Uint8Array::new(&plain).to_vec()))
    }

    /// Deletes the key, if there is one: records under it can never be read again. `false` if the browser refuses.
    pub async fn delete_key() -> bool {
        let Some(factory) = js::get(&js_sys::global(), "indexedDB") else { return true };
        let Some(delete) = method(&factory, "deleteDatabase") else { return true };
        // A browser that lets the page store nothing has no key, either.
        let Ok(request) = delete.call1(&factory, &js::of_federation(DATABASE).into()) else { return true };
        answer(&request).await.is_ok()
    }
}

/// AES-GCM's parameters for a record.
fn algorithm(nonce: &Uint8Array, address: &str) -> Object {
    let parameters = Object::new();
    js::set(&parameters, "name", &"AES-GCM".into());
    js::set(&parameters, "iv", nonce);
    js::set(&parameters, "additionalData", &Uint8Array::from(address.as_bytes()));
    parameters
}

/// `crypto.subtle`; absent outside of secure contexts.
fn subtle() -> Option<JsValue> {
    js::get(&js::get(&js_sys::global(), "crypto")?, "subtle")
}

/// A key of 256 bits that scripts can use and not read.
async fn new_key() -> Option<JsValue> {
    let parameters = Object::new();
    js::set(&parameters, "name", &"AES-GCM".into());
    js::set(&parameters, "length", &256.into());
    let usages = Array::of2(&"encrypt".into(), &"decrypt".into());
    js::call(&subtle()?, "generateKey", &[parameters.into(), false.into(), usages.into()]).await
}

async fn stored_key() -> Option<JsValue> {
    let database = open_database().await?;
    let request =
        object_store(&database, "readonly").and_then(|keys| method(&keys, "get")?.call1(&keys, &KEY.into()).ok());
    let key = match request {
        Some(request) => answer(&request).await.ok(),
        None => None,
    };
    close(&database);
    key.filter(|key| !key.is_undefined() && !key.is_null())
}

/// Stores the key, unless there is one.
async fn store_key(key: &JsValue) -> Option<()> {
    let database = open_database().await?;
    let request =
        object_store(&database, "readwrite").and_then(|keys| method(&keys, "add")?.call2(&keys, key, &KEY.into()).ok());
    let is_made = request.is_some();
    if let Some(request) = request {
        // An error means that there is one.
        let _ = answer(&request).await;
    }
    close(&database);
    is_made.then_some(())
}

/// Opens the database, and makes its object store if it is new.
async fn open_database() -> Option<JsValue> {
    let factory = js::get(&js_sys::global(), "indexedDB")?;
    let request = method(&factory, "open")?.call2(&factory, &js::of_federation(DATABASE).into(), &1.into()).ok()?;
    let opened: Object = request.clone().dyn_into().ok()?;
    let upgrade = wasm_bindgen::closure::Closure::once_into_js(move || {
        if let Some(database) = js::get(&request, "result")
            && let Some(create) = method(&database, "createObjectStore")
        {
            // If it fails, so does the opening.
            let _ = create.call1(&database, &KEYS.into());
        }
    });
    js::set(&opened, "onupgradeneeded", &upgrade);
    answer(&opened).await.ok()
}

fn object_store(database: &JsValue, mode: &str) -> Option<JsValue> {
    let transaction = method(database, "transaction")?.call2(database, &KEYS.into(), &mode.into()).ok()?;
    method(&transaction, "objectStore")?.call1(&transaction, &KEYS.into()).ok()
}

/// An open database would hold its deletion up.
fn close(database: &JsValue) {
    if let Some(close) = method(database, "close") {
        let _ = close.call0(database);
    }
}

/// The result of one of IndexedDB's requests.
///
/// # Errors
/// The request's event, if it fails or is blocked.
async fn answer(request: &JsValue) -> Result<JsValue, JsValue> {
    let request: &Object = request.unchecked_ref();
    let promise = Promise::new(&mut |resolve, reject| {
        js::set(request, "onsuccess", &resolve);
        js::set(request, "onerror", &reject);
    });
    JsFuture::from(promise).await?;
    Ok(js::get(request, "result").unwrap_or_default())
}

fn method(object: &JsValue, name: &str) -> Option<Function> {
    js::get(object, name)?.dyn_into().ok()
}
