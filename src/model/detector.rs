//! The tiny face detector of `@vladmandic/face-api` 1.7.15: a YOLO v2 with one class, five anchors and
//! depthwise-separable convolutions.

use super::loader::{Loader, check_output};
use super::network::{Activation, Network, Prologue};
use super::{Face, Frame, ModelError, cpu};
use crate::weights::Weights;

/// Pixels on each side of the input. The package offers multiples of 32 and takes 416 by default, for faces in a
/// crowd. In front of a laptop a face fills a fifth of the picture or more; 320 still finds those of a tenth, for
/// 60 % of the work.
const INPUT: usize = 320;

/// Cells on each side of the output.
const CELLS: usize = INPUT / 32;

/// Channels after each convolution.
const CHANNELS: [usize; 6] = [16, 32, 64, 128, 256, 512];

/// Width and height of the boxes that the network deforms, in cells.
const ANCHORS: [[f32; 2]; 5] =
    [[1.603231, 2.094468], [6.041143, 7.080126], [2.882459, 3.518061], [4.266906, 5.178857], [9.041765, 10.66308]];

/// Values for each anchor: the box's centre and size, and its score.
const BOX_VALUES: usize = 5;

/// Mean of the training images, 8-bit RGB.
const MEAN: [f32; 3] = [117.001, 114.697, 97.404];

/// A box with a lower score is no face.
const MINIMUM_SCORE: f32 = 0.5;

/// Boxes that overlap by more (intersection over union) are the same face.
const SAME_FACE: f32 = 0.4;

/// Finds faces in frames, on the CPU: it is a hundredth of EmoNet's work.
pub struct FaceDetector {
    engine: cpu::Engine,
}

impl FaceDetector {
    /// Puts [`network`] on the CPU.
    ///
    /// # Errors
    /// A tensor is missing, misshapen or not finite.
    pub fn load(weights: &Weights) -> Result<Self, ModelError> {
        Ok(Self { engine: cpu::Engine::new(&network(weights)?) })
    }

    /// The faces in `frame`, the largest first. Boxes may reach over the frame's edge.
    ///
    /// # Errors
    /// The network computed something that is not finite.
    pub fn detect(&self, frame: &Frame) -> Result<Vec<Face>, ModelError> {
        let values = check_output(self.engine.run(&frame.letterbox(INPUT)).swap_remove(0))?;
        let pixels_per_cell = frame.width.max(frame.height) as f32 / CELLS as f32;
        let mut faces = distinct(decode(&values, pixels_per_cell));
        faces.sort_by(|a, b| area(b).total_cmp(&area(a)));
        Ok(faces)
    }
}

/// From a letterboxed frame, RGB in [0, 1], to five boxes for each of 10×10 cells. Reads `conv0.…` to `conv5.…` and
/// `conv8.…`.
///
/// # Errors
/// A tensor is missing, misshapen or not finite.
pub fn network(weights: &Weights) -> Result<Network, ModelError> {
    let loader = Loader::new(weights)?;
    let mut network = Network::new(INPUT, 3);
    let mean = MEAN.map(|value| -value / 255.0).to_vec();
    let centred = Prologue { affine: Some((vec![1.0; 3], mean)), relu: false };
    let leaky = Activation::LeakyRelu(0.1);
    // The only one without padding.
    let first = loader.convolution("conv0", [CHANNELS[0], 3, 3])?.strided(1, (0, 0));
    let mut x = network.convolve(network.input, first.after(centred).then(leaky));
    for index in 1..CHANNELS.len() {
        let name = format!("conv{index}");
        let [depthwise, pointwise] = loader.separable(&name, CHANNELS[index - 1], CHANNELS[index])?;
        let halved = network.max_pool(x, 2);
        let filtered = network.convolve(halved, depthwise);
        x = network.convolve(filtered, pointwise.then(leaky));
    }
    // The last pooling keeps the size.
    x = network.max_pool(x, 1);
    let boxes = loader.convolution("conv8", [ANCHORS.len() * BOX_VALUES, x.channels, 1])?;
    network.outputs = vec![network.convolve(x, boxes)];
    Ok(network)
}

/// The boxes in the network's output `[10, 10, 25]` that are likely faces.
fn decode(values: &[f32], pixels_per_cell: f32) -> Vec<Face> {
    let plane = CELLS * CELLS;
    let sigmoid = |value: f32| 1.0 / (1.0 + (-value).exp());
    let mut faces = Vec::new();
    for (anchor, size) in ANCHORS.iter().enumerate() {
        for cell in 0..plane {
            let value = |index: usize| values[(cell * ANCHORS.len() + anchor) * BOX_VALUES + index];
            let score = sigmoid(value(4));
            if score <= MINIMUM_SCORE {
                continue;
            }
            let width = value(2).exp() * size[0];
            let height = value(3).exp() * size[1];
            let centre_x = (cell % CELLS) as f32 + sigmoid(value(0));
            let centre_y = (cell / CELLS) as f32 + sigmoid(value(1));
            faces.push(Face {
                x: (centre_x - width / 2.0) * pixels_per_cell,
                y: (centre_y - height / 2.0) * pixels_per_cell,
                width: width * pixels_per_cell,
                height: height * pixels_per_cell,
                score,
            });
        }
    }
    faces
}

/// The best box of every face (non-maximum suppression).
fn distinct(mut candidates: Vec<Face>) -> Vec<Face> {
    candidates.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut faces: Vec<Face> = Vec::new();
    for candidate in candidates {
        if faces.iter().all(|face| overlap(face, &candidate) <= SAME_FACE) {
            faces.push(candidate);
        }
    }
    faces
}

/// Intersection over union.
fn overlap(a: &Face, b: &Face) -> f32 {
    let shared = |a: f32, a_length: f32, b: f32, b_length: f32| ((a + a_length).min(b + b_length) - a.max(b)).max(0.0);
    let intersection = shared(a.x, a.width, b.x, b.width) * shared(a.y, a.height, b.y, b.height);
    intersection / (area(a) + area(b) - intersection)
}

fn area(face: &Face) -> f32 {
    face.width * face.height
}

#[cfg(test)]
mod tests {
    use super::*;

    fn face(x: f32, width: f32, score: f32) -> Face {
        Face { x, y: 0.0, width, height: 10.0, score }
    }

    #[test]
    fn overlap_is_intersection_over_union() {
        assert!((overlap(&face(0.0, 10.0, 1.0), &face(5.0, 10.0, 1.0)) - 1.0 / 3.0).abs() < 1e-6);
        assert_eq!(overlap(&face(0.0, 10.0, 1.0), &face(20.0, 10.0, 1.0)), 0.0);
    }

    #[test]
    fn the_better_of_two_boxes_stays() {
        let kept = distinct(vec![face(1.0, 10.0, 0.6), face(0.0, 10.0, 0.9), face(30.0, 10.0, 0.7)]);
        assert_eq!(kept, [face(0.0, 10.0, 0.9), face(30.0, 10.0, 0.7)]);
    }

    #[test]
    fn decodes_a_box_where_the_cell_and_anchor_say() {
        let mut values = vec![-10.0; ANCHORS.len() * BOX_VALUES * CELLS * CELLS];
        let (anchor, cell) = (2, 3 * CELLS + 4);
        for (index, value) in [0.0, 0.0, 0.0, 0.0, 10.0].into_iter().enumerate() {
            values[(cell * ANCHORS.len() + anchor) * BOX_VALUES + index] = value;
        }
        let [found] = decode(&values, 64.0)[..] else { panic!("one box") };
        assert!((found.x + found.width / 2.0 - 4.5 * 64.0).abs() < 1e-3);
        assert!((found.y + found.height / 2.0 - 3.5 * 64.0).abs() < 1e-3);
        assert!((found.width - 2.882459 * 64.0).abs() < 1e-3);
    }
}
