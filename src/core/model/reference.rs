//! Executes a [`Graph`] by definition, in f64: what the tests compare every executor with.

use super::graph::{Activation, Convolution, FeatureMap, Graph, Op, Shape};

/// Values of a feature map, NHWC.
struct Values {
    shape: Shape,
    values: Vec<f64>,
}

impl Values {
    fn from_fn(shape: Shape, value: impl Fn(usize, usize, usize) -> f64) -> Self {
        let Shape { height, width, channels } = shape;
        let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (y, x)));
        let values = pixels.flat_map(|(y, x)| (0..channels).map(move |channel| (y, x, channel)));
        Self { shape, values: values.map(|(y, x, channel)| value(y, x, channel)).collect() }
    }

    fn at(&self, y: usize, x: usize, channel: usize) -> f64 {
        self.values[(y * self.shape.width + x) * self.shape.channels + channel]
    }
}

/// The outputs of `graph` for one image, NCHW: NHWC each.
pub fn run(graph: &Graph, planes: &[f32]) -> Vec<Vec<f64>> {
    let mut values: Vec<Option<Values>> = Vec::new();
    let input = graph.input();
    let pixels = input.shape.pixels();
    let image =
        Values::from_fn(input.shape, |y, x, channel| f64::from(planes[channel * pixels + y * input.shape.width + x]));
    store(&mut values, input, image);
    for node in graph.nodes() {
        let read = |map: &FeatureMap| values[map.id].as_ref().expect("nodes are in execution order");
        let shape = node.output.shape;
        let result = match &node.op {
            Op::Convolution { convolution, input, residual, .. } => {
                convolve(convolution, read(input), shape, residual.as_ref().map(read))
            }
            Op::MaxPool { input, stride } => {
                let input = read(input);
                let Shape { height, width, .. } = input.shape;
                Values::from_fn(shape, |y, x, channel| {
                    let rows = (y * stride..y * stride + 2).filter(|row| *row < height);
                    let window = rows.flat_map(|row| (x * stride..x * stride + 2).map(move |column| (row, column)));
                    let values = window.filter(|(_, column)| *column < width).map(|(y, x)| input.at(y, x, channel));
                    values.fold(f64::NEG_INFINITY, f64::max)
                })
            }
            Op::UpsampleAdd { low, high } => {
                let (low, high) = (read(low), read(high));
                Values::from_fn(shape, |y, x, channel| high.at(y, x, channel) + low.at(y / 2, x / 2, channel))
            }
            Op::MultiplyAdd { input, gate, addend } => {
                let (input, gate, addend) = (read(input), read(gate), read(addend));
                Values::from_fn(shape, |y, x, channel| {
                    addend.at(y, x, channel) + input.at(y, x, channel) * gate.at(y, x, 0)
                })
            }
            Op::GlobalAveragePool { input } => {
                let input = read(input);
                let pixels = input.shape.pixels() as f64;
                let channels = input.shape.channels;
                Values::from_fn(shape, |_, _, channel| {
                    input.values[channel..].iter().step_by(channels).sum::<f64>() / pixels
                })
            }
        };
        if let Some(concat) = node.op.concat() {
            let shape = concat.output.shape;
            let mut whole = match values.get_mut(concat.output.id).and_then(Option::take) {
                Some(whole) => whole,
                None => Values::from_fn(shape, |_, _, _| f64::NAN),
            };
            let residual = values[concat.residual.id].as_ref().expect("nodes are in execution order");
            for (index, value) in result.values.iter().enumerate() {
                let (pixel, channel) = (index / result.shape.channels, index % result.shape.channels);
                let place = pixel * shape.channels + concat.channel_offset + channel;
                whole.values[place] = value + residual.values[place];
            }
            store(&mut values, concat.output, whole);
        }
        store(&mut values, node.output, result);
    }
    let outputs = graph.outputs().iter().map(|map| values[map.id].as_ref().expect("it was computed"));
    outputs.map(|output| output.values.clone()).collect()
}

fn store(values: &mut Vec<Option<Values>>, map: FeatureMap, result: Values) {
    if values.len() <= map.id {
        values.resize_with(map.id + 1, || None);
    }
    values[map.id] = Some(result);
}

fn convolve(c: &Convolution, input: &Values, shape: Shape, residual: Option<&Values>) -> Values {
    let Shape { height, width, channels } = input.shape;
    // Zero in the padding, which the prologue does not see.
    let read = |y: usize, x: usize, channel: usize| {
        let (y, x) = (y.wrapping_sub(c.padding.0), x.wrapping_sub(c.padding.0));
        if y >= height || x >= width {
            return 0.0;
        }
        let mut value = input.at(y, x, channel);
        if let Some((scale, shift)) = &c.prologue.affine {
            value = value * f64::from(scale[channel]) + f64::from(shift[channel]);
        }
        if c.prologue.relu { value.max(0.0) } else { value }
    };
    let group_channels = if c.depthwise { 1 } else { channels };
    Values::from_fn(shape, |y, x, output| {
        let mut sum = f64::from(c.bias[output]) + residual.map_or(0.0, |residual| residual.at(y, x, output));
        let first = if c.depthwise { output } else { 0 };
        for channel in 0..group_channels {
            for tap in 0..c.kernel_size * c.kernel_size {
                let (row, column) = (y * c.stride + tap / c.kernel_size, x * c.stride + tap % c.kernel_size);
                let weight = c.weight[(output * group_channels + channel) * c.kernel_size * c.kernel_size + tap];
                sum += f64::from(weight) * read(row, column, first + channel);
            }
        }
        match c.activation {
            Activation::None => sum,
            Activation::Relu => sum.max(0.0),
            Activation::LeakyRelu { slope } if sum < 0.0 => sum * f64::from(slope),
            Activation::LeakyRelu { .. } => sum,
        }
    })
}
