//! The session worker: joins, processes frames, fine-tunes, and stays in step with the aggregator.
//!
//! `inbox` takes the page's messages; `assets` fetches and verifies weights; `frames` processes frames; `sync` follows the
//! manifest; `train` fine-tunes; `contribute` sends; `decisions` does what the student decides about that; `personal` keeps the
//! personalised head; `keep` keeps clips over a reload; `opt_in` says whether the student contributes, `page_state` what else
//! the page said; `sequencer` restores the order of frames. Everything runs on one thread, and no borrow of a cell outlives an
//! `await`.

mod assets;
mod contribute;
mod decisions;
mod effect;
mod frames;
mod inbox;
mod keep;
pub mod manifest;
mod opt_in;
mod page_state;
mod personal;
mod sequencer;
mod sync;
mod train;
mod video_model;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use gloo::timers::future::TimeoutFuture;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::{DedicatedWorkerGlobalScope, ImageBitmap, MessageEvent, console};

use self::frames::FrameState;
use self::keep::Keeping;
use self::manifest::{ReceivedManifest, SessionManifest};
use self::opt_in::OptIn;
use self::page_state::{FramesInFlight, PageState};
use self::sequencer::Sequencer;
use self::sync::Sync;
use self::video_model::VideoModel;
use super::aggregator::Aggregator;
use super::error::WorkerError;
use super::extractor::pool::ExtractorPool;
use super::request_log::RequestLog;
use crate::browser::backoff::Backoff;
use crate::browser::js;
use crate::browser::storage::Storage;
use crate::messages::device::{self, StoredSession};
use crate::messages::ledger::Ledger;
use crate::messages::{Asset, BackendChoice, ConnectionReport, FrameReport, FromWorker, ProblemReport, SessionProblem};
use crate::model::FaceDetector;
use crate::weights::Weights;

/// The models that the manifest names, apart from the VFER.
#[derive(Clone)]
struct Models {
    extractors: ExtractorPool,
    detector: Rc<FaceDetector>,
    backbone_sha256: String,
}

/// The version of the global model in use.
#[derive(Clone)]
struct GlobalModel {
    version: u64,
    weights: Rc<Weights>,
    video_model: VideoModel,
}

/// A participant's session, from joining until it ends or the tab is closed.
struct Session {
    aggregator: Aggregator,
    storage: Rc<Storage>,
    join_code: String,
    backend: BackendChoice,
    opt_in: Rc<OptIn>,
    page: Rc<PageState>,
    keeping: Keeping,
    stored: RefCell<Option<StoredSession>>,
    manifest: RefCell<Option<ReceivedManifest>>,
    models: RefCell<Option<Models>>,
    global_model: RefCell<Option<GlobalModel>>,
    frames: RefCell<FrameState>,
    contribution: RefCell<contribute::Contribution>,
    sync: Sync,
    frame_order: Sequencer,
    frames_in_flight: FramesInFlight,
    /// Whether the paper's video model is trained on WebGPU, once that is measured.
    trains_on_gpu: Cell<Option<bool>>,
    /// By how much the loss on the hold-out changed with the global model in use, in nats.
    loss_change: Cell<Option<f64>>,
}

/// Listens to the page until the worker is terminated.
pub fn run() {
    std::panic::set_hook(Box::new(|panic| {
        console_error_panic_hook::hook(panic);
        let problem = SessionProblem::WorkerPanicked { detail: panic.to_string() };
        post(&FromWorker::Problem(ProblemReport { problem, is_fatal: true, is_transient: false }));
    }));
    let session: Rc<RefCell<Option<Rc<Session>>>> = Rc::default();
    let opt_in: Rc<OptIn> = Rc::default();
    let page: Rc<PageState> = Rc::default();
    let on_message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        let data = event.data();
        match js::get(&data, "frame") {
            Some(frame) => {
                let at_ms = js::get(&data, "at_ms").and_then(|at| at.as_f64()).unwrap_or_default();
                let session = session.borrow().clone();
                spawn_local(async move { on_frame(session, frame.unchecked_into(), at_ms).await });
            }
            None => match js::from_js(data) {
                Ok(message) => inbox::receive(&session, &opt_in, &page, message),
                Err(error) => console::error_1(&error.into()),
            },
        }
    });
    let scope = js_sys::global().unchecked_into::<DedicatedWorkerGlobalScope>();
    scope.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
    on_message.forget();
    post(&FromWorker::Ready);
}

async fn on_frame(session: Option<Rc<Session>>, frame: ImageBitmap, at_ms: f64) {
    let report = match session {
        None => FrameReport::empty(at_ms),
        Some(session) => match session.process_frame(&frame, at_ms).await {
            Ok(report) => {
                session.frames.borrow_mut().clear_problem();
                session.keep_clips_soon();
                report
            }
            Err(error) => {
                let mut frames = session.frames.borrow_mut();
                if frames.is_new_problem(error.problem()) {
                    report_error(&error, false);
                }
                FrameReport { frames_per_second: frames.frames_per_second(), ..FrameReport::empty(at_ms) }
            }
        },
    };
    frame.close();
    post(&FromWorker::Frame(report));
}

impl Session {
    async fn new(join_code: String, backend: BackendChoice, opt_in: Rc<OptIn>, page: Rc<PageState>) -> Self {
        let storage = Rc::new(Storage::open().await);
        let on_change = |ledger: &Ledger| post(&FromWorker::Ledger { ledger: ledger.clone() });
        let log = RequestLog::resume(storage.clone(), on_change).await;
        Self {
            aggregator: Aggregator::new(log),
            storage,
            join_code,
            backend,
            opt_in,
            page,
            keeping: Keeping::default(),
            stored: RefCell::default(),
            manifest: RefCell::default(),
            models: RefCell::default(),
            global_model: RefCell::default(),
            frames: RefCell::default(),
            contribution: RefCell::default(),
            sync: Sync::default(),
            frame_order: Sequencer::default(),
            frames_in_flight: FramesInFlight::default(),
            trains_on_gpu: Cell::default(),
            loss_change: Cell::default(),
        }
    }

    /// Joins and loads, with retries for as long as the aggregator does not respond; `false` if retrying cannot help.
    async fn begin(self: &Rc<Self>) -> bool {
        if !self.storage.is_available() {
            let problem = SessionProblem::StorageUnavailable;
            post(&FromWorker::Problem(ProblemReport { problem, is_fatal: false, is_transient: false }));
        }
        let mut backoff = Backoff::default();
        loop {
            match self.prepare().await {
                Ok(()) => break,
                Err(error) if error.is_transient() => {
                    let delay_ms = backoff.next_ms(js_sys::Math::random(), error.retry_after_s());
                    post(&FromWorker::Connection(ConnectionReport { online: false, retry_in_ms: Some(delay_ms) }));
                    TimeoutFuture::new(u32::try_from(delay_ms).unwrap_or(u32::MAX)).await;
                }
                Err(error) => {
                    report_error(&error, true);
                    return false;
                }
            }
        }
        self.restore_kept_clips().await;
        self.restore_contribution().await;
        self.report_kept_clips();
        if self.opt_in.consent().is_none() {
            self.withdraw().await;
        }
        if !self.page.keep_clips.get() {
            // Whatever an earlier visit left, or this one if the permission was withdrawn meanwhile.
            self.forget_kept_clips().await;
        }
        post(&FromWorker::FramesWanted);
        self.start_schedule();
        self.update_subscription();
        true
    }

    async fn prepare(&self) -> Result<(), WorkerError> {
        if self.stored.borrow().is_none() {
            match self.stored_session().await {
                Some(stored) => {
                    self.aggregator.resume(stored.token.clone());
                    *self.stored.borrow_mut() = Some(stored);
                }
                None => {
                    // A pending update of another federation or participant must not be sent by this one.
                    self.storage.delete(device::PENDING_UPDATE).await;
                    self.join().await?;
                }
            }
        }
        // An attempt that failed half-way has received the manifest, but not used it.
        self.aggregator.forget_manifest();
        if let Some(manifest) = self.aggregator.manifest().await? {
            self.take_manifest(manifest);
        }
        post(&FromWorker::Connection(ConnectionReport { online: true, retry_in_ms: None }));
        self.update_models().await
    }

    /// The session that an earlier visit has stored, if it is of the same join code.
    async fn stored_session(&self) -> Option<StoredSession> {
        let stored: StoredSession = self.storage.get_json(device::SESSION).await?;
        (stored.join_code == self.join_code).then_some(stored)
    }

    /// Joins as a new participant.
    async fn join(&self) -> Result<(), WorkerError> {
        let joined = self.aggregator.join(&self.join_code).await?;
        let stored = StoredSession {
            join_code: self.join_code.clone(),
            participant: joined.participant,
            token: joined.token,
            acknowledged_round: None,
        };
        self.storage.put_json(device::SESSION, &stored).await;
        *self.stored.borrow_mut() = Some(stored);
        Ok(())
    }

    fn take_manifest(&self, manifest: ReceivedManifest) {
        let manifest = self.with_count(manifest);
        post_object(&manifest.message());
        *self.manifest.borrow_mut() = Some(manifest);
    }

    fn manifest(&self) -> Result<SessionManifest, WorkerError> {
        let manifest = self.manifest.borrow();
        let manifest = manifest.as_ref().ok_or_else(|| WorkerError::malformed("no manifest yet"))?;
        Ok(manifest.read.clone())
    }

    /// The manifest's `learning`, as it came.
    fn learning_settings(&self) -> Result<JsValue, WorkerError> {
        let manifest = self.manifest.borrow();
        let settings = manifest.as_ref().and_then(|manifest| js::get(&manifest.whole, "learning"));
        settings.ok_or_else(|| WorkerError::malformed("no settings yet"))
    }

    /// Loads the models that the manifest names and that are not in use yet.
    async fn update_models(&self) -> Result<(), WorkerError> {
        let manifest = self.manifest()?;
        let sha256 = &manifest.backbone.blob.sha256;
        let fits = self.models.borrow().as_ref().is_some_and(|models| models.backbone_sha256 == *sha256);
        if !fits {
            let detector = self.detector(&manifest).await?;
            let weights = self.blob(Asset::Backbone, &manifest.backbone.blob).await?;
            let (extractors, report) = ExtractorPool::start(manifest.backbone.kind, weights, self.backend).await?;
            post(&FromWorker::Backend(report));
            self.frames.borrow_mut().forget_clips();
            self.trains_on_gpu.set(None);
            let models = Models { extractors, detector: Rc::new(detector), backbone_sha256: sha256.clone() };
            *self.models.borrow_mut() = Some(models);
        }
        let version = manifest.model.version;
        if self.global_model.borrow().as_ref().is_none_or(|global| global.version != version) {
            let global = self.load_global_model(&manifest).await?;
            let before = self.global_model.replace(Some(global.clone()));
            let effect = match before.filter(|_| fits) {
                Some(before) => {
                    let is_parent = manifest.model.parent == Some(before.version);
                    self.effect_on_hold_out(&before, &global, is_parent).await
                }
                None => None,
            };
            post(&FromWorker::Adopted { version, effect });
            self.delete_unused_blobs(&manifest).await;
        }
        Ok(())
    }
}

fn post(message: &FromWorker) {
    match js::to_js(message) {
        Ok(object) => post_object(&object),
        Err(error) => console::error_2(&"a message of the session worker is no object".into(), &error.into()),
    }
}

fn post_object(message: &JsValue) {
    let scope = js_sys::global().unchecked_into::<DedicatedWorkerGlobalScope>();
    if let Err(error) = scope.post_message(message) {
        console::error_2(&"the session worker cannot post a message".into(), &error);
    }
}

/// Logs `error`, and reports it to the page.
fn report_error(error: &WorkerError, is_fatal: bool) {
    console::warn_1(&error.to_string().into());
    post(&FromWorker::Problem(error.report(is_fatal)));
}
