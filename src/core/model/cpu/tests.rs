//! Every kernel against the definition of a convolution, in f64.

use super::*;
use crate::model::graph::{Activation, Convolution, GraphBuilder, Prologue, Shape};
use crate::model::reference;
use crate::random::SplitMix64;
use crate::simd::Four;

fn random(count: usize, seed: u64) -> Vec<f32> {
    let mut random = SplitMix64::new(seed);
    (0..count).map(|_| random.signed()).collect()
}

fn check(what: &str, side: usize, channels: usize, convolution: Convolution, with_add: bool) {
    // Higher than wide, so that no kernel takes one for the other.
    for (height, width) in [(side, side), (side + 2, side)] {
        check_shape(what, Shape { height, width, channels }, &convolution, with_add);
    }
}

fn check_shape(what: &str, shape: Shape, convolution: &Convolution, with_add: bool) {
    let mut graph = GraphBuilder::new(shape);
    let (input, channels) = (graph.input(), shape.channels);
    let residual = with_add.then(|| {
        let copy = vec![1.0; convolution.out_channels * channels];
        graph.convolution(input, Convolution::new(copy, random(convolution.out_channels, 5), 1))
    });
    let output = graph.convolution_add(input, convolution.clone(), residual);
    let outputs: Vec<_> = residual.iter().copied().chain([output]).collect();
    let graph = graph.finish(&outputs).expect("a legal graph");
    let planes = random(shape.elements(), 3);
    let expected = reference::run(&graph, &planes).pop().expect("it has an output");
    let largest = expected.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    for isa in Isa::available() {
        let executor = Executor::with_isa(&graph, isa);
        let first = executor.run(&planes);
        assert_eq!(first, executor.run(&planes), "{what}: a run leaves nothing behind");
        assert_eq!(first, executor.share().run(&planes), "{what}: packed weights can be shared");
        let found = first.last().expect("it has an output");
        assert_eq!(found.len(), expected.len(), "{what}");
        for (found, expected) in found.iter().zip(&expected) {
            let close = (f64::from(*found) - expected).abs() <= 1e-5 * largest;
            assert!(close, "{what} on {isa:?}: {found} is not {expected}");
        }
    }
}

fn filter(outputs: usize, inputs: usize, size: usize) -> Convolution {
    Convolution::new(random(outputs * inputs * size * size, 1), random(outputs, 2), size)
}

fn norm_relu(channels: usize) -> Prologue {
    Prologue { affine: Some((random(channels, 7), random(channels, 8))), relu: true }
}

#[test]
fn winograd_is_a_convolution() {
    let convolution = filter(12, 8, 3).with_prologue(norm_relu(8)).with_activation(Activation::Relu);
    assert!(winograd::Winograd::<Four>::pays(&convolution, Shape::square(18, 8)));
    for side in [16, 17, 18, 19, 33] {
        check("winograd", side, 8, convolution.clone(), true);
    }
    // Channels that vectors of sixteen divide.
    let convolution =
        filter(48, 32, 3).with_prologue(norm_relu(32)).with_activation(Activation::LeakyRelu { slope: 0.1 });
    for side in [16, 21] {
        check("winograd, wide", side, 32, convolution.clone(), true);
    }
}

#[test]
fn matrices_are_convolutions() {
    check("1×1", 7, 5, filter(11, 5, 1), true);
    check("1×1 with prologue", 9, 8, filter(16, 8, 1).with_prologue(norm_relu(8)), false);
    check("3×3", 9, 6, filter(8, 6, 3).with_prologue(norm_relu(6)), true);
    check("3×3 on one pixel", 1, 4, filter(8, 4, 3), false);
    check("1×1, wide", 6, 40, filter(70, 40, 1), true);
    check("stem", 32, 3, filter(10, 3, 7).with_stride(2, (3, 3)).with_activation(Activation::Relu), false);
    check(
        "padded at the end",
        16,
        3,
        filter(10, 3, 3).with_stride(2, (0, 1)).with_activation(Activation::LeakyRelu { slope: 0.1 }),
        false,
    );
}

#[test]
fn depthwise_filters_see_one_channel() {
    let relu = Prologue { affine: None, relu: true };
    let each = |channels| filter(channels, 1, 3).depthwise();
    check("depthwise, one channel", 5, 1, each(1), false);
    check("depthwise, no whole vector", 7, 5, each(5).with_prologue(relu.clone()).with_stride(2, (1, 1)), false);
    check(
        "depthwise, 5×5",
        8,
        16,
        filter(16, 1, 5).depthwise().with_activation(Activation::LeakyRelu { slope: 0.1 }),
        false,
    );
    check("depthwise, on one pixel", 1, 16, each(16), false);
    check("depthwise", 9, 12, each(12), false);
    check("depthwise, wide", 9, 32, each(32), false);
    check("depthwise, wide, on few pixels", 2, 16, each(16).with_prologue(relu.clone()), false);
    check("depthwise, wide, halving", 7, 48, each(48).with_stride(2, (0, 1)).with_prologue(relu.clone()), false);
    check(
        "depthwise, wide, halving in the middle",
        8,
        16,
        each(16).with_stride(2, (1, 1)).with_activation(Activation::Relu),
        false,
    );
    check("depthwise, halving", 8, 16, each(16).with_stride(2, (0, 1)).with_prologue(relu), false);
}

/// `[height, width, channels]` with two channels, x and 2·x, of the numbers from 0 on.
fn counted(graph: &mut GraphBuilder) -> crate::model::graph::FeatureMap {
    graph.convolution(graph.input(), Convolution::new(vec![1.0, 2.0], vec![0.0, 0.0], 1))
}

#[test]
fn operations_without_weights_do_what_they_say() {
    let mut graph = GraphBuilder::new(Shape::square(4, 1));
    let x = graph.input();
    let two = counted(&mut graph);
    let halved = graph.max_pool(two, 2);
    let kept = graph.max_pool(two, 1);
    let up = graph.upsample_add(halved, two);
    let gated = graph.multiply_add(two, x, up);
    let mean = graph.global_average_pool(gated);
    let graph = graph.finish(&[halved, kept, up, gated, mean]).expect("a legal graph");
    let values: Vec<f32> = (0..16).map(|value| value as f32).collect();
    for isa in Isa::available() {
        let outputs = Executor::with_isa(&graph, isa).run(&values);
        assert_eq!(outputs[0], [5.0, 10.0, 7.0, 14.0, 13.0, 26.0, 15.0, 30.0]);
        assert_eq!(outputs[1][..4], [5.0, 10.0, 6.0, 12.0]);
        assert_eq!(outputs[1][30..], [15.0, 30.0]);
        assert_eq!(outputs[2][..4], [5.0, 10.0, 6.0, 12.0]);
        assert_eq!(outputs[3][2..4], [6.0 + 1.0, 12.0 + 2.0]);
        let expected: f32 = (0..16).map(|i| outputs[3][2 * i]).sum::<f32>() / 16.0;
        assert!((outputs[4][0] - expected).abs() < 1e-4);
    }
}

#[test]
fn odd_lengths_are_rounded_up_and_cut_off() {
    let mut graph = GraphBuilder::new(Shape { height: 5, width: 3, channels: 1 });
    let x = graph.input();
    let halved = graph.max_pool(x, 2);
    let up = graph.upsample_add(halved, x);
    let graph = graph.finish(&[halved, up]).expect("a legal graph");
    let values: Vec<f32> = (0..15).map(|value| value as f32).collect();
    for isa in Isa::available() {
        let outputs = Executor::with_isa(&graph, isa).run(&values);
        assert_eq!(outputs[0], [4.0, 5.0, 10.0, 11.0, 13.0, 14.0]);
        let expected: Vec<f32> = (0..15).map(|i| i as f32 + outputs[0][i / 3 / 2 * 2 + i % 3 / 2]).collect();
        assert_eq!(outputs[1], expected);
    }
}

#[test]
fn results_are_concatenated_and_added() {
    let mut graph = GraphBuilder::new(Shape::square(3, 1));
    let x = graph.input();
    let ones = |count: usize| Convolution::new(vec![1.0; count], (0..count).map(|i| i as f32).collect(), 1);
    let residual = graph.convolution(x, ones(6));
    let mut concat = graph.concat_add(residual);
    graph.convolution_concat(x, ones(4), &mut concat);
    graph.convolution_concat(x, ones(2), &mut concat);
    let graph = graph.finish(&[concat.output]).expect("a legal graph");
    let values: Vec<f32> = (0..9).map(|value| value as f32).collect();
    for isa in Isa::available() {
        let outputs = Executor::with_isa(&graph, isa).run(&values);
        assert_eq!(outputs[0][6..12], [2.0, 4.0, 6.0, 8.0, 6.0, 8.0]);
    }
}
