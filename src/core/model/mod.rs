//! Models: the face detector, the frozen backbones with their image heads, and the VFER. No I/O.
//!
//! A backbone is a [`graph::Graph`], built from weights with everything folded that can be, and run by an executor: [`cpu`],
//! anywhere; `gpu` (feature `gpu`), on a GPU; `burn` (feature `burn`), the reference for both.

mod backbone;
mod backbone_kind;
#[cfg(feature = "burn")]
pub mod burn;
pub mod cpu;
pub mod detector;
pub mod device;
pub mod emonet;
mod error;
mod executor;
mod face_quality;
pub mod face_track;
mod gemm;
#[cfg(feature = "gpu")]
pub mod gpu;
pub mod graph;
pub mod image;
pub mod lite;
mod loader;
mod math;
mod one_euro;
mod probability_smoother;
#[cfg(any(test, feature = "burn"))]
pub mod reference;

pub mod vfer;
mod winograd;

pub use backbone::{Backbone, Extraction};
pub use backbone_kind::BackboneKind;
pub use detector::FaceDetector;
pub use device::Device;
pub use error::ModelError;
pub use face_quality::FaceQuality;
pub use face_track::{FaceTrack, TrackedFace, TrackingResult};
pub use image::{CROP_MARGIN, Face, Frame, ImageError, MIN_FRAME_SIDE_PX, MIN_LUMINANCE};
pub use probability_smoother::ProbabilitySmoother;
