//! Imports, natively: EmoNet from a PyTorch file, and the lite backbone and detector against the package they come from.
#![cfg(not(target_arch = "wasm32"))]

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use emofed::emotion::Emotion;
use emofed::model::detector::{InputSize, MINIMUM_SCORE};
use emofed::model::{Backbone, BackboneKind, Device, Face, FaceDetector, Frame};
use emofed_server::import::{ImportError, emonet, lite};
use emofed_tests::e2e::path_from_env;
use emofed_tests::{assert_close, emonet_parameter, input_image};
use serde::Deserialize;
use serde_json::Value;

/// Of ours and of the package's detector, so that they can be compared.
const DETECTOR_INPUT: &str = "320";

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

fn package() -> PathBuf {
    path_from_env("EMOFED_NODE_MODULES").join("@vladmandic/face-api/model")
}

const ANY: emonet::ImportOptions = emonet::ImportOptions { allow_unverified: true };

#[tokio::test]
async fn a_pytorch_file_becomes_the_golden_network() {
    let weights = emonet::convert(&fixture("emonet_tiny.pth"), ANY).unwrap();
    let golden: Value = serde_json::from_slice(&std::fs::read(fixture("emonet_tiny.json")).unwrap()).unwrap();
    for (name, tensor) in weights.iter() {
        assert_eq!(tensor, &emonet_parameter(name, &tensor.shape), "{name}");
    }
    let backbone = Backbone::load(BackboneKind::Emonet, &weights, &Device::Cpu).unwrap();
    let case = &golden["cases"][1];
    let image = input_image(case["image"].as_str().unwrap(), backbone.input_size());
    let expected: Vec<f64> = case["features"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
    assert_close("features", &backbone.extract(&image).await.unwrap().features, &expected, 1e-4);
}

#[test]
fn only_the_authors_file_is_taken_unless_asked() {
    let error = emonet::convert(&fixture("emonet_tiny.pth"), emonet::ImportOptions::default()).unwrap_err();
    assert!(matches!(error, ImportError::Unverified { .. }), "{error}");
    let folder = tempfile::tempdir().unwrap();
    let cut = folder.path().join("cut.pth");
    let whole = std::fs::read(fixture("emonet_tiny.pth")).unwrap();
    for length in [0, 1, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&cut, &whole[..length]).unwrap();
        assert!(emonet::convert(&cut, ANY).is_err(), "{length} bytes");
    }
    assert!(matches!(emonet::convert(&fixture("astronaut.png"), ANY), Err(ImportError::Malformed { .. })));
    assert!(matches!(emonet::convert(&folder.path().join("none"), ANY), Err(ImportError::File { .. })));
}

#[test]
fn a_package_that_is_cut_short_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(package()).unwrap().map(|entry| entry.unwrap()) {
        if entry.file_name().to_string_lossy().starts_with("face_expression") {
            std::fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
        }
    }
    let bin = folder.path().join("face_expression_model.bin");
    let whole = std::fs::read(&bin).unwrap();
    for bytes in [whole[..whole.len() - 1].to_vec(), [whole.clone(), vec![0]].concat()] {
        std::fs::write(&bin, bytes).unwrap();
        assert!(matches!(lite::convert(folder.path()), Err(ImportError::Malformed { .. })));
    }
}

/// The portrait, as the frame of a camera that looks at a part of it.
fn portrait() -> Frame {
    let file = std::io::BufReader::new(std::fs::File::open(fixture("astronaut.png")).unwrap());
    let mut reader = png::Decoder::new(file).read_info().unwrap();
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut bytes).unwrap();
    let rgba = bytes.chunks_exact(info.color_type.samples()).flat_map(|p| [p[0], p[1], p[2], 255]).collect();
    Frame::new(info.width as usize, info.height as usize, rgba).unwrap()
}

/// A `width`×`height` view from (`left`, `top`), `zoom` times as large, mirrored or not, `light` times as bright.
fn view(
    of: &Frame,
    (left, top): (f32, f32),
    (width, height): (usize, usize),
    zoom: f32,
    mirror: bool,
    light: f32,
) -> Frame {
    let mut rgba = Vec::with_capacity(width * height * 4);
    for y in 0..height {
        for x in 0..width {
            let x = if mirror { width - 1 - x } else { x };
            let from = |start: f32, at: usize, length: usize| {
                (start + at as f32 / zoom).clamp(0.0, (length - 1) as f32) as usize
            };
            let pixel = 4 * (from(top, y, of.height) * of.width + from(left, x, of.width));
            rgba.extend(of.rgba[pixel..pixel + 3].iter().map(|&value| (f32::from(value) * light).min(255.0) as u8));
            rgba.push(255);
        }
    }
    Frame::new(width, height, rgba).unwrap()
}

#[derive(Deserialize)]
struct Peer {
    faces: Vec<PeerFace>,
    probabilities: Vec<f64>,
}

#[derive(Deserialize)]
struct PeerFace {
    x: f32,
    y: f32,
    width: f32,
    height: f32,
    score: f32,
}

/// What the package itself says of each frame.
fn ask_peer(frames: &[Frame]) -> Vec<Peer> {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("peers/face_api.mjs");
    let mut node = Command::new("node")
        .arg(script)
        .arg(DETECTOR_INPUT)
        .env("EMOFED_NODE_MODULES", path_from_env("EMOFED_NODE_MODULES"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node is missing; way out: `make setup`");
    let mut stdin = node.stdin.take().unwrap();
    for frame in frames {
        stdin.write_all(&(frame.width as u32).to_le_bytes()).unwrap();
        stdin.write_all(&(frame.height as u32).to_le_bytes()).unwrap();
        let rgb: Vec<u8> = frame.rgba.chunks_exact(4).flat_map(|pixel| pixel[..3].to_vec()).collect();
        stdin.write_all(&rgb).unwrap();
    }
    drop(stdin);
    let output = node.wait_with_output().unwrap();
    assert!(output.status.success(), "the peer failed; way out: `make setup` installs its packages");
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn boxes_and_probabilities_equal_the_packages() {
    let pack = lite::convert(&package()).unwrap();
    let backbone = Backbone::load(BackboneKind::Lite, &pack.backbone, &Device::Cpu).unwrap();
    let detector = FaceDetector::load(&pack.detector).unwrap();
    let portrait = portrait();
    // For the detector: camera frames.
    let scenes = [
        portrait.clone(),
        view(&portrait, (60.0, 20.0), (640, 480), 2.0, false, 1.0),
        view(&portrait, (90.0, 10.0), (640, 480), 2.4, true, 0.8),
        view(&portrait, (30.0, 0.0), (640, 480), 1.6, false, 1.2),
        view(&portrait, (0.0, 0.0), (480, 640), 1.3, true, 0.6),
        view(&portrait, (100.0, 30.0), (320, 240), 1.2, false, 1.0),
    ];
    for (index, (scene, peer)) in scenes.iter().zip(ask_peer(&scenes)).enumerate() {
        let found = detector.detect(scene, InputSize::Middle, MINIMUM_SCORE).unwrap();
        assert_eq!(found.len(), peer.faces.len(), "scene {index}");
        assert!(!found.is_empty(), "scene {index} shows a face");
        let allowed = 0.02 * scene.width.max(scene.height) as f32;
        let best = peer.faces.iter().max_by(|a, b| (a.width * a.height).total_cmp(&(b.width * b.height))).unwrap();
        let Face { x, y, width, height, score } = found[0];
        for (ours, theirs) in [(x, best.x), (y, best.y), (width, best.width), (height, best.height)] {
            assert!((ours - theirs).abs() <= allowed, "scene {index}: {ours} instead of {theirs}");
        }
        assert!((score - best.score).abs() <= 0.05, "scene {index}: score {score} instead of {}", best.score);
    }

    // For the backbone: crops of the size it reads, so that no resizing of either side is in between.
    let crops = [
        view(&portrait, (160.0, 65.0), (112, 112), 0.85, false, 1.0),
        view(&portrait, (150.0, 60.0), (112, 112), 0.8, true, 0.7),
        view(&portrait, (170.0, 75.0), (112, 112), 1.0, false, 1.2),
        view(&portrait, (140.0, 50.0), (112, 112), 0.7, true, 1.0),
        view(&portrait, (165.0, 85.0), (112, 112), 1.1, false, 0.5),
        view(&portrait, (0.0, 300.0), (112, 112), 0.6, false, 1.0),
        view(&portrait, (320.0, 20.0), (112, 112), 0.7, false, 1.0),
    ];
    for (index, (crop, peer)) in crops.iter().zip(ask_peer(&crops)).enumerate() {
        let whole = Face { x: 0.0, y: 0.0, width: 112.0, height: 112.0, score: 1.0 };
        let logits = backbone.extract(&crop.square_crop(&whole, 0.0, 112)).await.unwrap().logits;
        let powers: Vec<f64> = logits.iter().map(|&logit| f64::from(logit).exp()).collect();
        let sum: f64 = powers.iter().sum();
        for (ours, theirs) in powers.iter().map(|power| power / sum).zip(&peer.probabilities) {
            assert!((ours - theirs).abs() <= 0.02, "crop {index}: {ours} instead of {theirs}");
        }
    }
}

#[tokio::test]
async fn the_portrait_smiles() {
    let pack = lite::convert(&package()).unwrap();
    let backbone = Backbone::load(BackboneKind::Lite, &pack.backbone, &Device::Cpu).unwrap();
    let detector = FaceDetector::load(&pack.detector).unwrap();
    let portrait = portrait();
    let face = detector.detect(&portrait, InputSize::Middle, MINIMUM_SCORE).unwrap()[0];
    let crop = portrait.square_crop(&face, 0.0, backbone.input_size());
    let probabilities = backbone.extract(&crop).await.unwrap().probabilities[0];
    assert!(probabilities[Emotion::Happiness.index()] > 0.9, "{probabilities:?}");

    // The first video model repeats the head on a real face, which it was not made from.
    let made = emofed_server::lab::bootstrap::bootstrap(&backbone, 1, |_, _| {}).await.unwrap();
    assert!(made.agreement > 0.85, "{}", made.agreement);
    let vfer = emofed::model::vfer::Vfer::from_weights(&made.vfer).unwrap();
    let features = backbone.extract(&crop).await.unwrap().features;
    let said = vfer.probabilities(&features.repeat(12));
    let largest = said.iter().copied().fold(0.0, f32::max);
    assert_eq!(said[Emotion::Happiness.index()], largest, "{said:?}");
}
