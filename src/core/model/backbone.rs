//! The frozen feature extractor with its image head (IFER), whichever the federation uses.

use super::executor::Executor;
use super::loader::{check_input, check_output};
use super::math::softmax;
use super::{BackboneKind, Device, ModelError, cpu, emonet, emonet::EmoNet, lite, lite::Lite};
use crate::{emotion::EMOTIONS, weights::Weights};

/// A frozen feature extractor and image model.
pub struct Backbone {
    kind: BackboneKind,
    input_size: usize,
    feature_count: usize,
    extractor: Executor,
    /// So small that it runs on the CPU, wherever the extractor does.
    head: cpu::Executor,
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
        let (extractor, head) = match kind {
            BackboneKind::Lite => {
                let lite = Lite::load(weights)?;
                (lite.extractor, lite.head)
            }
            BackboneKind::Emonet => {
                let emonet = EmoNet::load(weights)?;
                let (found, expected) = (emonet.config.expressions, emonet::EXPRESSIONS.len());
                if found != expected {
                    return Err(ModelError::Expressions { found, expected });
                }
                (emonet.extractor, emonet.head)
            }
        };
        Ok(Self {
            kind,
            input_size: extractor.input().shape.height,
            feature_count: head.input().shape.channels,
            extractor: Executor::new(&extractor, device),
            head: cpu::Executor::new(&head),
        })
    }

    /// Its architecture.
    pub fn kind(&self) -> BackboneKind {
        self.kind
    }

    /// Pixels on each side of a crop.
    pub fn input_size(&self) -> usize {
        self.input_size
    }

    /// How many features there are of a crop.
    pub fn feature_count(&self) -> usize {
        self.feature_count
    }

    /// Looks at `crops` `[n, 3, input_size, input_size]`, RGB in [0, 1].
    ///
    /// # Errors
    /// The crops are incomplete or not finite, or the device failed.
    pub async fn extract(&self, crops: &[f32]) -> Result<Extraction, ModelError> {
        let unit = 3 * self.input_size * self.input_size;
        check_input(crops, unit)?;
        let features = self.extractor.run(crops, unit).await?;
        let features = check_output(features)?;
        let logits = self.logits(&features)?;
        let probabilities = logits.chunks_exact(self.classes()).map(|row| self.probabilities(row)).collect();
        Ok(Extraction { features, logits, probabilities })
    }

    /// The image head alone: `features` `[n, feature_count]` to the probabilities of the six emotions.
    ///
    /// # Errors
    /// The features are incomplete or not finite.
    pub fn classify(&self, features: &[f32]) -> Result<Vec<[f32; EMOTIONS]>, ModelError> {
        check_input(features, self.feature_count)?;
        let logits = self.logits(features)?;
        Ok(logits.chunks_exact(self.classes()).map(|row| self.probabilities(row)).collect())
    }

    fn classes(&self) -> usize {
        match self.kind {
            BackboneKind::Lite => lite::EXPRESSIONS.len(),
            BackboneKind::Emonet => emonet::EXPRESSIONS.len(),
        }
    }

    /// `[n, feature_count]` to `[n, classes]`. EmoNet's head has valence and arousal behind the expressions.
    fn logits(&self, features: &[f32]) -> Result<Vec<f32>, ModelError> {
        let rows = features.chunks_exact(self.feature_count).map(|row| self.head.run(row).swap_remove(0));
        check_output(rows.flat_map(|row| row[..self.classes()].to_vec()).collect())
    }

    /// Softmax over the logits of CREMA-D's six emotions.
    fn probabilities(&self, logits: &[f32]) -> [f32; EMOTIONS] {
        // Where anger, disgust, fear, happiness, neutral and sadness are among the head's expressions.
        let places: [usize; EMOTIONS] = match self.kind {
            BackboneKind::Lite => [3, 5, 4, 1, 0, 2],
            BackboneKind::Emonet => [6, 5, 4, 1, 0, 2],
        };
        softmax(&places.map(|place| logits[place]))
    }
}
