//! A convolution and the element-wise operations that are fused to it.

/// An element-wise function of a convolution's result.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    /// The identity.
    None,
    /// max(x, 0).
    Relu,
    /// x where it is positive, else `slope · x`.
    LeakyRelu {
        /// The factor of negative values.
        slope: f32,
    },
}

/// Element-wise functions of what a convolution reads. They come before the zero padding, so that padding stays zero; this
/// is why they cannot be folded into the weights.
#[derive(Clone, Debug, Default)]
pub struct Prologue {
    /// `scale · x + shift`, each `[in_channels]`: a batch norm in inference.
    pub affine: Option<(Vec<f32>, Vec<f32>)>,
    /// Then max(x, 0).
    pub relu: bool,
}

impl Prologue {
    /// Whether it leaves everything as it is.
    pub fn is_identity(&self) -> bool {
        !self.relu && self.affine.is_none()
    }
}

/// A two-dimensional convolution, square in kernel, stride and padding.
#[derive(Clone, Debug)]
pub struct Convolution {
    /// OIHW: `[out_channels, in_channels, kernel_size, kernel_size]`, with one input channel if depthwise.
    pub weight: Vec<f32>,
    /// `[out_channels]`.
    pub bias: Vec<f32>,
    /// Channels of the result.
    pub out_channels: usize,
    /// Height and width of the kernel, in pixels.
    pub kernel_size: usize,
    /// Pixels between the windows of neighbouring results.
    pub stride: usize,
    /// Zeros before and after each row and column.
    pub padding: (usize, usize),
    /// Whether each channel is convolved with a kernel of its own (as many groups as channels).
    pub depthwise: bool,
    /// Applied to the input.
    pub prologue: Prologue,
    /// Applied to the result, after bias and residual.
    pub activation: Activation,
}

impl Convolution {
    /// With stride 1 and "same" padding for an odd `kernel_size`.
    pub fn new(weight: Vec<f32>, bias: Vec<f32>, kernel_size: usize) -> Self {
        let out_channels = bias.len();
        let padding = (kernel_size / 2, kernel_size / 2);
        let (prologue, activation) = (Prologue::default(), Activation::None);
        Self { weight, bias, out_channels, kernel_size, stride: 1, padding, depthwise: false, prologue, activation }
    }

    /// As many groups as channels.
    pub fn depthwise(self) -> Self {
        Self { depthwise: true, ..self }
    }

    /// With another stride and padding.
    pub fn with_stride(self, stride: usize, padding: (usize, usize)) -> Self {
        Self { stride, padding, ..self }
    }

    /// With `prologue` fused in front.
    pub fn with_prologue(self, prologue: Prologue) -> Self {
        Self { prologue, ..self }
    }

    /// With `activation` fused behind.
    pub fn with_activation(self, activation: Activation) -> Self {
        Self { activation, ..self }
    }

    /// Results along an axis of `length` pixels: ⌊(length + padding − kernel_size) / stride⌋ + 1.
    pub(in crate::model) fn output_length(&self, length: usize) -> usize {
        (length + self.padding.0 + self.padding.1 - self.kernel_size) / self.stride + 1
    }

    /// The same without the weights, for an executor that has packed them.
    pub(in crate::model) fn without_weight(&self) -> Self {
        let (bias, prologue) = (self.bias.clone(), self.prologue.clone());
        Self { weight: Vec::new(), bias, prologue, ..*self }
    }
}
