//! EmoNet's convolution block and hourglass.

use super::fold::norm;
use crate::model::ModelError;
use crate::model::loader::Loader;
use crate::model::network::{Convolution, Map, Network};

/// Appends a block: three 3×3 convolutions, each after a batch norm and a ReLU; their results side by side are added
/// to the input. Convolutions read only what the norm and the ReLU leave, so nothing here can be folded.
pub(super) fn block(
    network: &mut Network,
    loader: &Loader,
    name: &str,
    x: Map,
    outputs: usize,
) -> Result<Map, ModelError> {
    let stage = |bn: &str, conv: &str, inputs, outputs, size: usize| {
        let weight = loader.values(&format!("{name}.{conv}.weight"), &[outputs, inputs, size, size])?;
        let convolution = Convolution::new(weight.to_vec(), vec![0.0; outputs], size);
        Ok::<_, ModelError>(convolution.after(norm(loader, &format!("{name}.{bn}"), inputs)?.then_relu()))
    };
    // The input is brought to as many channels as the output has.
    let shortcut = if x.channels == outputs {
        x
    } else {
        network.convolve(x, stage("downsample.0", "downsample.2", x.channels, outputs, 1)?)
    };
    let mut joint = network.joint(shortcut);
    let a = network.convolve_into(&mut joint, x, stage("bn1", "conv1", x.channels, outputs / 2, 3)?);
    let b = network.convolve_into(&mut joint, a, stage("bn2", "conv2", outputs / 2, outputs / 4, 3)?);
    network.convolve_into(&mut joint, b, stage("bn3", "conv3", outputs / 4, outputs / 4, 3)?);
    Ok(joint.output)
}

/// Appends an hourglass, which looks at its input as it is and, through another hourglass, at half its size.
pub(super) fn hourglass(
    network: &mut Network,
    loader: &Loader,
    name: &str,
    level: usize,
    x: Map,
) -> Result<Map, ModelError> {
    let part = |role: &str| format!("{name}.{role}_{level}");
    let upper = block(network, loader, &part("b1"), x, x.channels)?;
    let halved = network.max_pool(x, 2);
    let mut low = block(network, loader, &part("b2"), halved, x.channels)?;
    low = if level > 1 {
        hourglass(network, loader, name, level - 1, low)?
    } else {
        block(network, loader, &part("b2_plus"), low, x.channels)?
    };
    low = block(network, loader, &part("b3"), low, x.channels)?;
    Ok(network.add_upsampled(low, upper))
}
