//! Connections: an accept loop with bounds. Each connection has a deadline for a request's head, for the time without a
//! request, and for a peer that does not read; there are caps by address and in total.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};

use super::join_limiter::network;
use super::write_timeout::WriteTimeout;

/// Bounds of connections.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionBounds {
    /// How long a request's head may take, and how long a connection may be without a request.
    pub head_timeout: Duration,
    /// How long a peer may read nothing while there is something to send.
    pub write_timeout: Duration,
    /// Most connections.
    pub total: usize,
    /// Most connections of one address (one IPv6 /64). Not looked at behind a proxy, whose address all have.
    pub per_address: usize,
}

impl Default for ConnectionBounds {
    fn default() -> Self {
        let [head_timeout, write_timeout] = [Duration::from_secs(20); 2];
        Self { head_timeout, write_timeout, total: 900, per_address: 600 }
    }
}

/// What a connection may keep of a request that nobody has read yet, its head included. hyper's own bound is six times that,
/// which a few thousand connections that send slowly would turn into gigabytes.
const BUFFER_BYTES: usize = 64 * 1_024;

impl ConnectionBounds {
    /// The defaults, with as many connections as this process may have files, less what the store and the page need.
    pub fn for_this_process() -> Self {
        /// Descriptors for everything but connections: a request may have a file open, too.
        const RESERVED: u64 = 124;
        let total = raised_file_limit().saturating_sub(RESERVED) / 2;
        Self { total: usize::try_from(total.clamp(64, 10_000)).unwrap_or(64), ..Self::default() }
    }
}

/// Raises the limit of open files as far as this user may; gives what it is then.
fn raised_file_limit() -> u64 {
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
pub(super) struct OpenCounts(Arc<Mutex<HashMap<IpAddr, usize>>>);

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
        let all: usize = counts.values().sum();
        let own = counts.get(&address).copied().unwrap_or(0);
        if all >= total || own >= per_address {
            return None;
        }
        *counts.entry(address).or_default() += 1;
        drop(counts);
        Some(Slot { counted: self.clone(), address })
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut counts = self.counted.counts();
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

/// Accepts connections until `stop` resolves, then lets requests under way finish for up to `grace`.
pub(super) async fn accept(
    listener: TcpListener,
    router: Router,
    bounds: ConnectionBounds,
    is_behind_proxy: bool,
    stop: impl Future<Output = ()>,
    grace: Duration,
) {
    let per_address = if is_behind_proxy { bounds.total } else { bounds.per_address };
    let connections = OpenCounts::default();
    let under_way = GracefulShutdown::new();
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
        let connection = under_way.watch(connection(stream, peer, router.clone(), bounds));
        tokio::spawn(async move {
            let _slot = slot;
            // A connection that breaks is its peer's doing, and nothing to act on.
            let _ = connection.await;
        });
    }
    drop(listener);
    if tokio::time::timeout(grace, under_way.shutdown()).await.is_err() {
        tracing::info!("requests that took too long were cut off");
    }
}

type Service = hyper_util::service::TowerToHyperService<Router>;

fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    bounds: ConnectionBounds,
) -> hyper::server::conn::http1::Connection<TokioIo<WriteTimeout<TcpStream>>, Service> {
    // Small answers go at once. A system that cannot do it still answers.
    let _ = stream.set_nodelay(true);
    let router = router.layer(axum::Extension(ConnectInfo(peer)));
    let service = hyper_util::service::TowerToHyperService::new(router);
    hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.head_timeout)
        .max_buf_size(BUFFER_BYTES)
        .serve_connection(TokioIo::new(WriteTimeout::new(stream, bounds.write_timeout)), service)
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
        assert!(counted.counts().is_empty());
    }
}
