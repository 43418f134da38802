//! The instructor's calls to the aggregator.

use gloo::utils::window;
use serde::de::DeserializeOwned;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Headers, Request, RequestInit, Response};

use crate::protocol::{ClassStatus, ParticipantSummary, Problem, RoundSettings, instructor_path};
use crate::browser::timeout::{LONG_MS, Limit, SHORT_MS};

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The aggregator refused it.
    #[error("{0}")]
    Refused(Problem),
    /// There is no answer in time, or none that can be understood.
    #[error("The aggregator does not answer.")]
    Unreachable,
}

/// The aggregator, as the instructor sees it.
pub struct Api {
    token: String,
}

impl Api {
    /// Calls with this token.
    pub fn new(token: String) -> Self {
        Self { token }
    }

    /// `GET /api/v1/instructor/status`.
    ///
    /// # Errors
    /// The token is wrong, or nobody answers.
    pub async fn status(&self) -> Result<ClassStatus, ApiError> {
        self.send("GET", instructor_path::STATUS, None, SHORT_MS).await?.read().await
    }

    /// `POST` without a body.
    ///
    /// # Errors
    /// The order does not fit the present state, or nobody answers.
    pub async fn post(&self, path: &str) -> Result<(), ApiError> {
        self.send("POST", path, None, LONG_MS).await.map(|_| ())
    }

    /// `DELETE`.
    ///
    /// # Errors
    /// There is nothing of that kind, or nobody answers.
    pub async fn delete(&self, path: &str) -> Result<(), ApiError> {
        self.send("DELETE", path, None, LONG_MS).await.map(|_| ())
    }

    /// `GET /api/v1/instructor/participants`.
    ///
    /// # Errors
    /// The token is wrong, or nobody answers.
    pub async fn participants(&self) -> Result<Vec<ParticipantSummary>, ApiError> {
        self.send("GET", instructor_path::PARTICIPANTS, None, SHORT_MS).await?.read().await
    }

    /// `PATCH /api/v1/instructor/settings`.
    ///
    /// # Errors
    /// A value makes no sense, or nobody answers.
    pub async fn save(&self, settings: &RoundSettings) -> Result<(), ApiError> {
        let body = serde_json::to_string(settings).map_err(|_| ApiError::Unreachable)?;
        self.send("PATCH", instructor_path::SETTINGS, Some(body), LONG_MS).await.map(|_| ())
    }

    async fn send(&self, method: &str, path: &str, body: Option<String>, limit_ms: u32) -> Result<Answer, ApiError> {
        let unreachable = |_: JsValue| ApiError::Unreachable;
        let limit = Limit::start(limit_ms, None).map_err(unreachable)?;
        let headers = Headers::new().map_err(unreachable)?;
        headers.set("authorization", &format!("Bearer {}", self.token)).map_err(unreachable)?;
        let options = RequestInit::new();
        options.set_method(method);
        options.set_signal(Some(&limit.signal()));
        if let Some(body) = body {
            headers.set("content-type", "application/json").map_err(unreachable)?;
            options.set_body(&body.into());
        }
        options.set_headers(&headers);
        let request = Request::new_with_str_and_init(path, &options).map_err(unreachable)?;
        let response = JsFuture::from(window().fetch_with_request(&request)).await.map_err(unreachable)?;
        let answer = Answer { response: response.unchecked_into(), _limit: limit };
        if answer.response.ok() { Ok(answer) } else { Err(ApiError::Refused(answer.read().await?)) }
    }
}

/// An answer whose body is still to be read, within the limit of its call.
struct Answer {
    response: Response,
    _limit: Limit,
}

impl Answer {
    async fn read<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        let text = self.response.text().map_err(|_| ApiError::Unreachable)?;
        let text = JsFuture::from(text).await.map_err(|_| ApiError::Unreachable)?;
        serde_json::from_str(&text.as_string().unwrap_or_default()).map_err(|_| ApiError::Unreachable)
    }
}
