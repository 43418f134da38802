//! The models. No I/O.

pub mod vfer;
