//! The program itself: what it prints, how it stops, and what a `kill -9` must not lose.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use emofed::protocol::{ClassStatus, ClientUpdate, JoinResponse, Manifest, SAFETENSORS, instructor_path, path};
use reqwest::Client;

use super::class::{delta, fresh};

/// A running `emofed serve` on a free port. Killed when dropped.
struct Program {
    process: Child,
    student: String,
    instructor: String,
}

fn command(folder: &Path, listen: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_emofed"));
    command.args(["serve", "--listen", listen, "--data"]).arg(folder).env_clear();
    command
}

impl Program {
    fn start(folder: &Path, arguments: &[&str]) -> Self {
        let mut command = command(folder, "127.0.0.1:0");
        let mut process = command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut link = |label: &str| lines.next().unwrap().unwrap().strip_prefix(label).unwrap().trim().to_owned();
        let (student, instructor) = (link("Student"), link("Instructor"));
        Self { process, student, instructor }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.student.split("/?").next().unwrap())
    }

    fn code(&self) -> &str {
        self.student.split_once("?class=").unwrap().1
    }

    fn instructor_token(&self) -> &str {
        self.instructor.split_once("#token=").unwrap().1
    }

    fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    async fn status(&self) -> ClassStatus {
        let request = Client::new().get(self.url(instructor_path::STATUS)).bearer_auth(self.instructor_token());
        request.send().await.unwrap().json().await.unwrap()
    }

    async fn patch_settings(&self, body: &'static str) {
        let request = Client::new().patch(self.url(instructor_path::SETTINGS)).bearer_auth(self.instructor_token());
        let request = request.header("content-type", "application/json").body(body);
        assert!(request.send().await.unwrap().status().is_success());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn refused(output: &Output) -> String {
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn a_restart_prints_the_same_secrets_and_a_flag_changes_only_what_it_names() {
    let folder = fresh();
    let first = Program::start(folder.path(), &[]);
    let (code, token) = (first.code().to_owned(), first.instructor_token().to_owned());
    first.patch_settings(r#"{"duration_s":77,"continuous":false}"#).await;
    first.kill();
    let second = Program::start(folder.path(), &["--minimum-clients", "3"]);
    assert_eq!((second.code(), second.instructor_token()), (code.as_str(), token.as_str()));
    let settings = second.status().await.settings;
    assert_eq!((settings.minimum_clients, settings.duration_s, settings.continuous), (3, 77, false));
}

#[tokio::test]
async fn it_tells_why_it_does_not_start() {
    let folder = fresh();
    let text = refused(&command(folder.path(), "0.0.0.0:0").output().unwrap());
    assert!(text.contains("[deployment]"), "{text}");
    let running = Program::start(folder.path(), &[]);
    let text = refused(&command(folder.path(), "127.0.0.1:0").output().unwrap());
    assert!(text.contains("another emofed uses this data folder") && text.contains("--data"), "{text}");
    let taken = running.url("").replace("http://", "");
    let text = refused(&command(fresh().path(), &taken).output().unwrap());
    assert!(text.contains("--listen"), "{text}");
    let empty = tempfile::tempdir().unwrap();
    let text = refused(&command(empty.path(), "127.0.0.1:0").output().unwrap());
    assert!(text.contains("emofed import lite"), "{text}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_signal_ends_it_although_tabs_listen() {
    let folder = fresh();
    let mut program = Program::start(folder.path(), &[]);
    let mut events = Client::new().get(program.url(path::EVENTS)).send().await.unwrap();
    let signal = Command::new("kill").args(["-TERM", &program.process.id().to_string()]).status().unwrap();
    assert!(signal.success());
    let started = Instant::now();
    while program.process.try_wait().unwrap().is_none() {
        assert!(started.elapsed() < Duration::from_secs(5), "it does not stop");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(program.process.wait().unwrap().success());
    assert!(events.chunk().await.unwrap().is_none(), "the stream ends in order");
}

#[tokio::test]
async fn killed_under_load_it_counts_every_acknowledged_update_exactly_once() {
    const CLIENTS: u32 = 24;
    let folder = fresh();
    let program = Program::start(folder.path(), &["--minimum-clients", "25"]);
    let client = Client::new();
    let manifest: Manifest = client.get(program.url(path::MANIFEST)).send().await.unwrap().json().await.unwrap();
    let round = manifest.round.unwrap();
    let mut sending = Vec::new();
    for index in 0..CLIENTS {
        let body = format!("{{\"class_code\":\"{}\"}}", program.code());
        let request = client.post(program.url(path::PARTICIPANTS)).header("content-type", "application/json");
        let joined: JoinResponse = request.body(body).send().await.unwrap().json().await.unwrap();
        let update = ClientUpdate {
            round: round.id,
            base_version: round.base_version,
            clips: index + 1,
            delta: delta(index as f32 / 100.0),
        };
        let request = client.put(program.url(&path::update(round.id))).header("content-type", SAFETENSORS);
        let request = request.bearer_auth(joined.token).body(update.encode());
        sending.push(tokio::spawn(async move { request.send().await.is_ok_and(|answer| answer.status() == 200) }));
    }
    tokio::time::sleep(Duration::from_millis(15)).await;
    program.kill();
    let mut acknowledged = 0;
    for answer in sending {
        acknowledged += u32::from(answer.await.unwrap());
    }

    let program = Program::start(folder.path(), &[]);
    let received = program.status().await.round.unwrap().received;
    // A commit whose answer the kill cut off counts, too.
    assert!((acknowledged..=CLIENTS).contains(&received), "{acknowledged} acknowledged, {received} there");
    let bodies = std::fs::read_dir(folder.path().join(format!("updates/{}", round.id))).unwrap().count();
    assert!(bodies >= received as usize, "{bodies} bodies for {received} updates");
    let close = client.post(program.url(&instructor_path::close(round.id))).bearer_auth(program.instructor_token());
    let closed = close.send().await.unwrap().status();
    let status = program.status().await;
    if received == 0 {
        assert_eq!(status.rounds.last().unwrap().phase, "abandoned");
    } else {
        assert_eq!((closed.as_u16(), status.models[0].clients), (204, received));
    }
}
