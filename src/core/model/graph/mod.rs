//! A frozen network as data: a directed acyclic graph of fused operations, built once from weights and run by an executor
//! ([`super::cpu`], `super::gpu`, `super::burn`).
//!
//! Feature maps are NHWC with `N` = 1: `[height, width, channels]`. A [`GraphBuilder`] checks every operation as it is
//! appended (see [`Op::output_shape`], the only place where shapes are computed and operations are allowed), and
//! [`GraphBuilder::finish`] reports the first violation, so that executors can rely on a [`Graph`] being legal.
//!
//! ```
//! use emofed_core::model::cpu::Executor;
//! use emofed_core::model::graph::{Activation, Convolution, GraphBuilder, Shape};
//!
//! // The mean of max(2 · x - 1, 0) over an image of 4×4 pixels.
//! let mut builder = GraphBuilder::new(Shape::square(4, 1));
//! let convolution = Convolution::new(vec![2.0], vec![-1.0], 1).with_activation(Activation::Relu);
//! let convolved = builder.convolution(builder.input(), convolution);
//! let mean = builder.global_average_pool(convolved);
//! let graph = builder.finish(&[mean])?;
//!
//! let half_white: Vec<f32> = (0..16).map(|pixel| if pixel < 8 { 1.0 } else { 0.0 }).collect();
//! assert_eq!(Executor::new(&graph).run(&half_white), [[0.5]]);
//! # Ok::<(), emofed_core::model::graph::GraphError>(())
//! ```

mod builder;
mod convolution;
mod error;
mod memory_plan;
mod op;

pub use builder::GraphBuilder;
pub use convolution::{Activation, Convolution, Prologue};
pub use error::GraphError;
pub(super) use memory_plan::{Liveness, MemoryPlan};
pub use op::{ConcatAdd, Node, Op};

/// Height, width and channels of a feature map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Rows of pixels.
    pub height: usize,
    /// Pixels of a row.
    pub width: usize,
    /// Values of a pixel.
    pub channels: usize,
}

impl Shape {
    /// `[side, side, channels]`.
    pub fn square(side: usize, channels: usize) -> Self {
        Self { height: side, width: side, channels }
    }

    /// The number of pixels.
    pub fn pixels(self) -> usize {
        self.height * self.width
    }

    /// The number of values.
    pub fn elements(self) -> usize {
        self.pixels() * self.channels
    }
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{}×{}×{}", self.height, self.width, self.channels)
    }
}

/// A value of a graph: its input, or what a node computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeatureMap {
    /// Index into the graph's feature maps.
    pub(super) id: usize,
    /// `[height, width, channels]`.
    pub shape: Shape,
}

/// A legal graph: nodes in execution order, from one input to one or more outputs.
#[derive(Clone, Debug)]
pub struct Graph {
    input: FeatureMap,
    outputs: Vec<FeatureMap>,
    /// By [`FeatureMap::id`].
    feature_maps: Vec<FeatureMap>,
    nodes: Vec<Node>,
}

impl Graph {
    /// What it reads: one image.
    pub fn input(&self) -> FeatureMap {
        self.input
    }

    /// What an executor returns, in this order.
    pub fn outputs(&self) -> &[FeatureMap] {
        &self.outputs
    }

    /// The operations, in execution order.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    pub(super) fn feature_maps(&self) -> &[FeatureMap] {
        &self.feature_maps
    }

    /// Makes an inner value an output, too.
    ///
    /// # Errors
    /// [`GraphError::UnknownFeatureMap`] if it is not this graph's.
    pub fn add_output(&mut self, output: FeatureMap) -> Result<(), GraphError> {
        if self.feature_maps.get(output.id) != Some(&output) {
            return Err(GraphError::UnknownFeatureMap { id: output.id });
        }
        self.outputs.push(output);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
