//! Why a graph is not legal.

use super::Shape;

/// Why a graph is not legal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// A parameter of a convolution has another length than its shape says.
    #[error("a convolution's {parameter} has {found} values instead of {expected}")]
    ParameterLength {
        /// `weight`, `bias` or `prologue`.
        parameter: &'static str,
        /// From the shape.
        expected: usize,
        /// The values that there are.
        found: usize,
    },
    /// A kernel without pixels, or larger than the padded input.
    #[error("a kernel of {kernel_size}×{kernel_size} does not fit the padded input {input}")]
    KernelSize {
        /// Height and width.
        kernel_size: usize,
        /// What it would read.
        input: Shape,
    },
    /// Windows that see nothing but padding.
    #[error("padding of {padding} is not smaller than the kernel of {kernel_size}")]
    Padding {
        /// On one side.
        padding: usize,
        /// Height and width.
        kernel_size: usize,
    },
    /// A stride that the operation does not have.
    #[error("{op} has no stride of {stride}")]
    Stride {
        /// The operation.
        op: &'static str,
        /// In pixels.
        stride: usize,
    },
    /// A depthwise convolution that changes the number of channels.
    #[error("a depthwise convolution makes {found} channels of {expected}")]
    DepthwiseChannels {
        /// Of the input.
        expected: usize,
        /// Of the result.
        found: usize,
    },
    /// No executor fuses an affine prologue, a residual or a concatenation to a depthwise convolution.
    #[error("a depthwise convolution has no fused {fused}")]
    DepthwiseFusion {
        /// What was to be fused.
        fused: &'static str,
    },
    /// Two operands do not fit.
    #[error("{op}: an operand is {found} instead of {expected}")]
    Operand {
        /// The operation.
        op: &'static str,
        /// Which shape it must have.
        expected: Shape,
        /// Which it has.
        found: Shape,
    },
    /// Results beyond the last channel of a concatenation.
    #[error("a concatenation of {channels} channels has no channels {offset} to {end}")]
    ConcatRange {
        /// First channel of the results.
        offset: usize,
        /// One after their last.
        end: usize,
        /// That there are.
        channels: usize,
    },
    /// Results in the middle of a vector: channels are stored in groups of four on a GPU.
    #[error("results go to channel {offset} of a concatenation, which is no multiple of 4")]
    ConcatAlignment {
        /// First channel of the results.
        offset: usize,
    },
    /// Channels of a concatenation that nobody writes.
    #[error("only {written} of a concatenation's {channels} channels are written")]
    ConcatIncomplete {
        /// Channels that are written.
        written: usize,
        /// That there are.
        channels: usize,
    },
    /// A feature map of another graph.
    #[error("feature map {id} is not one of this graph's")]
    UnknownFeatureMap {
        /// Its index.
        id: usize,
    },
    /// An input without pixels or channels.
    #[error("the input is {0}")]
    EmptyInput(Shape),
    /// Nothing to compute.
    #[error("the graph has no output")]
    NoOutput,
}
