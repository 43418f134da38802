//! The only module that talks to the network, and only with the aggregator that served the page.
//!
//! What leaves the tab is all in here: the class code ([`Aggregator::join`]) and client updates
//! ([`Aggregator::send_update`], weights and a count). Every other call is a `GET` without a body.

use std::cell::RefCell;

use js_sys::{Reflect, Uint8Array};
use serde::de::DeserializeOwned;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, Headers, Request, RequestCache, RequestInit, Response, WorkerGlobalScope};

use super::error::TabError;
use super::js;
use crate::protocol::{
    BlobRef, JoinRequest, JoinResponse, Manifest, PROBLEM_JSON, PROTOCOL, Problem, SAFETENSORS, UpdateReceipt, path,
};

/// Gives the bytes received so far and the bytes in all.
pub type Progress<'a> = &'a dyn Fn(u64, u64);

/// The aggregator, as a participant sees it.
#[derive(Default)]
pub struct Aggregator {
    token: RefCell<Option<String>>,
    manifest_tag: RefCell<Option<String>>,
}

impl Aggregator {
    /// Uses the token of a session that goes on.
    pub fn resume(&self, token: String) {
        *self.token.borrow_mut() = Some(token);
    }

    /// `POST /api/v1/participants`.
    ///
    /// # Errors
    /// [`TabError::Refused`] with `wrong-class-code` or `rate-limited`, or [`TabError::Unreachable`].
    pub async fn join(&self, class_code: &str) -> Result<JoinResponse, TabError> {
        let body = serde_json::to_string(&JoinRequest { class_code: class_code.to_owned() })
            .map_err(|error| TabError::Answer(error.to_string()))?;
        let response =
            send("POST", path::PARTICIPANTS, &[("content-type", "application/json")], Some(body.into())).await?;
        let joined: JoinResponse = json(&response).await?;
        *self.token.borrow_mut() = Some(joined.token.clone());
        Ok(joined)
    }

    /// `GET /api/v1/manifest`; `None` if it has not changed since the last call.
    ///
    /// # Errors
    /// [`TabError::Unreachable`], [`TabError::Answer`], or [`TabError::Protocol`].
    pub async fn manifest(&self) -> Result<Option<Manifest>, TabError> {
        let tag = self.manifest_tag.borrow().clone();
        let headers: Vec<(&str, &str)> = tag.iter().map(|tag| ("if-none-match", tag.as_str())).collect();
        let response = send("GET", path::MANIFEST, &headers, None).await?;
        if response.status() == 304 {
            return Ok(None);
        }
        let manifest: Manifest = json(&response).await?;
        if manifest.protocol != PROTOCOL {
            return Err(TabError::Protocol(manifest.protocol));
        }
        *self.manifest_tag.borrow_mut() = response.headers().get("etag").ok().flatten();
        Ok(Some(manifest))
    }

    /// Makes the next [`Self::manifest`] return the whole manifest again.
    pub fn expect_whole_manifest(&self) {
        *self.manifest_tag.borrow_mut() = None;
    }

    /// `GET /blobs/{sha256}`, past the browser's HTTP cache if `anew`. The hash is for the caller to check.
    ///
    /// # Errors
    /// [`TabError::Unreachable`] where the transfer breaks off, [`TabError::Refused`] where there is no such blob.
    pub async fn blob(&self, blob: &BlobRef, anew: bool, progress: Progress<'_>) -> Result<Vec<u8>, TabError> {
        let cache = if anew { RequestCache::Reload } else { RequestCache::Default };
        let response = send_with("GET", &path::blob(&blob.sha256), &[], None, cache, None).await?;
        read_body(&response, blob.size, progress).await
    }

    /// `PUT /api/v1/rounds/{round}/update`, broken off by `signal`.
    ///
    /// # Errors
    /// [`TabError::Refused`] with the reason, or [`TabError::Unreachable`] (also if it was broken off): then it is not
    /// known whether it arrived, and sending the same bytes again is safe.
    pub async fn send_update(&self, round: u64, body: &[u8], signal: &AbortSignal) -> Result<UpdateReceipt, TabError> {
        let authorization = format!("Bearer {}", self.token.borrow().as_deref().unwrap_or_default());
        let headers = [("content-type", SAFETENSORS), ("authorization", authorization.as_str())];
        let (address, body) = (path::update(round), Some(Uint8Array::from(body).into()));
        json(&send_with("PUT", &address, &headers, body, RequestCache::NoStore, Some(signal)).await?).await
    }
}

async fn send(method: &str, path: &str, headers: &[(&str, &str)], body: Option<JsValue>) -> Result<Response, TabError> {
    send_with(method, path, headers, body, RequestCache::NoStore, None).await
}

async fn send_with(
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<JsValue>,
    cache: RequestCache,
    signal: Option<&AbortSignal>,
) -> Result<Response, TabError> {
    let broken = |error: JsValue| TabError::Unreachable(js::words(&error));
    let fields = Headers::new().map_err(broken)?;
    for (name, value) in headers {
        fields.set(name, value).map_err(broken)?;
    }
    let options = RequestInit::new();
    options.set_method(method);
    options.set_headers(&fields);
    options.set_cache(cache);
    options.set_signal(signal);
    if let Some(body) = &body {
        options.set_body(body);
    }
    let request = Request::new_with_str_and_init(path, &options).map_err(broken)?;
    let scope = js_sys::global().unchecked_into::<WorkerGlobalScope>();
    let response = JsFuture::from(scope.fetch_with_request(&request)).await.map_err(broken)?;
    let response = response.unchecked_into::<Response>();
    if response.ok() || response.status() == 304 {
        return Ok(response);
    }
    let is_problem = response.headers().get("content-type").ok().flatten().is_some_and(|t| t.starts_with(PROBLEM_JSON));
    if is_problem {
        return Err(TabError::Refused(json::<Problem>(&response).await?));
    }
    // Not ours: a proxy in between, as when the aggregator behind it is down.
    Err(TabError::Unreachable(format!("status {}", response.status())))
}

async fn json<T: DeserializeOwned>(response: &Response) -> Result<T, TabError> {
    let text = response.text().map_err(|error| TabError::Answer(js::words(&error)))?;
    let text = JsFuture::from(text).await.map_err(|error| TabError::Unreachable(js::words(&error)))?;
    serde_json::from_str(&text.as_string().unwrap_or_default()).map_err(|error| TabError::Answer(error.to_string()))
}

/// Reads a body chunk by chunk, so that progress can be shown.
async fn read_body(response: &Response, size: u64, progress: Progress<'_>) -> Result<Vec<u8>, TabError> {
    let broken = |error: JsValue| TabError::Unreachable(js::words(&error));
    let mut bytes = Vec::new();
    let Some(stream) = response.body() else {
        let buffer = JsFuture::from(response.array_buffer().map_err(broken)?).await.map_err(broken)?;
        return Ok(Uint8Array::new(&buffer).to_vec());
    };
    let reader = stream.get_reader().unchecked_into::<web_sys::ReadableStreamDefaultReader>();
    loop {
        let chunk = JsFuture::from(reader.read()).await.map_err(broken)?;
        if Reflect::get(&chunk, &"done".into()).is_ok_and(|done| done.is_truthy()) {
            return Ok(bytes);
        }
        let value = Reflect::get(&chunk, &"value".into()).map_err(broken)?;
        bytes.extend_from_slice(&Uint8Array::new(&value).to_vec());
        progress(bytes.len() as u64, size);
    }
}
