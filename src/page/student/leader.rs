//! Leader election among the tabs of a browser. Only the *leader* has the camera, the session worker and the event stream.
//! Other tabs in which the student agreed are *followers*: they show that another tab is in use, and one of them becomes the
//! leader when that tab closes, or when the student says so.
//!
//! The leader holds a Web Lock. Over a broadcast channel, a follower asks it to step down, and tabs tell each other that the
//! student asked to be forgotten.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use gloo::events::EventListener;
use gloo::timers::callback::Timeout;
use gloo::timers::future::TimeoutFuture;
use wasm_bindgen::JsCast as _;
use wasm_bindgen_futures::spawn_local;
use web_sys::{AbortController, BroadcastChannel, MessageEvent};

use super::Student;
use super::tab_storage::SessionChoices;
use crate::browser::js;
use crate::browser::locks::{self, Lock, Wait};
use crate::browser::storage::Storage;
use crate::messages::ToWorker;
use crate::messages::device::{self, StoredSession};
use crate::page::dom;
use crate::page::words::session::{self as words, Elsewhere, Ending};

const LEADER: &str = "emofed.leader";
const CHANNEL: &str = "emofed.tabs";
/// To the leader: step down.
const TAKE_OVER: &str = "take-over";
/// From the leader: it has stopped.
const STEPPED_DOWN: &str = "stepped-down";
/// To all: everything on the device is about to be deleted.
const FORGOTTEN: &str = "forgotten";

/// How long a leader that steps down may continue sending an update, in milliseconds.
const FINISH_MS: u32 = 10_000;
/// How long a follower waits for a leader that does not respond before it steals the lock, in milliseconds.
const TAKE_OVER_MS: u32 = 12_000;
/// How often it checks, in milliseconds.
const POLL_MS: u32 = 50;
/// How long the lock stays free for a leader that only reloads, in milliseconds.
const SUCCESSION_MS: u32 = 2_000;
/// How long a reloaded tab waits for the lock of its previous page, in milliseconds.
const RELOAD_MS: u32 = 1_500;

/// This tab's role.
#[derive(Default)]
pub struct Leadership {
    /// The leader's lock, if this tab is the leader.
    lock: RefCell<Option<Lock>>,
    /// Aborts waiting for the leader's lock.
    waiting: RefCell<Option<AbortController>>,
    stepping_down: Cell<bool>,
    taking_over: Cell<bool>,
    /// The leader has announced that it stepped down.
    leader_stepped_down: Cell<bool>,
    channel: RefCell<Option<(BroadcastChannel, EventListener)>>,
    /// The lock of this tab's identifier, held while this page lives: a duplicate of this tab cannot have it.
    tab: RefCell<Option<Lock>>,
}

impl Leadership {
    /// Whether this tab is the leader.
    pub fn is_held(&self) -> bool {
        self.lock.borrow().is_some()
    }

    /// Gives up the leadership, or stops waiting for it.
    pub fn release(&self) {
        self.stop_waiting();
        self.stepping_down.set(false);
        self.taking_over.set(false);
        self.lock.take();
    }

    fn stop_waiting(&self) {
        if let Some(waiting) = self.waiting.take() {
            waiting.abort();
        }
    }

    fn broadcast(&self, message: &str) {
        if let Some((channel, _)) = &*self.channel.borrow() {
            // Only values that cannot be cloned make this fail.
            let _ = channel.post_message(&message.into());
        }
    }
}

impl Student {
    pub(super) fn wire_leadership(self: &Rc<Self>) {
        if let Ok(channel) = BroadcastChannel::new(&js::of_federation(CHANNEL)) {
            let student = self.clone();
            let listener = EventListener::new(&channel, "message", move |event| {
                let message = event.dyn_ref::<MessageEvent>().and_then(|event| event.data().as_string());
                student.on_broadcast(message.as_deref().unwrap_or_default());
            });
            *self.leadership.channel.borrow_mut() = Some((channel, listener));
        }
        let student = self.clone();
        dom::on("take-over", "click", move |_| {
            let student = student.clone();
            spawn_local(async move { student.take_over().await });
        });
        let student = self.clone();
        dom::on("elsewhere-leave", "click", move |_| student.leave(Ending::LeftFollower));
    }

    /// Resumes after a reload. A duplicate of a tab has the session storage of the original, too, but not its lock: there the
    /// student is asked for consent.
    pub(super) fn resume(self: &Rc<Self>, choices: SessionChoices) {
        let student = self.clone();
        spawn_local(async move {
            match tab_lock(&choices.tab).await {
                // The student was faster, and has agreed again.
                _ if student.choice.borrow().is_some() => {}
                Some(lock) => {
                    student.leadership.tab.replace(Some(lock));
                    student.join(choices);
                }
                None => SessionChoices::delete(),
            }
        });
    }

    /// Joins, now that the student has agreed in this tab.
    pub(super) fn agree(self: &Rc<Self>, choice: SessionChoices) {
        let student = self.clone();
        spawn_local(async move {
            student.leadership.tab.replace(tab_lock(&choice.tab).await);
            student.join(choice);
        });
    }

    /// Becomes the leader, or a follower if another tab is the leader.
    pub(super) fn seek_leadership(self: &Rc<Self>) {
        let student = self.clone();
        spawn_local(async move {
            match locks::acquire(&js::of_federation(LEADER), Wait::No, student.on_stolen()).await {
                Some(lock) => student.lead(lock),
                None => student.follow(),
            }
        });
    }

    fn lead(self: &Rc<Self>, lock: Lock) {
        // The student may have left meanwhile.
        if self.choice.borrow().is_some() && lock.is_held() {
            *self.leadership.lock.borrow_mut() = Some(lock);
            self.start();
        }
    }

    /// Waits until the leader closes. A leader that only reloads gets the lock back.
    fn follow(self: &Rc<Self>) {
        if self.choice.borrow().is_none() {
            return;
        }
        self.show_elsewhere(Elsewhere::OtherTabLeads);
        let Ok(waiting) = AbortController::new() else { return };
        let signal = waiting.signal();
        // Replaces an earlier wait.
        self.leadership.stop_waiting();
        *self.leadership.waiting.borrow_mut() = Some(waiting);
        let student = self.clone();
        spawn_local(async move {
            let Some(lock) = locks::acquire(&js::of_federation(LEADER), Wait::Until(&signal), || {}).await else {
                return;
            };
            drop(lock);
            TimeoutFuture::new(SUCCESSION_MS).await;
            if !signal.aborted() {
                match locks::acquire(&js::of_federation(LEADER), Wait::No, student.on_stolen()).await {
                    Some(lock) => student.succeed(lock).await,
                    None => student.follow(),
                }
            }
        });
    }

    /// Becomes the leader after another tab. If that tab has left no session on the device, the student had not joined yet, or
    /// was forgotten: then the student is asked for consent again, and told why.
    async fn succeed(self: &Rc<Self>, lock: Lock) {
        self.leadership.waiting.take();
        if Storage::open().await.get_json::<StoredSession>(device::SESSION).await.is_some() {
            self.lead(lock);
        } else if self.choice.borrow().is_some() {
            drop(lock);
            self.back_to_consent();
            dom::say("consent-reason", words::nothing_left_to_resume);
            dom::show("consent-reason", true);
        }
    }

    /// Takes over from the leader, once that has finished what it is sending.
    async fn take_over(self: &Rc<Self>) {
        if self.leadership.taking_over.replace(true) {
            return;
        }
        self.leadership.stop_waiting();
        self.leadership.leader_stepped_down.set(false);
        self.leadership.broadcast(TAKE_OVER);
        self.show_elsewhere(Elsewhere::WaitingForLeader);
        let mut waited_ms = 0;
        while !self.leadership.leader_stepped_down.get() && waited_ms < TAKE_OVER_MS {
            TimeoutFuture::new(POLL_MS).await;
            waited_ms += POLL_MS;
        }
        // The student may have left meanwhile.
        if !self.leadership.taking_over.replace(false) || self.choice.borrow().is_none() {
            return;
        }
        if let Some(lock) = locks::acquire(&js::of_federation(LEADER), Wait::Steal, self.on_stolen()).await {
            self.succeed(lock).await;
        }
    }

    /// Makes sure that no other tab is the leader, without waiting for what it is sending.
    pub(super) async fn seize_leadership(self: &Rc<Self>) {
        if !self.leadership.is_held() {
            self.leadership.stop_waiting();
            let lock = locks::acquire(&js::of_federation(LEADER), Wait::Steal, || {}).await;
            *self.leadership.lock.borrow_mut() = lock;
        }
    }

    fn on_stolen(self: &Rc<Self>) -> impl FnOnce() + 'static {
        let student = self.clone();
        move || {
            student.leadership.release();
            student.stop_here();
            student.follow();
        }
    }

    fn on_broadcast(self: &Rc<Self>, message: &str) {
        match message {
            TAKE_OVER if self.leadership.is_held() && !self.leadership.stepping_down.get() => self.step_down(),
            STEPPED_DOWN => self.leadership.leader_stepped_down.set(true),
            FORGOTTEN if self.choice.borrow().is_some() => {
                self.leave(Ending::ForgottenElsewhere);
            }
            _ => {}
        }
    }

    /// Notifies all other tabs that the student asked to be forgotten.
    pub(super) fn notify_forgotten(&self) {
        self.leadership.broadcast(FORGOTTEN);
    }

    fn step_down(self: &Rc<Self>) {
        self.leadership.stepping_down.set(true);
        self.frames.stop();
        self.camera.stop();
        self.post(&ToWorker::End { after_sending: true });
        self.show_elsewhere(Elsewhere::HandingOver);
        let student = self.clone();
        Timeout::new(FINISH_MS, move || student.stepped_down()).forget();
    }

    /// The worker has ended, or its time is over.
    pub(super) fn stepped_down(self: &Rc<Self>) {
        if !self.leadership.stepping_down.replace(false) {
            return;
        }
        self.stop_here();
        self.leadership.broadcast(STEPPED_DOWN);
        // The other tab steals the lock now. If it is gone meanwhile, the first follower that waits gets it.
        let student = self.clone();
        Timeout::new(TAKE_OVER_MS, move || {
            if student.leadership.is_held() && student.worker.borrow().is_none() {
                student.leadership.release();
                student.follow();
            }
        })
        .forget();
    }

    /// Stops camera, frames and worker.
    fn stop_here(&self) {
        self.frames.stop();
        self.camera.stop();
        // Dropped later: this may run inside one of the worker's callbacks.
        let worker = self.worker.take();
        Timeout::new(0, move || drop(worker)).forget();
    }

    fn show_elsewhere(&self, state: Elsewhere) {
        self.stage.clear();
        for section in ["starting", "session", "connection", "model-version"] {
            dom::show(section, false);
        }
        dom::say("elsewhere-text", move || words::elsewhere(state));
        dom::show("elsewhere", true);
    }
}

/// The lock of a tab's identifier, unless another page keeps it.
async fn tab_lock(tab: &str) -> Option<Lock> {
    let deadline = AbortController::new().ok()?;
    let _timer = Timeout::new(RELOAD_MS, {
        let deadline = deadline.clone();
        move || deadline.abort()
    });
    locks::acquire(&format!("emofed.tab.{tab}"), Wait::Until(&deadline.signal()), || {}).await
}
