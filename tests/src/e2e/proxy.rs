//! A forward proxy that records everything a browser sends.
//!
//! The whole browser process goes through it, loopback included, so a request to any other place is seen too. It can
//! also play a network that is down and a network that damages files.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;
use hyper::header::{CACHE_CONTROL, CONTENT_LENGTH, HeaderValue};
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinHandle};

/// Where [`super::browser::Browser`] sends what Chromium asks for on its own account (updates of its components, the state of its
/// accounts). No page is told these names and none can resolve: such requests are refused, and not recorded.
pub const BROWSERS_OWN: &str = ".chromium.invalid";

/// A request as the browser sent it, and what became of it.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// `GET`, `PUT`, …; `CONNECT` for an attempt to open a tunnel, which is always refused.
    pub method: Method,
    /// The absolute address.
    pub url: Uri,
    /// All request headers.
    pub headers: HeaderMap,
    /// The whole request body.
    pub body: Bytes,
    /// The answer's status; `None` while there is none, or where the network was down.
    pub status: Option<StatusCode>,
    /// The answer's headers.
    pub response_headers: HeaderMap,
    /// When it came.
    pub at: Instant,
    /// The browser broke it off before there was an answer.
    pub broken_off: bool,
}

/// What happens on the way between the browser and the aggregator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// The answer may not be kept in the browser's cache.
    NotKept,
    /// One bit in the middle is flipped.
    Flip,
    /// The second half is missing.
    Truncate,
    /// It does not come, and the connection stays open.
    Silence,
    /// The request waits, until [`Proxy::release`].
    Hold,
    /// There is a 503 in its place, as from a proxy whose origin is away; the origin hears nothing.
    Unavailable,
}

/// The running proxy; it stops when dropped.
pub struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
    listener: JoinHandle<()>,
}

struct State {
    client: Client<HttpConnector, Full<Bytes>>,
    shared: Mutex<Shared>,
}

#[derive(Default)]
struct Shared {
    exchanges: Vec<Exchange>,
    connections: Vec<AbortHandle>,
    down: bool,
    damage: Vec<DamagePlan>,
    held: Arc<Notify>,
}

struct DamagePlan {
    damage: Damage,
    path: String,
    skip: usize,
    times: usize,
}

type Body = Either<Incoming, Full<Bytes>>;

impl Proxy {
    /// Starts a proxy on a free port of loopback.
    ///
    /// # Errors
    /// There is no free port.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        // No pool: a connection that outlives the aggregator would only blur what a test sees.
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http();
        let state = Arc::new(State { client, shared: Mutex::default() });
        let listener = tokio::spawn(accept(listener, Arc::clone(&state)));
        Ok(Self { address, state, listener })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Everything recorded so far, in the order in which requests came.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.state.lock().exchanges.clone()
    }

    /// Takes the network down (open connections break, new ones are closed unanswered) or up again.
    pub fn set_down(&self, down: bool) {
        let mut shared = self.state.lock();
        shared.down = down;
        if down {
            shared.connections.drain(..).for_each(|connection| connection.abort());
        }
    }

    /// Lets go on what is held, and damages nothing any more.
    pub fn release(&self) {
        let mut shared = self.state.lock();
        shared.damage.clear();
        shared.held.notify_waiters();
    }

    /// Does `damage` to the next `times` requests for `path`, or their answers. Files of the page are named without their version.
    pub fn damage(&self, damage: Damage, path: impl Into<String>, times: usize) {
        self.damage_later(damage, path, 0, times);
    }

    /// The same, after `skip` requests for `path` that are answered as usual.
    pub fn damage_later(&self, damage: Damage, path: impl Into<String>, skip: usize, times: usize) {
        self.state.lock().damage.push(DamagePlan { damage, path: path.into(), skip, times });
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listener.abort();
        self.set_down(true);
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    while let Ok((stream, _)) = listener.accept().await {
        let service_state = Arc::clone(&state);
        let service = service_fn(move |request| serve(Arc::clone(&service_state), request));
        let connection = tokio::spawn(async move {
            // A connection that breaks is the browser's or the test's doing, and nothing to act on.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
        let mut shared = state.lock();
        shared.connections.retain(|connection| !connection.is_finished());
        shared.connections.push(connection.abort_handle());
    }
}

/// Why the browser gets no answer; hyper closes the connection then.
#[derive(Debug, thiserror::Error)]
enum NoAnswer {
    #[error("the network is down")]
    Down,
    #[error(transparent)]
    Hyper(#[from] hyper::Error),
    #[error(transparent)]
    Client(#[from] hyper_util::client::legacy::Error),
}

async fn serve(state: Arc<State>, request: Request<Incoming>) -> Result<Response<Body>, NoAnswer> {
    if request.uri().host().is_some_and(|host| host.ends_with(BROWSERS_OWN)) {
        return Ok(refusal());
    }
    let (mut head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let index = state.record(Exchange {
        method: head.method.clone(),
        url: head.uri.clone(),
        headers: head.headers.clone(),
        body: body.clone(),
        status: None,
        response_headers: HeaderMap::new(),
        at: Instant::now(),
        broken_off: false,
    });
    let _broken_off_if_dropped = Unanswered { state: Arc::clone(&state), index };
    if state.lock().down {
        return Err(NoAnswer::Down);
    }
    let response = if head.method == Method::CONNECT || head.uri.scheme_str() != Some("http") {
        refusal()
    } else {
        head.headers.remove("proxy-connection");
        let planned = state.planned_damage(head.uri.path());
        if planned == Some(Damage::Hold) {
            let held = Arc::clone(&state.lock().held);
            held.notified().await;
        }
        if planned == Some(Damage::Unavailable) {
            unavailable()
        } else {
            let response = state.client.request(Request::from_parts(head, Full::new(body))).await?;
            match planned {
                Some(damage @ (Damage::Flip | Damage::Truncate | Damage::Silence | Damage::NotKept)) => {
                    damaged(response, damage).await?
                }
                _ => response.map(Either::Left),
            }
        }
    };
    state.answered(index, &response);
    Ok(response)
}

/// Notes that a request is over without an answer.
struct Unanswered {
    state: Arc<State>,
    index: usize,
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        let exchange = &mut self.state.lock().exchanges[self.index];
        exchange.broken_off = exchange.status.is_none();
    }
}

fn unavailable() -> Response<Body> {
    let mut response = Response::new(Either::Right(Full::from("the origin is away")));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response
}

fn refusal() -> Response<Body> {
    let mut response = Response::new(Either::Right(Full::from("the end-to-end tests reach only the aggregator")));
    *response.status_mut() = StatusCode::FORBIDDEN;
    response
}

async fn damaged(response: Response<Incoming>, damage: Damage) -> Result<Response<Body>, hyper::Error> {
    let (mut head, body) = response.into_parts();
    let mut bytes = body.collect().await?.to_bytes().to_vec();
    let middle = bytes.len() / 2;
    match damage {
        Damage::Flip => bytes[middle] ^= 1,
        Damage::Truncate => bytes.truncate(middle),
        Damage::Silence => std::future::pending().await,
        Damage::NotKept => {
            head.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        Damage::Hold | Damage::Unavailable => {}
    }
    head.headers.insert(CONTENT_LENGTH, bytes.len().into());
    Ok(Response::from_parts(head, Either::Right(Full::from(bytes))))
}

/// The path of a file of the page without the `/v/VERSION` that it is in.
fn without_version(path: &str) -> &str {
    let file = path.strip_prefix("/v/").and_then(|rest| rest.find('/').map(|end| &rest[end..]));
    file.unwrap_or(path)
}

impl State {
    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self, exchange: Exchange) -> usize {
        let mut shared = self.lock();
        shared.exchanges.push(exchange);
        shared.exchanges.len() - 1
    }

    fn answered(&self, index: usize, response: &Response<Body>) {
        let exchange = &mut self.lock().exchanges[index];
        exchange.status = Some(response.status());
        exchange.response_headers = response.headers().clone();
    }

    fn planned_damage(&self, path: &str) -> Option<Damage> {
        let mut shared = self.lock();
        let path = without_version(path);
        let plan = shared.damage.iter_mut().find(|plan| plan.path == path && plan.times > 0)?;
        if plan.skip > 0 {
            plan.skip -= 1;
            return None;
        }
        plan.times -= 1;
        Some(plan.damage)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::time::Duration;

    use super::*;

    /// An origin that answers every request with `answer`.
    async fn origin(answer: &'static [u8]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let service = service_fn(move |_: Request<Incoming>| async move {
                    Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(answer))))
                });
                let connection = hyper::server::conn::http1::Builder::new();
                tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
            }
        });
        address
    }

    fn client(proxy: &Proxy) -> reqwest::Client {
        let proxy = reqwest::Proxy::all(format!("http://{}", proxy.address())).unwrap();
        reqwest::Client::builder().proxy(proxy).build().unwrap()
    }

    #[tokio::test]
    async fn records_and_forwards() {
        let (proxy, origin) = (Proxy::start().await.unwrap(), origin(b"hello").await);
        let url = format!("http://{origin}/a?b=c");
        let answer = client(&proxy).put(&url).header("x-mine", "1").body("sent").send().await.unwrap();
        assert_eq!(answer.text().await.unwrap(), "hello");
        let exchanges = proxy.exchanges();
        assert_eq!(exchanges.len(), 1);
        assert_eq!(exchanges[0].method, Method::PUT);
        assert_eq!(exchanges[0].url.to_string(), url);
        assert_eq!(exchanges[0].headers["x-mine"], "1");
        assert_eq!(exchanges[0].body, "sent");
        assert_eq!(exchanges[0].status, Some(StatusCode::OK));
    }

    #[tokio::test]
    async fn refuses_tunnels_and_records_them() {
        let proxy = Proxy::start().await.unwrap();
        assert!(client(&proxy).get("https://192.0.2.1/").send().await.is_err());
        assert_eq!(proxy.exchanges()[0].method, Method::CONNECT);
        assert_eq!(proxy.exchanges()[0].status, Some(StatusCode::FORBIDDEN));
    }

    #[tokio::test]
    async fn damages_as_often_as_told() {
        let (proxy, origin) = (Proxy::start().await.unwrap(), origin(b"abcd").await);
        let client = client(&proxy);
        let get = |path: &str| client.get(format!("http://{origin}{path}")).send();
        proxy.damage(Damage::Truncate, "/file", 1);
        assert_eq!(get("/other").await.unwrap().bytes().await.unwrap(), "abcd");
        assert_eq!(get("/file").await.unwrap().bytes().await.unwrap(), "ab");
        assert_eq!(get("/file").await.unwrap().bytes().await.unwrap(), "abcd");
        proxy.damage(Damage::Flip, "/file", 1);
        assert_eq!(get("/file").await.unwrap().bytes().await.unwrap(), "abbd");
        proxy.damage_later(Damage::Unavailable, "/file", 1, 1);
        assert_eq!(get("/file").await.unwrap().status(), StatusCode::OK);
        assert_eq!(get("/file").await.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
    }

    #[tokio::test]
    async fn holds_and_refuses_and_sees_what_is_broken_off() {
        let (proxy, origin) = (Proxy::start().await.unwrap(), origin(b"abcd").await);
        let client = client(&proxy);
        let get = || client.get(format!("http://{origin}/file")).timeout(Duration::from_millis(300)).send();
        proxy.damage(Damage::Unavailable, "/file", 1);
        assert_eq!(get().await.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
        proxy.damage(Damage::Hold, "/file", 2);
        assert!(get().await.is_err());
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(proxy.exchanges()[1].broken_off && !proxy.exchanges()[0].broken_off);
        let (held, ()) = tokio::join!(get(), async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            proxy.release();
        });
        assert_eq!(held.unwrap().status(), StatusCode::OK);
    }

    #[tokio::test]
    async fn goes_down_and_up() {
        let (proxy, origin) = (Proxy::start().await.unwrap(), origin(b"abcd").await);
        let client = client(&proxy);
        let get = || client.get(format!("http://{origin}/")).send();
        proxy.set_down(true);
        assert!(get().await.is_err());
        proxy.set_down(false);
        assert!(get().await.is_ok());
        assert_eq!(proxy.exchanges().last().unwrap().status, Some(StatusCode::OK));
    }
}
