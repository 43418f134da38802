//! The web workers: everything between the camera's frames and the aggregator.
//!
//! The *session worker* ([`session`]) owns all state that must not be lost. *Extractors* ([`extractor`]) only run the
//! backbone, on WebGPU or the CPU, so that losing one loses nothing. What needs no browser compiles natively and is tested
//! there.

pub mod clip_intake;
pub mod clips;
pub mod extractor;
pub mod kept_clips;
pub mod schedule;
pub mod segment;
pub mod training_pace;
pub mod video_model;
pub mod watchdog;

#[cfg(all(target_arch = "wasm32", feature = "worker"))]
pub mod aggregator;
#[cfg(all(target_arch = "wasm32", feature = "worker"))]
pub mod connection;
#[cfg(all(target_arch = "wasm32", feature = "worker"))]
pub mod error;
#[cfg(all(target_arch = "wasm32", feature = "worker"))]
pub mod request_log;
#[cfg(all(target_arch = "wasm32", feature = "worker"))]
pub mod session;
