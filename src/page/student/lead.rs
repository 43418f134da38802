//! One tab of a browser is in the class, the *leader*: it has the camera, the session worker and the event stream. Other
//! tabs in which the student agreed, too, say so, and follow when it closes or when they are told to.
//!
//! The leader holds a lock. Over a channel, tabs ask it to step down, and tell each other that the student wants to be
//! forgotten.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use gloo::events::EventListener;
use gloo::timers::callback::Timeout;
use gloo::timers::future::TimeoutFuture;
use wasm_bindgen::JsCast as _;
use wasm_bindgen_futures::spawn_local;
use web_sys::{AbortController, BroadcastChannel, MessageEvent};

use super::Student;
use super::remember::Remembered;
use crate::page::dom;
use crate::page::locks::{self, Lock, Wait};
use crate::tab::message::ToWorker;
use crate::tab::storage::Storage;

const LEADER: &str = "emofed.leader";
const CHANNEL: &str = "emofed.tabs";
/// To the leader: step down.
const TAKE_OVER: &str = "take-over";
/// From the leader: nothing of it is under way any more.
const STEPPED_DOWN: &str = "stepped-down";
/// To all: what is on the device is about to be deleted.
const FORGOTTEN: &str = "forgotten";

/// How long a leader that steps down may go on sending an update, in milliseconds.
const FINISH_MS: u32 = 10_000;
/// How long a tab waits for a leader that says nothing before it takes the lead away, in milliseconds.
const TAKE_OVER_MS: u32 = 12_000;
/// How often it looks, in milliseconds.
const POLL_MS: u32 = 50;
/// How long the lead stays free for a leader that only reloads, in milliseconds.
const SUCCESSION_MS: u32 = 2_000;
/// How long a reload waits for the lock of the page before it, in milliseconds.
const RELOAD_MS: u32 = 1_500;

/// This tab's part.
#[derive(Default)]
pub struct Lead {
    /// The lead, if this tab has it.
    lock: RefCell<Option<Lock>>,
    /// Waiting in line for it.
    waiting: RefCell<Option<AbortController>>,
    stepping_down: Cell<bool>,
    taking_over: Cell<bool>,
    /// The leader has said that it stepped down.
    left_to_us: Cell<bool>,
    channel: RefCell<Option<(BroadcastChannel, EventListener)>>,
    /// Held while this page lives: a copy of this tab cannot have it.
    tab: RefCell<Option<Lock>>,
}

impl Lead {
    /// Whether this tab leads.
    pub fn is_held(&self) -> bool {
        self.lock.borrow().is_some()
    }

    /// Gives up the lead, or the place in line.
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

    fn tell(&self, words: &str) {
        if let Some((channel, _)) = &*self.channel.borrow() {
            // Only values that cannot be copied make this fail.
            let _ = channel.post_message(&words.into());
        }
    }
}

impl Student {
    pub(super) fn wire_lead(self: &Rc<Self>) {
        if let Ok(channel) = BroadcastChannel::new(CHANNEL) {
            let student = self.clone();
            let heard = EventListener::new(&channel, "message", move |event| {
                let words = event.dyn_ref::<MessageEvent>().and_then(|event| event.data().as_string());
                student.heard(words.as_deref().unwrap_or_default());
            });
            *self.lead.channel.borrow_mut() = Some((channel, heard));
        }
        let student = self.clone();
        dom::on("take-over", "click", move |_| {
            let student = student.clone();
            spawn_local(async move { student.take_over().await });
        });
        let student = self.clone();
        dom::on("elsewhere-leave", "click", move |_| student.leave("Nothing is computed or sent in this tab."));
    }

    /// Goes on after a reload. A copy of a tab has the session storage of the original, too, but not its lock: there the
    /// student is asked.
    pub(super) fn go_on(self: &Rc<Self>, remembered: Remembered) {
        let student = self.clone();
        spawn_local(async move {
            match tab_lock(&remembered.tab).await {
                // The student was faster, and has agreed anew.
                _ if student.choice.borrow().is_some() => {}
                Some(lock) => {
                    student.lead.tab.replace(Some(lock));
                    student.join(remembered);
                }
                None => Remembered::forget(),
            }
        });
    }

    /// Joins, now that the student has agreed in this tab.
    pub(super) fn agree(self: &Rc<Self>, choice: Remembered) {
        let student = self.clone();
        spawn_local(async move {
            student.lead.tab.replace(tab_lock(&choice.tab).await);
            student.join(choice);
        });
    }

    /// Leads, if no other tab does.
    pub(super) fn seek_lead(self: &Rc<Self>) {
        let student = self.clone();
        spawn_local(async move {
            match locks::acquire(LEADER, Wait::No, student.on_stolen()).await {
                Some(lock) => student.take_lead(lock),
                None => student.follow(),
            }
        });
    }

    fn take_lead(self: &Rc<Self>, lock: Lock) {
        // Who has left meanwhile does not lead.
        if self.choice.borrow().is_some() && lock.is_held() {
            *self.lead.lock.borrow_mut() = Some(lock);
            self.start();
        }
    }

    /// Waits for the leader to close. One that only reloads gets the lead back.
    fn follow(self: &Rc<Self>) {
        if self.choice.borrow().is_none() {
            return;
        }
        self.show_elsewhere("Another tab of this browser is in the class, with the camera and the models.");
        let Ok(waiting) = AbortController::new() else { return };
        let signal = waiting.signal();
        // One that waits already is replaced.
        self.lead.stop_waiting();
        *self.lead.waiting.borrow_mut() = Some(waiting);
        let student = self.clone();
        spawn_local(async move {
            let Some(lock) = locks::acquire(LEADER, Wait::Until(&signal), || {}).await else { return };
            drop(lock);
            TimeoutFuture::new(SUCCESSION_MS).await;
            if !signal.aborted() {
                match locks::acquire(LEADER, Wait::No, student.on_stolen()).await {
                    Some(lock) => student.succeed(lock).await,
                    None => student.follow(),
                }
            }
        });
    }

    /// Leads after another tab did. Where that tab has left nothing on the device, the student was forgotten, or never
    /// joined: then the student is asked again.
    async fn succeed(self: &Rc<Self>, lock: Lock) {
        self.lead.waiting.take();
        if Storage::open().await.session().await.is_some() {
            self.take_lead(lock);
        } else if self.choice.borrow().is_some() {
            drop(lock);
            self.back_to_consent();
        }
    }

    /// Takes the lead away from the tab that has it, after that has finished what it sends.
    async fn take_over(self: &Rc<Self>) {
        if self.lead.taking_over.replace(true) {
            return;
        }
        self.lead.stop_waiting();
        self.lead.left_to_us.set(false);
        self.lead.tell(TAKE_OVER);
        self.show_elsewhere("Waiting for the other tab to finish what it sends …");
        let mut waited_ms = 0;
        while !self.lead.left_to_us.get() && waited_ms < TAKE_OVER_MS {
            TimeoutFuture::new(POLL_MS).await;
            waited_ms += POLL_MS;
        }
        // Who has left meanwhile takes nothing.
        if !self.lead.taking_over.replace(false) || self.choice.borrow().is_none() {
            return;
        }
        if let Some(lock) = locks::acquire(LEADER, Wait::Steal, self.on_stolen()).await {
            self.succeed(lock).await;
        }
    }

    /// Makes sure that no other tab leads, without waiting for what it sends.
    pub(super) async fn seize_lead(self: &Rc<Self>) {
        if !self.lead.is_held() {
            self.lead.stop_waiting();
            let lock = locks::acquire(LEADER, Wait::Steal, || {}).await;
            *self.lead.lock.borrow_mut() = lock;
        }
    }

    fn on_stolen(self: &Rc<Self>) -> impl FnOnce() + 'static {
        let student = self.clone();
        move || {
            student.lead.release();
            student.stop_here();
            student.follow();
        }
    }

    fn heard(self: &Rc<Self>, words: &str) {
        match words {
            TAKE_OVER if self.lead.is_held() && !self.lead.stepping_down.get() => self.step_down(),
            STEPPED_DOWN => self.lead.left_to_us.set(true),
            FORGOTTEN if self.choice.borrow().is_some() => {
                self.leave("You wanted to be forgotten, in another tab. Nothing is computed or sent here any more.");
            }
            _ => {}
        }
    }

    /// Tells all other tabs to end at once.
    pub(super) fn tell_forgotten(&self) {
        self.lead.tell(FORGOTTEN);
    }

    fn step_down(self: &Rc<Self>) {
        self.lead.stepping_down.set(true);
        self.frames.stop();
        self.camera.stop();
        self.tell(&ToWorker::End { after_sending: true });
        self.show_elsewhere("This tab is handing over to another one …");
        let student = self.clone();
        Timeout::new(FINISH_MS, move || student.stepped_down()).forget();
    }

    /// The worker has ended, or had its time.
    pub(super) fn stepped_down(self: &Rc<Self>) {
        if !self.lead.stepping_down.replace(false) {
            return;
        }
        self.stop_here();
        self.lead.tell(STEPPED_DOWN);
        // The other tab takes the lead away now. If it is gone meanwhile, whoever is first in line gets it.
        let student = self.clone();
        Timeout::new(TAKE_OVER_MS, move || {
            if student.lead.is_held() && student.worker.borrow().is_none() {
                student.lead.release();
                student.follow();
            }
        })
        .forget();
    }

    /// Ends what a leader does.
    fn stop_here(&self) {
        self.frames.stop();
        self.camera.stop();
        // Dropped later: this may run inside one of the worker's own callbacks.
        let worker = self.worker.take();
        Timeout::new(0, move || drop(worker)).forget();
    }

    fn show_elsewhere(&self, words: &str) {
        for section in ["starting", "classroom", "connection", "model-version"] {
            dom::show(section, false);
        }
        dom::text("elsewhere-text", words);
        dom::show("elsewhere", true);
    }
}

/// The lock of a tab, unless another page has it and goes on having it.
async fn tab_lock(tab: &str) -> Option<Lock> {
    let patience = AbortController::new().ok()?;
    let _timer = Timeout::new(RELOAD_MS, {
        let patience = patience.clone();
        move || patience.abort()
    });
    locks::acquire(&format!("emofed.tab.{tab}"), Wait::Until(&patience.signal()), || {}).await
}
