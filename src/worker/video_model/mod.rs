//! Video models on burn, in a worker: every architecture, and the paper's where WebGPU trains it faster than the CPU does.
//! [`service`] is part of the worker that is WebGPU's extractor, and shares its device; a worker without a backbone runs
//! them on the CPU. [`client`] is the session worker's side; `choice` says where the paper's model is trained.
//!
//! Requests (see [`crate::worker::connection`]):
//!
//! | kind | fields | response |
//! |---|---|---|
//! | `video-load` | `weights`: a safetensors file | `on_gpu` |
//! | `video-predict` | `features`: `[frames, FEATURES]`; `tuned`: by the copy in training | `probabilities`: `[EMOTIONS]` |
//! | `video-measure` | | `step_ms`: time of a training step of 8 clips of 32 frames; `gradient` of the first, a safetensors file |
//! | `train-begin` | `features`, `lengths` (frames of each clip), `targets`, `settings`; `checkpoint` to go on from, if there is one | `steps` |
//! | `train-step` | | `step`, `steps`, `loss`; without them when there is none left |
//! | `train-checkpoint` | | `checkpoint`: an encoded `FineTuneCheckpoint` |
//! | `train-finish` | | `delta`: a safetensors file |

pub mod choice;

#[cfg(all(target_arch = "wasm32", feature = "worker"))]
pub mod client;
#[cfg(all(target_arch = "wasm32", feature = "worker", feature = "burn-gpu"))]
pub mod service;
