//! Extractors: workers that hold the backbone and no other state. [`service`] is the worker; [`client`] is the session
//! worker's side of one; [`pool`] decides on which backend they run, and replaces WebGPU by the CPU when it fails.
//!
//! Messages are plain objects. To an extractor: `{ kind: "load", backbone, weights }` and `{ kind: "extract", id, crops }`.
//! From it: `{ kind: "listening" }`, `{ kind: "loaded", input_size }`, `{ kind: "extracted", id, features, logits,
//! probabilities }`, `{ kind: "failed", id?, detail }` and `{ kind: "lost", detail }`. Arrays are transferred where they are
//! large: `crops` are `[frames, 3, size, size]`, `features` `[frames, FEATURES]`, `probabilities` `[frames, EMOTIONS]`.

pub mod probe;
pub mod watchdog;

#[cfg(all(target_arch = "wasm32", feature = "worker"))]
pub mod client;
#[cfg(all(target_arch = "wasm32", feature = "worker"))]
pub mod pool;
#[cfg(all(target_arch = "wasm32", feature = "worker"))]
pub mod service;

/// The worker name that makes the CPU's binary an extractor; without it, that is the session worker.
#[cfg(all(target_arch = "wasm32", feature = "worker"))]
const WORKER_NAME: &str = "extractor";
