//! What the tests share.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;

use emofed::model::Device;
use emofed_server::import::lite;
use emofed_server::lab::LabError;
use emofed_server::lab::cache::record::Counts;
use emofed_server::lab::datasets::SourceList;
use emofed_server::lab::extract::{Crop, Engines, Settings, extract};
use emofed_server::lab::media::Sampling;
use emofed_server::lab::models::Models;

/// As the tab looks, and stills as they are.
pub const SETTINGS: Settings =
    Settings { sampling: Sampling { frames_per_second: 10.0, film_seconds: 0.0, seed: 1 }, crop: Crop::LargestFace };

/// A path that `.tools/env.sh` sets.
pub fn path_from_env(name: &str) -> PathBuf {
    let path = std::env::var_os(name).map(PathBuf::from);
    let path =
        path.unwrap_or_else(|| panic!("{name} is not set; way out: `make test`, or first `source .tools/env.sh`"));
    assert!(path.exists(), "{name} is {}, where there is nothing; way out: `make setup`", path.display());
    path
}

/// The npm package's folder with weights.
pub fn package() -> PathBuf {
    path_from_env("EMOFED_NODE_MODULES").join("@vladmandic/face-api/model")
}

/// A file or folder of the repository's fixtures.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures").join(name)
}

/// The real lite weights.
pub fn models() -> &'static Models {
    static MODELS: OnceLock<Models> = OnceLock::new();
    MODELS.get_or_init(|| Models::lite(lite::convert(&package()).unwrap()))
}

/// Extracts with so many threads.
pub fn run_with(jobs: usize, list: &SourceList, settings: &Settings, path: &Path) -> Result<Counts, LabError> {
    let engines = Engines { models: models(), device: &Device::Cpu, jobs };
    extract(list, settings, Some(engines), path, &AtomicBool::new(false), |_| {})
}

/// Extracts with two threads.
pub fn run(list: &SourceList, settings: &Settings, path: &Path) -> Result<Counts, LabError> {
    run_with(2, list, settings, path)
}

/// Makes a video with ffmpeg.
pub fn film(arguments: &[&str], to: &Path) {
    let mut command = Command::new("ffmpeg");
    let done = command.args(["-nostdin", "-v", "error", "-y"]).args(arguments).arg(to).status().unwrap();
    assert!(done.success(), "ffmpeg made no {}", to.display());
}

/// Copies the portrait to `to`, as a PNG of `side`×`side` pixels from (`left`, `top`).
pub fn portrait(to: &Path, left: u32, top: u32, side: u32) {
    image::open(fixture("astronaut.png")).unwrap().crop_imm(left, top, side, side).save(to).unwrap();
}
