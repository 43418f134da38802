//! Where the backbone runs: WebGPU where that works and pays, the CPU otherwise, and the CPU at any time later.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use gloo::timers::future::TimeoutFuture;

use super::backoff::Backoff;
use super::error::TabError;
use super::extractor::{Extractor, Launched};
use super::js;
use super::message::{EngineChoice, EngineReport};
use super::probe;
use crate::model::{BackboneKind, Extraction};

/// How often a frame looks whether the CPU is ready to take over.
const RECOVERY_POLL_MS: u32 = 50;

/// The loaded backbone. Cheap to clone; clones share it.
#[derive(Clone)]
pub struct Engine {
    kind: BackboneKind,
    input_size: usize,
    weights: Rc<Vec<u8>>,
    pool: Rc<RefCell<Pool>>,
    recovery: Rc<Recovery>,
}

/// Workers that each hold the backbone.
struct Pool {
    webgpu: bool,
    extractors: Vec<Rc<Extractor>>,
    /// Beside WebGPU: a worker for the CPU with its code, so that losing the device while the aggregator is away loses
    /// nothing. It is of the same version as all that runs.
    standby: Option<Launched>,
}

/// WebGPU has failed, and the CPU takes over.
#[derive(Default)]
struct Recovery {
    running: Cell<bool>,
    /// Why WebGPU failed.
    lost: RefCell<String>,
    backoff: RefCell<Backoff>,
    /// When to try again after the CPU failed, and how that failed.
    wait: RefCell<Option<(f64, String)>>,
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
    /// The weights do not fit the backbone, it fails on the CPU, or its code does not load.
    pub async fn start(
        kind: BackboneKind,
        weights: Vec<u8>,
        choice: EngineChoice,
    ) -> Result<(Self, EngineReport), TabError> {
        let probed = probe::decide(choice, &probe::probe().await);
        let gpu = match &probed {
            Ok(_) => load_on_gpu(kind, &weights).await,
            Err(reason) => Err(reason.clone()),
        };
        let (pool, report) = match (gpu, choice) {
            (Ok((gpu, frame_ms)), EngineChoice::Webgpu) => {
                on_gpu(gpu, "WebGPU was chosen".to_owned(), probed.ok(), frame_ms).await?
            }
            (Ok((gpu, gpu_ms)), _) => {
                let (cpu, cpu_ms) = load_on_cpu(kind, &weights).await?;
                let figures = format!("{gpu_ms:.0} ms a frame on WebGPU, {cpu_ms:.0} ms on the CPU");
                if gpu_ms <= cpu_ms {
                    on_gpu(gpu, format!("WebGPU is faster: {figures}"), probed.ok(), gpu_ms).await?
                } else {
                    on_cpu(cpu, kind, &weights, format!("the CPU is faster: {figures}"), cpu_ms).await
                }
            }
            (Err(reason), _) => {
                let (cpu, cpu_ms) = load_on_cpu(kind, &weights).await?;
                on_cpu(cpu, kind, &weights, reason, cpu_ms).await
            }
        };
        let input_size = pool.extractors.first().map_or(0, |extractor| extractor.input_size);
        let engine = Self {
            kind,
            input_size,
            weights: Rc::new(weights),
            pool: Rc::new(RefCell::new(pool)),
            recovery: Rc::default(),
        };
        Ok((engine, report))
    }

    /// The side of the square crops it takes, in pixels.
    pub fn input_size(&self) -> usize {
        self.input_size
    }

    /// Runs the backbone on `crops`, `[frames, 3, size, size]`. If WebGPU fails, for whatever reason, the CPU takes over for
    /// these crops and all later ones; of several workers on the CPU, one that fails is left out.
    ///
    /// # Errors
    /// The backbone fails on the CPU, too. Where that may pass, a later call tries again.
    pub async fn extract(&self, crops: &[f32]) -> Result<Extracted, TabError> {
        let mut fell_back = None;
        loop {
            while self.recovery.running.get() {
                TimeoutFuture::new(RECOVERY_POLL_MS).await;
            }
            if self.is_lost() {
                fell_back = Some(self.take_over().await?);
            }
            let extractor = self.idlest()?;
            match extractor.extract(crops).await {
                Ok(extraction) => return Ok(Extracted { extraction, fell_back }),
                Err(reason) => self.leave_out(&extractor, reason)?,
            }
        }
    }

    fn idlest(&self) -> Result<Rc<Extractor>, TabError> {
        let pool = self.pool.borrow();
        let idlest = pool.extractors.iter().min_by_key(|extractor| extractor.in_flight()).cloned();
        idlest.ok_or_else(|| TabError::Engine("no worker is left for it".to_owned()))
    }

    /// Leaves `failed` out.
    fn leave_out(&self, failed: &Rc<Extractor>, reason: String) -> Result<(), TabError> {
        let mut pool = self.pool.borrow_mut();
        pool.extractors.retain(|extractor| !Rc::ptr_eq(extractor, failed));
        if pool.webgpu {
            *self.recovery.lost.borrow_mut() = reason;
        } else if pool.extractors.is_empty() {
            return Err(TabError::Engine(reason));
        }
        Ok(())
    }

    fn is_lost(&self) -> bool {
        let pool = self.pool.borrow();
        pool.webgpu && pool.extractors.is_empty()
    }

    /// Puts the CPU in WebGPU's place, once for all frames that wait; after a failure, not before some time has passed.
    async fn take_over(&self) -> Result<EngineReport, TabError> {
        let recovery = &self.recovery;
        if let Some((at_ms, reason)) = &*recovery.wait.borrow()
            && js::now_ms() < *at_ms
        {
            return Err(TabError::Script(reason.clone()));
        }
        recovery.running.set(true);
        let standby = self.pool.borrow_mut().standby.take();
        let started = self.start_on_cpu(standby).await;
        recovery.running.set(false);
        match started {
            Ok((pool, report)) => {
                *self.pool.borrow_mut() = pool;
                Ok(report)
            }
            Err(error) => {
                let wait_ms = recovery.backoff.borrow_mut().next_ms(js_sys::Math::random(), None);
                let reason = match &error {
                    TabError::Script(reason) => reason.clone(),
                    other => other.to_string(),
                };
                *recovery.wait.borrow_mut() = Some((js::now_ms() + wait_ms as f64, reason));
                Err(error)
            }
        }
    }

    async fn start_on_cpu(&self, standby: Option<Launched>) -> Result<(Pool, EngineReport), TabError> {
        let loaded = match standby {
            Some(standby) => time(standby.load(self.kind, &self.weights).await).await.ok(),
            None => None,
        };
        let (cpu, frame_ms) = match loaded {
            Some(loaded) => loaded,
            // There is none, or it has stopped.
            None => load_on_cpu(self.kind, &self.weights).await?,
        };
        let reason = format!("WebGPU was lost ({}), and the CPU has taken over", self.recovery.lost.borrow());
        Ok(on_cpu(cpu, self.kind, &self.weights, reason, frame_ms).await)
    }
}

async fn time(loaded: Result<Extractor, String>) -> Result<(Extractor, f64), String> {
    let extractor = loaded?;
    let frame_ms = extractor.frame_ms().await?;
    Ok((extractor, frame_ms))
}

async fn load_on_gpu(kind: BackboneKind, weights: &[u8]) -> Result<(Extractor, f64), String> {
    time(Extractor::launch(true).await?.load(kind, weights).await).await
}

async fn load_on_cpu(kind: BackboneKind, weights: &[u8]) -> Result<(Extractor, f64), TabError> {
    let launched = Extractor::launch(false).await.map_err(TabError::Script)?;
    time(launched.load(kind, weights).await).await.map_err(TabError::Engine)
}

/// Beside it, the CPU's code is kept at hand.
async fn on_gpu(
    extractor: Extractor,
    reason: String,
    adapter: Option<String>,
    frame_ms: f64,
) -> Result<(Pool, EngineReport), TabError> {
    let standby = Extractor::launch(false).await.map_err(TabError::Script)?;
    let pool = Pool { webgpu: true, extractors: vec![Rc::new(extractor)], standby: Some(standby) };
    Ok((pool, EngineReport { webgpu: true, reason, adapter, frame_ms, workers: 1 }))
}

/// As many workers as pay for a backbone that takes `frame_ms`, or as many as start.
async fn on_cpu(
    first: Extractor,
    kind: BackboneKind,
    weights: &[u8],
    reason: String,
    frame_ms: f64,
) -> (Pool, EngineReport) {
    let wanted = probe::cpu_workers(frame_ms, probe::cores(), probe::memory_gb());
    let mut extractors = vec![Rc::new(first)];
    while extractors.len() < wanted {
        let Ok(launched) = Extractor::launch(false).await else { break };
        match launched.load(kind, weights).await {
            Ok(extractor) => extractors.push(Rc::new(extractor)),
            Err(_) => break,
        }
    }
    let workers = extractors.len();
    let report = EngineReport { webgpu: false, reason, adapter: None, frame_ms, workers };
    (Pool { webgpu: false, extractors, standby: None }, report)
}
