//! Ours natively beside the peers in Python (`tests/peers/native.py`), with as many threads.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use emofed::learning::{AdamSettings, Clip, ParallelTrainer, Trainer};
use emofed::model::graph::Graph;
use emofed::model::vfer::{FEATURES, Vfer, Workspace};
use emofed::model::{cpu::Executor, emonet::EmoNet, lite::Lite};
use emofed_tests::e2e::peers::Measured;
use emofed_tests::{emonet_official, input_image, lite_weights, values};
use serde::de::DeserializeOwned;

use super::{Outcome, cache, check_same, median};

/// Runs of ours and of the peer, in turn.
const ROUNDS: usize = 5;
/// Threads of `lab-features` and `lab-train`.
const THREADS: usize = 2;
const LEARNING_RATE: f64 = 1e-5;

pub fn lab_features_lite() -> Result<Outcome, String> {
    let weights = lite_weights();
    let file = write("lite.safetensors", &weights.to_safetensors(None))?;
    let lite = Lite::load(&weights).map_err(|error| error.to_string())?;
    features("lite", &lite.extractor, &file, 200)
}

pub fn lab_features_emonet() -> Result<Outcome, String> {
    let graph = folder().join("emonet.onnx");
    if !graph.exists() {
        return Err(format!("{} is missing; way out: `.tools/setup bench`", graph.display()));
    }
    let emonet = EmoNet::load(&emonet_official()).map_err(|error| error.to_string())?;
    features("emonet", &emonet.extractor, &graph, 10)
}

/// An epoch of 2,000 clips of 40 frames in batches of 32.
pub fn lab_train() -> Result<Outcome, String> {
    training(Training { clips: 2_000, frames: 40, batch: 32, threads: THREADS, epochs: 1 })
}

/// A step on 8 clips of 32 frames, on one thread.
pub fn vfer_step() -> Result<Outcome, String> {
    training(Training { clips: 8, frames: 32, batch: 8, threads: 1, epochs: 30 })
}

/// Frames a second: ours with a frame on each thread, the peer with all threads on a frame.
fn features(name: &str, graph: &Graph, model: &Path, frames: usize) -> Result<Outcome, String> {
    let image = input_image("image/0", graph.input().shape.height);
    let image_file = write(&format!("{name}.f32"), &bytes(&image))?;
    let executor = Executor::new(graph);
    let found = to_f64(&executor.run(&image)[0]);
    let mut executors: Vec<Executor> = (0..THREADS).map(|_| executor.share()).collect();
    executors.iter().for_each(|executor| drop(executor.run(&image)));
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let measured =
            peer(&["features", &text(model), &text(&image_file), &THREADS.to_string(), &frames.to_string()])?;
        check_same("onnxruntime", &found, &measured.features)?;
        theirs.push(1_000.0 / median(measured.times));
        let (image, started) = (&image, Instant::now());
        std::thread::scope(|scope| {
            for executor in &mut executors {
                scope.spawn(move || (0..frames / THREADS).for_each(|_| drop(executor.run(image))));
            }
        });
        ours.push((frames / THREADS * THREADS) as f64 / started.elapsed().as_secs_f64());
    }
    Ok(Outcome { ours: median(ours), peer: Some(("onnxruntime 1.32", median(theirs))) })
}

struct Training {
    clips: usize,
    frames: usize,
    batch: usize,
    threads: usize,
    epochs: usize,
}

/// Milliseconds an epoch, in the clips' order.
fn training(training: Training) -> Result<Outcome, String> {
    let Training { clips, frames, batch, threads, epochs } = training;
    let vfer = Vfer::random(1);
    let weights = write("vfer.safetensors", &vfer.to_weights().to_safetensors(None))?;
    let features = values("clips", clips * frames * FEATURES);
    let file = write(&format!("clips-{clips}x{frames}.f32"), &bytes(&features))?;
    let clips: Vec<Clip> = features
        .chunks_exact(frames * FEATURES)
        .enumerate()
        .map(|(index, features)| {
            let mut target = [0.0; 6];
            target[index % 6] = 1.0;
            Clip { features: features.to_vec(), target }
        })
        .collect();
    let batches: Vec<Vec<&Clip>> = clips.chunks(batch).map(|batch| batch.iter().collect()).collect();

    let [frames, batch, epoch_count] = [frames, batch, epochs].map(|number| number.to_string());
    let arguments = ["train", &text(&weights), &text(&file), &frames, &batch, &threads.to_string(), &epoch_count];
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let measured = peer(&arguments)?;
        let settings = AdamSettings::with_learning_rate(LEARNING_RATE);
        let mut trainer = match threads {
            1 => Either::Alone(Box::new(Trainer::new(vfer.clone(), settings))),
            _ => Either::Parallel(Box::new(ParallelTrainer::new(vfer.clone(), settings, threads))),
        };
        // The first epoch warms up.
        trainer.epoch(&batches);
        let first: Vec<&[f32]> = clips[..6].iter().map(|clip| clip.features.as_slice()).collect();
        let logits = to_f64(Workspace::default().forward(trainer.vfer(), &first).as_flattened());
        check_same("PyTorch", &logits, &measured.features)?;
        let times = (0..epochs).map(|_| {
            let started = Instant::now();
            trainer.epoch(&batches);
            1_000.0 * started.elapsed().as_secs_f64()
        });
        ours.push(median(times.collect()));
        theirs.push(median(measured.times));
    }
    Ok(Outcome { ours: median(ours), peer: Some(("PyTorch 2.15", median(theirs))) })
}

/// The trainer of one thread, which a tab runs, or that of several.
enum Either {
    Alone(Box<Trainer>),
    Parallel(Box<ParallelTrainer>),
}

impl Either {
    fn epoch(&mut self, batches: &[Vec<&Clip>]) {
        for batch in batches {
            match self {
                Self::Alone(trainer) => trainer.step(batch),
                Self::Parallel(trainer) => trainer.step(batch),
            };
        }
    }

    fn vfer(&self) -> &Vfer {
        match self {
            Self::Alone(trainer) => trainer.vfer(),
            Self::Parallel(trainer) => trainer.vfer(),
        }
    }
}

/// Runs the peer once.
fn peer(arguments: &[&str]) -> Result<Measured, String> {
    python("native.py", arguments)
}

/// Runs a script of `tests/peers` and reads what it prints.
pub fn python<T: DeserializeOwned>(script: &str, arguments: &[&str]) -> Result<T, String> {
    let python = folder().join("venv/bin/python");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(script);
    let output = Command::new(&python)
        .env("LD_LIBRARY_PATH", folder().join("no-cuda"))
        .arg(script)
        .args(arguments)
        .output()
        .map_err(|error| format!("{}: {error}; way out: `.tools/setup bench`", python.display()))?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr);
        let last = message.lines().last().unwrap_or_default();
        return Err(format!("the peer in Python failed: {last}; way out: `.tools/setup bench`"));
    }
    // What a library prints before does not count.
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(text.lines().last().unwrap_or_default())
        .map_err(|error| format!("the peer in Python said something else: {error}"))
}

/// Where the peer's files are.
pub fn folder() -> PathBuf {
    cache().join("bench")
}

pub fn write(name: &str, content: &[u8]) -> Result<PathBuf, String> {
    let file = folder().join(name);
    std::fs::write(&file, content).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(file)
}

pub fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn to_f64(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| f64::from(value)).collect()
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
