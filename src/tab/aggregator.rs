//! The aggregator that served the page, as a participant sees it.
//!
//! What leaves the tab is all in here and in the page's *forget me*: the join code ([`Aggregator::join`]), client updates
//! ([`Aggregator::send_update`], weights and a count), and the token with them. Every other call is a `GET` without a body.

use std::cell::RefCell;

use web_sys::AbortSignal;

use super::book::Book;
use super::error::TabError;
use super::ledger::{Carried, SentUpdate};
use super::limit::{LONG_MS, SHORT_MS};
use super::request::{Call, Progress};
use crate::protocol::{
    BlobRef, ClientUpdate, JoinRequest, JoinResponse, Manifest, PROTOCOL, SAFETENSORS, UpdateReceipt, path,
};

/// The aggregator.
pub struct Aggregator {
    book: Book,
    token: RefCell<Option<String>>,
    manifest_tag: RefCell<Option<String>>,
}

impl Aggregator {
    /// Writes what is sent into `book`.
    pub fn new(book: Book) -> Self {
        Self { book, token: RefCell::default(), manifest_tag: RefCell::default() }
    }

    /// Uses the token of a session that goes on.
    pub fn resume(&self, token: String) {
        *self.token.borrow_mut() = Some(token);
    }

    /// `POST /api/v2/participants`.
    ///
    /// # Errors
    /// [`TabError::Request`]: refused with `wrong-join-code` or `rate-limited`, or no answer.
    pub async fn join(&self, join_code: &str) -> Result<JoinResponse, TabError> {
        let body = serde_json::to_vec(&JoinRequest { join_code: join_code.to_owned() })
            .map_err(|error| TabError::answer(error.to_string()))?;
        let call = Call { body: Some(("application/json", &body)), ..Call::new("POST", path::PARTICIPANTS, SHORT_MS) };
        let carried = Carried { join_code: true, ..Carried::default() };
        let answer = call.send_recorded(&self.book, carried, || {}).await?.accept().await?;
        let joined: JoinResponse = answer.json().await?;
        self.resume(joined.token.clone());
        Ok(joined)
    }

    /// `GET /api/v2/manifest`; `None` if it has not changed since the last call.
    ///
    /// # Errors
    /// [`TabError::Request`], or [`TabError::Protocol`].
    pub async fn manifest(&self) -> Result<Option<Manifest>, TabError> {
        let known = self.manifest_tag.borrow().clone();
        let call = Call { known: known.as_deref(), ..Call::get(path::MANIFEST, SHORT_MS) };
        let answer = call.send().await?.accept().await?;
        if answer.is_unchanged() {
            return Ok(None);
        }
        let manifest: Manifest = answer.json().await?;
        if manifest.protocol != PROTOCOL {
            return Err(TabError::Protocol(manifest.protocol));
        }
        *self.manifest_tag.borrow_mut() = answer.header("etag");
        Ok(Some(manifest))
    }

    /// Makes the next [`Self::manifest`] return the whole manifest again.
    pub fn expect_whole_manifest(&self) {
        *self.manifest_tag.borrow_mut() = None;
    }

    /// `GET /blobs/{sha256}`. The hash is for the caller to check.
    ///
    /// # Errors
    /// [`TabError::Request`]: the transfer breaks off or stands still, or there is no such blob.
    pub async fn blob(&self, blob: &BlobRef, progress: Progress<'_>) -> Result<Vec<u8>, TabError> {
        let answer = Call::get(path::blob(&blob.sha256), LONG_MS).send().await?.accept().await?;
        Ok(answer.bytes(blob.size, progress).await?)
    }

    /// `PUT /api/v2/rounds/{round}/update` of the encoded `update`, broken off by `signal`. `leaving` is called just before
    /// it is sent; an error without that call means that it was not.
    ///
    /// # Errors
    /// [`TabError::Request`]: refused with the reason, or without an answer (also if it was broken off). Then it is not known
    /// whether it arrived, and sending the same bytes again is safe.
    pub async fn send_update(
        &self,
        update: &ClientUpdate,
        body: &[u8],
        signal: &AbortSignal,
        leaving: impl FnOnce(),
    ) -> Result<UpdateReceipt, TabError> {
        let token = self.token.borrow().clone().unwrap_or_default();
        let call = Call {
            body: Some((SAFETENSORS, body)),
            token: Some(&token),
            signal: Some(signal),
            ..Call::new("PUT", path::update(update.round), LONG_MS)
        };
        let tensors = update.delta.iter().map(|(name, tensor)| (name.to_owned(), tensor.shape.clone())).collect();
        let sent = SentUpdate { round: update.round, clips: update.num_examples, tensors };
        let carried = Carried { token: true, update: Some(sent), ..Carried::default() };
        Ok(call.send_recorded(&self.book, carried, leaving).await?.accept().await?.json().await?)
    }
}
