//! A backup of the federation while it is served: streamed to the instructor, part by part.

use std::io::{self, Write};

use axum::body::Body;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::access::{Owner, bearer};
use super::error::ServeError;
use super::openapi::{Binary, Failures, OwnerOnly};
use crate::backup::{Backup, BackupError};

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
    let (sender, receiver) = mpsc::channel(PIECES);
    tokio::task::spawn_blocking(move || {
        let pieces = Pieces { piece: Vec::with_capacity(PIECE), sender: sender.clone() };
        if let Err(error) = backup.write(pieces) {
            tracing::warn!(%error, "the backup was not sent as a whole");
            // Breaks the answer off, unless its reader has gone.
            let _ = sender.blocking_send(Err(error));
        }
    });
    let fields = [(header::CONTENT_TYPE, "application/x-tar"), (header::CACHE_CONTROL, "no-store")];
    Ok((fields, Body::from_stream(ReceiverStream::new(receiver))).into_response())
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
