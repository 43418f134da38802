//! `make bench [NAME…]`: ours and the peer in turn, several times; medians to `$EMOFED_CACHE/bench.jsonl` and as a table.

mod aggregation;
mod browser;
mod crowd;
mod native;
mod round;
mod simulation;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

use emofed::learning::{Clip, FineTune, LearningSettings, UpdateEncoding};
use emofed::model::vfer::{FEATURES, Vfer};
use emofed::protocol::ClientUpdate;
use emofed_tests::e2e::{page_files, path_from_env};
use serde_json::{Value, json};

/// A figure, and the peer's where there is one.
pub struct Outcome {
    /// Ours.
    ours: f64,
    /// Name and figure.
    peer: Option<(&'static str, f64)>,
}

struct Benchmark {
    name: &'static str,
    unit: &'static str,
    more_is_better: bool,
    run: fn() -> Result<Outcome, String>,
}

const fn benchmark(name: &'static str, unit: &'static str, run: fn() -> Result<Outcome, String>) -> Benchmark {
    Benchmark { name, unit, more_is_better: false, run }
}

const BENCHMARKS: [Benchmark; 36] = [
    benchmark("wasm-worker-bytes", "bytes (brotli)", || bytes("worker-cpu_bg.wasm.br")),
    benchmark("wasm-gpu-worker-bytes", "bytes (brotli)", || bytes("worker-gpu_bg.wasm.br")),
    benchmark("wasm-student-bytes", "bytes (brotli)", || bytes("student_bg.wasm.br")),
    benchmark("wasm-instructor-bytes", "bytes (brotli)", || bytes("instructor_bg.wasm.br")),
    benchmark("emonet-cpu-1", "ms a frame, one thread", browser::emonet_cpu_1),
    benchmark("emonet-cpu-all", "ms a frame, all cores", browser::emonet_cpu_all),
    benchmark("emonet-webgpu", "ms a frame", browser::emonet_webgpu),
    benchmark("worker-start", "ms to the first features, one thread", browser::worker_start),
    benchmark("lite-cpu", "ms a frame of the camera: detection and expressions", browser::lite_cpu),
    Benchmark { more_is_better: true, ..benchmark("lite-fps", "frames/s on the student's page", browser::lite_fps) },
    Benchmark {
        more_is_better: true,
        ..benchmark("emonet-fps", "frames/s on the student's page", browser::emonet_fps)
    },
    benchmark(
        "page-long-task",
        "ms, the longest on the page's thread while models run and train",
        browser::page_long_task,
    ),
    benchmark("page-frame-gap", "ms between two frames of the page (p95), meanwhile", browser::page_frame_gap),
    benchmark("vfer-step", "ms a training step (8 × 32 frames), in the tab", browser::vfer_step),
    benchmark("vfer-epoch", "ms an epoch (60 × 40 frames), in the tab", browser::vfer_epoch),
    benchmark(
        "vfer-webgpu-step",
        "ms a training step (8 × 32 frames) on WebGPU, in the tab",
        browser::vfer_webgpu_step,
    ),
    benchmark("vfer-stream", "ms a frame, in the tab", browser::vfer_stream),
    benchmark("vfer-native", "ms a step (8 × 32 frames, one thread), natively", native::vfer_step),
    benchmark("lab-train", "ms an epoch (2,000 × 40 frames, two threads), natively", native::lab_train),
    Benchmark {
        more_is_better: true,
        ..benchmark("lab-features-lite", "frames/s, two threads, natively", native::lab_features_lite)
    },
    Benchmark {
        more_is_better: true,
        ..benchmark("lab-features-emonet", "frames/s, two threads, natively", native::lab_features_emonet)
    },
    benchmark("simulate-1000x10", "s (1,000 students, 10 rounds)", simulation::seconds),
    benchmark("simulate-memory", "MB at most, of the same", simulation::memory),
    benchmark("update-bytes", "bytes of an int8 client update", update_bytes),
    benchmark("fedavg", "ms (100 × 1 M values)", || aggregation::milliseconds("fedavg")),
    benchmark("fedavg-memory", "MB at most (100 × 1 M values)", || aggregation::memory("fedavg")),
    benchmark("median", "ms (100 × 1 M values)", || aggregation::milliseconds("median")),
    benchmark("median-memory", "MB at most (100 × 1 M values)", || aggregation::memory("median")),
    benchmark("trimmed-mean", "ms (100 × 1 M values)", || aggregation::milliseconds("trimmed-mean")),
    benchmark("trimmed-mean-memory", "MB at most (100 × 1 M values)", || aggregation::memory("trimmed-mean")),
    benchmark("krum", "ms (100 × 1 M values)", || aggregation::milliseconds("krum")),
    benchmark("krum-memory", "MB at most (100 × 1 M values)", || aggregation::memory("krum")),
    benchmark("round-http", "ms a round (50 × 1 M values)", round::milliseconds),
    benchmark("crowd", "ms an update (p99), of 2,000 of 0.2 MB from 10,000 participants", crowd::milliseconds),
    benchmark("crowd-memory", "MB at most, of the same", crowd::memory),
    benchmark("replicas", "ms an update (p99), the same over two replicas, one killed", crowd::replicas),
];

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    if let [first, rule, bodies] = wanted.as_slice()
        && first == aggregation::AGGREGATE
    {
        return aggregation::aggregate_files(rule, bodies).unwrap_or_else(|error| {
            eprintln!("error: {error}");
            std::process::exit(1);
        });
    }
    if wanted.iter().any(|name| name == "--list") {
        return BENCHMARKS.iter().for_each(|benchmark| println!("{:24} {}", benchmark.name, benchmark.unit));
    }
    if let Some(unknown) = wanted.iter().find(|name| BENCHMARKS.iter().all(|known| known.name != **name)) {
        eprintln!("error: there is no benchmark {unknown}");
        eprintln!("way out: one of {}", BENCHMARKS.map(|benchmark| benchmark.name).join(", "));
        std::process::exit(2);
    }
    let (machine, commit) = (machine(), commit());
    let mut failures = 0;
    println!("{:24} {:>12}  {:>12}  {:>6}  {:24}  unit", "name", "ours", "peer", "ratio", "peer's name");
    for benchmark in BENCHMARKS.iter().filter(|known| wanted.is_empty() || wanted.iter().any(|n| n == known.name)) {
        let Outcome { ours, peer } = match (benchmark.run)() {
            Ok(outcome) => outcome,
            Err(reason) => {
                failures += 1;
                eprintln!("error: {} cannot run: {reason}", benchmark.name);
                continue;
            }
        };
        let ratio = peer.map(|(_, peer)| if benchmark.more_is_better { ours / peer } else { peer / ours });
        let name = peer.map(|(name, _)| name);
        let shown = |value: Option<f64>, digits| value.map_or("–".to_owned(), |value| format!("{value:.digits$}"));
        let (theirs, times) = (shown(peer.map(|(_, peer)| peer), 2), shown(ratio, 2));
        println!(
            "{:24} {ours:>12.2}  {theirs:>12}  {times:>6}  {:24}  {}",
            benchmark.name,
            name.unwrap_or("–"),
            benchmark.unit
        );
        record(&json!({
            "name": benchmark.name, "ours": ours, "peer": peer.map(|(_, peer)| peer), "unit": benchmark.unit,
            "ratio": ratio, "peer_name": name, "machine": machine, "commit": commit,
        }));
    }
    std::process::exit(i32::from(failures > 0));
}

fn record(line: &Value) {
    let file = cache().join("bench.jsonl");
    let appended =
        std::fs::File::options().create(true).append(true).open(&file).and_then(|mut file| writeln!(file, "{line}"));
    if let Err(error) = appended {
        eprintln!("error: {} cannot be written: {error}", file.display());
        std::process::exit(1);
    }
}

fn cache() -> PathBuf {
    path_from_env("EMOFED_CACHE")
}

fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": unknown");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{} ({cores} cores)", model.trim_start_matches([' ', '\t', ':']))
}

fn commit() -> String {
    let output = Command::new("git").args(["rev-parse", "--short", "HEAD"]).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

fn bytes(file: &str) -> Result<Outcome, String> {
    let path = page_files().join(file);
    let size =
        std::fs::metadata(&path).map_err(|_| format!("{} is missing; way out: `make build`", path.display()))?.len();
    Ok(Outcome { ours: size as f64, peer: None })
}

/// The middle one.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// That ours and the peer's computed the same, to 1e-3 of the largest.
fn check_same(peer: &str, ours: &[f64], theirs: &[f64]) -> Result<(), String> {
    let largest = theirs.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    let same = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-3 * largest;
    match ours.len() == theirs.len() && ours.iter().zip(theirs).all(same) {
        true => Ok(()),
        false => Err(format!("{peer} computes something else")),
    }
}

/// The largest resident set of a process in kB, from Linux's `VmHWM`; 0 where there is none.
fn peak_kilobytes(process: &str) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let kilobytes = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
    kilobytes.and_then(|number| number.trim().parse().ok()).unwrap_or(0.0)
}

/// The update of a real fine-tuning run, as `learning.update_encoding = "int8"` sends it, beside the same in F32.
fn update_bytes() -> Result<Outcome, String> {
    let clip = |index: usize| {
        let mut target = [0.0; 6];
        target[index % 6] = 1.0;
        Clip { features: emofed_tests::values(&format!("clip/{index}"), 30 * FEATURES), target }
    };
    let base = Vfer::random(1);
    let tuning = FineTune::new(&base, (0..16).map(clip).collect(), &LearningSettings::default());
    let mut tuning = tuning.map_err(|error| error.to_string())?;
    while tuning.step().map_err(|error| error.to_string())?.is_some() {}
    let update = ClientUpdate { round: 1, base_version: 1, num_examples: 16, metrics: None, delta: tuning.finish() };
    let bytes = |encoding| update.encode_as(encoding, 1).len() as f64;
    Ok(Outcome { ours: bytes(UpdateEncoding::Int8), peer: Some(("ours in F32", bytes(UpdateEncoding::F32))) })
}
