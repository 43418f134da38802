//! Models: the face detector, the frozen backbones with their image heads, and the VFER. No I/O.
//!
//! A backbone is a [`network::Network`], built from weights with everything folded that can be, and run by one of two
//! engines: [`cpu`], kernels of our own, anywhere; `burn` (feature `burn`), for WebGPU and as the reference.

mod backbone;
#[cfg(feature = "burn")]
pub mod burn;
pub mod cpu;
pub mod detector;
pub mod device;
pub mod emonet;
mod error;
pub mod image;
pub mod lite;
mod loader;
pub mod network;
pub mod vfer;

pub use backbone::{Backbone, Extraction};
pub use detector::FaceDetector;
pub use device::Device;
pub use error::ModelError;
pub use image::{Face, Frame, ImageError};
