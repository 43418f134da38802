//! The uniform that every kernel gets: one definition for Rust and for WGSL.

use super::layout::{LANES, vectors};
use crate::model::graph::{Activation, ConcatAdd, Convolution, Shape};

/// Defines a struct of `u32` and `f32` fields and its WGSL text. Such a struct has the same layout in both: 4 bytes a field,
/// in order.
macro_rules! uniform {
    ($(#[$attribute:meta])* struct $name:ident { $($(#[$doc:meta])* $field:ident: $type:ident,)* }) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, Default, PartialEq)]
        pub(super) struct $name {
            $($(#[$doc])* pub $field: $type,)*
        }

        impl $name {
            /// The struct in WGSL.
            const WGSL: &'static str =
                concat!("struct ", stringify!($name), " {\n", $("  ", stringify!($field), ": ", stringify!($type), ",\n",)* "}\n");

            /// As WGSL lays it out, padded to 16 bytes.
            pub fn to_bytes(self) -> Vec<u8> {
                let mut bytes = [$(self.$field.to_le_bytes()),*].concat();
                bytes.resize(bytes.len().next_multiple_of(16), 0);
                bytes
            }
        }
    };
}

/// Defines `u32` constants and their WGSL text.
macro_rules! constants {
    ($wgsl:ident: $($(#[$doc:meta])* $name:ident = $value:expr;)*) => {
        $($(#[$doc])* pub(super) const $name: u32 = $value;)*

        fn $wgsl() -> String {
            [$(format!("const {} = {}u;\n", stringify!($name), $name)),*].concat()
        }
    };
}

uniform! {
    /// What every kernel is told; a kernel that does not need a field ignores it. Channels are counted in vectors of four.
    struct Parameters {
        input_height: u32,
        input_width: u32,
        input_vectors: u32,
        output_height: u32,
        output_width: u32,
        output_vectors: u32,
        /// Height and width of a convolution's kernel.
        kernel_size: u32,
        stride: u32,
        /// Zeros before each row and column.
        padding: u32,
        /// Bits: see the constants below.
        flags: u32,
        /// One of the `ACTIVATION` constants.
        activation: u32,
        /// Of a leaky ReLU.
        slope: f32,
        /// Vectors of a pixel of the concatenation that a convolution writes to, too.
        concat_vectors: u32,
        /// Where in such a pixel its result begins.
        concat_offset: u32,
    }
}

constants! { constants_wgsl:
    /// The prologue has a scale and a shift.
    AFFINE = 1;
    /// The prologue has a ReLU.
    PROLOGUE_RELU = 2;
    /// A residual is added.
    RESIDUAL = 4;
    /// The result is written to the output.
    OUTPUT = 8;
    /// The result is written to a concatenation.
    CONCAT = 16;
    /// [`Activation`].
    ACTIVATION_NONE = 0;
    /// [`Activation`].
    ACTIVATION_RELU = 1;
    /// [`Activation`].
    ACTIVATION_LEAKY_RELU = 2;
}

/// The declarations in WGSL, in front of every kernel.
pub(super) fn wgsl() -> String {
    let binding = "@group(0) @binding(0) var<uniform> params: Parameters;\n";
    [Parameters::WGSL, &constants_wgsl(), binding].concat()
}

impl Parameters {
    /// For a kernel from `input` to `output`.
    pub fn new(input: Shape, output: Shape) -> Self {
        Self {
            input_height: input.height as u32,
            input_width: input.width as u32,
            input_vectors: vectors(input.channels) as u32,
            output_height: output.height as u32,
            output_width: output.width as u32,
            output_vectors: vectors(output.channels) as u32,
            ..Self::default()
        }
    }

    /// With the geometry, the prologue and the activation of `c`.
    pub fn with_convolution(self, c: &Convolution) -> Self {
        let (activation, slope) = match c.activation {
            Activation::None => (ACTIVATION_NONE, 0.0),
            Activation::Relu => (ACTIVATION_RELU, 0.0),
            Activation::LeakyRelu { slope } => (ACTIVATION_LEAKY_RELU, slope),
        };
        let (kernel_size, stride, padding) = (c.kernel_size as u32, c.stride as u32, c.padding.0 as u32);
        let prologue = &c.prologue;
        Self { kernel_size, stride, padding, activation, slope, ..self }
            .with_flag(AFFINE, prologue.affine.is_some())
            .with_flag(PROLOGUE_RELU, prologue.relu)
    }

    /// With a second destination.
    pub fn with_concat(self, concat: Option<ConcatAdd>) -> Self {
        let Some(ConcatAdd { channel_offset, output, .. }) = concat else { return self };
        let concat_vectors = vectors(output.shape.channels) as u32;
        Self { concat_vectors, concat_offset: (channel_offset / LANES) as u32, ..self }.with_flag(CONCAT, true)
    }

    /// With a flag, if it `is_set`.
    pub fn with_flag(self, flag: u32, is_set: bool) -> Self {
        if is_set { Self { flags: self.flags | flag, ..self } } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_languages_see_the_same_fields() {
        let parameters = Parameters { input_height: 1, slope: 0.5, concat_offset: 7, ..Parameters::default() };
        let bytes = parameters.to_bytes();
        let fields: Vec<&str> = Parameters::WGSL.lines().filter(|line| line.contains(": ")).collect();
        assert_eq!(bytes.len(), (4 * fields.len()).next_multiple_of(16));
        let word = |name: &str| {
            let index = fields.iter().position(|field| field.trim().starts_with(name)).expect("a field");
            u32::from_le_bytes(*bytes[4 * index..].first_chunk().expect("a word"))
        };
        assert_eq!((word("input_height:"), word("slope:"), word("concat_offset:")), (1, 0.5_f32.to_bits(), 7));
        assert!(wgsl().contains("const CONCAT = 16u;"));
    }
}
