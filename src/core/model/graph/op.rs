//! The operations, their shapes, and what is allowed.

use super::{Convolution, FeatureMap, GraphError, Shape};

/// Concatenation along channels, fused with an addition: several convolutions write their results side by side into
/// `output`, each with its channels of `residual` added.
#[derive(Clone, Copy, Debug)]
pub struct ConcatAdd {
    /// As large as `output`.
    pub residual: FeatureMap,
    /// Where the next result goes.
    pub channel_offset: usize,
    /// The concatenation.
    pub output: FeatureMap,
}

/// An operation. Executors replace `C` by a convolution that is prepared for them.
#[derive(Clone, Debug)]
pub enum Op<C = Convolution> {
    /// `activation(convolution(prologue(input)) + residual)`, and a copy of that into `concat`.
    Convolution {
        /// Parameters and fused element-wise functions.
        convolution: C,
        /// `[height, width, in_channels]`.
        input: FeatureMap,
        /// As large as the result.
        residual: Option<FeatureMap>,
        /// A second destination, with an addition of its own.
        concat: Option<ConcatAdd>,
    },
    /// Maximum over 2×2 windows. Windows at the end are cut off, so that an odd length is rounded up.
    MaxPool {
        /// Any shape.
        input: FeatureMap,
        /// 1 or 2.
        stride: usize,
    },
    /// `high + resize(low)`: nearest-neighbour ×2, cut off where `high` has an odd length.
    UpsampleAdd {
        /// Half of `high`, rounded up.
        low: FeatureMap,
        /// As large as the result.
        high: FeatureMap,
    },
    /// `addend + input · gate`, broadcast over the channels.
    MultiplyAdd {
        /// As large as the result.
        input: FeatureMap,
        /// One channel.
        gate: FeatureMap,
        /// As large as the result.
        addend: FeatureMap,
    },
    /// The mean over all pixels: `[1, 1, channels]`.
    GlobalAveragePool {
        /// Any shape.
        input: FeatureMap,
    },
}

/// An operation and what it computes.
#[derive(Clone, Debug)]
pub struct Node<C = Convolution> {
    /// What is computed.
    pub op: Op<C>,
    /// The result, besides [`Op::concat`].
    pub output: FeatureMap,
}

impl Op {
    /// The shape of the result.
    ///
    /// # Errors
    /// The operation is not legal: the only place that says so.
    pub fn output_shape(&self) -> Result<Shape, GraphError> {
        match self {
            Self::Convolution { convolution, input, residual, concat } => {
                let output = convolution_shape(convolution, input.shape)?;
                if convolution.depthwise {
                    let fused = [
                        ("affine prologue", convolution.prologue.affine.is_some()),
                        ("residual", residual.is_some()),
                        ("concatenation", concat.is_some()),
                    ];
                    if let Some((fused, _)) = fused.into_iter().find(|(_, is_fused)| *is_fused) {
                        return Err(GraphError::DepthwiseFusion { fused });
                    }
                }
                if let Some(residual) = residual {
                    check_operand("convolution with residual", output, residual.shape)?;
                }
                if let Some(concat) = concat {
                    check_concat(concat, output)?;
                }
                Ok(output)
            }
            Self::MaxPool { input, stride } => {
                if !matches!(stride, 1 | 2) {
                    return Err(GraphError::Stride { op: "max pool", stride: *stride });
                }
                let Shape { height, width, channels } = input.shape;
                Ok(Shape { height: height.div_ceil(*stride), width: width.div_ceil(*stride), channels })
            }
            Self::UpsampleAdd { low, high } => {
                let Shape { height, width, channels } = high.shape;
                let expected = Shape { height: height.div_ceil(2), width: width.div_ceil(2), channels };
                check_operand("upsample and add", expected, low.shape)?;
                Ok(high.shape)
            }
            Self::MultiplyAdd { input, gate, addend } => {
                check_operand("multiply and add", addend.shape, input.shape)?;
                check_operand("multiply and add", Shape { channels: 1, ..addend.shape }, gate.shape)?;
                Ok(addend.shape)
            }
            Self::GlobalAveragePool { input } => Ok(Shape::square(1, input.shape.channels)),
        }
    }
}

impl<C> Op<C> {
    /// What it reads.
    pub fn inputs(&self) -> Vec<FeatureMap> {
        match self {
            Self::Convolution { input, residual, concat, .. } => {
                [Some(*input), *residual, concat.map(|concat| concat.residual)].into_iter().flatten().collect()
            }
            Self::MaxPool { input, .. } | Self::GlobalAveragePool { input } => vec![*input],
            Self::UpsampleAdd { low, high } => vec![*low, *high],
            Self::MultiplyAdd { input, gate, addend } => vec![*input, *gate, *addend],
        }
    }

    /// The second destination of its result.
    pub fn concat(&self) -> Option<ConcatAdd> {
        if let Self::Convolution { concat, .. } = self { *concat } else { None }
    }

    /// The same operation with a convolution that is prepared by `prepare` for the shape of its input.
    pub(in crate::model) fn map_convolution<D>(&self, prepare: impl FnOnce(&C, Shape) -> D) -> Op<D> {
        match self {
            Self::Convolution { convolution, input, residual, concat } => Op::Convolution {
                convolution: prepare(convolution, input.shape),
                input: *input,
                residual: *residual,
                concat: *concat,
            },
            Self::MaxPool { input, stride } => Op::MaxPool { input: *input, stride: *stride },
            Self::UpsampleAdd { low, high } => Op::UpsampleAdd { low: *low, high: *high },
            Self::MultiplyAdd { input, gate, addend } => {
                Op::MultiplyAdd { input: *input, gate: *gate, addend: *addend }
            }
            Self::GlobalAveragePool { input } => Op::GlobalAveragePool { input: *input },
        }
    }
}

impl<C> Node<C> {
    /// What it writes.
    pub fn destinations(&self) -> impl Iterator<Item = FeatureMap> + use<C> {
        [Some(self.output), self.op.concat().map(|concat| concat.output)].into_iter().flatten()
    }
}

fn convolution_shape(convolution: &Convolution, input: Shape) -> Result<Shape, GraphError> {
    let Convolution { out_channels, kernel_size, stride, padding, depthwise, .. } = *convolution;
    let padding_sum = padding.0 + padding.1;
    if kernel_size == 0 || out_channels == 0 || kernel_size > input.height.min(input.width) + padding_sum {
        return Err(GraphError::KernelSize { kernel_size, input });
    }
    if padding.0.max(padding.1) >= kernel_size {
        return Err(GraphError::Padding { padding: padding.0.max(padding.1), kernel_size });
    }
    if stride == 0 {
        return Err(GraphError::Stride { op: "convolution", stride });
    }
    if depthwise && out_channels != input.channels {
        return Err(GraphError::DepthwiseChannels { expected: input.channels, found: out_channels });
    }
    let group_channels = if depthwise { 1 } else { input.channels };
    check_length("weight", out_channels * group_channels * kernel_size * kernel_size, &convolution.weight)?;
    check_length("bias", out_channels, &convolution.bias)?;
    if let Some((scale, shift)) = &convolution.prologue.affine {
        check_length("prologue", input.channels, scale)?;
        check_length("prologue", input.channels, shift)?;
    }
    let (height, width) = (convolution.output_length(input.height), convolution.output_length(input.width));
    Ok(Shape { height, width, channels: out_channels })
}

fn check_length(parameter: &'static str, expected: usize, values: &[f32]) -> Result<(), GraphError> {
    match values.len() == expected {
        true => Ok(()),
        false => Err(GraphError::ParameterLength { parameter, expected, found: values.len() }),
    }
}

fn check_operand(op: &'static str, expected: Shape, found: Shape) -> Result<(), GraphError> {
    if expected == found { Ok(()) } else { Err(GraphError::Operand { op, expected, found }) }
}

fn check_concat(concat: &ConcatAdd, branch: Shape) -> Result<(), GraphError> {
    let (output, offset) = (concat.output.shape, concat.channel_offset);
    check_operand("concatenation", output, concat.residual.shape)?;
    check_operand("concatenation", Shape { channels: branch.channels, ..output }, branch)?;
    if !offset.is_multiple_of(4) {
        return Err(GraphError::ConcatAlignment { offset });
    }
    let (end, channels) = (offset + branch.channels, output.channels);
    if end > channels { Err(GraphError::ConcatRange { offset, end, channels }) } else { Ok(()) }
}
