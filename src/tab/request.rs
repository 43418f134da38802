//! The one place where requests are made, by the session worker and by the page: each has a time limit, and each that has
//! a body or a credential is written into the [`Book`] before it is sent.

use js_sys::{Promise, Reflect, Uint8Array};
use serde::de::DeserializeOwned;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, Headers, Request, RequestCache, RequestInit, Response};

use super::book::Book;
use super::js;
use super::ledger::{Carried, Outcome};
use super::limit::Limit;
use crate::protocol::{PROBLEM_JSON, Problem};

/// Gives the bytes received so far and the bytes in all.
pub type Progress<'a> = &'a dyn Fn(u64, u64);

#[wasm_bindgen]
extern "C" {
    /// A page's and a worker's alike.
    #[wasm_bindgen(js_name = fetch)]
    fn fetch(request: &Request) -> Promise;
}

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// Nobody answers, or something in between does.
    #[error("the aggregator does not answer: {0}")]
    Unreachable(String),
    /// No answer in time.
    #[error("the aggregator did not answer within {limit_s} s")]
    TimedOut {
        /// The time it had, in seconds.
        limit_s: u32,
    },
    /// The aggregator refused the call.
    #[error("{0}")]
    Refused(Problem),
    /// The answer makes no sense.
    #[error("the aggregator's answer is not understood: {0}")]
    Answer(String),
}

/// A call.
pub struct Call<'a> {
    /// The method.
    pub method: &'static str,
    /// Where it goes, on this origin.
    pub path: String,
    /// Media type and bytes of the body.
    pub body: Option<(&'static str, &'a [u8])>,
    /// The bearer token to show.
    pub token: Option<&'a str>,
    /// The entity tag of what is there already.
    pub known: Option<&'a str>,
    /// Ends the call.
    pub signal: Option<&'a AbortSignal>,
    /// The browser finishes it after the page is gone, too.
    pub keepalive: bool,
    /// Milliseconds for the answer, and for each part of its body.
    pub limit_ms: u32,
}

impl Call<'_> {
    /// A `GET` that carries nothing.
    pub fn get(path: impl Into<String>, limit_ms: u32) -> Self {
        Self::new("GET", path, limit_ms)
    }

    /// A call without body and credential.
    pub fn new(method: &'static str, path: impl Into<String>, limit_ms: u32) -> Self {
        let path = path.into();
        Self { method, path, body: None, token: None, known: None, signal: None, keepalive: false, limit_ms }
    }

    /// Sends it, and writes nothing down: it carries nothing, or the book ends with what it carries.
    ///
    /// # Errors
    /// [`RequestError::Unreachable`], [`RequestError::TimedOut`] or [`RequestError::Refused`].
    pub async fn send(&self) -> Result<Answer, RequestError> {
        let limit = Limit::start(self.limit_ms, self.signal).map_err(unusable)?;
        let headers = Headers::new().map_err(unusable)?;
        let token = self.token.map(|token| format!("Bearer {token}"));
        let fields = [
            ("content-type", self.body.map(|(kind, _)| kind)),
            ("authorization", token.as_deref()),
            ("if-none-match", self.known),
        ];
        for (name, value) in fields {
            if let Some(value) = value {
                headers.set(name, value).map_err(unusable)?;
            }
        }
        let options = RequestInit::new();
        options.set_method(self.method);
        options.set_headers(&headers);
        // What is to stay on the device is in the Cache API, where it can be deleted; the browser's own cache cannot.
        options.set_cache(RequestCache::NoStore);
        options.set_signal(Some(&limit.signal()));
        if self.keepalive {
            Reflect::set(&options, &"keepalive".into(), &true.into()).map_err(unusable)?;
        }
        if let Some((_, body)) = self.body {
            options.set_body(&Uint8Array::from(body).into());
        }
        let request = Request::new_with_str_and_init(&self.path, &options).map_err(unusable)?;
        let response = JsFuture::from(fetch(&request)).await.map_err(|error| broken(&limit, &error))?;
        Ok(Answer { response: response.unchecked_into(), limit })
    }

    /// Sends it, after it is in the book; its outcome follows. `leaving` is called just before it is sent, unless its signal
    /// has ended it by then: then it is in no book.
    ///
    /// # Errors
    /// As for [`Self::send`].
    pub async fn send_recorded(
        &self,
        book: &Book,
        carried: Carried,
        leaving: impl FnOnce(),
    ) -> Result<Answer, RequestError> {
        let bytes = self.body.map_or(0, |(_, body)| body.len() as u64);
        let id = book.open(self.method, &self.path, bytes, carried).await;
        if self.is_aborted() {
            book.strike(id).await;
            return Err(RequestError::Unreachable("it was called off".to_owned()));
        }
        leaving();
        let result = self.send().await;
        let outcome = match &result {
            Ok(answer) if answer.is_success() => Outcome::Acknowledged { status: answer.response.status() },
            Ok(answer) => Outcome::Refused { status: answer.response.status() },
            Err(_) if self.is_aborted() => Outcome::Aborted,
            Err(_) => Outcome::NoAnswer,
        };
        book.close(id, outcome).await;
        result
    }

    fn is_aborted(&self) -> bool {
        self.signal.is_some_and(AbortSignal::aborted)
    }
}

/// An answer whose body is still to be read, within the limit of its call.
pub struct Answer {
    response: Response,
    limit: Limit,
}

impl Answer {
    /// The answer, if it is one to the call.
    ///
    /// # Errors
    /// [`RequestError::Refused`] where it is a problem document, [`RequestError::Unreachable`] where it comes from somebody else.
    pub async fn accept(self) -> Result<Self, RequestError> {
        if self.is_success() {
            return Ok(self);
        }
        if self.header("content-type").is_some_and(|kind| kind.starts_with(PROBLEM_JSON)) {
            return Err(RequestError::Refused(self.json::<Problem>().await?));
        }
        // Not ours: a proxy in between, as when the aggregator behind it is down.
        Err(RequestError::Unreachable(format!("status {}", self.response.status())))
    }

    fn is_success(&self) -> bool {
        self.response.ok() || self.is_unchanged()
    }

    /// Whether what is there already is what would have been sent.
    pub fn is_unchanged(&self) -> bool {
        self.response.status() == 304
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<String> {
        self.response.headers().get(name).ok().flatten()
    }

    /// Reads a JSON body.
    ///
    /// # Errors
    /// It does not come, or is something else.
    pub async fn json<T: DeserializeOwned>(&self) -> Result<T, RequestError> {
        let unreadable = |error: String| RequestError::Answer(error);
        let text = self.response.text().map_err(|error| unreadable(js::words(&error)))?;
        let text = JsFuture::from(text).await.map_err(|error| broken(&self.limit, &error))?;
        serde_json::from_str(&text.as_string().unwrap_or_default()).map_err(|error| unreadable(error.to_string()))
    }

    /// Reads a body of `size` bytes chunk by chunk, so that progress can be shown. Each chunk has the whole time: a slow
    /// network may take longer for a large body, a silent one may not.
    ///
    /// # Errors
    /// The transfer breaks off, or stands still.
    pub async fn bytes(&self, size: u64, progress: Progress<'_>) -> Result<Vec<u8>, RequestError> {
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

fn unusable(error: JsValue) -> RequestError {
    RequestError::Unreachable(js::words(&error))
}

/// What a call that broke off means.
fn broken(limit: &Limit, error: &JsValue) -> RequestError {
    if limit.is_over() {
        RequestError::TimedOut { limit_s: limit.seconds() }
    } else {
        RequestError::Unreachable(js::words(error))
    }
}
