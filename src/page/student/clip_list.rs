//! The list of clips, what was dropped, and the health of the labels.

use web_sys::Element;

use crate::messages::{ClipOutcome, ClipReport, DropCounts, KeptClipsReport, LabelHealthReport};
use crate::page::dom;
use crate::page::words::contribution as words;

/// Maximum number of clips in the list.
const CLIPS_SHOWN: u32 = 20;

/// Counts of clips by outcome.
pub struct ClipList {
    kept: u32,
    held_out: u32,
}

impl ClipList {
    /// An empty list.
    pub fn new() -> Self {
        dom::get::<Element>("clip-list").set_text_content(None);
        let list = Self { kept: 0, held_out: 0 };
        list.show_counts();
        list.drops(&DropCounts::default());
        dom::text("label-health", "");
        dom::text("kept-clips-report", "");
        list
    }

    /// A clip has ended and was labelled.
    pub fn add(&mut self, report: &ClipReport) {
        self.kept += u32::from(report.outcome == ClipOutcome::Kept);
        self.held_out += u32::from(report.outcome == ClipOutcome::HeldOut);
        self.show_counts();
        let item = dom::element("li", &words::clip(report));
        let is_dropped = matches!(report.outcome, ClipOutcome::Dropped { .. });
        let _ = item.set_attribute("data-label", report.label.name());
        let _ = item.set_attribute("data-kept", if is_dropped { "false" } else { "true" });
        let list: Element = dom::get("clip-list");
        let _ = list.insert_before(&item, list.first_child().as_ref());
        if list.child_element_count() > CLIPS_SHOWN
            && let Some(oldest) = list.last_element_child()
        {
            oldest.remove();
        }
    }

    /// Clips of before a reload are back, or lost. A worker that was restarted brings back clips that are counted already.
    pub fn restored(&mut self, report: &KeptClipsReport) {
        let at_least = |clips: usize| u32::try_from(clips).unwrap_or(u32::MAX);
        self.kept = self.kept.max(at_least(report.training));
        self.held_out = self.held_out.max(at_least(report.held_out));
        self.show_counts();
        dom::text("kept-clips-report", &words::kept_clips(report));
    }

    /// What was dropped so far.
    pub fn drops(&self, counts: &DropCounts) {
        dom::text("clips-dropped", &counts.dropped_clips().to_string());
        dom::text("drops", &words::drops(counts));
    }

    /// Health of the labels.
    pub fn health(&self, report: &LabelHealthReport) {
        dom::text("label-health", &if report.clips > 0 { words::label_health(report) } else { String::new() });
    }

    fn show_counts(&self) {
        dom::text("clips-kept", &self.kept.to_string());
        dom::text("clips-held-out", &self.held_out.to_string());
    }
}
