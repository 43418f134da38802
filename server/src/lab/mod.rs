//! The lab: what makes and measures models, natively, on the very model and learning code that the tab runs.

pub mod bootstrap;
pub mod dataset;
pub mod error;
mod synthetic_face;

pub use error::LabError;
