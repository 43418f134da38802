//! `GET /api/v2/events`: server-sent events. They carry round and version numbers and counts, nothing of anyone.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{ConnectInfo, Query, State};
use axum::http::HeaderMap;
use axum::response::sse::{self, KeepAlive, Sse};
use emofed::protocol::{Event, EventMessage};
use emofed::random::SplitMix64;
use futures::{Stream, StreamExt as _, stream};
use serde::Deserialize;
use tokio_stream::wrappers::BroadcastStream;
use utoipa::IntoParams;

use super::error::RequestError;
use super::openapi::{Failures, Later, StreamedEvent};
use super::{App, access};
use crate::event_log::{Numbered, spread_ms};
use crate::round::Federation;

/// After how long a browser reconnects at the earliest, in milliseconds.
const RECONNECT_MS: u32 = 1_000;

/// Who listens.
#[derive(Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(super) struct Listener {
    /// No tab of a participant: it is not counted as one.
    #[param(required = false)]
    observer: bool,
}

/// Server-sent events.
///
/// Each has an `EventMessage` as JSON in `data:`. The first is `update-received` with the present count, where a round is open.
#[utoipa::path(
    get,
    path = "/api/v2/events",
    tag = "participant",
    params(
        Listener,
        ("Last-Event-ID" = Option<String>, Header, description = "The last event that was heard: those after it come first"),
    ),
    responses(
        (status = 200, description = "Events, until the tab goes", body = inline(StreamedEvent), content_type = "text/event-stream"),
        (status = 429, response = Later),
        Failures,
    ),
)]
pub(super) async fn events(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    listener: Result<Query<Listener>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<sse::Event, Infallible>>>, RequestError> {
    let Query(listener) = listener.map_err(|error| RequestError::Malformed(error.body_text()))?;
    let address = access::address(app.origins.trusted_proxy, peer.ip(), &headers);
    let slots = app.streams.acquire(address, &app).ok_or(RequestError::TooManyEventStreams)?;
    let last_id = headers.get("last-event-id").and_then(|id| id.to_str().ok()).and_then(|id| id.parse().ok());
    let federation = app.federation.clone();
    let observer = listener.observer.then(|| federation.events().observe());
    let (missed, later) = federation.events().subscribe(last_id);
    // Asked after subscribing, so that no count is missed. It has no id: it is not part of the log.
    let first = match present_count(&federation) {
        Some(count) => sse::Event::default().data(json(&count)),
        None => sse::Event::default(),
    };
    // A listener that lags loses events, not state: the next one makes it read the manifest.
    let later = BroadcastStream::new(later).filter_map(|event| async { event.ok() });
    // Browsers wait for as long as they were told last: each is told something else, the more they are the further apart.
    let mut random = SplitMix64::new(app.streams.next_number());
    let mut reconnect_after = {
        let federation = federation.clone();
        move || {
            let spread_ms = f64::from(spread_ms(federation.events().listeners()));
            Duration::from_millis(u64::from(RECONNECT_MS) + (spread_ms * random.open_unit()) as u64)
        }
    };
    let first = first.retry(reconnect_after());
    let events = up_to_the_end(stream::iter(missed).chain(later)).map(move |numbered| {
        let _as_long_as_the_stream = (&slots, &observer);
        let event = numbered_event(&numbered);
        match numbered.message.within_ms {
            Some(_) => event.retry(reconnect_after()),
            None => event,
        }
    });
    let mut stopping = app.stopping.clone();
    let stopped = async move {
        // An error means that the aggregator is gone, which is a stop, too.
        let _ = stopping.wait_for(|stopping| *stopping).await;
    };
    let keep_alive = KeepAlive::new().interval(Duration::from_secs(15));
    let events = stream::iter([first]).chain(events).map(Ok);
    Ok(Sse::new(events.take_until(Box::pin(stopped))).keep_alive(keep_alive))
}

/// The events up to [`Event::FederationEnded`], after which there is none.
fn up_to_the_end(events: impl Stream<Item = Numbered>) -> impl Stream<Item = Numbered> {
    let with_end = events.flat_map(|numbered| {
        let is_last = numbered.message.event == Event::FederationEnded;
        stream::iter([Some(Some(numbered)), is_last.then_some(None)].into_iter().flatten())
    });
    with_end.take_while(|numbered| std::future::ready(numbered.is_some())).filter_map(std::future::ready)
}

/// How many updates the open round has, if one is open.
fn present_count(federation: &Federation) -> Option<EventMessage> {
    let round = federation.snapshot().open_round()?;
    let event = Event::UpdateReceived { round: round.id, received: round.received };
    Some(EventMessage { event, within_ms: None })
}

fn numbered_event(numbered: &Numbered) -> sse::Event {
    sse::Event::default().id(numbered.id.to_string()).data(json(&numbered.message))
}

fn json(message: &EventMessage) -> String {
    serde_json::to_string(message).expect("an event is plain data")
}
