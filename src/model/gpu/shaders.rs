//! The kernels' sources in WGSL, without the part that all share.

use super::Precision;

/// What a workgroup of 64 computes with one kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Tile {
    /// Pixels of each invocation; a workgroup has eight times as many.
    pub rows: usize,
    /// Quads of outputs of each invocation; a workgroup has eight times as many.
    pub columns: usize,
}

/// `source` after what all kernels share, for maps stored as `precision` says.
pub(super) fn complete(source: &str, precision: Precision) -> String {
    let stored = match precision {
        Precision::F32 => "alias Stored = vec4<f32>;\n",
        Precision::F16 => "enable f16;\nalias Stored = vec4<f16>;\n",
    };
    [stored, include_str!("shaders/common.wgsl"), source].concat()
}

pub(super) const DEPTHWISE: &str = include_str!("shaders/depthwise.wgsl");

pub(super) const MAX_POOL: &str = include_str!("shaders/max_pool.wgsl");

pub(super) const ADD_UPSAMPLED: &str = include_str!("shaders/add_upsampled.wgsl");

pub(super) const ADD_GATED: &str = include_str!("shaders/add_gated.wgsl");

pub(super) const MEAN: &str = include_str!("shaders/mean.wgsl");

/// A convolution as one product.
pub(super) fn direct(tile: Tile) -> String {
    let parts = [include_str!("shaders/prologue.wgsl"), include_str!("shaders/epilogue.wgsl")].concat();
    product(tile, &[include_str!("shaders/direct.wgsl"), &parts].concat())
}

/// Winograd's products.
pub(super) fn winograd_products(tile: Tile) -> String {
    product(tile, include_str!("shaders/winograd_products.wgsl"))
}

/// Winograd's transform of patches.
pub(super) fn winograd_input() -> String {
    let load = |i, j| format!("pixel(top + {i}u, left + {j}u, quad)");
    let store = |i, j, value: String| format!("patches[first + {}u * pitch] = {value};\n", 6 * i + j);
    let transform = in_both_dimensions(load, &input_transform, store);
    let source = include_str!("shaders/winograd_input.wgsl").replace("$TRANSFORM", &transform);
    [include_str!("shaders/prologue.wgsl"), &source].concat()
}

/// Winograd's transform of products.
pub(super) fn winograd_output() -> String {
    let load = |i, j| format!("products[first + {}u * pitch]", 6 * i + j);
    let store = |i, j, value: String| format!("store(top + {i}u, left + {j}u, quad, {value});\n");
    let transform = in_both_dimensions(load, &output_transform, store);
    let source = include_str!("shaders/winograd_output.wgsl").replace("$TRANSFORM", &transform);
    [include_str!("shaders/epilogue.wgsl"), &source].concat()
}

/// The sums of a tile are variables of their own, since not every driver keeps an array in registers.
fn product(Tile { rows, columns }: Tile, factors: &str) -> String {
    let each = |line: &dyn Fn(usize, usize) -> String| -> String {
        (0..rows).flat_map(|r| (0..columns).map(move |c| (r, c))).map(|(r, c)| line(r, c)).collect()
    };
    let declare = each(&|r, c| format!("var sum{r}_{c} = vec4<f32>();\n"));
    let write =
        each(&|r, c| format!("store(first_pixel + row + {}u, first_quad + column + {}u, sum{r}_{c});\n", 8 * r, 8 * c));
    let mut multiply: String =
        (0..rows).map(|r| format!("let a{r} = left[(row + {}u) * PITCH + depth];\n", 8 * r)).collect();
    for (lane, name) in ["x", "y", "z", "w"].iter().enumerate() {
        for c in 0..columns {
            let index = format!("(depth * 4u + {lane}u) * QUADS + column + {}u", 8 * c);
            multiply += &format!("let b{c}{name} = right[{index}];\n");
        }
        multiply += &each(&|r, c| format!("sum{r}_{c} += a{r}.{name} * b{c}{name};\n"));
    }
    let source = include_str!("shaders/product.wgsl")
        .replace("$DECLARE_SUMS", &declare)
        .replace("$MULTIPLY", &multiply)
        .replace("$WRITE_SUMS", &write);
    format!("const ROWS = {rows}u;\nconst COLUMNS = {columns}u;\n{factors}{source}")
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

/// Bᵀ d in one dimension: `cpu::winograd` says of what.
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
