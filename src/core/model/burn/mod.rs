//! Models on burn: [`VideoModel`], every VFER that an architecture describes, on the CPU (burn's flex) or a GPU
//! (burn-wgpu), with burn's autodiff; and [`Executor`], backbones as burn's tensor operations, the reference of our own
//! executors.

mod executor;
mod lstm;
#[cfg(feature = "burn-gpu")]
mod lstm_cell;
mod lstm_cpu;
#[cfg(feature = "burn-gpu")]
mod lstm_gpu;
#[cfg(feature = "burn-gpu")]
mod lstm_gpu_frames;
mod video_model;

pub use burn::tensor::Device;
pub use executor::Executor;
pub use video_model::{ClipBatch, VideoModel};
