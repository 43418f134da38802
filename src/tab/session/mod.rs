//! The session worker: joins the class, looks at frames, learns, and keeps in step with the aggregator.
//!
//! One file per concern: [`assets`](self) fetches and verifies weights, `frames` looks, `sync` follows the
//! aggregator, `contribute` trains and sends, `personal` keeps a head for this tab alone, `wish` says whether it may, `turns` keeps frames in order. Everything is one
//! thread; no borrow of a cell outlives an `await`.

mod assets;
mod contribute;
mod frames;
mod personal;
mod sync;
mod turns;
mod wish;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use gloo::timers::future::TimeoutFuture;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::{DedicatedWorkerGlobalScope, ImageBitmap, MessageEvent};

use self::frames::View;
use self::sync::Sync;
use self::wish::Wish;
use super::aggregator::Aggregator;
use super::backoff::Backoff;
use super::book::Book;
use super::engine::Engine;
use super::error::TabError;
use super::js;
use super::message::{
    Asset, ConnectionReport, EngineChoice, FrameReport, FromWorker, ProblemReport, ToWorker, from_js, to_js,
};
use super::storage::{SavedSession, Storage};
use crate::model::{FaceDetector, vfer::Vfer};
use crate::protocol::Manifest;

/// Models that need the manifest first.
#[derive(Clone)]
struct Models {
    engine: Engine,
    detector: Rc<FaceDetector>,
    backbone_sha256: String,
}

/// The central VFER in use.
#[derive(Clone)]
struct Central {
    version: u64,
    vfer: Rc<Vfer>,
}

/// A participant's session, from joining until the tab is closed.
struct Session {
    aggregator: Aggregator,
    storage: Rc<Storage>,
    join_code: String,
    choice: EngineChoice,
    wish: Rc<Wish>,
    visible: Rc<Cell<bool>>,
    saved: RefCell<Option<SavedSession>>,
    manifest: RefCell<Option<Manifest>>,
    models: RefCell<Option<Models>>,
    central: RefCell<Option<Central>>,
    view: RefCell<View>,
    contribution: RefCell<contribute::Contribution>,
    sync: Sync,
    turns: turns::Turns,
}

/// Listens to the page until the tab is closed.
pub fn run() {
    std::panic::set_hook(Box::new(|panic| {
        console_error_panic_hook::hook(panic);
        let message = format!("The session worker stopped: {panic}");
        problem(ProblemReport {
            message,
            way_out: "Reload the page to go on.".to_owned(),
            fatal: true,
            passing: false,
        });
    }));
    let session: Rc<RefCell<Option<Rc<Session>>>> = Rc::default();
    let wish: Rc<Wish> = Rc::default();
    let visible: Rc<Cell<bool>> = Rc::default();
    let on_message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        let data = event.data();
        match js::get(&data, "frame") {
            Some(frame) => {
                let at_ms = js::get(&data, "at_ms").and_then(|at| at.as_f64()).unwrap_or_default();
                let session = session.borrow().clone();
                spawn_local(async move { on_frame(session, frame.unchecked_into(), at_ms).await });
            }
            None => match from_js(data) {
                Ok(message) => on_message_from_page(&session, &wish, &visible, message),
                Err(error) => web_sys::console::error_1(&error.into()),
            },
        }
    });
    let scope = js_sys::global().unchecked_into::<DedicatedWorkerGlobalScope>();
    scope.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
    on_message.forget();
    post(&FromWorker::Ready);
}

fn on_message_from_page(
    current: &Rc<RefCell<Option<Rc<Session>>>>,
    wish: &Rc<Wish>,
    visible: &Rc<Cell<bool>>,
    message: ToWorker,
) {
    let session = current.borrow().clone();
    match (message, session) {
        (ToWorker::Start { join_code, engine, contribute, visible: on }, _) => {
            wish.set(contribute);
            visible.set(on);
            let (current, wish, visible) = (current.clone(), wish.clone(), visible.clone());
            spawn_local(async move {
                let session = Rc::new(Session::new(join_code, engine, wish, visible).await);
                if session.begin().await {
                    *current.borrow_mut() = Some(session);
                }
            });
        }
        (ToWorker::Contribute { on }, session) => {
            wish.set(on);
            match session {
                Some(session) if on => session.sync_soon(),
                Some(session) => spawn_local(async move { session.withdraw().await }),
                // It gets ready, and asks when it is.
                None => {}
            }
        }
        (ToWorker::CameraPaused, Some(session)) => session.end_clip(),
        (ToWorker::Visible { on }, session) => {
            visible.set(on);
            if let Some(session) = session {
                session.follow_events();
            }
        }
        (ToWorker::End { after_sending }, session) => {
            *current.borrow_mut() = None;
            let wish = wish.clone();
            spawn_local(async move {
                if let Some(session) = session {
                    session.stop(after_sending).await;
                }
                wish.set(false);
                post(&FromWorker::Ended);
            });
        }
        (ToWorker::CameraPaused, None) => {}
    }
}

async fn on_frame(session: Option<Rc<Session>>, frame: ImageBitmap, at_ms: f64) {
    let nothing = |frames_per_second| FrameReport {
        at_ms,
        face: None,
        faces: 0,
        dark: false,
        image: None,
        video: None,
        frames_per_second,
    };
    let report = match session {
        None => nothing(0.0),
        Some(session) => match session.look(&frame, at_ms).await {
            Ok(report) => {
                session.view.borrow_mut().no_complaint();
                report
            }
            Err(error) => {
                let mut view = session.view.borrow_mut();
                if view.is_new_complaint(&error.to_string()) {
                    problem(error.report(false));
                }
                nothing(view.frames_per_second())
            }
        },
    };
    frame.close();
    post(&FromWorker::Frame(report));
}

impl Session {
    async fn new(join_code: String, choice: EngineChoice, wish: Rc<Wish>, visible: Rc<Cell<bool>>) -> Self {
        let storage = Rc::new(Storage::open().await);
        let book = Book::resume(storage.clone(), |ledger| post(&FromWorker::Ledger { ledger: ledger.clone() })).await;
        Self {
            aggregator: Aggregator::new(book),
            storage,
            join_code,
            choice,
            wish,
            visible,
            saved: RefCell::default(),
            manifest: RefCell::default(),
            models: RefCell::default(),
            central: RefCell::default(),
            view: RefCell::default(),
            contribution: RefCell::default(),
            sync: Sync::default(),
            turns: turns::Turns::default(),
        }
    }

    /// Joins and loads, however long the aggregator is away; `false` if waiting cannot help.
    async fn begin(self: &Rc<Self>) -> bool {
        if !self.storage.is_available() {
            problem(ProblemReport {
                message: "This browser keeps nothing on the device, so a reload starts over.".to_owned(),
                way_out: "Leave private browsing if you want to go on after a reload.".to_owned(),
                fatal: false,
                passing: false,
            });
        }
        let mut backoff = Backoff::default();
        loop {
            match self.prepare().await {
                Ok(()) => break,
                Err(error) if error.is_transient() => {
                    let wait_ms = backoff.next_ms(js_sys::Math::random(), error.retry_after_s());
                    post(&FromWorker::Connection(ConnectionReport { online: false, retry_in_ms: Some(wait_ms) }));
                    TimeoutFuture::new(u32::try_from(wait_ms).unwrap_or(u32::MAX)).await;
                }
                Err(error) => {
                    problem(error.report(true));
                    return false;
                }
            }
        }
        self.restore_contribution().await;
        if self.wish.consent().is_none() {
            self.withdraw().await;
        }
        post(&FromWorker::FramesWanted);
        self.follow_schedule();
        self.follow_events();
        true
    }

    async fn prepare(&self) -> Result<(), TabError> {
        if self.saved.borrow().is_none() {
            match self.storage.session().await.filter(|saved| saved.join_code == self.join_code) {
                Some(saved) => {
                    self.aggregator.resume(saved.token.clone());
                    *self.saved.borrow_mut() = Some(saved);
                }
                None => {
                    // What an earlier visit of another class or participant has left is not this one's to send.
                    self.storage.delete_pending().await;
                    self.join().await?;
                }
            }
        }
        // A try that failed half-way has seen the manifest, but not used it.
        self.aggregator.expect_whole_manifest();
        if let Some(manifest) = self.aggregator.manifest().await? {
            self.take_manifest(manifest);
        }
        post(&FromWorker::Connection(ConnectionReport { online: true, retry_in_ms: None }));
        self.follow_models().await
    }

    /// Joins as a new participant.
    async fn join(&self) -> Result<(), TabError> {
        let joined = self.aggregator.join(&self.join_code).await?;
        let saved = SavedSession {
            join_code: self.join_code.clone(),
            participant: joined.participant,
            token: joined.token,
            acknowledged_round: None,
        };
        self.storage.save_session(&saved).await;
        *self.saved.borrow_mut() = Some(saved);
        Ok(())
    }

    fn take_manifest(&self, manifest: Manifest) {
        post(&FromWorker::Manifest { manifest: Box::new(manifest.clone()) });
        *self.manifest.borrow_mut() = Some(manifest);
    }

    fn manifest(&self) -> Result<Manifest, TabError> {
        self.manifest.borrow().clone().ok_or_else(|| TabError::answer("there is no manifest yet"))
    }

    /// Loads whatever the manifest names and this session does not have yet.
    async fn follow_models(&self) -> Result<(), TabError> {
        let manifest = self.manifest()?;
        let sha256 = &manifest.backbone.blob.sha256;
        let fits = self.models.borrow().as_ref().is_some_and(|models| models.backbone_sha256 == *sha256);
        if !fits {
            let detector = self.detector(&manifest).await?;
            let weights = self.blob(Asset::Backbone, &manifest.backbone.blob).await?;
            let (engine, report) = Engine::start(manifest.backbone.kind, weights, self.choice).await?;
            post(&FromWorker::Engine(report));
            self.view.borrow_mut().forget_clips();
            let models = Models { engine, detector: Rc::new(detector), backbone_sha256: sha256.clone() };
            *self.models.borrow_mut() = Some(models);
        }
        let version = manifest.model.version;
        if self.central.borrow().as_ref().is_none_or(|central| central.version != version) {
            let vfer = Rc::new(self.vfer(&manifest).await?);
            *self.central.borrow_mut() = Some(Central { version, vfer });
            post(&FromWorker::Adopted { version });
            self.drop_old_blobs(&manifest).await;
        }
        Ok(())
    }
}

fn post(message: &FromWorker) {
    let scope = js_sys::global().unchecked_into::<DedicatedWorkerGlobalScope>();
    let posted = to_js(message).map_err(JsValue::from).and_then(|object| scope.post_message(&object));
    if let Err(error) = posted {
        web_sys::console::error_2(&"the session worker cannot tell the page".into(), &error);
    }
}

fn problem(report: ProblemReport) {
    post(&FromWorker::Problem(report));
}
