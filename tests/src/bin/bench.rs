//! `make bench [NAME…]`: ours and the peer in turn, several times; medians to `$EMOFED_CACHE/bench.jsonl` and as a table.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use emofed::learning::{AdamSettings, Clip, FedAvg, Trainer};
use emofed::model::vfer::{FEATURES, Vfer};
use emofed_tests::e2e::aggregator::Aggregator;
use emofed_tests::e2e::browser::Camera;
use emofed_tests::e2e::camera::Film;
use emofed_tests::e2e::path_from_env;
use emofed_tests::e2e::student::Student;
use emofed_tests::values;
use serde_json::{Value, json};

/// A benchmark without a peer yet has `peer` and `ratio` null.
struct Benchmark {
    name: &'static str,
    unit: &'static str,
    ours: fn() -> f64,
}

const BENCHMARKS: [Benchmark; 6] = [
    Benchmark { name: "wasm-worker-bytes", unit: "bytes (brotli)", ours: || bytes("worker-cpu_bg.wasm.br") },
    Benchmark { name: "wasm-gpu-worker-bytes", unit: "bytes (brotli)", ours: || bytes("worker-gpu_bg.wasm.br") },
    Benchmark { name: "wasm-page-bytes", unit: "bytes (brotli)", ours: || bytes("page_bg.wasm.br") },
    Benchmark { name: "vfer-native", unit: "ms a step (8 × 32 frames, 1 thread)", ours: vfer_step },
    Benchmark { name: "fedavg", unit: "ms (100 × 1 M values)", ours: fedavg },
    Benchmark { name: "lite-fps", unit: "frames/s in headless Chromium, CPU", ours: lite_fps },
];

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    if wanted.iter().any(|name| name == "--list") {
        return BENCHMARKS.iter().for_each(|benchmark| println!("{:24} {}", benchmark.name, benchmark.unit));
    }
    if let Some(unknown) = wanted.iter().find(|name| BENCHMARKS.iter().all(|known| known.name != **name)) {
        eprintln!("error: there is no benchmark {unknown}");
        eprintln!("way out: one of {}", BENCHMARKS.map(|benchmark| benchmark.name).join(", "));
        std::process::exit(2);
    }
    let (machine, commit) = (machine(), commit());
    println!("{:24} {:>14}  {:>10}  {:>6}  unit", "name", "ours", "peer", "ratio");
    for benchmark in BENCHMARKS.iter().filter(|known| wanted.is_empty() || wanted.iter().any(|n| n == known.name)) {
        let ours = (benchmark.ours)();
        println!("{:24} {ours:>14.2}  {:>10}  {:>6}  {}", benchmark.name, "–", "–", benchmark.unit);
        record(&json!({
            "name": benchmark.name, "ours": ours, "peer": Value::Null, "unit": benchmark.unit, "ratio": Value::Null,
            "peer_name": Value::Null, "machine": machine, "commit": commit,
        }));
    }
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

fn bytes(file: &str) -> f64 {
    let path = path_from_env("EMOFED_DIST").join(file);
    size(&path) as f64
}

fn size(path: &Path) -> u64 {
    std::fs::metadata(path).unwrap_or_else(|_| panic!("{} is missing; way out: `make build`", path.display())).len()
}

/// Median time of `runs` runs in milliseconds, after one to warm up.
fn median_ms(runs: usize, mut run: impl FnMut()) -> f64 {
    run();
    let mut times: Vec<Duration> = (0..runs)
        .map(|_| {
            let started = Instant::now();
            run();
            started.elapsed()
        })
        .collect();
    times.sort();
    1_000.0 * times[runs / 2].as_secs_f64()
}

fn vfer_step() -> f64 {
    let clips: Vec<Clip> = (0..8)
        .map(|clip| {
            let mut target = [0.0; 6];
            target[clip % 6] = 1.0;
            Clip { features: values(&format!("clip/{clip}"), 32 * FEATURES), target }
        })
        .collect();
    let batch: Vec<&Clip> = clips.iter().collect();
    let mut trainer = Trainer::new(Vfer::random(1), AdamSettings::with_learning_rate(1e-4));
    median_ms(51, || {
        trainer.step(&batch);
    })
}

fn fedavg() -> f64 {
    let mut model = emofed::weights::Weights::new();
    model.insert("values", emofed_tests::tensor("model", &[1_000_000], 1.0));
    let mut update = model.clone();
    update.iter_mut().for_each(|(_, tensor)| tensor.values.iter_mut().for_each(|value| *value *= 0.01));
    median_ms(3, || {
        let mut average = FedAvg::new(model.clone());
        for client in 1..=100 {
            average.add(&update, client).expect("the layout is the model's");
        }
        assert!(average.finish().is_some());
    })
}

/// Read off the page, as a student would, with the plan's limit out of the way.
fn lite_fps() -> f64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    runtime.block_on(async {
        let aggregator = Aggregator::start_with("[capture]\nmax_frames_per_second = 60.0\n").await;
        let student = Student::join(aggregator.student_link(), Camera::Granted(Film::Portrait(1))).await;
        student.wait_for_expressions().await;
        tokio::time::sleep(Duration::from_secs(20)).await;
        student.browser().script("return parseFloat(document.querySelector('#fps').innerText)").await
    })
}
