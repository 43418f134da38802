//! Backups of a federation, or of all, while they are served: streamed to the instructor or the operator, part by part.

use std::io::{self, Write};

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::Host;
use super::access::{Owner, bearer};
use super::error::ServeError;
use super::openapi::{Binary, Failures, OwnerOnly, Unauthorized};
use super::operator::Operator;
use crate::backup::{AllBackups, Backup, BackupError};
use crate::secret::TOKEN_FILE;

/// Bytes that are sent at once.
const PIECE: usize = 256 * 1024;
/// Pieces that wait for a slow reader.
const PIECES: usize = 4;

/// A backup of the federation at this moment, while it goes on.
///
/// A tar file: a list of its parts with their SHA-256, records, weights, the updates of the open round, the instructor's token. An
/// answer that breaks off is no backup, and reading it says so.
#[utoipa::path(
    get,
    path = "/api/v2/instructor/backup",
    tag = "instructor",
    responses(
        (status = 200, description = "A tar file", body = inline(Binary), content_type = "application/x-tar"),
        OwnerOnly,
        Failures,
    ),
    security(("owner" = [])),
)]
pub(super) async fn backup(Owner(app): Owner, headers: HeaderMap) -> Result<Response, ServeError> {
    // The records have its hash alone, and a restored federation shall print the same link.
    let token = bearer(&headers).map(str::to_owned);
    let take = move |federation: &crate::round::Federation| {
        Ok(Backup::take(federation.records().store(), token, federation.now_s())?)
    };
    let backup = app.blocking(take).await?;
    tracing::info!(files = backup.contents().files.len(), "a backup is sent");
    Ok(streamed(move |pieces| backup.write(pieces)))
}

/// A backup of all federations, each in the state of one moment within this call.
///
/// A tar file whose parts are a list with their SHA-256, the backup of each federation, and the operator's token.
#[utoipa::path(
    get,
    path = "/api/v2/operator/backup",
    tag = "operator",
    responses(
        (status = 200, description = "A tar file", body = inline(Binary), content_type = "application/x-tar"),
        Unauthorized,
        Failures,
    ),
    security(("operator" = [])),
)]
pub(super) async fn backup_of_all(
    Operator(federations): Operator,
    State(host): State<Host>,
    headers: HeaderMap,
) -> Result<Response, ServeError> {
    let operator_token = bearer(&headers).map(str::to_owned);
    let take = move |first: &crate::round::Federation| {
        // Of the others nobody has the instructor's token but who made them.
        let token = std::fs::read_to_string(federations.data().join(TOKEN_FILE)).ok();
        let first = Backup::take(first.records().store(), token, first.now_s())?;
        Ok(AllBackups::new(first, federations.backups(), operator_token))
    };
    let backup = host.app.blocking(take).await?;
    let (federations, unavailable) = (backup.contents().federations.len() + 1, backup.contents().unavailable.len());
    tracing::info!(federations, unavailable, "a backup of all federations is sent");
    Ok(streamed(move |pieces| backup.write(pieces)))
}

/// An answer with what `write` writes, as it is read.
fn streamed(write: impl FnOnce(Pieces) -> Result<(), BackupError> + Send + 'static) -> Response {
    let (sender, receiver) = mpsc::channel(PIECES);
    tokio::task::spawn_blocking(move || {
        let pieces = Pieces { piece: Vec::with_capacity(PIECE), sender: sender.clone() };
        if let Err(error) = write(pieces) {
            tracing::warn!(%error, "the backup was not sent as a whole");
            // Breaks the answer off, unless its reader has gone.
            let _ = sender.blocking_send(Err(error));
        }
    });
    let fields = [(header::CONTENT_TYPE, "application/x-tar"), (header::CACHE_CONTROL, "no-store")];
    (fields, Body::from_stream(ReceiverStream::new(receiver))).into_response()
}

/// Hands on what is written in pieces, as fast as they are read.
struct Pieces {
    piece: Vec<u8>,
    sender: mpsc::Sender<Result<Vec<u8>, BackupError>>,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = bytes.len().min(PIECE - self.piece.len());
        self.piece.extend_from_slice(&bytes[..length]);
        if self.piece.len() == PIECE {
            self.flush()?;
        }
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE));
        self.sender.blocking_send(Ok(piece)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}
