//! What the tests share: the generator behind the golden numbers in `fixtures/`.

#[cfg(not(target_arch = "wasm32"))]
pub mod e2e;

use emofed::random::SplitMix64;
use emofed::weights::{Tensor, Weights};

/// The first `count` numbers of the stream called `name`, in [-1, 1): what the reference generates weights and inputs from.
pub fn values(name: &str, count: usize) -> Vec<f32> {
    let hash = name
        .bytes()
        .fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3));
    let mut random = SplitMix64::new(hash);
    (0..count).map(|_| random.signed()).collect()
}

/// A tensor of such numbers, times `scale`.
pub fn tensor(name: &str, shape: &[usize], scale: f32) -> Tensor {
    let values = values(name, shape.iter().product()).into_iter().map(|value| value * scale).collect();
    Tensor::new(shape, values)
}

/// Asserts that two vectors differ by at most `tolerance` times the largest expected value.
///
/// # Panics
/// If they do not.
pub fn assert_close(what: &str, found: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}: length");
    let largest = expected.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    let worst = found.iter().zip(expected).map(|(found, expected)| (f64::from(*found) - expected).abs());
    let worst = worst.fold(0.0_f64, |worst, error| if error.is_nan() { f64::NAN } else { worst.max(error) });
    assert!(worst <= tolerance * largest, "{what}: off by {:e} of the largest value {largest}", worst / largest);
}

/// One tensor of EmoNet's state dict, generated as the reference does: its values keep every activation of order one.
pub fn emonet_parameter(name: &str, shape: &[usize]) -> Tensor {
    let count: usize = shape.iter().product();
    let (offset, scale) = match name.rsplit('.').next() {
        Some("running_var") => (1.0, 0.2),
        Some("running_mean" | "bias") => (0.0, 0.1),
        _ if shape.len() == 1 => (1.0, 0.2),
        _ => {
            let gain = if name.starts_with('l') { 0.1 } else { 0.6 };
            let fan_in: usize = shape[1..].iter().product();
            (0.0, (gain * (3.0 / fan_in as f64).sqrt()) as f32)
        }
    };
    Tensor::new(shape, values(name, count).into_iter().map(|value| offset + scale * value).collect())
}

/// EmoNet in its official size, with generated weights.
pub fn emonet_official() -> Weights {
    let golden = include_str!("../fixtures/emonet_official.json");
    let golden: serde_json::Value = serde_json::from_str(golden).expect("the fixture is JSON");
    let mut weights = Weights::new();
    for (name, shape) in golden["shapes"].as_object().into_iter().flatten() {
        let shape: Vec<usize> = serde_json::from_value(shape.clone()).expect("a shape is a list of lengths");
        weights.insert(name.clone(), emonet_parameter(name, &shape));
    }
    weights
}

/// A generated input, `[3, size, size]` RGB in [0, 1].
pub fn input_image(name: &str, size: usize) -> Vec<f32> {
    values(name, 3 * size * size).into_iter().map(|value| (value + 1.0) * 0.5).collect()
}

/// Generated weights that the lite backbone loads: for its arithmetic, not for what it sees.
pub fn lite_weights() -> Weights {
    let mut weights = Weights::new();
    let mut insert = |name: String, shape: &[usize]| {
        let fan_in: usize = shape[1..].iter().product();
        let generated = tensor(&name, shape, (3.0 / fan_in as f32).sqrt());
        weights.insert(name, generated);
    };
    let channels = [3, 32, 64, 128, 256];
    for (block, outputs) in channels.into_iter().skip(1).enumerate() {
        for conv in 0..4 {
            let name = format!("dense{block}.conv{conv}");
            let inputs = if conv == 0 { channels[block] } else { outputs };
            if (block, conv) == (0, 0) {
                insert(format!("{name}.weight"), &[outputs, inputs, 3, 3]);
            } else {
                insert(format!("{name}.depthwise.weight"), &[inputs, 1, 3, 3]);
                insert(format!("{name}.pointwise.weight"), &[outputs, inputs, 1, 1]);
            }
            insert(format!("{name}.bias"), &[outputs]);
        }
    }
    insert("fc.weight".into(), &[7, 256]);
    insert("fc.bias".into(), &[7]);
    weights
}
