//! What emofed computes, without a browser and without a network: models, and how they learn.
//!
//! A crate of its own, so that its kernels are optimised for speed while the code around them is optimised for size
//! (`[profile.web-small]`), and so that a change around them does not compile burn's generics again. The crate `emofed` exports all of it.

pub mod emotion;
pub mod insertion_sort;
pub mod learning;
pub mod model;
pub mod random;
pub mod simd;
pub mod weights;
