//! The section `[learning]`, which the aggregator and the lab read.

use emofed::learning::{LearningSettings, Recipe, UpdateEncoding};
use serde::{Deserialize, Deserializer, Serialize};

/// [`LearningSettings`] as they are configured: unknown keys and values are refused.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "each key is the field of the same name in LearningSettings")]
pub struct LearningConfig {
    pub recipe: RecipeConfig,
    pub confidence_threshold: f64,
    pub learning_rate: f64,
    pub adam_epsilon: f64,
    pub epochs: u32,
    pub batch_size: usize,
    pub soft_labels: bool,
    pub minimum_clips: u32,
    pub seed: u64,
    pub proximal: f64,
    pub distillation: f64,
    pub video_share: f64,
    pub prior_correction: f64,
    pub adaptive_threshold: bool,
    pub agreement: bool,
    pub update_encoding: UpdateEncodingConfig,
    pub minimum_face_px: f64,
    pub maximum_face_outside: f64,
    pub maximum_face_aspect: f64,
    pub minimum_brightness: f64,
    pub maximum_brightness: f64,
    pub minimum_contrast: f64,
    pub minimum_sharpness: f64,
    pub collapse_share: f64,
    pub collapse_minimum_clips: u32,
    pub hold_out_share: f64,
    pub send_worse_updates: bool,
}

/// [`Recipe`] as it is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "each value is the variant of the same name of Recipe")]
pub enum RecipeConfig {
    Paper,
    PersonalHead,
}

/// [`UpdateEncoding`] as it is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "each value is the variant of the same name of UpdateEncoding")]
pub enum UpdateEncodingConfig {
    F32,
    F16,
    Int8,
}

impl Default for LearningConfig {
    fn default() -> Self {
        LearningSettings::default().into()
    }
}

/// Both types have the same fields; a struct literal that names all of them keeps it so.
macro_rules! same_fields {
    ($from:ty => $to:ident) => {
        impl From<$from> for $to {
            fn from(settings: $from) -> Self {
                Self {
                    recipe: settings.recipe.into(),
                    confidence_threshold: settings.confidence_threshold,
                    learning_rate: settings.learning_rate,
                    adam_epsilon: settings.adam_epsilon,
                    epochs: settings.epochs,
                    batch_size: settings.batch_size,
                    soft_labels: settings.soft_labels,
                    minimum_clips: settings.minimum_clips,
                    seed: settings.seed,
                    proximal: settings.proximal,
                    distillation: settings.distillation,
                    video_share: settings.video_share,
                    prior_correction: settings.prior_correction,
                    adaptive_threshold: settings.adaptive_threshold,
                    agreement: settings.agreement,
                    update_encoding: settings.update_encoding.into(),
                    minimum_face_px: settings.minimum_face_px,
                    maximum_face_outside: settings.maximum_face_outside,
                    maximum_face_aspect: settings.maximum_face_aspect,
                    minimum_brightness: settings.minimum_brightness,
                    maximum_brightness: settings.maximum_brightness,
                    minimum_contrast: settings.minimum_contrast,
                    minimum_sharpness: settings.minimum_sharpness,
                    collapse_share: settings.collapse_share,
                    collapse_minimum_clips: settings.collapse_minimum_clips,
                    hold_out_share: settings.hold_out_share,
                    send_worse_updates: settings.send_worse_updates,
                }
            }
        }
    };
}
same_fields!(LearningConfig => LearningSettings);
same_fields!(LearningSettings => LearningConfig);

impl From<RecipeConfig> for Recipe {
    fn from(recipe: RecipeConfig) -> Self {
        match recipe {
            RecipeConfig::Paper => Self::Paper,
            RecipeConfig::PersonalHead => Self::PersonalHead,
        }
    }
}

impl From<Recipe> for RecipeConfig {
    fn from(recipe: Recipe) -> Self {
        match recipe {
            Recipe::Paper => Self::Paper,
            Recipe::PersonalHead => Self::PersonalHead,
        }
    }
}

impl From<UpdateEncodingConfig> for UpdateEncoding {
    fn from(encoding: UpdateEncodingConfig) -> Self {
        match encoding {
            UpdateEncodingConfig::F32 => Self::F32,
            UpdateEncodingConfig::F16 => Self::F16,
            UpdateEncodingConfig::Int8 => Self::Int8,
        }
    }
}

impl From<UpdateEncoding> for UpdateEncodingConfig {
    fn from(encoding: UpdateEncoding) -> Self {
        match encoding {
            UpdateEncoding::F32 => Self::F32,
            UpdateEncoding::F16 => Self::F16,
            UpdateEncoding::Int8 => Self::Int8,
        }
    }
}

/// Reads [`LearningSettings`] strictly, for `#[serde(deserialize_with)]`.
///
/// # Errors
/// An unknown key, or a value of the wrong kind.
pub fn strict<'de, D: Deserializer<'de>>(deserializer: D) -> Result<LearningSettings, D::Error> {
    LearningConfig::deserialize(deserializer).map(LearningSettings::from)
}
