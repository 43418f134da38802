//! The list of clips, what was dropped, and the health of the labels.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use web_sys::Element;

use crate::messages::{ClipOutcome, ClipReport, DropCounts, KeptClipsReport, LabelHealthReport};
use crate::page::words::{contribution as words, whole};
use crate::page::{dom, l10n};

/// Maximum number of clips in the list.
const CLIPS_SHOWN: usize = 20;

/// Counts of clips by outcome.
pub struct ClipList {
    kept: u32,
    held_out: u32,
    /// What is in the list, newest first.
    shown: Rc<RefCell<VecDeque<(ClipReport, Element)>>>,
}

impl ClipList {
    /// An empty list.
    pub fn new() -> Self {
        dom::get::<Element>("clip-list").set_text_content(None);
        let list = Self { kept: 0, held_out: 0, shown: Rc::default() };
        let shown = list.shown.clone();
        l10n::keep("clip-list", move || {
            for (report, item) in shown.borrow().iter() {
                item.set_text_content(Some(&words::clip(report)));
            }
        });
        list.show_counts();
        list.drops(DropCounts::default());
        dom::text("label-health", "");
        dom::text("kept-clips-report", "");
        list
    }

    /// A clip has ended and was labelled.
    pub fn add(&mut self, report: ClipReport) {
        self.kept += u32::from(report.outcome == ClipOutcome::Kept);
        self.held_out += u32::from(report.outcome == ClipOutcome::HeldOut);
        self.show_counts();
        let item = dom::element("li", &words::clip(&report));
        let is_dropped = matches!(report.outcome, ClipOutcome::Dropped { .. });
        let _ = item.set_attribute("data-label", report.label.name());
        let _ = item.set_attribute("data-kept", if is_dropped { "false" } else { "true" });
        let list: Element = dom::get("clip-list");
        let _ = list.insert_before(&item, list.first_child().as_ref());
        let mut shown = self.shown.borrow_mut();
        shown.push_front((report, item));
        if shown.len() > CLIPS_SHOWN
            && let Some((_, oldest)) = shown.pop_back()
        {
            oldest.remove();
        }
    }

    /// Clips of before a reload are back, or lost. A worker that was restarted brings back clips that are counted already.
    pub fn restored(&mut self, report: KeptClipsReport) {
        let at_least = |clips: usize| u32::try_from(clips).unwrap_or(u32::MAX);
        self.kept = self.kept.max(at_least(report.training));
        self.held_out = self.held_out.max(at_least(report.held_out));
        self.show_counts();
        dom::say("kept-clips-report", move || words::kept_clips(&report));
    }

    /// What was dropped so far.
    pub fn drops(&self, counts: DropCounts) {
        let dropped = counts.dropped_clips();
        dom::say("clips-dropped", move || whole(dropped));
        dom::say("drops", move || words::drops(&counts));
    }

    /// Health of the labels.
    pub fn health(&self, report: LabelHealthReport) {
        dom::say("label-health", move || match report.clips {
            0 => String::new(),
            _ => words::label_health(&report),
        });
    }

    fn show_counts(&self) {
        let (kept, held_out) = (self.kept, self.held_out);
        dom::say("clips-kept", move || whole(kept));
        dom::say("clips-held-out", move || whole(held_out));
    }
}
