//! Connections that do nothing, or too much of it.

use std::time::{Duration, Instant};

use emofed::protocol::{ProblemCode, SAFETENSORS, path};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::harness::{TIGHT, TestServer, fresh, problem};

/// How long the aggregator keeps the connection after `sent` was sent and whatever it answers was read.
async fn kept_open(server: &TestServer, sent: &str) -> Duration {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(sent.as_bytes()).await.unwrap();
    let started = Instant::now();
    let mut answer = Vec::new();
    // Closed or reset: both are an end.
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await;
    assert!(read.is_ok(), "the connection stays");
    started.elapsed()
}

#[tokio::test]
async fn silent_and_half_sent_requests_end() {
    let folder = fresh();
    let server = TestServer::start(folder.path()).await;
    let idle = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", server.address);
    for sent in ["", "GET /healthz HTTP/1.1\r\nHost: ", &idle] {
        let kept = kept_open(&server, sent).await;
        assert!(kept < TIGHT.head_timeout * 2, "{sent:?}: {kept:?}");
    }
}

#[tokio::test]
async fn a_reader_that_stalls_is_cut() {
    let folder = fresh();
    let server = TestServer::start(folder.path()).await;
    let blob = server.federation.records().put_blob(&vec![7; 64 << 20]).unwrap();
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let request = format!("GET {} HTTP/1.1\r\nHost: {}\r\n\r\n", path::blob(&blob.sha256), server.address);
    stream.write_all(request.as_bytes()).await.unwrap();
    tokio::time::sleep(TIGHT.write_timeout * 2).await;
    let mut answer = Vec::new();
    // What lies in the system's buffers still comes, the rest does not.
    let _ = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await.unwrap();
    assert!((answer.len() as u64) < blob.size, "{}", answer.len());
}

#[tokio::test]
async fn connections_and_streams_are_counted() {
    let folder = fresh();
    let server = TestServer::start(folder.path()).await;
    let mut streams = Vec::new();
    let most = TIGHT.per_address / 4 * 3;
    for _ in 0..most {
        let stream = server.client.get(server.url(path::EVENTS)).send().await.unwrap();
        assert_eq!(stream.status(), 200);
        streams.push(stream);
    }
    let refused = server.client.get(server.url(path::EVENTS)).send().await.unwrap();
    assert_eq!(problem(refused).await.code, ProblemCode::RateLimited);
    // Everything else still goes.
    assert_eq!(server.manifest().await.model.version, 1);

    let mut connections = Vec::new();
    for _ in 0..TIGHT.per_address {
        connections.push(TcpStream::connect(server.address).await.unwrap());
    }
    let mut one_more = TcpStream::connect(server.address).await.unwrap();
    let mut byte = [0];
    let closed = tokio::time::timeout(Duration::from_secs(1), one_more.read(&mut byte)).await;
    assert!(closed.is_ok(), "one more than the address may have is closed at once");
    drop((streams, connections));
    tokio::time::sleep(Duration::from_millis(200)).await;
    let again = server.client.get(server.url(path::EVENTS)).send().await.unwrap();
    assert_eq!(again.status(), 200, "who leaves makes room");
}

#[tokio::test]
async fn a_strangers_body_is_not_waited_for_in_memory() {
    let folder = fresh();
    let server = TestServer::start(folder.path()).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = format!(
        "PUT {} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer nobody\r\nContent-Type: {SAFETENSORS}\r\n\
         Content-Length: 100\r\n\r\n",
        path::update(1),
        server.address
    );
    // The whole body is received, so that a browser hears the answer.
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&[b'x'; 100]).await.unwrap();
    let mut answer = [0; 12];
    tokio::time::timeout(Duration::from_secs(5), stream.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!(&answer, b"HTTP/1.1 401");
}
