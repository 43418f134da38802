//! How feature maps are stored on a GPU: NHWC with channels in groups of four, `[height, width, ⌈channels / 4⌉]` of `vec4`.
//! Lanes beyond the last channel hold values that nobody reads: the weights for them are zero.

use crate::model::graph::Shape;

/// Lanes of a vector.
pub(super) const LANES: usize = 4;

/// Vectors of a pixel.
pub(super) fn vectors(channels: usize) -> usize {
    channels.div_ceil(LANES)
}

/// Values that a feature map takes, with its unused lanes.
pub(super) fn stored_elements(shape: Shape) -> usize {
    shape.pixels() * vectors(shape.channels) * LANES
}

/// `values` of one pixel, padded with zeros to whole vectors.
pub(super) fn padded(values: &[f32]) -> Vec<f32> {
    let mut values = values.to_vec();
    values.resize(values.len().next_multiple_of(LANES), 0.0);
    values
}

/// From planes, NCHW, to the stored form.
pub(super) fn from_planes(planes: &[f32], shape: Shape) -> Vec<f32> {
    let mut stored = vec![0.0; stored_elements(shape)];
    let pitch = vectors(shape.channels) * LANES;
    for (channel, plane) in planes.chunks_exact(shape.pixels()).enumerate() {
        let values = stored[channel..].iter_mut().step_by(pitch);
        values.zip(plane).for_each(|(value, input)| *value = *input);
    }
    stored
}

/// Appends a stored feature map, without its unused lanes, to `out`.
pub(super) fn append_unpadded(stored: &[f32], shape: Shape, out: &mut Vec<f32>) {
    let pixels = stored.chunks_exact(vectors(shape.channels) * LANES);
    pixels.for_each(|pixel| out.extend_from_slice(&pixel[..shape.channels]));
}
