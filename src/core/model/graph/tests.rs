//! What is not legal, and which buffers are shared.

use super::*;

fn dense(out_channels: usize, in_channels: usize, kernel_size: usize) -> Convolution {
    let weights = out_channels * in_channels * kernel_size * kernel_size;
    Convolution::new(vec![1.0; weights], vec![0.0; out_channels], kernel_size)
}

/// The error of a graph over an input of 5×7×4.
fn error(build: impl Fn(&mut GraphBuilder) -> FeatureMap) -> GraphError {
    let mut builder = GraphBuilder::new(Shape { height: 5, width: 7, channels: 4 });
    let output = build(&mut builder);
    builder.finish(&[output]).expect_err("an illegal graph")
}

#[test]
fn shapes_follow_from_the_operations() {
    let mut graph = GraphBuilder::new(Shape { height: 5, width: 7, channels: 4 });
    let x = graph.input();
    let convolved = graph.convolution(x, dense(6, 4, 3).with_stride(2, (0, 1)));
    assert_eq!(convolved.shape, Shape { height: 2, width: 3, channels: 6 });
    assert_eq!(graph.max_pool(x, 2).shape, Shape { height: 3, width: 4, channels: 4 });
    assert_eq!(graph.global_average_pool(x).shape, Shape::square(1, 4));
    assert_eq!(graph.finish(&[convolved]).map(|graph| graph.nodes().len()), Ok(3));
}

#[test]
fn convolutions_that_are_not_legal_are_refused() {
    let convolution = |convolution: Convolution| error(|graph| graph.convolution(graph.input(), convolution.clone()));
    let expected = GraphError::ParameterLength { parameter: "weight", expected: 72, found: 54 };
    assert_eq!(convolution(dense(2, 3, 3)), expected);
    let input = Shape { height: 5, width: 7, channels: 4 };
    assert_eq!(convolution(dense(2, 4, 9).with_stride(1, (0, 0))), GraphError::KernelSize { kernel_size: 9, input });
    assert_eq!(convolution(dense(2, 4, 1).with_stride(1, (1, 0))), GraphError::Padding { padding: 1, kernel_size: 1 });
    let stride = GraphError::Stride { op: "convolution", stride: 0 };
    assert_eq!(convolution(dense(2, 4, 3).with_stride(0, (1, 1))), stride);
    let channels = GraphError::DepthwiseChannels { expected: 4, found: 3 };
    assert_eq!(convolution(dense(3, 1, 3).depthwise()), channels);
    let affine = Prologue { affine: Some((vec![1.0; 4], vec![0.0; 4])), relu: false };
    let fused = GraphError::DepthwiseFusion { fused: "affine prologue" };
    assert_eq!(convolution(dense(4, 1, 3).depthwise().with_prologue(affine)), fused);
    let short = Prologue { affine: Some((vec![1.0; 3], vec![0.0; 4])), relu: false };
    let expected = GraphError::ParameterLength { parameter: "prologue", expected: 4, found: 3 };
    assert_eq!(convolution(dense(4, 4, 3).with_prologue(short)), expected);
}

#[test]
fn operands_have_to_fit() {
    let residual = error(|graph| {
        let halved = graph.max_pool(graph.input(), 2);
        graph.convolution_add(graph.input(), dense(4, 4, 3), halved)
    });
    assert!(matches!(residual, GraphError::Operand { op: "convolution with residual", .. }));
    assert_eq!(error(|graph| graph.max_pool(graph.input(), 3)), GraphError::Stride { op: "max pool", stride: 3 });
    let upsampled = error(|graph| graph.upsample_add(graph.input(), graph.input()));
    assert!(matches!(upsampled, GraphError::Operand { op: "upsample and add", .. }));
    let gate = error(|graph| graph.multiply_add(graph.input(), graph.input(), graph.input()));
    assert!(matches!(gate, GraphError::Operand { op: "multiply and add", .. }));
    let mut other = GraphBuilder::new(Shape::square(3, 4));
    let foreign = other.max_pool(other.input(), 2);
    assert_eq!(error(|graph| graph.max_pool(foreign, 2)), GraphError::UnknownFeatureMap { id: 1 });
    assert_eq!(GraphBuilder::new(Shape::square(3, 4)).finish(&[]).err(), Some(GraphError::NoOutput));
}

#[test]
fn concatenations_are_aligned_and_filled() {
    let branches = |channels: &[usize]| {
        error(|graph| {
            let residual = graph.convolution(graph.input(), dense(8, 4, 1));
            let mut concat = graph.concat_add(residual);
            for channels in channels {
                graph.convolution_concat(graph.input(), dense(*channels, 4, 1), &mut concat);
            }
            graph.max_pool(concat.output, 2)
        })
    };
    assert_eq!(branches(&[]), GraphError::ConcatIncomplete { written: 0, channels: 8 });
    assert_eq!(branches(&[4]), GraphError::ConcatIncomplete { written: 4, channels: 8 });
    assert_eq!(branches(&[3, 5]), GraphError::ConcatAlignment { offset: 3 });
    assert_eq!(branches(&[4, 5]), GraphError::ConcatRange { offset: 4, end: 9, channels: 8 });
}

#[test]
fn buffers_are_shared_by_what_is_not_live_at_the_same_time() {
    let mut graph = GraphBuilder::new(Shape::square(8, 4));
    let mut x = graph.input();
    let mut chain = vec![x];
    for _ in 0..6 {
        x = graph.convolution(x, dense(4, 4, 3));
        chain.push(x);
    }
    let sum = graph.convolution_add(x, dense(4, 4, 3), chain[1]);
    let graph = graph.finish(&[sum]).expect("a legal graph");
    let liveness = Liveness::of(&graph);
    let plan = MemoryPlan::new(&graph, &liveness, |map| map.shape.elements());
    assert_eq!(plan.sizes().len(), 3, "one that stays for the residual, and two in turn");
    for (index, node) in graph.nodes().iter().enumerate() {
        for map in graph.feature_maps() {
            let is_written = map.id <= index;
            if is_written && liveness.last_access(*map) >= index && node.op.inputs().contains(map) {
                assert_ne!(plan.buffer(*map), plan.buffer(node.output), "an operand outlives its use");
            }
        }
    }
}
