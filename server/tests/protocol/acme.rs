//! Certificates from an authority, a real one that speaks ACME and verifies the domains itself.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use emofed::protocol::{FederationStatus, instructor_path, path};
use reqwest::Client;

use super::harness::{fresh, walk};
use super::pebble::{Pebble, free_port, mode};
use super::tls::{STATEMENT, Serving, command};

const DAY: Duration = Duration::from_secs(86_400);
/// The first is in the links.
const DOMAINS: [&str; 2] = ["class.example", "www.class.example"];

/// Starts `emofed serve` on `port`, with its log in the data folder.
fn serving(folder: &Path, port: u16, pebble: &Pebble) -> Serving {
    let acme = format!(
        "[acme]\ndomains = {DOMAINS:?}\ncontact = ['class@class.example']\nterms_of_service_agreed = true\n\
         directory = '{}'\nroot_certificate = '{}'\n",
        pebble.directory(),
        pebble.root_file().display()
    );
    let listen = format!("127.0.0.1:{port}");
    let mut command = command(folder, &format!("{STATEMENT}{acme}"), &["--tls", "acme", "--listen", &listen]);
    command.env("NO_COLOR", "1");
    let log = File::create(log_file(folder)).unwrap();
    Serving(command.stdout(Stdio::null()).stderr(log).spawn().unwrap())
}

fn log_file(folder: &Path) -> PathBuf {
    folder.join("log")
}

fn log(folder: &Path) -> String {
    std::fs::read_to_string(log_file(folder)).unwrap()
}

/// Waits until `is_so`, which is asked again and again.
async fn wait_until(folder: &Path, what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let since = Instant::now();
    while !is_so().await {
        assert!(since.elapsed() < Duration::from_secs(40), "{what}: not within 40 s\n{}", log(folder));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn answers(client: &Client, domain: &str, port: u16) -> bool {
    let health = client.get(format!("https://{domain}:{port}/healthz")).send().await;
    health.is_ok_and(|answer| answer.status() == 200)
}

async fn failures(client: &Client, port: u16) -> u64 {
    let metrics =
        client.get(format!("https://{}:{port}/metrics", DOMAINS[0])).send().await.unwrap().text().await.unwrap();
    let value = metrics.lines().find_map(|line| line.strip_prefix("emofed_acme_failures_total "));
    value.unwrap().parse().unwrap()
}

/// The certificate in use, as the instructor is told.
async fn fingerprint(folder: &Path, client: &Client, port: u16) -> String {
    let token = std::fs::read_to_string(folder.join("instructor-token")).unwrap();
    let status =
        client.get(format!("https://{}:{port}{}", DOMAINS[0], instructor_path::STATUS)).bearer_auth(token.trim());
    let status: FederationStatus = status.send().await.unwrap().json().await.unwrap();
    status.certificate_sha256.unwrap()
}

#[tokio::test]
async fn a_certificate_is_obtained_and_serves_after_a_restart_without_its_authority() {
    let (folder, port) = (fresh(), free_port());
    let mut pebble = Pebble::start(port, DAY);
    let process = serving(folder.path(), port, &pebble);
    let client = pebble.trusting(&DOMAINS, port).await;
    wait_until(folder.path(), "a certificate", async || answers(&client, DOMAINS[0], port).await).await;
    // As in the address bar: by each domain, and by no other name.
    for domain in DOMAINS {
        let origin = format!("https://{domain}:{port}");
        let manifest = client.get(format!("{origin}{}", path::MANIFEST)).header("origin", &origin);
        assert_eq!(manifest.send().await.unwrap().status(), 200, "{domain}");
    }
    let rebound = client.get(format!("https://{}:{port}{}", DOMAINS[0], path::MANIFEST)).header("host", "evil.example");
    assert_eq!(rebound.send().await.unwrap().status(), 400);
    assert_eq!(failures(&client, port).await, 0);
    assert!(Client::new().get(format!("https://127.0.0.1:{port}/healthz")).send().await.is_err(), "not trusted by all");
    let links = std::fs::read_to_string(folder.path().join("links")).unwrap();
    assert!(links.contains(&format!("https://class.example:{port}/")) && !links.contains("SHA-256"), "{links}");

    let kept = folder.path().join("tls/acme");
    wait_until(folder.path(), "its file", async || walk(&kept).len() == 2).await;
    assert_eq!(mode(&kept), 0o700);
    assert!(walk(&kept).iter().all(|file| mode(file) == 0o600), "{:?}", walk(&kept));
    let first = fingerprint(folder.path(), &client, port).await;
    assert_eq!(pebble.issued(), 1);
    drop((process, pebble.kill()));

    let _process = serving(folder.path(), port, &pebble);
    wait_until(folder.path(), "the kept one", async || answers(&client, DOMAINS[1], port).await).await;
    assert_eq!(fingerprint(folder.path(), &client, port).await, first);
    assert_eq!(failures(&client, port).await, 0, "nobody is asked: {}", log(folder.path()));
}

#[tokio::test]
async fn it_is_renewed_while_serving_and_stays_when_the_authority_does_not_answer() {
    let (folder, port) = (fresh(), free_port());
    // Renewed after twelve seconds.
    let mut pebble = Pebble::start(port, Duration::from_secs(18));
    let _process = serving(folder.path(), port, &pebble);
    let client = pebble.trusting(&DOMAINS, port).await;
    wait_until(folder.path(), "a certificate", async || answers(&client, DOMAINS[0], port).await).await;
    let first = fingerprint(folder.path(), &client, port).await;
    let mut events = client.get(format!("https://{}:{port}{}", DOMAINS[0], path::EVENTS)).send().await.unwrap();
    assert_eq!(events.status(), 200);

    wait_until(folder.path(), "another one", async || fingerprint(folder.path(), &client, port).await != first).await;
    assert_eq!(pebble.issued(), 2);
    pebble.kill();
    // The connection that was made under the first one goes on.
    while let Ok(piece) = tokio::time::timeout(Duration::from_millis(500), events.chunk()).await {
        assert!(piece.unwrap().is_some(), "the stream has ended");
    }
    let second = fingerprint(folder.path(), &client, port).await;
    wait_until(folder.path(), "a failure", async || failures(&client, port).await > 0).await;
    // By the other name, and so by a new connection, while the certificate is still valid.
    assert!(answers(&client, DOMAINS[1], port).await, "{}", log(folder.path()));
    assert_eq!(fingerprint(folder.path(), &client, port).await, second);
    let log = log(folder.path());
    assert!(
        log.contains("there is no new certificate; the former one stays") && log.contains("can be reached"),
        "{log}"
    );
}

#[tokio::test]
async fn one_that_cannot_be_written_serves_and_is_written_later() {
    let (folder, port) = (fresh(), free_port());
    // Renewed after 24 seconds, when it is tried again to write it.
    let mut pebble = Pebble::start(port, Duration::from_secs(36));
    let process = serving(folder.path(), port, &pebble);
    let client = pebble.trusting(&DOMAINS, port).await;
    let (kept, aside) = (folder.path().join("tls/acme"), folder.path().join("aside"));
    wait_until(folder.path(), "its folder", async || kept.exists()).await;
    // Before the authority has verified the domains. Nobody writes to a folder that is a file.
    std::fs::rename(&kept, &aside).unwrap();
    std::fs::write(&kept, "").unwrap();
    wait_until(folder.path(), "a certificate", async || answers(&client, DOMAINS[0], port).await).await;
    let first = fingerprint(folder.path(), &client, port).await;
    let told = "the certificate is in memory alone";
    wait_until(folder.path(), "an error", async || log(folder.path()).contains(told)).await;
    assert_eq!((pebble.issued(), failures(&client, port).await), (1, 0));
    pebble.kill();
    std::fs::remove_file(&kept).unwrap();
    std::fs::rename(&aside, &kept).unwrap();
    let told = "the certificate could be written now";
    wait_until(folder.path(), "its file", async || log(folder.path()).contains(told)).await;
    assert!(walk(&kept).len() == 2 && walk(&kept).iter().all(|file| mode(file) == 0o600), "{:?}", walk(&kept));
    drop(process);

    let _process = serving(folder.path(), port, &pebble);
    wait_until(folder.path(), "the kept one", async || answers(&client, DOMAINS[0], port).await).await;
    assert_eq!(fingerprint(folder.path(), &client, port).await, first);
}

#[tokio::test]
async fn it_tells_why_there_is_no_certificate() {
    let (folder, port, elsewhere) = (fresh(), free_port(), free_port());
    // The authority looks at another port than the one that is served on.
    let mut pebble = Pebble::start(elsewhere, DAY);
    let client = pebble.trusting(&DOMAINS, port).await;
    let process = serving(folder.path(), port, &pebble);
    wait_until(folder.path(), "a failure", async || log(folder.path()).contains("there is no new certificate")).await;
    let told = log(folder.path());
    assert!(told.contains("the authority could not verify ") && told.contains("port 443"), "{told}");
    assert!(told.contains("nobody can connect until there is one"), "{told}");
    assert!(!answers(&client, DOMAINS[0], port).await);
    drop((process, pebble.kill()));

    let mut process = serving(folder.path(), port, &pebble);
    wait_until(folder.path(), "a failure", async || log(folder.path()).contains("there is no new certificate")).await;
    assert!(log(folder.path()).contains("can be reached from this machine"), "{}", log(folder.path()));
    assert!(process.0.try_wait().unwrap().is_none(), "it goes on");
}
