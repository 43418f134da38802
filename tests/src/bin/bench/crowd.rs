//! 10,000 participants with 2,000 updates of 0.2 MB in one round: on one aggregator, or on two replicas over Postgres of which one is
//! killed in the middle. The program and the participants share the machine.

// The tests' own, so that there is one.
#[allow(clippy::unwrap_used, reason = "it is written for tests")]
#[path = "../../../../server/tests/protocol/postgres.rs"]
mod postgres;

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use emofed_server::load::{LoadReport, LoadSettings, run};
use emofed_tests::e2e::path_from_env;
use tempfile::TempDir;

use self::postgres::Postgres;
use super::{Outcome, peak_kilobytes};

const PARTICIPANTS: usize = 10_000;
const UPDATES: usize = 2_000;
/// The replica is killed when so many updates are acknowledged.
const KILLED_AFTER: usize = UPDATES / 3;

/// What one aggregator made of the crowd.
struct Crowd {
    /// 99 % of the updates were acknowledged in less, in milliseconds.
    p99_ms: f64,
    /// The largest resident set of the aggregator.
    megabytes: f64,
}

/// Milliseconds in which 99 % of the updates are acknowledged.
pub fn milliseconds() -> Result<Outcome, String> {
    Ok(Outcome { ours: crowd()?.p99_ms, peer: None })
}

/// The aggregator's largest resident set in MB, of the same run.
pub fn memory() -> Result<Outcome, String> {
    Ok(Outcome { ours: crowd()?.megabytes, peer: None })
}

/// The crowd is run once for both figures.
fn crowd() -> Result<&'static Crowd, String> {
    static CROWD: OnceLock<Result<Crowd, String>> = OnceLock::new();
    let measured = || {
        let folder = prepared(&[])?;
        let aggregator = Aggregator::start(folder.path(), "data", &[])?;
        let report = load(vec![aggregator.origin()], &aggregator, |_| {})?;
        Ok(Crowd { p99_ms: p99(&report)?, megabytes: peak_kilobytes(&aggregator.process.id().to_string()) / 1_000.0 })
    };
    CROWD.get_or_init(measured).as_ref().map_err(Clone::clone)
}

/// The same over two replicas, of which the first is killed: an error unless each acknowledged update is in the model once.
pub fn replicas() -> Result<Outcome, String> {
    let postgres = Postgres::start();
    let objects = tempfile::tempdir().map_err(|error| error.to_string())?;
    let store =
        ["--store".to_owned(), postgres.url(), "--blobs".to_owned(), format!("file://{}", objects.path().display())];
    let store: Vec<&str> = store.iter().map(String::as_str).collect();
    let folder = prepared(&store)?;
    let one = Aggregator::start(folder.path(), "one", &store)?;
    // All replicas have the instructor's token.
    let token = |name: &str| folder.path().join(name).join("instructor-token");
    std::fs::create_dir_all(folder.path().join("two")).map_err(|error| error.to_string())?;
    std::fs::copy(token("one"), token("two")).map_err(|error| error.to_string())?;
    let two = Aggregator::start(folder.path(), "two", &store)?;
    let origins = vec![one.origin(), two.origin()];
    let mut one = Some(one);
    let report = load(origins, &two, |acknowledged| {
        if acknowledged > KILLED_AFTER {
            // Dropping it kills it.
            one = None;
        }
    })?;
    match one {
        Some(_) => Err("the round was over before a replica could be killed".to_owned()),
        None => Ok(Outcome { ours: p99(&report)?, peer: None }),
    }
}

/// Runs the crowd; an error unless all went as it has to.
fn load(
    origins: Vec<String>,
    aggregator: &Aggregator,
    mut on_acknowledged: impl FnMut(usize),
) -> Result<LoadReport, String> {
    let settings = LoadSettings {
        origins,
        join_code: aggregator.join_code().to_owned(),
        participants: PARTICIPANTS,
        updates: UPDATES,
        rounds: 1,
        faults: Vec::new(),
        seed: 1,
        polls: true,
        fetches_weights: false,
        timeout: Duration::from_secs(600),
    };
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    let report = runtime.block_on(run(settings, |progress| on_acknowledged(progress.acknowledged)));
    let report = report.map_err(|error| error.to_string())?;
    eprintln!("{report}");
    match report.is_as_expected(1) && report.counted.values().eq([&(UPDATES as u32)]) {
        true => Ok(report),
        false => Err("not everything went as it has to: see the report above".to_owned()),
    }
}

fn p99(report: &LoadReport) -> Result<f64, String> {
    let update = report.calls.iter().find(|call| call.call == "update");
    update.map(|call| call.p99_ms).ok_or_else(|| "no update was sent".to_owned())
}

/// A folder with a configuration, and the lite weights in the store that `arguments` name, or in the folder `data`.
fn prepared(arguments: &[&str]) -> Result<TempDir, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let configuration = format!(
        "[rounds]\nminimum_clients = {UPDATES}\n[learning]\nupdate_encoding = \"int8\"\n[limits]\nshortest_round_s = 0\n\
         max_participants = {}\nconnections_per_address = {}\n",
        2 * PARTICIPANTS,
        4 * PARTICIPANTS
    );
    std::fs::write(folder.path().join("emofed.toml"), configuration).map_err(|error| error.to_string())?;
    let weights = path_from_env("EMOFED_NODE_MODULES").join("@vladmandic/face-api/model");
    let mut import = Command::new(path_from_env("EMOFED_BIN"));
    import.args(["import", "lite"]).arg(weights).arg("--data").arg(folder.path().join("data")).args(arguments);
    let output = import.output().map_err(|error| error.to_string())?;
    match output.status.success() {
        true => Ok(folder),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

/// A running `emofed serve`, killed when it is dropped.
struct Aggregator {
    process: Child,
    student_link: String,
}

impl Aggregator {
    fn start(folder: &Path, data: &str, arguments: &[&str]) -> Result<Self, String> {
        let mut command = Command::new(path_from_env("EMOFED_BIN"));
        command.args(["serve", "--print-links", "--listen", "127.0.0.1:0", "--data"]).arg(folder.join(data));
        command.arg("--config").arg(folder.join("emofed.toml")).args(arguments);
        let log = std::fs::File::create(folder.join(format!("{data}.log"))).map_err(|error| error.to_string())?;
        let mut process = command.stdout(Stdio::piped()).stderr(log).spawn().map_err(|error| error.to_string())?;
        let output = process.stdout.take().map(BufReader::new);
        let first = output.and_then(|output| output.lines().next()).and_then(Result::ok).unwrap_or_default();
        let aggregator = Self { process, student_link: first.trim_start_matches("Student").trim().to_owned() };
        match aggregator.student_link.contains("#join=") {
            true => Ok(aggregator),
            false => Err(std::fs::read_to_string(folder.join(format!("{data}.log"))).unwrap_or_default()),
        }
    }

    fn origin(&self) -> String {
        self.student_link.split("/#").next().unwrap_or_default().to_owned()
    }

    fn join_code(&self) -> &str {
        self.student_link.split_once("#join=").map_or("", |(_, code)| code)
    }
}

impl Drop for Aggregator {
    fn drop(&mut self) {
        // Either fails only where it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
