//! The frozen feature extractor with its image head (IFER), whichever a class uses.

use burn::tensor::{Device, Tensor, TensorData};

use super::{
    ModelError,
    emonet::{self, EmoNet},
    layers::{check_input, read},
    lite::{self, Lite},
};
use crate::{emotion::EMOTIONS, protocol::BackboneKind, weights::Weights};

/// A frozen feature extractor and image model.
pub struct Backbone {
    network: Network,
    device: Device,
}

// One of them exists in a worker, for as long as it runs: their sizes do not matter.
#[allow(clippy::large_enum_variant)]
enum Network {
    Lite(Lite),
    Emonet(EmoNet),
}

/// What a backbone sees in `n` crops.
#[derive(Clone, Debug, PartialEq)]
pub struct Extraction {
    /// `[n, feature_count]`.
    pub features: Vec<f32>,
    /// The image head's raw values, one for each of its own expressions: `[n, classes]`.
    pub logits: Vec<f32>,
    /// Softmax over the six that CREMA-D knows.
    pub probabilities: Vec<[f32; EMOTIONS]>,
}

impl Backbone {
    /// Puts a backbone of `kind` on `device`.
    ///
    /// # Errors
    /// [`ModelError::Weights`] if these are not the weights of such a backbone, [`ModelError::Expressions`] if they
    /// do not tell CREMA-D's six emotions apart (EmoNet with 5 expressions knows no disgust and no anger).
    pub fn load(kind: BackboneKind, weights: &Weights, device: &Device) -> Result<Self, ModelError> {
        let network = match kind {
            BackboneKind::Lite => Network::Lite(Lite::load(weights, device)?),
            BackboneKind::Emonet => Network::Emonet(EmoNet::load(weights, device)?),
        };
        if let Network::Emonet(model) = &network {
            let (found, expected) = (model.config().expressions, emonet::EXPRESSIONS.len());
            if found != expected {
                return Err(ModelError::Expressions { found, expected });
            }
        }
        Ok(Self { network, device: device.clone() })
    }

    /// Its architecture.
    pub fn kind(&self) -> BackboneKind {
        match &self.network {
            Network::Lite(_) => BackboneKind::Lite,
            Network::Emonet(_) => BackboneKind::Emonet,
        }
    }

    /// Pixels on each side of a crop.
    pub fn input_size(&self) -> usize {
        match &self.network {
            Network::Lite(_) => lite::INPUT,
            Network::Emonet(model) => model.config().input(),
        }
    }

    /// How many features there are of a crop.
    pub fn feature_count(&self) -> usize {
        match &self.network {
            Network::Lite(_) => lite::FEATURES,
            Network::Emonet(model) => model.config().width,
        }
    }

    /// Looks at `crops` `[n, 3, input_size, input_size]`, RGB in [0, 1].
    ///
    /// # Errors
    /// The crops are incomplete or not finite, or the device failed.
    pub async fn extract(&self, crops: &[f32]) -> Result<Extraction, ModelError> {
        let size = self.input_size();
        let count = check_input(crops, 3 * size * size)?;
        let data = TensorData::new(crops.to_vec(), [count, 3, size, size]);
        let images = Tensor::from_data(data, &self.device);
        let features = match &self.network {
            Network::Lite(model) => model.features(images),
            Network::Emonet(model) => model.forward(images).features,
        };
        let logits = self.logits(features.clone());
        // One tensor, so that the device is waited for once.
        let width = self.feature_count();
        let rows = read(Tensor::cat(vec![features, logits], 1)).await?;
        let rows = rows.chunks_exact(rows.len() / count);
        Ok(Extraction {
            features: rows.clone().flat_map(|row| &row[..width]).copied().collect(),
            logits: rows.clone().flat_map(|row| &row[width..]).copied().collect(),
            probabilities: rows.map(|row| self.probabilities(&row[width..])).collect(),
        })
    }

    /// The image head alone: `features` `[n, feature_count]` to the probabilities of the six emotions.
    ///
    /// # Errors
    /// The features are incomplete or not finite, or the device failed.
    pub async fn classify(&self, features: &[f32]) -> Result<Vec<[f32; EMOTIONS]>, ModelError> {
        let count = check_input(features, self.feature_count())?;
        let data = TensorData::new(features.to_vec(), [count, self.feature_count()]);
        let logits = read(self.logits(Tensor::from_data(data, &self.device))).await?;
        Ok(logits.chunks_exact(logits.len() / count).map(|row| self.probabilities(row)).collect())
    }

    /// `[n, feature_count]` to `[n, classes]`.
    fn logits(&self, features: Tensor<2>) -> Tensor<2> {
        match &self.network {
            Network::Lite(model) => model.logits(features),
            Network::Emonet(model) => model.head(features).narrow(1, 0, model.config().expressions),
        }
    }

    /// Softmax over the logits of CREMA-D's six emotions.
    fn probabilities(&self, logits: &[f32]) -> [f32; EMOTIONS] {
        // Where anger, disgust, fear, happiness, neutral and sadness are among the head's expressions.
        let places: [usize; EMOTIONS] = match &self.network {
            Network::Lite(_) => [3, 5, 4, 1, 0, 2],
            Network::Emonet(_) => [6, 5, 4, 1, 0, 2],
        };
        let six = places.map(|place| logits[place]);
        let largest = six.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let powers = six.map(|logit| (logit - largest).exp());
        let sum: f32 = powers.iter().sum();
        powers.map(|power| power / sum)
    }
}
