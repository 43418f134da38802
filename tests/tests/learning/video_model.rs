//! Video models on burn: the paper's against PyTorch's numbers and the hand-written path, all architectures against
//! finite differences and each other, on burn's CPU backend and, with the feature `burn-gpu`, on a GPU.

use burn::tensor::Device;
use emofed::emotion::EMOTIONS;
use emofed::learning::{
    AdamSettings, Clip, FineTune, FineTuneCheckpoint, LearningSettings, VideoModelFineTune, VideoModelTrainer,
};
use emofed::model::burn::VideoModel;
use emofed::model::vfer::{FEATURES, Pooling, Vfer, VferArchitecture};
use emofed::weights::Weights;
use emofed_tests::{assert_close, values};
use wasm_bindgen_test::wasm_bindgen_test;

use super::{check_gradient, clips, golden, model, numbers};

/// Of the largest value; between two implementations of the same sums in f32.
const TOLERANCE: f64 = 1e-4;

#[cfg(feature = "burn-gpu")]
async fn gpu() -> Device {
    use emofed::model::gpu::{GpuContext, Precision};
    let lost = |reason| panic!("the device was lost: {reason}");
    GpuContext::open(Precision::F32, lost).await.unwrap().burn_device().unwrap()
}

/// The paper's, each of the extensions alone, and all of them, with sizes that fill no vector.
fn architectures() -> Vec<VferArchitecture> {
    let paper = VferArchitecture::default();
    vec![
        paper.clone(),
        VferArchitecture { hidden_size: 50, ..paper.clone() },
        VferArchitecture { hidden_size: 136, ..paper.clone() },
        VferArchitecture { hidden_size: 24, num_layers: 3, ..paper.clone() },
        VferArchitecture { hidden_size: 33, bidirectional: true, ..paper.clone() },
        VferArchitecture { hidden_size: 40, pooling: Pooling::Attention, ..paper.clone() },
        VferArchitecture { hidden_size: 20, num_layers: 2, bidirectional: true, pooling: Pooling::Attention, ..paper },
    ]
}

/// Clips of different lengths, one of a single frame.
fn uneven_clips() -> Vec<Clip> {
    let lengths = [5, 1, 9, 3];
    let clip = |(index, frames): (usize, usize)| {
        let mut target = [0.02; EMOTIONS];
        target[index] += 0.88;
        Clip { features: values(&format!("clip/{index}"), frames * FEATURES), target }
    };
    lengths.into_iter().enumerate().map(clip).collect()
}

fn features(clips: &[Clip]) -> Vec<&[f32]> {
    clips.iter().map(|clip| clip.features.as_slice()).collect()
}

fn widen(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}

async fn goldens(device: &Device) {
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
    let weights = model(&golden).to_weights();
    let check_logits = async |weights: &Weights, expected: &serde_json::Value| {
        let model = VideoModel::from_weights(weights, device).unwrap();
        let logits = model.logits(&features(&clips)).await.unwrap();
        let expected: Vec<f64> = expected.as_array().unwrap().iter().flat_map(numbers).collect();
        assert_close("logits", logits.as_flattened(), &expected, TOLERANCE);
    };
    check_logits(&weights, &golden["steps"][0]["logits"]).await;
    let mut trainer = VideoModelTrainer::new(&weights, settings, device).unwrap();
    for (index, step) in golden["steps"].as_array().unwrap().iter().enumerate() {
        if index == 0 {
            let (loss, gradient) = trainer.loss_and_gradient(&batch).await.unwrap();
            assert_close("loss", &[loss], &[step["loss"].as_f64().unwrap()], TOLERANCE);
            check_gradient(&gradient, step, TOLERANCE);
        }
        let loss = trainer.step(&batch, None).await.unwrap();
        assert_close("loss", &[loss], &[step["loss"].as_f64().unwrap()], TOLERANCE);
    }
    let tuned = trainer.model().to_weights().await.unwrap();
    check_logits(&tuned, &golden["after_five_steps"]["logits"]).await;
}

/// A whole fine-tune against the hand-written path, with all that the settings can add.
async fn fine_tune(device: &Device) {
    let base = Vfer::random(1);
    let clips: Vec<Clip> = uneven_clips().into_iter().cycle().take(6).collect();
    let paper = LearningSettings { batch_size: 4, epochs: 2, learning_rate: 1e-3, ..LearningSettings::default() };
    let held_back = LearningSettings { proximal: 0.1, distillation: 0.3, ..paper.clone() };
    for settings in [paper, held_back] {
        let mut by_hand = FineTune::new(&base, clips.clone(), &settings).unwrap();
        let mut on_burn = VideoModelFineTune::new(&base.to_weights(), clips.clone(), &settings, device).await.unwrap();
        assert_eq!(by_hand.steps(), on_burn.steps());
        while let Some(expected) = by_hand.step().unwrap() {
            let found = on_burn.step().await.unwrap().unwrap();
            assert_eq!((found.step, found.steps), (expected.step, expected.steps));
            assert_close("loss", &[found.loss], &[f64::from(expected.loss)], TOLERANCE);
        }
        assert_eq!(on_burn.step().await.unwrap(), None);
        let (found, expected) = (on_burn.finish().await.unwrap(), by_hand.finish());
        for (name, expected) in expected.iter() {
            // Adam divides by the root of the squared gradient: one near zero takes a step of any size.
            let found = &found.get(name).unwrap().values;
            let pairs = found.iter().zip(&expected.values);
            let squared: f64 = pairs.map(|(found, expected)| f64::from(found - expected).powi(2)).sum();
            let norm = widen(&expected.values).iter().map(|value| value * value).sum::<f64>().sqrt();
            assert!(squared.sqrt() <= 1e-2 * norm, "{name}: {} of {norm}", squared.sqrt());
        }
    }
}

/// Moves `weights` along `direction`.
fn moved(weights: &Weights, direction: &Weights, shift: f32) -> Weights {
    let mut moved = weights.clone();
    for ((_, values), (_, direction)) in moved.iter_mut().zip(direction.iter()) {
        values.values.iter_mut().zip(&direction.values).for_each(|(value, along)| *value += shift * along);
    }
    moved
}

async fn gradients_are_slopes(device: &Device) {
    let clips = uneven_clips();
    let batch: Vec<&Clip> = clips.iter().collect();
    let settings = AdamSettings::with_learning_rate(1e-4);
    for architecture in architectures() {
        let weights = architecture.random(7);
        let at = async |weights: &Weights| {
            VideoModelTrainer::new(weights, settings, device).unwrap().loss_and_gradient(&batch).await.unwrap()
        };
        let gradient = at(&weights).await.1;
        // Along the gradient the loss rises by the squared norm: checks every parameter at once.
        let squared = gradient.norm().powi(2);
        let shift = (2e-3 / gradient.norm()) as f32;
        let rise =
            f64::from(at(&moved(&weights, &gradient, shift)).await.0 - at(&moved(&weights, &gradient, -shift)).await.0);
        let slope = rise / (2.0 * f64::from(shift));
        assert!((slope / squared - 1.0).abs() < 2e-2, "{architecture:?}: slope {slope}, squared norm {squared}");
    }
}

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn the_papers_model_on_burn_is_pytorchs() {
    goldens(&Device::flex()).await;
}

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn fine_tuning_on_burn_is_the_hand_written_one() {
    fine_tune(&Device::flex()).await;
}

/// Interrupted after each of the steps in `at`, by way of bytes.
async fn update_of(base: &Weights, settings: &LearningSettings, device: &Device, at: &[usize]) -> Weights {
    let clips = || -> Vec<Clip> { uneven_clips().into_iter().cycle().take(7).collect() };
    let mut training = VideoModelFineTune::new(base, clips(), settings, device).await.unwrap();
    loop {
        if at.contains(&training.done()) {
            let bytes = training.checkpoint().await.unwrap().encode();
            let checkpoint = FineTuneCheckpoint::decode(&bytes).unwrap();
            assert_eq!(checkpoint.step(), training.done());
            training = VideoModelFineTune::resume(base, clips(), settings, device, checkpoint).await.unwrap();
        }
        if training.step().await.unwrap().is_none() {
            return training.finish().await.unwrap();
        }
    }
}

fn settings_with_all_terms() -> LearningSettings {
    LearningSettings {
        batch_size: 3,
        epochs: 2,
        learning_rate: 1e-3,
        proximal: 0.1,
        distillation: 0.3,
        ..LearningSettings::default()
    }
}

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn a_run_on_burn_that_is_interrupted_at_any_step_gives_the_same_bits() {
    let (settings, device) = (settings_with_all_terms(), Device::flex());
    for architecture in architectures() {
        let base = architecture.random(4);
        let whole = update_of(&base, &settings, &device, &[]).await;
        assert!(whole.norm() > 0.0);
        for at in [&[0][..], &[1], &[3], &[6], &[0, 1, 2, 3, 4, 5, 6]] {
            let is_same = update_of(&base, &settings, &device, at).await == whole;
            assert!(is_same, "{architecture:?} at {at:?}");
        }
    }
}

/// As when WebGPU breaks off in the middle of an epoch.
#[wasm_bindgen_test(unsupported = tokio::test)]
async fn a_run_on_burn_goes_on_by_hand() {
    let (base, settings, device) = (Vfer::random(2), settings_with_all_terms(), Device::flex());
    let clips: Vec<Clip> = uneven_clips().into_iter().cycle().take(7).collect();
    let weights = base.to_weights();
    let mut on_burn = VideoModelFineTune::new(&weights, clips.clone(), &settings, &device).await.unwrap();
    on_burn.step().await.unwrap();
    let half = on_burn.step().await.unwrap().unwrap().step;
    let checkpoint = on_burn.checkpoint().await.unwrap();
    let mut by_hand = FineTune::resume(&base, clips.clone(), &settings, checkpoint.clone()).unwrap();
    while let Some(expected) = on_burn.step().await.unwrap() {
        let found = by_hand.step().unwrap().unwrap();
        assert_eq!((found.step, found.steps), (expected.step, expected.steps));
        assert!(found.step > half);
        assert_close("loss", &[found.loss], &[f64::from(expected.loss)], TOLERANCE);
    }
    assert_eq!(by_hand.step().unwrap(), None);

    let other = LearningSettings { seed: 5, ..settings };
    let resumed = VideoModelFineTune::resume(&weights, clips, &other, &device, checkpoint).await;
    assert_eq!(resumed.map(|_| ()).unwrap_err().to_string(), "the checkpoint is of another run");
}

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn gradients_of_all_architectures_are_slopes() {
    gradients_are_slopes(&Device::flex()).await;
}

/// A clip's logits do not depend on the clips that it shares a batch with, longer ones among them.
#[wasm_bindgen_test(unsupported = tokio::test)]
async fn padding_changes_nothing() {
    let clips = uneven_clips();
    for architecture in architectures() {
        let model = VideoModel::from_weights(&architecture.random(3), &Device::flex()).unwrap();
        let together = model.logits(&features(&clips)).await.unwrap();
        for (clip, expected) in clips.iter().zip(together) {
            let alone = model.logits(&[&clip.features]).await.unwrap();
            assert_close(&format!("{architecture:?}"), &alone[0], &widen(&expected), 1e-5);
        }
        let weights = model.to_weights().await.unwrap();
        assert_eq!(weights, architecture.random(3), "weights come back as they went in");
    }
}

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn clips_that_are_none_are_refused() {
    let model = VideoModel::from_weights(&VferArchitecture::default().random(3), &Device::flex()).unwrap();
    for clips in [&[][..], &[&[][..]][..], &[&[0.0; FEATURES + 1][..]][..]] {
        assert!(model.logits(clips).await.is_err());
    }
}

#[cfg(feature = "burn-gpu")]
#[wasm_bindgen_test(unsupported = tokio::test)]
async fn the_papers_model_on_a_gpu_is_pytorchs() {
    goldens(&gpu().await).await;
}

#[cfg(feature = "burn-gpu")]
#[wasm_bindgen_test(unsupported = tokio::test)]
async fn fine_tuning_on_a_gpu_is_the_hand_written_one() {
    fine_tune(&gpu().await).await;
}

/// Logits and gradients of all architectures, against burn's CPU backend.
#[cfg(feature = "burn-gpu")]
#[wasm_bindgen_test(unsupported = tokio::test)]
async fn all_architectures_on_a_gpu() {
    let (gpu, clips) = (gpu().await, uneven_clips());
    let batch: Vec<&Clip> = clips.iter().collect();
    for architecture in architectures() {
        let weights = architecture.random(5);
        let settings = AdamSettings::with_learning_rate(1e-4);
        let on = async |device: &Device| {
            let trainer = VideoModelTrainer::new(&weights, settings, device).unwrap();
            (trainer.model().logits(&features(&clips)).await.unwrap(), trainer.loss_and_gradient(&batch).await.unwrap())
        };
        let (logits, (loss, gradient)) = on(&gpu).await;
        let (expected_logits, (expected_loss, expected_gradient)) = on(&Device::flex()).await;
        let what = format!("{architecture:?}");
        assert_close(&what, logits.as_flattened(), &widen(expected_logits.as_flattened()), TOLERANCE);
        assert_close(&what, &[loss], &[f64::from(expected_loss)], TOLERANCE);
        for (name, expected) in expected_gradient.iter() {
            let found = &gradient.get(name).unwrap().values;
            assert_close(&format!("{what} {name}"), found, &widen(&expected.values), TOLERANCE);
        }
    }
}
