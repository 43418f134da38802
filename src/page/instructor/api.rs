//! The instructor's requests to the aggregator.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::browser::js;
use crate::browser::request::{Request, RequestError, Response};
use crate::browser::timeout::{LONG_MS, SHORT_MS};
use crate::protocol::{FederationStatus, Lecture, Manifest, ParticipantSummary, RoundSettings, instructor_path, path};

/// The aggregator, with the instructor's token.
pub struct Api {
    token: String,
}

impl Api {
    /// Authorises requests with `token`.
    pub fn new(token: String) -> Self {
        Self { token }
    }

    /// `GET /api/v2/instructor/status`.
    ///
    /// # Errors
    /// The token is wrong, or there is no response.
    pub async fn status(&self) -> Result<FederationStatus, RequestError> {
        self.get(instructor_path::STATUS).await
    }

    /// `GET /api/v2/instructor/participants`.
    ///
    /// # Errors
    /// The token is wrong, or there is no response.
    pub async fn participants(&self) -> Result<Vec<ParticipantSummary>, RequestError> {
        self.get(instructor_path::PARTICIPANTS).await
    }

    /// `GET /api/v2/manifest`, as a student's tab does.
    ///
    /// # Errors
    /// There is no response.
    pub async fn manifest(&self) -> Result<Manifest, RequestError> {
        self.get(path::MANIFEST).await
    }

    /// `PUT /api/v2/instructor/lecture`.
    ///
    /// # Errors
    /// An address is not allowed, or there is no response.
    pub async fn put_lecture(&self, lecture: &Lecture) -> Result<(), RequestError> {
        self.send_json("PUT", instructor_path::LECTURE, lecture).await
    }

    /// `POST` without a body.
    ///
    /// # Errors
    /// The command does not fit the present state, or there is no response.
    pub async fn post(&self, path: &str) -> Result<(), RequestError> {
        self.send(Request::new("POST", path, LONG_MS)).await.map(|_| ())
    }

    /// `DELETE`.
    ///
    /// # Errors
    /// There is nothing of that kind, or there is no response.
    pub async fn delete(&self, path: &str) -> Result<(), RequestError> {
        self.send(Request::new("DELETE", path, LONG_MS)).await.map(|_| ())
    }

    /// `PATCH /api/v2/instructor/settings`.
    ///
    /// # Errors
    /// A value is not allowed, or there is no response.
    pub async fn save(&self, settings: &RoundSettings) -> Result<(), RequestError> {
        self.send_json("PATCH", instructor_path::SETTINGS, settings).await
    }

    async fn send_json<T: Serialize>(&self, method: &'static str, path: &str, body: &T) -> Result<(), RequestError> {
        let malformed = |error: serde_wasm_bindgen::Error| RequestError::Malformed { detail: error.to_string() };
        let body = js::to_json(body).map_err(malformed)?;
        let request = Request::new(method, path, LONG_MS);
        self.send(Request { body: Some(("application/json", body.as_bytes())), ..request }).await.map(|_| ())
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, RequestError> {
        self.send(Request::get(path, SHORT_MS)).await?.json().await
    }

    async fn send(&self, request: Request<'_>) -> Result<Response, RequestError> {
        Request { token: Some(&self.token), ..request }.send().await?.accept().await
    }
}
