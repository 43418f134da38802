//! Where the backbone runs: WebGPU where that works and pays, the CPU otherwise, and the CPU at any time later.

use std::cell::RefCell;
use std::rc::Rc;

use super::error::TabError;
use super::gpu_client::GpuClient;
use super::js;
use super::message::{EngineChoice, EngineReport};
use super::probe;
use crate::model::{Backbone, Device, Extraction, ModelError};
use crate::protocol::BackboneKind;
use crate::weights::Weights;

/// Frames timed on the CPU, after one to warm up.
const TIMED_FRAMES: usize = 3;

/// The loaded backbone. Cheap to clone; clones share it.
#[derive(Clone)]
pub struct Engine {
    kind: BackboneKind,
    input_size: usize,
    weights: Rc<Vec<u8>>,
    runner: Rc<RefCell<Runner>>,
}

#[derive(Clone)]
enum Runner {
    Cpu(Rc<Backbone>),
    Gpu(Rc<GpuClient>),
}

/// The features of a frame, and a report where the engine had to change for them.
pub struct Extracted {
    /// What the backbone says.
    pub extraction: Extraction,
    /// Set if WebGPU failed and the CPU did it.
    pub fell_back: Option<EngineReport>,
}

impl Engine {
    /// Probes, loads the backbone from `weights` (a safetensors file), and reports where it runs and why.
    ///
    /// # Errors
    /// The weights do not fit the backbone, or it fails on the CPU.
    pub async fn start(
        kind: BackboneKind,
        weights: Vec<u8>,
        choice: EngineChoice,
    ) -> Result<(Self, EngineReport), TabError> {
        let probed = probe::decide(choice, &probe::probe().await);
        let gpu = match &probed {
            Ok(_) => GpuClient::start(kind, &weights).await,
            Err(reason) => Err(reason.clone()),
        };
        let (runner, report) = match (gpu, choice) {
            (Ok(gpu), EngineChoice::Webgpu) => {
                let report = gpu_report("WebGPU was chosen".to_owned(), probed.ok(), gpu.frame_ms);
                (Runner::Gpu(Rc::new(gpu)), report)
            }
            (Ok(gpu), _) => {
                let (cpu, cpu_ms) = load_on_cpu(kind, &weights).await?;
                let figures = format!("{:.0} ms a frame on WebGPU, {cpu_ms:.0} ms on the CPU", gpu.frame_ms);
                if gpu.frame_ms <= cpu_ms {
                    let report = gpu_report(format!("WebGPU is faster: {figures}"), probed.ok(), gpu.frame_ms);
                    (Runner::Gpu(Rc::new(gpu)), report)
                } else {
                    (Runner::Cpu(Rc::new(cpu)), cpu_report(format!("the CPU is faster: {figures}"), cpu_ms))
                }
            }
            (Err(reason), _) => {
                let (cpu, cpu_ms) = load_on_cpu(kind, &weights).await?;
                (Runner::Cpu(Rc::new(cpu)), cpu_report(reason, cpu_ms))
            }
        };
        let input_size = match &runner {
            Runner::Cpu(backbone) => backbone.input_size(),
            Runner::Gpu(gpu) => gpu.input_size,
        };
        let engine = Self { kind, input_size, weights: Rc::new(weights), runner: Rc::new(RefCell::new(runner)) };
        Ok((engine, report))
    }

    /// The side of the square crops it takes, in pixels.
    pub fn input_size(&self) -> usize {
        self.input_size
    }

    /// Runs the backbone on `crops`, `[frames, 3, size, size]`. If WebGPU fails, for whatever reason, the CPU takes over for
    /// these crops and all later ones.
    ///
    /// # Errors
    /// The backbone fails on the CPU, too.
    pub async fn extract(&self, crops: &[f32]) -> Result<Extracted, TabError> {
        let runner = self.runner.borrow().clone();
        let reason = match runner {
            Runner::Cpu(backbone) => {
                return Ok(Extracted { extraction: backbone.extract(crops).await?, fell_back: None });
            }
            Runner::Gpu(gpu) => match gpu.extract(crops).await {
                Ok(extraction) => return Ok(Extracted { extraction, fell_back: None }),
                Err(reason) => reason,
            },
        };
        let (backbone, cpu_ms) = load_on_cpu(self.kind, &self.weights).await?;
        let backbone = Rc::new(backbone);
        *self.runner.borrow_mut() = Runner::Cpu(backbone.clone());
        let report = cpu_report(format!("WebGPU was lost ({reason}), and the CPU has taken over"), cpu_ms);
        Ok(Extracted { extraction: backbone.extract(crops).await?, fell_back: Some(report) })
    }
}

async fn load_on_cpu(kind: BackboneKind, weights: &[u8]) -> Result<(Backbone, f64), TabError> {
    let backbone = Backbone::load(kind, &Weights::from_safetensors(weights)?, &Device::Cpu)?;
    let frame_ms = median_frame_ms(&backbone, TIMED_FRAMES).await?;
    Ok((backbone, frame_ms))
}

/// Median time of `frames` grey frames, in milliseconds, after one to warm up.
///
/// # Errors
/// The backbone fails.
pub async fn median_frame_ms(backbone: &Backbone, frames: usize) -> Result<f64, ModelError> {
    let size = backbone.input_size();
    let grey = vec![0.5; 3 * size * size];
    backbone.extract(&grey).await?;
    let mut times = Vec::with_capacity(frames);
    for _ in 0..frames {
        let started = js::now_ms();
        backbone.extract(&grey).await?;
        times.push(js::now_ms() - started);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[frames / 2])
}

fn gpu_report(reason: String, adapter: Option<String>, frame_ms: f64) -> EngineReport {
    EngineReport { webgpu: true, reason, adapter, frame_ms }
}

fn cpu_report(reason: String, frame_ms: f64) -> EngineReport {
    EngineReport { webgpu: false, reason, adapter: None, frame_ms }
}
