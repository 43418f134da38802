//! The kernels in WGSL. Loops over a tile are unrolled here, by text.

use super::{Precision, parameters};

/// The part of a product that one invocation computes; a workgroup is 8×8 invocations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Tile {
    /// Rows of the product.
    pub rows: usize,
    /// Vectors of four columns.
    pub vectors: usize,
}

/// `kernel` after the declarations that all kernels share, for feature maps stored with `precision`.
pub(super) fn with_declarations(kernel: &str, precision: Precision) -> String {
    let stored = match precision {
        Precision::F32 => "alias Stored = vec4<f32>;\n",
        Precision::F16 => "enable f16;\nalias Stored = vec4<f16>;\n",
    };
    [stored, &parameters::wgsl(), include_str!("shaders/common.wgsl"), kernel].concat()
}

pub(super) const DEPTHWISE: &str = include_str!("shaders/depthwise.wgsl");

pub(super) const MAX_POOL: &str = include_str!("shaders/max_pool.wgsl");

pub(super) const UPSAMPLE_ADD: &str = include_str!("shaders/upsample_add.wgsl");

pub(super) const MULTIPLY_ADD: &str = include_str!("shaders/multiply_add.wgsl");

pub(super) const GLOBAL_AVERAGE_POOL: &str = include_str!("shaders/global_average_pool.wgsl");

/// A convolution as one product of its gathered windows and its weights.
pub(super) fn implicit_gemm(tile: Tile) -> String {
    let parts = [include_str!("shaders/prologue.wgsl"), include_str!("shaders/epilogue.wgsl")].concat();
    gemm(tile, &[include_str!("shaders/implicit_gemm.wgsl"), &parts].concat())
}

/// Winograd's second step.
pub(super) fn winograd_products(tile: Tile) -> String {
    gemm(tile, include_str!("shaders/winograd_products.wgsl"))
}

/// Winograd's first step.
pub(super) fn winograd_input() -> String {
    let load = |i, j| format!("pixel(top + {i}u, left + {j}u, vector)");
    let store = |i, j, value: String| format!("patches[first + {}u * pitch] = {value};\n", 6 * i + j);
    let transform = in_both_dimensions(load, &input_transform, store);
    let source = include_str!("shaders/winograd_input.wgsl").replace("$TRANSFORM", &transform);
    [include_str!("shaders/prologue.wgsl"), &source].concat()
}

/// Winograd's third step.
pub(super) fn winograd_output() -> String {
    let load = |i, j| format!("products[first + {}u * pitch]", 6 * i + j);
    let store = |i, j, value: String| format!("store(top + {i}u, left + {j}u, vector, {value});\n");
    let transform = in_both_dimensions(load, &output_transform, store);
    let source = include_str!("shaders/winograd_output.wgsl").replace("$TRANSFORM", &transform);
    [include_str!("shaders/epilogue.wgsl"), &source].concat()
}

/// The GEMM kernel with `operands`, which define what it loads and stores. The sums of a tile are variables of their own, since
/// not every driver keeps an array in registers.
fn gemm(Tile { rows, vectors }: Tile, operands: &str) -> String {
    let each = |line: &dyn Fn(usize, usize) -> String| -> String {
        (0..rows).flat_map(|r| (0..vectors).map(move |c| (r, c))).map(|(r, c)| line(r, c)).collect()
    };
    let declare = each(&|r, c| format!("var sum{r}_{c} = vec4<f32>();\n"));
    let write =
        each(&|r, c| format!("store(first_row + row + {}u, first_vector + column + {}u, sum{r}_{c});\n", 8 * r, 8 * c));
    let mut multiply: String =
        (0..rows).map(|r| format!("let a{r} = left[(row + {}u) * PITCH + depth];\n", 8 * r)).collect();
    for (lane, name) in ["x", "y", "z", "w"].iter().enumerate() {
        for c in 0..vectors {
            let index = format!("(depth * 4u + {lane}u) * TILE_VECTORS + column + {}u", 8 * c);
            multiply += &format!("let b{c}{name} = right[{index}];\n");
        }
        multiply += &each(&|r, c| format!("sum{r}_{c} += a{r}.{name} * b{c}{name};\n"));
    }
    let source = include_str!("shaders/gemm.wgsl")
        .replace("$DECLARE_SUMS", &declare)
        .replace("$MULTIPLY", &multiply)
        .replace("$WRITE_SUMS", &write);
    format!("const ROWS = {rows}u;\nconst VECTORS = {vectors}u;\n{operands}{source}")
}

/// Applies a transform of six values to the rows and then to the columns of a 6×6 matrix.
fn in_both_dimensions(
    load: impl Fn(usize, usize) -> String,
    transform: &dyn Fn([&str; 6]) -> Vec<String>,
    store: impl Fn(usize, usize, String) -> String,
) -> String {
    let mut text = String::new();
    let mut results = 0;
    for i in 0..6 {
        let names: [String; 6] = std::array::from_fn(|j| format!("d{i}{j}"));
        for (j, name) in names.iter().enumerate() {
            text += &format!("let {name} = {};\n", load(i, j));
        }
        let row = transform(std::array::from_fn(|j| names[j].as_str()));
        results = row.len();
        for (j, value) in row.iter().enumerate() {
            text += &format!("let r{i}{j} = {value};\n");
        }
    }
    for j in 0..results {
        let names: [String; 6] = std::array::from_fn(|i| format!("r{i}{j}"));
        for (i, value) in transform(std::array::from_fn(|i| names[i].as_str())).into_iter().enumerate() {
            text += &store(i, j, value);
        }
    }
    text
}

/// Bᵀ d in one dimension, for the points of [`crate::model::winograd`].
fn input_transform([a, b, c, d, e, f]: [&str; 6]) -> Vec<String> {
    vec![
        format!("4.0 * {a} - 5.0 * {c} + {e}"),
        format!("({e} - 4.0 * {c}) + ({d} - 4.0 * {b})"),
        format!("({e} - 4.0 * {c}) - ({d} - 4.0 * {b})"),
        format!("({e} - {c}) + 2.0 * ({d} - {b})"),
        format!("({e} - {c}) - 2.0 * ({d} - {b})"),
        format!("4.0 * {b} - 5.0 * {d} + {f}"),
    ]
}

/// Aᵀ m in one dimension.
fn output_transform([a, b, c, d, e, f]: [&str; 6]) -> Vec<String> {
    vec![
        format!("{a} + ({b} + {c}) + ({d} + {e})"),
        format!("({b} - {c}) + 2.0 * ({d} - {e})"),
        format!("({b} + {c}) + 4.0 * ({d} + {e})"),
        format!("({b} - {c}) + 8.0 * ({d} - {e}) + {f}"),
    ]
}
