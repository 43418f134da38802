//! `GET /api/v2/events`: server-sent events. They carry round and version numbers, nothing of anyone.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::{ConnectInfo, Query, State};
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::{Stream, StreamExt as _, stream};
use serde::Deserialize;
use tokio_stream::wrappers::BroadcastStream;

use super::error::RequestError;
use super::{App, access};
use crate::event_log::Numbered;

/// Who listens.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Listener {
    /// No tab of a participant: it is not counted as one.
    observer: bool,
}

pub(super) async fn events(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Query(listener): Query<Listener>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, RequestError> {
    // Half of all connections at the most, so that there is room for everything else.
    let most = app.connections.total / 2;
    let address = access::address(app.origins.trusted_proxy, peer.ip(), &headers);
    let slot = app
        .streams
        .0
        .acquire(address, most, app.connections.per_address.min(most))
        .ok_or(RequestError::TooManyEventStreams)?;
    let last_id = headers.get("last-event-id").and_then(|id| id.to_str().ok()).and_then(|id| id.parse().ok());
    let observer = listener.observer.then(|| app.federation.events().observe());
    let (missed, later) = app.federation.events().subscribe(last_id);
    // A listener that lags loses events, not state: the next one makes it read the manifest.
    let later = BroadcastStream::new(later).filter_map(|event| async { event.ok() });
    let events = stream::iter(missed).chain(later).map(move |event| {
        let _as_long_as_the_stream = (&slot, &observer);
        Ok(sse(&event))
    });
    let mut stopping = app.stopping.clone();
    let stopped = async move {
        // An error means that the aggregator is gone, which is a stop, too.
        let _ = stopping.wait_for(|stopping| *stopping).await;
    };
    let keep_alive = KeepAlive::new().interval(Duration::from_secs(15));
    Ok(Sse::new(events.take_until(Box::pin(stopped))).keep_alive(keep_alive))
}

fn sse(numbered: &Numbered) -> Event {
    let data = serde_json::to_string(&numbered.event).expect("an event is plain data");
    Event::default().id(numbered.id.to_string()).data(data)
}
