//! The dispatches of a convolution, and how its weights are laid out for them.

use super::build::{Builder, Parameters};
use super::shaders::{self, Tile};
use super::{Precision, QUAD, quads, stored};
use crate::model::cpu::winograd::{self, POINTS};
use crate::model::network::{Activation, Convolution, Joint, Map, Network, Pass};

/// The most pixels (or Winograd's tiles) that small tiles are for.
const SMALL_MAP: usize = 16 * 16;

/// The smallest side of a map for which Winograd's three dispatches are faster than one.
const WINOGRAD_SIDE: usize = 32;

/// Rows of filters that the kernels read at a time.
const ROWS: usize = 16;

const AFFINE: u32 = 1;
const RELU: u32 = 2;
const ADD: u32 = 4;
const OUTPUT: u32 = 8;
const JOINT: u32 = 16;

/// How many values Winograd's patches and products have at the most.
pub(super) fn winograd_volumes(network: &Network) -> [usize; 2] {
    let mut volumes = [QUAD; 2];
    for pass in &network.passes {
        if let Pass::Convolution { convolution, input, .. } = pass {
            let c = &network.convolutions[*convolution];
            if is_winograd(c, *input) {
                let points = POINTS * tiles(input.side) * QUAD;
                volumes[0] = volumes[0].max(points * quads(input.channels));
                volumes[1] = volumes[1].max(points * quads(c.outputs));
            }
        }
    }
    volumes
}

impl Builder<'_> {
    pub(super) fn convolution(
        &mut self,
        c: &Convolution,
        input: Map,
        add: Option<Map>,
        output: Map,
        joint: Option<Joint>,
    ) {
        let width = c.outputs.next_multiple_of(QUAD);
        let mut channels = padded(&c.bias);
        let mut flags = 0;
        if let Some((scale, shift)) = &c.prologue.affine {
            channels.extend(padded(scale));
            channels.extend(padded(shift));
            flags |= AFFINE;
        }
        for (flag, is_set) in [
            (RELU, c.prologue.relu),
            (ADD, add.is_some()),
            (OUTPUT, self.last_uses[output.index] > 0),
            (JOINT, joint.is_some()),
        ] {
            flags |= if is_set { flag } else { 0 };
        }
        let parameters = Parameters {
            size: c.size,
            stride: c.stride,
            padding: c.padding.0,
            flags,
            slope: slope(c.activation),
            joint,
            ..Parameters::new(input, output)
        };
        let channels = self.upload(&channels, Precision::F32);
        let read = |map: Option<Map>| map.map_or(&self.nothing[0], |map| &self.maps[map.index]).clone();
        let source = read(Some(input));
        let sinks = [
            read(add),
            read(joint.map(|joint| joint.add)),
            self.maps[output.index].clone(),
            joint.map_or(&self.nothing[1], |joint| &self.maps[joint.output.index]).clone(),
        ];
        let grid = |tile: Tile, rows: usize, layers: usize| {
            [rows.div_ceil(8 * tile.rows), (width / QUAD).div_ceil(8 * tile.columns), layers]
        };
        if is_winograd(c, input) {
            let tiles = tiles(output.side);
            let tile = Tile::for_rows(tiles * POINTS);
            let filters = self.upload(&winograd_filters(c, input), Precision::F32);
            let [patches, products] = self.winograd.clone();
            let buffers = [source, channels.clone(), patches.clone()];
            let quads = tiles * quads(input.channels);
            self.elementwise(&shaders::winograd_input(), parameters, &buffers, quads * QUAD);
            let buffers = [patches, filters, products.clone()];
            self.step(&shaders::winograd_products(tile), parameters, &buffers, grid(tile, tiles, POINTS));
            let buffers = [[products, channels].as_slice(), &sinks].concat();
            self.elementwise(&shaders::winograd_output(), parameters, &buffers, tiles * width);
        } else {
            let pixels = output.side * output.side;
            let tile = Tile::for_rows(pixels);
            let filters = self.upload(&direct_filters(c, input), self.card.precision);
            let buffers = [[source, filters, channels].as_slice(), &sinks].concat();
            self.step(&shaders::direct(tile), parameters, &buffers, grid(tile, pixels, 1));
        }
    }

    pub(super) fn depthwise(&mut self, c: &Convolution, input: Map, output: Map) {
        let area = c.size * c.size;
        let depth = input.channels.next_multiple_of(QUAD);
        let mut filters = vec![0.0; area * depth];
        for (channel, filter) in c.weight.chunks_exact(area).enumerate() {
            filter.iter().enumerate().for_each(|(tap, value)| filters[tap * depth + channel] = *value);
        }
        filters.extend(padded(&c.bias));
        let parameters = Parameters {
            size: c.size,
            stride: c.stride,
            padding: c.padding.0,
            flags: if c.prologue.relu { RELU } else { 0 },
            slope: slope(c.activation),
            ..Parameters::new(input, output)
        };
        let buffers = [
            self.maps[input.index].clone(),
            self.upload(&filters, self.card.precision),
            self.maps[output.index].clone(),
        ];
        self.elementwise(shaders::DEPTHWISE, parameters, &buffers, stored(&output));
    }
}

impl Tile {
    /// Large tiles do more with what they load, but there have to be enough of them for every core of a card.
    fn for_rows(rows: usize) -> Self {
        if rows <= SMALL_MAP { Self { rows: 4, columns: 1 } } else { Self { rows: 8, columns: 2 } }
    }
}

/// Whether `convolution` over `input` is done by Winograd's F(4×4, 3×3).
fn is_winograd(convolution: &Convolution, input: Map) -> bool {
    winograd::is_possible(convolution) && input.side >= WINOGRAD_SIDE
}

/// Winograd's tiles of a map.
fn tiles(side: usize) -> usize {
    side.div_ceil(4) * side.div_ceil(4)
}

/// `[size, size, inputs, outputs]`, and zeros, since the kernel reads 16 rows at a time.
fn direct_filters(c: &Convolution, input: Map) -> Vec<f32> {
    let area = c.size * c.size;
    let (depth, width) = (input.channels.next_multiple_of(QUAD), c.outputs.next_multiple_of(QUAD));
    let mut filters = vec![0.0; (area * depth).next_multiple_of(ROWS) * width];
    for (index, filter) in c.weight.chunks_exact(area).enumerate() {
        let (output, channel) = (index / input.channels, index % input.channels);
        for (tap, value) in filter.iter().enumerate() {
            filters[(tap * depth + channel) * width + output] = *value;
        }
    }
    filters
}

/// `[36, inputs, outputs]`, the inputs padded to whole steps of the kernel.
fn winograd_filters(c: &Convolution, input: Map) -> Vec<f32> {
    let (depth, width) = (input.channels.next_multiple_of(ROWS), c.outputs.next_multiple_of(QUAD));
    let mut filters = vec![0.0; POINTS * depth * width];
    for (index, filter) in c.weight.as_chunks::<9>().0.iter().enumerate() {
        let (output, channel) = (index / input.channels, index % input.channels);
        for (point, value) in winograd::transform_filter(filter).into_iter().enumerate() {
            filters[(point * depth + channel) * width + output] = value;
        }
    }
    filters
}

/// What a negative result is multiplied by.
fn slope(activation: Activation) -> f32 {
    match activation {
        Activation::None => 1.0,
        Activation::Relu => 0.0,
        Activation::LeakyRelu(slope) => slope,
    }
}

/// With zeros up to a multiple of four.
fn padded(values: &[f32]) -> Vec<f32> {
    let mut values = values.to_vec();
    values.resize(values.len().next_multiple_of(QUAD), 0.0);
    values
}
