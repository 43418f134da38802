//! The list of clips with their labels, which the student may change; what was dropped; and the health of the labels.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use gloo::events::EventListener;
use wasm_bindgen::JsCast as _;
use web_sys::{Element, HtmlSelectElement};

use crate::emotion::{EMOTIONS, Emotion};
use crate::messages::{
    ClipEdit, ClipEditReport, ClipOutcome, ClipReport, DropCounts, KeptClipsReport, LabelHealthReport,
};
use crate::page::words::{self, contribution, whole};
use crate::page::{dom, l10n};

/// Maximum number of clips in the list.
const CLIPS_SHOWN: usize = 20;

/// Asks for a clip with an id to be edited.
pub type OnEdit = Rc<dyn Fn(u64, ClipEdit)>;

/// A clip in the list.
struct Item {
    report: ClipReport,
    /// What the student has done with it.
    edited: Option<ClipEditReport>,
    element: Element,
    text: Element,
    /// Where its label is changed; absent if it was dropped.
    controls: Option<Element>,
}

/// Counts of clips by outcome, and the list.
pub struct ClipList {
    kept: u32,
    held_out: u32,
    /// Kept clips by label.
    labels: [u32; EMOTIONS],
    /// What is in the list, newest first.
    shown: Rc<RefCell<VecDeque<Item>>>,
    on_edit: OnEdit,
}

impl ClipList {
    /// An empty list.
    pub fn new(on_edit: OnEdit) -> Self {
        dom::get::<Element>("clip-list").set_text_content(None);
        let list = Self { kept: 0, held_out: 0, labels: [0; EMOTIONS], shown: Rc::default(), on_edit };
        let shown = list.shown.clone();
        l10n::keep("clip-list", move || shown.borrow().iter().for_each(Item::say));
        list.show_counts();
        list.drops(DropCounts::default());
        dom::text("label-health", "");
        dom::text("kept-clips-report", "");
        dom::text("clip-edit-live", "");
        list
    }

    /// A clip has ended and was labelled.
    pub fn add(&mut self, report: ClipReport) {
        self.kept += u32::from(report.outcome == ClipOutcome::Kept);
        self.held_out += u32::from(report.outcome == ClipOutcome::HeldOut);
        let is_dropped = matches!(report.outcome, ClipOutcome::Dropped { .. });
        self.labels[report.label.index()] += u32::from(!is_dropped);
        self.show_counts();
        let (element, text) = (dom::element("li", ""), dom::element("span", ""));
        for (name, value) in
            [("data-label", report.label.name()), ("data-kept", if is_dropped { "false" } else { "true" })]
        {
            // The names are constants, and valid.
            let _ = element.set_attribute(name, value);
        }
        dom::append(&element, &[&text]);
        let controls = report.id.map(|id| controls(id, report.label, &self.on_edit));
        if let Some(controls) = &controls {
            dom::append(&element, &[controls]);
        }
        let list: Element = dom::get("clip-list");
        let _ = list.insert_before(&element, list.first_child().as_ref());
        let item = Item { report, edited: None, element, text, controls };
        item.say();
        let mut shown = self.shown.borrow_mut();
        shown.push_front(item);
        if shown.len() > CLIPS_SHOWN
            && let Some(oldest) = shown.pop_back()
        {
            oldest.element.remove();
        }
    }

    /// A clip was edited, or was not.
    pub fn edited(&mut self, report: &ClipEditReport) {
        let mut shown = self.shown.borrow_mut();
        let Some(item) = shown.iter_mut().find(|item| item.report.id == Some(report.id)) else { return };
        if report.done {
            let before = item.label();
            match (item.report.outcome, report.edit) {
                (_, ClipEdit::Relabel { emotion }) => {
                    self.labels[before.index()] = self.labels[before.index()].saturating_sub(1);
                    self.labels[emotion.index()] += 1;
                }
                (outcome, ClipEdit::StrikeOut) => {
                    self.labels[before.index()] = self.labels[before.index()].saturating_sub(1);
                    let count = if outcome == ClipOutcome::HeldOut { &mut self.held_out } else { &mut self.kept };
                    *count = count.saturating_sub(1);
                }
            }
        }
        item.edited = Some(*report);
        item.say();
        if !report.done || report.edit == ClipEdit::StrikeOut {
            item.forget_controls();
        }
        let report = *report;
        dom::say("clip-edit-live", move || contribution::clip_edit(&report));
        drop(shown);
        self.show_counts();
    }

    /// The worker was replaced, and its clips with it: those in the list cannot be edited any more.
    pub fn forget_ids(&mut self) {
        for item in self.shown.borrow_mut().iter_mut() {
            item.report.id = None;
            item.forget_controls();
        }
    }

    /// Clips of before a reload are back, or lost. A worker that was restarted brings back clips that are counted already.
    pub fn restored(&mut self, report: KeptClipsReport) {
        let at_least = |clips: usize| u32::try_from(clips).unwrap_or(u32::MAX);
        self.kept = self.kept.max(at_least(report.training));
        self.held_out = self.held_out.max(at_least(report.held_out));
        self.show_counts();
        dom::say("kept-clips-report", move || contribution::kept_clips(&report));
    }

    /// What was dropped so far.
    pub fn drops(&self, counts: DropCounts) {
        let dropped = counts.dropped_clips();
        dom::say("clips-dropped", move || whole(dropped));
        dom::say("drops", move || contribution::drops(&counts));
    }

    /// Health of the labels.
    pub fn health(&self, report: LabelHealthReport) {
        dom::say("label-health", move || match report.clips {
            0 => String::new(),
            _ => contribution::label_health(&report),
        });
    }

    fn show_counts(&self) {
        let (kept, held_out, labels) = (self.kept, self.held_out, self.labels);
        dom::say("clips-kept", move || whole(kept));
        dom::say("clips-held-out", move || whole(held_out));
        dom::say("label-counts", move || contribution::label_counts(&labels));
    }
}

impl Item {
    fn label(&self) -> Emotion {
        match self.edited {
            Some(ClipEditReport { edit: ClipEdit::Relabel { emotion }, done: true, .. }) => emotion,
            _ => self.report.label,
        }
    }

    fn say(&self) {
        let clip = contribution::clip(&self.report);
        let text = match &self.edited {
            Some(edited) => format!("{clip} {}", contribution::clip_edit(edited)),
            None => clip,
        };
        self.text.set_text_content(Some(&text));
        let state = match self.edited {
            None => "none",
            Some(ClipEditReport { done: false, .. }) => "refused",
            Some(ClipEditReport { edit: ClipEdit::StrikeOut, .. }) => "struck-out",
            Some(ClipEditReport { edit: ClipEdit::Relabel { .. }, .. }) => "corrected",
        };
        // The name is a constant, and valid.
        let _ = self.element.set_attribute("data-edit", state);
    }

    fn forget_controls(&mut self) {
        let Some(controls) = self.controls.take() else { return };
        // A focus inside would be lost.
        if controls.contains(dom::focused().as_ref()) {
            dom::focus("clips-title");
        }
        controls.remove();
    }
}

/// The label as a choice, and a button to strike the clip out.
fn controls(id: u64, label: Emotion, on_edit: &OnEdit) -> Element {
    let controls = dom::element("span", "");
    controls.set_class_name("actions");
    let choice = dom::element("select", "");
    choice.set_class_name("compact");
    // The name is a constant, and valid.
    let _ = choice.set_attribute("data-l10n-id", words::contribution::CLIP_LABEL);
    for emotion in Emotion::ALL {
        let option = dom::message("option", words::emotion::message(emotion));
        let _ = option.set_attribute("value", emotion.name());
        dom::append(&choice, &[&option]);
    }
    dom::localise_attributes(&choice);
    let choice: HtmlSelectElement = choice.unchecked_into();
    choice.set_value(label.name());
    let strike_out = dom::message("button", words::contribution::CLIP_STRIKE_OUT);
    strike_out.set_class_name("compact");
    let _ = strike_out.set_attribute("type", "button");
    let edit = on_edit.clone();
    let select = choice.clone();
    EventListener::new(&choice, "change", move |_| {
        let named = Emotion::ALL.into_iter().find(|emotion| emotion.name() == select.value());
        if let Some(emotion) = named {
            edit(id, ClipEdit::Relabel { emotion });
        }
    })
    .forget();
    let edit = on_edit.clone();
    EventListener::new(&strike_out, "click", move |_| edit(id, ClipEdit::StrikeOut)).forget();
    dom::append(&controls, &[&choice, &strike_out]);
    controls
}
