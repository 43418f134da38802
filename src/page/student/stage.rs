//! The stage: the lecture beside which the student takes part. It knows nothing of the camera or the models.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use gloo::events::EventListener;
use gloo::utils::document;
use wasm_bindgen::JsCast as _;
use web_sys::{Element, HtmlMediaElement, KeyboardEvent};

use super::layout;
use crate::page::dom;
use crate::page::words::stage as words;
use crate::protocol::Lecture;

/// What a meeting in the frame may ask the student for, and what a lecture does.
const FRAME_PERMISSIONS: &str = "camera; microphone; display-capture; autoplay; fullscreen; clipboard-write";

/// The lecture that is shown.
#[derive(Default)]
pub struct Stage {
    lecture: RefCell<Option<Lecture>>,
    /// Index of the picture that is shown.
    picture: Cell<usize>,
}

impl Stage {
    /// Shows `lecture`, unless it is shown already: a video goes on, a meeting is not left.
    pub fn show(self: &Rc<Self>, lecture: &Lecture) {
        // In a course page the lecture is the course's.
        let lecture = if layout::is_embedded() { &Lecture::None } else { lecture };
        if self.lecture.borrow().as_ref() == Some(lecture) {
            return;
        }
        *self.lecture.borrow_mut() = Some(lecture.clone());
        self.picture.set(0);
        let stage: Element = dom::get("lecture-content");
        stage.set_text_content(None);
        // Forgets the words that name a picture, which is gone.
        dom::text("picture-count", "");
        dom::show("lecture-problem", false);
        dom::show("lecture-pictures", matches!(lecture, Lecture::Pictures { .. }));
        let (kind, content) = match lecture {
            Lecture::None | Lecture::Unknown => ("none", None),
            Lecture::Video { address } => ("video", Some(video(address))),
            Lecture::Document { address } => ("document", Some(frame(address, words::DOCUMENT, None))),
            Lecture::Page { address } => ("page", Some(frame(address, words::PAGE, Some(FRAME_PERMISSIONS)))),
            Lecture::Pictures { .. } => ("pictures", Some(picture())),
        };
        // The layout depends on it.
        dom::attribute("session", "data-lecture", kind);
        dom::show("lecture", content.is_some());
        let link =
            lecture.addresses().first().filter(|_| matches!(lecture, Lecture::Document { .. } | Lecture::Page { .. }));
        dom::show("lecture-open", link.is_some());
        dom::attribute("lecture-open", "href", link.map_or("", String::as_str));
        let Some(content) = content else { return };
        EventListener::new(&content, "error", |_| {
            dom::say("lecture-problem", words::not_loaded);
            dom::show("lecture-problem", true);
        })
        .forget();
        dom::append(&stage, &[&content]);
        self.show_picture();
    }

    /// Nothing is on the stage: the session is over.
    pub fn clear(self: &Rc<Self>) {
        self.show(&Lecture::None);
        *self.lecture.borrow_mut() = None;
    }

    /// Wires up the pictures' buttons and keys.
    pub fn wire(self: &Rc<Self>) {
        for (button, step) in [("picture-previous", -1), ("picture-next", 1)] {
            let stage = self.clone();
            dom::on(button, "click", move |_| stage.turn(step));
        }
        let stage = self.clone();
        EventListener::new(&dom::get::<Element>("lecture"), "keydown", move |event| {
            let Some(event) = event.dyn_ref::<KeyboardEvent>() else { return };
            // The keys point where the pictures go: the other way round where one reads from the right.
            let forward = if layout::reads_from_the_right() { -1 } else { 1 };
            match event.key().as_str() {
                "ArrowRight" => stage.turn(forward),
                "ArrowLeft" => stage.turn(-forward),
                "PageDown" => stage.turn(1),
                "PageUp" => stage.turn(-1),
                _ => {}
            }
        })
        .forget();
        dom::on("lecture-full-screen", "click", |_| match document().fullscreen_element() {
            Some(_) => document().exit_fullscreen(),
            None => dom::full_screen(&dom::get("lecture")),
        });
    }

    fn turn(&self, step: isize) {
        if let Some(Lecture::Pictures { addresses }) = &*self.lecture.borrow() {
            let last = addresses.len().saturating_sub(1);
            self.picture.set(self.picture.get().saturating_add_signed(step).min(last));
        }
        self.show_picture();
    }

    fn show_picture(&self) {
        let lecture = self.lecture.borrow();
        let Some(Lecture::Pictures { addresses }) = &*lecture else { return };
        let (index, count) = (self.picture.get(), addresses.len());
        let Some(address) = addresses.get(index) else { return };
        dom::show("lecture-problem", false);
        dom::attribute("lecture-picture", "src", address);
        dom::say("picture-count", move || {
            let text = words::picture(index + 1, count);
            dom::attribute("lecture-picture", "alt", &text);
            text
        });
    }
}

fn video(address: &str) -> Element {
    let video = dom::element("video", "");
    let media: &HtmlMediaElement = video.unchecked_ref();
    media.set_src(address);
    media.set_controls(true);
    media.set_preload("metadata");
    set(&video, &[("id", "lecture-video"), ("playsinline", ""), ("data-l10n-id", words::VIDEO)]);
    dom::localise_attributes(&video);
    video
}

fn frame(address: &str, title: &'static str, permissions: Option<&str>) -> Element {
    let frame = dom::element("iframe", "");
    set(
        &frame,
        &[("id", "lecture-frame"), ("data-l10n-id", title), ("referrerpolicy", "no-referrer"), ("allowfullscreen", "")],
    );
    if let Some(permissions) = permissions {
        set(&frame, &[("allow", permissions)]);
    }
    dom::localise_attributes(&frame);
    set(&frame, &[("src", address)]);
    frame
}

/// Sets attributes, whose names are constants, and valid.
fn set(element: &Element, attributes: &[(&str, &str)]) {
    for (name, value) in attributes {
        let _ = element.set_attribute(name, value);
    }
}

fn picture() -> Element {
    let picture = dom::element("img", "");
    set(&picture, &[("id", "lecture-picture")]);
    picture
}
