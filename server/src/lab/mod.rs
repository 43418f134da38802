//! The lab: what makes and measures models, natively, on the very model and learning code that the tab runs.

pub mod bootstrap;
pub mod cache;
pub mod complaint;
pub mod dataset;
pub mod error;
pub mod extract;
pub mod media;
pub mod models;
pub mod sets;
mod synthetic_face;

pub use error::LabError;
