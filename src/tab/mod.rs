//! The tab: everything between the camera's frames and the aggregator, in web workers.
//!
//! The *session worker* ([`session`]) owns what must not be lost. *Extractors* ([`extractor_worker`]) only run the
//! backbone, on WebGPU or the CPU, so that losing a device loses nothing. What decides without a browser compiles natively and is tested
//! there.

pub mod backoff;
pub mod clips;
pub mod message;
pub mod patience;
pub mod probe;
pub mod schedule;
pub mod segment;

#[cfg(all(target_arch = "wasm32", feature = "worker"))]
pub mod aggregator;
#[cfg(all(target_arch = "wasm32", feature = "worker"))]
pub mod engine;
#[cfg(all(target_arch = "wasm32", feature = "worker"))]
pub mod error;
#[cfg(target_arch = "wasm32")]
pub mod events;
#[cfg(all(target_arch = "wasm32", feature = "worker"))]
mod extractor;
#[cfg(all(target_arch = "wasm32", feature = "worker"))]
pub mod extractor_worker;
#[cfg(all(target_arch = "wasm32", feature = "worker"))]
mod js;
#[cfg(target_arch = "wasm32")]
pub mod limit;
#[cfg(all(target_arch = "wasm32", feature = "worker"))]
pub mod session;
#[cfg(all(target_arch = "wasm32", feature = "worker"))]
pub mod storage;

/// The cache (of the Cache API) that has everything that stays on the device; but for what a browser tab remembers over a
/// reload.
pub const CACHE: &str = "emofed-v1";
