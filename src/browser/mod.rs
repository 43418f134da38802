//! Thin typed wrappers over browser APIs and HTTP, used by the page and by the session worker.
//!
//! Nothing here knows of clips, models or messages; of the protocol it knows paths and problem documents.

pub mod backoff;
#[cfg(target_arch = "wasm32")]
pub mod battery;
#[cfg(target_arch = "wasm32")]
pub mod encrypted_storage;
#[cfg(target_arch = "wasm32")]
pub mod event_stream;
#[cfg(target_arch = "wasm32")]
pub mod js;
#[cfg(target_arch = "wasm32")]
pub mod locks;
#[cfg(target_arch = "wasm32")]
pub mod request;
#[cfg(target_arch = "wasm32")]
pub mod storage;
#[cfg(target_arch = "wasm32")]
pub mod timeout;
