//! **emofed**: federated learning of facial-expression recognition in a browser tab.
//!
//! A tab captures its camera, extracts features of each frame with a frozen backbone, names the emotion of a clip
//! with a small LSTM (the *VFER*), fine-tunes its copy on pseudo labels and ships only weights. The method is
//! "Dynamic Facial Expression Recognition through Partial Label Learning and Federated Learning" (Daffa, Gupta,
//! Chen, Wong).
//!
//! Dependencies point one way; the table is in docs/ARCHITECTURE.md, and a test keeps it.

#[cfg(test)]
mod arrows;
pub mod browser;
pub mod messages;
// Natively only its words are compiled, for the tests of the catalogues.
#[cfg(any(test, all(target_arch = "wasm32", feature = "page")))]
#[cfg_attr(not(target_arch = "wasm32"), allow(dead_code))]
pub mod page;
pub mod protocol;
pub mod worker;

pub use emofed_core::{emotion, insertion_sort, learning, model, random, simd, weights};
