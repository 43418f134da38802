//! The kernels' sources in WGSL.

/// What a workgroup of 64 computes with one kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Tile {
    /// Pixels of each invocation; a workgroup has eight times as many.
    pub rows: usize,
    /// Quads of outputs of each invocation; a workgroup has eight times as many.
    pub columns: usize,
}

fn with_common(source: &str) -> String {
    [include_str!("shaders/common.wgsl"), source].concat()
}

pub(super) fn depthwise() -> String {
    with_common(include_str!("shaders/depthwise.wgsl"))
}

pub(super) fn max_pool() -> String {
    with_common(include_str!("shaders/max_pool.wgsl"))
}

pub(super) fn add_upsampled() -> String {
    with_common(include_str!("shaders/add_upsampled.wgsl"))
}

pub(super) fn add_gated() -> String {
    with_common(include_str!("shaders/add_gated.wgsl"))
}

pub(super) fn mean() -> String {
    with_common(include_str!("shaders/mean.wgsl"))
}

/// The sums of a tile are variables of their own, since not every driver keeps an array in registers.
pub(super) fn convolution(Tile { rows, columns }: Tile) -> String {
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
    let source = include_str!("shaders/convolution.wgsl")
        .replace("$DECLARE_SUMS", &declare)
        .replace("$MULTIPLY", &multiply)
        .replace("$WRITE_SUMS", &write);
    with_common(&format!("const ROWS = {rows}u;\nconst COLUMNS = {columns}u;\n{source}"))
}
