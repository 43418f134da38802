//! The aggregator speaks TLS itself.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use emofed::protocol::{FederationStatus, ProblemCode, instructor_path, path};
use emofed_server::tls::{Tls, self_signed, with_colons};
use reqwest::{Certificate, Client};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::harness::{INSTRUCTOR, TIGHT, TestServer, delta, fresh, problem};

pub(super) const STATEMENT: &str =
    "[deployment]\npurpose = 'research'\njurisdiction = 'X'\nlegal_basis = 'IRB 1'\ncontact = 'c'\n";

/// A certificate for loopback, in the data folder.
fn certificate(folder: &Path) -> Tls {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let names = ["127.0.0.1".to_owned()];
    Tls::load(self_signed::certificate(folder, &names, now.as_secs()).unwrap()).unwrap()
}

/// A client that trusts the certificate in the data folder, and no other.
fn trusting(folder: &Path) -> Client {
    let pem = std::fs::read(folder.join("tls/certificate.pem")).unwrap();
    Client::builder().tls_certs_only([Certificate::from_pem(&pem).unwrap()]).build().unwrap()
}

async fn start(folder: &Path) -> TestServer {
    let tls = certificate(folder);
    TestServer::start_tls(folder, tls, trusting(folder)).await
}

#[tokio::test]
async fn a_client_that_trusts_the_certificate_joins_and_uploads() {
    let folder = fresh();
    let server = start(folder.path()).await;
    assert!(server.url("").starts_with("https://"));
    for value in [0.1, 0.3] {
        let who = server.join().await;
        let update = server.update(1, delta(value)).await;
        assert_eq!(server.send(&who, &update).await.status(), 200);
    }
    server.wait_for_version(2).await;
    server.vfer().await;
    // A browser says which page it is on, and events go on within TLS.
    let origin = server.client.get(server.url(path::EVENTS)).header("origin", server.url(""));
    assert_eq!(origin.send().await.unwrap().status(), 200);
    let plain = format!("http://{}", server.address);
    let other = server.client.get(server.url(path::MANIFEST)).header("origin", plain).send().await.unwrap();
    assert_eq!(problem(other).await.code, ProblemCode::BadRequest);
    let status = server.client.get(server.url(instructor_path::STATUS)).bearer_auth(INSTRUCTOR);
    let status: FederationStatus = status.send().await.unwrap().json().await.unwrap();
    assert_eq!(status.certificate_sha256, certificate(folder.path()).fingerprint());
    // Who does not trust it is not served.
    assert!(Client::new().get(server.url("/healthz")).send().await.is_err());
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_without_a_restart() {
    let folder = fresh();
    let server = start(folder.path()).await;
    let (former, other) = (trusting(folder.path()), tempfile::tempdir().unwrap());
    let renewed = certificate(other.path());
    for name in ["tls/key.pem", "tls/certificate.pem"] {
        std::fs::copy(other.path().join(name), folder.path().join(name)).unwrap();
    }
    let started = Instant::now();
    let client = trusting(other.path());
    while client.get(server.url("/healthz")).send().await.is_err() {
        assert!(started.elapsed() < Duration::from_secs(10), "the former certificate stays");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(former.get(server.url("/healthz")).send().await.is_err(), "of a new connection");
    let status = client.get(server.url(instructor_path::STATUS)).bearer_auth(INSTRUCTOR);
    let status: FederationStatus = status.send().await.unwrap().json().await.unwrap();
    assert_eq!(status.certificate_sha256, renewed.fingerprint());
}

/// What comes back to `sent` before the connection ends, and how long that takes.
async fn answer(server: &TestServer, sent: &[u8]) -> (String, Duration) {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let started = Instant::now();
    stream.write_all(sent).await.unwrap();
    let mut answer = Vec::new();
    // Closed or reset: both are an end.
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await;
    assert!(read.is_ok(), "the connection stays");
    (String::from_utf8_lossy(&answer).into_owned(), started.elapsed())
}

#[tokio::test]
async fn plain_http_is_told_and_a_slow_handshake_is_cut() {
    let folder = fresh();
    let server = start(folder.path()).await;
    let request = format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", server.address);
    let (text, took) = answer(&server, request.as_bytes()).await;
    assert!(text.starts_with("HTTP/1.1 400 ") && text.contains("This port speaks HTTPS"), "{text}");
    assert!(took < TIGHT.head_timeout);
    // A record's header that announces a ClientHello of 512 bytes, and nothing more.
    let begun = [0x16, 3, 1, 2, 0];
    for sent in [&[][..], &begun] {
        let (_, took) = answer(&server, sent).await;
        assert!(took < TIGHT.head_timeout * 2, "{sent:?}: {took:?}");
    }
    let (_, took) = answer(&server, b"\0\0\0\0\0\0\0\0").await;
    assert!(took < TIGHT.head_timeout, "what is neither is not waited for: {took:?}");
}

#[tokio::test]
async fn handshakes_count_as_connections_and_keep_no_stop_waiting() {
    let folder = fresh();
    let server = start(folder.path()).await;
    let mut connections = Vec::new();
    for _ in 0..TIGHT.per_address {
        connections.push(TcpStream::connect(server.address).await.unwrap());
    }
    let mut one_more = TcpStream::connect(server.address).await.unwrap();
    let closed = tokio::time::timeout(Duration::from_secs(1), one_more.read(&mut [0])).await;
    assert!(closed.is_ok(), "one more than the address may have is closed at once");
    let started = Instant::now();
    server.stop().await;
    assert!(started.elapsed() < TIGHT.head_timeout, "{:?}", started.elapsed());
}

/// `emofed serve`, killed when dropped.
pub(super) struct Serving(pub(super) Child);

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(super) fn command(folder: &Path, config: &str, arguments: &[&str]) -> Command {
    let file = folder.join("emofed.toml");
    std::fs::write(&file, config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_emofed"));
    command
        .args(["serve", "--print-links", "--data"])
        .arg(folder)
        .arg("--config")
        .arg(file)
        .args(arguments)
        .env_clear();
    command
}

/// Its first three lines: the two links, and the fingerprint.
fn serving(mut command: Command) -> (Serving, [String; 3]) {
    let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let mut line = |label: &str| lines.next().unwrap().unwrap().strip_prefix(label).unwrap().trim().to_owned();
    let printed = [line("Student"), line("Instructor"), line("SHA-256")];
    (Serving(process), printed)
}

#[tokio::test]
async fn one_command_serves_a_network_by_https_and_the_fingerprint_stays() {
    let folder = fresh();
    let arguments = ["--listen", "0.0.0.0:0", "--tls", "self-signed", "--tls-name", "class.local"];
    let (process, [student, instructor, sha256]) = serving(command(folder.path(), STATEMENT, &arguments));
    assert!(student.starts_with("https://class.local:") && instructor.starts_with("https://class.local:"), "{student}");
    assert_eq!(sha256, with_colons(&certificate(folder.path()).fingerprint().unwrap()));
    let links = std::fs::read_to_string(folder.path().join("links")).unwrap();
    assert!(links.contains(&sha256), "{links}");
    let port = student.split("/#").next().unwrap().rsplit(':').next().unwrap();
    let client = trusting(folder.path());
    // As in the address bar: by each name of the certificate, from a page of that name.
    for host in ["127.0.0.1", "localhost"] {
        let origin = format!("https://{host}:{port}");
        let manifest = client.get(format!("{origin}{}", path::MANIFEST)).header("origin", &origin);
        assert_eq!(manifest.send().await.unwrap().status(), 200, "{host}");
    }
    let rebound = client.get(format!("https://localhost:{port}{}", path::MANIFEST)).header("host", "evil.example");
    assert_eq!(rebound.send().await.unwrap().status(), 400);
    drop(process);
    let (_process, [_, _, again]) = serving(command(folder.path(), STATEMENT, &arguments));
    assert_eq!(again, sha256);
}

#[test]
fn it_tells_why_there_is_no_tls() {
    let folder = fresh();
    let refused = |config: &str, arguments: &[&str]| {
        let output = command(folder.path(), config, arguments).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let loopback = ["--listen", "127.0.0.1:0"];
    let (own, other) = (folder.path().join("tls"), tempfile::tempdir().unwrap());
    certificate(folder.path());
    certificate(other.path());
    let configured = |certificate: &Path, key: &Path| {
        format!("[tls]\ncertificate = '{}'\nkey = '{}'\n", certificate.display(), key.display())
    };
    let text = refused(&configured(&own.join("none.pem"), &own.join("key.pem")), &loopback);
    assert!(text.contains("none.pem cannot be accessed") && text.contains("way out: check the path"), "{text}");
    let text = refused(&configured(&own.join("certificate.pem"), &other.path().join("tls/key.pem")), &loopback);
    assert!(text.contains("is not that of the certificate"), "{text}");
    // TLS is no statement.
    for arguments in [&["--tls", "self-signed", "--listen", "0.0.0.0:0"][..], &["--listen", "0.0.0.0:0"]] {
        let text = refused(&configured(&own.join("certificate.pem"), &own.join("key.pem")), arguments);
        assert!(text.contains("[deployment]"), "{text}");
    }
    let text = refused("", &["--listen", "127.0.0.1:0", "--tls", "self-signed", "--tls-name", "https://class"]);
    assert!(text.contains("--tls-name https://class"), "{text}");
}

#[test]
fn a_configuration_is_checked_without_serving_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("emofed.toml");
    let check = |config: &str, arguments: &[&str]| {
        std::fs::write(&file, config).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_emofed"));
        let output = command.arg("check-config").arg(&file).args(arguments).env_clear().output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, printed, _) = check("[rounds]\nminimum_clients = 5\n", &[]);
    assert_eq!(code, Some(0));
    assert!(printed.contains("minimum_clients = 5") && printed.contains("max_participants = 1000"), "{printed}");
    // What is printed is a configuration with the same effect.
    let (code, again, _) = check(&printed, &[]);
    assert_eq!((code, again), (Some(0), printed));
    let (code, _, told) = check("[rounds]\nminimum_client = 5\n", &[]);
    assert!(code == Some(1) && told.contains("minimum_client"), "{told}");
    let (code, _, told) = check("", &["--listen", "0.0.0.0:8787"]);
    assert!(code == Some(1) && told.contains("[deployment]"), "{told}");
    let (code, printed, _) = check(STATEMENT, &["--listen", "0.0.0.0:8787", "--tls", "self-signed"]);
    assert!(code == Some(0) && printed.contains("self-signed certificate"), "{printed}");
    let (code, _, told) = check("[tls]\ncertificate = 'none.pem'\nkey = 'none.pem'\n", &[]);
    assert!(code == Some(1) && told.contains("none.pem cannot be accessed"), "{told}");
}
