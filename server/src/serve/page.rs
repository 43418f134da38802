//! The built page: files of a folder, or files that are part of the program.

use std::collections::HashMap;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::Bytes;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use emofed::protocol::sha256_hex;
use tower_http::services::ServeDir;

use super::access;
use super::error::{RequestError, ServeError};
use super::router::{method_not_allowed, no_route};
use crate::store::StoreError;

/// Below it are files that have another address in each version of the page.
const VERSIONED: &str = "/v/";
/// They never change.
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// Everything else is revalidated at each use.
const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");
/// Catalogues of messages have an ending that stands for no media type.
const CATALOGUE: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// Where the page comes from.
#[derive(Clone, Debug)]
pub enum Page {
    /// There is none: calls alone are served.
    None,
    /// A folder that the page was built into.
    Folder(PathBuf),
    /// The program itself.
    Embedded(&'static [EmbeddedFile]),
}

/// A file that is part of the program. What has a gzip form is without `identity`, which is the largest of the three and asked
/// for by no browser.
#[derive(Debug)]
pub struct EmbeddedFile {
    /// Its path below the page's root, with `/` between names.
    pub path: &'static str,
    /// Its bytes.
    pub identity: Option<&'static [u8]>,
    /// Its bytes, compressed by gzip.
    pub gzip: Option<&'static [u8]>,
    /// Its bytes, compressed by brotli.
    pub brotli: Option<&'static [u8]>,
}

impl Page {
    /// What answers where no other route does.
    pub(super) fn router(self) -> Router {
        let files = match self {
            Self::None => return Router::new().fallback(no_route),
            // Pre-compressed where there is such a file.
            Self::Folder(folder) => {
                Router::new().fallback_service(ServeDir::new(folder).precompressed_br().precompressed_gzip())
            }
            Self::Embedded(files) => embedded(files),
        };
        files.layer(middleware::from_fn(describe))
    }
}

/// Says how long an answer may be kept, and what a catalogue is.
async fn describe(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let (is_versioned, is_catalogue) = (path.starts_with(VERSIONED), path.ends_with(".ftl"));
    let mut response = next.run(request).await;
    let is_there = response.status().is_success() || response.status() == StatusCode::NOT_MODIFIED;
    let caching = if is_there && is_versioned { IMMUTABLE } else { REVALIDATE };
    response.headers_mut().insert(header::CACHE_CONTROL, caching);
    if is_there && is_catalogue {
        response.headers_mut().insert(header::CONTENT_TYPE, CATALOGUE);
    }
    response
}

fn embedded(files: &'static [EmbeddedFile]) -> Router {
    let files: HashMap<&str, Arc<Served>> =
        files.iter().map(|file| (file.path, Arc::new(Served::from(file)))).collect();
    let files = Arc::new(files);
    let answer = move |uri: Uri, headers: HeaderMap| {
        let path = uri.path().trim_start_matches('/');
        let file = files.get(if path.is_empty() { "index.html" } else { path }).cloned();
        async move {
            match file {
                Some(file) => file.answer(&headers).await,
                None => Err(RequestError::NoRoute.into()),
            }
        }
    };
    Router::new().fallback_service(get(answer).fallback(method_not_allowed))
}

/// An embedded file with what is said of it.
struct Served {
    media_type: HeaderValue,
    /// By preference.
    compressed: Vec<Representation>,
    identity: Identity,
}

/// A file's bytes in one encoding.
#[derive(Clone)]
struct Representation {
    /// `br` or `gzip`; absent: as they are.
    encoding: Option<&'static str>,
    bytes: Bytes,
    /// Names the bytes by their hash.
    etag: String,
}

enum Identity {
    Stored(Representation),
    /// Made of the gzip form when a client first takes no other.
    Unpacked {
        etag: String,
        packed: &'static [u8],
        bytes: Arc<OnceLock<Result<Bytes, String>>>,
    },
}

impl Representation {
    fn new(encoding: Option<&'static str>, bytes: &'static [u8]) -> Self {
        Self { encoding, bytes: Bytes::from_static(bytes), etag: format!("\"{}\"", sha256_hex(bytes)) }
    }
}

impl From<&'static EmbeddedFile> for Served {
    fn from(file: &'static EmbeddedFile) -> Self {
        let encodings = [(Some("br"), file.brotli), (Some("gzip"), file.gzip)];
        let compressed =
            encodings.into_iter().filter_map(|(encoding, bytes)| Some(Representation::new(encoding, bytes?))).collect();
        let identity = match (file.identity, file.gzip) {
            (None, Some(packed)) => Identity::Unpacked {
                etag: format!("\"{}-unpacked\"", sha256_hex(packed)),
                packed,
                bytes: Arc::default(),
            },
            (identity, _) => Identity::Stored(Representation::new(None, identity.unwrap_or_default())),
        };
        Self { media_type: media_type(file.path), compressed, identity }
    }
}

impl Served {
    async fn answer(&self, headers: &HeaderMap) -> Result<Response, ServeError> {
        let compressed = self.compressed.iter().find(|form| form.encoding.is_some_and(|name| accepts(headers, name)));
        let etag = match (compressed, &self.identity) {
            (Some(form), _) | (None, Identity::Stored(form)) => &form.etag,
            (None, Identity::Unpacked { etag, .. }) => etag,
        };
        let common = [(header::ETAG, text(etag)), (header::VARY, HeaderValue::from_static("accept-encoding"))];
        if access::is_known(headers, etag) {
            return Ok((StatusCode::NOT_MODIFIED, common).into_response());
        }
        let form = match compressed {
            Some(form) => form.clone(),
            None => self.identity.representation().await?,
        };
        let encoding: Option<[(HeaderName, HeaderValue); 1]> =
            form.encoding.map(|name| [(header::CONTENT_ENCODING, HeaderValue::from_static(name))]);
        let mut response = (common, [(header::CONTENT_TYPE, self.media_type.clone())], form.bytes).into_response();
        response.headers_mut().extend(encoding.into_iter().flatten());
        Ok(response)
    }
}

impl Identity {
    async fn representation(&self) -> Result<Representation, ServeError> {
        match self {
            Self::Stored(form) => Ok(form.clone()),
            Self::Unpacked { etag, packed, bytes } => {
                let (etag, packed, bytes) = (etag.clone(), *packed, bytes.clone());
                let unpacked =
                    tokio::task::spawn_blocking(move || bytes.get_or_init(|| unpack(packed)).clone()).await?;
                let bytes =
                    unpacked.map_err(|reason| StoreError::Damaged { key: "the embedded page".to_owned(), reason })?;
                Ok(Representation { encoding: None, bytes, etag })
            }
        }
    }
}

fn unpack(packed: &[u8]) -> Result<Bytes, String> {
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(packed).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes.into())
}

/// Whether the client takes the encoding `name`, at any preference above 0.
fn accepts(headers: &HeaderMap, name: &str) -> bool {
    let named = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    named.flat_map(|list| list.split(',')).any(|item| {
        let (encoding, parameters) = item.split_once(';').unwrap_or((item, ""));
        let quality = parameters.trim().strip_prefix("q=").map_or(Ok(1.0), str::parse::<f32>);
        encoding.trim().eq_ignore_ascii_case(name) && quality.is_ok_and(|quality| quality > 0.0)
    })
}

fn media_type(path: &str) -> HeaderValue {
    HeaderValue::from_static(match path.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "wasm" => "application/wasm",
        "json" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    })
}

fn text(etag: &str) -> HeaderValue {
    HeaderValue::from_str(etag).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}
