//! The tiny face detector of `@vladmandic/face-api` 1.7.15: a YOLO v2 with one class, five anchors and
//! depthwise-separable convolutions.

use super::graph::{Activation, Graph, GraphBuilder, Prologue, Shape};
use super::loader::{Loader, check_output};
use super::math::sigmoid;
use super::{Face, Frame, ModelError, cpu};
use crate::insertion_sort::insertion_sort;
use crate::weights::Weights;

/// Pixels of the input for each cell of the output, on each side.
const CELL: usize = 32;

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
pub const MINIMUM_SCORE: f32 = 0.5;

/// Boxes that overlap by more (intersection over union) are the same face.
const SAME_FACE: f32 = 0.4;

/// How large a picture the network sees, in pixels on each side. The package offers multiples of 32 and takes 416 by default,
/// for faces in a crowd. It misses faces that are much smaller or larger than its anchors, so that one size does not
/// find all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputSize {
    /// For what is around a face that was found before: half the work of [`Self::Middle`].
    Small = 224,
    /// In front of a laptop a face fills a fifth of the picture or more; this still finds those of a tenth.
    Middle = 320,
    /// For small faces: 1.7 times the work of [`Self::Middle`].
    Large = 416,
}

impl InputSize {
    const ALL: [Self; 3] = [Self::Small, Self::Middle, Self::Large];

    /// Pixels on each side.
    pub fn pixels(self) -> usize {
        self as usize
    }

    fn cells(self) -> usize {
        self.pixels() / CELL
    }
}

/// Finds faces in frames, on the CPU: it is a hundredth of EmoNet's work.
pub struct FaceDetector {
    executors: [cpu::Executor; InputSize::ALL.len()],
}

impl FaceDetector {
    /// Prepares [`graph`] on the CPU, for each [`InputSize`].
    ///
    /// # Errors
    /// A tensor is missing, misshapen or not finite.
    pub fn load(weights: &Weights) -> Result<Self, ModelError> {
        let executor = |size| graph(weights, size).map(|graph| cpu::Executor::new(&graph));
        let [small, middle, large] = InputSize::ALL;
        Ok(Self { executors: [executor(small)?, executor(middle)?, executor(large)?] })
    }

    /// What may be a face in the whole of `frame`, with scores above `minimum_score`, the largest first. Boxes may reach over
    /// the frame's edge.
    ///
    /// # Errors
    /// The network computed something that is not finite.
    pub fn detect(&self, frame: &Frame, size: InputSize, minimum_score: f32) -> Result<Vec<Face>, ModelError> {
        let scale = frame.width.max(frame.height) as f32 / size.pixels() as f32;
        self.run(&frame.letterbox(size.pixels()), size, minimum_score, [0.0; 2], scale)
    }

    /// The same in a square of the frame that is `side` pixels wide, around the point `centre`.
    ///
    /// # Errors
    /// As for [`Self::detect`].
    pub fn detect_near(
        &self,
        frame: &Frame,
        centre: [f32; 2],
        side: f32,
        size: InputSize,
        minimum_score: f32,
    ) -> Result<Vec<Face>, ModelError> {
        let corner = centre.map(|middle| middle - side / 2.0);
        let square = Face { x: corner[0], y: corner[1], width: side, height: side, score: 1.0 };
        let crop = frame.square_crop(&square, 0.0, size.pixels());
        self.run(&crop, size, minimum_score, corner, side / size.pixels() as f32)
    }

    /// Faces in `planes`, whose corner is at `corner` in the frame and whose pixels are `scale` of the frame's wide.
    fn run(
        &self,
        planes: &[f32],
        size: InputSize,
        minimum_score: f32,
        corner: [f32; 2],
        scale: f32,
    ) -> Result<Vec<Face>, ModelError> {
        let [small, middle, large] = &self.executors;
        let executor = match size {
            InputSize::Small => small,
            InputSize::Middle => middle,
            InputSize::Large => large,
        };
        let values = check_output(executor.run(planes).swap_remove(0))?;
        let mut faces = distinct(decode(&values, size.cells(), minimum_score));
        for face in &mut faces {
            let pixels = CELL as f32 * scale;
            *face = Face {
                x: corner[0] + face.x * pixels,
                y: corner[1] + face.y * pixels,
                width: face.width * pixels,
                height: face.height * pixels,
                score: face.score,
            };
        }
        sort_descending(&mut faces, Face::area);
        Ok(faces)
    }
}

/// From a frame, RGB in [0, 1], to five boxes for each of its cells. Reads `conv0.…` to `conv5.…` and `conv8.…`.
///
/// # Errors
/// A tensor is missing, misshapen or not finite.
pub fn graph(weights: &Weights, size: InputSize) -> Result<Graph, ModelError> {
    let loader = Loader::new(weights)?;
    let mut graph = GraphBuilder::new(Shape::square(size.pixels(), 3));
    let mean = MEAN.map(|value| -value / 255.0).to_vec();
    let centred = Prologue { affine: Some((vec![1.0; 3], mean)), relu: false };
    let leaky = Activation::LeakyRelu { slope: 0.1 };
    // The only one without padding.
    let first = loader.convolution("conv0", [CHANNELS[0], 3, 3])?.with_stride(1, (0, 0));
    let mut x = graph.convolution(graph.input(), first.with_prologue(centred).with_activation(leaky));
    for index in 1..CHANNELS.len() {
        let name = format!("conv{index}");
        let [depthwise, pointwise] = loader.separable(&name, CHANNELS[index - 1], CHANNELS[index])?;
        let halved = graph.max_pool(x, 2);
        let filtered = graph.convolution(halved, depthwise);
        x = graph.convolution(filtered, pointwise.with_activation(leaky));
    }
    // The last pooling keeps the size.
    x = graph.max_pool(x, 1);
    let boxes = loader.convolution("conv8", [ANCHORS.len() * BOX_VALUES, x.shape.channels, 1])?;
    let boxes = graph.convolution(x, boxes);
    Ok(graph.finish(&[boxes])?)
}

/// The boxes in the network's output `[cells, cells, 25]` with a score above `minimum_score`, in cells.
fn decode(values: &[f32], cells: usize, minimum_score: f32) -> Vec<Face> {
    let plane = cells * cells;
    let mut faces = Vec::new();
    for (anchor, size) in ANCHORS.iter().enumerate() {
        for cell in 0..plane {
            let value = |index: usize| values[(cell * ANCHORS.len() + anchor) * BOX_VALUES + index];
            let score = sigmoid(value(4));
            if score <= minimum_score {
                continue;
            }
            let width = value(2).exp() * size[0];
            let height = value(3).exp() * size[1];
            let centre_x = (cell % cells) as f32 + sigmoid(value(0));
            let centre_y = (cell / cells) as f32 + sigmoid(value(1));
            faces.push(Face { x: centre_x - width / 2.0, y: centre_y - height / 2.0, width, height, score });
        }
    }
    faces
}

fn sort_descending(faces: &mut [Face], key: fn(&Face) -> f32) {
    insertion_sort(faces, |a, b| key(a).total_cmp(&key(b)).is_gt());
}

/// The best box of every face (non-maximum suppression).
fn distinct(mut candidates: Vec<Face>) -> Vec<Face> {
    sort_descending(&mut candidates, |face| face.score);
    let mut faces: Vec<Face> = Vec::new();
    for candidate in candidates {
        if faces.iter().all(|face| face.overlap(&candidate) <= SAME_FACE) {
            faces.push(candidate);
        }
    }
    faces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn face(x: f32, width: f32, score: f32) -> Face {
        Face { x, y: 0.0, width, height: 10.0, score }
    }

    #[test]
    fn the_better_of_two_boxes_stays() {
        let kept = distinct(vec![face(1.0, 10.0, 0.6), face(0.0, 10.0, 0.9), face(30.0, 10.0, 0.7)]);
        assert_eq!(kept, [face(0.0, 10.0, 0.9), face(30.0, 10.0, 0.7)]);
    }

    #[test]
    fn decodes_a_box_where_the_cell_and_anchor_say() {
        let mut values = vec![-10.0; ANCHORS.len() * BOX_VALUES * 10 * 10];
        let (anchor, cell) = (2, 3 * 10 + 4);
        for (index, value) in [0.0, 0.0, 0.0, 0.0, 10.0].into_iter().enumerate() {
            values[(cell * ANCHORS.len() + anchor) * BOX_VALUES + index] = value;
        }
        let [found] = decode(&values, 10, MINIMUM_SCORE)[..] else { panic!("one box") };
        assert!((found.x + found.width / 2.0 - 4.5).abs() < 1e-3);
        assert!((found.y + found.height / 2.0 - 3.5).abs() < 1e-3);
        assert!((found.width - 2.882459).abs() < 1e-3);
    }
}
