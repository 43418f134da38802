//! Files: immutable weights by hash, and those of the lecture.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path as FilePath;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Router};
use emofed::protocol::SAFETENSORS;
use futures::{Stream, stream};
use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex;
use tower_http::services::ServeDir;
use tower_http::set_header::SetResponseHeaderLayer;

use super::error::{RequestError, ServeError};
use super::openapi::{Binary, Failures, Refused};
use super::{App, access};
use crate::hex::hex;
use crate::store::{Store, StoreError, blob_name};

/// A blob is read in parts of this many bytes, so that many tabs that load EmoNet at once do not fill the memory.
const PART: u64 = 256 * 1024;

/// Blobs whose bytes were compared with their hash since the process started, and their lengths in bytes.
#[derive(Clone, Default)]
pub(super) struct Verified(Arc<Mutex<HashMap<String, u64>>>);

impl Verified {
    /// Compares a blob of `size` bytes with its hash, unless that was done before. One at a time: many tabs that load
    /// EmoNet at once wait for a single reading of it.
    ///
    /// # Errors
    /// [`ServeError::BlobDamaged`], or the store fails.
    async fn check(&self, app: &App, sha256: &str, size: u64) -> Result<(), ServeError> {
        let mut verified = self.0.lock().await;
        if verified.get(sha256) == Some(&size) {
            return Ok(());
        }
        let name = blob_name(sha256);
        let found = app.blocking(move |federation| Ok(hash_in_parts(federation.records().store(), &name)?)).await?;
        if found != sha256 {
            tracing::error!(sha256, found, "a blob is damaged: restore the data folder from a backup");
            return Err(ServeError::BlobDamaged);
        }
        verified.insert(sha256.to_owned(), size);
        Ok(())
    }
}

/// The SHA-256 of an object, in hexadecimal, with one part in memory at a time.
fn hash_in_parts(store: &dyn Store, name: &str) -> Result<String, StoreError> {
    let (mut hash, mut at) = (Sha256::new(), 0);
    loop {
        let part = store.object_part(name, at, PART as usize)?;
        if part.is_empty() {
            return Ok(hex(hash.finalize()));
        }
        hash.update(&part);
        at += part.len() as u64;
    }
}

/// Immutable weights by their SHA-256, whole or a range.
#[utoipa::path(
    get,
    path = "/blobs/{sha256}",
    tag = "participant",
    params(
        ("sha256" = String, Path, description = "In lower-case hexadecimal", pattern = "^[0-9a-f]{64}$"),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of what the tab has"),
        ("Range" = Option<String>, Header, description = "One range of bytes"),
        ("If-Range" = Option<String>, Header, description = "The `ETag` that `Range` is of"),
    ),
    responses(
        (
            status = 200,
            description = "The file",
            body = inline(Binary),
            content_type = "application/vnd.safetensors",
            headers(("ETag" = String, description = "Names exactly these bytes")),
        ),
        (
            status = 206,
            description = "The range",
            body = inline(Binary),
            content_type = "application/vnd.safetensors",
            headers(("ETag" = String, description = "Names exactly these bytes"), ("Content-Range" = String, description = "Which bytes, of how many")),
        ),
        (status = 304, description = "The tab has it", headers(("ETag" = String, description = "Names exactly these bytes"))),
        (status = 404, response = Refused),
        (status = 416, description = "There is no such range", headers(("Content-Range" = String, description = "Which bytes, of how many"))),
        Failures,
    ),
)]
pub(super) async fn blob(
    State(app): State<App>,
    Extension(verified): Extension<Verified>,
    sha256: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, ServeError> {
    let Path(sha256) = sha256.unwrap_or(Path(String::new()));
    let is_hash = sha256.len() == 64 && sha256.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if !is_hash {
        return Err(RequestError::NotABlobName.into());
    }
    let etag = format!("\"{sha256}\"");
    let fields = [
        (header::ETAG, etag.clone()),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable".to_owned()),
        (header::CONTENT_TYPE, SAFETENSORS.to_owned()),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
    ];
    let name = blob_name(&sha256);
    let sized = name.clone();
    let size = app.blocking(move |federation| Ok(federation.records().store().object_size(&sized)?)).await?;
    if access::is_known(&headers, &etag) {
        return Ok((StatusCode::NOT_MODIFIED, fields).into_response());
    }
    verified.check(&app, &sha256, size).await?;
    let wanted = headers.get(header::RANGE).and_then(|range| range.to_str().ok());
    // A range of another representation is no range of this one.
    let is_current = headers.get(header::IF_RANGE).is_none_or(|tag| tag == etag.as_str());
    let Some(range) = wanted.filter(|_| is_current).and_then(|range| parse_range(range, size)) else {
        let length = [(header::CONTENT_LENGTH, size.to_string())];
        return Ok((fields, length, Body::from_stream(parts(app, name, 0..size))).into_response());
    };
    Ok(match range {
        Some((start, end)) => {
            let content_range = format!("bytes {start}-{}/{size}", end - 1);
            let length = (end - start).to_string();
            let more = [(header::CONTENT_RANGE, content_range), (header::CONTENT_LENGTH, length)];
            let body = Body::from_stream(parts(app, name, start..end));
            (StatusCode::PARTIAL_CONTENT, fields, more, body).into_response()
        }
        None => {
            let content_range = format!("bytes */{size}");
            (StatusCode::RANGE_NOT_SATISFIABLE, [(header::CONTENT_RANGE, content_range)]).into_response()
        }
    })
}

/// The bytes of an object in `range`, part by part. One that ends too early breaks the answer off: its length was told.
fn parts(app: App, name: String, range: Range<u64>) -> impl Stream<Item = Result<Vec<u8>, ServeError>> {
    stream::try_unfold(range.start, move |at| {
        let (app, name) = (app.clone(), name.clone());
        let length = (range.end - at).min(PART);
        async move {
            if length == 0 {
                return Ok(None);
            }
            let part = app
                .blocking(move |federation| Ok(federation.records().store().object_part(&name, at, length as usize)?))
                .await?;
            let next = at + part.len() as u64;
            Ok((!part.is_empty()).then_some((part, next)))
        }
    })
}

/// `None`: not a single byte range, to be ignored. `Some(None)`: outside of the file.
fn parse_range(range: &str, length: u64) -> Option<Option<(u64, u64)>> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let (start, end) = match (first, last) {
        ("", last) => (length.saturating_sub(last.parse().ok()?), length),
        (first, "") => (first.parse().ok()?, length),
        (first, last) => (first.parse().ok()?, last.parse::<u64>().ok()?.checked_add(1)?.min(length)),
    };
    Some((start < end).then_some((start, end)))
}

/// The lecture's files, for frames and pictures of this origin alone. Scripts in them do not run: they would have the
/// page's origin.
pub(super) fn lecture(folder: &FilePath) -> Router {
    let policy = "default-src 'none'; img-src 'self' data:; media-src 'self'; style-src 'unsafe-inline'; object-src 'self'; \
        frame-ancestors 'self'";
    Router::new()
        .fallback_service(ServeDir::new(folder).append_index_html_on_directories(false))
        .layer(middleware::from_fn(|request: Request, next: Next| async move {
            // Hidden files are no lecture's.
            let path = request.uri().path().to_ascii_lowercase().replace("%2e", ".");
            if path.contains("/.") { RequestError::NoRoute.into_response() } else { next.run(request).await }
        }))
        .layer(SetResponseHeaderLayer::overriding(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy)))
        .layer(SetResponseHeaderLayer::overriding(header::CACHE_CONTROL, HeaderValue::from_static("no-cache")))
}

#[cfg(test)]
mod tests {
    use super::parse_range;

    #[test]
    fn ranges() {
        assert_eq!(parse_range("bytes=0-3", 10), Some(Some((0, 4))));
        assert_eq!(parse_range("bytes=8-99", 10), Some(Some((8, 10))));
        assert_eq!(parse_range("bytes=4-", 10), Some(Some((4, 10))));
        assert_eq!(parse_range("bytes=-3", 10), Some(Some((7, 10))));
        assert_eq!(parse_range("bytes=10-", 10), Some(None));
        assert_eq!(parse_range("bytes=5-2", 10), Some(None));
        assert_eq!(parse_range("bytes=0-1,4-5", 10), None);
        assert_eq!(parse_range("bytes=0-18446744073709551615", 10), None);
    }
}
