//! The program itself: what it prints, how it stops, and what a `kill -9` must not lose.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use emofed::protocol::{
    ClientUpdate, FederationStatus, JoinCode, JoinResponse, Manifest, SAFETENSORS, instructor_path, path,
};
use emofed::weights::{Tensor, Weights};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use reqwest::Client;

use super::harness::{delta, fresh, model as base_model, prepare_with, update_for};

/// A running `emofed serve` on a free port. Killed when dropped.
pub(super) struct Program {
    process: Child,
    student: String,
    instructor: String,
}

fn command(folder: &Path, listen: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_emofed"));
    command.args(["serve", "--print-links", "--listen", listen, "--data"]).arg(folder).env_clear();
    command
}

/// The command with a configuration that has these lines in its section `limits`.
pub(super) fn configured(folder: &Path, limits: &str) -> Command {
    let mut command = command(folder, "127.0.0.1:0");
    // The model of a few values moves further than fine-tuning moves a real one, and rounds shall not wait.
    let config = folder.join("emofed.toml");
    std::fs::write(&config, format!("[limits]\nmax_norm = 10.0\nshortest_round_s = 0\n{limits}")).unwrap();
    command.arg("--config").arg(config);
    command
}

/// Starts it, and kills it `after` a while, however far it is.
pub(super) fn killed_while_starting(mut command: Command, after: Duration) {
    let mut process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(after);
    process.kill().unwrap();
    process.wait().unwrap();
}

impl Program {
    pub(super) fn start(folder: &Path, arguments: &[&str]) -> Self {
        Self::start_limited(folder, "", arguments)
    }

    /// With more lines of the configuration's section `limits`.
    pub(super) fn start_limited(folder: &Path, limits: &str, arguments: &[&str]) -> Self {
        let mut command = configured(folder, limits);
        command.args(arguments);
        Self::spawn(command)
    }

    pub(super) fn spawn(command: Command) -> Self {
        Self::spawn_with_log(command, Stdio::null())
    }

    pub(super) fn spawn_with_log(mut command: Command, log: Stdio) -> Self {
        let mut process = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut link = |label: &str| lines.next().unwrap().unwrap().strip_prefix(label).unwrap().trim().to_owned();
        let (student, instructor) = (link("Student"), link("Instructor"));
        Self { process, student, instructor }
    }

    /// Bytes that the process has in memory.
    #[cfg(target_os = "linux")]
    pub(super) fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.student.split("/#").next().unwrap())
    }

    pub(super) fn code(&self) -> &str {
        self.student.split_once("#join=").unwrap().1
    }

    pub(super) fn instructor_token(&self) -> &str {
        self.instructor.split_once("#token=").unwrap().1
    }

    /// The tokens of `count` new participants, and updates of theirs that all differ for the open round.
    pub(super) async fn clients(&self, count: u32) -> Vec<(String, ClientUpdate)> {
        let round = self.manifest().await.round.unwrap();
        let mut clients = Vec::new();
        for index in 0..count {
            let (round, base_version) = (round.id, round.base_version);
            let delta = delta(index as f32 / 100.0);
            clients.push((
                self.join().await,
                ClientUpdate { round, base_version, num_examples: index + 1, metrics: None, delta },
            ));
        }
        clients
    }

    pub(super) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Asks it to stop, and waits until it has.
    #[cfg(unix)]
    pub(super) fn stop(mut self) {
        let signal = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status().unwrap();
        assert!(signal.success() && self.process.wait().unwrap().success());
    }

    pub(super) async fn manifest(&self) -> Manifest {
        Client::new().get(self.url(path::MANIFEST)).send().await.unwrap().json().await.unwrap()
    }

    /// A new participant's token.
    pub(super) async fn join(&self) -> String {
        let body = format!("{{\"join_code\":\"{}\"}}", self.code());
        let request = Client::new().post(self.url(path::PARTICIPANTS)).header("content-type", "application/json");
        let joined: JoinResponse = request.body(body).send().await.unwrap().json().await.unwrap();
        joined.token
    }

    /// The status of the answer, if there is one.
    pub(super) async fn put(&self, token: &str, update: &ClientUpdate) -> Option<u16> {
        let request = Client::new().put(self.url(&path::update(update.round))).header("content-type", SAFETENSORS);
        let answer = request.bearer_auth(token).body(update.encode()).send().await.ok()?;
        Some(answer.status().as_u16())
    }

    pub(super) async fn status(&self) -> FederationStatus {
        let request = Client::new().get(self.url(instructor_path::STATUS)).bearer_auth(self.instructor_token());
        request.send().await.unwrap().json().await.unwrap()
    }

    pub(super) async fn patch_settings(&self, body: &'static str) {
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
async fn a_token_file_that_was_emptied_locks_nobody_out() {
    let folder = fresh();
    let first = Program::start(folder.path(), &[]);
    let (code, token) = (first.code().to_owned(), first.instructor_token().to_owned());
    first.kill();
    let file = folder.path().join("instructor-token");
    for (content, reason) in [("\n", "is empty"), ("another\n", "does not have this federation's token")] {
        std::fs::write(&file, content).unwrap();
        let text = refused(&command(folder.path(), "127.0.0.1:0").output().unwrap());
        assert!(
            text.contains(reason) && text.contains("way out: restore the file") && text.contains("delete it"),
            "{text}"
        );
        assert_eq!(std::fs::read_to_string(&file).unwrap(), content, "nothing was changed");
    }
    std::fs::write(&file, format!("{token}\n")).unwrap();
    let again = Program::start(folder.path(), &[]);
    assert_eq!((again.code(), again.instructor_token()), (code.as_str(), token.as_str()));
    again.kill();

    // Deleting it asks for a new one, and that is said.
    std::fs::remove_file(&file).unwrap();
    let mut process = command(folder.path(), "127.0.0.1:0");
    let mut process = process.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(process.stdout.take().unwrap()).lines().take(2).map(Result::unwrap).collect::<Vec<_>>();
    process.kill().unwrap();
    let text = String::from_utf8(process.wait_with_output().unwrap().stderr).unwrap();
    assert!(text.contains("is missing: a new instructor's token is made"), "{text}");
    assert!(lines[0].contains(&code) && !lines[1].contains(&token), "{lines:?}");
}

#[tokio::test]
async fn four_hundred_with_the_right_code_join_from_one_address_while_guesses_wait() {
    let folder = fresh();
    let program = Program::start(folder.path(), &[]);
    let client = Client::new();
    let join = |code: &str| {
        let request = client.post(program.url(path::PARTICIPANTS)).header("content-type", "application/json");
        request.body(format!("{{\"join_code\":\"{code}\"}}")).send()
    };
    for _ in 0..10 {
        assert_eq!(join("wrong").await.unwrap().status(), 403);
    }
    assert_eq!(join("wrong").await.unwrap().status(), 429);
    let joins = futures::stream::iter(0..400).map(|_| join(program.code())).buffer_unordered(16);
    let statuses: Vec<u16> = joins.map(|answer| answer.unwrap().status().as_u16()).collect().await;
    assert!(statuses.iter().all(|status| *status == 201), "{statuses:?}");
    assert_eq!(program.status().await.participants, 400);
    assert_eq!(join("wrong").await.unwrap().status(), 429);
}

#[tokio::test]
async fn a_new_join_code_ends_the_old_one_and_no_token() {
    let folder = fresh();
    let first = Program::start(folder.path(), &[]);
    let (old, instructor) = (first.code().to_owned(), first.instructor_token().to_owned());
    let participant = first.join().await;
    first.kill();
    let second = Program::start(folder.path(), &["--new-join-code"]);
    let new = second.code().to_owned();
    assert_ne!(new, old);
    assert_eq!(second.instructor_token(), instructor);
    let request = Client::new().post(second.url(path::PARTICIPANTS)).header("content-type", "application/json");
    let refused = request.body(format!("{{\"join_code\":\"{old}\"}}")).send().await.unwrap();
    assert_eq!(refused.status(), 403);
    second.join().await;
    let round = second.manifest().await.round.unwrap();
    let update = update_for(&round, 1, delta(0.01));
    assert_eq!(second.put(&participant, &update).await, Some(200));
    second.kill();
    assert_eq!(Program::start(folder.path(), &[]).code(), new);
}

#[tokio::test]
async fn a_code_that_the_instructor_renews_is_in_the_file_of_links() {
    let folder = fresh();
    let program = Program::start(folder.path(), &[]);
    let links = || std::fs::read_to_string(folder.path().join("links")).unwrap();
    assert!(links().contains(&program.student), "{}", links());
    let request = Client::new().post(program.url(instructor_path::JOIN_CODE)).bearer_auth(program.instructor_token());
    let renewed: JoinCode = request.send().await.unwrap().json().await.unwrap();
    let student = program.student.replace(program.code(), &renewed.code);
    assert_ne!(student, program.student);
    assert!(links().lines().any(|line| line == format!("Student     {student}")), "{}", links());
    assert!(links().contains(&program.instructor) && !links().contains(program.code()), "{}", links());
}

#[tokio::test]
async fn the_most_detailed_log_of_an_upload_has_round_and_size_and_no_secret() {
    let folder = fresh();
    let log = folder.path().join("log");
    let config = folder.path().join("emofed.toml");
    std::fs::write(&config, "[limits]\nmax_norm = 10.0\nshortest_round_s = 0\n").unwrap();
    let mut command = command(folder.path(), "127.0.0.1:0");
    command.args(["--allow-few-contributors", "--minimum-clients", "1", "--config"]).arg(config);
    command.envs([("RUST_LOG", "trace"), ("NO_COLOR", "1")]);
    let program = Program::spawn_with_log(command, std::fs::File::create(&log).unwrap().into());
    let request = Client::new().post(program.url(path::PARTICIPANTS)).header("content-type", "application/json");
    let body = format!("{{\"join_code\":\"{}\"}}", program.code());
    let joined: JoinResponse = request.body(body).send().await.unwrap().json().await.unwrap();
    let round = program.manifest().await.round.unwrap();
    let update = update_for(&round, 1, delta(0.01));
    assert_eq!(program.put(&joined.token, &update).await, Some(200));
    // The next round opens when all of this one is done and logged.
    while program.manifest().await.round.is_none_or(|open| open.id == round.id) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let secrets = [program.code().to_owned(), program.instructor_token().to_owned(), joined.token, joined.participant];
    program.kill();
    let log = std::fs::read_to_string(&log).unwrap();
    let upload = format!("upload{{round=1 bytes={}}}", update.encode().len());
    assert!(log.contains(&upload), "{log}");
    for phase in ["open", "aggregating", "evaluating", "published"] {
        assert!(log.contains(&format!("round{{round=1 phase=\"{phase}\"}}")), "{phase}: {log}");
    }
    for secret in secrets {
        assert!(!log.contains(&secret), "{secret}: {log}");
    }
}

#[test]
fn a_log_gets_no_secrets() {
    let folder = fresh();
    let mut serve = Command::new(env!("CARGO_BIN_EXE_emofed"));
    serve.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(folder.path()).env_clear();
    let mut process = serve.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let line = BufReader::new(process.stdout.take().unwrap()).lines().next().unwrap().unwrap();
    process.kill().unwrap();
    let log = String::from_utf8(process.wait_with_output().unwrap().stderr).unwrap();
    let file = folder.path().join("links");
    assert!(line.contains(&file.display().to_string()), "{line}");
    let links = std::fs::read_to_string(&file).unwrap();
    let secrets: Vec<&str> = links.lines().filter_map(|link| link.split_once('=')).map(|(_, secret)| secret).collect();
    assert_eq!(secrets.len(), 2, "{links}");
    assert!(secrets.iter().all(|secret| !line.contains(secret) && !log.contains(secret)));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o077, 0);
    }
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

/// The process's line in /proc that begins with `name`.
#[cfg(target_os = "linux")]
fn proc_line(program: &Program, file: &str, name: &str) -> String {
    let text = std::fs::read_to_string(format!("/proc/{}/{file}", program.process.id())).unwrap();
    text.lines().find(|line| line.starts_with(name)).unwrap().to_owned()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn it_opens_as_many_files_as_it_may() {
    let folder = fresh();
    let mut shell = Command::new("sh");
    // As a service manager or a login shell limits it.
    shell.args(["-c", "ulimit -Sn 64; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_emofed")]);
    shell.args(["serve", "--print-links", "--listen", "127.0.0.1:0", "--data"]).arg(folder.path()).env_clear();
    let program = Program::spawn(shell);
    let limit = proc_line(&program, "limits", "Max open files");
    let numbers: Vec<&str> = limit.split_whitespace().filter(|word| word.parse::<u64>().is_ok()).collect();
    assert!(numbers[0] == numbers[1] && numbers[0] != "64", "{limit}");
    let mut streams = Vec::new();
    for _ in 0..100 {
        let stream = Client::new().get(program.url(path::EVENTS)).send().await.unwrap();
        assert_eq!(stream.status(), 200);
        streams.push(stream);
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn bodies_of_strangers_take_no_memory() {
    use tokio::io::AsyncWriteExt as _;

    const STRANGERS: usize = 100;
    const VALUES: usize = 500_000;
    let mut base = Weights::new();
    base.insert("head.weight", Tensor::new([VALUES], vec![0.5; VALUES]));
    let folder = tempfile::tempdir().unwrap();
    prepare_with(folder.path(), &base);
    let program = Program::start(folder.path(), &[]);
    let resident = |program: &Program| -> usize {
        let line = proc_line(program, "status", "VmRSS:");
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    let before_kb = resident(&program);
    let body = vec![b'x'; 4 * VALUES];
    let address = program.url("").replace("http://", "");
    let head = format!(
        "PUT {} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer nobody\r\nContent-Type: {SAFETENSORS}\r\n\
         Content-Length: {}\r\n\r\n",
        path::update(1),
        body.len()
    );
    let mut strangers = Vec::new();
    for _ in 0..STRANGERS {
        let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        // All but the last byte, so that nobody is answered.
        stream.write_all(&body[1..]).await.unwrap();
        strangers.push(stream);
    }
    // Until everything that lies in the system's buffers has been read.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let grown_kb = resident(&program).saturating_sub(before_kb);
    assert!(grown_kb < STRANGERS * body.len() / 1_024 / 4, "{grown_kb} KiB for bodies of nobody");
}

#[test]
fn an_import_whose_reader_has_gone_does_not_panic() {
    let folder = tempfile::tempdir().unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut import = Command::new(env!("CARGO_BIN_EXE_emofed"));
    import.args(["import", "emonet", "no-such-file", "--accept-licence", "--data"]).arg(folder.path()).env_clear();
    let output = import.stdout(writer).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && text.contains("way out:"), "{}: {text}", output.status);
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
    while events.chunk().await.expect("the stream ends in order").is_some() {}
}

#[tokio::test]
async fn killed_while_updates_arrive_it_counts_each_exactly_once() {
    const CLIENTS: u32 = 24;
    let folder = fresh();
    let program = Program::start(folder.path(), &["--minimum-clients", "24"]);
    let clients = program.clients(CLIENTS).await;

    let sending: FuturesUnordered<_> = clients.iter().map(|(token, update)| program.put(token, update)).collect();
    // Killed after the sixth answer, with the others under way.
    let acknowledged = sending.take(6).filter(|answer| std::future::ready(*answer == Some(200))).count().await;
    assert_eq!(acknowledged, 6);
    program.kill();

    let program = Program::start(folder.path(), &[]);
    let received = program.status().await.round.map_or(CLIENTS, |round| round.received);
    assert!(received >= 6, "{received} of 6 acknowledged updates are there");
    // Nobody knows which answers got lost, so everybody sends again, as tabs do.
    for (token, update) in &clients {
        assert_eq!(program.put(token, update).await, Some(200));
    }
    while program.manifest().await.model.version < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let model = program.status().await.models.remove(0);
    assert_eq!((model.num_clients, model.num_examples), (CLIENTS, Some(u64::from(CLIENTS * (CLIENTS + 1) / 2))));
    let mean = |sum: f64, (_, update): &(String, ClientUpdate)| {
        let value = update.delta.iter().next().unwrap().1.values[0];
        sum + f64::from(value) * f64::from(update.num_examples) / model.num_examples.unwrap() as f64
    };
    let mean = clients.iter().fold(0.0, mean);
    let bytes = Client::new().get(program.url(&path::blob(&model.vfer.sha256))).send().await.unwrap().bytes().await;
    let published = Weights::from_safetensors(&bytes.unwrap()).unwrap();
    for ((name, published), (_, base)) in published.iter().zip(base_model().iter()) {
        for (published, base) in published.values.iter().zip(&base.values) {
            assert!((f64::from(*published) - (f64::from(*base) + mean)).abs() < 1e-6, "{name}");
        }
    }
}
