//! `emofed simulate`: seconds, and whether memory grows with the number of students.

use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use emofed_tests::e2e::path_from_env;

use super::{Outcome, peak_kilobytes};

/// Rounds of each simulation.
const ROUNDS: usize = 10;

/// What a simulation took.
#[derive(Clone, Copy)]
struct Cost {
    seconds: f64,
    /// Largest resident set.
    megabytes: f64,
}

/// Seconds of 1,000 students in 10 rounds.
pub fn seconds() -> Result<Outcome, String> {
    Ok(Outcome { ours: of_1000()?.seconds, peer: None })
}

/// Megabytes of 1,000 students, beside those of 100: a ratio of 1 is memory that does not grow with students.
pub fn memory() -> Result<Outcome, String> {
    let (ours, of_100) = (of_1000()?.megabytes, simulate(100)?.megabytes);
    Ok(Outcome { ours, peer: Some(("ours, 100 students", of_100)) })
}

/// Simulated once for both benchmarks.
fn of_1000() -> Result<Cost, String> {
    static COST: OnceLock<Result<Cost, String>> = OnceLock::new();
    COST.get_or_init(|| simulate(1_000)).clone()
}

fn simulate(students: usize) -> Result<Cost, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let binary = path_from_env("EMOFED_BIN");
    let started = Instant::now();
    let mut child = Command::new(&binary)
        .args(["simulate", "--students", &students.to_string(), "--rounds", &ROUNDS.to_string(), "--out"])
        .arg(folder.path().join("report"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("{}: {error}; way out: `make build`", binary.display()))?;
    let mut megabytes = 0.0_f64;
    loop {
        // The kernel keeps the peak, so that reading it now and then is enough.
        megabytes = megabytes.max(peak_kilobytes(&child.id().to_string()) / 1_000.0);
        match child.try_wait() {
            Ok(None) => std::thread::sleep(Duration::from_millis(50)),
            Ok(Some(status)) if status.success() => break,
            Ok(Some(status)) => return Err(format!("`emofed simulate` ended with {status}")),
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(Cost { seconds: started.elapsed().as_secs_f64(), megabytes })
}
