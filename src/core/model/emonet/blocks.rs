//! EmoNet's convolution block and hourglass.

use super::fold::batch_norm;
use crate::model::ModelError;
use crate::model::graph::{Convolution, FeatureMap, GraphBuilder};
use crate::model::loader::Loader;

/// Appends a block: three 3×3 convolutions, each after a batch norm and a ReLU (pre-activation); the concatenation of their
/// results is added to the input. A ReLU separates each norm from the convolution before it, so that nothing can be folded.
pub(super) fn block(
    graph: &mut GraphBuilder,
    loader: &Loader,
    name: &str,
    x: FeatureMap,
    out_channels: usize,
) -> Result<FeatureMap, ModelError> {
    let stage = |bn: &str, conv: &str, inputs: usize, outputs: usize, kernel_size: usize| {
        let weight = loader.values(&format!("{name}.{conv}.weight"), &[outputs, inputs, kernel_size, kernel_size])?;
        let convolution = Convolution::new(weight.to_vec(), vec![0.0; outputs], kernel_size);
        Ok::<_, ModelError>(convolution.with_prologue(batch_norm(loader, &format!("{name}.{bn}"), inputs)?.with_relu()))
    };
    let in_channels = x.shape.channels;
    let (half, quarter) = (out_channels / 2, out_channels / 4);
    // The residual has as many channels as the output.
    let residual = if in_channels == out_channels {
        x
    } else {
        graph.convolution(x, stage("downsample.0", "downsample.2", in_channels, out_channels, 1)?)
    };
    let mut concat = graph.concat_add(residual);
    let a = graph.convolution_concat(x, stage("bn1", "conv1", in_channels, half, 3)?, &mut concat);
    let b = graph.convolution_concat(a, stage("bn2", "conv2", half, quarter, 3)?, &mut concat);
    graph.convolution_concat(b, stage("bn3", "conv3", quarter, quarter, 3)?, &mut concat);
    Ok(concat.output)
}

/// Appends an hourglass: a block at the input's resolution, plus, upsampled, blocks at half of it around the hourglass of the
/// next level.
pub(super) fn hourglass(
    graph: &mut GraphBuilder,
    loader: &Loader,
    name: &str,
    level: usize,
    x: FeatureMap,
) -> Result<FeatureMap, ModelError> {
    let part = |role: &str| format!("{name}.{role}_{level}");
    let upper = block(graph, loader, &part("b1"), x, x.shape.channels)?;
    let halved = graph.max_pool(x, 2);
    let mut low = block(graph, loader, &part("b2"), halved, x.shape.channels)?;
    low = if level > 1 {
        hourglass(graph, loader, name, level - 1, low)?
    } else {
        block(graph, loader, &part("b2_plus"), low, x.shape.channels)?
    };
    low = block(graph, loader, &part("b3"), low, x.shape.channels)?;
    Ok(graph.upsample_add(low, upper))
}
