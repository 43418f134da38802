//! The extractors in use: one on WebGPU where that works and is faster, otherwise one or more on the CPU. Whenever WebGPU
//! fails, the CPU takes over.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use gloo::timers::future::TimeoutFuture;

use super::client::{Extractor, Launched};
use super::probe::{self, Adapter};
use crate::browser::backoff::Backoff;
use crate::browser::js;
use crate::messages::{Backend, BackendChoice, BackendReason, BackendReport, ModelWorkerFailure};
use crate::model::{BackboneKind, Extraction};
use crate::worker::connection::Connection;
use crate::worker::error::WorkerError;

/// How often a frame checks whether the CPU has taken over, in milliseconds.
const RECOVERY_POLL_MS: u32 = 50;

/// The loaded backbone. Cheap to clone; clones share it.
#[derive(Clone)]
pub struct ExtractorPool {
    kind: BackboneKind,
    input_size: usize,
    weights: Rc<Vec<u8>>,
    workers: Rc<RefCell<Workers>>,
    recovery: Rc<Recovery>,
}

/// Extractors that each hold the backbone.
struct Workers {
    backend: Backend,
    extractors: Vec<Rc<Extractor>>,
    /// Beside WebGPU: a launched extractor for the CPU, so that losing the device while the aggregator is away loses
    /// nothing. Its code is of the same version as all that runs.
    standby: Option<Launched>,
}

/// The take-over by the CPU after WebGPU has failed.
#[derive(Default)]
struct Recovery {
    running: Cell<bool>,
    /// How WebGPU failed.
    cause: RefCell<Option<ModelWorkerFailure>>,
    backoff: RefCell<Backoff>,
    /// After a failed take-over: when to try again (on the monotonic clock), and how it failed.
    retry: RefCell<Option<(f64, ModelWorkerFailure)>>,
}

/// A frame's features, and a report if the backend had to change for them.
pub struct Extracted {
    /// The backbone's outputs.
    pub extraction: Extraction,
    /// Set if WebGPU failed and the CPU took over.
    pub fallback: Option<BackendReport>,
}

impl ExtractorPool {
    /// Probes WebGPU, loads the backbone from `weights` (a safetensors file), and reports where it runs and why.
    ///
    /// # Errors
    /// The weights do not fit the backbone, it fails on the CPU, or its script does not load.
    pub async fn start(
        kind: BackboneKind,
        weights: Vec<u8>,
        choice: BackendChoice,
    ) -> Result<(Self, BackendReport), WorkerError> {
        let (workers, report) = match try_gpu(kind, &weights, choice).await {
            Ok((gpu, adapter, gpu_ms)) if choice == BackendChoice::Webgpu => {
                run_on_gpu(gpu, BackendReason::Chosen, adapter, gpu_ms).await?
            }
            Ok((gpu, adapter, webgpu_ms)) => {
                let (cpu, cpu_ms) = load_on_cpu(kind, &weights).await?;
                let reason = BackendReason::Measured { webgpu_ms, cpu_ms };
                if webgpu_ms <= cpu_ms {
                    run_on_gpu(gpu, reason, adapter, webgpu_ms).await?
                } else {
                    run_on_cpu(cpu, kind, &weights, reason, cpu_ms).await
                }
            }
            Err(reason) => {
                let (cpu, cpu_ms) = load_on_cpu(kind, &weights).await?;
                run_on_cpu(cpu, kind, &weights, reason, cpu_ms).await
            }
        };
        let input_size = workers.extractors.first().map_or(0, |extractor| extractor.input_size);
        let pool = Self {
            kind,
            input_size,
            weights: Rc::new(weights),
            workers: Rc::new(RefCell::new(workers)),
            recovery: Rc::default(),
        };
        Ok((pool, report))
    }

    /// The worker that runs the backbone on WebGPU, where one does.
    pub fn gpu_connection(&self) -> Option<Rc<Connection>> {
        let workers = self.workers.borrow();
        let on_gpu = workers.extractors.first().filter(|_| workers.backend == Backend::Webgpu);
        on_gpu.map(|extractor| extractor.connection().clone())
    }

    /// The side of the square crops it takes, in pixels.
    pub fn input_size(&self) -> usize {
        self.input_size
    }

    /// Runs the backbone on `crops`, `[frames, 3, size, size]`, on the extractor with the fewest requests. If WebGPU fails
    /// in any way, the CPU takes over for these crops and all later ones; a CPU extractor that fails is removed.
    ///
    /// # Errors
    /// The backbone fails on the CPU, too. If that error is transient, a later call tries again.
    pub async fn extract(&self, crops: &[f32]) -> Result<Extracted, WorkerError> {
        let mut fallback = None;
        loop {
            while self.recovery.running.get() {
                TimeoutFuture::new(RECOVERY_POLL_MS).await;
            }
            if self.is_gpu_lost() {
                fallback = Some(self.take_over().await?);
            }
            let extractor = self.least_busy()?;
            match extractor.extract(crops).await {
                Ok(extraction) => return Ok(Extracted { extraction, fallback }),
                Err(failure) => self.remove(&extractor, failure)?,
            }
        }
    }

    /// Memory of all extractors, in bytes, without a GPU's.
    pub fn memory_bytes(&self) -> f64 {
        self.workers.borrow().extractors.iter().map(|extractor| extractor.memory_bytes()).sum()
    }

    fn least_busy(&self) -> Result<Rc<Extractor>, WorkerError> {
        let workers = self.workers.borrow();
        let least_busy = workers.extractors.iter().min_by_key(|extractor| extractor.in_flight()).cloned();
        least_busy.ok_or_else(|| {
            WorkerError::Backbone(ModelWorkerFailure::Failed { detail: "no extractor is left".to_owned() })
        })
    }

    fn remove(&self, failed: &Rc<Extractor>, failure: ModelWorkerFailure) -> Result<(), WorkerError> {
        let mut workers = self.workers.borrow_mut();
        workers.extractors.retain(|extractor| !Rc::ptr_eq(extractor, failed));
        match workers.backend {
            Backend::Webgpu => *self.recovery.cause.borrow_mut() = Some(failure),
            Backend::Cpu if workers.extractors.is_empty() => return Err(WorkerError::Backbone(failure)),
            Backend::Cpu => {}
        }
        Ok(())
    }

    fn is_gpu_lost(&self) -> bool {
        let workers = self.workers.borrow();
        workers.backend == Backend::Webgpu && workers.extractors.is_empty()
    }

    /// Replaces WebGPU by the CPU, once for all frames that wait. After a failure it is not tried again before the back-off
    /// has passed.
    async fn take_over(&self) -> Result<BackendReport, WorkerError> {
        let recovery = &self.recovery;
        if let Some((retry_at_ms, failure)) = &*recovery.retry.borrow()
            && js::now_ms() < *retry_at_ms
        {
            return Err(WorkerError::ExtractorNotLoaded(failure.clone()));
        }
        recovery.running.set(true);
        let standby = self.workers.borrow_mut().standby.take();
        let started = self.start_on_cpu(standby).await;
        recovery.running.set(false);
        match started {
            Ok((workers, report)) => {
                *self.workers.borrow_mut() = workers;
                Ok(report)
            }
            Err(error) => {
                if let WorkerError::ExtractorNotLoaded(failure) | WorkerError::Backbone(failure) = &error {
                    let delay_ms = recovery.backoff.borrow_mut().next_ms(js_sys::Math::random(), None);
                    *recovery.retry.borrow_mut() = Some((js::now_ms() + delay_ms as f64, failure.clone()));
                }
                Err(error)
            }
        }
    }

    async fn start_on_cpu(&self, standby: Option<Launched>) -> Result<(Workers, BackendReport), WorkerError> {
        let loaded = match standby {
            Some(standby) => timed(standby.load(self.kind, &self.weights).await).await.ok(),
            None => None,
        };
        let (cpu, frame_ms) = match loaded {
            Some(loaded) => loaded,
            // There is none, or it has stopped.
            None => load_on_cpu(self.kind, &self.weights).await?,
        };
        let failure = self.recovery.cause.borrow().clone();
        let failure = failure.unwrap_or_else(|| ModelWorkerFailure::Failed { detail: String::new() });
        Ok(run_on_cpu(cpu, self.kind, &self.weights, BackendReason::Lost { failure }, frame_ms).await)
    }
}

type Timed = (Extractor, f64);

/// The extractor with its time of a frame, in milliseconds.
async fn timed(loaded: Result<Extractor, ModelWorkerFailure>) -> Result<Timed, ModelWorkerFailure> {
    let extractor = loaded?;
    let frame_ms = extractor.frame_ms().await?;
    Ok((extractor, frame_ms))
}

/// An extractor on WebGPU with the adapter's name and its time of a frame, or the reason why not.
async fn try_gpu(
    kind: BackboneKind,
    weights: &[u8],
    choice: BackendChoice,
) -> Result<(Extractor, Option<String>, f64), BackendReason> {
    let Adapter { name, .. } = probe::decide(choice, probe::probe().await)?;
    let failed = |failure| BackendReason::LoadFailed { failure };
    let launched = Extractor::launch(Backend::Webgpu).await.map_err(failed)?;
    let (extractor, frame_ms) = timed(launched.load(kind, weights).await).await.map_err(failed)?;
    Ok((extractor, name, frame_ms))
}

async fn load_on_cpu(kind: BackboneKind, weights: &[u8]) -> Result<Timed, WorkerError> {
    let launched = Extractor::launch(Backend::Cpu).await.map_err(WorkerError::ExtractorNotLoaded)?;
    timed(launched.load(kind, weights).await).await.map_err(WorkerError::Backbone)
}

/// One extractor on WebGPU, with the CPU's code on standby.
async fn run_on_gpu(
    extractor: Extractor,
    reason: BackendReason,
    adapter: Option<String>,
    frame_ms: f64,
) -> Result<(Workers, BackendReport), WorkerError> {
    let standby = Extractor::launch(Backend::Cpu).await.map_err(WorkerError::ExtractorNotLoaded)?;
    let backend = Backend::Webgpu;
    let workers = Workers { backend, extractors: vec![Rc::new(extractor)], standby: Some(standby) };
    Ok((workers, BackendReport { backend, reason, adapter, frame_ms, workers: 1 }))
}

/// As many extractors on the CPU as are worth it for a backbone that takes `frame_ms`, or as many as start.
async fn run_on_cpu(
    first: Extractor,
    kind: BackboneKind,
    weights: &[u8],
    reason: BackendReason,
    frame_ms: f64,
) -> (Workers, BackendReport) {
    let wanted = probe::cpu_workers(frame_ms, probe::cores(), probe::memory_gb());
    let mut extractors = vec![Rc::new(first)];
    while extractors.len() < wanted {
        let Ok(launched) = Extractor::launch(Backend::Cpu).await else { break };
        match launched.load(kind, weights).await {
            Ok(extractor) => extractors.push(Rc::new(extractor)),
            Err(_) => break,
        }
    }
    let backend = Backend::Cpu;
    let report = BackendReport { backend, reason, adapter: None, frame_ms, workers: extractors.len() };
    (Workers { backend, extractors, standby: None }, report)
}
