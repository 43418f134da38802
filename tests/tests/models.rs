//! EmoNet against ONNX Runtime's numbers: the same tests natively and in the browser, there with feature `gpu` on WebGPU, too.
//! The lite backbone's numbers are checked against its package in `imports.rs`; here, that WebGPU computes what the CPU does.

use emofed::model::emonet::{EmoNet, used_tensors};
#[cfg(feature = "gpu")]
use emofed::model::gpu;
use emofed::model::lite::Lite;
use emofed::model::{Backbone, BackboneKind, Device, ModelError, burn, cpu, device};
use emofed::simd::Isa;
use emofed::weights::{Weights, WeightsError};
use emofed_tests::{assert_close, emonet_parameter, input_image, lite_weights};
use serde_json::Value;
use wasm_bindgen_test::wasm_bindgen_test;

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

const TOLERANCE: f64 = 1e-4;

fn tiny() -> Value {
    serde_json::from_str(include_str!("../fixtures/emonet_tiny.json")).unwrap()
}

fn official() -> Value {
    serde_json::from_str(include_str!("../fixtures/emonet_official.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn weights(golden: &Value, prefix: &str) -> Weights {
    let mut weights = Weights::new();
    for (name, shape) in golden["shapes"].as_object().unwrap() {
        let shape: Vec<usize> = numbers(shape).into_iter().map(|length| length as usize).collect();
        weights.insert(format!("{prefix}{name}"), emonet_parameter(name, &shape));
    }
    for (name, first) in golden["first_values"].as_object().unwrap() {
        let generated = &weights.get(&format!("{prefix}{name}")).unwrap().values[..3];
        assert_close(name, generated, &numbers(first), 1e-6);
    }
    weights
}

/// How far weights that are stored in half the bytes may change a result.
const F16_TOLERANCE: f64 = 2e-3;

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn emonet_official_from_f16_weights() {
    let golden = official();
    let file = weights(&golden, "").to_safetensors_f16(None);
    assert!(file.len() < 29_000_000, "{} bytes", file.len());
    let weights = Weights::from_safetensors(&file).unwrap();
    let backbone = Backbone::load(BackboneKind::Emonet, &weights, &Device::Cpu).unwrap();
    let case = &golden["cases"][0];
    let image = input_image(case["image"].as_str().unwrap(), backbone.input_size());
    let extraction = backbone.extract(&image).await.unwrap();
    assert_close("features", &extraction.features, &numbers(&case["features"]), F16_TOLERANCE);
    assert_close("expression", &extraction.logits, &numbers(&case["expression"]), F16_TOLERANCE);
}

/// Checks a network as the tab uses it, and its inner values: features, all ten outputs of the head, the attention.
async fn check(golden: &Value, weights: &Weights, device: &Device, cases: usize) {
    let backbone = Backbone::load(BackboneKind::Emonet, weights, device).unwrap();
    let mut network = EmoNet::load(weights).unwrap();
    network.extractor.outputs.push(network.attention);
    let size = golden["config"]["input"].as_u64().unwrap() as usize;
    assert_eq!((backbone.input_size(), backbone.feature_count()), (size, network.config.width));
    for case in golden["cases"].as_array().unwrap().iter().take(cases) {
        let image = input_image(case["image"].as_str().unwrap(), size);
        let extraction = backbone.extract(&image).await.unwrap();
        assert_close("features", &extraction.features, &numbers(&case["features"]), TOLERANCE);
        assert_close("expression", &extraction.logits, &numbers(&case["expression"]), TOLERANCE);

        let all_outputs: Vec<(String, Vec<Vec<f32>>)> = match device {
            Device::Cpu => {
                let engine = |isa| cpu::Engine::with_isa(&network.extractor, isa);
                Isa::available().into_iter().map(|isa| (format!("{isa:?}"), engine(isa).run(&image))).collect()
            }
            #[cfg(feature = "gpu")]
            Device::Gpu(card) => {
                vec![("gpu".to_owned(), gpu::Engine::new(&network.extractor, card).run(&image).await.unwrap())]
            }
            Device::Burn(device) => {
                vec![("burn".to_owned(), burn::Engine::new(&network.extractor, device).run(&image).await.unwrap())]
            }
        };
        for (engine, outputs) in all_outputs {
            let [features, attention] = &outputs[..] else { panic!("two outputs") };
            assert_close(&format!("features on {engine}"), features, &numbers(&case["features"]), TOLERANCE);
            let head = cpu::Engine::new(&network.head).run(features).swap_remove(0);
            let expected = [numbers(&case["expression"]), numbers(&case["valence_arousal"])].concat();
            assert_close(&format!("head on {engine}"), &head, &expected, TOLERANCE);
            let row = numbers(&case["attention_first_row"]);
            assert_close(&format!("attention's first row on {engine}"), &attention[..row.len()], &row, TOLERANCE);
            let sum: f64 = attention.iter().map(|value| f64::from(*value)).sum();
            let expected = case["attention_sum"].as_f64().unwrap();
            assert!((sum - expected).abs() <= TOLERANCE * expected.abs(), "{engine}: attention {sum}, not {expected}");
        }
    }
}

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn emonet_tiny_on_the_cpu() {
    check(&tiny(), &weights(&tiny(), ""), &Device::Cpu, 2).await;
}

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn emonet_tiny_on_flex() {
    check(&tiny(), &weights(&tiny(), ""), &device::flex(), 2).await;
}

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn emonet_official_on_flex() {
    check(&official(), &weights(&official(), ""), &device::flex(), 1).await;
}

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn lite_is_the_same_on_flex() {
    check_lite(&device::flex()).await;
}

/// That the lite backbone computes on `device` what it does on the CPU.
async fn check_lite(device: &Device) {
    let load = |device| Backbone::load(BackboneKind::Lite, &lite_weights(), device).unwrap();
    let (cpu, other) = (load(&Device::Cpu), load(device));
    let images = ["image/0", "image/1"].map(|name| input_image(name, cpu.input_size())).concat();
    let (expected, found) = (cpu.extract(&images).await.unwrap(), other.extract(&images).await.unwrap());
    let widen = |values: &[f32]| values.iter().map(|&value| f64::from(value)).collect::<Vec<_>>();
    let network = Lite::load(&lite_weights()).unwrap().extractor;
    for isa in Isa::available() {
        let engine = cpu::Engine::with_isa(&network, isa);
        let pixels = images.len() / 2;
        let features: Vec<f32> = images.chunks(pixels).flat_map(|image| engine.run(image).swap_remove(0)).collect();
        assert_close(&format!("lite features on {isa:?}"), &features, &widen(&found.features), TOLERANCE);
    }
    assert_close("lite features", &found.features, &widen(&expected.features), TOLERANCE);
    assert_close("lite logits", &found.logits, &widen(&expected.logits), TOLERANCE);
}

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn emonet_official_on_the_cpu() {
    check(&official(), &weights(&official(), ""), &Device::Cpu, 2).await;
}

#[cfg(feature = "gpu")]
#[wasm_bindgen_test(unsupported = tokio::test)]
async fn both_backbones_on_a_graphics_card() {
    let card = gpu::Card::open(gpu::Precision::F32, |reason| panic!("the card was lost: {reason}")).await.unwrap();
    check(&tiny(), &weights(&tiny(), ""), &Device::Gpu(card.clone()), 2).await;
    check_lite(&Device::Gpu(card)).await;
}

/// Natively, since SwiftShader would take a minute, and knows no f16.
#[cfg(all(feature = "gpu", not(target_arch = "wasm32")))]
#[tokio::test]
async fn emonet_official_on_a_graphics_card() {
    let (golden, weights) = (official(), weights(&official(), ""));
    for (precision, tolerance) in [(gpu::Precision::F32, TOLERANCE), (gpu::Precision::F16, F16_TOLERANCE)] {
        let card = gpu::Card::open(precision, |reason| panic!("the card was lost: {reason}")).await.unwrap();
        assert_eq!(card.precision, precision, "this card knows no f16");
        let backbone = Backbone::load(BackboneKind::Emonet, &weights, &Device::Gpu(card)).unwrap();
        for case in golden["cases"].as_array().unwrap() {
            let image = input_image(case["image"].as_str().unwrap(), backbone.input_size());
            let extraction = backbone.extract(&image).await.unwrap();
            assert_close("features", &extraction.features, &numbers(&case["features"]), tolerance);
            assert_close("expression", &extraction.logits, &numbers(&case["expression"]), tolerance);
        }
    }
}

#[cfg(all(feature = "gpu", not(target_arch = "wasm32")))]
#[tokio::test]
async fn a_lost_card_is_an_error() {
    let card = gpu::Card::open(gpu::Precision::F32, |_| {}).await.unwrap();
    let backbone = Backbone::load(BackboneKind::Lite, &lite_weights(), &Device::Gpu(card.clone())).unwrap();
    let image = input_image("image/0", backbone.input_size());
    backbone.extract(&image).await.unwrap();
    card.lose();
    assert!(matches!(backbone.extract(&image).await, Err(ModelError::Device(_))));
}

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn names_of_files_from_several_cards_are_understood() {
    check(&tiny(), &weights(&tiny(), "module."), &Device::Cpu, 1).await;
}

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn a_batch_is_each_of_its_images() {
    let backbone = Backbone::load(BackboneKind::Emonet, &weights(&tiny(), ""), &Device::Cpu).unwrap();
    let images = ["image/0", "image/1"].map(|name| input_image(name, backbone.input_size()));
    let batch = backbone.extract(&images.concat()).await.unwrap();
    for (image, features) in images.iter().zip(batch.features.chunks(backbone.feature_count())) {
        let alone: Vec<f64> = backbone.extract(image).await.unwrap().features.into_iter().map(f64::from).collect();
        assert_close("features", features, &alone, 1e-5);
    }
    let classified = backbone.classify(&batch.features).unwrap();
    assert_close("the head alone", classified.as_flattened(), &flat(&batch.probabilities), 1e-5);
}

fn flat(rows: &[[f32; 6]]) -> Vec<f64> {
    rows.as_flattened().iter().map(|&value| f64::from(value)).collect()
}

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn bad_input_is_refused() {
    let good = weights(&tiny(), "");
    let backbone = Backbone::load(BackboneKind::Emonet, &good, &Device::Cpu).unwrap();
    let mut image = input_image("image/0", backbone.input_size());
    assert!(backbone.extract(&image[1..]).await.is_err());
    assert!(backbone.extract(&[]).await.is_err());
    for pixel in [f32::NAN, f32::INFINITY] {
        image[7] = pixel;
        assert!(backbone.extract(&image).await.is_err());
    }

    let lite = Backbone::load(BackboneKind::Lite, &lite_weights(), &Device::Cpu).unwrap();
    let unit = 3 * 112 * 112;
    let error = lite.extract(&vec![0.5; unit + 1]).await.unwrap_err();
    assert_eq!(error, ModelError::InputLength { found: unit + 1, unit });
    let mut features = vec![0.5; 2 * 256];
    features[300] = f32::NEG_INFINITY;
    assert_eq!(lite.classify(&features), Err(ModelError::InputNotFinite { index: 300 }));
}

fn load(kind: BackboneKind, weights: &Weights) -> Result<(), ModelError> {
    Backbone::load(kind, weights, &Device::Cpu).map(drop)
}

#[wasm_bindgen_test(unsupported = test)]
fn weights_that_do_not_fit_are_refused_by_name() {
    for (kind, good) in [(BackboneKind::Emonet, weights(&tiny(), "")), (BackboneKind::Lite, lite_weights())] {
        for (name, tensor) in good.iter() {
            let mut missing = Weights::new();
            good.iter().filter(|(other, _)| *other != name).for_each(|(n, t)| missing.insert(n, t.clone()));
            assert!(matches!(load(kind, &missing), Err(ModelError::Weights(_))), "without {name}");
            let mut broken = good.clone();
            broken.insert(name, emofed_tests::tensor(name, &tensor.shape, f32::NAN));
            let error = WeightsError::NotFinite { name: name.into(), index: 0 };
            assert_eq!(load(kind, &broken), Err(ModelError::Weights(error)));
        }
    }
    let mut wrong = weights(&tiny(), "");
    wrong.insert("m1.b2_1.conv2.weight", emofed_tests::tensor("x", &[8, 16], 1.0));
    let error = load(BackboneKind::Emonet, &wrong).unwrap_err();
    let ModelError::Weights(WeightsError::Shape { name, expected, found }) = error else { panic!("{error}") };
    assert_eq!((name.as_str(), expected, found), ("m1.b2_1.conv2.weight", vec![8, 16, 3, 3], vec![8, 16]));
    wrong.insert("conv1.weight", emofed_tests::tensor("x", &[0, 3, 7, 7], 1.0));
    assert!(matches!(load(BackboneKind::Emonet, &wrong), Err(ModelError::Weights(WeightsError::Shape { .. }))));
    let mut deeper = weights(&tiny(), "");
    deeper.insert("emo_net_2.99999999.bn1.weight", emofed_tests::tensor("x", &[32], 1.0));
    let unexpected = WeightsError::Unexpected { name: "emo_net_2.99999999.bn1.weight".into() };
    assert_eq!(load(BackboneKind::Emonet, &deeper), Err(ModelError::Weights(unexpected)));
    let missing = WeightsError::Missing { name: "dense0.conv0.weight".into() };
    assert_eq!(load(BackboneKind::Lite, &weights(&tiny(), "")), Err(ModelError::Weights(missing)));
}

#[wasm_bindgen_test(unsupported = test)]
fn five_expressions_are_too_few() {
    let mut five = weights(&tiny(), "");
    for (name, shape) in [("emo_fc_2.3.weight", &[7, 16][..]), ("emo_fc_2.3.bias", &[7])] {
        five.insert(name, emonet_parameter(name, shape));
    }
    assert!(EmoNet::load(&five).is_ok());
    assert_eq!(load(BackboneKind::Emonet, &five), Err(ModelError::Expressions { found: 5, expected: 8 }));
}

#[wasm_bindgen_test(unsupported = test)]
fn tensors_that_the_network_does_not_read_are_left_out() {
    let mut more = weights(&tiny(), "module.");
    more.insert("module.emo_fc.0.weight", emofed_tests::tensor("x", &[16, 32], 1.0));
    assert_eq!(used_tensors(&more), Ok(weights(&tiny(), "")));
}
