//! What the tests share: the generator behind the golden numbers in `fixtures/`.

#[cfg(not(target_arch = "wasm32"))]
pub mod e2e;

use emofed::random::SplitMix64;
use emofed::weights::Tensor;

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
