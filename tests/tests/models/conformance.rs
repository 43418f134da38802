//! Every operation of a graph, at odd shapes and with all that can be fused to it, on every executor, against its definition
//! in f64: the same tests natively and in the browser.

#[cfg(feature = "gpu")]
use emofed::model::gpu;
use emofed::model::graph::{Activation, Convolution, FeatureMap, Graph, GraphBuilder, Prologue, Shape};
use emofed::model::{Device, burn, cpu, device, reference};
use emofed::simd::Isa;
use emofed_tests::{assert_close, values};
use wasm_bindgen_test::wasm_bindgen_test;

/// Of the largest value. Winograd's algorithm loses the most.
const TOLERANCE: f64 = 1e-5;

/// What a case builds on.
struct Case {
    name: String,
    graph: Graph,
}

fn case(
    name: impl Into<String>,
    [height, width, channels]: [usize; 3],
    build: impl Fn(&mut GraphBuilder) -> FeatureMap,
) -> Case {
    let name = name.into();
    let mut builder = GraphBuilder::new(Shape { height, width, channels });
    let output = build(&mut builder);
    let graph = builder.finish(&[output]).unwrap_or_else(|error| panic!("{name}: {error}"));
    Case { name, graph }
}

fn convolution(in_channels: usize, out_channels: usize, kernel_size: usize) -> Convolution {
    let fan_in = in_channels * kernel_size * kernel_size;
    let weight = values("weight", out_channels * fan_in).into_iter().map(|value| value / (fan_in as f32).sqrt());
    Convolution::new(weight.collect(), values("bias", out_channels), kernel_size)
}

fn depthwise(channels: usize, kernel_size: usize) -> Convolution {
    convolution(1, channels, kernel_size).depthwise()
}

fn prologues(channels: usize) -> [Prologue; 4] {
    let affine = Some((values("scale", channels), values("shift", channels)));
    [
        Prologue::default(),
        Prologue { affine: None, relu: true },
        Prologue { affine: affine.clone(), relu: false },
        Prologue { affine, relu: true },
    ]
}

const ACTIVATIONS: [Activation; 3] = [Activation::None, Activation::Relu, Activation::LeakyRelu { slope: 0.1 }];

/// The input's shape, channels of the result, size of the kernel, stride and padding.
type Dense = ([usize; 3], usize, usize, usize, (usize, usize));

/// Small, large, and such that each executor's Winograd takes them.
#[rustfmt::skip]
const DENSE: [Dense; 14] = [
    ([1, 1, 1], 1, 1, 1, (0, 0)),
    ([1, 1, 4], 8, 3, 1, (1, 1)),
    ([5, 7, 1], 3, 3, 1, (1, 1)),
    ([7, 5, 5], 11, 1, 1, (0, 0)),
    ([9, 8, 6], 8, 3, 1, (1, 1)),
    ([9, 9, 3], 10, 7, 2, (3, 3)),
    ([8, 11, 3], 10, 3, 2, (0, 1)),
    ([6, 9, 70], 40, 1, 1, (0, 0)),
    ([6, 6, 300], 33, 1, 1, (0, 0)),
    ([5, 6, 8], 12, 5, 1, (2, 2)),
    ([10, 7, 8], 4, 3, 1, (0, 0)),
    ([17, 22, 8], 12, 3, 1, (1, 1)),
    ([33, 37, 8], 12, 3, 1, (1, 1)),
    ([32, 35, 32], 48, 3, 1, (1, 1)),
];

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (index, (input, out_channels, kernel_size, stride, padding)) in DENSE.into_iter().enumerate() {
        let channels = input[2];
        let prologue = &prologues(channels)[index % 4];
        let activation = ACTIVATIONS[index % 3];
        let plain = convolution(channels, out_channels, kernel_size).with_stride(stride, padding);
        let name = format!("{kernel_size}×{kernel_size} stride {stride} from {input:?} to {out_channels}");
        cases.push(case(format!("{name}, {prologue:?}, {activation:?}"), input, |graph| {
            let fused = plain.clone().with_prologue(prologue.clone()).with_activation(activation);
            graph.convolution(graph.input(), fused)
        }));
        cases.push(case(format!("{name}, with a residual"), input, |graph| {
            let residual = graph.convolution(graph.input(), plain.clone());
            graph.convolution_add(graph.input(), plain.clone().with_activation(ACTIVATIONS[(index + 1) % 3]), residual)
        }));
    }
    for side in [6, 33] {
        cases.push(case(format!("three branches and a residual at {side}"), [side, side + 2, 4], |graph| {
            let residual = graph.convolution(graph.input(), convolution(4, 15, 1));
            let mut concat = graph.concat_add(residual);
            let [relu, _, _, both] = prologues(4);
            let a = convolution(4, 8, 3).with_prologue(both).with_activation(Activation::Relu);
            let a = graph.convolution_concat(graph.input(), a, &mut concat);
            let b =
                graph.convolution_concat(a, convolution(8, 4, 3).with_prologue(prologues(8)[3].clone()), &mut concat);
            graph.convolution_concat(b, convolution(4, 3, 3).with_prologue(relu), &mut concat);
            graph.max_pool(concat.output, 1)
        }));
    }
    let depthwise_shapes = [
        ([5, 7, 1], 3, 1, (1, 1)),
        ([1, 1, 16], 3, 1, (1, 1)),
        ([2, 2, 16], 3, 1, (1, 1)),
        ([7, 9, 5], 3, 2, (1, 1)),
        ([9, 6, 12], 3, 1, (1, 1)),
        ([8, 7, 48], 3, 2, (0, 1)),
        ([9, 14, 32], 3, 1, (1, 1)),
        ([8, 9, 16], 5, 1, (2, 2)),
    ];
    for (index, (input, kernel_size, stride, padding)) in depthwise_shapes.into_iter().enumerate() {
        for relu in [false, true] {
            let activation = ACTIVATIONS[(index + usize::from(relu)) % 3];
            cases.push(case(
                format!("depthwise {kernel_size} stride {stride} over {input:?}, ReLU {relu}, {activation:?}"),
                input,
                |graph| {
                    let fused = depthwise(input[2], kernel_size).with_stride(stride, padding);
                    graph.convolution(
                        graph.input(),
                        fused.with_prologue(Prologue { affine: None, relu }).with_activation(activation),
                    )
                },
            ));
        }
        cases.push(case(format!("depthwise over {input:?}, then 1×1"), input, |graph| {
            let x = graph.convolution(graph.input(), depthwise(input[2], kernel_size).with_stride(stride, padding));
            graph.convolution(x, convolution(input[2], 10, 1).with_activation(Activation::Relu))
        }));
    }
    for input in [[1, 1, 1], [5, 7, 5], [4, 6, 70], [7, 3, 4]] {
        for stride in [1, 2] {
            cases.push(case(format!("max pool of {input:?}, stride {stride}"), input, |graph| {
                graph.max_pool(graph.input(), stride)
            }));
        }
        cases.push(case(format!("upsample and add to {input:?}"), input, |graph| {
            let low = graph.max_pool(graph.input(), 2);
            graph.upsample_add(low, graph.input())
        }));
        cases.push(case(format!("multiply and add of {input:?}"), input, |graph| {
            let gate = graph.convolution(graph.input(), convolution(input[2], 1, 1));
            let x = graph.max_pool(graph.input(), 1);
            graph.multiply_add(x, gate, graph.input())
        }));
        cases.push(case(format!("global average of {input:?}"), input, |graph| {
            graph.global_average_pool(graph.input())
        }));
    }
    cases
}

async fn check(executor: &str, run: impl AsyncFn(&Graph, &[f32]) -> Vec<Vec<f32>>) {
    for Case { name, graph } in cases() {
        let image = values(&name, graph.input().shape.elements());
        let expected = reference::run(&graph, &image);
        let found = run(&graph, &image).await;
        for (found, expected) in found.iter().zip(&expected) {
            assert_close(&format!("{name} on {executor}"), found, expected, TOLERANCE);
        }
    }
}

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn every_operation_on_the_cpu() {
    for isa in Isa::available() {
        check(&format!("{isa:?}"), async |graph, image| {
            let executor = cpu::Executor::with_isa(graph, isa);
            let outputs = executor.run(image);
            assert_eq!(outputs, executor.run(image), "a run leaves nothing behind");
            assert_eq!(outputs, executor.share().run(image), "packed weights can be shared");
            outputs
        })
        .await;
    }
}

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn every_operation_on_burn() {
    let Device::Burn(device) = device::flex() else { panic!("flex is a device of burn's") };
    check("burn", async |graph, image| burn::Executor::new(graph, &device).run(image).await.unwrap()).await;
}

#[cfg(feature = "gpu")]
#[wasm_bindgen_test(unsupported = tokio::test)]
async fn every_operation_on_a_gpu() {
    let lost = |reason| panic!("the device was lost: {reason}");
    let context = gpu::GpuContext::open(gpu::Precision::F32, lost).await.unwrap();
    check("gpu", async |graph, image| gpu::Executor::new(graph, &context).run(image).await.unwrap()).await;
}
