//! Connections: an accept loop with bounds. Each connection has a deadline for its TLS handshake, for a request's head, for the
//! time without a request, and for a peer that does not read; there are caps by address and in total.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::join_limiter::network;
use super::write_timeout::WriteTimeout;
use crate::tls::acme::is_challenge_protocol;

/// Bounds of connections.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionBounds {
    /// How long a TLS handshake and a request's head may take, and how long a connection may be without a request.
    pub head_timeout: Duration,
    /// How long a peer may read nothing while there is something to send.
    pub write_timeout: Duration,
    /// How long a body may pause.
    pub body_timeout: Duration,
    /// How long a request may take in all, its body included. Event streams and backups are exempt.
    pub request_timeout: Duration,
    /// Most connections.
    pub total: usize,
    /// Most connections of one address (one IPv6 /64). Not looked at behind a proxy, whose address all have.
    pub per_address: usize,
}

impl Default for ConnectionBounds {
    fn default() -> Self {
        let [head_timeout, write_timeout, body_timeout] = [Duration::from_secs(20); 3];
        let request_timeout = Duration::from_secs(60);
        Self { head_timeout, write_timeout, body_timeout, request_timeout, total: 900, per_address: PER_ADDRESS }
    }
}

/// Most connections of one address unless it is configured.
pub const PER_ADDRESS: usize = 800;

/// What a connection may keep of a request that nobody has read yet, its head included. hyper's own bound is six times that,
/// which a few thousand connections that send slowly would turn into gigabytes.
const BUFFER_BYTES: usize = 64 * 1_024;

impl ConnectionBounds {
    /// The defaults, with `per_address` connections of one address, and as many in all as this process may have files for.
    pub fn for_this_process(per_address: usize) -> Self {
        /// Descriptors for everything but connections.
        const RESERVED: u64 = 124;
        // A request may have a file open, too, and a stream has none: 3/4 of the connections have one descriptor, the others two.
        let total = raised_file_limit().saturating_sub(RESERVED) / 5 * 4;
        Self { total: usize::try_from(total.clamp(64, 20_000)).unwrap_or(64), per_address, ..Self::default() }
    }

    /// The same with `files` open files left for something else.
    #[must_use]
    pub fn reserving(self, files: usize) -> Self {
        Self { total: self.total.saturating_sub(files).max(64), ..self }
    }

    /// Most event streams: three quarters of the connections, so that there is room for everything else.
    pub(super) fn streams(&self) -> usize {
        self.total / 4 * 3
    }

    /// Most event streams of one address. Behind a proxy an address has no connections that they could use up.
    pub(super) fn streams_per_address(&self, is_behind_proxy: bool) -> usize {
        let most = if is_behind_proxy { self.per_address } else { self.per_address / 4 * 3 };
        most.min(self.streams())
    }
}

/// Raises the limit of open files as far as this user may; gives what it is then.
pub fn raised_file_limit() -> u64 {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let limit = getrlimit(Resource::Nofile);
        // A user who may not keeps what there is.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
        getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
    }
    #[cfg(not(unix))]
    2_048
}

/// Counts of something that is open, by address and in total.
#[derive(Clone, Default)]
pub(super) struct OpenCounts(Arc<Mutex<Counts>>);

#[derive(Default)]
struct Counts {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// One of what is counted; counts until it is dropped.
pub(super) struct Slot {
    counted: OpenCounts,
    address: IpAddr,
}

impl OpenCounts {
    /// A slot, unless there are `total` or `per_address` already.
    pub(super) fn acquire(&self, address: IpAddr, total: usize, per_address: usize) -> Option<Slot> {
        let address = network(address);
        let mut counts = self.counts();
        let own = counts.by_address.get(&address).copied().unwrap_or(0);
        if counts.total >= total || own >= per_address {
            return None;
        }
        counts.total += 1;
        *counts.by_address.entry(address).or_default() += 1;
        drop(counts);
        Some(Slot { counted: self.clone(), address })
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut counts = self.counted.counts();
        counts.total -= 1;
        if let Some(count) = counts.by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.by_address.remove(&self.address);
            }
        }
    }
}

/// What all connections are served with.
pub(super) struct Served {
    pub router: Router,
    /// Absent: plain HTTP.
    pub tls: Option<TlsAcceptor>,
    pub bounds: ConnectionBounds,
    pub is_behind_proxy: bool,
}

/// Accepts connections until `stop` resolves, then lets requests under way finish for up to `grace`.
pub(super) async fn accept(listener: TcpListener, served: Served, stop: impl Future<Output = ()>, grace: Duration) {
    let Served { router, tls, bounds, is_behind_proxy } = served;
    let per_address = if is_behind_proxy { bounds.total } else { bounds.per_address };
    let connections = OpenCounts::default();
    let under_way = GracefulShutdown::new();
    // Dropped at the stop: a handshake has no request under way.
    let (open, is_open) = watch::channel(());
    tokio::pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, most likely; others are closed in time.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        // Dropping the stream closes it.
        let Some(slot) = connections.acquire(peer.ip(), bounds.total, per_address) else { continue };
        // Small answers go at once. A system that cannot do it still answers.
        let _ = stream.set_nodelay(true);
        let stream = WriteTimeout::new(stream, bounds.write_timeout);
        let router = router.clone();
        let watcher = under_way.watcher();
        let (tls, mut is_open) = (tls.clone(), is_open.clone());
        tokio::spawn(async move {
            let _slot = slot;
            let Some(tls) = tls else { return requests(stream, peer, router, bounds, watcher).await };
            let secured = tokio::select! {
                secured = tokio::time::timeout(bounds.head_timeout, handshake(stream, tls)) => secured,
                _ = is_open.changed() => return,
            };
            if let Ok(Some(stream)) = secured {
                requests(stream, peer, router, bounds, watcher).await;
            }
        });
    }
    drop((listener, open));
    if tokio::time::timeout(grace, under_way.shutdown()).await.is_err() {
        tracing::info!("requests that took too long were cut off");
    }
}

/// What a client gets that speaks plain HTTP where TLS is spoken.
const PLAIN_HTTP: &str = "This port speaks HTTPS: use the link that begins with https://.\n";

/// The stream within TLS, unless the peer speaks something else, or is an authority that has seen what it wanted to.
async fn handshake(
    mut stream: WriteTimeout<TcpStream>,
    tls: TlsAcceptor,
) -> Option<TlsStream<WriteTimeout<TcpStream>>> {
    let mut first = [0];
    // Every method of HTTP begins with a capital letter, and no TLS record does.
    if stream.get_ref().peek(&mut first).await.ok()? == 1 && first[0].is_ascii_uppercase() {
        let answer = format!(
            "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{PLAIN_HTTP}",
            PLAIN_HTTP.len()
        );
        // Read first: closing with something unread would take the answer away.
        let _ = stream.read(&mut [0; 4_096]).await;
        let _ = stream.write_all(answer.as_bytes()).await;
        let _ = stream.shutdown().await;
        return None;
    }
    // A handshake that fails is its peer's doing: a scanner, or a browser that was told not to go on.
    let mut stream = tls.accept(stream).await.ok()?;
    if is_challenge_protocol(stream.get_ref().1.alpn_protocol()) {
        let _ = stream.shutdown().await;
        return None;
    }
    Some(stream)
}

/// Answers the requests of a connection until its end.
async fn requests<S>(stream: S, peer: SocketAddr, router: Router, bounds: ConnectionBounds, watcher: Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let router = TowerToHyperService::new(router);
    // Not a layer of the router: that would make a router of its own for each connection, of tens of kilobytes.
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        router.call(request)
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.head_timeout)
        .max_buf_size(BUFFER_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    // A connection that breaks is its peer's doing, and nothing to act on.
    let _ = watcher.watch(connection).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_by_address_and_in_total() {
        let counted = OpenCounts::default();
        let acquire = |last: u8| counted.acquire(IpAddr::from([127, 0, 0, last]), 3, 2);
        let (one, two) = (acquire(1), acquire(1));
        assert!(one.is_some() && two.is_some() && acquire(1).is_none());
        let other = acquire(2);
        assert!(other.is_some() && acquire(3).is_none());
        drop(one);
        assert!(acquire(3).is_some());
        drop((two, other));
        assert!(counted.counts().total == 0 && counted.counts().by_address.is_empty());
    }
}
