//! The tab: everything between the camera's frames and the aggregator, in web workers.
//!
//! The *session worker* ([`session`]) owns what must not be lost. The *GPU worker* ([`gpu_worker`]) only extracts
//! features, so that losing a device loses nothing. What decides without a browser compiles natively and is tested
//! there.

pub mod backoff;
pub mod clips;
pub mod message;
pub mod probe;
pub mod segment;

#[cfg(all(target_arch = "wasm32", feature = "worker"))]
pub mod aggregator;
#[cfg(all(target_arch = "wasm32", feature = "worker"))]
pub mod engine;
#[cfg(all(target_arch = "wasm32", feature = "worker"))]
pub mod error;
#[cfg(all(target_arch = "wasm32", feature = "worker"))]
mod gpu_client;
#[cfg(all(target_arch = "wasm32", feature = "worker", feature = "gpu"))]
pub mod gpu_worker;
#[cfg(all(target_arch = "wasm32", feature = "worker"))]
mod js;
#[cfg(all(target_arch = "wasm32", feature = "worker"))]
pub mod session;
#[cfg(all(target_arch = "wasm32", feature = "worker"))]
pub mod storage;
