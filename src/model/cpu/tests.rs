//! Every kernel against the definition of a convolution, in f64.

use super::*;
use crate::model::network::{Activation, Convolution, Map, Prologue};
use crate::random::SplitMix64;
use crate::simd::Four;

fn random(count: usize, seed: u64) -> Vec<f32> {
    let mut random = SplitMix64::new(seed);
    (0..count).map(|_| random.signed()).collect()
}

/// By definition; `input` and the result are `[side, side, channels]`.
fn reference(c: &Convolution, input: &[f32], map: Map, add: Option<&[f32]>) -> Vec<f64> {
    let across = (map.side + c.padding.0 + c.padding.1 - c.size) / c.stride + 1;
    let read = |y: isize, x: isize, channel: usize| {
        let inside = 0..map.side as isize;
        if !inside.contains(&y) || !inside.contains(&x) {
            return 0.0;
        }
        let mut value = f64::from(input[(y as usize * map.side + x as usize) * map.channels + channel]);
        if let Some((scale, shift)) = &c.prologue.affine {
            value = value * f64::from(scale[channel]) + f64::from(shift[channel]);
        }
        if c.prologue.relu { value.max(0.0) } else { value }
    };
    let mut out = Vec::new();
    for index in 0..across * across * c.outputs {
        let (place, output) = (index / c.outputs, index % c.outputs);
        let (top, left) = (place / across * c.stride, place % across * c.stride);
        let (first, filter_channels) = if c.depthwise { (output, 1) } else { (0, map.channels) };
        let mut sum = f64::from(c.bias[output]) + add.map_or(0.0, |add| f64::from(add[index]));
        for channel in 0..filter_channels {
            for place in 0..c.size * c.size {
                let y = (top + place / c.size) as isize - c.padding.0 as isize;
                let x = (left + place % c.size) as isize - c.padding.0 as isize;
                let weight = c.weight[(output * filter_channels + channel) * c.size * c.size + place];
                sum += f64::from(weight) * read(y, x, first + channel);
            }
        }
        out.push(match c.activation {
            Activation::None => sum,
            Activation::Relu => sum.max(0.0),
            Activation::LeakyRelu(slope) if sum < 0.0 => sum * f64::from(slope),
            Activation::LeakyRelu(_) => sum,
        });
    }
    out
}

fn check(what: &str, side: usize, channels: usize, convolution: Convolution, with_add: bool) {
    let mut network = Network::new(side, channels);
    let input = network.input;
    let add = with_add.then(|| {
        let copy = vec![1.0; convolution.outputs * channels];
        network.convolve(input, Convolution::new(copy, random(convolution.outputs, 5), 1))
    });
    let output = network.convolve_onto(input, convolution.clone(), add);
    network.outputs = add.iter().copied().chain([output]).collect();
    let planes = random(side * side * channels, 3);
    let pixels: Vec<f32> = (0..planes.len()).map(|i| planes[i % channels * side * side + i / channels]).collect();
    let isas = Isa::available().into_iter().filter(|isa| suits(&network, *isa));
    let mut tried = 0;
    for isa in isas {
        let engine = Engine::with_isa(&network, isa);
        let first = engine.run(&planes);
        assert_eq!(first, engine.run(&planes), "{what}: a run leaves nothing behind");
        assert_eq!(first, engine.share().run(&planes), "{what}: packed weights can be shared");
        let add = with_add.then(|| first[0].as_slice());
        let expected = reference(&convolution, &pixels, input, add);
        let found = first.last().expect("it has an output");
        assert_eq!(found.len(), expected.len(), "{what}");
        let largest = expected.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
        for (found, expected) in found.iter().zip(&expected) {
            let close = (f64::from(*found) - expected).abs() <= 1e-5 * largest;
            assert!(close, "{what} on {isa:?}: {found} is not {expected}");
        }
        tried += 1;
    }
    assert!(tried > 0, "vectors of four suit every network");
}

fn filter(outputs: usize, inputs: usize, size: usize) -> Convolution {
    Convolution::new(random(outputs * inputs * size * size, 1), random(outputs, 2), size)
}

fn norm_relu(channels: usize) -> Prologue {
    Prologue { affine: Some((random(channels, 7), random(channels, 8))), relu: true }
}

#[test]
fn winograd_is_a_convolution() {
    let convolution = filter(12, 8, 3).after(norm_relu(8)).then(Activation::Relu);
    let input = Map { index: 0, side: 18, channels: 8 };
    assert!(winograd::Winograd::<Four>::suits(&convolution, input));
    for side in [16, 17, 18, 19, 33] {
        check("winograd", side, 8, convolution.clone(), true);
    }
    // Channels that vectors of sixteen divide.
    let convolution = filter(48, 32, 3).after(norm_relu(32)).then(Activation::LeakyRelu(0.1));
    for side in [16, 21] {
        check("winograd, wide", side, 32, convolution.clone(), true);
    }
}

#[test]
fn matrices_are_convolutions() {
    check("1×1", 7, 5, filter(11, 5, 1), true);
    check("1×1 with prologue", 9, 8, filter(16, 8, 1).after(norm_relu(8)), false);
    check("3×3", 9, 6, filter(8, 6, 3).after(norm_relu(6)), true);
    check("3×3 on one pixel", 1, 4, filter(8, 4, 3), false);
    check("1×1, wide", 6, 40, filter(70, 40, 1), true);
    check("stem", 32, 3, filter(10, 3, 7).strided(2, (3, 3)).then(Activation::Relu), false);
    check("padded at the end", 16, 3, filter(10, 3, 3).strided(2, (0, 1)).then(Activation::LeakyRelu(0.1)), false);
}

#[test]
fn depthwise_filters_see_one_channel() {
    let relu = Prologue { affine: None, relu: true };
    let each = |channels| filter(channels, 1, 3).depthwise();
    check("depthwise", 9, 12, each(12), false);
    check("depthwise, wide", 9, 32, each(32), false);
    check("depthwise, wide, on few pixels", 2, 16, each(16).after(relu.clone()), false);
    check("depthwise, wide, halving", 7, 48, each(48).strided(2, (0, 1)).after(relu.clone()), false);
    check("depthwise, wide, halving in the middle", 8, 16, each(16).strided(2, (1, 1)).then(Activation::Relu), false);
    check("depthwise, halving", 8, 16, each(16).strided(2, (0, 1)).after(relu), false);
}

#[test]
fn the_other_passes_do_what_they_say() {
    let mut network = Network::new(4, 1);
    let x = network.input;
    let identity = || Convolution::new(vec![1.0, 2.0], vec![0.0, 0.0], 1);
    let two = network.convolve(x, identity());
    let mut joint = network.joint(two);
    network.convolve_into(&mut joint, x, Convolution::new(vec![1.0], vec![0.0], 1));
    network.convolve_into(&mut joint, x, Convolution::new(vec![1.0], vec![0.0], 1));
    let joined = joint.output;
    let halved = network.max_pool(joined, 2);
    let kept = network.max_pool(joined, 1);
    let up = network.add_upsampled(halved, joined);
    let gated = network.add_gated(joined, x, up);
    let mean = network.mean(gated);
    network.outputs = vec![halved, kept, up, gated, mean];
    let values: Vec<f32> = (0..16).map(|value| value as f32).collect();
    for isa in Isa::available() {
        let outputs = Engine::with_isa(&network, isa).run(&values);
        assert_eq!(outputs[0], [10.0, 15.0, 14.0, 21.0, 26.0, 39.0, 30.0, 45.0]);
        assert_eq!(outputs[1][..4], [10.0, 15.0, 12.0, 18.0]);
        assert_eq!(outputs[1][30..], [30.0, 45.0]);
        assert_eq!(outputs[2][..4], [10.0, 15.0, 12.0, 18.0]);
        assert_eq!(outputs[3][2..4], [12.0 + 2.0, 18.0 + 3.0]);
        let expected: f32 = (0..16).map(|i| outputs[3][2 * i]).sum::<f32>() / 16.0;
        assert!((outputs[4][0] - expected).abs() < 1e-4);
    }
}
