//! Every VFER that an architecture describes, as a module of burn's.

use burn::module::{Module, Param};
use burn::tensor::activation::{log_softmax, softmax};
use burn::tensor::{Device, Int, Tensor, TensorData, Transaction};

use super::lstm::lstm;
use crate::emotion::EMOTIONS;
use crate::model::ModelError;
use crate::model::vfer::{FEATURES, Pooling, VferArchitecture, transpose};
use crate::weights::{self, Weights, WeightsError};

/// A score that the softmax makes zero of.
const EXCLUDED: f32 = -1e9;

/// A video model on a device of burn's. Matrices are kept transposed, so that rows of features come first in a product.
#[derive(Module, Debug)]
pub struct VideoModel {
    /// Layer by layer, the forward direction first.
    directions: Vec<Direction>,
    /// `[outputs, 1]` with attention pooling, else without a value.
    attention: Option<Param<Tensor<2>>>,
    /// `[outputs, EMOTIONS]`.
    head: Param<Tensor<2>>,
    /// `[EMOTIONS]`.
    head_bias: Param<Tensor<1>>,
    #[module(skip)]
    architecture: VferArchitecture,
}

/// One direction of one LSTM layer.
#[derive(Module, Debug)]
struct Direction {
    /// `[inputs, 4 * hidden_size]`.
    input: Param<Tensor<2>>,
    /// `[hidden_size, 4 * hidden_size]`.
    recurrent: Param<Tensor<2>>,
    /// `[4 * hidden_size]`.
    input_bias: Param<Tensor<1>>,
    /// `[4 * hidden_size]`.
    recurrent_bias: Param<Tensor<1>>,
}

/// Clips of any lengths as one tensor, padded behind their ends. What is computed there is never read: an LSTM's state
/// depends on earlier frames alone, and clips are reversed within their own lengths.
#[derive(Clone, Debug)]
pub struct ClipBatch {
    /// Row `frame * clips + clip`, `[frames * clips, FEATURES]`.
    rows: Tensor<2>,
    /// The row of each clip's last frame, `[clips]`.
    last_rows: Tensor<1, Int>,
    /// For each row the row that takes its place when clips are reversed: its own inverse. `[frames * clips]`.
    reversed_rows: Tensor<1, Int>,
    /// Added to the attention's scores, 0 or [`EXCLUDED`]: `[frames, clips]`.
    score_mask: Tensor<2>,
    frames: usize,
    clips: usize,
}

impl ClipBatch {
    /// Puts `clips`, each `[frames, FEATURES]`, on `device`.
    ///
    /// # Errors
    /// [`ModelError::InputLength`] if there is no clip, or one is not one or more whole frames.
    pub fn new(clips: &[&[f32]], device: &Device) -> Result<Self, ModelError> {
        let misshapen = clips.iter().find(|clip| clip.is_empty() || !clip.len().is_multiple_of(FEATURES));
        if clips.is_empty() || misshapen.is_some() {
            return Err(ModelError::InputLength { found: misshapen.map_or(0, |clip| clip.len()), unit: FEATURES });
        }
        let lengths: Vec<usize> = clips.iter().map(|clip| clip.len() / FEATURES).collect();
        let (frames, count) = (lengths.iter().copied().max().unwrap_or(0), clips.len());
        let mut rows = vec![0.0; frames * count * FEATURES];
        let mut reversed = Vec::with_capacity(frames * count);
        let mut mask = Vec::with_capacity(frames * count);
        for frame in 0..frames {
            for (clip, &length) in lengths.iter().enumerate() {
                let inside = frame < length;
                let row = frame * count + clip;
                if inside {
                    let features = &clips[clip][frame * FEATURES..(frame + 1) * FEATURES];
                    rows[row * FEATURES..(row + 1) * FEATURES].copy_from_slice(features);
                }
                reversed.push(if inside { (length - 1 - frame) * count + clip } else { row } as i32);
                mask.push(if inside { 0.0 } else { EXCLUDED });
            }
        }
        let last: Vec<i32> =
            lengths.iter().enumerate().map(|(clip, length)| ((length - 1) * count + clip) as i32).collect();
        Ok(Self {
            rows: Tensor::from_data(TensorData::new(rows, [frames * count, FEATURES]), device),
            last_rows: Tensor::from_data(TensorData::new(last, [count]), device),
            reversed_rows: Tensor::from_data(TensorData::new(reversed, [frames * count]), device),
            score_mask: Tensor::from_data(TensorData::new(mask, [frames, count]), device),
            frames,
            clips: count,
        })
    }
}

impl Direction {
    /// Hidden states, `[frames * clips, hidden_size]`, of rows in the order of time.
    fn run(&self, rows: Tensor<2>, batch: &ClipBatch) -> Tensor<2> {
        let bias = self.input_bias.val() + self.recurrent_bias.val();
        let projected = rows.matmul(self.input.val()) + bias.unsqueeze();
        let [hidden_size, num_gates] = self.recurrent.dims();
        let hidden = lstm(projected.reshape([batch.frames, batch.clips, num_gates]), self.recurrent.val());
        hidden.reshape([batch.frames * batch.clips, hidden_size])
    }
}

impl VideoModel {
    /// Puts the model that `weights` are on `device`, one of [`Device::autodiff`] to train it.
    ///
    /// # Errors
    /// [`WeightsError`] if they are not a video model.
    pub fn from_weights(weights: &Weights, device: &Device) -> Result<Self, WeightsError> {
        let architecture = VferArchitecture::of(weights)?;
        let expected = architecture.tensors();
        let tensors: Vec<_> =
            expected.iter().map(|(name, shape)| weights.get_shaped(name, shape)).collect::<Result<_, _>>()?;
        let mut tensors = tensors.into_iter();
        let mut next = || tensors.next().expect("an architecture has the tensors that it lists");
        // Transposed here, not as a view on the device: products of a view round differently, and a run that is resumed would
        // not end in the same bits.
        let matrix = |tensor: &weights::Tensor| {
            let columns = tensor.shape[1];
            let mut transposed = vec![0.0; tensor.values.len()];
            transpose(&tensor.values, columns, &mut transposed);
            Param::from_tensor(Tensor::<2>::from_data(TensorData::new(transposed, [columns, tensor.shape[0]]), device))
        };
        let vector = |tensor: &weights::Tensor| {
            let data = TensorData::new(tensor.values.clone(), [tensor.values.len()]);
            Param::from_tensor(Tensor::<1>::from_data(data, device))
        };
        let directions = (0..architecture.num_layers * architecture.num_directions())
            .map(|_| Direction {
                input: matrix(next()),
                recurrent: matrix(next()),
                input_bias: vector(next()),
                recurrent_bias: vector(next()),
            })
            .collect();
        let attention = (architecture.pooling == Pooling::Attention).then(|| matrix(next()));
        Ok(Self { directions, attention, head: matrix(next()), head_bias: vector(next()), architecture })
    }

    /// What it consists of.
    pub fn architecture(&self) -> &VferArchitecture {
        &self.architecture
    }

    /// Replaces each parameter by what `matrix` and `vector` make of it, each in the order of the tensors' names in
    /// [`VferArchitecture::tensors`].
    #[must_use]
    pub fn map_parameters(
        mut self,
        mut matrix: impl FnMut(Param<Tensor<2>>) -> Param<Tensor<2>>,
        mut vector: impl FnMut(Param<Tensor<1>>) -> Param<Tensor<1>>,
    ) -> Self {
        let direction = |Direction { input, recurrent, input_bias, recurrent_bias }| Direction {
            input: matrix(input),
            recurrent: matrix(recurrent),
            input_bias: vector(input_bias),
            recurrent_bias: vector(recurrent_bias),
        };
        self.directions = self.directions.into_iter().map(direction).collect();
        Self {
            attention: self.attention.map(&mut matrix),
            head: matrix(self.head),
            head_bias: vector(self.head_bias),
            ..self
        }
    }

    /// Reads its tensors back, under their published names.
    ///
    /// # Errors
    /// [`ModelError::Device`] if the device fails.
    pub async fn to_weights(&self) -> Result<Weights, ModelError> {
        self.read(|matrix| matrix.val(), |vector| vector.val()).await
    }

    /// Reads a tensor for each of the parameters back, under the parameters' names: the parameters themselves, or their
    /// gradients.
    ///
    /// # Errors
    /// [`ModelError::Device`] if the device fails.
    pub async fn read(
        &self,
        mut matrix: impl FnMut(&Param<Tensor<2>>) -> Tensor<2>,
        mut vector: impl FnMut(&Param<Tensor<1>>) -> Tensor<1>,
    ) -> Result<Weights, ModelError> {
        let mut transaction = Transaction::default();
        for Direction { input, recurrent, input_bias, recurrent_bias } in &self.directions {
            for parameter in [input, recurrent] {
                transaction = transaction.register(matrix(parameter).transpose());
            }
            for parameter in [input_bias, recurrent_bias] {
                transaction = transaction.register(vector(parameter));
            }
        }
        for parameter in self.attention.iter().chain([&self.head]) {
            transaction = transaction.register(matrix(parameter).transpose());
        }
        let values = transaction.register(vector(&self.head_bias)).execute_async().await.map_err(device_error)?;
        let mut weights = Weights::new();
        for ((name, shape), data) in self.architecture.tensors().into_iter().zip(values) {
            weights.insert(name, weights::Tensor::new(shape, data.try_into_vec().map_err(device_error)?));
        }
        Ok(weights)
    }

    /// Logits, `[clips, EMOTIONS]`.
    pub fn forward(&self, batch: &ClipBatch) -> Tensor<2> {
        let mut rows = batch.rows.clone();
        let mut ends = rows.clone();
        for layer in self.directions.chunks(self.architecture.num_directions()) {
            let reverse = |rows: Tensor<2>| rows.select(0, batch.reversed_rows.clone());
            let hidden: Vec<Tensor<2>> = match layer {
                [forward, backward] => {
                    vec![forward.run(rows.clone(), batch), backward.run(reverse(rows), batch)]
                }
                layer => layer.iter().map(|forward| forward.run(rows.clone(), batch)).collect(),
            };
            // Each direction's last state is the one behind its own last frame.
            let last = |rows: &Tensor<2>| rows.clone().select(0, batch.last_rows.clone());
            ends = Tensor::cat(hidden.iter().map(last).collect(), 1);
            let mut in_order = hidden.into_iter();
            let forward = in_order.next().into_iter();
            rows = Tensor::cat(forward.chain(in_order.map(reverse)).collect(), 1);
        }
        let pooled = match &self.attention {
            Some(score) => self.attend(rows, score.val(), batch),
            None => ends,
        };
        pooled.matmul(self.head.val()) + self.head_bias.val().unsqueeze()
    }

    /// The mean of each clip's frames, weighted by the softmax of their scores: `[clips, outputs]`.
    fn attend(&self, rows: Tensor<2>, score: Tensor<2>, batch: &ClipBatch) -> Tensor<2> {
        let (frames, clips, outputs) = (batch.frames, batch.clips, self.architecture.num_outputs());
        let scores = rows.clone().matmul(score).reshape([frames, clips]) + batch.score_mask.clone();
        let weights = softmax(scores, 0).reshape([frames, clips, 1]);
        (rows.reshape([frames, clips, outputs]) * weights).sum_dim(0).reshape([clips, outputs])
    }

    /// The loss of a batch of clips, the mean of KL(target ‖ model) (`[1]`), for `targets`, one distribution a clip.
    pub fn loss(&self, batch: &ClipBatch, targets: &[[f32; EMOTIONS]]) -> Tensor<1> {
        let device = batch.rows.device();
        let count = targets.len().max(1) as f32;
        let entropy: f32 =
            targets.as_flattened().iter().filter(|target| **target > 0.0).map(|target| target * target.ln()).sum();
        let data = TensorData::new(targets.as_flattened().to_vec(), [targets.len(), EMOTIONS]);
        let cross_entropy = Tensor::<2>::from_data(data, &device) * log_softmax(self.forward(batch), 1);
        cross_entropy.sum().mul_scalar(-1.0 / count).add_scalar(entropy / count)
    }

    /// ½ ‖w − anchor‖² over all parameters (`[1]`): FedProx's proximal term without its factor.
    pub fn squared_distance(&self, anchor: &Self) -> Tensor<1> {
        let matrix = |a: &Param<Tensor<2>>, b: &Param<Tensor<2>>| (a.val() - b.val()).square().sum();
        let vector = |a: &Param<Tensor<1>>, b: &Param<Tensor<1>>| (a.val() - b.val()).square().sum();
        let mut sum = matrix(&self.head, &anchor.head) + vector(&self.head_bias, &anchor.head_bias);
        for (a, b) in self.directions.iter().zip(&anchor.directions) {
            sum = sum + matrix(&a.input, &b.input) + matrix(&a.recurrent, &b.recurrent);
            sum = sum + vector(&a.input_bias, &b.input_bias) + vector(&a.recurrent_bias, &b.recurrent_bias);
        }
        if let (Some(a), Some(b)) = (&self.attention, &anchor.attention) {
            sum = sum + matrix(a, b);
        }
        sum.mul_scalar(0.5)
    }

    /// Reads the logits of `clips`, each `[frames, FEATURES]`, back: one row a clip.
    ///
    /// # Errors
    /// A clip is not whole frames, or the device fails.
    pub async fn logits(&self, clips: &[&[f32]]) -> Result<Vec<[f32; EMOTIONS]>, ModelError> {
        let batch = ClipBatch::new(clips, &self.head.device())?;
        let data = self.forward(&batch).into_data_async().await.map_err(device_error)?;
        let values = data.try_into_vec::<f32>().map_err(device_error)?;
        Ok(values.as_chunks().0.to_vec())
    }
}

fn device_error(error: impl std::fmt::Display) -> ModelError {
    ModelError::Device(error.to_string())
}
