//! Two real tabs through two rounds.

use emofed::emotion::Emotion;
use emofed::protocol::{ClientUpdate, ModelOrigin};
use emofed::weights::{Tensor, Weights};

use crate::recording::{ROUNDS, recording};

#[tokio::test]
async fn the_smiling_face_is_happy_in_both_tabs() {
    for tab in &recording().await.tabs {
        assert_eq!(tab.first_label, Emotion::Happiness);
    }
}

#[tokio::test]
async fn each_round_publishes_the_weighted_mean_of_what_was_sent() {
    let recording = recording().await;
    assert_eq!(recording.updates.len() as u64, ROUNDS);
    for ((round, updates), (before, after)) in
        recording.updates.iter().zip(recording.models.iter().zip(&recording.models[1..]))
    {
        assert_eq!(updates.len(), 2, "round {round}: one update of each tab");
        assert_ne!(updates[0].delta, updates[1].delta, "round {round}: the tabs saw different films");
        assert_ne!(before, after, "round {round} moved the model");
        let expected = weighted_mean(before, updates);
        expected.check_same_layout(after).unwrap();
        for ((name, expected), (_, published)) in expected.iter().zip(after.iter()) {
            for (position, (&expected, &published)) in expected.values.iter().zip(&published.values).enumerate() {
                let apart = ulps_apart(expected, published);
                assert!(apart <= 1, "round {round}, {name}[{position}]: {published} instead of {expected}");
            }
        }
    }
}

#[tokio::test]
async fn both_tabs_adopt_each_new_version() {
    let recording = recording().await;
    let published: Vec<u64> = recording.manifests.iter().map(|manifest| manifest.model.version).collect();
    for tab in &recording.tabs {
        assert_eq!(tab.versions, published);
    }
    for (before, after) in recording.manifests.iter().zip(&recording.manifests[1..]) {
        assert_eq!(after.model.parent, Some(before.model.version));
        assert_eq!(after.model.origin, ModelOrigin::Federated);
        assert_eq!(after.model.num_clients, 2);
        // With two contributors, the sum of clips would give each the other's number.
        assert_eq!(after.model.num_examples, None);
    }
}

/// base + Σ nᵢ·δᵢ / Σ nᵢ, in f64 until the end.
fn weighted_mean(base: &Weights, updates: &[ClientUpdate]) -> Weights {
    let clips: f64 = updates.iter().map(|update| f64::from(update.num_examples)).sum();
    let mut mean = Weights::new();
    for (name, tensor) in base.iter() {
        let deltas: Vec<(f64, &Tensor)> =
            updates.iter().map(|update| (f64::from(update.num_examples), update.delta.get(name).unwrap())).collect();
        let values = tensor.values.iter().enumerate().map(|(index, &value)| {
            let sum: f64 = deltas.iter().map(|(clips, delta)| clips * f64::from(delta.values[index])).sum();
            (f64::from(value) + sum / clips) as f32
        });
        mean.insert(name, Tensor::new(tensor.shape.clone(), values.collect()));
    }
    mean
}

/// How many representable numbers lie between two.
fn ulps_apart(a: f32, b: f32) -> u32 {
    // Bits of negative floats count downwards; this puts all of them in one order.
    let ordered = |value: f32| {
        let bits = value.to_bits() as i32;
        if bits < 0 { i32::MIN - bits } else { bits }
    };
    ordered(a).abs_diff(ordered(b))
}

#[test]
fn neighbouring_numbers_are_one_apart() {
    assert_eq!(ulps_apart(1.0, 1.0), 0);
    assert_eq!(ulps_apart(1.0, 1.0_f32.next_up()), 1);
    assert_eq!(ulps_apart(0.0, -0.0), 0);
    assert_eq!(ulps_apart(f32::from_bits(1), -f32::from_bits(1)), 2);
}
