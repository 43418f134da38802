//! The aggregator's HTTP interface, as a participant uses it.
//!
//! All that leaves the tab is sent here and by the page's *forget me*: the join code ([`Aggregator::join`]), and client
//! updates (weights and a count) with the token ([`Aggregator::send_update`]). Every other request is a `GET` without body
//! and credential.

use std::cell::RefCell;

use web_sys::AbortSignal;

use super::error::WorkerError;
use super::request_log::RequestLog;
use crate::browser::js;
use crate::browser::request::{Progress, Request, RequestError};
use crate::browser::timeout::{LONG_MS, SHORT_MS};
use crate::messages::ledger::{Payload, SentTensor, SentUpdate, TensorFigures};
use crate::protocol::{
    BlobRef, ClientUpdate, JoinRequest, JoinResponse, PROTOCOL, ProblemCode, SAFETENSORS, UpdateReceipt, path,
};
use crate::weights::Tensor;
use crate::worker::session::manifest::ReceivedManifest;

/// The aggregator.
pub struct Aggregator {
    log: RequestLog,
    token: RefCell<Option<String>>,
    manifest_tag: RefCell<Option<String>>,
}

impl Aggregator {
    /// Requests with a body or a credential go through `log`.
    pub fn new(log: RequestLog) -> Self {
        Self { log, token: RefCell::default(), manifest_tag: RefCell::default() }
    }

    /// Uses the token of a resumed session.
    pub fn resume(&self, token: String) {
        *self.token.borrow_mut() = Some(token);
    }

    /// `POST /api/v2/participants`.
    ///
    /// # Errors
    /// [`WorkerError::Request`]: refused with `wrong-join-code` or `rate-limited`, or no response.
    pub async fn join(&self, join_code: &str) -> Result<JoinResponse, WorkerError> {
        let body = js::to_json(&JoinRequest { join_code: join_code.to_owned() })
            .map_err(|error| WorkerError::malformed(error.to_string()))?;
        let request = Request {
            body: Some(("application/json", body.as_bytes())),
            ..Request::new("POST", path::PARTICIPANTS, SHORT_MS)
        };
        let payload = Payload { join_code: true, ..Payload::default() };
        let joined: JoinResponse = self.log.send(&request, payload, || {}).await?.accept().await?.json().await?;
        self.resume(joined.token.clone());
        Ok(joined)
    }

    /// `GET /api/v2/manifest`; `None` if it has not changed since the last call.
    ///
    /// # Errors
    /// [`WorkerError::Request`], [`WorkerError::Protocol`], or [`WorkerError::FederationEnded`]: there is no manifest.
    pub async fn manifest(&self) -> Result<Option<ReceivedManifest>, WorkerError> {
        let entity_tag = self.manifest_tag.borrow().clone();
        let request = Request { entity_tag: entity_tag.as_deref(), ..Request::get(path::MANIFEST, SHORT_MS) };
        let response = request.send().await?.accept().await.map_err(|error| match error {
            RequestError::Refused(problem) if problem.code == ProblemCode::NotFound => WorkerError::FederationEnded,
            error => error.into(),
        })?;
        if response.is_not_modified() {
            return Ok(None);
        }
        let manifest = ReceivedManifest::parse(&response.text().await?)
            .map_err(|error| WorkerError::malformed(error.to_string()))?;
        if manifest.read.protocol != PROTOCOL {
            return Err(WorkerError::Protocol(manifest.read.protocol));
        }
        *self.manifest_tag.borrow_mut() = response.header("etag");
        Ok(Some(manifest))
    }

    /// Makes the next [`Self::manifest`] return the manifest even if it has not changed.
    pub fn forget_manifest(&self) {
        *self.manifest_tag.borrow_mut() = None;
    }

    /// `GET /blobs/{sha256}`. The caller verifies the hash.
    ///
    /// # Errors
    /// [`WorkerError::Request`]: the transfer is interrupted or stalls, or there is no such blob.
    pub async fn blob(&self, blob: &BlobRef, progress: Progress<'_>) -> Result<Vec<u8>, WorkerError> {
        let response = Request::get(path::blob(&blob.sha256), LONG_MS).send().await?.accept().await?;
        Ok(response.bytes(blob.size, progress).await?)
    }

    /// `PUT /api/v2/rounds/{round}/update` with the encoded `update` as `body`, aborted by `signal`. `on_sending` is called
    /// just before it is sent; after an error without that call it was not sent.
    ///
    /// # Errors
    /// [`WorkerError::Request`]: refused with the reason, or without a response (also if it was aborted). Then it may have
    /// arrived, and sending the same bytes again is safe.
    pub async fn send_update(
        &self,
        update: &ClientUpdate,
        body: &[u8],
        signal: &AbortSignal,
        on_sending: impl FnOnce(),
    ) -> Result<UpdateReceipt, WorkerError> {
        let token = self.token.borrow().clone().unwrap_or_default();
        let request = Request {
            body: Some((SAFETENSORS, body)),
            token: Some(&token),
            signal: Some(signal),
            ..Request::new("PUT", path::update(update.round), LONG_MS)
        };
        let tensor = |(name, tensor): (&str, &Tensor)| {
            let figures = TensorFigures::of(&tensor.values);
            SentTensor { name: name.to_owned(), shape: tensor.shape.clone(), figures }
        };
        let tensors = update.delta.iter().map(tensor).collect();
        let sent = SentUpdate { round: update.round, clips: update.num_examples, metrics: update.metrics, tensors };
        let payload = Payload { token: true, update: Some(sent), ..Payload::default() };
        Ok(self.log.send(&request, payload, on_sending).await?.accept().await?.json().await?)
    }
}
