//! Files: immutable weights by hash, and the built page.

use std::path::Path as FilePath;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use emofed::protocol::{ProblemCode, SAFETENSORS};
use tower_http::services::ServeDir;
use tower_http::set_header::SetResponseHeaderLayer;

use super::App;
use crate::error::ServeError;

/// `GET /blobs/{sha256}`, whole or a range.
pub(super) async fn blob(
    State(app): State<App>,
    Path(sha256): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ServeError> {
    let is_hash = sha256.len() == 64 && sha256.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if !is_hash {
        return Err(ServeError::problem(ProblemCode::NotFound, "Weights are named by their SHA-256."));
    }
    let etag = format!("\"{sha256}\"");
    let fields = [
        (header::ETAG, etag.clone()),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable".to_owned()),
        (header::CONTENT_TYPE, SAFETENSORS.to_owned()),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
    ];
    if headers.get(header::IF_NONE_MATCH).is_some_and(|tags| tags == etag.as_str()) {
        return Ok((StatusCode::NOT_MODIFIED, fields).into_response());
    }
    let bytes = Bytes::from(app.blocking(move |class| Ok(class.records().blob(&sha256)?)).await?);
    let wanted = headers.get(header::RANGE).and_then(|range| range.to_str().ok());
    // A range of another representation is no range of this one.
    let is_current = headers.get(header::IF_RANGE).is_none_or(|tag| tag == etag.as_str());
    let Some(range) = wanted.filter(|_| is_current).and_then(|range| parse_range(range, bytes.len())) else {
        return Ok((fields, bytes).into_response());
    };
    Ok(match range {
        Some((start, end)) => {
            let content_range = format!("bytes {start}-{}/{}", end - 1, bytes.len());
            let part = bytes.slice(start..end);
            (StatusCode::PARTIAL_CONTENT, fields, [(header::CONTENT_RANGE, content_range)], part).into_response()
        }
        None => {
            let content_range = format!("bytes */{}", bytes.len());
            (StatusCode::RANGE_NOT_SATISFIABLE, [(header::CONTENT_RANGE, content_range)]).into_response()
        }
    })
}

/// `None`: not a single byte range, to be ignored. `Some(None)`: outside of the file.
fn parse_range(range: &str, length: usize) -> Option<Option<(usize, usize)>> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let (start, end) = match (first, last) {
        ("", last) => (length.saturating_sub(last.parse().ok()?), length),
        (first, "") => (first.parse().ok()?, length),
        (first, last) => (first.parse().ok()?, last.parse::<usize>().ok()?.checked_add(1)?.min(length)),
    };
    Some((start < end).then_some((start, end)))
}

/// The built page: pre-compressed where there is such a file, revalidated at each use since names have no hash.
pub(super) fn page(dist: &FilePath) -> Router {
    let files = ServeDir::new(dist).precompressed_br().precompressed_gzip();
    let revalidate = HeaderValue::from_static("no-cache");
    Router::new().fallback_service(files).layer(SetResponseHeaderLayer::overriding(header::CACHE_CONTROL, revalidate))
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
