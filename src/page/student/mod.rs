//! The student's page, from consent to leaving.

mod bars;
mod camera;
mod clip_list;
mod consent;
mod forget;
mod frames;
mod layout;
mod leader;
mod ledger;
mod pictures;
mod preview;
mod progress;
mod stage;
mod tab_storage;
mod timeline;
mod view;
mod worker;

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use gloo::events::EventListener;
use gloo::utils::{document, window};
use wasm_bindgen::JsCast as _;
use wasm_bindgen_futures::spawn_local;
use web_sys::{HtmlDialogElement, HtmlInputElement, KeyboardEvent};

use self::camera::Camera;
use self::clip_list::OnEdit;
use self::tab_storage::SessionChoices;
use self::view::View;
use self::worker::SessionWorker;
use super::dom;
use super::words::camera::{self as camera_words, FaceStatus};
use super::words::session::{self as session_words, Ending};
use crate::browser::battery::{self, Battery};
use crate::messages::{BatteryReport, ToWorker};

/// The page's state.
struct Student {
    /// The student's choices, once agreed; they survive a reload.
    choice: RefCell<Option<SessionChoices>>,
    worker: RefCell<Option<SessionWorker>>,
    health: worker::Health,
    /// The student has asked to be forgotten, and deletion is not complete.
    forgetting: Cell<bool>,
    leadership: leader::Leadership,
    camera: Camera,
    frames: frames::Pump,
    pictures: pictures::Pictures,
    stage: Rc<stage::Stage>,
    preview: Rc<preview::Preview>,
    /// Counts how often the student declined: the last one watches the lecture.
    watching: Cell<u64>,
    /// The device's battery, where the browser tells of it.
    battery: Cell<Option<BatteryReport>>,
    view: RefCell<View>,
    this: Weak<Student>,
}

/// Passes the student's edits of clips on to the session worker.
fn on_edit(student: Weak<Student>) -> OnEdit {
    Rc::new(move |id, edit| {
        if let Some(student) = student.upgrade() {
            student.post(&ToWorker::EditClip { id, edit });
        }
    })
}

/// Wires up the page.
pub fn run() {
    dom::wire_problem();
    let student = Rc::new_cyclic(|student: &Weak<Student>| Student {
        choice: RefCell::default(),
        worker: RefCell::default(),
        health: worker::Health::default(),
        forgetting: Cell::default(),
        leadership: leader::Leadership::default(),
        camera: Camera::default(),
        frames: frames::Pump::default(),
        pictures: pictures::Pictures::default(),
        battery: Cell::default(),
        stage: Rc::default(),
        preview: Rc::default(),
        watching: Cell::default(),
        view: RefCell::new(View::new(on_edit(student.clone()))),
        this: student.clone(),
    });
    student.stage.wire();
    student.preview.wire();
    student.wire_layout();
    student.wire_timeline();
    student.wire_consent();
    student.wire_session();
    student.wire_leadership();
    student.watch_battery();
    if let Some(choices) = SessionChoices::load() {
        student.resume(choices);
    }
}

impl Student {
    /// Joins with the student's choices, made now or before a reload, unless another tab of this browser is the leader.
    fn join(self: &Rc<Self>, choice: SessionChoices) {
        if self.choice.borrow().is_some() {
            return;
        }
        choice.save();
        dom::get::<HtmlInputElement>("contribute").set_checked(choice.contribute);
        dom::get::<HtmlInputElement>("keep-clips").set_checked(choice.keep_clips);
        dom::get::<HtmlInputElement>("share-metrics").set_checked(choice.share_metrics);
        *self.choice.borrow_mut() = Some(choice);
        dom::show("consent", false);
        dom::show("left", false);
        dom::show("problem", false);
        self.seek_leadership();
    }

    /// Starts the models and the camera: this tab is the leader.
    fn start(self: &Rc<Self>) {
        *self.view.borrow_mut() = View::new(on_edit(self.this.clone()));
        dom::show("elsewhere", false);
        dom::show("starting", true);
        dom::show("session", true);
        self.show_layout();
        dom::focus("starting-title");
        self.show_pause();
        self.start_worker();
        self.start_camera();
    }

    /// Ends the session on this page. What is stored on the device stays.
    fn leave(&self, ending: Ending) {
        self.worker.take();
        self.frames.stop();
        self.camera.stop();
        self.choice.take();
        self.leadership.release();
        SessionChoices::delete();
        *self.view.borrow_mut() = View::new(on_edit(self.this.clone()));
        for (section, shown) in
            [("starting", false), ("session", false), ("elsewhere", false), ("connection", false), ("left", true)]
        {
            dom::show(section, shown);
        }
        dom::show("model-version", false);
        self.stage.clear();
        dom::say("left-text", move || session_words::ended(ending));
        dom::focus("left-title");
    }

    fn wire_session(self: &Rc<Self>) {
        let student = self.clone();
        dom::on("contribute", "change", move |_| {
            let on = dom::get::<HtmlInputElement>("contribute").checked();
            student.update_choices(|choice| choice.contribute = on);
            if on {
                student.view.borrow_mut().progress.opted_in();
            }
            if !on {
                student.view.borrow().progress.training_over();
            }
            student.view.borrow().progress.show_collapse();
            student.post(&ToWorker::Contribute { on });
        });
        let student = self.clone();
        dom::on("share-metrics", "change", move |_| {
            let on = dom::get::<HtmlInputElement>("share-metrics").checked();
            student.update_choices(|choice| choice.share_metrics = on);
            student.post(&ToWorker::ShareMetrics { on });
        });
        let student = self.clone();
        dom::on("keep-clips", "change", move |_| {
            let on = dom::get::<HtmlInputElement>("keep-clips").checked();
            student.update_choices(|choice| choice.keep_clips = on);
            dom::text("kept-clips-report", "");
            student.post(&ToWorker::KeepClips { on });
        });
        for (button, message) in [
            ("send-withheld", ToWorker::SendWithheld),
            ("overrule-collapse", ToWorker::OverruleCollapse),
            ("clear-clips", ToWorker::ClearClips),
        ] {
            let student = self.clone();
            dom::on(button, "click", move |_| {
                // The button is about to be hidden.
                dom::focus("contribution-title");
                student.view.borrow_mut().progress.decided(&message);
                student.post(&message);
            });
        }
        let student = self.clone();
        dom::on("pause", "click", move |_| student.toggle_pause());
        let student = self.clone();
        dom::on("pause-key", "change", move |_| {
            let on = dom::get::<HtmlInputElement>("pause-key").checked();
            student.update_choices(|choice| choice.pause_key = on);
            student.show_pause();
        });
        let student = self.clone();
        EventListener::new(&document(), "keydown", move |event| {
            let Some(key) = event.dyn_ref::<KeyboardEvent>() else { return };
            let typing = document().active_element().is_some_and(|element| {
                matches!(element.tag_name().as_str(), "INPUT" | "SELECT" | "TEXTAREA")
                    && element.get_attribute("role").as_deref() != Some("switch")
            });
            let plain = !(key.ctrl_key() || key.alt_key() || key.meta_key() || key.repeat());
            let wanted = student.choice.borrow().as_ref().is_some_and(|choice| choice.pause_key);
            if key.key().eq_ignore_ascii_case("p") && plain && !typing && wanted {
                student.toggle_pause();
            }
        })
        .forget();
        let student = self.clone();
        EventListener::new(&document(), "visibilitychange", move |_| {
            let visible = frames::is_visible();
            student.post(&ToWorker::Visible { on: visible });
            if visible {
                student.pictures.begin();
                student.pump();
            } else {
                student.post(&ToWorker::CameraPaused);
            }
        })
        .forget();
        let student = self.clone();
        dom::on("leave", "click", move |_| student.leave(Ending::Left));
        for button in ["forget", "elsewhere-forget"] {
            dom::on(button, "click", |_| {
                // A dialog that is open already needs no opening.
                let _ = dom::get::<HtmlDialogElement>("forget-dialog").show_modal();
            });
        }
        let student = self.clone();
        dom::on("forget-dialog", "close", move |_| {
            let dialog: HtmlDialogElement = dom::get("forget-dialog");
            if dialog.return_value() == "yes" {
                dialog.set_return_value("");
                student.forget();
            }
        });
        dom::on("rejoin", "click", |_| {
            let _ = window().location().reload();
        });
        self.wire_camera();
    }

    /// Tells the session worker of the battery.
    fn watch_battery(self: &Rc<Self>) {
        let student = self.clone();
        spawn_local(battery::watch(move |Battery { charging, level }| {
            let battery = BatteryReport { charging, level };
            student.battery.set(Some(battery));
            student.post(&ToWorker::Battery(battery));
        }));
    }

    fn is_paused(&self) -> bool {
        self.choice.borrow().as_ref().is_some_and(|choice| choice.paused)
    }

    fn toggle_pause(self: &Rc<Self>) {
        if !self.leadership.is_held() {
            return;
        }
        let paused = !self.is_paused();
        self.update_choices(|choice| choice.paused = paused);
        self.show_pause();
        if paused {
            self.camera.stop();
            self.post(&ToWorker::CameraPaused);
            self.view.borrow_mut().no_picture(FaceStatus::CameraOff);
        } else {
            self.start_camera();
        }
    }

    fn show_pause(&self) {
        let paused = self.is_paused();
        dom::attribute("pause", "aria-pressed", if paused { "true" } else { "false" });
        let has_key = self.choice.borrow().as_ref().is_none_or(|choice| choice.pause_key);
        dom::get::<HtmlInputElement>("pause-key").set_checked(has_key);
        dom::attribute("pause", "aria-keyshortcuts", if has_key { "p" } else { "" });
        dom::say("pause", move || camera_words::pause_button(paused, has_key));
    }

    fn update_choices(&self, change: impl FnOnce(&mut SessionChoices)) {
        if let Some(choice) = self.choice.borrow_mut().as_mut() {
            change(choice);
            choice.save();
        }
    }

    fn post(&self, message: &ToWorker) {
        if let Some(worker) = self.worker.borrow().as_ref() {
            worker.post(message);
        }
    }
}
