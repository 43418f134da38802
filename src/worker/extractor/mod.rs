//! Extractors: workers that hold the backbone and no other state. [`service`] is the worker; [`client`] is the session
//! worker's side of one; [`pool`] decides on which backend they run, and replaces WebGPU by the CPU when it fails.
//!
//! Requests (see [`crate::worker::connection`]) are `{ kind: "load", backbone, weights }`, answered by `{ input_size }`, and
//! `{ kind: "extract", crops }`, answered by `{ features, logits, probabilities }`. `crops`, which are transferred, are
//! `[frames, 3, size, size]`, `features` `[frames, FEATURES]`, `probabilities` `[frames, EMOTIONS]`.

pub mod probe;

#[cfg(all(target_arch = "wasm32", feature = "worker"))]
pub mod client;
#[cfg(all(target_arch = "wasm32", feature = "worker"))]
pub mod pool;
#[cfg(all(target_arch = "wasm32", feature = "worker"))]
pub mod service;

/// The worker name that makes the CPU's binary an extractor; without it, that is the session worker.
#[cfg(all(target_arch = "wasm32", feature = "worker"))]
pub(super) const WORKER_NAME: &str = "extractor";
