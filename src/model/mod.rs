//! Models: the face detector, the frozen backbones with their image heads, and the VFER. No I/O.
//!
//! Whatever runs on burn needs the feature `backbone`; the same code runs on the CPU (flex) and on WebGPU.

#[cfg(feature = "backbone")]
mod backbone;
#[cfg(feature = "backbone")]
mod detector;
#[cfg(feature = "backbone")]
pub mod device;
#[cfg(feature = "backbone")]
pub mod emonet;
#[cfg(feature = "backbone")]
mod error;
pub mod image;
#[cfg(feature = "backbone")]
mod layers;
#[cfg(feature = "backbone")]
pub mod lite;
pub mod vfer;

#[cfg(feature = "backbone")]
pub use backbone::{Backbone, Extraction};
#[cfg(feature = "backbone")]
pub use detector::FaceDetector;
#[cfg(feature = "backbone")]
pub use error::ModelError;
pub use image::{Face, Frame, ImageError};
