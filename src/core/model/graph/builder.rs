//! Builds a [`Graph`] node by node.

use super::{ConcatAdd, Convolution, FeatureMap, Graph, GraphError, Node, Op, Shape};

/// Builds a [`Graph`]. The first illegal operation is remembered and reported by [`Self::finish`], so that appending needs
/// no error handling.
#[derive(Debug)]
pub struct GraphBuilder {
    feature_maps: Vec<FeatureMap>,
    /// By feature map: how many of its channels are written so far. Only of concatenations it can be some of them.
    channels_written: Vec<usize>,
    nodes: Vec<Node>,
    error: Option<GraphError>,
}

impl GraphBuilder {
    /// A graph that reads images of `input`.
    pub fn new(input: Shape) -> Self {
        let error = (input.elements() == 0).then_some(GraphError::EmptyInput(input));
        let feature_maps = vec![FeatureMap { id: 0, shape: input }];
        Self { feature_maps, channels_written: vec![input.channels], nodes: Vec::new(), error }
    }

    /// What the graph reads.
    pub fn input(&self) -> FeatureMap {
        self.feature_maps[0]
    }

    /// `activation(convolution(prologue(input)))`.
    pub fn convolution(&mut self, input: FeatureMap, convolution: Convolution) -> FeatureMap {
        self.convolution_add(input, convolution, None)
    }

    /// `activation(convolution(prologue(input)) + residual)`.
    pub fn convolution_add(
        &mut self,
        input: FeatureMap,
        convolution: Convolution,
        residual: impl Into<Option<FeatureMap>>,
    ) -> FeatureMap {
        self.push(Op::Convolution { convolution, input, residual: residual.into(), concat: None })
    }

    /// Begins a concatenation that `residual` is added to. It has to be filled by [`Self::convolution_concat`].
    pub fn concat_add(&mut self, residual: FeatureMap) -> ConcatAdd {
        ConcatAdd { residual, channel_offset: 0, output: self.feature_map(residual.shape, 0) }
    }

    /// A convolution whose result also becomes the next channels of `concat`.
    pub fn convolution_concat(
        &mut self,
        input: FeatureMap,
        convolution: Convolution,
        concat: &mut ConcatAdd,
    ) -> FeatureMap {
        let output = self.push(Op::Convolution { convolution, input, residual: None, concat: Some(*concat) });
        concat.channel_offset += output.shape.channels;
        if let Some(written) = self.channels_written.get_mut(concat.output.id) {
            *written = concat.channel_offset;
        }
        output
    }

    /// Maximum over 2×2 windows, `stride` (1 or 2) pixels apart.
    pub fn max_pool(&mut self, input: FeatureMap, stride: usize) -> FeatureMap {
        self.push(Op::MaxPool { input, stride })
    }

    /// `high + resize(low)`, nearest neighbour ×2.
    pub fn upsample_add(&mut self, low: FeatureMap, high: FeatureMap) -> FeatureMap {
        self.push(Op::UpsampleAdd { low, high })
    }

    /// `addend + input · gate`, with a `gate` of one channel.
    pub fn multiply_add(&mut self, input: FeatureMap, gate: FeatureMap, addend: FeatureMap) -> FeatureMap {
        self.push(Op::MultiplyAdd { input, gate, addend })
    }

    /// The mean over all pixels.
    pub fn global_average_pool(&mut self, input: FeatureMap) -> FeatureMap {
        self.push(Op::GlobalAveragePool { input })
    }

    /// The graph that computes `outputs`.
    ///
    /// # Errors
    /// The first operation that was not legal, a concatenation that is not filled, an output that is not this graph's, or
    /// none at all.
    pub fn finish(self, outputs: &[FeatureMap]) -> Result<Graph, GraphError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        if outputs.is_empty() {
            return Err(GraphError::NoOutput);
        }
        for output in outputs {
            self.check_readable(*output)?;
        }
        let input = self.feature_maps[0];
        Ok(Graph { input, outputs: outputs.to_vec(), feature_maps: self.feature_maps, nodes: self.nodes })
    }

    fn feature_map(&mut self, shape: Shape, channels_written: usize) -> FeatureMap {
        let feature_map = FeatureMap { id: self.feature_maps.len(), shape };
        self.feature_maps.push(feature_map);
        self.channels_written.push(channels_written);
        feature_map
    }

    /// Refuses a feature map of another graph, and a concatenation that is not filled.
    fn check_readable(&self, map: FeatureMap) -> Result<(), GraphError> {
        if self.feature_maps.get(map.id) != Some(&map) {
            return Err(GraphError::UnknownFeatureMap { id: map.id });
        }
        let (written, channels) = (self.channels_written[map.id], map.shape.channels);
        if written == channels { Ok(()) } else { Err(GraphError::ConcatIncomplete { written, channels }) }
    }

    /// Appends a node. After an error, one with the shape of the graph's input, which nobody will see.
    fn push(&mut self, op: Op) -> FeatureMap {
        let readable = op.inputs().into_iter().try_for_each(|map| self.check_readable(map));
        match readable.and_then(|()| op.output_shape()) {
            Ok(shape) => {
                let output = self.feature_map(shape, shape.channels);
                self.nodes.push(Node { op, output });
                output
            }
            Err(error) => {
                self.error.get_or_insert(error);
                self.input()
            }
        }
    }
}
