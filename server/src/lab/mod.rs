//! The lab: what makes models.

pub mod bootstrap;
mod synthetic_face;
