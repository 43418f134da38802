//! The VFER and its learning rules against PyTorch's numbers: the same tests natively and in the browser.

mod video_model;

use emofed::emotion::{EMOTIONS, Emotion};
use emofed::learning::{AdamSettings, Clip, FedAvg, Trainer, pseudo_label, vote_distribution};
use emofed::model::vfer::{FEATURES, Vfer, Workspace, softmax};
use emofed::simd::Isa;
use emofed::weights::{Tensor, Weights};
use emofed_tests::{assert_close, tensor, values};
use serde_json::Value;
use wasm_bindgen_test::wasm_bindgen_test;

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

const TOLERANCE: f64 = 1e-5;

fn golden() -> Value {
    serde_json::from_str(include_str!("../../fixtures/vfer.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn model(golden: &Value) -> Vfer {
    let mut weights = Weights::new();
    let scale = (1.0 / 128_f64.sqrt()) as f32;
    for (name, shape) in golden["shapes"].as_object().unwrap() {
        let shape: Vec<usize> = numbers(shape).into_iter().map(|length| length as usize).collect();
        weights.insert(name.clone(), tensor(name, &shape, scale));
    }
    Vfer::from_weights(&weights).unwrap()
}

fn clips(golden: &Value) -> Vec<Clip> {
    let (batch, frames) = (golden["batch"].as_u64().unwrap() as usize, golden["frames"].as_u64().unwrap() as usize);
    let sequence = values("sequence", batch * frames * FEATURES);
    let votes = golden["votes"].as_array().unwrap();
    let lengths = numbers(&golden["lengths"]);
    let clips = sequence.chunks(frames * FEATURES).zip(lengths).zip(votes);
    clips
        .map(|((clip, length), votes)| {
            let counts: Vec<u32> = numbers(votes).into_iter().map(|count| count as u32).collect();
            let target = vote_distribution(&counts).unwrap();
            let features = clip[..length as usize * FEATURES].to_vec();
            Clip { features, target: std::array::from_fn(|i| target[i] as f32) }
        })
        .collect()
}

fn check_logits(vfer: &Vfer, clips: &[Clip], expected: &Value, isa: Isa) {
    let features: Vec<&[f32]> = clips.iter().map(|clip| clip.features.as_slice()).collect();
    let logits = Workspace::with_isa(isa).forward(vfer, &features).to_vec();
    let expected: Vec<f64> = expected.as_array().unwrap().iter().flat_map(numbers).collect();
    assert_close("logits", logits.as_flattened(), &expected, TOLERANCE);
}

#[wasm_bindgen_test(unsupported = test)]
fn forward_loss_gradients_and_five_adam_steps() {
    let golden = golden();
    let clips = clips(&golden);
    let batch: Vec<&Clip> = clips.iter().collect();
    let adam = |key: &str| golden["adam"][key].as_f64().unwrap();
    let settings = AdamSettings {
        learning_rate: adam("lr"),
        beta1: adam("beta1"),
        beta2: adam("beta2"),
        epsilon: adam("epsilon"),
    };
    for isa in Isa::available() {
        check_logits(&model(&golden), &clips, &golden["steps"][0]["logits"], isa);
        let mut trainer = Trainer::with_isa(model(&golden), settings, isa);
        for (index, step) in golden["steps"].as_array().unwrap().iter().enumerate() {
            let loss = trainer.step(&batch);
            assert_close("loss", &[loss], &[step["loss"].as_f64().unwrap()], TOLERANCE);
            if index == 0 {
                check_gradient(&trainer.gradient().to_weights(), step, TOLERANCE);
            }
        }
        check_logits(trainer.vfer(), &clips, &golden["after_five_steps"]["logits"], isa);
        let tuned = trainer.vfer().to_weights();
        for (name, expected) in golden["after_five_steps"]["first_values"].as_object().unwrap() {
            assert_close(name, &tuned.get(name).unwrap().values[..4], &numbers(expected), TOLERANCE);
        }
    }
}

/// Norms relative to themselves; single values relative to their tensor's norm, since four of thousands may be tiny.
fn check_gradient(gradient: &Weights, step: &Value, tolerance: f64) {
    for (name, norm) in step["gradient_norms"].as_object().unwrap() {
        let norm = norm.as_f64().unwrap();
        let values = &gradient.get(name).unwrap().values;
        let found = values.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt();
        assert!((found / norm - 1.0).abs() <= tolerance, "{name}: norm {found}, expected {norm}");
        for (found, expected) in values.iter().zip(numbers(&step["gradient_first_values"][name])) {
            assert!((f64::from(*found) - expected).abs() <= tolerance * norm, "{name}: {found}, expected {expected}");
        }
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn vote_distributions() {
    let golden = golden();
    for (votes, target) in golden["votes"].as_array().unwrap().iter().zip(golden["targets"].as_array().unwrap()) {
        let counts: Vec<u32> = numbers(votes).into_iter().map(|count| count as u32).collect();
        let found = vote_distribution(&counts).unwrap();
        for (found, expected) in found.iter().zip(numbers(target)) {
            assert!((found - expected).abs() <= 1e-12, "{counts:?}");
        }
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn pseudo_labels() {
    let golden = &golden()["pseudo_labels"];
    for (kind, offset) in [("confident", 3.0), ("undecided", 0.0)] {
        let logits = values(&format!("frames/{kind}"), 10 * EMOTIONS);
        let frames = logits.as_chunks::<EMOTIONS>().0.iter().map(|logits| {
            let mut logits = *logits;
            logits[1] += offset;
            softmax(&logits)
        });
        let frames: Vec<[f32; EMOTIONS]> = frames.collect();
        let label = pseudo_label(&frames, golden["threshold"].as_f64().unwrap()).unwrap();
        assert_close(kind, &label.mean, &numbers(&golden[kind]["mean_probabilities"]), TOLERANCE);
        let expected = golden[kind]["label"].as_u64().map(|index| Emotion::from_index(index as usize).unwrap());
        assert_eq!(label.is_kept().then_some(label.emotion), expected);
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn federated_average() {
    let golden = &golden()["fedavg"];
    let weights = |values: Vec<f32>| {
        let mut weights = Weights::new();
        weights.insert("values", Tensor::new([1_000], values));
        weights
    };
    let mut average = FedAvg::new(weights(vec![0.0; 1_000]));
    for (client, clips) in numbers(&golden["samples"]).into_iter().enumerate() {
        average.add(&weights(values(&format!("update/{client}"), 1_000)), clips as u32).unwrap();
    }
    assert_eq!((average.num_clients(), average.num_examples()), (3, 24));
    let average = average.finish().unwrap();
    let found = &average.get("values").unwrap().values;
    assert_close("first values", &found[..8], &numbers(&golden["first_values"]), TOLERANCE);
    assert_close("norm", &[average.norm() as f32], &[golden["norm"].as_f64().unwrap()], TOLERANCE);
    let mean = found.iter().map(|value| f64::from(*value)).sum::<f64>() / 1_000.0;
    assert_close("mean", &[mean as f32], &[golden["mean"].as_f64().unwrap()], TOLERANCE);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_stream_equals_the_batch() {
    let golden = golden();
    let vfer = model(&golden);
    for clip in clips(&golden) {
        for isa in Isa::available() {
            let batch = softmax(&Workspace::with_isa(isa).forward(&vfer, &[&clip.features])[0]);
            assert_close("stream", &vfer.probabilities(&clip.features), &batch.map(f64::from), 1e-6);
        }
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn the_gradient_is_the_slope_of_the_loss() {
    let golden = golden();
    let clips = clips(&golden);
    let batch: Vec<&Clip> = clips.iter().collect();
    let settings = AdamSettings::with_learning_rate(1e-4);
    let mut trainer = Trainer::new(model(&golden), settings);
    trainer.loss_and_gradient(&batch);
    let gradient = trainer.gradient().clone();
    // Along the gradient the loss rises by the squared norm: checks every parameter at once.
    let squared: f64 = gradient.slices().iter().flat_map(|slice| slice.iter()).map(|&g| f64::from(g).powi(2)).sum();
    let loss_at = |shift: f32| {
        let mut moved = model(&golden);
        for (values, gradients) in moved.parameters.slices_mut().into_iter().zip(gradient.slices()) {
            values.iter_mut().zip(gradients).for_each(|(value, gradient)| *value += shift * gradient);
        }
        f64::from(Trainer::new(moved, settings).loss_and_gradient(&batch))
    };
    let slope = (loss_at(1e-2) - loss_at(-1e-2)) / 2e-2;
    assert!((slope / squared - 1.0).abs() < 1e-3, "slope {slope}, squared norm {squared}");
}
