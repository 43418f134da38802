//! Ours beside the peers, in the same Chromium.

use std::path::{Path, PathBuf};
use std::time::Duration;

use emofed::model::vfer::Vfer;
use emofed_tests::e2e::aggregator::Aggregator;
use emofed_tests::e2e::browser::Camera;
use emofed_tests::e2e::camera::Film;
use emofed_tests::e2e::peers::{Measured, Peers};
use emofed_tests::e2e::student::{Smoothness, Student};
use emofed_tests::{emonet_official, lite_weights};
use serde_json::{Value, json};

use super::{Outcome, cache, check_same, median};

/// Runs of ours and of the peer, in turn.
const ROUNDS: usize = 3;
const ONNX: &str = "onnxruntime-web";
const TFJS: &str = "tfjs 4.22 on wasm";
const MODEL: &str = "/data/emonet.onnx";
const EMONET: &str = "/data/emonet.safetensors";

type Call = (&'static str, Value);

pub fn emonet_cpu_1() -> Result<Outcome, String> {
    let ours = ("oursOneByOne", json!(["cpu", "emonet", EMONET, 5]));
    compare(&emonet()?, ours, ("ortOneByOne", json!(["wasm", 1, MODEL, 5])), ONNX, ROUNDS)
}

pub fn emonet_cpu_all() -> Result<Outcome, String> {
    let ours = ("oursOnAllCores", json!(["emonet", EMONET, 5]));
    compare(&emonet()?, ours, ("ortOneByOne", json!(["wasm", 0, MODEL, 5])), ONNX, ROUNDS)
}

pub fn emonet_webgpu() -> Result<Outcome, String> {
    // Where there is no card this is SwiftShader, and the peer takes most of a minute a frame.
    let ours = ("oursOneByOne", json!(["gpu", "emonet", EMONET, 3]));
    compare(&emonet()?, ours, ("ortOneByOne", json!(["webgpu", 1, MODEL, 1])), ONNX, 1)
}

pub fn worker_start() -> Result<Outcome, String> {
    // One thread each, as in `emonet-cpu-1`: what a page without cross-origin isolation, like ours, can have.
    let ours = ("oursFromStart", json!(["cpu", "emonet", EMONET]));
    compare(&emonet()?, ours, ("ortFromStart", json!(["wasm", 1, MODEL])), ONNX, 5)
}

pub fn vfer_step() -> Result<Outcome, String> {
    let ours = ("oursLearning", json!([8, 32, 30]));
    compare(&folder(), ours, ("tfjsLearning", json!([8, 32, 10])), TFJS, ROUNDS)
}

pub fn vfer_epoch() -> Result<Outcome, String> {
    let ours = ("oursLearning", json!([60, 40, 5]));
    compare(&folder(), ours, ("tfjsLearning", json!([60, 40, 2])), TFJS, ROUNDS)
}

pub fn vfer_webgpu_step() -> Result<Outcome, String> {
    let folder = folder();
    let write = |name: &str, bytes: Vec<u8>| {
        let file = folder.join(name);
        std::fs::write(&file, bytes).map_err(|error| format!("{}: {error}", file.display()))
    };
    write("lite.safetensors", lite_weights().to_safetensors(None))?;
    write("vfer.safetensors", Vfer::random(1).to_weights().to_safetensors(None))?;
    let ours = ("oursLearningOnWebgpu", json!([8, 32, 5]));
    compare(&folder, ours, ("tfjsLearning", json!([8, 32, 3, "webgpu"])), "tfjs 4.22 on WebGPU", ROUNDS)
}

pub fn vfer_stream() -> Result<Outcome, String> {
    compare(&folder(), ("oursStreaming", json!([30])), ("tfjsStreaming", json!([200])), TFJS, ROUNDS)
}

/// Ours on the student's page, beside the package that its weights are from.
pub fn lite_cpu() -> Result<Outcome, String> {
    block_on(async {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            ours.push(1_000.0 / frames_per_second(None).await);
            let peers = Peers::start(&folder()).await;
            theirs.push(median(peers.run("faceApi", json!([50])).await?.times));
        }
        Ok(Outcome { ours: median(ours), peer: Some(("face-api on tfjs-wasm", median(theirs))) })
    })
}

pub fn lite_fps() -> Result<Outcome, String> {
    block_on(async { Ok(Outcome { ours: frames_per_second(None).await, peer: None }) })
}

pub fn emonet_fps() -> Result<Outcome, String> {
    let file = emonet()?.join("emonet.safetensors");
    block_on(async { Ok(Outcome { ours: frames_per_second(Some(&file)).await, peer: None }) })
}

/// Read off the page, as a student would, with the plan's limit out of the way.
async fn frames_per_second(emonet: Option<&Path>) -> f64 {
    let mut aggregator = Aggregator::start_with("[capture]\nmax_frames_per_second = 1000.0\n").await;
    if let Some(file) = emonet {
        aggregator.import_emonet(file).await;
    }
    let student = Student::join(aggregator.student_link(), Camera::Granted(Film::Quick)).await;
    student.wait_for_expressions().await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    student.browser().script("return parseFloat(document.querySelector('#fps').innerText)").await
}

/// Longest task on the page's thread while models run, train and send an update.
pub fn page_long_task() -> Result<Outcome, String> {
    let smoothness = block_on(smoothness());
    Ok(Outcome { ours: smoothness.longest_task_ms, peer: None })
}

/// 95 % of the times between two animation frames of the page are shorter, meanwhile.
pub fn page_frame_gap() -> Result<Outcome, String> {
    let smoothness = block_on(smoothness());
    Ok(Outcome { ours: smoothness.gap_p95_ms, peer: None })
}

async fn smoothness() -> Smoothness {
    let aggregator = Aggregator::start_with(&Aggregator::of_one()).await;
    let student = Student::join(aggregator.student_link(), Camera::Granted(Film::Quick)).await;
    student.wait_for_clips(2).await;
    student.watch_smoothness().await;
    student.contribute().await;
    student.wait_for_version(2).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    student.smoothness().await
}

/// Both in turn; the medians, and a check that both computed the same.
fn compare(data: &Path, ours: Call, theirs: Call, name: &'static str, rounds: usize) -> Result<Outcome, String> {
    block_on(async {
        let (mut our_times, mut their_times) = (Vec::new(), Vec::new());
        let peers = Peers::start(data).await;
        for _ in 0..rounds {
            let our: Measured = peers.run(ours.0, ours.1.clone()).await?;
            let their = peers.run(theirs.0, theirs.1.clone()).await.map_err(|error| format!("{name}: {error}"))?;
            check_same(name, &our.features, &their.features)?;
            our_times.push(median(our.times));
            their_times.push(median(their.times));
        }
        Ok(Outcome { ours: median(our_times), peer: Some((name, median(their_times))) })
    })
}

/// Where files are that the page of the peers asks for.
fn folder() -> PathBuf {
    cache().join("bench")
}

/// The same, with EmoNet in its official size with generated weights, ours and the peers'.
fn emonet() -> Result<PathBuf, String> {
    let folder = folder();
    let graph = folder.join("emonet.onnx");
    if !graph.exists() {
        return Err(format!("{} is missing; way out: `.tools/setup bench`", graph.display()));
    }
    let file = folder.join("emonet.safetensors");
    std::fs::write(&file, emonet_official().to_safetensors(None))
        .map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(folder)
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.expect("a runtime starts").block_on(work)
}
