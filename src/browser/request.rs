//! HTTP requests to the aggregator. Every request of the page and of the session worker is made here, with a timeout, and
//! bypasses the browser's HTTP cache.

use js_sys::{Promise, Reflect, Uint8Array};
use serde::de::DeserializeOwned;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, Headers, RequestCache, RequestInit};

use super::js;
use super::timeout::RequestTimeout;
use crate::protocol::{PROBLEM_JSON, Problem};

/// Called with the bytes received so far and the total.
pub type Progress<'a> = &'a dyn Fn(u64, u64);

#[wasm_bindgen]
extern "C" {
    /// The global `fetch` of this page or worker.
    #[wasm_bindgen(js_name = fetch)]
    fn fetch(request: &web_sys::Request) -> Promise;
}

/// Why a request failed. `detail` is diagnostic text of the browser or of a parser, in no particular language.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// There is no response, or one that is not the aggregator's.
    #[error("the aggregator does not respond: {detail}")]
    Unreachable {
        /// For diagnosis.
        detail: String,
    },
    /// There was no response, or no further part of its body, in time.
    #[error("the aggregator did not respond within {timeout_s} s")]
    TimedOut {
        /// The timeout, in seconds.
        timeout_s: u32,
    },
    /// The aggregator refused the request.
    #[error("{0}")]
    Refused(Problem),
    /// The response's body is not what the protocol says.
    #[error("the aggregator's response is not understood: {detail}")]
    Malformed {
        /// For diagnosis.
        detail: String,
    },
}

/// A request.
pub struct Request<'a> {
    /// HTTP method.
    pub method: &'static str,
    /// Path and query: below the federation's prefix those of the protocol, on this origin the page's own files.
    pub path: String,
    /// Media type and bytes of the body.
    pub body: Option<(&'static str, &'a [u8])>,
    /// Bearer token.
    pub token: Option<&'a str>,
    /// Entity tag of the representation that is there already (`If-None-Match`).
    pub entity_tag: Option<&'a str>,
    /// Aborts the request.
    pub signal: Option<&'a AbortSignal>,
    /// Lets the browser complete the request after the page is gone.
    pub keepalive: bool,
    /// Timeout for the response's headers, and again for each chunk of its body, in milliseconds.
    pub timeout_ms: u32,
}

impl Request<'_> {
    /// A `GET` without credential.
    pub fn get(path: impl Into<String>, timeout_ms: u32) -> Self {
        Self::new("GET", path, timeout_ms)
    }

    /// A request without body and credential.
    pub fn new(method: &'static str, path: impl Into<String>, timeout_ms: u32) -> Self {
        let path = path.into();
        Self { method, path, body: None, token: None, entity_tag: None, signal: None, keepalive: false, timeout_ms }
    }

    /// Where it is sent to on this origin.
    pub fn address(&self) -> String {
        let is_call = self.path.starts_with("/api/") || self.path.starts_with("/blobs/");
        let prefix = if is_call { js::prefix() } else { String::new() };
        prefix + &self.path
    }

    /// Sends it. What the session worker sends with a body or a credential goes through
    /// `worker::request_log::RequestLog::send`, which writes it into the student's ledger first.
    ///
    /// # Errors
    /// [`RequestError::Unreachable`] or [`RequestError::TimedOut`].
    pub async fn send(&self) -> Result<Response, RequestError> {
        let timeout = RequestTimeout::start(self.timeout_ms, self.signal).map_err(unreachable)?;
        let headers = Headers::new().map_err(unreachable)?;
        let authorization = self.token.map(|token| format!("Bearer {token}"));
        let fields = [
            ("content-type", self.body.map(|(media_type, _)| media_type)),
            ("authorization", authorization.as_deref()),
            ("if-none-match", self.entity_tag),
        ];
        for (name, value) in fields {
            if let Some(value) = value {
                headers.set(name, value).map_err(unreachable)?;
            }
        }
        let options = RequestInit::new();
        options.set_method(self.method);
        options.set_headers(&headers);
        // What is to stay on the device is in `Storage`, where it can be deleted; the browser's own cache cannot.
        options.set_cache(RequestCache::NoStore);
        options.set_signal(Some(&timeout.signal()));
        if self.keepalive {
            Reflect::set(&options, &"keepalive".into(), &true.into()).map_err(unreachable)?;
        }
        if let Some((_, body)) = self.body {
            options.set_body(&Uint8Array::from(body).into());
        }
        let request = web_sys::Request::new_with_str_and_init(&self.address(), &options).map_err(unreachable)?;
        let response = JsFuture::from(fetch(&request)).await.map_err(|error| interrupted(&timeout, &error))?;
        Ok(Response { response: response.unchecked_into(), timeout })
    }

    /// Whether its signal was aborted.
    pub fn is_aborted(&self) -> bool {
        self.signal.is_some_and(AbortSignal::aborted)
    }
}

/// A response whose body is still to be read, under the timeout of its request.
pub struct Response {
    response: web_sys::Response,
    timeout: RequestTimeout,
}

impl Response {
    /// The response itself if it is a success.
    ///
    /// # Errors
    /// [`RequestError::Refused`] for a problem document, [`RequestError::Unreachable`] for a response that is not the
    /// aggregator's.
    pub async fn accept(self) -> Result<Self, RequestError> {
        if self.is_success() {
            return Ok(self);
        }
        if self.header("content-type").is_some_and(|media_type| media_type.starts_with(PROBLEM_JSON)) {
            return Err(RequestError::Refused(self.json::<Problem>().await?));
        }
        // A proxy's response, as when the aggregator behind it is down.
        Err(RequestError::Unreachable { detail: format!("status {}", self.status()) })
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.response.status()
    }

    /// Whether the status is 2xx or 304.
    pub fn is_success(&self) -> bool {
        self.response.ok() || self.is_not_modified()
    }

    /// Whether the representation with the request's entity tag is still current (304).
    pub fn is_not_modified(&self) -> bool {
        self.status() == 304
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<String> {
        self.response.headers().get(name).ok().flatten()
    }

    /// Reads a JSON body.
    ///
    /// # Errors
    /// The body does not arrive, or is of another shape.
    pub async fn json<T: DeserializeOwned>(&self) -> Result<T, RequestError> {
        let malformed = |error: serde_wasm_bindgen::Error| RequestError::Malformed { detail: error.to_string() };
        js::from_json(&self.text().await?).map_err(malformed)
    }

    /// Reads a text body.
    ///
    /// # Errors
    /// The body does not arrive, or was read before.
    pub async fn text(&self) -> Result<String, RequestError> {
        let malformed = |error: JsValue| RequestError::Malformed { detail: js::error_message(&error) };
        let text = self.response.text().map_err(malformed)?;
        let text = JsFuture::from(text).await.map_err(|error| interrupted(&self.timeout, &error))?;
        Ok(text.as_string().unwrap_or_default())
    }

    /// Reads a body of `size` bytes chunk by chunk and reports progress. The timeout restarts with each chunk: a slow
    /// network may take longer for a large body, a silent one may not. Of a body that is longer only the begin is read, which is
    /// not what its hash says then.
    ///
    /// # Errors
    /// The transfer is interrupted, or stalls.
    pub async fn bytes(&self, size: u64, progress: Progress<'_>) -> Result<Vec<u8>, RequestError> {
        let interrupted = |error: JsValue| interrupted(&self.timeout, &error);
        let mut bytes = Vec::new();
        let Some(stream) = self.response.body() else {
            let buffer =
                JsFuture::from(self.response.array_buffer().map_err(interrupted)?).await.map_err(interrupted)?;
            return Ok(Uint8Array::new(&buffer).to_vec());
        };
        let reader = stream.get_reader().unchecked_into::<web_sys::ReadableStreamDefaultReader>();
        loop {
            let chunk = JsFuture::from(reader.read()).await.map_err(interrupted)?;
            if Reflect::get(&chunk, &"done".into()).is_ok_and(|done| done.is_truthy()) {
                return Ok(bytes);
            }
            self.timeout.restart();
            let value = Reflect::get(&chunk, &"value".into()).map_err(interrupted)?;
            bytes.extend_from_slice(&Uint8Array::new(&value).to_vec());
            progress(bytes.len() as u64, size);
            if bytes.len() as u64 > size {
                return Ok(bytes);
            }
        }
    }
}

fn unreachable(error: JsValue) -> RequestError {
    RequestError::Unreachable { detail: js::error_message(&error) }
}

/// A request or transfer that ended early: by the timeout, or by anything else.
fn interrupted(timeout: &RequestTimeout, error: &JsValue) -> RequestError {
    if timeout.has_expired() {
        RequestError::TimedOut { timeout_s: timeout.timeout_s() }
    } else {
        RequestError::Unreachable { detail: js::error_message(error) }
    }
}
