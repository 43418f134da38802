//! The backbones that exist, by name.

use serde::{Deserialize, Serialize};

/// The architecture of a backbone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackboneKind {
    /// face-api's expression network: 112×112 input, 7 classes, any laptop.
    Lite,
    /// EmoNet (Toisoul et al. 2021): 256×256 input, 8 classes (or 5).
    Emonet,
}
