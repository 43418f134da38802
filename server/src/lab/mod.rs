//! The lab: what makes and measures models, natively, on the very model and learning code that the tab runs.

pub mod adaptation;
pub mod bootstrap;
pub mod cache;
pub mod confidence_interval;
pub mod dataset;
pub mod datasets;
pub mod diagnostic;
pub mod error;
pub mod extract;
pub mod held_out;
pub mod media;
pub mod metrics;
pub mod model_file;
pub mod models;
pub mod parallel;
pub mod personal;
pub mod pretrain;
pub mod raters;
pub mod report;
pub mod shipped;
pub mod simulate;
pub mod simulated_federation;
pub mod split;
pub mod supervised;
pub mod synthetic;
mod synthetic_face;
pub mod train;
pub mod transport;
pub mod video_model;

pub use error::LabError;
