//! Where the backbone runs: WebGPU where that works and pays, the CPU otherwise, and the CPU at any time later.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use gloo::timers::future::TimeoutFuture;

use super::error::TabError;
use super::extractor::Extractor;
use super::message::{EngineChoice, EngineReport};
use super::probe;
use crate::model::Extraction;
use crate::protocol::BackboneKind;

/// How often a frame looks whether the CPU is ready to take over.
const RECOVERY_POLL_MS: u32 = 50;

/// The loaded backbone. Cheap to clone; clones share it.
#[derive(Clone)]
pub struct Engine {
    kind: BackboneKind,
    input_size: usize,
    weights: Rc<Vec<u8>>,
    pool: Rc<RefCell<Pool>>,
    /// WebGPU has failed, and the CPU is being prepared.
    recovering: Rc<Cell<bool>>,
}

/// Workers that each hold the backbone.
struct Pool {
    webgpu: bool,
    extractors: Vec<Rc<Extractor>>,
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
            Ok(_) => load(true, kind, &weights).await,
            Err(reason) => Err(reason.clone()),
        };
        let (pool, report) = match (gpu, choice) {
            (Ok((gpu, frame_ms)), EngineChoice::Webgpu) => {
                on_gpu(gpu, "WebGPU was chosen".to_owned(), probed.ok(), frame_ms)
            }
            (Ok((gpu, gpu_ms)), _) => {
                let (cpu, cpu_ms) = load_on_cpu(kind, &weights).await?;
                let figures = format!("{gpu_ms:.0} ms a frame on WebGPU, {cpu_ms:.0} ms on the CPU");
                if gpu_ms <= cpu_ms {
                    on_gpu(gpu, format!("WebGPU is faster: {figures}"), probed.ok(), gpu_ms)
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
            recovering: Rc::default(),
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
    /// The backbone fails on the CPU, too.
    pub async fn extract(&self, crops: &[f32]) -> Result<Extracted, TabError> {
        let mut fell_back = None;
        loop {
            while self.recovering.get() {
                TimeoutFuture::new(RECOVERY_POLL_MS).await;
            }
            let extractor = self.idlest()?;
            match extractor.extract(crops).await {
                Ok(extraction) => return Ok(Extracted { extraction, fell_back }),
                Err(reason) => fell_back = self.recover(&extractor, reason).await?.or(fell_back),
            }
        }
    }

    fn idlest(&self) -> Result<Rc<Extractor>, TabError> {
        let pool = self.pool.borrow();
        let idlest = pool.extractors.iter().min_by_key(|extractor| extractor.in_flight()).cloned();
        idlest.ok_or_else(|| TabError::Engine("no worker is left for it".to_owned()))
    }

    /// Leaves `failed` out. Where that leaves nothing of WebGPU the CPU takes over, once for all frames that wait.
    async fn recover(&self, failed: &Rc<Extractor>, reason: String) -> Result<Option<EngineReport>, TabError> {
        {
            let mut pool = self.pool.borrow_mut();
            pool.extractors.retain(|extractor| !Rc::ptr_eq(extractor, failed));
            if !pool.webgpu && pool.extractors.is_empty() {
                return Err(TabError::Engine(reason));
            }
            if !pool.webgpu || self.recovering.replace(true) {
                return Ok(None);
            }
        }
        let reason = format!("WebGPU was lost ({reason}), and the CPU has taken over");
        let loaded = match load_on_cpu(self.kind, &self.weights).await {
            Ok((cpu, frame_ms)) => Ok(on_cpu(cpu, self.kind, &self.weights, reason, frame_ms).await),
            Err(error) => Err(error),
        };
        self.recovering.set(false);
        let (pool, report) = loaded?;
        *self.pool.borrow_mut() = pool;
        Ok(Some(report))
    }
}

async fn load(webgpu: bool, kind: BackboneKind, weights: &[u8]) -> Result<(Extractor, f64), String> {
    let extractor = Extractor::start(webgpu, kind, weights).await?;
    let frame_ms = extractor.frame_ms().await?;
    Ok((extractor, frame_ms))
}

async fn load_on_cpu(kind: BackboneKind, weights: &[u8]) -> Result<(Extractor, f64), TabError> {
    load(false, kind, weights).await.map_err(TabError::Engine)
}

fn on_gpu(extractor: Extractor, reason: String, adapter: Option<String>, frame_ms: f64) -> (Pool, EngineReport) {
    let pool = Pool { webgpu: true, extractors: vec![Rc::new(extractor)] };
    (pool, EngineReport { webgpu: true, reason, adapter, frame_ms, workers: 1 })
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
        match Extractor::start(false, kind, weights).await {
            Ok(extractor) => extractors.push(Rc::new(extractor)),
            Err(_) => break,
        }
    }
    let workers = extractors.len();
    let report = EngineReport { webgpu: false, reason, adapter: None, frame_ms, workers };
    (Pool { webgpu: false, extractors }, report)
}
