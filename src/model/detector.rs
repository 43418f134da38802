//! The tiny face detector of `@vladmandic/face-api` 1.7.15: a YOLO v2 with one class, five anchors and
//! depthwise-separable convolutions.

use burn::tensor::{Device, Tensor, TensorData, activation::leaky_relu, module::max_pool2d, ops::MaxPoolOptions};

use super::{
    Face, Frame, ModelError,
    layers::{Conv, Loader, SeparableConv, read},
};
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

/// Finds faces in frames.
pub struct FaceDetector {
    mean: Tensor<4>,
    first: Conv,
    others: Vec<SeparableConv>,
    boxes: Conv,
    device: Device,
}

impl FaceDetector {
    /// Reads `conv0.…` to `conv5.…` and `conv8.…`.
    ///
    /// # Errors
    /// A tensor is missing, misshapen or not finite.
    pub fn load(weights: &Weights, device: &Device) -> Result<Self, ModelError> {
        let loader = Loader::new(weights, device)?;
        let first = Conv::new(
            loader.tensor("conv0.weight", [CHANNELS[0], 3, 3, 3])?,
            Some(loader.tensor("conv0.bias", [CHANNELS[0]])?),
        );
        let others = (1..CHANNELS.len())
            .map(|index| SeparableConv::load(&loader, &format!("conv{index}"), CHANNELS[index - 1], CHANNELS[index]))
            .collect::<Result<_, _>>()?;
        let outputs = ANCHORS.len() * BOX_VALUES;
        let boxes = Conv::new(
            loader.tensor("conv8.weight", [outputs, CHANNELS[CHANNELS.len() - 1], 1, 1])?,
            Some(loader.tensor("conv8.bias", [outputs])?),
        );
        let mean = loader.upload(MEAN.map(|v| v / 255.0).to_vec(), [1, 3, 1, 1]);
        Ok(Self { mean, first, others, boxes, device: device.clone() })
    }

    /// The faces in `frame`, the largest first. Boxes may reach over the frame's edge.
    ///
    /// # Errors
    /// The device failed, or computed something that is not finite.
    pub async fn detect(&self, frame: &Frame) -> Result<Vec<Face>, ModelError> {
        let image = TensorData::new(frame.letterbox(INPUT), [1, 3, INPUT, INPUT]);
        let values = read(self.forward(Tensor::from_data(image, &self.device))).await?;
        let pixels_per_cell = frame.width.max(frame.height) as f32 / CELLS as f32;
        let mut faces = distinct(decode(&values, pixels_per_cell));
        faces.sort_by(|a, b| area(b).total_cmp(&area(a)));
        Ok(faces)
    }

    /// `[batch, 3, 320, 320]` RGB in [0, 1] to `[batch, 25, 10, 10]`.
    fn forward(&self, images: Tensor<4>) -> Tensor<4> {
        // Both poolings follow TensorFlow's padding `same`; the last one keeps the size.
        let halving = MaxPoolOptions::new([2, 2]).with_ceil_mode(true);
        let keeping = MaxPoolOptions::new([2, 2]).with_stride([1, 1]).with_padding_pairs([(0, 1), (0, 1)]);
        let mut x = leaky_relu(self.first.forward(images - self.mean.clone()), 0.1);
        for conv in &self.others {
            x = leaky_relu(conv.forward(max_pool2d(x, halving.clone())), 0.1);
        }
        x = max_pool2d(x, keeping);
        self.boxes.forward(x)
    }
}

/// The boxes in the network's output `[25, 10, 10]` that are likely faces.
fn decode(values: &[f32], pixels_per_cell: f32) -> Vec<Face> {
    let plane = CELLS * CELLS;
    let sigmoid = |value: f32| 1.0 / (1.0 + (-value).exp());
    let mut faces = Vec::new();
    for (anchor, size) in ANCHORS.iter().enumerate() {
        for cell in 0..plane {
            let value = |index: usize| values[(anchor * BOX_VALUES + index) * plane + cell];
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
            values[(anchor * BOX_VALUES + index) * CELLS * CELLS + cell] = value;
        }
        let [found] = decode(&values, 64.0)[..] else { panic!("one box") };
        assert!((found.x + found.width / 2.0 - 4.5 * 64.0).abs() < 1e-3);
        assert!((found.y + found.height / 2.0 - 3.5 * 64.0).abs() < 1e-3);
        assert!((found.width - 2.882459 * 64.0).abs() < 1e-3);
    }
}
