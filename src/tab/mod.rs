//! The tab: everything between the camera's frames and the aggregator, in web workers.
//!
//! The *session worker* ([`session`]) owns what must not be lost. *Extractors* ([`extractor_worker`]) only run the
//! backbone, on WebGPU or the CPU, so that losing a device loses nothing. What decides without a browser compiles natively and is tested
//! there.

pub mod backoff;
pub mod clips;
pub mod ledger;
pub mod message;
pub mod patience;
pub mod probe;
pub mod schedule;
pub mod segment;

#[cfg(all(target_arch = "wasm32", feature = "worker"))]
pub mod aggregator;
#[cfg(target_arch = "wasm32")]
pub mod book;
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
#[cfg(target_arch = "wasm32")]
pub mod js;
#[cfg(target_arch = "wasm32")]
pub mod limit;
#[cfg(target_arch = "wasm32")]
pub mod request;
#[cfg(all(target_arch = "wasm32", feature = "worker"))]
pub mod session;
#[cfg(target_arch = "wasm32")]
pub mod storage;
