//! The only module that talks to the network, and only with the aggregator that served the page.
//!
//! What leaves the tab is all in here: the class code ([`Aggregator::join`]) and client updates
//! ([`Aggregator::send_update`], weights and a count). Every other call is a `GET` without a body. Every
//! call has a time limit ([`Limit`]).

use std::cell::RefCell;

use js_sys::{Reflect, Uint8Array};
use serde::de::DeserializeOwned;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, Headers, Request, RequestCache, RequestInit, Response, WorkerGlobalScope};

use super::error::TabError;
use super::js;
use super::limit::{LONG_MS, Limit, SHORT_MS};
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
    /// [`TabError::Refused`] with `wrong-class-code` or `rate-limited`, [`TabError::Unreachable`], or [`TabError::TimedOut`].
    pub async fn join(&self, class_code: &str) -> Result<JoinResponse, TabError> {
        let body = serde_json::to_string(&JoinRequest { class_code: class_code.to_owned() })
            .map_err(|error| TabError::Answer(error.to_string()))?;
        let headers = [("content-type", "application/json")];
        let call = Call { headers: &headers, body: Some(body.into()), limit_ms: SHORT_MS, ..Call::default() };
        let joined: JoinResponse = send("POST", path::PARTICIPANTS, call).await?.json().await?;
        *self.token.borrow_mut() = Some(joined.token.clone());
        Ok(joined)
    }

    /// `GET /api/v1/manifest`; `None` if it has not changed since the last call.
    ///
    /// # Errors
    /// [`TabError::Unreachable`], [`TabError::TimedOut`], [`TabError::Answer`], or [`TabError::Protocol`].
    pub async fn manifest(&self) -> Result<Option<Manifest>, TabError> {
        let tag = self.manifest_tag.borrow().clone();
        let headers: Vec<(&str, &str)> = tag.iter().map(|tag| ("if-none-match", tag.as_str())).collect();
        let call = Call { headers: &headers, limit_ms: SHORT_MS, ..Call::default() };
        let answer = send("GET", path::MANIFEST, call).await?;
        if answer.response.status() == 304 {
            return Ok(None);
        }
        let manifest: Manifest = answer.json().await?;
        if manifest.protocol != PROTOCOL {
            return Err(TabError::Protocol(manifest.protocol));
        }
        *self.manifest_tag.borrow_mut() = answer.response.headers().get("etag").ok().flatten();
        Ok(Some(manifest))
    }

    /// Makes the next [`Self::manifest`] return the whole manifest again.
    pub fn expect_whole_manifest(&self) {
        *self.manifest_tag.borrow_mut() = None;
    }

    /// `GET /blobs/{sha256}`, past the browser's HTTP cache if `anew`. The hash is for the caller to check.
    ///
    /// # Errors
    /// [`TabError::Unreachable`] where the transfer breaks off, [`TabError::TimedOut`] where it stands still,
    /// [`TabError::Refused`] where there is no such blob.
    pub async fn blob(&self, blob: &BlobRef, anew: bool, progress: Progress<'_>) -> Result<Vec<u8>, TabError> {
        let cache = if anew { RequestCache::Reload } else { RequestCache::Default };
        let call = Call { cache: Some(cache), limit_ms: LONG_MS, ..Call::default() };
        send("GET", &path::blob(&blob.sha256), call).await?.bytes(blob.size, progress).await
    }

    /// `PUT /api/v1/rounds/{round}/update`, broken off by `signal`.
    ///
    /// # Errors
    /// [`TabError::Refused`] with the reason, or [`TabError::Unreachable`] (also if it was broken off) and
    /// [`TabError::TimedOut`]: then it is not known whether it arrived, and sending the same bytes again is safe.
    pub async fn send_update(&self, round: u64, body: &[u8], signal: &AbortSignal) -> Result<UpdateReceipt, TabError> {
        let authorization = format!("Bearer {}", self.token.borrow().as_deref().unwrap_or_default());
        let headers = [("content-type", SAFETENSORS), ("authorization", authorization.as_str())];
        let body = Some(Uint8Array::from(body).into());
        let call = Call { headers: &headers, body, signal: Some(signal), limit_ms: LONG_MS, ..Call::default() };
        send("PUT", &path::update(round), call).await?.json().await
    }
}

/// A call, apart from where it goes.
#[derive(Default)]
struct Call<'a> {
    headers: &'a [(&'a str, &'a str)],
    body: Option<JsValue>,
    cache: Option<RequestCache>,
    signal: Option<&'a AbortSignal>,
    limit_ms: u32,
}

/// An answer whose body is still to be read, within the limit of its call.
struct Answer {
    response: Response,
    limit: Limit,
}

/// What a call that broke off means.
fn broken(limit: &Limit, error: &JsValue) -> TabError {
    if limit.is_over() {
        TabError::TimedOut { limit_s: limit.seconds() }
    } else {
        TabError::Unreachable(js::words(error))
    }
}

async fn send(method: &str, path: &str, call: Call<'_>) -> Result<Answer, TabError> {
    let unusable = |error: JsValue| TabError::Unreachable(js::words(&error));
    let limit = Limit::start(call.limit_ms, call.signal).map_err(unusable)?;
    let fields = Headers::new().map_err(unusable)?;
    for (name, value) in call.headers {
        fields.set(name, value).map_err(unusable)?;
    }
    let options = RequestInit::new();
    options.set_method(method);
    options.set_headers(&fields);
    options.set_cache(call.cache.unwrap_or(RequestCache::NoStore));
    options.set_signal(Some(&limit.signal()));
    if let Some(body) = &call.body {
        options.set_body(body);
    }
    let request = Request::new_with_str_and_init(path, &options).map_err(unusable)?;
    let scope = js_sys::global().unchecked_into::<WorkerGlobalScope>();
    let response = JsFuture::from(scope.fetch_with_request(&request)).await.map_err(|error| broken(&limit, &error))?;
    let answer = Answer { response: response.unchecked_into(), limit };
    let response = &answer.response;
    if response.ok() || response.status() == 304 {
        return Ok(answer);
    }
    let is_problem = response.headers().get("content-type").ok().flatten().is_some_and(|t| t.starts_with(PROBLEM_JSON));
    if is_problem {
        return Err(TabError::Refused(answer.json::<Problem>().await?));
    }
    // Not ours: a proxy in between, as when the aggregator behind it is down.
    Err(TabError::Unreachable(format!("status {}", response.status())))
}

impl Answer {
    async fn json<T: DeserializeOwned>(&self) -> Result<T, TabError> {
        let text = self.response.text().map_err(|error| TabError::Answer(js::words(&error)))?;
        let text = JsFuture::from(text).await.map_err(|error| broken(&self.limit, &error))?;
        serde_json::from_str(&text.as_string().unwrap_or_default()).map_err(|error| TabError::Answer(error.to_string()))
    }

    /// Reads a body chunk by chunk, so that progress can be shown. Each chunk has the whole time: a slow network may take
    /// longer for a large body, a silent one may not.
    async fn bytes(&self, size: u64, progress: Progress<'_>) -> Result<Vec<u8>, TabError> {
        let broken = |error: JsValue| broken(&self.limit, &error);
        let mut bytes = Vec::new();
        let Some(stream) = self.response.body() else {
            let buffer = JsFuture::from(self.response.array_buffer().map_err(broken)?).await.map_err(broken)?;
            return Ok(Uint8Array::new(&buffer).to_vec());
        };
        let reader = stream.get_reader().unchecked_into::<web_sys::ReadableStreamDefaultReader>();
        loop {
            let chunk = JsFuture::from(reader.read()).await.map_err(broken)?;
            if Reflect::get(&chunk, &"done".into()).is_ok_and(|done| done.is_truthy()) {
                return Ok(bytes);
            }
            self.limit.restart();
            let value = Reflect::get(&chunk, &"value".into()).map_err(broken)?;
            bytes.extend_from_slice(&Uint8Array::new(&value).to_vec());
            progress(bytes.len() as u64, size);
        }
    }
}
